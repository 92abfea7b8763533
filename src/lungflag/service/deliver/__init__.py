"""Delivery: one class a kind of target, and the sender that keeps at it.

A new kind of target is one class that is a `Receiver`, and one entry of `TARGETS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lungflag.service.deliver.dicom import Dicom
from lungflag.service.deliver.fhir import Fhir
from lungflag.service.deliver.files import Files
from lungflag.service.deliver.stow import Stow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lungflag.service.deliver.answer import Answer
    from lungflag.service.ledger import Delivery
    from lungflag.service.settings import Settings, Target

__all__ = ["TARGETS", "Receiver", "open_target"]


class Receiver(Protocol):
    """Where results go. Used by one thread."""

    def deliver(self, delivery: Delivery, path: Path) -> Answer:
        """Send one result, whose file is `path`. Sending it again must be harmless."""

    def release(self) -> None:
        """Give back what a burst keeps open."""

    def check(self) -> str:
        """Return what is wrong with the target in one line, empty where it would take results."""


TARGETS: Mapping[str, Callable[[Target, Settings], Receiver]] = {
    "dicom": Dicom,
    "fhir": Fhir,
    "files": Files,
    "stow": Stow,
}


def open_target(target: Target, settings: Settings) -> Receiver:
    """Return the receiver for a target of the settings. Nothing is connected yet."""
    return TARGETS[target.kind](target, settings)
