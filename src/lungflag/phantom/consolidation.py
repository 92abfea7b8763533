"""Airspace consolidation: parts of the lung whose air has given way to fluid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.phantom.patient import LEFT, RIGHT, Patient, Side
from lungflag.phantom.projection import Interval, cloud
from lungflag.phantom.thorax import cage, dome_level

if TYPE_CHECKING:
    from lungflag.phantom.projection import Grid, Plane


KINDS = ("lobar", "patchy", "round")


@dataclass(frozen=True, slots=True)
class Focus:
    """One consolidation.

    Attributes
    ----------
    kind : str
        ``lobar``, ``patchy`` or ``round``.
    side : int
        The lung.
    x, y, z : float
        Its centre in centimetres.
    radii : tuple[float, float, float]
        Its extent along x, y and z.
    density : float
        Share of the air that is gone, 0 to 1.
    """

    kind: str
    side: Side
    x: float
    y: float
    z: float
    radii: tuple[float, float, float]
    density: float


def sample_foci(patient: Patient, rng: np.random.Generator) -> tuple[Focus, ...]:
    """Draw one to three consolidations, the first large enough to be seen."""
    number = int(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12]))
    first: Side = LEFT if rng.random() < 0.42 else RIGHT
    foci = []
    for k in range(number):
        same = rng.random() < 0.5 or k == 0
        foci.append(_focus(patient, first if same else _other(first), rng, small=k > 0))
    return tuple(foci)


def _other(side: Side) -> Side:
    return LEFT if side == RIGHT else RIGHT


def _focus(patient: Patient, side: Side, rng: np.random.Generator, *, small: bool) -> Focus:
    kind = str(rng.choice(KINDS, p=[0.35, 0.45, 0.2]))
    low = dome_level(patient, side)
    y = float(low - rng.triangular(0.5, 4.0, 15.0))
    lateral, medial, depth, _ = (
        float(v[0]) for v in cage(patient, np.full(1, y, dtype=np.float32))
    )
    x = side * float(medial + (lateral - medial) * rng.uniform(0.42, 0.78))
    size = float(rng.uniform(0.75, 1.1)) * (0.65 if small else 1.0)
    radii = {
        "lobar": (4.6 * size, 4.0 * size, 7.0 * size),
        "patchy": (4.2 * size, 4.4 * size, 5.5 * size),
        "round": (2.5 * size, 2.5 * size, 3.0 * size),
    }[kind]
    z = float(rng.uniform(-0.45, 0.45)) * depth
    return Focus(kind, side, x, y, z, radii, float(rng.uniform(0.28, 0.7)))


def shape(focus: Focus, grid: Grid, rng: np.random.Generator) -> tuple[Interval, Plane]:
    """Return where a focus lies on every ray, and how dense it is there (0 to 1)."""
    ragged = {"lobar": 0.16, "patchy": 0.3, "round": 0.1}[focus.kind]
    dx = (grid.x - grid.shift(focus.z) - focus.x) / focus.radii[0]
    dy = (grid.y - focus.y) / focus.radii[1]
    edge = np.clip(cloud(rng, grid.size, (10, 20, 40)), -2, 2)
    q = dx * dx + dy * dy + ragged * edge
    if focus.kind == "lobar":
        # A fissure bounds it: sharp, almost straight, on the side away from its lobe.
        fissure = focus.y + (0.45 if focus.y < 1 else -0.45) * focus.radii[1]
        inside = (fissure - grid.y) if focus.y < 1 else (grid.y - fissure)
        inside = inside + 0.06 * focus.side * (grid.x - focus.x)
        q = q + 4 * np.clip(0.25 - inside, 0, None)
    half = (focus.radii[2] * np.sqrt(np.clip(1 - q, 0, 1))).astype(np.float32)
    grain = 1 + (0.3 if focus.kind == "patchy" else 0.15) * cloud(rng, grid.size, (24, 48, 96))
    # The rim fills last.
    filled = np.clip((1 - q) / 0.6, 0, 1) ** 0.7
    density = np.clip(focus.density * grain * filled, 0, 1).astype(np.float32)
    return Interval(focus.z - half, focus.z + half), density
