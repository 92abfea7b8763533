"""Transactions of accounts and sessions."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from lungflag.errors import ConfigurationError
from lungflag.service.ledger.schema import sessions, users
from lungflag.station.security.principal import ROLES

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Select

    from lungflag.service.ledger.database import Database

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What an account may be called: nothing that could be taken for another principal."""

IDLE = timedelta(hours=2)
"""A session ends when nothing was asked for so long."""
LONGEST = timedelta(hours=12)
"""A session ends so long after the sign-in, whatever happens in it."""

_RARELY = timedelta(minutes=1)  # how often a session's use is noted
_RESERVED = ("local",)


@dataclass(frozen=True, slots=True)
class User:
    """A person's account."""

    id: int
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A person's account with the hash of the password."""

    user: User
    password_hash: str


def checked_name(name: str) -> str:
    """Return a new account's name.

    Raises
    ------
    ConfigurationError
        If an account cannot be called so.
    """
    if not NAME.fullmatch(name) or name in _RESERVED:
        raise ConfigurationError(
            "an account's name has up to 64 of a-z, 0-9, dot, dash and underscore, "
            "begins with a letter or digit, and is not 'local'"
        )
    return name


def list_users(database: Database) -> list[User]:
    """Return all accounts by name."""
    return database.read(
        lambda connection: [_user(row) for row in connection.execute(_all().order_by(users.c.name))]
    )


def find_user(database: Database, name: str) -> Kept | None:
    """Return the account of a name."""

    def work(connection: Connection) -> Kept | None:
        row = connection.execute(
            _all().add_columns(users.c.password_hash).where(users.c.name == name)
        ).one_or_none()
        return None if row is None else Kept(_user(row), row.password_hash)

    return database.read(work)


def get_user(database: Database, number: int) -> User | None:
    """Return the account of a number."""

    def work(connection: Connection) -> User | None:
        row = connection.execute(_all().where(users.c.id == number)).one_or_none()
        return None if row is None else _user(row)

    return database.read(work)


def add_user(
    database: Database, name: str, password_hash: str, role: str, *, first: bool = False
) -> User | None:
    """Make an account; None where the name is taken, or where `first` and there is one already."""
    checked_name(name)
    if role not in ROLES:
        raise ConfigurationError(f"there is no role {role}: {', '.join(ROLES)}")

    def work(connection: Connection) -> bool:
        if first and connection.execute(select(func.count()).select_from(users)).scalar_one():
            return False
        done = connection.execute(
            database.insert(users)
            .values(name=name, password_hash=password_hash, role=role, created_at=datetime.now(UTC))
            .on_conflict_do_nothing(index_elements=["name"])
        )
        return bool(done.rowcount)

    if not database.write(work):
        return None
    found = find_user(database, name)
    return None if found is None else found.user


def change_user(
    database: Database,
    number: int,
    *,
    role: str | None = None,
    password_hash: str | None = None,
    disabled: bool | None = None,
) -> str:
    """Change an account and return why it cannot be, empty where it was.

    A changed password or role, and disabling, end all of the account's sessions. The last admin
    stays one.
    """
    values: dict[str, object] = {}
    if role is not None:
        values["role"] = role
    if password_hash is not None:
        values["password_hash"] = password_hash
    if disabled is not None:
        values["disabled_at"] = datetime.now(UTC) if disabled else None

    def work(connection: Connection) -> str:
        if not values:
            return ""
        # Locked in order, so that two admins cannot disable each other at the same time.
        admins = connection.execute(
            select(users.c.id)
            .where(users.c.role == "admin", users.c.disabled_at.is_(None))
            .order_by(users.c.id)
            .with_for_update()
        ).scalars()
        loses = disabled is True or (role is not None and role != "admin")
        if loses and list(admins) == [number]:
            return "the last admin cannot be disabled or made less"
        connection.execute(update(users).where(users.c.id == number).values(**values))
        connection.execute(delete(sessions).where(sessions.c.user_id == number))
        return ""

    return database.write(work)


def rehash(database: Database, number: int, password_hash: str) -> None:
    """Keep a new hash of the same password."""
    change = update(users).where(users.c.id == number).values(password_hash=password_hash)
    database.write(lambda connection: connection.execute(change))


def begin_session(database: Database, user: User, old: str | None) -> str:
    """Return the token of a new session, and end the one that the browser came with."""
    token = secrets.token_urlsafe(32)
    now = datetime.now(UTC)

    def work(connection: Connection) -> None:
        connection.execute(delete(sessions).where(sessions.c.expires_at < now))
        if old is not None:
            connection.execute(delete(sessions).where(sessions.c.token_hash == digest(old)))
        connection.execute(
            database.insert(sessions)
            .values(
                token_hash=digest(token),
                user_id=user.id,
                created_at=now,
                seen_at=now,
                expires_at=now + LONGEST,
            )
            .on_conflict_do_nothing(index_elements=["token_hash"])
        )

    database.write(work)
    return token


def session_user(database: Database, token: str) -> User | None:
    """Return whose session a token is of; None where it has ended or never was."""
    now = datetime.now(UTC)
    ours = sessions.c.token_hash == digest(token)

    def work(connection: Connection) -> Row[Any] | None:
        return connection.execute(
            _all()
            .add_columns(sessions.c.seen_at)
            .join(sessions, sessions.c.user_id == users.c.id)
            .where(
                ours,
                sessions.c.expires_at > now,
                sessions.c.seen_at > now - IDLE,
                users.c.disabled_at.is_(None),
            )
        ).one_or_none()

    row = database.read(work)
    if row is None:
        return None
    if row.seen_at < now - _RARELY:
        seen = update(sessions).where(ours).values(seen_at=now)
        database.write(lambda connection: connection.execute(seen))
    return _user(row)


def end_session(database: Database, token: str) -> None:
    """End a session."""
    gone = delete(sessions).where(sessions.c.token_hash == digest(token))
    database.write(lambda connection: connection.execute(gone))


def digest(secret: str) -> str:
    """Return what is kept of a token or key: it is random, so that no salt is needed."""
    return sha256(secret.encode()).hexdigest()


def _all() -> Select[Any]:
    return select(users.c.id, users.c.name, users.c.role, users.c.created_at, users.c.disabled_at)


def _user(row: Row[Any]) -> User:
    return User(row.id, row.name, row.role, row.created_at, row.disabled_at)
