"""Ring 1: the client. It knows the contract and the wire, and nothing of the service."""

from hitl_mcp.sdk.aio import AsyncHITLClient
from hitl_mcp.sdk.endpoint import Endpoint, Resolver

__all__ = ["AsyncHITLClient", "Endpoint", "Resolver"]
