"""Measure a quality gate on pictures that its fitting never saw.

python runs/gate/measure.py GATE --data ../shared/data --bank BANK [--json FILE]

GATE is a folder of gate.onnx and gate.json, or a model package with a gate. Films are of one
patient in five, whom no fit saw, one film a patient; what is no film comes from the sources of
BANK/proof.npz. Rates have 95% intervals (Wilson). Pictures of one source are no independent
sample: of CT there are two persons, of MR two heads.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from films import Film, guangzhou, nih

from lungflag.errors import QualityError
from lungflag.package import ModelPackage
from lungflag.preprocess import Preprocess
from lungflag.quality.gate import QualityGate
from lungflag.training.gate import load_gate
from lungflag.training.gate.views import cropped, varied

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    Square = NDArray[np.uint8]

MOST = 500


def open_gate(folder: Path) -> QualityGate:
    """Return the gate of a package, or one that stands alone."""
    if (folder / "package.json").exists():
        package = ModelPackage.read(folder)
        return QualityGate.load(package.gate, package.gate_bytes(), folder, threads=1)
    return QualityGate.load(*load_gate(folder), folder, threads=1)


def one_a_patient(films: Iterable[Film]) -> list[Film]:
    """Return the first proof film of every patient."""
    first: dict[str, Film] = {}
    for film in films:
        if film.part == "proof":
            first.setdefault(film.patient, film)
    return list(first.values())[:MOST]


def outcome(gate: QualityGate, picture: Square) -> str:
    """Return ``accepted``, ``marked`` or the code of the rejection."""
    how = gate.settings
    square = Preprocess(how.size, how.low, how.high)(picture.astype(np.float32) / 255)
    if square.min() == square.max():
        return "blank"
    try:
        look = gate.check(square, picture.shape, "picture")
    except QualityError as error:
        return error.code
    return "marked" if gate.marks(look) else "accepted"


def groups(data: Path, bank: Path) -> Iterator[tuple[str, bool, Iterator[Square]]]:
    """Yield name, whether its pictures should pass, and the pictures."""
    for name, films in (
        ("guangzhou", one_a_patient(guangzhou(data))),
        ("nih", one_a_patient(nih(data))),
    ):

        def each(change, films=films):
            rng = np.random.default_rng(5)
            return (np.ascontiguousarray(change(film.square(), rng)) for film in films)

        yield f"{name}: as they are", True, each(lambda film, _: film)
        yield f"{name}: other devices, crops, borders", True, each(varied)
        yield f"{name}: inverted", False, each(lambda film, _: 255 - film)
        for quarters, degrees in ((1, 90), (2, 180), (3, 270)):
            yield (
                f"{name}: rotated by {degrees}", False,
                each(lambda film, _, k=quarters: np.rot90(film, -k)),
            )  # fmt: skip
        yield f"{name}: badly cropped", False, each(cropped)
    held = np.load(bank / "proof.npz")
    for name in held.files:
        yield name, False, iter(held[name])


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return the 95% interval of a proportion (Wilson, JASA 1927)."""
    z, p = 1.959964, k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gate", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    gate = open_gate(args.gate)
    record = {}
    for name, passes, pictures in groups(args.data, args.bank):
        codes = Counter(outcome(gate, picture) for picture in pictures)
        n = codes.total()
        through = codes["accepted"] + codes["marked"]
        right = through if passes else n - through
        low, high = wilson(right, n)
        what = "accepted" if passes else "rejected"
        print(f"{name:42s} {what} {right / n:.4f} [{low:.4f}, {high:.4f}] of {n:4d}  "
              f"{dict(codes.most_common())}", flush=True)  # fmt: skip
        record[name] = {
            "should_pass": passes, "n": n, "right": right, "rate": right / n,
            "interval": [low, high], "outcomes": dict(codes),
        }  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
