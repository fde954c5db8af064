"""For whoever receives webhooks: is it genuine, and what does it say.

    @app.post("/hitl")
    def receive():
        if not verify_signature(request.headers, request.get_data(), SECRET):
            return "", 401
        event = parse_event(request.get_data())
        if event.decision == "approved":
            ...

Answer 200 at once and work later; the same event may come twice, so remember its `event_id` or `request_id`.

The HITL.sh cloud does not sign its callbacks: anybody who knows the address can send one. Put a random token into the
`callback_url`, and read the request again through the API (`client.get_request(event.request_id)`) before acting.
"""

from hitl_mcp.contract.first_generation import DecisionWord as Decision
from hitl_mcp.webhooks.event import Responder, WebhookEvent, parse_event
from hitl_mcp.webhooks.genuine import WebhookHandler, verify_signature

__all__ = ["Decision", "Responder", "WebhookEvent", "WebhookHandler", "parse_event", "verify_signature"]
