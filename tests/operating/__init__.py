"""Operating a service: its figures, its log outside of it, and what retention leaves."""
