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
    said : str
        The peer's own words, which may name a patient: for the ledger, and not for logs.
    """

    state: State
    reason: str = ""
    said: str = ""

    @property
    def in_full(self) -> str:
        """The reason with the peer's words."""
        return f"{self.reason} ({self.said})" if self.said else self.reason


DELIVERED = Answer(State.DELIVERED)
