"""Requests that carry an Idempotency-Key have their effect once, and their answer again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from lungflag.service.ledger.schema import idempotency
from lungflag.station.problems import Problem

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lungflag.service.ledger.database import Database
    from lungflag.station.security.principal import Principal

KEPT_SECONDS = 24 * 3600.0
"""How long an answer is kept."""

_ABANDONED_SECONDS = 120.0  # a request that never ended: its process has died


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered before."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Once:
    """One request with a key.

    Attributes
    ----------
    database : Database
        Where answers are kept.
    principal : Principal
        Who sends it: keys of others are other keys.
    key : str
        The key; empty where the request carries none, and nothing is kept.
    fingerprint : str
        Of everything that the request says.
    """

    database: Database
    principal: Principal
    key: str
    fingerprint: str

    def begin(self) -> Answer | None:
        """Return what was answered before, or None where the request is to be carried out.

        Raises
        ------
        Problem
            If the key was used for another request (422), or that request still runs (409).
        """
        return self.database.write(self._begin) if self.key else None

    def end(self, answer: Answer) -> None:
        """Keep the answer."""
        if self.key:
            self.database.write(partial(self._update, answer))

    def give_up(self) -> None:
        """Forget a request that failed: it may be sent again."""
        if self.key:
            self.database.write(self._forget)

    def _begin(self, connection: Connection) -> Answer | None:
        old = self.database.now(-KEPT_SECONDS)
        connection.execute(delete(idempotency).where(idempotency.c.created_at < old))
        abandoned = self.database.now(-_ABANDONED_SECONDS)
        unended = idempotency.c.status.is_(None) & (idempotency.c.created_at < abandoned)
        connection.execute(delete(idempotency).where(unended))
        added = connection.execute(
            self.database.insert(idempotency)
            .values(
                principal=self.principal.name,
                key=self.key,
                fingerprint=self.fingerprint,
                created_at=self.database.now(),
            )
            .on_conflict_do_nothing()
        )
        if added.rowcount:
            return None
        row = connection.execute(
            select(idempotency.c.fingerprint, idempotency.c.status, idempotency.c.body).where(
                idempotency.c.principal == self.principal.name, idempotency.c.key == self.key
            )
        ).one()
        if row.fingerprint != self.fingerprint:
            raise Problem(422, "Key used before", "this Idempotency-Key was of another request")
        if row.status is None:
            detail = "the request with this Idempotency-Key still runs"
            raise Problem(409, "Still running", detail, headers={"Retry-After": "2"})
        return Answer(row.status, row.body)

    def _update(self, answer: Answer, connection: Connection) -> None:
        connection.execute(
            update(idempotency)
            .where(idempotency.c.principal == self.principal.name, idempotency.c.key == self.key)
            .values(status=answer.status, body=answer.body)
        )

    def _forget(self, connection: Connection) -> None:
        connection.execute(
            delete(idempotency).where(
                idempotency.c.principal == self.principal.name,
                idempotency.c.key == self.key,
                idempotency.c.status.is_(None),
            )
        )
