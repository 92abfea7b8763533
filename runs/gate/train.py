"""Fit the quality gate and write gate.onnx and gate.json.

python runs/gate/train.py --data ../shared/data --weights WEIGHTS --bank BANK --out OUT

BANK is what gather.py wrote. `--hospital NAME` fits on one hospital's films alone, to see what
becomes of the other's; `--without KIND` leaves a kind of picture out of the fit, to see whether it
is refused unseen. What the stem sees is kept in `--cache`, for the next fit.
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from films import Film, guangzhou, nih, some

from lungflag.training.gate import save_gate
from lungflag.training.gate.examples import LOOK, Examples, from_films, from_pictures, join, see
from lungflag.training.gate.fit import fit_distance, fit_head, kinds
from lungflag.training.gate.network import Gate, Stem, to_onnx
from lungflag.training.gate.thresholds import set_thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

HOSPITALS = {"guangzhou": guangzhou, "nih": nih}
FILMS = {"guangzhou": 800, "nih": 400}
GOOD = {"guangzhou": 1.6, "nih": 4.0}
"""Varied versions of a film."""
BAD = {"guangzhou": 0.5, "nih": 1.3}
"""Times the numbers of `KINDS_A_FILM`."""
KINDS_A_FILM = {
    "inverted": 1.0, "rotated-90": 0.8, "rotated-180": 1.0, "rotated-270": 0.8,
    "lateral": 0.8, "cropped": 1.0, "blank": 0.4, "other": 0.6,
}  # fmt: skip
COPIES = {"photograph": 1, "page": 1, "slice": 4, "lateral": 6, "body-part": 1}
HEADS = 2


def films_of(part: str, hospital: str, args: argparse.Namespace) -> list[Film]:
    """Return a hospital's films of one part of its patients."""
    films = [film for film in HOSPITALS[hospital](args.data) if film.part == part]
    return some(films, FILMS[hospital], np.random.default_rng(args.seed))


def all_examples(stem: Stem, args: argparse.Namespace) -> dict[str, Examples]:
    """Return what the stem saw, by name: films as they are, what is made of them, the bank."""
    seen = {}
    for number, hospital in enumerate(HOSPITALS):
        rng = np.random.default_rng((args.seed, number))
        for part in ("fit", "tune"):
            films = films_of(part, hospital, args)
            plain = ((film.square(), "frontal", f"{hospital}/plain") for film in films)
            seen[f"{hospital}/{part}"] = kept(args.cache, f"{hospital}-{part}", stem, plain)
        films = films_of("fit", hospital, args)
        share = BAD[hospital]
        wanted = {"frontal": GOOD[hospital]} | {k: n * share for k, n in KINDS_A_FILM.items()}
        made = from_films((film.square() for film in films), hospital, wanted, rng)
        seen[f"{hospital}/made"] = kept(args.cache, f"{hospital}-made", stem, made)
    bank = np.load(args.bank / "fit.npz")
    for number, name in enumerate(bank.files):
        rng = np.random.default_rng((args.seed, 10 + number))
        kind = "lateral" if name == "lateral" else "other"
        pictures = from_pictures(bank[name], name, kind, COPIES[name], rng)
        seen[name] = kept(args.cache, name, stem, pictures)
    return seen


def kept(folder: Path | None, name: str, stem: Stem, examples: Iterable) -> Examples:
    """Return what the stem sees, or what it saw last time."""
    names = [item.name for item in fields(Examples)]
    path = folder / f"{name}.npz" if folder else None
    if path is None or not path.exists():
        seen = see(stem, examples)
        print(f"{name}: {len(seen)} examples", flush=True)
        if path is None:
            return seen
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{key: getattr(seen, key) for key in names})
    held = np.load(path)
    return Examples(*(held[key] for key in names))


def main() -> None:
    """Fit, set the thresholds, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("--data", "--weights", "--bank", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--hospital", choices=HOSPITALS)
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)  # two wait for each other where the machine is busy
    stem = Stem(args.weights)
    seen = all_examples(stem, args)
    known = [args.hospital] if args.hospital else list(HOSPITALS)
    strange = [name for name in HOSPITALS if name not in known] + args.without
    to_fit = [
        part
        for name, part in seen.items()
        if not name.endswith("/tune") and name.split("/")[0] not in strange
    ]
    heads = [fit_head(join(to_fit), seed=args.seed + k) for k in range(HEADS)]
    centres, whiten = fit_distance(
        [seen[f"{name}/fit"].statistics for name in known],
        [seen[f"{name}/tune"].statistics for name in known],
    )
    unfitted = join([seen[f"{name}/tune"] for name in known])
    settings = set_thresholds(kinds(heads, unfitted)[:, 0], LOOK)
    save_gate(args.out, settings, to_onnx(Gate(stem, heads, centres, whiten)))
    print(settings)


if __name__ == "__main__":
    main()
