"""`lungflag accounts`: who may sign in, and the keys of machines."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lungflag.cli._settings import with_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lungflag.service.ledger import Ledger
    from lungflag.service.settings import Settings
    from lungflag.station.accounts.keys import Key
    from lungflag.station.accounts.people import User
    from lungflag.station.security.audit import StationAudit

app = typer.Typer(
    help="See and change who may sign in to the reading station, and the keys of machines.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the account.")]
Stdin = Annotated[
    bool,
    typer.Option("--stdin", help="Read the password from standard input, for scripts."),
]


@app.command("list")
@with_settings("folder", "database")
def list_(settings: Settings) -> None:
    """List the accounts with their roles.

    Example: lungflag accounts list
    """
    from lungflag.cli._console import say
    from lungflag.station.accounts.people import list_users

    with _opened(settings) as (ledger, _audit):
        users = list_users(ledger.database)
    for user in users:
        state = "" if user.disabled_at is None else f"\tdisabled {user.disabled_at:%Y-%m-%d}"
        _row(user.name, user.role + state)
    if not users:
        say("nobody yet: lungflag accounts add NAME")


@app.command("add")
@with_settings("folder", "database")
def add(
    settings: Settings,
    name: Name,
    role: Annotated[
        str, typer.Option("--role", help="What they may do: reader, operator or admin.")
    ] = "reader",
    stdin: Stdin = False,
) -> None:
    """Make an account; its password is asked for.

    Example: lungflag accounts add m.curie --role operator
    """
    from lungflag.cli._console import say
    from lungflag.errors import ConfigurationError
    from lungflag.station.accounts.passwords import Passwords
    from lungflag.station.accounts.people import add_user, checked_name

    checked_name(name)
    password_hash = Passwords().make(_new_password(name, stdin=stdin))
    with _opened(settings) as (ledger, audit):
        if add_user(ledger.database, name, password_hash, role) is None:
            raise ConfigurationError(f"there is an account {name} already")
        audit.account_changed(_me(), "localhost", f"account made, role {role}", name)
    say(f"{name} may sign in as {role}")


@app.command("disable")
@with_settings("folder", "database")
def disable(
    settings: Settings,
    name: Name,
    enable: Annotated[bool, typer.Option("--enable", help="Let them in again.")] = False,
) -> None:
    """Keep somebody from signing in, and end their sessions; what they did stays.

    Example: lungflag accounts disable m.curie
    """
    from lungflag.cli._console import say
    from lungflag.errors import ConfigurationError
    from lungflag.station.accounts.people import change_user

    with _opened(settings) as (ledger, audit):
        user = _user(ledger, name)
        if wrong := change_user(ledger.database, user.id, disabled=not enable):
            raise ConfigurationError(wrong)
        what = f"account {'enabled' if enable else 'disabled'}"
        audit.account_changed(_me(), "localhost", what, name)
    say(f"{name} {'may sign in again' if enable else 'can no longer sign in'}")


@app.command("password")
@with_settings("folder", "database")
def password(settings: Settings, name: Name, stdin: Stdin = False) -> None:
    """Give an account a new password, and end its sessions.

    Example: lungflag accounts password m.curie
    """
    from lungflag.cli._console import say
    from lungflag.station.accounts.passwords import Passwords
    from lungflag.station.accounts.people import change_user

    with _opened(settings) as (ledger, audit):
        user = _user(ledger, name)
        password_hash = Passwords().make(_new_password(name, stdin=stdin))
        change_user(ledger.database, user.id, password_hash=password_hash)
        audit.account_changed(_me(), "localhost", "account changed: new password", name)
    say(f"{name} has a new password")


@app.command("keys")
@with_settings("folder", "database")
def keys(
    settings: Settings,
    make: Annotated[
        str | None, typer.Option("--make", metavar="NAME", help="Make a key, and print it once.")
    ] = None,
    scopes: Annotated[
        str,
        typer.Option("--scopes", help="What the new key may do, parted by commas."),
    ] = "studies:read",
    days: Annotated[
        int, typer.Option("--days", min=0, help="Days until it expires; 0: never.")
    ] = 365,
    revoke: Annotated[
        str | None, typer.Option("--revoke", metavar="PREFIX", help="Make a key useless.")
    ] = None,
) -> None:
    """List the keys of machines, make one or revoke one.

    Example: lungflag accounts keys --make pacs-router --scopes images:write,studies:read

    Scopes: studies:read, images:write, feedback:write, metrics:read.
    """
    from lungflag.station.accounts.keys import list_keys

    with _opened(settings) as (ledger, audit):
        if make is not None:
            _make_key(ledger, audit, make, [one.strip() for one in scopes.split(",")], days)
        elif revoke is not None:
            _revoke_key(ledger, audit, revoke)
        else:
            _show_keys(list_keys(ledger.database))


def _make_key(ledger: Ledger, audit: StationAudit, name: str, scopes: list[str], days: int) -> None:
    from datetime import UTC, datetime, timedelta

    from lungflag.cli._console import errors, say
    from lungflag.station.accounts.keys import add_key

    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    key, text = add_key(ledger.database, name, scopes, by=_me(), expires_at=expires_at)
    what = f"key made: {', '.join(key.scopes)}"
    audit.account_changed(_me(), "localhost", what, f"{key.name}.{key.prefix}")
    errors.print("this is the only time that the key is shown:", highlight=False)
    say(text)


def _revoke_key(ledger: Ledger, audit: StationAudit, prefix: str) -> None:
    from lungflag.cli._console import say
    from lungflag.errors import ConfigurationError
    from lungflag.station.accounts.keys import list_keys, revoke_key

    found = [one for one in list_keys(ledger.database) if one.prefix == prefix]
    if not found:
        raise ConfigurationError(f"there is no key {prefix}; see lungflag accounts keys")
    revoke_key(ledger.database, found[0].id)
    audit.account_changed(_me(), "localhost", "key revoked", f"{found[0].name}.{prefix}")
    say(f"{found[0].name} ({prefix}) is of no more use")


def _show_keys(found: list[Key]) -> None:
    from lungflag.cli._console import say

    for key in found:
        state = "valid" if key.expires_at is None else f"until {key.expires_at:%Y-%m-%d}"
        state = state if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d}"
        used = "never used" if key.last_used_at is None else f"used {key.last_used_at:%Y-%m-%d}"
        _row(key.prefix, key.name, ",".join(key.scopes), state, used)
    if not found:
        say("no keys yet: lungflag accounts keys --make NAME")


def _row(*cells: str) -> None:
    from lungflag.cli._console import output

    output.file.write("\t".join(cells) + "\n")  # as it is: a console makes spaces of tabs


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Ledger, StationAudit]]:
    from lungflag._extras import require
    from lungflag.service.ledger import Ledger
    from lungflag.station.security.audit import StationAudit

    require("argon2", feature="accounts", extra="station")
    with Ledger.open(settings.database_url, create=not settings.database) as ledger:
        yield ledger, StationAudit(settings, ledger)


def _user(ledger: Ledger, name: str) -> User:
    from lungflag.errors import ConfigurationError
    from lungflag.station.accounts.people import find_user

    kept = find_user(ledger.database, name)
    if kept is None:
        raise ConfigurationError(f"there is no account {name}; see lungflag accounts list")
    return kept.user


def _new_password(name: str, *, stdin: bool) -> str:
    """Return a new password, never from an option: other users of the machine can see those."""
    import sys

    from lungflag.errors import ConfigurationError
    from lungflag.station.accounts.passwords import fault

    given: str
    if stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    else:
        given = typer.prompt("password", hide_input=True, confirmation_prompt=True)
    if wrong := fault(given, name):
        raise ConfigurationError(wrong)
    return given


def _me() -> str:
    """Return who runs this, for the audit trail."""
    import getpass

    return f"{getpass.getuser()} (command line)"
