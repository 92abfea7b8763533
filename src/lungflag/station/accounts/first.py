"""The first account: an admin with a random password, where there is nobody yet."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lungflag.errors import ServiceError
from lungflag.station.accounts.passwords import Passwords, new_password
from lungflag.station.accounts.people import add_user, list_users

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.service.ledger.database import Database

NAME = "admin"
FILE = "admin-password"
"""In the service's folder, for the service's user alone, until somebody has read it."""


def make_first_admin(database: Database, folder: Path) -> Path | None:
    """Make an admin where there is no account, and return the file with the password.

    The password is written before the account is made: a crash between leaves a password without
    an account, not an account without a password.

    Parameters
    ----------
    database : Database
        With the accounts.
    folder : Path
        Of the service.

    Returns
    -------
    Path or None
        None where there is an account already.

    Raises
    ------
    ServiceError
        If the file cannot be written.
    """
    if list_users(database):
        return None
    password, file = new_password(), folder / FILE
    try:
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as writer:
            writer.write(f"{password}\n")
    except OSError as error:
        raise ServiceError(f"{file}: cannot be written ({error.strerror})") from error
    if add_user(database, NAME, Passwords().make(password), "admin", first=True) is None:
        file.unlink(missing_ok=True)
        return None
    return file
