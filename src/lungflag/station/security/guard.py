"""The guard: finds out who asks, and lets them in or not."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lungflag.station.accounts.keys import find_key
from lungflag.station.accounts.people import session_user
from lungflag.station.problems import Problem
from lungflag.station.security.exposure import by_https, sign_in_needed
from lungflag.station.security.limits import Limit
from lungflag.station.security.principal import LOCAL, SCOPES_OF_ROLE, Principal

if TYPE_CHECKING:
    from starlette.requests import Request

    from lungflag.service.ledger.database import Database
    from lungflag.service.settings import Settings

CSRF_HEADER = "X-CSRF-Token"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_WRONG_CREDENTIALS = 120  # a minute and address, of keys and sessions that do not exist


class Guard:
    """Finds out who asks. Safe to share between threads.

    Parameters
    ----------
    settings : Settings
        Of the service.
    database : Database
        With accounts, sessions and keys.

    Attributes
    ----------
    sign_in : bool
        Whether people and machines have to say who they are.
    https : bool
        Whether browsers come by https.
    cookie : str
        The name of the session's cookie.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._proxy = settings.station_proxy
        self._limit = Limit(settings.requests_a_minute, 60.0)
        self._unknown = Limit(_WRONG_CREDENTIALS, 60.0)
        self.sign_in = sign_in_needed(settings)
        self.https = by_https(settings)
        # The prefix makes browsers refuse it from other hosts, paths and without TLS.
        self.cookie = "__Host-lungflag" if self.https else "lungflag"

    def admit(self, request: Request, scope_or_role: str) -> Principal:
        """Return who asks, if they may.

        Raises
        ------
        Problem
            401 if nobody knows them, 403 if they may not, 429 if they ask too often.
        """
        principal = self._principal(request)
        if pause := self._limit.take(principal.name):
            raise _too_often(pause)
        if not principal.may(scope_or_role):
            raise Problem(403, "Not allowed", f"this needs {scope_or_role}")
        return principal

    def address(self, request: Request) -> str:
        """Return from where a request comes: what the proxy says, where there is one."""
        if self._proxy:
            # The proxy appends whom it sees; what stands before that was sent by anybody.
            forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
            if forwarded and len(forwarded) <= 64 and forwarded.isprintable():
                return "".join(forwarded.split())
        return request.client.host if request.client else "unknown"

    def token(self, request: Request) -> str | None:
        """Return the session token that a browser sent."""
        return request.cookies.get(self.cookie)

    def check_same_site(self, request: Request) -> None:
        """Refuse what another site led a browser to send.

        Raises
        ------
        Problem
            403 if it did.
        """
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Problem(403, "Not allowed", "the request was made by another site")
        origin = request.headers.get("origin")
        # A proxy may pass another Host on than browsers see.
        if origin is None or self._proxy:
            return
        if urlsplit(origin).netloc.casefold() != request.headers.get("host", "").casefold():
            raise Problem(403, "Not allowed", "the request was made by another site")

    def _principal(self, request: Request) -> Principal:
        sent = request.headers.get("authorization")
        if sent is not None:
            return self._of_key(request, sent)
        token = self.token(request)
        found = None if token is None else self._of_session(request, token)
        if found is not None:
            return found
        if not self.sign_in:
            if request.method not in _SAFE:
                self.check_same_site(request)
            return LOCAL
        raise _unknown("sign in, or send a key as a bearer token")

    def _of_key(self, request: Request, sent: str) -> Principal:
        scheme, _, text = sent.partition(" ")
        address = self.address(request)
        if pause := self._unknown.wait(address):
            raise _too_often(pause)
        key = find_key(self._database, text.strip()) if scheme.casefold() == "bearer" else None
        if key is None:
            self._unknown.take(address)
            raise _unknown("the key does not exist, has expired or was revoked")
        return Principal(f"key:{key.name}.{key.prefix}", "", frozenset(key.scopes), "key")

    def _of_session(self, request: Request, token: str) -> Principal | None:
        user = session_user(self._database, token)
        if user is None:
            return None
        if request.method not in _SAFE:
            self.check_same_site(request)
            sent = request.headers.get(CSRF_HEADER, "")
            if not compare_digest(sent.encode(), csrf_of(token).encode()):
                raise Problem(403, "Not allowed", f"the header {CSRF_HEADER} is missing or wrong")
        return Principal(user.name, user.role, SCOPES_OF_ROLE[user.role], "person")


def csrf_of(token: str) -> str:
    """Return what a session's requests have to carry, which no other site can know."""
    return sha256(f"csrf {token}".encode()).hexdigest()


def _unknown(detail: str) -> Problem:
    return Problem(401, "Not signed in", detail, headers={"WWW-Authenticate": "Bearer"})


def _too_often(pause: float) -> Problem:
    seconds = str(max(1, round(pause + 0.5)))
    return Problem(
        429, "Too many requests", f"try again in {seconds} s", headers={"Retry-After": seconds}
    )
