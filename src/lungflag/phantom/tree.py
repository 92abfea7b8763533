"""Airways and pulmonary vessels: what branches out of the hila."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.phantom.patient import LEFT, SIDES, Patient, Side
from lungflag.phantom.thorax import cage, dome_level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lungflag.phantom.projection import Grid, Plane, Points


_GENERATIONS = 9
_DISC = 16  # points over a tube's section, and three times as many over a thick one's


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Path lengths of what branches.

    Attributes
    ----------
    trachea : Plane
        Air in the trachea and the main bronchi.
    vessels : Plane
        Blood in the vessels inside the lungs.
    bronchi : Plane
        Air in the bronchi beside those vessels; seen only where the lung around them is solid.
    """

    trachea: Plane
    vessels: Plane
    bronchi: Plane

    @classmethod
    def of(cls, patient: Patient, grid: Grid, rng: np.random.Generator) -> Tree:
        """Grow the patient's airways and vessels."""
        points, volumes, radii = zip(*(_vessels(patient, side, rng) for side in SIDES), strict=True)
        at, mass, radius = np.concatenate(points), np.concatenate(volumes), np.concatenate(radii)
        airway = np.where((radius > 0.07) & (radius < 0.3), 0.55 * mass, 0.0)
        beside = at + np.array([0.28, 0.22, 0.0])
        return cls(
            trachea=_trachea(grid),
            vessels=_tubes(grid, at, mass, radius),
            bronchi=_tubes(grid, beside, airway, 0.8 * radius),
        )


def _tubes(grid: Grid, at: Points, mass: Points, radius: Points) -> Plane:
    """Project tubes given by points on their axes, each with the volume around it."""
    thin = radius < 0.6 * grid.pitch
    thick = radius > 2.5 * grid.pitch
    total = grid.splat(at[thin], mass[thin])
    for which, n in ((~thin & ~thick, _DISC), (thick, 3 * _DISC)):
        # Even points over a disc (Vogel's spiral): seen from any side, a round tube's profile.
        k = np.arange(n)
        ring, turn = np.sqrt((k + 0.5) / n), 2.399963 * k
        points = np.repeat(at[which, None, :], n, axis=1)
        points[..., 0] += radius[which, None] * (ring * np.cos(turn))
        points[..., 1] += radius[which, None] * (ring * np.sin(turn))
        total += grid.splat(points.reshape(-1, 3), np.repeat(mass[which] / n, n))
    return total


def _trachea(grid: Grid) -> Plane:
    pipes = (
        ((-0.2, -20.0, -2.0), (0.1, -10.0, -3.0), (-0.2, -1.0, -4.0), 0.85),
        ((-0.2, -1.2, -4.0), (-1.6, 0.4, -4.0), (-3.2, 2.4, -4.0), 0.62),
        ((-0.1, -1.2, -4.0), (2.0, 0.6, -4.0), (4.2, 1.8, -4.0), 0.55),
    )
    total = np.zeros_like(grid.x)
    across = np.linspace(-0.98, 0.98, max(9, int(3 / grid.pitch)))
    chord = np.sqrt(1 - across**2)
    chord /= chord.sum()
    for first, middle, last, r in pipes:
        t = np.linspace(0, 1, int(30 / grid.pitch))[:, None]
        a, b, c = (np.array(p) for p in (first, middle, last))
        line = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
        step = np.linalg.norm(np.gradient(line, axis=0), axis=1)
        way = (c - a) / np.linalg.norm(c - a)
        side = np.array([way[1], -way[0], 0.0])
        points = line[:, None, :] + r * across[:, None] * side
        mass = np.pi * r * r * step[:, None] * chord
        total += grid.splat(points.reshape(-1, 3), mass.reshape(-1))
    return total


def _vessels(
    patient: Patient, side: Side, rng: np.random.Generator
) -> tuple[Points, Points, Points]:
    """Grow one lung's tree; return points, the volume at each, and the radius at each."""
    n = 10
    start = np.array([side * 3.4, -0.2 if side == LEFT else 0.9, -0.5])
    spread = np.linspace(-1.35, 1.42, n) + rng.normal(0, 0.1, n)
    tip = rng.normal(0, 0.45, n)
    heading = np.stack([side * np.cos(spread), np.sin(spread), tip], axis=1)
    heading /= np.linalg.norm(heading, axis=1)[:, None]
    base = start + np.stack(
        [side * rng.uniform(-0.6, 0.6, n), 1.5 * np.sin(spread), rng.normal(0, 0.8, n)], axis=1
    )
    radius = rng.uniform(0.32, 0.52, n) * np.where(spread > 0.2, 1.12, 0.9)
    reach = rng.uniform(1.3, 2.4, n)
    out = []
    for generation in range(_GENERATIONS):
        steps = max(6, int(44 * 0.78**generation))
        t = np.linspace(0, 1, steps, endpoint=False)
        bend = rng.normal(0, 0.18, heading.shape)
        line = base[:, None, :] + reach[:, None, None] * (
            t[:, None] * heading[:, None, :] + (t * t)[:, None] * bend[:, None, :]
        )
        r = radius[:, None] * (1 - 0.2 * t)
        volume = np.pi * r * r * (reach / steps)[:, None]
        out.append((line.reshape(-1, 3), volume.reshape(-1), r.reshape(-1)))
        base = (base + reach[:, None] * (heading + bend)).repeat(2, axis=0)
        split = rng.normal(0, 0.33, (len(base), 3))
        heading = (heading + 2 * bend).repeat(2, axis=0) + split
        heading /= np.linalg.norm(heading, axis=1)[:, None]
        uneven = rng.uniform(0.55, 0.88, len(base))
        radius = radius.repeat(2) * uneven
        reach = reach.repeat(2) * rng.uniform(0.6, 0.95, len(base))
        alive = (radius > 0.022) & _inside(patient, side, base)
        base, heading, radius, reach = base[alive], heading[alive], radius[alive], reach[alive]
    points, volumes, radii = (np.concatenate(part) for part in zip(*out, strict=True))
    inside = _inside(patient, side, points)
    return points[inside], volumes[inside], radii[inside]


def _inside(patient: Patient, side: Side, at: Points) -> NDArray[np.bool_]:
    """Tell which points lie in the lung, a little below its surface."""
    lateral, medial, depth, centre = cage(patient, at[:, 1].astype(np.float32))
    middle, half = (lateral + medial) / 2, np.maximum((lateral - medial) / 2, 0.01)
    u = (side * at[:, 0] - middle) / half
    v = (at[:, 2] - centre) / depth
    low = dome_level(patient, side) + 3.5
    high = -11.6 * patient.height
    return (np.abs(u) ** 2.5 + np.abs(v) ** 2.5 < 0.93) & (at[:, 1] < low) & (at[:, 1] > high)
