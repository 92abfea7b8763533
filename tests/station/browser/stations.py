"""A whole service with its reading station, and synthetic studies that have arrived in it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian

from lungflag.phantom import make_phantom, write_dicom
from tests.radiograph.objects import content, dx
from tests.service.dcmtk import call
from tests.service.service import PROGRAM, Serving, serving
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READER, PASSWORD = "reader.one", "a lamp of 3000 kelvin"
ADMIN, ADMINS = "head.one", "ninety nine light boxes"


@dataclass(frozen=True, slots=True)
class Station:
    """A running service with its reading station.

    Attributes
    ----------
    serving : Serving
        The service.
    """

    serving: Serving

    @property
    def url(self) -> str:
        """Where the worklist is."""
        said = self.serving.said.read_text()
        found = re.search(r"reading station is at (\S+)", said)
        assert found, said
        return found[1].rstrip("/")

    def add_person(self, name: str, password: str, role: str) -> None:
        """Make an account, as an administrator does."""
        subprocess.run(
            [str(PROGRAM), "accounts", "add", name, "--role", role, "--stdin"],
            input=f"{password}\n",
            text=True,
            check=True,
            capture_output=True,
            env={**os.environ, "LUNGFLAG_FOLDER": str(self.serving.folder)},
        )

    def receive(self, *films: Path) -> None:
        """Send films to the service, and wait until all of them have been judged."""
        assert not call("storescu", self.serving.port, *films)
        until(self._all_judged, seconds=180, what="all judged")

    def _all_judged(self) -> bool:
        queue = self.serving.queue()
        return queue.jobs_waiting + queue.jobs_leased == 0


@contextmanager
def running_station(folder: Path, **settings: Any) -> Iterator[Station]:
    """Run a service on free ports; people sign in unless the settings say otherwise."""
    given = {"station_port": 0, "station_sign_in": "always", **settings}
    with serving(folder, **given) as service:
        yield Station(service)


def free_port() -> int:
    """Return a port that was free a moment ago, for a service that must come back to it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def day(folder: Path) -> list[Path]:
    """Write what a day brings: two with pneumonia, two without, and a film that is blank."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for seed in (1, 2, 3, 4):
        paths.append(folder / f"{seed}.dcm")
        write_dicom(make_phantom(seed, pneumonia=seed <= 2, size=384), paths[-1])
    blank = dx(
        np.full((512, 512), 2000, dtype=np.uint16),
        12,
        PatientName="Blank^Film",
        PatientID="BLANK-1",
        Modality="DX",
    )
    blank.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    paths.append(folder / "blank.dcm")
    paths[-1].write_bytes(content(blank))
    return paths
