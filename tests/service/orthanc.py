"""A real Orthanc with its DICOMweb plugin, as Debian brings it, on free ports of this machine."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from pydicom import Dataset, dcmread

from tests.conftest import missing, tool

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running server.

    Attributes
    ----------
    ae_title : str
        Its AE title, which callers must use.
    port, http_port : int
        Of DICOM and of HTTP.
    """

    ae_title: str
    port: int
    http_port: int

    @property
    def url(self) -> str:
        """The root of its REST interface."""
        return f"http://127.0.0.1:{self.http_port}"

    def get(self, path: str, **parameters: str) -> Any:
        """Return what its REST interface says in JSON."""
        response = httpx2.get(self.url + path, params=parameters, trust_env=False)
        response.raise_for_status()
        return response.json()

    def object(self, uid: str) -> Dataset | None:
        """Return an object as it was stored, or None."""
        found = httpx2.post(
            f"{self.url}/tools/lookup", content=uid, trust_env=False
        ).raise_for_status()
        ids = [one["ID"] for one in found.json() if one["Type"] == "Instance"]
        if not ids:
            return None
        response = httpx2.get(f"{self.url}/instances/{ids[0]}/file", trust_env=False)
        return dcmread(BytesIO(response.raise_for_status().content))


@contextmanager
def running_orthanc(folder: Path, **options: Any) -> Iterator[Orthanc]:
    """Run an Orthanc with the DICOMweb plugin, whose files are in `folder`, with more `options`."""
    program = tool("Orthanc")
    if not PLUGIN.exists():
        missing(f"Orthanc's plugin {PLUGIN.name}")
    server = Orthanc(
        "ORTHANC",
        options.pop("DicomPort", None) or free_port(),
        options.pop("HttpPort", free_port()),
    )
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(_configuration(server, folder) | options))
    log = (folder / "orthanc.log").open("wb")
    process = subprocess.Popen([program, str(configuration)], stdout=log, stderr=log)
    try:
        _wait_for(server, process, folder / "orthanc.log")
        yield server
    finally:
        process.kill()  # it would take seconds to put away what nobody keeps
        process.wait()
        log.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configuration(server: Orthanc, folder: Path) -> dict[str, Any]:
    return {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "Plugins": [str(PLUGIN)],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "HttpPort": server.http_port,
        "DicomAet": server.ae_title,
        "DicomPort": server.port,
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowFind": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "StableAge": 1,
    }


def _wait_for(server: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.get("/system")
        except httpx2.HTTPError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"Orthanc did not start: {log.read_text(errors='replace')[-2000:]}")
