"""A FHIR server as a target: a transaction (R4, http.html#transaction)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.service.deliver.answer import Answer, State
from lungflag.service.deliver.web import Web, to_answer

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.service.ledger import Delivery
    from lungflag.service.settings import Settings, Target

_JSON = "application/fhir+json"


class Fhir:
    """Posts bundles to the server's base address."""

    def __init__(self, target: Target, _settings: Settings) -> None:
        self._web = Web(target)

    def deliver(self, delivery: Delivery, path: Path) -> Answer:
        """Post one bundle. Its identifiers follow from the result, so that a repeat is harmless."""
        del delivery
        try:
            content = path.read_bytes()
        except OSError as error:
            return Answer(State.FAILED, f"its file cannot be read ({error.strerror})")
        headers = {"Content-Type": _JSON, "Accept": _JSON}
        response = self._web.request("POST", "", content=content, headers=headers)
        return response if isinstance(response, Answer) else to_answer(response.status_code)

    def release(self) -> None:
        """Close the connection, if one is open."""
        self._web.release()

    def check(self) -> str:
        """Return what is wrong with the server, empty where it shows its capability statement."""
        response = self._web.request("GET", "/metadata", headers={"Accept": _JSON})
        self._web.release()
        if isinstance(response, Answer):
            return response.reason
        return "" if response.status_code < 300 else to_answer(response.status_code).reason
