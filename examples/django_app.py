"""The same application with Django, in one file. One client at the module's top serves every worker.

Run it: `gunicorn --preload --workers 2 examples.django_app:application`
"""

# pyright: basic
# Django comes without types
from __future__ import annotations

import json
import os
import secrets

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from hitl_mcp import HITLClient
from hitl_mcp.exceptions import InvalidRequestError, ReviewNotFoundError

client = HITLClient()  # opens nothing; each worker connects at its first call, also after a fork


@require_POST
def submit(request: HttpRequest) -> JsonResponse:
    """Hand a draft in: `{"text": ...}`."""
    given = json.loads(request.body)
    try:
        review = client.create_review(content={"text": given.get("text")}, priority="normal")
    except InvalidRequestError as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse({"id": review.id, "state": review.state, "worker": os.getpid()}, status=201)


@require_GET
def look(request: HttpRequest, review_id: str) -> JsonResponse:
    """What became of it."""
    try:
        review = client.get_review(review_id)
    except ReviewNotFoundError as error:
        return JsonResponse({"error": str(error)}, status=404)
    return JsonResponse({"state": review.state, "approved": review.approved, "worker": os.getpid()})


urlpatterns = [path("drafts", submit), path("drafts/<str:review_id>", look)]

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    SECRET_KEY=secrets.token_hex(32),  # no sessions and no cookies here, so nothing has to outlive the process
)
application = get_wsgi_application()
