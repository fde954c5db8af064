"""The inbox as an ASGI application. The guard lets only its own host name through (H13)."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hitl_mcp.errors import Refused, ServiceFault
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox import view
from hitl_mcp.service.inbox.account import Account
from hitl_mcp.service.inbox.actions import Requests
from hitl_mcp.service.inbox.doors import Doors
from hitl_mcp.service.inbox.escalation_pages import Escalations
from hitl_mcp.service.inbox.figures import FiguresPage
from hitl_mcp.service.inbox.files import static_route
from hitl_mcp.service.inbox.forms import read_typed
from hitl_mcp.service.inbox.headers import SecureHeaders
from hitl_mcp.service.inbox.hooks import Hooks
from hitl_mcp.service.inbox.joining import Joining
from hitl_mcp.service.inbox.key_pages import KeyPages
from hitl_mcp.service.inbox.listing import Lists
from hitl_mcp.service.inbox.live import Live
from hitl_mcp.service.inbox.loop_pages import LoopPages
from hitl_mcp.service.inbox.member_pages import MemberPages
from hitl_mcp.service.inbox.phone import Phone
from hitl_mcp.service.inbox.reach import Reach
from hitl_mcp.service.inbox.render import message
from hitl_mcp.service.inbox.similar import Similar
from hitl_mcp.service.inbox.team import Team
from hitl_mcp.service.inbox.texts import Languages, _


def create_inbox(services: Services) -> ASGIApp:
    """The inbox of one running service."""
    parts = (
        Lists(services), Requests(services), Similar(services), Doors(services), Team(services), Joining(services),
        LoopPages(services), MemberPages(services), KeyPages(services), Reach(services), Account(services),
        FiguresPage(services), Hooks(services), Phone(services), Escalations(services),
    )  # fmt: skip
    routes = [route for part in parts for route in part.routes()]
    app = Starlette(routes=[*routes, Route("/live", Live(services)), static_route()])
    app.state.is_team = services.keys.is_team
    install(app)
    return SecureHeaders(Languages(app, services.locales))


def install(app: Starlette) -> None:
    """Let every failure of `app` be said in words."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise error
    form = getattr(request.state, "form", None)
    kept = view.kept(read_typed(form), None) if form is not None else []
    if error.status == 401:
        if getattr(request.app.state, "is_team", False):
            return message(
                _("You are signed out"), _("The inbox shows questions to signed-in people only."), status=401,
                sign_in=True, request_id=request.path_params.get("request_id"), typed=kept,
            )  # fmt: skip
        return message(
            _("You are signed out"),
            _(
                "The inbox shows questions to signed-in people only. On one machine sessions also end when the service "
                "was away."
            ),
            status=401, open_again=True, request_id=request.path_params.get("request_id"), typed=kept,
        )  # fmt: skip
    titles = {403: _("Refused"), 404: _("Not found"), 409: _("Too late")}
    title = titles.get(error.status, _("Not possible"))
    if isinstance(error, ServiceFault):
        title = _("The service could not do it")
    advice = _("Go back in your browser: what you typed is still there.") if request.method == "POST" else ""
    return message(title, f"{error.message}.", *([advice] if advice else []), status=error.status, back="/", typed=kept)


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    said = {404: _("There is nothing at this address."), 405: _("This address does not take that.")}
    words = said.get(error.status_code, f"{error.detail}.")
    title = _("Not found") if error.status_code == 404 else _("Not possible")
    response = message(title, words, status=error.status_code, back="/")
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def _fault(request: Request, error: Exception) -> Response:  # the server logs it, after this answer
    return message(
        _("Something went wrong here"),
        _(
            "The service made a mistake; its log has the details. Nothing can be said about what you sent: go back, "
            "reload, and look at the request's state before you try again."
        ),
        status=500, back="/",
    )  # fmt: skip
