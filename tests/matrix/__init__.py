"""Whom the server works with: clients of others, as their users install them, and the protocol's conformance suite."""
