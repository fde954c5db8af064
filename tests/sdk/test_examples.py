"""The examples run as they are, in processes of their own, against a served backend with scripted people."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.programs import gunicorn
from tests.sdk.backends import Own, place_of
from tests.sdk.people import ROOT, environment_of, run_with_people, waiting
from tests.world import WAIT

EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.stem != "__init__")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, no_settings: None) -> Generator[Own]:
    """A served backend, shared by all examples."""
    with place_of("served on SQLite", tmp_path_factory.mktemp("examples") / "data") as made:
        assert isinstance(made, Own)
        yield made


@pytest.fixture
def loop(place: Own) -> str:
    """A fresh loop."""
    return place.service.key.new_loop("Examples")


def fields_of(request: dict[str, Any]) -> dict[str, Any]:
    """The form's fields by name, with what stands in them."""
    return {field["name"]: field.get("initial") for field in request["response_config"]["fields"]}


def test_every_example_is_in_the_readme_and_runs_in_a_test() -> None:
    table = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    here = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES:
        assert f"[{path.name}]({path.name})" in table
        assert f"examples.{path.stem}" in here


def test_a_draft_is_written_again_until_a_person_approves(place: Own, loop: str, tmp_path: Path) -> None:
    seen: list[str] = []

    def person(request: dict[str, Any]) -> dict[str, Any]:
        text = fields_of(request)["text"]
        seen.append(text)
        if len(seen) == 1:
            return {"text": text, "approved": False, "feedback": "shorter"}
        return {"text": "Sale!", "approved": True, "feedback": None}

    said = run_with_people(["-m", "examples.content_generation", "a sale"], place, tmp_path, loop, person)
    assert seen == ["Everything about a sale.", "Everything about a sale. (shorter)"]
    assert said == "Published: Sale!\n", "as the person left it"


def test_what_a_person_rejects_without_a_word_is_not_published(place: Own, loop: str, tmp_path: Path) -> None:
    def person(request: dict[str, Any]) -> dict[str, Any]:
        return {"text": fields_of(request)["text"], "approved": False, "feedback": None}

    said = run_with_people(["-m", "examples.content_generation"], place, tmp_path, loop, person)
    assert said == "Not published.\n"


def test_a_table_is_judged_by_its_summary(place: Own, loop: str, tmp_path: Path) -> None:
    shown: dict[str, Any] = {}

    def person(request: dict[str, Any]) -> dict[str, Any]:
        shown.update(fields_of(request), context=request["context"])
        return {"approved": False, "issues": ["Outliers"]}

    said = run_with_people(["-m", "examples.data_quality"], place, tmp_path, loop, person)
    assert shown["summary"]["price"]["max"] == 950.0
    assert shown["context"]["first rows"]["price"]["1"] is None, "a missing value is null"
    assert said == "Do not use it: ['Outliers']\n"


def test_the_second_step_opens_after_the_first_was_approved(place: Own, loop: str, tmp_path: Path) -> None:
    steps: list[tuple[str, str]] = []

    def person(request: dict[str, Any]) -> dict[str, Any]:
        assert len(waiting(place, loop)) == 1, "one step at a time"
        text = fields_of(request)["text"]
        steps.append((request["context"]["step"], text))
        return {"text": f"{text} Edited.", "approved": True}

    said = run_with_people(["-m", "examples.multi_step_review"], place, tmp_path, loop, person)
    assert steps == [("Editor", "Our terms have changed."), ("Legal", "Our terms have changed. Edited.")]
    assert said == "Approved by all: Our terms have changed. Edited. Edited.\n"


def test_a_step_that_is_not_approved_opens_no_other(place: Own, loop: str, tmp_path: Path) -> None:
    steps: list[str] = []

    def person(request: dict[str, Any]) -> dict[str, Any]:
        steps.append(request["context"]["step"])
        return {"text": "No.", "approved": False}

    said = run_with_people(["-m", "examples.multi_step_review"], place, tmp_path, loop, person)
    assert (said, steps) == ("Stopped by: Editor\n", ["Editor"])


def call(url: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """One call of the application."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=WAIT) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


@pytest.mark.parametrize("application", ["examples.flask_app:app", "examples.django_app:application"])
def test_one_client_serves_every_worker_of_a_forking_server(
    place: Own, loop: str, tmp_path: Path, application: str
) -> None:
    environment = environment_of(place, tmp_path, loop) | {"PYTHONWARNINGS": "default"}
    with gunicorn(application, environment, "--preload") as url, ThreadPoolExecutor(8) as threads:
        workers: set[int] = set()
        made: dict[str, int] = {}
        until = time.monotonic() + WAIT

        def hand_in(number: int) -> tuple[int, dict[str, Any]]:
            return call(f"{url}/drafts", {"text": f"Draft {number}"})

        def look(_: int) -> tuple[int, dict[str, Any]]:
            return call(f"{url}/drafts/{review_id}")

        while len(workers) < 2 and time.monotonic() < until:
            for status, said in threads.map(hand_in, range(8)):
                assert (status, said.get("state")) == (201, "pending"), said
                made[said["id"]] = said["worker"]
                workers.add(said["worker"])
        assert len(workers) == 2, "both workers answered"
        assert {request["id"] for request in waiting(place, loop)} >= set(made)
        review_id = next(iter(made))
        place.answer(review_id, "Approve")
        seen: set[int] = set()
        while seen != workers and time.monotonic() < until:
            for status, said in threads.map(look, range(8)):
                assert (status, said["state"], said["approved"]) == (200, "completed", True)
                seen.add(said["worker"])
        assert seen == workers
        status, said = call(f"{url}/drafts/rev_123")
        assert status == 404
        assert re.search("no review", said["error"])
