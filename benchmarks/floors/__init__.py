"""Minimal programs: each does one thing with the same libraries, and nothing else."""
