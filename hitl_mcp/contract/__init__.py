"""Ring 0: what crosses the wire. Pydantic only; imported by both sides, owned by neither."""
