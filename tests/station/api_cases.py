"""Schemathesis over the station's own description: ``python -m tests.station.api_cases``.

A real station on a real port with findings in it is asked what the description allows and what it
forbids. No answer may be a server's error, undocumented, of another type or shape than described,
or given to somebody without credentials.

Two passes: with a key of all scopes where sign-in is needed, and as the admin of a machine where
nobody signs in, so that accounts are changed too. ``GET /events`` never ends and is left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any

from tests.station.api.reading_room import judged, judging, phantom, picture, serving
from tests.station.desk import desk_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
# A fault of CPython 3.11 in the tool's own process (python/cpython#106905): no request was made.
CPYTHONS = "AST constructor recursion depth mismatch"
ENDLESS = "/api/v1/events"

_PROGRAM = Path(sys.executable).with_name("schemathesis")


@dataclass(frozen=True)
class Pass:
    """What one run of schemathesis did.

    Attributes
    ----------
    name : str
        Which.
    cases : int
        How many requests were judged.
    statuses : Counter
        Status to how often it was answered.
    failures : tuple of str
        What is wrong, a line each.
    """

    name: str
    cases: int
    statuses: Counter[str]
    failures: tuple[str, ...]


def run_cases(folder: Path, examples: int, seed: int) -> Iterator[Pass]:
    """Yield both passes, with at most so many examples an operation and phase."""
    for name, sign_in in (("key", "always"), ("admin", "auto")):
        settings = desk_settings(folder / name, station_sign_in=sign_in)
        with serving(settings) as room, judging(room):
            machine = room.machine()
            for n in (1, 2, 3):
                judged(machine, phantom(n))
                judged(machine, picture(n))
            checks, lines = [*CHECKS], [f"seed = {seed}"]
            if sign_in == "always":
                checks.append("ignored_auth")
                key = machine.headers["Authorization"].removeprefix("Bearer ")
                lines += ["[auth.openapi.key]", f'bearer = "{key}"']
            (folder / name / "schemathesis.toml").write_text("\n".join(lines), encoding="utf-8")
            options = ["--checks", ",".join(checks), "-n", str(examples)]
            yield _run(name, f"http://127.0.0.1:{room.port}", folder / name, options)


def _run(name: str, url: str, folder: Path, options: list[str]) -> Pass:
    report = folder / "report.ndjson"
    command = [
        str(_PROGRAM),
        "run",
        f"{url}/api/v1/openapi.json",
        *("--url", url, "--workers", "2", "--continue-on-failure", "--exclude-path", ENDLESS),
        *("--request-timeout", "60", "--no-color", "--no-shrink", "--warnings", "off"),
        *("--suppress-health-check", "all", "--generation-database", "none"),
        *("--report", "ndjson", "--report-ndjson-path", str(report)),
        *options,
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    statuses: Counter[str] = Counter()
    failures: list[str] = []
    with report.open(encoding="utf-8") as lines:
        for line in lines:
            _count(json.loads(line), statuses, failures)
    if done.returncode and not failures and CPYTHONS not in done.stdout:
        failures.append(done.stdout[-3000:] + done.stderr[-3000:])
    return Pass(name, sum(statuses.values()), statuses, tuple(failures))


def _count(event: dict[str, Any], statuses: Counter[str], failures: list[str]) -> None:
    """Count the answers that an event of the report tells of, and what was wrong with them."""
    error = event.get("NonFatalError") or event.get("FatalError")
    if error is not None and CPYTHONS not in error["value"]["message"]:
        failures.append(f"{error.get('label', '')}: {error['value']}")
    recorder = event.get("ScenarioFinished", {}).get("recorder", {})
    for interaction in recorder.get("interactions", {}).values():
        if interaction.get("response") is not None:
            statuses[str(interaction["response"]["status_code"])] += 1
    for checks in recorder.get("checks", {}).values():
        for one in checks:
            if one["status"] == "failure":
                told = one["failure_info"]["failure"]
                failures.append(f"{told['operation']}: {told['title']}: {told['message']}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run both passes until there are enough cases; return 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="how many at least")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--examples", type=int, default=200, help="an operation and round")
    given = parser.parse_args()
    cases, failures, statuses = 0, 0, Counter[str]()
    seed, started = given.seed, monotonic()
    while cases < given.cases:
        with TemporaryDirectory() as folder:
            for one in run_cases(Path(folder), given.examples, seed):
                cases += one.cases
                statuses += one.statuses
                failures += len(one.failures)
                _say(f"seed {seed}, {one.name}: {one.cases:,} cases")
                for line, n in Counter(one.failures).most_common(20):
                    _say(f"  {n} times {line}")
        seed += 1
    told = ", ".join(f"{status}: {n:,}" for status, n in sorted(statuses.items()))
    _say(f"{cases:,} cases in {monotonic() - started:.0f} s, {failures} failures ({told})")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
