"""The client's methods of the oldest vocabulary, for `AsyncHITLClient`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.contract.first_generation import FirstAnswer, first_answer
from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.models import Created, Loop, NewRequest, RequestChange, ReviewRequest
from hitl_mcp.contract.review_result import content_of, facts_of
from hitl_mcp.contract.templates import NewTemplate, TemplateChange
from hitl_mcp.errors import BadRequest, NotFound, NotSupported, ReviewNotFound
from hitl_mcp.sdk import batches, calls
from hitl_mcp.sdk.backend import Backend
from hitl_mcp.sdk.batches import AT_ONCE, Progress
from hitl_mcp.sdk.given import valid
from hitl_mcp.sdk.plain import plain
from hitl_mcp.sdk.reviews.building import as_approval, as_form, filled
from hitl_mcp.sdk.reviews.defaults import default_loop
from hitl_mcp.sdk.reviews.models import NewReview, Review, ReviewChange
from hitl_mcp.sdk.reviews.results import read_review
from hitl_mcp.sdk.reviews.template import Template
from hitl_mcp.sdk.reviews.templates import shelf_of
from hitl_mcp.sdk.which_loop import find_loop

_INSTEAD = "Cancel the review and create another: who has it open could not be told that it changed."


class Reviews(ABC):
    """Reviews and their templates over a client's requests."""

    _backend: Backend

    @abstractmethod
    async def list_loops(self, *, fresh: bool = False) -> list[Loop]:
        """The client's own."""

    @abstractmethod
    async def create_request(
        self,
        loop_id: str,
        data: NewRequest | Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        client_name: str | None = None,
        **fields: Any,
    ) -> Created:
        """The client's own."""

    @abstractmethod
    async def wait_for_decision(
        self, request: ReviewRequest | Created | str, timeout: float | None = None
    ) -> ReviewRequest:
        """The client's own."""

    # reviews

    async def create_review(
        self,
        template_id: str | None = None,
        content: Any = None,
        assignees: Iterable[str] | None = None,
        priority: str | None = None,
        due_date: Any = None,
        *,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> Review:
        """Ask people to review content.

        Args:
            template_id: a template's id, the id its author chose, or the slug of its name (`content_review`). Without
                one, or with one that has no fields, it is an approval.
            content: what is reviewed, a dict; a field of the template that is named like one of its keys is filled in
                with it and can be edited, the rest is shown.
            assignees: addresses of people who shall answer; they become members of the review's loop.
            priority: low, normal or medium, high, urgent or critical.
            due_date: a target shown to people, as day or time; not the timeout.
            idempotency_key: the same key and review find the same review while it is open.
            more: `request_text`, `loop_id`, `timeout_seconds`, `callback_url`, `tags`; see `NewReview`.

        Raises: NotFound that lists the templates there are, BadRequest with the field at fault or with the loops there
            are.
        """
        given = {
            "template_id": template_id, "assignees": None if assignees is None else assignees, "priority": priority,
            "due_date": due_date, **more,
        }  # fmt: skip
        new = valid(NewReview, given | ({} if content is None else {"content": content}))
        template = None if new.template_id is None else await self.get_template(new.template_id)
        loop_id = await self._loop(new.loop_id or (template.loop_id if template else None) or default_loop())
        on_cloud = (await self._backend.endpoint()).name == "cloud"
        asked, notes = (as_approval if on_cloud else as_form)(new, template)
        created = await self.create_request(loop_id, asked, idempotency_key=idempotency_key)
        said = [] if on_cloud else notes  # the cloud's travel with the request
        return read_review(created.request, [*said, *created.notes])

    async def create_reviews(
        self, reviews: Iterable[Mapping[str, Any]], *, at_once: int = AT_ONCE, on_progress: Progress | None = None
    ) -> list[Review]:
        """Many at once, each a dict of what `create_review` takes; the reviews in the same order.

        Raises: BatchFailed when some failed, with every item's review or error.
        """
        return await batches.run(
            lambda one: self.create_review(**one), list(reviews), at_once=at_once, on_progress=on_progress
        )

    async def get_review(self, review_id: str) -> Review:
        """A review as it stands. Raises: ReviewNotFound for an id of any form that does not exist."""
        return read_review(await self._request(review_id))

    async def wait_for_review(self, review_id: str, timeout: float | None = None) -> Review:
        """The review once a person has answered, it was cancelled, or its own time is over.

        Args:
            timeout: seconds after which it is returned as it stands; see its `state`. By default there is no end.

        Raises: ReviewNotFound.
        """
        with _looked_up(review_id):
            return read_review(await self.wait_for_decision(review_id, timeout))

    async def update_review(
        self,
        review_id: str,
        content: Any = None,
        *,
        assignees: Iterable[str] | None = None,
        priority: str | None = None,
        due_date: Any = None,
    ) -> Review:
        """Change an open review; `content` is merged into what is there. Who has it open must look again.

        Raises: ReviewNotFound, NotSupported on the cloud, BadRequest when it is closed.
        """
        given = {"content": content, "assignees": assignees, "priority": priority, "due_date": due_date}
        return await self._change("update_review", review_id, given)

    async def update_reviews(
        self, reviews: Iterable[Mapping[str, Any]], *, at_once: int = AT_ONCE, on_progress: Progress | None = None
    ) -> list[Review]:
        """Many at once, each a dict of `id` and what `update_review` takes; the reviews in the same order.

        Raises: BatchFailed when some failed, with every item's review or error.
        """

        async def one(item: Mapping[str, Any]) -> Review:
            given = dict(item)
            review_id = given.pop("id", None) or given.pop("review_id", None)
            if not isinstance(review_id, str):
                raise BadRequest("Validation failed", {"field": "id", "issue": "says which review is meant; give it"})
            return await self._change("update_reviews", review_id, given)

        return await batches.run(one, list(reviews), at_once=at_once, on_progress=on_progress)

    async def reassign_review(self, review_id: str, assignees: Iterable[str]) -> Review:
        """Ask other people. Raises: as `update_review`."""
        return await self._change("reassign_review", review_id, {"assignees": assignees})

    async def cancel_review(self, review_id: str) -> Review:
        """Withdraw an open review. Raises: ReviewNotFound, BadRequest when it is closed."""
        with _looked_up(review_id):
            return read_review(await self._backend.send(calls.cancel_request(review_id)))

    async def _change(self, operation: str, review_id: str, given: Mapping[str, Any]) -> Review:
        change = valid(ReviewChange, {name: value for name, value in given.items() if value is not None})
        if (await self._backend.endpoint()).name == "cloud":
            raise NotSupported(operation, "cloud", _INSTEAD)
        now = await self._request(review_id)
        content = content_of(now) | (change.content or {})
        facts = {**(facts_of(now) or {}), "content": content}
        if change.assignees is not None:
            facts["assignees"] = change.assignees
        wanted: dict[str, Any] = {"review": facts}
        notes: list[str] = []
        if change.content is not None:
            shown = content
            if now.response_type is ResponseType.FORM:
                fields, shown, notes = filled(now.response_config["fields"], content)
                wanted["response_config"] = {**now.response_config, "fields": fields}
            wanted["context"] = shown
        wanted |= {"priority": change.priority} if change.priority else {}
        wanted |= {"due_at": change.due_date} if change.due_date else {}
        with _looked_up(review_id):
            changed, said = await self._backend.send(calls.update_review(review_id, valid(RequestChange, wanted)))
        return read_review(changed, [*notes, *said])

    async def _request(self, review_id: str) -> ReviewRequest:
        with _looked_up(review_id):
            return await self._backend.send(calls.get_request(review_id))

    async def _loop(self, wanted: str | None) -> str:
        if wanted is not None and is_id(wanted):
            return wanted.lower()
        return (await find_loop(self, wanted)).id

    # templates

    async def create_template(
        self,
        name: str,
        fields: Iterable[Mapping[str, Any]],
        *,
        key: str | None = None,
        loop_id: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Template:
        """Keep what reviews of one kind ask.

        Args:
            name: its slug (`Content Review`: `content_review`) finds it again.
            fields: `{name, type, label, required}` each, of types text, rich_text, boolean, select, multi_select,
                checkbox_group, rating, number, email, datetime, and shown only: content_display, code_display,
                table_display. A boolean named `approved` is what `result["approved"]` says.
            key: an id of your own choice.
            loop_id: id or name of the loop that its reviews go to.

        Raises: BadRequest with the field at fault.
        """
        given = await self._template_fields(name, fields, loop_id, settings) | ({} if key is None else {"key": key})
        shelf = await shelf_of(self._backend)
        return await shelf.create(valid(NewTemplate, given))

    async def list_templates(self) -> list[Template]:
        """The templates there are."""
        return await (await shelf_of(self._backend)).listed()

    async def get_template(self, template_id: str) -> Template:
        """A template by its id, the id its author chose, or the slug of its name. Raises: NotFound that lists them."""
        return await (await shelf_of(self._backend)).find(template_id)

    async def update_template(
        self,
        template_id: str,
        *,
        name: str | None = None,
        fields: Iterable[Mapping[str, Any]] | None = None,
        loop_id: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Template:
        """Change what is given; reviews that were made from it stay as they are. Raises: NotFound, BadRequest."""
        change = valid(TemplateChange, await self._template_fields(name, fields, loop_id, settings))
        return await (await shelf_of(self._backend)).update(template_id, change)

    async def _template_fields(
        self,
        name: str | None,
        fields: Iterable[Mapping[str, Any]] | None,
        loop: str | None,
        settings: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """What was given of a template."""
        given = {
            "name": name,
            "fields": None if fields is None else plain([dict(field) for field in fields], "fields"),
            "loop_id": None if loop is None else await self._loop(loop),
            "settings": None if settings is None else plain(dict(settings), "settings"),
        }
        return {name: value for name, value in given.items() if value is not None}

    # the first generation

    async def get_response(self, request_id: str) -> FirstAnswer:
        """What came of a request, in the first generation's words: `status`, `decision`, `source`, `response`.

        `decision` is `approved` only where a person approved. Raises: NotFound.
        """
        return first_answer(await self._backend.send(calls.get_request(request_id)))


@contextmanager
def _looked_up(review_id: str) -> Generator[None]:
    """An id that nothing has is a review that does not exist, whatever form the id has."""
    missing = f"There is no review {review_id!r}. Check the id, and that the key is the one that asked."
    if not is_id(review_id):
        raise ReviewNotFound(missing)
    try:
        yield
    except NotFound as error:
        raise ReviewNotFound(missing) from error
