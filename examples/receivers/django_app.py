"""A webhook receiver with Django, in one file: genuine events only, each once.

Run it: `HITL_WEBHOOK_SECRET=... gunicorn --workers 2 examples.receivers.django_app:application`
"""

# pyright: basic
# Django comes without types
from __future__ import annotations

import os
import secrets

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from examples.receivers.decisions import Decisions
from hitl_mcp.exceptions import HITLError
from hitl_mcp.webhooks import parse_event, verify_signature

SECRET = os.environ["HITL_WEBHOOK_SECRET"]
decisions = Decisions(os.environ.get("DECISIONS_FILE", "decisions.db"))


@csrf_exempt  # no browser and no cookie comes here: the signature says who sends
@require_POST
def receive(request: HttpRequest) -> JsonResponse:
    """Where the service sends events. The signature is of the raw bytes."""
    if not verify_signature(request.headers, request.body, SECRET):
        return JsonResponse({"error": "The signature is missing or wrong"}, status=401)
    try:
        event = parse_event(request.body)
    except HITLError as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse({"taken": decisions.take(event)})


@require_GET
def decision(request: HttpRequest, request_id: str) -> JsonResponse:
    """What became of a request."""
    found = decisions.of(request_id)
    return JsonResponse(found) if found else JsonResponse({"status": "unknown"}, status=404)


urlpatterns = [path("hitl", receive), path("decisions/<str:request_id>", decision)]

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    SECRET_KEY=secrets.token_hex(32),  # no sessions and no cookies here, so nothing has to outlive the process
)
application = get_wsgi_application()
