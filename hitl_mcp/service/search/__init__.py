"""What a person looks for among the requests of their loops: what waits, and what was closed."""
