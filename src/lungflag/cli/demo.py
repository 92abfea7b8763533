"""`lungflag demo`: the whole service on synthetic studies, for a first look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from pydicom import Dataset

    from lungflag.service.ledger.rows import Recent

MODEL = "phantom"
POINT = "balanced"
FIRST_SEED = 1

_WAIT_SECONDS = 60.0
_TITLE = "DEMO"


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where everything is kept.")] = Path(
        "demo"
    ),
    n: Annotated[int, typer.Option("--n", min=1, max=500, help="Synthetic studies to send.")] = 12,
    once: Annotated[
        bool, typer.Option("--once", help="End after the summary, as without a terminal.")
    ] = False,
) -> None:
    """Start the service on free ports, send it synthetic studies, and show the worklist.

    Phantoms arrive by C-STORE as from a modality, are judged by the small package that knows them,
    and stand in the worklist, at the address that is printed. Ctrl-C ends it; what was read is
    there again the next time.

    Example: lungflag demo
    """
    from lungflag._extras import require
    from lungflag.cli._console import output, say

    for module in ("sqlalchemy", "pynetdicom", "highdicom", "argon2"):
        require(module, feature="lungflag demo", extra="station")

    films = list(_films(folder / "studies", n))
    port, http_port, station_port = _free_ports(3)
    with _service(folder / "service", port, http_port, station_port) as process:
        _send(films, port)
        judged = _wait(folder / "service", [str(film.SOPInstanceUID) for film in films])
        _show(judged, films)
        say(f"The worklist: http://127.0.0.1:{station_port}/")
        if once or not output.is_terminal:
            return
        say("Open it in a browser; Ctrl-C ends the demo.")
        output.file.flush()
        _until_interrupted(process)


def _films(folder: Path, n: int) -> Iterator[Dataset]:
    """Yield the studies, made only where an earlier demo has not left them; the last is blank."""
    from pydicom import dcmread
    from rich.progress import track

    from lungflag.cli._console import errors
    from lungflag.phantom import make_phantom, write_dicom

    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(FIRST_SEED, FIRST_SEED + n)
    quiet = not errors.is_terminal
    for seed in track(
        numbers, description="making phantoms", console=errors, transient=True, disable=quiet
    ):
        path = folder / f"{seed:04}.dcm"
        if not path.exists():
            write_dicom(make_phantom(seed, pneumonia=seed % 3 == 1), path)
        film = dcmread(path)
        if n > 1 and seed == numbers[-1]:
            film.PixelData = bytes(len(film.PixelData))  # what may not be judged is shown too
        yield film


def _free_ports(n: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    import socket

    taken = [socket.socket() for _ in range(n)]
    try:
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in taken]
    finally:
        for one in taken:
            one.close()


def _service(
    folder: Path, port: int, http_port: int, station_port: int
) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run `lungflag serve` from when it is ready until the block ends."""
    import os
    import subprocess
    import sys
    from contextlib import contextmanager

    from lungflag.errors import ServiceError

    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "FOLDER": folder, "MODEL": MODEL, "OPERATING_POINT": POINT, "PORT": port,
        "HTTP_PORT": http_port, "STATION_PORT": station_port, "HOST": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1", "STATION_HOST": "127.0.0.1", "STATION_SIGN_IN": "auto",
        "WORKERS": 1, "KEEP_FREE_MIB": 64,
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUNGFLAG_")}
    environment = kept | {f"LUNGFLAG_{name}": str(value) for name, value in settings.items()}

    @contextmanager
    def run() -> Iterator[subprocess.Popen[str]]:
        log = folder / "service.log"
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "lungflag", "serve"],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        try:
            if process.stdout is None or not any(
                line.startswith("ready") for line in process.stdout
            ):
                last = log.read_text("utf-8").strip().splitlines()[-1:]
                raise ServiceError(f"the service did not start: {''.join(last) or log}")
            yield process
        finally:
            _stop(process)

    return run()


def _stop(process: subprocess.Popen[str]) -> None:
    """End the service, as gently as it lets itself be ended."""
    import subprocess

    process.terminate()
    try:
        process.wait(_WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _send(films: Sequence[Dataset], port: int) -> None:
    """Send the films by C-STORE, as a modality does.

    Raises
    ------
    ServiceError
        If one is not taken.
    """
    from pydicom.uid import DigitalXRayImageStorageForPresentation

    from lungflag.errors import ServiceError
    from lungflag.service.requestor import Requestor

    modality = Requestor(_TITLE, connect_seconds=10.0, answer_seconds=_WAIT_SECONDS)
    modality.add_requested_context(DigitalXRayImageStorageForPresentation)
    association = modality.associate("127.0.0.1", port, ae_title="LUNGFLAG")
    if not association.is_established:
        raise ServiceError("the service does not let the demo in")
    try:
        for film in films:
            status = association.send_c_store(film)
            if "Status" not in status or status.Status != 0:
                raise ServiceError("the service did not take a study")
    finally:
        association.release()


def _wait(folder: Path, uids: Sequence[str]) -> dict[str, Recent]:
    """Return what became of the films, by SOP Instance UID, when all are judged.

    Raises
    ------
    ServiceError
        If that takes too long.
    """
    from time import monotonic, sleep

    from lungflag.errors import ServiceError
    from lungflag.service.ledger import Ledger

    deadline = monotonic() + _WAIT_SECONDS + len(uids)
    with Ledger.open(f"sqlite:///{folder.absolute() / 'ledger.db'}") as ledger:
        while True:
            recent = ledger.recent(2 * len(uids) + 1000)
            ours = {one.sop_instance_uid: one for one in recent if one.outcome is not None}
            if all(uid in ours for uid in uids):
                return {uid: ours[uid] for uid in uids}
            if monotonic() > deadline:
                raise ServiceError(f"judging takes too long; see {folder / 'service.log'}")
            sleep(0.1)


def _show(judged: dict[str, Recent], films: Sequence[Dataset]) -> None:
    """Print who was flagged, the likeliest first."""
    from lungflag.cli._console import narrow_table, output, say

    names = {str(film.SOPInstanceUID): str(film.PatientID) for film in films}
    outcomes = [(names[uid], one.outcome) for uid, one in judged.items() if one.outcome]
    # Rejected ones come last: they have no probability.
    outcomes.sort(key=lambda item: 1.0 if item[1].probability is None else -item[1].probability)
    table = narrow_table(f"{len(outcomes)} synthetic studies came by C-STORE")
    for column in ("patient", "probability", "outcome"):
        table.add_column(column, justify="right" if column == "probability" else "left")
    for name, outcome in outcomes:
        if outcome.probability is None:
            table.add_row(name, "", f"rejected: {outcome.code}", style="dim")
        elif outcome.flagged:
            table.add_row(name, f"{outcome.probability:.0%}", "[bold yellow]flagged[/]")
        else:
            table.add_row(name, f"{outcome.probability:.0%}", "not flagged")
    output.print(table)
    flagged = sum(bool(outcome.flagged) for _, outcome in outcomes)
    rejected = sum(outcome.probability is None for _, outcome in outcomes)
    say(
        f"{flagged} flagged at the operating point {POINT}, "
        f"{len(outcomes) - flagged - rejected} not flagged, {rejected} rejected. "
        "Not for diagnostic use."
    )


def _until_interrupted(process: subprocess.Popen[str]) -> None:
    """Return when a person presses Ctrl-C, the machine says stop, or the service has ended."""
    import signal
    from contextlib import suppress

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        process.wait()
