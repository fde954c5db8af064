"""A web page that asks a person. The key stays here; the page gets a token for ten minutes and one loop.

Run it:

    pip install hitl-mcp-server flask
    HITL_BASE_URL=https://hitl.example.com HITL_API_KEY=... flask --app examples.browser.app run --port 5000

Whoever runs the service lists this page's origin: HITL_CORS_ORIGINS=http://127.0.0.1:5000
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask, send_from_directory
from flask.typing import ResponseReturnValue

from hitl_mcp import HITLClient

HERE = Path(__file__).parent
hitl = HITLClient()
app = Flask(__name__)


@app.get("/")
def page() -> ResponseReturnValue:
    """The page."""
    return send_from_directory(HERE, "index.html")


@app.get("/page.js")
def script() -> ResponseReturnValue:
    """Its script."""
    return send_from_directory(HERE, "page.js")


@app.post("/token")
def token() -> dict[str, Any]:
    """What the page needs. In your application: only for whom you know, and as often as they may ask."""
    loop = hitl.list_loops()[0].id  # or the id of the loop whose people shall answer
    made = hitl.create_token(600, loop_ids=[loop])
    address = hitl.backend().base_url
    return {"token": made.access_token, "expiresIn": made.expires_in, "baseUrl": address, "loopId": loop}
