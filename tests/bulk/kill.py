"""Judge a large archive, kill it at random moments, go on, and count: by hand, for the proof.

    python -m tests.bulk.kill ../shared/data/originals --count 100000 --kills 2 --seed 6
    python -m tests.bulk.kill ../shared/data/originals --count 4000 --engine ray

The archive is hard links to the films in the folder. Every run is ended with SIGKILL, with all of
its processes, but for the last. Prints the memory of the whole process group as it goes.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bulk.archives import kill, rows, shards, start

_EVERY = 5.0  # seconds between two looks at the memory


def main() -> None:
    """Run the proof and say how it ended."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wanted.add_argument("films", type=Path)
    wanted.add_argument("--count", type=int, default=100_000)
    wanted.add_argument("--kills", type=int, default=2)
    wanted.add_argument("--seed", type=int, default=6)
    wanted.add_argument("--engine", default="local")
    wanted.add_argument("--batch", type=int, default=1024)
    wanted.add_argument("--model", default="guangzhou")
    wanted.add_argument("--jobs", type=int, default=2)
    asked = wanted.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".kill-") as folder:
        films, table = Path(folder) / "archive", Path(folder) / "out.parquet"
        _link(asked.films, films, asked.count)
        words = [films, "--engine", asked.engine, "--resume", "--table", table]
        words += ["--batch", asked.batch, "--jobs", asked.jobs]
        whole = -(-asked.count // asked.batch)
        moments = random.Random(asked.seed).sample(range(1, whole), asked.kills)
        began = time.monotonic()
        for moment in [*sorted(moments), whole + 1]:
            run = start(*words, model=asked.model)
            _watch(run, table, moment, began)
            if run.poll() is None:
                kill(run)
                print(f"{_clock(began)} killed with {len(shards(table))} of {whole} shards")
        found = rows(table)
        distinct = len({row["path"] for row in found})
        print(f"{_clock(began)} {len(found)} rows, {distinct} distinct, exit code {run.returncode}")
        print(run.communicate()[0])
        sys.exit(distinct != asked.count or len(found) != asked.count)


def _link(films: Path, archive: Path, count: int) -> None:
    """Fill the archive with `count` names of the films; symbolic where a disk ends in between."""
    originals = sorted(path.resolve() for path in films.rglob("*.*") if path.is_file())
    for number in range(count):
        film = originals[number % len(originals)]
        link = archive / f"{number // 1000:04d}" / f"{number:08d}{film.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            link.hardlink_to(film)
        except OSError:
            link.symlink_to(film)


def _watch(run: subprocess.Popen[str], table: Path, until: int, began: float) -> None:
    """Print memory every few seconds until so many shards are there, or the run has ended."""
    last = 0.0
    while run.poll() is None and len(shards(table)) < until:
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            memory = _resident(run.pid) / 2**20
            print(f"{_clock(began)} {len(shards(table)):6d} shards, {memory:7.1f} MiB", flush=True)
        time.sleep(0.1)


def _resident(group: int) -> int:
    """Return the bytes of memory of a process group that are its own or shared, each page once."""
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int((path / "stat").read_text().rpartition(")")[2].split()[3]) == group:
                sizes = (path / "smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in sizes if line.startswith("Pss:"))
        except (OSError, StopIteration):  # it ended while we looked
            continue
    return total * 1024


def _clock(began: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - began), 60)
    return f"{minutes:3d}:{seconds:02d}"


if __name__ == "__main__":
    main()
