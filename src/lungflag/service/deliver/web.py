"""What the two targets behind HTTP share: one client, and what a status code means."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx2

from lungflag.service.deliver.answer import DELIVERED, Answer, State

if TYPE_CHECKING:
    from lungflag.service.settings import Target

CONNECT_SECONDS, ANSWER_SECONDS = 10, 30
"""How long a server may take to let us in, and to answer."""

# What the object has nothing to do with.
_OF_THE_SETTINGS = {401, 403, 404, 405, 407}
_AWAY = {429, 502, 503, 504}
_PASSING = {408, 423, 425}


class Web:
    """A connection to one HTTP server, kept open through a burst."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client: httpx2.Client | None = None

    def request(
        self, method: str, path: str, *, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> httpx2.Response | Answer:
        """Return the server's response to a request below the target's address, or why none."""
        if self._client is None:
            self._client = self._open()
        url = self._target.address + path
        try:
            return self._client.request(method, url, content=content, headers=headers)
        except httpx2.HTTPError as error:
            said = " ".join(str(error).split()) or type(error).__name__
            return Answer(State.UNREACHABLE, f"cannot be reached: {said}")

    def release(self) -> None:
        """Close the connection, if one is open."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> httpx2.Client:
        target = self._target
        secure = target.address.startswith("https:")
        return httpx2.Client(
            verify=ssl.create_default_context(cafile=target.ca) if secure else False,
            headers=target.headers,
            timeout=httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
        )


def to_answer(code: int) -> Answer:
    """Return what an HTTP status code means for a delivery."""
    if 200 <= code < 300:
        return DELIVERED
    if code in _OF_THE_SETTINGS or code < 400:
        return Answer(State.UNREACHABLE, f"HTTP status {code}: see the target's address and user")
    if code in _AWAY:
        return Answer(State.UNREACHABLE, f"HTTP status {code}")
    passing = code >= 500 or code in _PASSING
    return Answer(State.FAILED if passing else State.REFUSED, f"HTTP status {code}")
