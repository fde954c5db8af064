"""Calls to addresses that somebody else chose (H5, H12, H39): public https only, but for what the operator named."""

from __future__ import annotations

from hitl_mcp.service.outgoing.guard import Answer, Outgoing
from hitl_mcp.service.outgoing.images import Image, fetch_image, fetch_images

__all__ = ["Answer", "Image", "Outgoing", "fetch_image", "fetch_images"]
