"""Where results go: the entries of the setting `targets`, checked by kind."""

from __future__ import annotations

import tomllib
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from lungflag.service import values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KINDS = {
    "dicom": ("sr", "sc"),
    "stow": ("sr", "sc"),
    "fhir": ("fhir",),
    "files": ("sr", "sc", "fhir"),
}
"""Kind of a target to the kinds of results that it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place where results go.

    Attributes
    ----------
    name : str
        Its name in the ledger, in logs and metrics.
    kind : str
        ``dicom`` (C-STORE), ``stow`` (STOW-RS), ``fhir`` or ``files``.
    address : str
        ``AET@host:port``, the URL of a DICOMweb or FHIR service, or a folder.
    send : tuple[str, ...]
        Which results: ``sr``, ``sc``, ``fhir``.
    tls : bool
        Of ``dicom``: whether to use TLS, with the service's own certificate.
    ca : Path or None
        Of ``stow`` and ``fhir``: PEM file with the authorities to trust, in place of the system's.
    calling : str
        Of ``dicom``: the AE title to call with. Empty: the node's.
    user, password, token : str
        Of ``stow`` and ``fhir``: for basic or bearer authentication.
    """

    name: str
    kind: Literal["dicom", "stow", "fhir", "files"]
    address: str
    send: tuple[str, ...]
    tls: bool = False
    ca: Path | None = None
    calling: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def under(self, folder: Path) -> Target:
        """Return the target with its relative paths below `folder`."""
        address = str(folder / self.address) if self.kind == "files" else self.address
        return replace(self, address=address, ca=self.ca and folder / self.ca)

    @property
    def ae_title(self) -> str:
        """Return the AE title of a ``dicom`` target."""
        return self.address.rpartition("@")[0]

    @property
    def host(self) -> str:
        """Return the host of a ``dicom`` target."""
        return self.address.rpartition("@")[2].rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Return the port of a ``dicom`` target."""
        return int(self.address.rpartition(":")[2])

    @property
    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that authenticate the service."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.user:
            both = b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
            return {"Authorization": f"Basic {both}"}
        return {}


def read_targets(value: Any) -> tuple[Target, ...]:
    """Return the targets of an array of tables, or of its text as inline TOML.

    Raises
    ------
    ValueError
        If one has an unknown key or a value that is not allowed.
    """
    if isinstance(value, str):
        try:
            value = tomllib.loads(f"targets = {value}")["targets"]
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"is no TOML ({error})") from error
    if not isinstance(value, list | tuple):
        raise ValueError("is no array of tables: write [[targets]]")
    targets = tuple(_read(number, entry) for number, entry in enumerate(value, start=1))
    twice = [name for name, n in Counter(one.name for one in targets).items() if n > 1]
    if twice:
        raise ValueError(f"has two of the name {twice[0]}")
    return targets


def _read(number: int, entry: Any) -> Target:
    if isinstance(entry, Target):
        return entry
    if not isinstance(entry, dict):
        raise ValueError(f"{number} is no table: write [[targets]]")
    where = f"{number} ({entry['name']})" if isinstance(entry.get("name"), str) else str(number)
    missing = [key for key in ("name", "kind", "address") if key not in entry]
    if missing:
        raise ValueError(f"{where} lacks {missing[0]}")
    if entry["kind"] not in KINDS:
        raise ValueError(f"{where}: kind is not one of {', '.join(KINDS)}")
    return _build(where, entry["kind"], entry)


def _build(where: str, kind: str, entry: Mapping[str, Any]) -> Target:
    keys = {**_KEYS, **_KEYS_OF[kind]}
    given: dict[str, Any] = {"send": KINDS[kind]}
    for key, value in entry.items():
        if key not in keys:
            raise ValueError(f"{where}: a target of kind {kind} has no {key}")
        try:
            given[key] = keys[key](value)
        except ValueError as error:
            raise ValueError(f"{where}: {key} {error}") from error
    strange = [one for one in given["send"] if one not in KINDS[kind]]
    if strange:
        raise ValueError(f"{where}: a target of kind {kind} takes no {strange[0]}")
    return Target(**given)


def _send(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or len(set(map(str, value))) != len(value):
        raise ValueError('is no list of results, such as ["sr", "sc"]')
    return tuple(map(str, value))


def _peer(value: Any) -> str:
    values.endpoint(value)
    return str(value)


def _url(value: Any) -> str:
    address = values.some_text(value)
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is no http or https URL")
    if parts.username or parts.password:
        raise ValueError("holds a password: use user and password")
    return address.rstrip("/")


def _folder(value: Any) -> str:
    return str(values.path(value))


_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "name": values.some_text,
    "kind": values.some_text,
    "send": _send,
}
_WEB: Mapping[str, Callable[[Any], Any]] = {
    "address": _url,
    "ca": values.optional_path,
    "user": values.text,
    "password": values.text,
    "token": values.text,
}
_KEYS_OF: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    "dicom": {"address": _peer, "tls": values.flag, "calling": values.ae_title},
    "stow": _WEB,
    "fhir": _WEB,
    "files": {"address": _folder},
}
