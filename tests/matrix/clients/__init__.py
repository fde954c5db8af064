"""Programs of users: each tells what happened to it, as one line of JSON."""
