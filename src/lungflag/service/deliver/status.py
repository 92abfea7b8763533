"""Status codes of the storage service, as C-STORE and STOW-RS give them (PS3.4, B.2.3)."""

from __future__ import annotations

from lungflag.service.deliver.answer import DELIVERED, Answer, State

_DUPLICATE = 0x0111  # Duplicate SOP Instance (PS3.7, C.5.10): it has it already

_WORDS = {
    0x0110: "processing failure",
    0x0117: "invalid SOP instance",
    0x0122: "SOP class not supported",
    0x0124: "not authorised",
    0xA7: "out of resources",
    0xA9: "data set does not match its SOP class",
}


def to_answer(status: int, comment: str = "") -> Answer:
    """Return what a storage status means for a delivery.

    Out of resources (A7xx) and a processing failure (0110) pass. Any other failure says that the
    object itself is not wanted, and sending it again would change nothing.

    Parameters
    ----------
    status : int
        Status (0000,0900) or Failure Reason (0008,1197).
    comment : str
        Error Comment (0000,0902).
    """
    warning = status >> 12 == 0xB or status in (0x0001, 0x0107, 0x0116)
    if status == _DUPLICATE or status == 0:
        return DELIVERED
    what = _WORDS.get(status) or _WORDS.get(status >> 8) or "cannot understand it"
    said = " ".join(comment.split())[:100]
    if warning:
        return Answer(State.DELIVERED, f"stored with warning {status:04X}H", said)
    passing = status == 0x0110 or status >> 8 == 0xA7
    state = State.FAILED if passing else State.REFUSED
    return Answer(state, f"status {status:04X}H: {what}", said)
