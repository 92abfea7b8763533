"""Every kind of bad input, in one batch with one good film: a row for each, one line of reason."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pydicom.uid import CTImageStorage

from tests.radiograph.objects import content, dx

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.package import ModelPackage


def _encoded(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], kind: str) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def _huge_png() -> bytes:
    """Return a PNG whose header promises 60,000 x 60,000 pixels."""
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0),
        b"IDAT": zlib.compress(bytes(1000)),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )


def _bad_inputs() -> dict[str, tuple[bytes, str]]:
    """Return file name -> (content, a part of the reason)."""
    rng = np.random.default_rng(1)
    grey = rng.integers(0, 255, (128, 96), dtype=np.uint8)
    colour = rng.integers(0, 255, (128, 96, 3), dtype=np.uint8)
    frames = dx(np.stack([grey, grey]).reshape(256, 96), 8, NumberOfFrames=2, Rows=128)
    scan = dx(grey, 8, Modality="CT", SOPClassUID=CTImageStorage)
    pixels = content(dx(grey, 8))
    return {
        "empty.png": (b"", "empty"),
        "note.txt": (b"a note on the patient\n", "text"),
        "letter.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        "cut.png": (_encoded(grey, "png")[:3000], "cut short"),
        "cut.jpeg": (_encoded(grey, "jpeg")[:3000], "cut short"),
        "cut.dcm": (pixels[: len(pixels) // 2], "cut short"),
        "holiday.jpeg": (_encoded(colour, "jpeg"), "colour"),
        "cine.dcm": (content(frames), "2 frames"),
        "ct.dcm": (content(scan), "CT"),
        "stamp.png": (_encoded(grey[:9, :9], "png"), "small"),
        "huge.png": (_huge_png(), "large"),
    }


def test_every_bad_input_has_its_row_and_reason(tmp_path: Path, tiny_package: ModelPackage) -> None:
    folder, table = tmp_path / "in", tmp_path / "out.jsonl"
    folder.mkdir()
    bad = _bad_inputs()
    for name, (data, _) in bad.items():
        (folder / name).write_bytes(data)
    rng = np.random.default_rng(2)
    Image.fromarray(rng.integers(0, 255, (128, 96), dtype=np.uint8)).save(folder / "good.png")
    missing = str(tmp_path / "missing.dcm")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "lungflag", "detect", str(folder), missing),
            *("--model", str(tiny_package.folder), "--table", str(table), "--jobs", "2"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    rows = {row["path"]: row for row in map(json.loads, table.read_text().splitlines())}
    assert len(rows) == len(bad) + 2
    for name, (_, reason) in bad.items():
        row = rows[str(folder / name)]
        assert row["outcome"] == "rejection", row
        assert reason in row["reason"], row
        assert "\n" not in row["reason"]
        assert row["probability"] is None
        assert row["flagged"] is None
    assert rows[missing]["outcome"] == "rejection"
    assert rows[str(folder / "good.png")]["outcome"] == "finding"
