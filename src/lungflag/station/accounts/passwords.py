"""Passwords: kept as Argon2id hashes (RFC 9106), checked a few at a time."""

from __future__ import annotations

import secrets
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 256
"""Characters of a password."""

# Each check takes 64 MiB: more at once would let anybody at the door take the machine's memory.
_AT_ONCE = 2
# No l, 1, O or 0: it is read from a screen.
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Passwords:
    """Makes and checks hashes. Safe to share between threads."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turns = BoundedSemaphore(_AT_ONCE)
        # Checked where there is no such account, so that the answer takes as long.
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())

    def make(self, password: str) -> str:
        """Return a password's hash, with a salt of its own."""
        with self._turns:
            return self._hasher.hash(password)

    def fits(self, password: str, kept: str | None) -> bool:
        """Return whether a password is that of a hash; None, of no account, takes as long."""
        with self._turns:
            try:
                self._hasher.verify(kept or self._nobodys, password)
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None

    def is_old(self, kept: str) -> bool:
        """Return whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(kept)


def fault(password: str, name: str) -> str:
    """Return what is wrong with a new password, empty where nothing is."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"a password has {SHORTEST} to {LONGEST} characters"
    if name.casefold() in password.casefold() and len(password) < SHORTEST + len(name):
        return "a password is more than the name with something added"
    if len(set(password)) < 5:
        return "a password has at least five different characters"
    return ""


def new_password() -> str:
    """Return a random password of 24 letters (137 bits)."""
    return "".join(secrets.choice(_LETTERS) for _ in range(24))
