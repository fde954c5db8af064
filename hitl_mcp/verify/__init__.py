"""Checks an exported event log without the service that wrote it (H24)."""

from hitl_mcp.verify.log import Fault, Report, verify

__all__ = ["Fault", "Report", "verify"]
