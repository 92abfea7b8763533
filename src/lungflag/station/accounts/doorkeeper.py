"""The doorkeeper: checks passwords, slowly for who guesses, and writes down what happened."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lungflag.station.accounts.passwords import Passwords, fault
from lungflag.station.accounts.people import begin_session, change_user, find_user, rehash
from lungflag.station.problems import Problem
from lungflag.station.security.limits import SignInLimit

if TYPE_CHECKING:
    from lungflag.service.ledger.database import Database
    from lungflag.station.accounts.people import User
    from lungflag.station.security.audit import StationAudit

_LOG = logging.getLogger(__name__)


class Doorkeeper:
    """Lets people in who know their password. Safe to share between threads.

    Parameters
    ----------
    database : Database
        With the accounts.
    audit : StationAudit
        Where sign-ins and failed ones are noted.
    passwords : Passwords
        What makes and checks hashes.
    """

    def __init__(self, database: Database, audit: StationAudit, passwords: Passwords) -> None:
        self._database, self._audit, self._passwords = database, audit, passwords
        self._limit = SignInLimit()

    def enter(self, name: str, password: str, address: str, old: str | None) -> str:
        """Return the token of a new session.

        Parameters
        ----------
        name, password : str
            As typed.
        address : str
            From where.
        old : str or None
            The token that the browser came with: it ends, so that nobody can plant one.

        Raises
        ------
        Problem
            401 if they are wrong, without saying which; 429 after too many wrong ones.
        """
        name = name.strip().casefold()
        user = self._check(name, password, address)
        token = begin_session(self._database, user, old)
        self._audit.signed_in(user.name, address)
        return token

    def change(self, name: str, old: str, new: str, address: str) -> None:
        """Change a person's password, who knows the old one.

        Raises
        ------
        Problem
            403 if the old one is wrong, 422 if the new one is too weak, 429 after too many tries.
        """
        try:
            user = self._check(name, old, address)
        except Problem as problem:
            if problem.status_code != 401:
                raise
            raise Problem(403, "Not allowed", "the old password is wrong") from problem
        if wrong := fault(new, name):
            raise Problem(422, "Not valid", wrong)
        change_user(self._database, user.id, password_hash=self._passwords.make(new))
        self._audit.account_changed(name, address, "account changed: new password", name)

    def _check(self, name: str, password: str, address: str) -> User:
        if pause := self._limit.take(name, address):
            seconds = str(round(pause + 0.5))
            raise Problem(
                429,
                "Too many sign-ins",
                f"too many wrong passwords; try again in {seconds} s",
                headers={"Retry-After": seconds},
            )
        kept = find_user(self._database, name)
        fits = self._passwords.fits(password, None if kept is None else kept.password_hash)
        if kept is None or not fits or kept.user.disabled_at is not None:
            # The name may be a password in the wrong field: only the audit trail gets it, and only
            # where it is an account's.
            known = "unknown" if kept is None else kept.user.name
            reason = "disabled account" if fits else "wrong name or password"
            self._audit.sign_in_failed(known, address, reason)
            _LOG.warning("a sign-in failed", extra={"peer": address, "reason": reason})
            raise Problem(401, "Not signed in", "the name or the password is wrong")
        self._limit.forgive(name, address)
        if self._passwords.is_old(kept.password_hash):
            rehash(self._database, kept.user.id, self._passwords.make(password))
        return kept.user
