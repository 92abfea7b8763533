"""The external programs that judge DICOM objects."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.conftest import tool

if TYPE_CHECKING:
    from pydicom import Dataset

# dciodvfy knows the schemes of DICOM's list only, and would like to index empty dates.
EXPECTED = ("<99", "needed to build DICOMDIR", "CodingSchemeUID")


def written(ds: Dataset) -> bytes:
    """Return `ds` as the bytes of a DICOM file."""
    content = BytesIO()
    ds.save_as(content, enforce_file_format=True)
    return content.getvalue()


def complaints(ds: Dataset) -> list[str]:
    """Return the errors that dciodvfy finds in `ds`, and the warnings that are not `EXPECTED`."""
    lines = _run("dciodvfy", ds, "-new").splitlines()
    return [
        line
        for line in lines
        if line.startswith(("Error", "Warning", "Fatal")) and not any(e in line for e in EXPECTED)
    ]


def dumped(report: Dataset) -> str:
    """Return dcmtk's dump of a report, with whole texts and without complaints."""
    text = _run("dsrdump", report, "+Pl", "+U8")
    assert not [line for line in text.splitlines() if line.startswith(("E:", "F:"))], text
    return text


def _run(program: str, ds: Dataset, *options: str) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "object.dcm"
        path.write_bytes(written(ds))
        done = subprocess.run(
            [tool(program), *options, str(path)], capture_output=True, check=False
        )
    assert done.returncode == 0 or program == "dciodvfy", done.stderr
    return (done.stdout + done.stderr).decode("utf-8", "replace")
