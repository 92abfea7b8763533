"""`lungflag check`: whether the service can work with its settings, in plain words."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx2
from asn1crypto import pem, x509

from lungflag.errors import LungflagError
from lungflag.package import ModelPackage, find_package
from lungflag.phantom import make_phantom, to_dicom
from lungflag.service.deliver import open_target
from lungflag.service.judge import ChildLostError, Judge
from lungflag.service.ledger import Ledger
from lungflag.service.target import Target
from lungflag.service.tasks import Setup, Task
from lungflag.service.tls import client_context, server_context

if TYPE_CHECKING:
    from ssl import SSLContext

    from lungflag.service.settings import Settings

SOON = timedelta(days=30)
"""A certificate that expires within this is worth a word."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one check has found.

    Attributes
    ----------
    name : str
        What was looked at.
    fine : bool
        Whether the service can work with it.
    found : str
        In plain words.
    advice : str
        What to do, where anything is to be done.
    """

    name: str
    fine: bool
    found: str
    advice: str = ""


def check(settings: Settings, *, create: bool = False) -> Iterator[Line]:
    """Yield a line for each thing that the service needs, in the order in which it needs them.

    Parameters
    ----------
    settings : Settings
        Of the service.
    create : bool
        Make the ledger's tables, or bring them up to date.
    """
    yield _folder(settings)
    yield from _certificates(settings)
    yield from _ledger(settings, create=create)
    yield _model(settings)
    yield _port("DICOM", settings.host, settings.port, lambda: _echo(settings))
    yield _port("HTTP", settings.http_host, settings.http_port, lambda: _healthy(settings))
    where = settings.station_host, settings.station_port
    yield _port("station", *where, lambda: _is_station(settings))
    if settings.watch is not None:
        yield _watch(settings.watch)
    for target in settings.targets:
        wrong = open_target(target, settings).check()
        name = f"target {target.name}"
        advice = f"see its address, {target.address}, and whether it knows this service"
        yield Line(name, False, wrong, advice) if wrong else Line(name, True, "answers")


def _folder(settings: Settings) -> Line:
    folder = settings.folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".check-"):
            free = shutil.disk_usage(folder).free // 2**20
    except OSError as error:
        advice = "let the service's user write there, or set folder"
        return Line("folder", False, f"{folder} cannot be written ({error.strerror})", advice)
    found = f"{folder}, {free:,} MiB free"
    if free < settings.keep_free_mib:
        advice = f"nothing is accepted below {settings.keep_free_mib:,} MiB: make room"
        return Line("folder", False, found, advice)
    return Line("folder", True, found)


def _certificates(settings: Settings) -> Iterator[Line]:
    paths = settings.tls_certificate, settings.tls_key, settings.tls_ca
    certificate, key, ca = paths
    if certificate is None or key is None or ca is None:
        yield Line("TLS", True, "not used")
        return
    try:
        server_context(certificate, key, ca)
        client_context(certificate, key, ca)
    except LungflagError as error:
        yield Line("TLS", False, str(error), "set tls_certificate, tls_key and tls_ca anew")
        return
    for path in (certificate, ca):
        yield _expiry(path)


def _expiry(path: Path) -> Line:
    """Say how long the certificates in a file last: the first to end counts."""
    name, now = f"certificate {path}", datetime.now(UTC)
    ends = min(
        x509.Certificate.load(der).not_valid_after
        for kind, _, der in pem.unarmor(path.read_bytes(), multiple=True)
        if kind == "CERTIFICATE"
    )
    if ends <= now:
        return Line(name, False, f"expired on {ends:%Y-%m-%d}", "get a new one")
    advice = "get a new one in time" if ends - now < SOON else ""
    return Line(name, True, f"valid until {ends:%Y-%m-%d}", advice)


def _ledger(settings: Settings, *, create: bool) -> Iterator[Line]:
    try:
        fresh = not settings.database and not (settings.folder / "ledger.db").exists()
        if fresh and not create:
            yield Line("ledger", True, "not made yet: the first start makes it")
            return
        with Ledger.open(settings.database_url, create=create, away_seconds=5) as ledger:
            queue = ledger.queue()
            waiting = queue.jobs_waiting + queue.jobs_leased
            due = queue.deliveries_waiting + queue.deliveries_leased
            yield Line(
                "ledger",
                True,
                f"{queue.jobs_done} judged, {waiting} waiting; "
                f"{queue.deliveries_done} delivered, {due} due",
            )
            if queue.deliveries_dead:
                found = f"{queue.deliveries_dead} results could not be delivered"
                yield Line("deliveries", False, found, "lungflag deliveries list, then retry")
            yield from _strays(settings, ledger)
    except LungflagError as error:
        yield Line("ledger", False, str(error), "see the setting database")


def _strays(settings: Settings, ledger: Ledger) -> Iterator[Line]:
    """Tell of work that would wait for ever."""
    try:
        package = ModelPackage.read(find_package(settings.model))
    except LungflagError:  # it has a line of its own
        return
    targets = [target.name for target in settings.targets]
    for stray in ledger.strays(package=package.name, version=package.version, targets=targets):
        if stray.kind == "package":
            found = f"{stray.n} wait for {stray.name}, which is not the setting model"
            yield Line("jobs", False, found, "run a `lungflag worker --model` for it")
        else:
            found = f"{stray.n} wait for the target {stray.name}, which is not in the settings"
            yield Line("deliveries", False, found, "set that target again until they are gone")


def _model(settings: Settings) -> Line:
    """Judge a synthetic film as a worker would, within its limits."""
    try:
        package = ModelPackage.read(find_package(settings.model))
        outcome = _try_model(settings, package)
    except ChildLostError as lost:
        return Line("model", False, str(lost), "see memory_mib and timeout_seconds")
    except LungflagError as error:
        return Line("model", False, str(error), "see model, operating_point and memory_mib")
    return Line("model", True, f"{package.name} {package.version}, judges ({outcome})")


def _try_model(settings: Settings, package: ModelPackage) -> str:
    film = to_dicom(make_phantom(1, pneumonia=True, size=512))
    judge = Judge(
        Setup(
            settings.model,
            settings.operating_point,
            threads=1,
            memory_mib=settings.memory_mib,
            parent=os.getpid(),
        ),
        name=package.name,
        version=package.version,
        seconds=settings.timeout_seconds,
    )
    uids = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
    with TemporaryDirectory(prefix="lungflag-check-") as folder:
        path = Path(folder) / "film.dcm"
        film.save_as(path, enforce_file_format=True)
        known = {keyword: str(film[keyword].value) for keyword in uids}
        task = Task(1, str(path), f"{folder}/1.tmp", datetime.now(UTC).isoformat(), known)
        try:
            judge.start()
            judge.put(task)
            reply = judge.take(lambda: None)
        finally:
            judge.kill()
    if reply.error:
        raise LungflagError(f"a synthetic film cannot be judged: {reply.error}")
    took = f"a synthetic film in {reply.outcome['seconds']:.2f} s on the {judge.provider}"
    return f"{took}, rejected as {reply.outcome['code']}" if "code" in reply.outcome else took


def _port(name: str, host: str, port: int, ours: Callable[[], bool]) -> Line:
    """Say whether a port is free, or taken by this service itself."""
    where = f"{host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if ours():
            return Line(f"{name} port", True, f"{where}, where this service is running")
        advice = "end what listens there, or set another port"
        return Line(f"{name} port", False, f"{where}: {error.strerror}", advice)
    return Line(f"{name} port", True, f"{where} is free")


def _echo(settings: Settings) -> bool:
    """Return whether the node that listens on our port has our AE title."""
    host = _reachable(settings.host)
    target = Target(
        name="self",
        kind="dicom",
        address=f"{settings.ae_title}@{host}:{settings.port}",
        send=("sr",),
        tls=settings.tls_certificate is not None,
    )
    answer = open_target(target, settings).check()
    return not answer or "Calling AE title" in answer  # it knows who it is, and not who asks


def _healthy(settings: Settings) -> bool:
    """Return whether what listens on our HTTP port is this service."""
    certificate, key, ca = settings.tls_certificate, settings.tls_key, settings.tls_ca
    verify: SSLContext | bool = False
    try:
        if certificate is not None and key is not None and ca is not None:
            verify = client_context(certificate, key, ca)
        place = f"{_reachable(settings.http_host)}:{settings.http_port}"
        url = f"http{'s' if verify else ''}://{place}/health"
        answer = httpx2.get(url, verify=verify, timeout=5, trust_env=False)
        return bool(answer.json()["alive"])
    except (LungflagError, httpx2.HTTPError, ValueError, LookupError, TypeError):
        return False


def _is_station(settings: Settings) -> bool:
    """Return whether what listens on the station's port is a station."""
    secure = settings.tls_certificate is not None and not settings.station_proxy
    place = f"{_reachable(settings.station_host)}:{settings.station_port}"
    url = f"http{'s' if secure else ''}://{place}/api/v1/openapi.json"
    try:
        # It is only asked who it is: its certificate need not name this address.
        answer = httpx2.get(url, verify=False, timeout=5, trust_env=False)
        return str(answer.json()["info"]["title"]).startswith("lungflag")
    except (httpx2.HTTPError, ValueError, LookupError, TypeError):
        return False


def _reachable(host: str) -> str:
    """Return where a listener on `host` can be reached from here."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{local}]" if ":" in local else local


def _watch(folder: Path) -> Line:
    if folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Line("watch folder", True, str(folder))
    found = f"{folder} is no folder that can be read and written"
    return Line("watch folder", False, found, "make it, or let the service's user in")
