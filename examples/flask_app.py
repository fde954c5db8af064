"""A Flask application whose drafts wait for a person. One client at the module's top serves every worker.

Run it: `gunicorn --preload --workers 2 examples.flask_app:app`
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, request

from hitl_mcp import HITLClient
from hitl_mcp.exceptions import InvalidRequestError, ReviewNotFoundError

app = Flask(__name__)
client = HITLClient()  # opens nothing; each worker connects at its first call, also after a fork


@app.post("/drafts")
def submit() -> tuple[dict[str, Any], int]:
    """Hand a draft in: `{"text": ...}`."""
    given: dict[str, Any] = request.get_json()
    try:
        review = client.create_review(content={"text": given.get("text")}, priority="normal")
    except InvalidRequestError as error:
        return {"error": str(error)}, 400
    return {"id": review.id, "state": review.state, "worker": os.getpid()}, 201


@app.get("/drafts/<review_id>")
def look(review_id: str) -> tuple[dict[str, Any], int]:
    """What became of it."""
    try:
        review = client.get_review(review_id)
    except ReviewNotFoundError as error:
        return {"error": str(error)}, 404
    return {"state": review.state, "approved": review.approved, "worker": os.getpid()}, 200
