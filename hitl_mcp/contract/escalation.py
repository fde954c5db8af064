"""How a request that nobody answers climbs: the ladder that people set up, and where a request stands on it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator

from hitl_mcp.contract.states import Priority
from hitl_mcp.contract.text import STORABLE

MAX_STEPS = 10
MAX_REASON = 500

_Id = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{24}$"), AfterValidator(str.lower)]


class LadderStep(BaseModel):
    """One step: when it is taken without anybody's doing, and what it does. A reviewer can take it at any time.

    Attributes:
        after_percent: of the time that is left when the step before is taken (or the request asked).
        after_minutes: the same as minutes; at most one of the two is given.
        unless_claimed: whoever has claimed the request is left in peace until their claim ends.
        nobody_reachable: taken at once where no message could reach anybody.
        from_priority: what is less urgent passes the step over.
        on_option: an answer that escalates, and closes nothing.
        to_loop: where the request goes; its own ladder leads on from there.
        to_people: who is told, of the request's loop; the only one is asked first.
        to_channels: channels of people of that loop that are told besides, such as a team's chat.
        extend_minutes: by how much the deadline moves, within the ladder's bound.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    after_percent: Annotated[int, Field(ge=1, le=99)] | None = None
    after_minutes: Annotated[int, Field(ge=1, le=43_200)] | None = None
    unless_claimed: StrictBool = True
    nobody_reachable: StrictBool = False
    from_priority: Priority = Priority.LOW
    on_option: Annotated[str, Field(min_length=1, max_length=200), STORABLE] | None = None
    to_loop: _Id | None = None
    to_people: Annotated[list[_Id], Field(max_length=50)] = Field(default_factory=list[str])
    to_channels: Annotated[list[_Id], Field(max_length=20)] = Field(default_factory=list[str])
    raise_priority_to: Priority | None = None
    extend_minutes: Annotated[int, Field(ge=0, le=1_440)] = 0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.after_percent is not None and self.after_minutes is not None:
            raise ValueError("give a part of the time or minutes, not both")
        told = self.to_people or self.to_channels
        if not (self.to_loop or told or self.raise_priority_to or self.extend_minutes):
            raise ValueError("must do something: another loop, people, a channel, a priority or more time")
        return self


class Ladder(BaseModel):
    """A loop's steps, in their order.

    Attributes:
        extend_at_most_percent: all extensions together, of the time that the agent gave.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: Annotated[list[LadderStep], Field(min_length=1, max_length=MAX_STEPS)]
    extend_at_most_percent: Annotated[int, Field(ge=0, le=100)] = 100

    @model_validator(mode="after")
    def _leads_away_last(self) -> Self:
        for number, step in enumerate(self.steps[:-1], 1):
            if step.to_loop is not None:
                raise ValueError(f"step {number} leads to another loop, whose own ladder goes on, so it must be last")
        return self


class NewEscalation(BaseModel):
    """Why a reviewer escalates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(min_length=1, max_length=MAX_REASON), STORABLE]


class StepTaken(BaseModel):
    """A step that a request took. `by`: the person's name; `rule`: what took it where nobody did."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    level: int
    at: datetime
    by: str | None = None
    rule: str | None = None
    reason: str | None = None
    from_loop: str
    to_loop: str
    to_loop_name: str
    to_people: list[str]
    priority: Priority
    timeout_at: datetime


class Escalation(BaseModel):
    """Where a request stands on its ladder: `level` steps taken `of` all there are, as it was at the last one."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    level: int
    of: int
    steps: list[StepTaken]
