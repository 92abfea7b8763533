"""What a target said of one delivery."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What an answer means for the delivery."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """It will never take this object."""
    FAILED = "failed"
    """It did not take this object, and may later."""
    UNREACHABLE = "unreachable"
    """It takes nothing at the moment, whatever is sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A target's answer.

    Attributes
    ----------
    state : State
        What it means.
    reason : str
        In one line, for a person, without patient data. Empty where there is nothing to say.
    """

    state: State
    reason: str = ""


DELIVERED = Answer(State.DELIVERED)
