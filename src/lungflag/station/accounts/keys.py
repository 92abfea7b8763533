"""Transactions of API keys."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from lungflag.errors import ConfigurationError
from lungflag.service.ledger.schema import api_keys
from lungflag.station.accounts.people import NAME, digest
from lungflag.station.security.principal import SCOPES

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection, Row, Select

    from lungflag.service.ledger.database import Database

PATTERN = re.compile(r"lungflag_([a-z0-9]{8})_([A-Za-z0-9_-]{43})")
"""What a key looks like, so that scanners of repositories and logs can find it."""

_RARELY = timedelta(minutes=1)  # how often a key's use is noted
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Key:
    """A machine's key, without its secret."""

    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def add_key(
    database: Database,
    name: str,
    scopes: Collection[str],
    *,
    by: str,
    expires_at: datetime | None = None,
) -> tuple[Key, str]:
    """Make a key, and return it with its text, which is nowhere kept.

    Raises
    ------
    ConfigurationError
        If it cannot be called so, or a scope does not exist.
    """
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            "a key's name has up to 64 of a-z, 0-9, dot, dash and underscore, "
            "and begins with a letter or digit"
        )
    if not scopes or not set(scopes) <= set(SCOPES):
        raise ConfigurationError(f"a key has one or more of {', '.join(SCOPES)}")
    prefix = "".join(secrets.choice(_LETTERS) for _ in range(8))
    text = f"lungflag_{prefix}_{secrets.token_urlsafe(32)}"
    values = {
        "name": name,
        "prefix": prefix,
        "key_hash": digest(text),
        "scopes": sorted(set(scopes)),
        "created_by": by,
        "created_at": datetime.now(UTC),
        "expires_at": expires_at,
    }

    def work(connection: Connection) -> Key:
        known = connection.execute(_all().where(api_keys.c.prefix == prefix)).one_or_none()
        if known is None:  # or this transaction runs again
            connection.execute(insert(api_keys).values(**values))
            known = connection.execute(_all().where(api_keys.c.prefix == prefix)).one()
        return _key(known)

    return database.write(work), text


def list_keys(database: Database) -> list[Key]:
    """Return all keys, newest first."""
    query = _all().order_by(api_keys.c.id.desc())
    return database.read(lambda connection: [_key(row) for row in connection.execute(query)])


def find_key(database: Database, text: str) -> Key | None:
    """Return the key of a text; None where it does not exist, has expired or was revoked."""
    match = PATTERN.fullmatch(text)
    if match is None:
        return None
    ours = api_keys.c.prefix == match[1]

    def work(connection: Connection) -> Row[Any] | None:
        query = _all().add_columns(api_keys.c.key_hash).where(ours)
        return connection.execute(query).one_or_none()

    row = database.read(work)
    now = datetime.now(UTC)
    if row is None or not compare_digest(row.key_hash, digest(text)):
        return None
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    if row.last_used_at is None or row.last_used_at < now - _RARELY:
        used = update(api_keys).where(ours).values(last_used_at=now)
        database.write(lambda connection: connection.execute(used))
    return _key(row)


def revoke_key(database: Database, number: int) -> Key | None:
    """Make a key useless from now on; None where there is none."""

    def work(connection: Connection) -> Key | None:
        connection.execute(
            update(api_keys)
            .where(api_keys.c.id == number, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=datetime.now(UTC))
        )
        row = connection.execute(_all().where(api_keys.c.id == number)).one_or_none()
        return None if row is None else _key(row)

    return database.write(work)


def _all() -> Select[Any]:
    return select(
        api_keys.c.id,
        api_keys.c.name,
        api_keys.c.prefix,
        api_keys.c.scopes,
        api_keys.c.created_by,
        api_keys.c.created_at,
        api_keys.c.expires_at,
        api_keys.c.last_used_at,
        api_keys.c.revoked_at,
    )


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(row.scopes),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
