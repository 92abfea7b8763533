"""Examples: squares of bytes with their kind and where they come from, seen by the frozen stem."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lungflag._session import open_session
from lungflag.preprocess import Preprocess
from lungflag.quality.settings import KINDS
from lungflag.training.gate.network import SIZE, to_onnx
from lungflag.training.gate.views import FROM_FILMS, toned, varied

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from lungflag.training.gate.network import Stem

    Square = NDArray[np.uint8]
    Example = tuple[Square, str, str]
    """Picture, kind, and origin such as ``nih/inverted`` or ``slice``."""

LOOK = Preprocess(size=SIZE)
_BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What the stem saw.

    Attributes
    ----------
    features : NDArray[np.float16]
        Shape (n, 96, 8, 8).
    statistics : NDArray[np.float32]
        Shape (n, d).
    kind : NDArray[np.int64]
        Place in `KINDS`, shape (n,).
    origin : NDArray[np.str_]
        Shape (n,).
    """

    features: NDArray[np.float16]
    statistics: NDArray[np.float32]
    kind: NDArray[np.int64]
    origin: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.kind)


def from_films(
    films: Iterable[Square], hospital: str, per_kind: dict[str, float], rng: np.random.Generator
) -> Iterator[Example]:
    """Yield what is made of films.

    Parameters
    ----------
    films : iterable of NDArray[np.uint8]
        Frontal chest radiographs, square.
    hospital : str
        Where they come from.
    per_kind : dict[str, float]
        How many examples of a kind one film gives on average; ``frontal`` is among them.
    rng : np.random.Generator
        Where the variety comes from.
    """
    for film in films:
        for kind, wanted in per_kind.items():
            for _ in range(int(wanted) + int(rng.random() < wanted % 1)):
                changes = (varied,) if kind == "frontal" else FROM_FILMS[kind]
                change = changes[int(rng.integers(len(changes)))]
                yield change(film, rng), kind, f"{hospital}/{kind}"


def from_pictures(
    pictures: Iterable[Square], origin: str, kind: str, copies: int, rng: np.random.Generator
) -> Iterator[Example]:
    """Yield every picture as it is, and `copies` versions of it; some of them as negatives."""
    for picture in pictures:
        yield picture, kind, origin
        for _ in range(copies):
            other = toned(picture, rng)
            if rng.random() < 0.5:
                other = np.ascontiguousarray(other[:, ::-1])
            if kind == "other" and rng.random() < 0.3:
                other = np.ascontiguousarray(np.rot90(other, int(rng.integers(4))))
            if kind == "other" and rng.random() < 0.2:
                other = 255 - other
            yield other, kind, origin


def join(parts: Sequence[Examples]) -> Examples:
    """Return all examples of `parts`."""
    return Examples(
        *(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Examples))
    )


def see(stem: Stem, examples: Iterable[Example]) -> Examples:
    """Run the stem on every example, by ONNX Runtime: many times faster than torch on a CPU."""
    graph = to_onnx(stem, outputs=("features", "statistics"))
    session = open_session(graph, Path("stem.onnx"), threads=1)
    features, statistics, kinds, origins = [], [], [], []
    waiting: list[Square] = []

    def flush() -> None:
        seen, told = session.run(["features", "statistics"], {"pixels": np.stack(waiting)[:, None]})
        features.append(seen.astype(np.float16))
        statistics.append(told)
        waiting.clear()

    for picture, kind, origin in examples:
        waiting.append(LOOK(picture.astype(np.float32)))
        kinds.append(KINDS.index(kind))
        origins.append(origin)
        if len(waiting) == _BATCH:
            flush()
    if waiting:
        flush()
    return Examples(
        np.concatenate(features), np.concatenate(statistics), np.array(kinds), np.array(origins)
    )
