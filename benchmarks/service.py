"""The service beside a bare receiver that only writes files: `python benchmarks/service.py`.

Both receive the same DX objects of 2 to 12 MB from dcmtk's storescu, in one run, on one machine.

- rate: objects a second from the first C-STORE to the last outcome, over the bare receiver's, in
  rounds in turn: median, smallest and largest
- latency: at half that rate, from the start of a C-STORE to the committed outcome

The bare receiver is pynetdicom with a handler that writes the received bytes. Exit code 1 where a
target is missed. With --soak MINUTES it sends small ones at the highest rate for so long instead,
and says how the memory of each process grows after warm-up.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import DigitalXRayImageStorageForPresentation
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text

from lungflag.phantom import make_phantom
from lungflag.phantom.dicom import to_dicom

SIDES = (1024, 1448, 2048, 2508)  # 2, 4, 8 and 12 MB of 12 bits in 16
RATE, LATENCY = 0.6, 2.0
ROUNDS = 3

BARE = """
import sys
from pathlib import Path
from pynetdicom import AE, evt
from pynetdicom.sop_class import DigitalXRayImageStorageForPresentation

folder = Path(sys.argv[1])

def store(event):
    name = event.request.AffectedSOPInstanceUID
    (folder / f"{name}.dcm").write_bytes(event.encoded_dataset())
    return 0x0000

ae = AE("BARE")
ae.add_supported_context(DigitalXRayImageStorageForPresentation)
ae.start_server(("127.0.0.1", int(sys.argv[2])), evt_handlers=[(evt.EVT_C_STORE, store)])
"""


def objects(folder: Path, n: int, sides: tuple[int, ...] = SIDES) -> list[Path]:
    """Write `n` DX objects, the sizes in turn, each its own study of its own patient."""
    folder.mkdir()
    paths = []
    for k in range(n):
        phantom = make_phantom(k % 8, pneumonia=k % 2 == 1, size=512)
        dataset = to_dicom(phantom)
        side = sides[k % len(sides)]
        small = np.frombuffer(dataset.PixelData, np.uint16).reshape(dataset.Rows, dataset.Columns)
        image = Image.fromarray(small.astype(np.int32)).resize(
            (side, side), Image.Resampling.BICUBIC
        )
        noise = np.random.default_rng(k).integers(
            -6, 7, (side, side)
        )  # film grain: nothing is free
        dataset.PixelData = np.clip(np.asarray(image) + noise, 0, 4095).astype(np.uint16).tobytes()
        dataset.Rows = dataset.Columns = side
        for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            setattr(dataset, name, generate_uid(entropy_srcs=[name, str(k)]))
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        paths.append(folder / f"{k:05}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block ends, from when its port answers."""
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} does not listen") from None
                time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def send(paths: list[Path], title: str, port: int) -> float:
    """Return the seconds that storescu takes for all of them in one association."""
    started = time.perf_counter()
    subprocess.run(
        ["storescu", "-aec", title, "127.0.0.1", str(port), *map(str, paths)], check=True
    )
    return time.perf_counter() - started


class Outcomes:
    """The ledger of a running service, read only."""

    def __init__(self, folder: Path) -> None:
        self.engine = create_engine(f"sqlite:///file:{folder / 'ledger.db'}?mode=ro&uri=true")

    def count(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM outcomes")).scalar_one())

    def wait(self, n: int) -> None:
        deadline = time.monotonic() + 600
        while self.count() < n:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.count()} of {n} outcomes after ten minutes")
            time.sleep(0.05)

    def decided(self) -> dict[str, datetime]:
        query = "SELECT sop_instance_uid, decided_at FROM outcomes JOIN jobs ON jobs.id = job_id"
        with self.engine.connect() as connection:
            rows = connection.execute(text(query)).all()
        return {uid: datetime.fromisoformat(at).replace(tzinfo=UTC) for uid, at in rows}


def paced(paths: list[Path], port: int, rate: float) -> dict[str, datetime]:
    """Send one object every 1/rate seconds; return when each C-STORE began."""
    ae = AE("BENCH")
    ae.add_requested_context(DigitalXRayImageStorageForPresentation)
    association = ae.associate("127.0.0.1", port, ae_title="LUNGFLAG")
    began, start = {}, time.monotonic()
    for k, path in enumerate(paths):
        dataset = dcmread(path)
        time.sleep(max(0.0, start + k / rate - time.monotonic()))
        began[str(dataset.SOPInstanceUID)] = datetime.now(UTC)
        status = association.send_c_store(dataset)
        if status.Status != 0:
            raise RuntimeError(f"C-STORE was answered {status.Status:#06x}")
    association.release()
    return began


def renamed(paths: list[Path], folder: Path, mark: str) -> list[Path]:
    """Write the same pixels as other instances."""
    folder.mkdir()
    for path in paths:
        dataset = dcmread(path)
        for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            setattr(dataset, name, generate_uid(entropy_srcs=[name, path.name, mark]))
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(folder / path.name, enforce_file_format=True)
    return sorted(folder.iterdir())


@contextmanager
def service(folder: Path, model: str) -> Iterator[tuple[int, Outcomes, subprocess.Popen[bytes]]]:
    """Run `lungflag serve` in `folder`, its results going to files."""
    port = free_port()
    target = {"name": "out", "kind": "files", "address": str(folder / "out")}
    inline = ", ".join(f"{key} = {json.dumps(value)}" for key, value in target.items())
    with running(
        [str(Path(sys.executable).with_name("lungflag")), "serve"], port,
        LUNGFLAG_FOLDER=str(folder), LUNGFLAG_PORT=str(port), LUNGFLAG_MODEL=model,
        LUNGFLAG_HTTP_PORT=str(free_port()), LUNGFLAG_TARGETS=f"[{{{inline}}}]",
    ) as process:  # fmt: skip
        yield port, Outcomes(folder), process


def memory(group: int) -> dict[str, float]:
    """Return the resident MiB of each process of a group, by its command line and number."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if (
                os.getpgid(int(stat.parent.name)) != group
                and os.getsid(int(stat.parent.name)) != group
            ):
                continue
            words = (stat.parent / "cmdline").read_bytes().split(b"\0")
            pages = int((stat.parent / "statm").read_text().split()[1])
        except (OSError, ProcessLookupError):
            continue
        name = b" ".join(words[-4:]).decode(errors="replace").strip()
        found[f"{stat.parent.name} {name[-60:]}"] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return found


def compare(folder: Path, n: int, model: str) -> bool:
    """Measure rates and latencies; return whether the targets are met."""
    paths = objects(folder / "objects", n)
    size = sum(path.stat().st_size for path in paths) / 1e6
    bare_port, bares, rates = free_port(), [], []
    kept = folder / "bare"
    kept.mkdir()
    command = [sys.executable, "-c", BARE, str(kept), str(bare_port)]
    with (
        running(command, bare_port),
        service(folder / "service", model) as (port, outcomes, _),
    ):
        warm = renamed(paths[:8], folder / "warm", "warm")
        send(warm, "BARE", bare_port)
        send(warm, "LUNGFLAG", port)
        outcomes.wait(len(warm))
        for turn in range(ROUNDS):
            batch = renamed(paths, folder / f"round{turn}", f"round {turn}")
            os.sync()  # what was written before is nobody's work now
            bares.append(n / send(batch, "BARE", bare_port))
            for path in kept.iterdir():
                path.unlink()
            os.sync()
            started = time.perf_counter()
            send(batch, "LUNGFLAG", port)
            outcomes.wait(len(warm) + (1 + turn) * n)
            rates.append(n / (time.perf_counter() - started))
        ratios = np.divide(rates, bares)
        again = renamed(paths, folder / "again", "again")
        began = paced(again, port, float(np.median(rates)) / 2)
        outcomes.wait(len(warm) + (1 + ROUNDS) * n)
        decided = outcomes.decided()
    waits = np.array([(decided[uid] - at).total_seconds() for uid, at in began.items()])
    p50, p95 = np.percentile(waits, [50, 95])
    table = Table(title=f"{n} DX objects of 2 to 12 MB, {size:.0f} MB in all")
    for column in ("figure", "value", "target"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    table.add_row("bare receiver, objects/s", spread(bares), "")
    table.add_row("C-STORE to outcome, objects/s", spread(rates), "")
    table.add_row("ratio", spread(ratios), f">= {RATE}")
    table.add_row("latency at half that rate, p50", f"{p50:.2f} s", "")
    table.add_row("latency at half that rate, p95", f"{p95:.2f} s", f"<= {LATENCY} s")
    Console().print(table)
    return bool(np.median(ratios) >= RATE and p95 <= LATENCY)


def spread(values: Sequence[float]) -> str:
    """Return median, smallest and largest."""
    return f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def soak(folder: Path, minutes: float, model: str) -> bool:
    """Send as fast as outcomes come, and watch the memory."""
    # Small ones: the service keeps them all, and ten minutes of large ones fill a disk.
    paths = objects(folder / "objects", 16, (512,))
    with service(folder / "service", model) as (port, outcomes, process):
        sent, seen = 0, []
        started = time.monotonic()
        while time.monotonic() - started < minutes * 60:
            batch = renamed(paths, folder / f"batch{sent}", str(sent))
            send(batch, "LUNGFLAG", port)
            sent += len(batch)
            outcomes.wait(sent - len(batch))
            for path in batch:
                path.unlink()
            seen.append((time.monotonic() - started, sent, memory(process.pid)))
        outcomes.wait(sent)
        seconds = time.monotonic() - started
    warm = next(one for one in seen if one[0] > 0.2 * seconds)[2]
    last = seen[-1][2]
    table = Table(title=f"{sent} objects in {seconds / 60:.1f} min: {sent / seconds:.2f}/s")
    for column in ("process", "MiB after warm-up", "MiB at the end", "growth"):
        table.add_column(column)
    growths = []
    for name in sorted(set(warm) & set(last)):
        growths.append(last[name] / warm[name] - 1)
        table.add_row(name, f"{warm[name]:.0f}", f"{last[name]:.0f}", f"{growths[-1]:+.1%}")
    total = sum(last.values()) / sum(warm.values()) - 1
    table.add_row("all", f"{sum(warm.values()):.0f}", f"{sum(last.values()):.0f}", f"{total:+.1%}")
    Console(width=120).print(table)
    return total < 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--model", default="guangzhou")
    parser.add_argument("--soak", type=float, metavar="MINUTES")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.soak:
            met = soak(Path(folder), asked.soak, asked.model)
        else:
            met = compare(Path(folder), asked.n, asked.model)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
