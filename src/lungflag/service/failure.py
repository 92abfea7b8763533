"""Why an object was not taken in, as DIMSE and DICOMweb say it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from lungflag.errors import LedgerError, LungflagError, RefusedError, SpoolFullError
from lungflag.service.intake import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lungflag.service.intake import Intake, Receipt

OUT_OF_RESOURCES = 0xA700
LEDGER_AWAY = 0xA701
PROCESSING_FAILURE = 0x0110
CANNOT_UNDERSTAND = 0xC000

NO_ROOM = "no-room"
"""Why an object was dropped on its way in: too many others are on theirs."""

REFUSALS = {
    "sop-class": 0x0122,
    "uid": 0xA900,
    "unreadable": CANNOT_UNDERSTAND,
    "malformed": CANNOT_UNDERSTAND,
    "too-large": 0xC001,
    "own-result": 0xC002,
    NO_ROOM: OUT_OF_RESOURCES,
}
"""Code of a refusal to the status of a C-STORE response (PS3.4, B.2.3), which is the Failure Reason
of a DICOMweb response too (PS3.18, I.2.2)."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """An object that was not taken in.

    Attributes
    ----------
    status : int
        Of the C-STORE response.
    comment : str
        Why, in one line without patient data.
    """

    status: int
    comment: str

    @property
    def error_comment(self) -> str:
        """The comment as Error Comment (0000,0902): at most 64 ASCII characters."""
        return self.comment.encode("ascii", "replace")[:64].decode("ascii")

    @property
    def passing(self) -> bool:
        """Whether the same object may be taken later."""
        return self.status in (OUT_OF_RESOURCES, LEDGER_AWAY, PROCESSING_FAILURE)


def take_in(
    intake: Intake,
    data: bytes,
    *,
    via: str,
    peer: str,
    priority: str = "",
    announced: Mapping[str, str] = MappingProxyType({}),
) -> Receipt | Failure:
    """Take an object in as `Intake.accept` does; whatever goes wrong becomes a Failure."""
    try:
        return intake.accept(data, via=via, peer=peer, priority=priority, announced=announced)
    except LungflagError as error:
        failure = to_failure(error)
        facts = {"via": via, "peer": peer, "status": f"{failure.status:04X}"}
        _LOG.warning("an object was not taken in", extra=facts | {"reason": failure.comment})
        return failure
    except Exception as error:  # nobody foresaw it, so nothing may be acknowledged
        _LOG.exception("an object could not be taken in", extra={"via": via, "peer": peer})
        return Failure(PROCESSING_FAILURE, f"unexpected {type(error).__name__}")


def refusal(code: str) -> Failure:
    """Return what a peer is told of an object that was dropped on its way in."""
    comment = "too much is on its way in" if code == NO_ROOM else CODES[code]
    return Failure(REFUSALS[code], comment)


def to_failure(error: LungflagError) -> Failure:
    """Return what a peer is told of an error."""
    if isinstance(error, RefusedError):
        return Failure(REFUSALS[error.code], error.reason)
    if isinstance(error, SpoolFullError):
        return Failure(OUT_OF_RESOURCES, "no room on the disk")
    if isinstance(error, LedgerError):
        return Failure(LEDGER_AWAY, "the ledger is away")
    return Failure(PROCESSING_FAILURE, type(error).__name__)
