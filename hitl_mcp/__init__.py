"""hitl_mcp: an agent asks, a person decides, the agent gets exactly that decision."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hitl_mcp.errors import HITLError
    from hitl_mcp.sdk.aio import AsyncHITLClient
    from hitl_mcp.sdk.sync import HITLClient

__version__ = "0.1.0"
__all__ = ["AsyncHITLClient", "HITLClient", "HITLError", "__version__"]

_HOMES = {"AsyncHITLClient": "sdk.aio", "HITLClient": "sdk.sync", "HITLError": "errors"}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used: the stdio server and the service need none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
