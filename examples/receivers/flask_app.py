"""A webhook receiver with Flask: genuine events only, each once.

Run it: `HITL_WEBHOOK_SECRET=... gunicorn --workers 2 examples.receivers.flask_app:app`
"""

from __future__ import annotations

import os

from flask import Flask, request
from flask.typing import ResponseReturnValue

from examples.receivers.decisions import Decisions
from hitl_mcp.exceptions import HITLError
from hitl_mcp.webhooks import parse_event, verify_signature

SECRET = os.environ["HITL_WEBHOOK_SECRET"]
app = Flask(__name__)
decisions = Decisions(os.environ.get("DECISIONS_FILE", "decisions.db"))


@app.post("/hitl")
def receive() -> ResponseReturnValue:
    """Where the service sends events. The signature is of the raw bytes, so they are judged before they are read."""
    body = request.get_data()
    if not verify_signature(request.headers, body, SECRET):
        return {"error": "The signature is missing or wrong"}, 401
    try:
        event = parse_event(body)
    except HITLError as error:
        return {"error": str(error)}, 400
    return {"taken": decisions.take(event)}


@app.get("/decisions/<request_id>")
def decision(request_id: str) -> ResponseReturnValue:
    """What became of a request."""
    return decisions.of(request_id) or ({"status": "unknown"}, 404)
