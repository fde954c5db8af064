"""Webhooks: who subscribed to what, what a body says, and how it is signed and sent."""
