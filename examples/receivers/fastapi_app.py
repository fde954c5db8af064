"""A webhook receiver with FastAPI: genuine events only, each once.

Run it: `HITL_WEBHOOK_SECRET=... uvicorn examples.receivers.fastapi_app:app`
"""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from examples.receivers.decisions import Decisions
from hitl_mcp.exceptions import HITLError
from hitl_mcp.webhooks import parse_event, verify_signature

SECRET = os.environ["HITL_WEBHOOK_SECRET"]
app = FastAPI()
decisions = Decisions(os.environ.get("DECISIONS_FILE", "decisions.db"))


@app.post("/hitl")
async def receive(request: Request) -> dict[str, Any]:
    """Where the service sends events. The signature is of the raw bytes, so there is no model in the parameters."""
    body = await request.body()
    if not verify_signature(request.headers, body, SECRET):
        raise HTTPException(401, "The signature is missing or wrong")
    try:
        event = parse_event(body)
    except HITLError as error:
        raise HTTPException(400, str(error)) from None
    return {"taken": await run_in_threadpool(decisions.take, event)}


@app.get("/decisions/{request_id}")
def decision(request_id: str) -> dict[str, Any]:
    """What became of a request."""
    found = decisions.of(request_id)
    if found is None:
        raise HTTPException(404, "unknown")
    return found
