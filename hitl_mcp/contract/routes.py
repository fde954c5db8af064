"""Paths of the wire contract, and of our additions beside it. `{name}` marks a path parameter."""

from __future__ import annotations

KEY_TEST = "/v1/test"
LOOPS = "/v1/api/loops"
LOOP = "/v1/api/loops/{loop_id}"
LOOP_REQUESTS = "/v1/api/loops/{loop_id}/requests"
MEMBERS = "/v1/api/loops/{loop_id}/members"
MEMBER = "/v1/api/loops/{loop_id}/members/{user_id}"
REQUESTS = "/v1/api/requests"
REQUEST = "/v1/api/requests/{request_id}"
REQUEST_FEEDBACK = "/v1/api/requests/{request_id}/feedback"

# the first generation's own
REQUEST_RESPONSE = "/v1/api/requests/{request_id}/response"
REQUEST_STATUS = "/v1/api/requests/{request_id}/status"

# our additions
LOOP_INVITE = "/v1/api/loops/{loop_id}/invite"
QR_CODE = "/qr/{code}.png"
HEALTH = "/health"
READY = "/ready"
REQUEST_WAIT = "/v1/api/requests/{request_id}/wait"
REQUEST_DELIVERED = "/v1/api/requests/{request_id}/delivered"
REQUEST_CLIENT_ANSWER = "/v1/api/requests/{request_id}/client-answer"
REQUEST_EVENTS = "/v1/api/requests/{request_id}/events"
REQUEST_CLAIM = "/v1/api/requests/{request_id}/claim"
REQUEST_RELEASE = "/v1/api/requests/{request_id}/release"
REQUEST_RESPOND = "/v1/api/requests/{request_id}/respond"
TEMPLATES = "/v1/api/templates"
TEMPLATE = "/v1/api/templates/{template}"
REVIEWS = "/v1/api/reviews"
REVIEW = "/v1/api/reviews/{request_id}"
TOKENS = "/v1/api/tokens"
EVENTS = "/v1/api/events"
EVENTS_STREAM = "/v1/api/events/stream"

# for whoever has the machine's terminal: sign-ins, keys, the end of the service
HELLO = "/v1/local/hello"
STATUS = "/v1/local/status"
STOP = "/v1/local/stop"
SIGN_INS = "/v1/local/sign-ins"
OPEN_INBOX = "/v1/local/open-inbox"
SESSIONS = "/v1/local/sessions"
CHECKS = "/v1/local/checks"
BACKUP = "/v1/local/backup"
KEYS = "/v1/local/keys"
KEY = "/v1/local/keys/{key_id}"

IDEMPOTENCY_KEY = "Idempotency-Key"
CLIENT_NAME = "X-HITL-Client"
NONCE = "X-HITL-Nonce"
PROOF = "X-HITL-Proof"
