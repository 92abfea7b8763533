"""A DICOMweb server as a target: STOW-RS (PS3.18, 10.5)."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from lungflag.service.deliver import status, web
from lungflag.service.deliver.answer import DELIVERED, Answer, State
from lungflag.service.deliver.web import Web

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.service.ledger import Delivery
    from lungflag.service.settings import Settings, Target

_FAILED_SOP_SEQUENCE, _FAILURE_REASON = "00081198", "00081197"
_CONFLICT = 409  # none of the objects was stored; the body says why


class Stow:
    """Sends objects by STOW-RS, one in a request. Its address ends before ``/studies``."""

    def __init__(self, target: Target, _settings: Settings) -> None:
        self._web = Web(target)

    def deliver(self, delivery: Delivery, path: Path) -> Answer:
        """Send one object."""
        del delivery
        try:
            content = path.read_bytes()
        except OSError as error:
            return Answer(State.FAILED, f"its file cannot be read ({error.strerror})")
        boundary = sha256(content).hexdigest()
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        response = self._web.request(
            "POST",
            "/studies",
            content=head + content + f"\r\n--{boundary}--\r\n".encode(),
            headers={
                "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
                "Accept": "application/dicom+json",
            },
        )
        if isinstance(response, Answer):
            return response
        answer = web.to_answer(response.status_code)
        if answer is DELIVERED or response.status_code == _CONFLICT:
            reason = _failure_reason(response.content)
            return answer if reason is None else status.to_answer(reason)
        return answer

    def release(self) -> None:
        """Close the connection, if one is open."""
        self._web.release()

    def check(self) -> str:
        """Return what is wrong with the server, empty where it answers a search for studies."""
        response = self._web.request("GET", "/studies?limit=1")
        self._web.release()
        if isinstance(response, Answer):
            return response.reason
        # A server that only stores says that it has no search: 501, or 405.
        fine = response.status_code < 300 or response.status_code in (405, 501)
        return "" if fine else web.to_answer(response.status_code).reason


def _failure_reason(body: bytes) -> int | None:
    """Return why the object was not stored, by the Store Instances Response Module, if it was not.

    PS3.18, annex I.
    """
    try:
        answer: Any = json.loads(body)
        failed = answer[_FAILED_SOP_SEQUENCE]["Value"][0]
        return int(failed[_FAILURE_REASON]["Value"][0])
    except (ValueError, LookupError, TypeError):  # no such failure, or not in JSON
        return None
