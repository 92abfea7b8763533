"""Measure lungflag beside other tools, on this machine: `make bench`, or with FIGURES=jpeg some.

    python benchmarks/run.py --peers .cache/peers/bin/python [FIGURE...]

Every figure is a ratio of two programs that took turns in one session. All of them together write
docs/benchmarks.md. Exit code 1 where one misses its bar.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from figures import FIGURES, Setting
from measure import Figure

DOCS = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


def main() -> int:
    """Measure what was asked, print it, and write it down if it was everything."""
    lines = "\n".join(f"  {name:9} {one.__doc__}" for name, one in FIGURES.items())
    wanted = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"figures:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    wanted.add_argument("figures", nargs="*", choices=[*FIGURES, []], metavar="FIGURE")
    wanted.add_argument("--peers", required=True, help="the Python that has the peers")
    wanted.add_argument("--rounds", type=int, default=5, help="how often each takes its turn")
    asked = wanted.parse_args()
    console = Console()
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="lungflag-bench-") as place:
        for name in asked.figures or FIGURES:
            folder = Path(place) / name
            folder.mkdir()
            with console.status(f"{name}: {FIGURES[name].__doc__}"):
                for figure in FIGURES[name](Setting(asked.peers, folder, asked.rounds)):
                    found.append(figure)
                    console.print(f"{figure.what}, beside {figure.beside}: {_said(figure)}")
    console.print(_table(found))
    if not asked.figures:
        DOCS.write_text(_page(found), encoding="utf-8")
    return 0 if all(figure.met for figure in found) else 1


def _said(figure: Figure) -> str:
    unit = f" {figure.unit}" if figure.unit else ""
    spread = f" ({min(figure.ratios):.3g} to {max(figure.ratios):.3g})"
    return f"{median(figure.ratios):.3g}{unit}{spread if len(figure.ratios) > 1 else ''}"


def _bar(figure: Figure) -> str:
    unit = f" {figure.unit}" if figure.unit else ""
    return f"{'at most' if figure.most else 'at least'} {figure.bar:g}{unit}"


def _table(found: list[Figure]) -> Table:
    table = Table("figure", "beside", "ratio", "bar", "")
    for figure in found:
        verdict = "met" if figure.met else "[bold red]MISSED"
        table.add_row(figure.what, figure.beside, _said(figure), _bar(figure), verdict)
    return table


def _page(found: list[Figure]) -> str:
    rows = "\n".join(
        f"| {one.what} | {one.beside} | {one.seen} | **{_said(one)}** | {_bar(one)} "
        f"| {'met' if one.met else 'missed'} |"
        for one in found
    )
    notes = "\n".join(f"- {note}" for note in dict.fromkeys(one.note for one in found) if note)
    return f"""# Benchmarks

`make bench` measures this page and writes it. Programs that are compared take turns in one session
on the same files; a ratio is the median over the rounds, with the smallest and the largest. Peers
have random weights: nothing here says how well they judge. Where a bar is missed,
[speed.md](speed.md) says what binds.

{_machine()}

| figure | beside | ours and theirs (medians) | ratio | bar | |
|---|---|---|---|---|---|
{rows}

{notes}

The station under load, the viewer and the service have benchmarks of their own:
`benchmarks/station.py`, `viewer.py`, `service.py`; their figures stand in
[monitoring.md](monitoring.md), [reading-station.md](reading-station.md) and
[service.md](service.md).

A new figure is one function of `benchmarks/figures.py`; a new peer is one program in
`benchmarks/contestants/`, which works a round for every line that it reads.
"""


def _machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    cores = sum(
        line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines()
    )
    tools = ", ".join(
        f"{name} {version(name)}" for name in ("onnxruntime", "pillow", "pydicom", "torch", "ray")
    )
    peers = (Path(__file__).with_name("peers.txt")).read_text().split("\n")[1:]
    return (
        f"Measured on {model}, {cores} virtual cores, {memory:.0f} GiB, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}, {tools}; peers: "
        f"{', '.join(filter(None, peers)).replace('==', ' ')}."
    )


if __name__ == "__main__":
    sys.exit(main())
