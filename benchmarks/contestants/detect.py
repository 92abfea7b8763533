"""lungflag: every file of a folder to its Outcome, two at once."""

import sys
from pathlib import Path

from turns import take_turns

from lungflag.detector import Detector
from lungflag.outcome import Finding

PASSES = 3  # a round is long enough for the clock


def main(folder: Path) -> None:
    films = sorted(folder.rglob("*.*"))
    detector = Detector.load(threads=1)

    def work() -> int:
        outcomes = list(detector.detect_many(films * PASSES, jobs=2))
        assert all(isinstance(outcome, Finding) for outcome in outcomes)
        return len(outcomes)

    take_turns(work)


main(Path(sys.argv[1]))
