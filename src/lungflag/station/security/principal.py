"""Who asks: a person, a machine with a key, or whoever sits at this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

if TYPE_CHECKING:
    from lungflag.station.security.guard import Guard

Kind = Literal["local", "person", "key"]

ROLES = ("reader", "operator", "admin")
"""From the least to the most that a person may do."""

ANYONE = "anyone"
"""Needs nothing but to be known."""

SCOPES = {
    "studies:read": "See the worklist, images, findings and results.",
    "images:write": "Send images to be judged.",
    "feedback:write": "Say what a reader thinks of a finding.",
    "metrics:read": "Read metrics.",
}
"""What a key may be made for."""

SCOPES_OF_ROLE = {
    "reader": frozenset({"studies:read", "feedback:write"}),
    "operator": frozenset(SCOPES),
    "admin": frozenset(SCOPES),
}
"""What a person may do by role."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes
    ----------
    name : str
        A person's name of the account, ``key:NAME.PREFIX``, or ``local``.
    role : str
        One of `ROLES`; empty for a key.
    scopes : frozenset of str
        Of `SCOPES`: what may be done.
    kind : str
        ``local`` (no sign-in is needed on this machine), ``person`` or ``key``.
    """

    name: str
    role: str
    scopes: frozenset[str]
    kind: Kind

    def may(self, scope_or_role: str) -> bool:
        """Return whether a scope, or a role or one above it, is held."""
        if scope_or_role == ANYONE:
            return True
        if scope_or_role in ROLES:
            return self.role in ROLES and ROLES.index(self.role) >= ROLES.index(scope_or_role)
        return scope_or_role in self.scopes


LOCAL = Principal("local", "admin", SCOPES_OF_ROLE["admin"], "local")
"""Whoever asks where no sign-in is needed."""

# Only described here: `Guard` reads what was sent.
_COOKIE = APIKeyCookie(
    name="__Host-lungflag",
    scheme_name="session",
    description="Set by POST /api/v1/session; named `lungflag` without TLS on loopback. Requests "
    "that change anything need the header `X-CSRF-Token` too, from GET /api/v1/me.",
    auto_error=False,
)
_BEARER = HTTPBearer(scheme_name="key", description="`lungflag_PREFIX_SECRET`", auto_error=False)


def guard_of(request: Request) -> Guard:
    """Return the guard of the application that a request came to."""
    guard: Guard = request.app.state.guard
    return guard


def address_of(request: Request) -> str:
    """Return the address from which a request came."""
    return guard_of(request).address(request)


def needs(scope_or_role: str) -> Any:
    """Return a dependency that lets in who has a scope or role, and gives their `Principal`.

    It answers 401 to who is unknown, 403 to who may not, or whose browser was led here by another
    site, and 429 to who asks too often.

    Parameters
    ----------
    scope_or_role : str
        One of `SCOPES` or of `ROLES`, or `ANYONE` who is known.

    Notes
    -----
    Use it as ``principal: Annotated[Principal, needs("studies:read")]``, or in `dependencies`.
    """
    if scope_or_role not in {*SCOPES, *ROLES, ANYONE}:
        raise ValueError(f"there is no scope or role {scope_or_role}")

    def admit(
        request: Request,
        _cookie: Annotated[str | None, Security(_COOKIE)] = None,
        _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None,
    ) -> Principal:
        return guard_of(request).admit(request, scope_or_role)

    return Depends(admit)
