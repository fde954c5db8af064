"""Templates of reviews (our addition): kept for the person behind the key, and found by id, key or slug."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.templates import NewTemplate, TemplateChange
from hitl_mcp.service import templates
from hitl_mcp.service.api.parameters import TemplateRef
from hitl_mcp.service.web.auth import Asker, RequestReader, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["templates"])


@router.post(routes.TEMPLATES, status_code=201)
async def create_template(new: NewTemplate, agent: Asker, services: ServicesHere) -> Response:
    """Keep the fields that reviews of one kind ask. Its name need not be unique; its key must be."""
    made = await services.store.write(lambda tx: templates.create(tx, agent, new))
    return reply("Template created successfully", {"template": made}, status=201)


@router.get(routes.TEMPLATES)
async def list_templates(agent: RequestReader, services: ServicesHere) -> Response:
    """Every template of the person behind the key, newest first."""
    found = await services.store.read(lambda tx: templates.listed(tx, agent))
    return reply("Templates retrieved successfully", {"templates": found, "count": len(found)})


@router.get(routes.TEMPLATE)
async def get_template(template: TemplateRef, agent: RequestReader, services: ServicesHere) -> Response:
    """One template."""
    found = await services.store.read(lambda tx: templates.find(tx, agent, template))
    return reply("Template retrieved successfully", {"template": found})


@router.put(routes.TEMPLATE)
async def update_template(
    template: TemplateRef, wanted: TemplateChange, agent: Asker, services: ServicesHere
) -> Response:
    """Change name, fields, loop or settings; what is left out stays. Reviews that were asked already keep theirs."""
    found = await services.store.write(lambda tx: templates.change(tx, agent, template, wanted))
    return reply("Template updated successfully", {"template": found})
