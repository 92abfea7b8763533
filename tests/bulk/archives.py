"""Archives of small films, the command that judges them, and its table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pyarrow import dataset


def film(path: Path, seed: int) -> Path:
    """Save a smooth grey film."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 5), dtype=np.uint8)
    Image.fromarray(coarse).resize((70, 90), Image.Resampling.BICUBIC).save(path)
    return path


def archive(folder: Path, count: int) -> Path:
    """Fill a folder with `count` names, of ten films and one text: as many rows, one rejected."""
    films = [film(folder / "year 0" / f"{n:06d}.png", n) for n in range(10)]
    for n in range(10, count - 1):
        link = folder / f"year {n // 500}" / f"{n:06d}.png"
        link.parent.mkdir(exist_ok=True)
        link.hardlink_to(films[n % 10])
    (folder / "notes.txt").write_text("no film", encoding="utf-8")
    return folder


def start(*arguments: object, model: Path | str, **environment: str) -> subprocess.Popen[str]:
    """Start `lungflag detect` in a process group of its own."""
    command = [sys.executable, "-m", "lungflag", "detect", *map(str, arguments)]
    return subprocess.Popen(
        [*command, "--model", str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **environment},
    )


def kill(run: subprocess.Popen[str]) -> None:
    """End a run and all its children at once, as a machine does that loses its power."""
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()


def shards(table: Path) -> list[Path]:
    """Return the shards that are there."""
    return sorted(table.glob("part-*.parquet"))


def contents(table: Path) -> dict[str, bytes]:
    """Return every shard's name and bytes."""
    return {path.name: path.read_bytes() for path in shards(table)}


def rows(table: Path) -> list[dict[str, Any]]:
    """Return the table's rows, by path, as any reader of Parquet finds them."""
    found: list[dict[str, Any]] = dataset.dataset(table).to_table().sort_by("path").to_pylist()
    return found
