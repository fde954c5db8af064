"""The envelope `{error, msg, data}` around every reply (contract section 1.3)."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from hitl_mcp.errors import AnswerRejected, BadRequest, Refused, refusal
from hitl_mcp.service.web.faults import refusal_of


def reply(
    msg: str, data: BaseModel | dict[str, Any], *, status: int = 200, beside: dict[str, Any] | None = None
) -> Response:
    """A successful answer.

    Args:
        beside: fields that callers of an older generation read beside the envelope.
    """
    body = {"error": False, "msg": msg, "data": data, **(beside or {})}
    return Response(to_json(body), status, media_type="application/json")


def refuse(error: Refused) -> Response:
    """An answer that says no."""
    body: dict[str, Any] = {"error": True, "msg": error.message}
    if error.details is not None:
        body["data"] = error.details
    seconds = error.retry_after
    headers = {} if seconds is None else {"Retry-After": f"{seconds:g}"}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(json.dumps(body), error.status, headers, "application/json")


def install(app: FastAPI) -> None:
    """Let every failure of `app` leave in the envelope."""

    async def refused(_: Request, error: Exception) -> Response:
        if not isinstance(error, Refused):
            raise error
        return refuse(error)

    async def rejected(_: Request, error: Exception) -> Response:
        if not isinstance(error, AnswerRejected):
            raise error
        return refuse(BadRequest("Validation failed", {"field": error.field, "issue": error.reason}))

    async def invalid(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        return refuse(refusal_of(error, request.scope["path"]))

    async def http(_: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        if error.status_code == 400:  # the framework's, for bytes that are no text
            return refuse(BadRequest("Invalid request body", "the body must be JSON in UTF-8"))
        words = {404: "There is nothing at this address", 405: "This address does not take that method"}
        answer = refuse(refusal(error.status_code, words.get(error.status_code, str(error.detail))))
        answer.headers.update(error.headers or {})
        return answer

    async def fault(_: Request, error: Exception) -> Response:  # the server logs it, after this answer
        return refuse(refusal(500, "Internal server error"))

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(AnswerRejected, rejected)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, fault)
