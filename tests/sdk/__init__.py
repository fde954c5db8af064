"""The client's side: what a program reads, repeats and catches."""
