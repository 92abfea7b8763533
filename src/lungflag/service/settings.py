"""The settings: one table of name, default and help; a TOML file, the environment, and flags."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungflag.errors import ConfigurationError
from lungflag.service import values
from lungflag.service.target import KINDS, Target, read_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["PREFIX", "SETTINGS", "Setting", "Settings", "Target", "load_settings"]

PREFIX = "LUNGFLAG_"
"""Of environment variables: ``LUNGFLAG_AE_TITLE`` sets ``ae_title``."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes
    ----------
    name : str
        Its name in the file; in capitals after `PREFIX` in the environment.
    default : object
        What holds where nobody says anything, as it would stand in the file.
    help : str
        What it does, in one line.
    parse : callable
        From what stands in the file, or from text, to the value. Raises a ValueError that says
        what is allowed.
    """

    name: str
    default: Any
    help: str
    parse: Callable[[Any], Any]


SETTINGS = (
    Setting(
        "folder", "lungflag-data", "Where objects, results and the SQLite ledger lie.", values.path
    ),
    Setting(
        "database",
        "",
        "The ledger: postgresql+pg8000://user:password@host/name. Empty: SQLite in the folder.",
        values.text,
    ),
    Setting(
        "model",
        "guangzhou",
        "A shipped model package's name, or a package's folder.",
        values.some_text,
    ),
    Setting("operating_point", "", "Of the package. Empty: its default.", values.text),
    Setting(
        "ae_title",
        "LUNGFLAG",
        "AE title of the node; associations that call another one are refused.",
        values.ae_title,
    ),
    Setting(
        "host", "127.0.0.1", "Address on which the node listens. 0.0.0.0: on all.", values.some_text
    ),
    Setting("port", 11112, "Port of the node.", values.port),
    Setting(
        "allow",
        [],
        "Who may associate, as AET@address. Empty: anyone on this machine, nobody else.",
        values.peers,
    ),
    Setting(
        "associations",
        16,
        "Associations that the node has open at once; more are rejected.",
        values.whole(1, 1000),
    ),
    Setting(
        "receive_mib",
        1024,
        "Memory for objects on their way in, MiB: beyond it senders are told to try later.",
        values.whole(1, 2**20),
    ),
    Setting(
        "commitment",
        [],
        "Who may ask for storage commitment and is told where, as AET@host:port. "
        "This is no archive: see keep_days.",
        values.endpoints,
    ),
    Setting(
        "tls_certificate",
        "",
        "PEM file with the service's certificate. Empty: no TLS.",
        values.optional_path,
    ),
    Setting("tls_key", "", "PEM file with its private key.", values.optional_path),
    Setting(
        "tls_ca",
        "",
        "PEM file with the authorities that peers' certificates must come from: TLS is mutual.",
        values.optional_path,
    ),
    Setting(
        "http_host",
        "127.0.0.1",
        "Address on which STOW-RS, health and metrics are served.",
        values.some_text,
    ),
    Setting("http_port", 8080, "Their port.", values.port),
    Setting(
        "http_token",
        "",
        "What STOW-RS and metrics ask for as a bearer token. Empty: nothing.",
        values.text,
    ),
    Setting(
        "station_host",
        "127.0.0.1",
        "Address on which the reading station is served: worklist, viewer and web API.",
        values.some_text,
    ),
    Setting("station_port", 8081, "Its port.", values.port),
    Setting(
        "station_sign_in",
        "auto",
        "Whether people and machines sign in: auto (unless only this machine can reach it), "
        "always or never.",
        values.one_of("auto", "always", "never"),
    ),
    Setting(
        "station_proxy",
        False,
        "A reverse proxy in front of the station ends TLS: its cookies need https.",
        values.flag,
    ),
    Setting("upload_mib", 64, "Largest image that the web API takes, MiB.", values.whole(1, 1024)),
    Setting(
        "requests_a_minute",
        600,
        "Requests that a person or key may make in a minute.",
        values.whole(1, 1_000_000),
    ),
    Setting(
        "watch", "", "A folder whose DICOM files are taken in. Empty: none.", values.optional_path
    ),
    Setting("workers", 2, "Worker processes of `lungflag serve`.", values.whole(1, 256)),
    Setting("batch", 8, "Instances judged together when there are many.", values.whole(1, 256)),
    Setting(
        "lease_seconds",
        60.0,
        "How long a dead worker's instances wait before another takes them.",
        values.seconds,
    ),
    Setting(
        "timeout_seconds",
        30.0,
        "How long one instance may take before its process is killed.",
        values.seconds,
    ),
    Setting(
        "memory_mib",
        2048,
        "Memory of the process that decodes and judges, MiB.",
        values.whole(256, 2**20),
    ),
    Setting(
        "attempts",
        3,
        "Attempts at an instance before it is rejected as unexpected.",
        values.whole(1, 100),
    ),
    Setting(
        "keep_days",
        30,
        "Days after which pixels are deleted; results stay. 0: never.",
        values.whole(0, 36_500),
    ),
    Setting(
        "keep_free_mib",
        1024,
        "Room to be left on the disk, MiB: nothing is accepted below it.",
        values.whole(0, 2**30),
    ),
    Setting(
        "audit_file",
        "",
        "A file that audit messages are appended to, besides the ledger. Empty: none.",
        values.optional_path,
    ),
    Setting(
        "log_level",
        "info",
        "Least level that is logged: debug, info, warning or error.",
        values.one_of("debug", "info", "warning", "error"),
    ),
    Setting(
        "targets",
        [],
        "Where results go: an array of tables. Empty: into files, in `delivered` in the folder.",
        read_targets,
    ),
)
"""Every setting, in the order in which people meet them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The value of every setting. See `SETTINGS` for what they mean."""

    folder: Path
    database: str = field(repr=False)
    model: str
    operating_point: str
    ae_title: str
    host: str
    port: int
    allow: tuple[str, ...]
    associations: int
    receive_mib: int
    commitment: tuple[str, ...]
    tls_certificate: Path | None
    tls_key: Path | None
    tls_ca: Path | None
    http_host: str
    http_port: int
    http_token: str = field(repr=False)
    station_host: str
    station_port: int
    station_sign_in: str
    station_proxy: bool
    upload_mib: int
    requests_a_minute: int
    watch: Path | None
    workers: int
    batch: int
    lease_seconds: float
    timeout_seconds: float
    memory_mib: int
    attempts: int
    keep_days: int
    keep_free_mib: int
    audit_file: Path | None
    log_level: str
    targets: tuple[Target, ...]

    @property
    def database_url(self) -> str:
        """Return the ledger's URL. It may hold a password: it is not to be shown."""
        return self.database or f"sqlite:///{self.folder.absolute() / 'ledger.db'}"


def load_settings(
    file: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, Any],
) -> Settings:
    """Return the settings: flags over environment over file over defaults.

    Parameters
    ----------
    file : Path or None
        A TOML file. Paths in it are relative to its folder.
    environ : Mapping[str, str]
        The environment; names that begin with `PREFIX` count.
    flags : Mapping[str, object]
        Setting to value; None where the flag was not given.

    Raises
    ------
    ConfigurationError
        If a name is unknown or a value not allowed. The message names where it stands.
    """
    found = {setting.name: setting.parse(setting.default) for setting in SETTINGS}
    for name, value, where in (*_of_file(file), *_of_environ(environ), *_of_flags(flags)):
        setting = _KNOWN.get(name)
        if setting is None:
            raise ConfigurationError(f"{where}: there is no setting {name}")
        try:
            found[name] = setting.parse(value)
        except ValueError as error:
            raise ConfigurationError(f"{where}: {name} {error}") from error
        if file is not None and where == str(file):
            found[name] = _under(file.parent, found[name])
    if not found["targets"]:
        found["targets"] = (_files(found["folder"]),)
    settings = Settings(**found)
    _check(settings)
    return settings


_KNOWN = {setting.name: setting for setting in SETTINGS}


def _of_file(file: Path | None) -> Iterator[tuple[str, Any, str]]:
    if file is None:
        return
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: is no TOML ({error})") from error
    yield from ((name, value, str(file)) for name, value in table.items())


def _of_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX):
            yield variable.removeprefix(PREFIX).lower(), text, f"environment variable {variable}"


def _of_flags(flags: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    for name, value in flags.items():
        if value is not None:
            yield name, value, f"--{name.replace('_', '-')}"


def _under(folder: Path, value: Any) -> Any:
    """Return a value of the file, whose relative paths are relative to its folder."""
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, tuple):
        return tuple(one.under(folder) if isinstance(one, Target) else one for one in value)
    return value


def _files(folder: Path) -> Target:
    """Return where results go while nobody says where."""
    return Target(
        name="files", kind="files", address=str(folder / "delivered"), send=KINDS["files"]
    )


def _check(settings: Settings) -> None:
    """Refuse values that do not fit together."""
    of_tls = (settings.tls_certificate, settings.tls_key, settings.tls_ca)
    if any(of_tls) and not all(of_tls):
        raise ConfigurationError("tls_certificate, tls_key and tls_ca are needed together")
    if settings.lease_seconds <= settings.timeout_seconds:
        raise ConfigurationError("lease_seconds is not longer than timeout_seconds")
    for target in settings.targets:
        if target.tls and target.kind == "dicom" and not all(of_tls):
            raise ConfigurationError(
                f"target {target.name}: tls needs tls_certificate, tls_key and tls_ca"
            )
