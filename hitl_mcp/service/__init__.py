"""Ring 1: the wire-compatible service. It knows the contract and nothing of the client."""
