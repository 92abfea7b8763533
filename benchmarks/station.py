"""The reading station under load, beside the same worklist from a bare FastAPI application.

100 readers fetch the worklist, each on a connection of its own and with a pause between looks,
while images are uploaded. The bare application answers the very bytes of the first worklist, with
nothing behind it: its time is the web server's and the client's, and the difference is ours.
Client, service and judging share the cores. Targets: no error, p95 of the worklist under 500 ms.

    python benchmarks/station.py --seconds 30
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic, perf_counter

import httpx2
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from lungflag.phantom import make_phantom

TARGET = 0.5
WORKLIST = "/api/v1/studies?limit=50"

BARE = """
import sys, uvicorn
from fastapi import FastAPI, Response
app, body = FastAPI(), open(sys.argv[1], "rb").read()
@app.get("/api/v1/studies")
def studies() -> Response:
    return Response(body, media_type="application/json")
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
"""


@dataclass
class Seen:
    """What clients saw of one kind of request."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def percentile(self, which: float) -> float:
        return float(np.percentile(self.seconds, which)) if self.seconds else float("nan")


def pictures(n: int) -> list[bytes]:
    """Return PNG files of different phantoms, 1024 x 1024."""
    found = []
    bases = [make_phantom(seed, pneumonia=seed % 2 == 1, size=1024).pixels for seed in range(4)]
    for k in range(n):
        grey = bases[k % 4]
        grey = (grey - grey.min()) / (grey.max() - grey.min()) * 250
        noise = np.random.default_rng(k).integers(0, 5, grey.shape)
        target = io.BytesIO()
        Image.fromarray((grey + noise).astype(np.uint8)).save(target, "PNG", compress_level=1)
        found.append(target.getvalue())
    return found


async def look(client: httpx2.AsyncClient, seen: Seen, until: float, pause: float, k: int) -> None:
    """Be a reader: look at the list, wait a while, look again."""
    random = Random(k)
    await asyncio.sleep(random.uniform(0, pause))
    while monotonic() < until:
        started = perf_counter()
        try:
            answer = await client.get(WORKLIST)
            seen.seconds.append(perf_counter() - started)
            if answer.status_code != 200 or b'"items"' not in answer.content:
                seen.errors.append(f"{answer.status_code} {answer.text[:100]}")
        except httpx2.HTTPError as error:
            seen.errors.append(repr(error))
        await asyncio.sleep(random.uniform(0.5, 1.5) * pause)


async def upload(
    client: httpx2.AsyncClient, seen: Seen, films: list[bytes], rate: float, until: float
) -> None:
    """Upload a film every ``1 / rate`` seconds, whether or not the last one was answered."""

    async def one(content: bytes) -> None:
        started = perf_counter()
        try:
            answer = await client.post(
                "/api/v1/images", content=content, headers={"Content-Type": "image/png"}
            )
            seen.seconds.append(perf_counter() - started)
            if answer.status_code not in (201, 202):
                seen.errors.append(f"{answer.status_code} {answer.text[:200]}")
        except httpx2.HTTPError as error:
            seen.errors.append(repr(error))

    began = monotonic()
    tasks = []
    for k, film in enumerate(films):
        await asyncio.sleep(max(0.0, began + k / rate - monotonic()))
        if monotonic() >= until:
            break
        tasks.append(asyncio.create_task(one(film)))
    await asyncio.gather(*tasks)


async def measure(url: str, films: list[bytes], asked: argparse.Namespace) -> tuple[Seen, Seen]:
    """Run readers and uploads against one address."""
    lists, uploads = Seen(), Seen()
    alone = httpx2.Limits(max_connections=1, max_keepalive_connections=1)
    # Without TLS there is nothing to verify, and 100 clients would read 100 lists of authorities.
    readers = [
        httpx2.AsyncClient(base_url=url, limits=alone, timeout=30, verify=False)
        for _ in range(asked.readers)
    ]
    sender = httpx2.AsyncClient(base_url=url, timeout=30, verify=False)
    until = monotonic() + asked.seconds
    try:
        work = [look(one, lists, until, asked.pause, k) for k, one in enumerate(readers)]
        if films:
            work.append(upload(sender, uploads, films, asked.rate, until))
        await asyncio.gather(*work)
    finally:
        for client in (*readers, sender):
            await client.aclose()
    return lists, uploads


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start `lungflag serve`; return it and the station's address."""
    port = free_port()
    settings = {
        "FOLDER": folder, "MODEL": "phantom", "PORT": free_port(), "HTTP_PORT": free_port(),
        "STATION_PORT": port, "WORKERS": 1, "KEEP_FREE_MIB": 0, "LOG_LEVEL": "warning",
        "REQUESTS_A_MINUTE": 1_000_000,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "lungflag", "serve"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **{f"LUNGFLAG_{name}": str(value) for name, value in settings.items()}},
    )
    assert process.stdout is not None
    if not any(line.startswith("ready") for line in process.stdout):
        raise RuntimeError("the service did not start")
    return process, f"http://127.0.0.1:{port}"


def serve_bare(body: Path) -> tuple[subprocess.Popen[str], str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", BARE, str(body), str(port)], text=True)
    url = f"http://127.0.0.1:{port}"
    deadline = monotonic() + 30
    while monotonic() < deadline:
        try:
            httpx2.get(url + WORKLIST)
            return process, url
        except httpx2.HTTPError:
            if process.poll() is not None:
                break
    raise RuntimeError("the bare application did not start")


def wait_for_all(url: str) -> int:
    """Return how many studies there are, when all have been judged."""
    deadline = monotonic() + 300
    while monotonic() < deadline:
        page = httpx2.get(url + WORKLIST).json()
        if page["counts"]["waiting"] == 0:
            return sum(page["counts"][name] for name in ("unread", "read"))
    raise RuntimeError("judging takes too long")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--rate", type=float, default=5.0, help="uploads a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--pause", type=float, default=2.0, help="between a reader's looks")
    parser.add_argument("--before", type=int, default=60, help="studies that are there before")
    asked = parser.parse_args()
    films = pictures(asked.before + int(asked.rate * asked.seconds) + 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process, url = serve(folder / "service")
        try:
            before = Seen()
            first = httpx2.AsyncClient(base_url=url, timeout=60)
            asyncio.run(upload(first, before, films[: asked.before], 10.0, monotonic() + 120))
            wait_for_all(url)
            body = folder / "worklist.json"
            body.write_bytes(httpx2.get(url + WORKLIST).content)
            lists, uploads = asyncio.run(measure(url, films[asked.before :], asked))
            quiet, _ = asyncio.run(measure(url, [], asked))
            there = wait_for_all(url)
        finally:
            process.terminate()
            process.wait(60)
        process, url = serve_bare(body)
        try:
            bare, _ = asyncio.run(measure(url, [], asked))
        finally:
            process.terminate()
            process.wait(60)
        size = body.stat().st_size
    show(asked, size, {"station, with uploads": lists, "station, without": quiet,
                       "bare FastAPI, same bytes": bare, "uploads": uploads})  # fmt: skip
    Console().print(f"{there} studies in the worklist at the end")
    errors = [*before.errors, *lists.errors, *quiet.errors, *uploads.errors]
    for one in errors[:5]:
        Console().print(one, markup=False)
    sys.exit(0 if not errors and lists.percentile(95) < TARGET else 1)


def show(asked: argparse.Namespace, size: int, rows: dict[str, Seen]) -> None:
    cores = len(os.sched_getaffinity(0))
    table = Table(
        title=f"{asked.readers} readers, {asked.rate:g} uploads/s, {cores} cores, "
        f"worklist of {size / 1000:.0f} kB"
    )
    for column in ("request", "n", "a second", "errors", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "request" else "right")
    for name, seen in rows.items():
        figures = (f"{1000 * seen.percentile(p):.0f}" for p in (50, 95, 99))
        n = len(seen.seconds)
        table.add_row(name, str(n), f"{n / asked.seconds:.1f}", str(len(seen.errors)), *figures)
    Console().print(table)


if __name__ == "__main__":
    main()
