"""The soft anatomy: body, lungs, heart, great vessels, diaphragm, breasts and bowel gas.

Each part is the depth interval that it takes of every ray. Coordinates are those of `Grid`:
x to the patient's left, y down from the tracheal bifurcation, z to the front, in centimetres of a
standard adult.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin
from typing import TYPE_CHECKING

import numpy as np

from lungflag.phantom.patient import LEFT, RIGHT, SIDES, Patient, Side
from lungflag.phantom.projection import Interval, cloud, union_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lungflag.phantom.projection import Grid, Plane


# Half width of the trunk against height: neck, trapezius, shoulder, chest wall, flank.
_TRUNK_Y = (-24.0, -17.5, -15.5, -14.0, -12.6, -11.0, -8.5, -5.0, -1.5, 2.0, 8.0, 14.0, 24.0)
_TRUNK_X = (5.6, 6.1, 7.2, 9.8, 13.6, 16.9, 18.6, 18.0, 16.5, 15.9, 15.9, 15.9, 15.5)
_TRUNK_Z = (5.8, 6.0, 6.6, 7.2, 8.0, 8.8, 9.8, 10.8, 11.3, 11.5, 11.6, 11.6, 11.6)

# The lungs against height, below the rounding of the apex: lateral and medial border, half depth.
_LUNG_Y = (-6.5, -4.0, -1.0, 3.0, 7.0, 11.0, 15.0, 20.0)
_LATERAL = (9.6, 11.4, 12.5, 13.2, 13.65, 13.8, 13.7, 13.4)
_MEDIAL = (1.3, 1.0, 0.7, 0.4, 0.2, 0.2, 0.2, 0.2)
_DEPTH = (7.6, 8.5, 9.0, 9.3, 9.5, 9.6, 9.6, 9.5)
_APEX_X, _APEX_Y = 4.6, -11.4

_EDGE = 1.0  # centimetres of lung from which a ray shows it
_HIDDEN = 0.3  # share of a ray's lung that a shadow takes where its border is seen


def smooth(at: Plane, knots: tuple[float, ...], values: tuple[float, ...]) -> Plane:
    """Return the Catmull-Rom curve through `values` at `knots`, level beyond its ends."""
    x, y = np.asarray(knots), np.asarray(values)
    slope = np.gradient(y, x)
    slope[0] = slope[-1] = 0.0
    at64 = np.clip(at.astype(np.float64), x[0], x[-1])
    i = np.clip(np.searchsorted(x, at64) - 1, 0, len(x) - 2)
    width = x[i + 1] - x[i]
    t = (at64 - x[i]) / width
    curve = (
        y[i] * (1 + 2 * t) * (1 - t) ** 2
        + slope[i] * width * t * (1 - t) ** 2
        + y[i + 1] * t * t * (3 - 2 * t)
        + slope[i + 1] * width * t * t * (t - 1)
    )
    return np.asarray(curve, dtype=np.float32)


def bulge(q: Plane, power: float = 2.0) -> Plane:
    """Return a superellipse's height at `q`: 0 its centre, 1 its rim."""
    return np.maximum(1 - np.abs(q) ** power, 0) ** (1 / power)


def cage(patient: Patient, y: Plane) -> tuple[Plane, Plane, Plane, Plane]:
    """Return lateral and medial border of a lung, its half depth, and its centre in depth."""
    level = y / np.float32(patient.height)
    shoulder_y = _LUNG_Y[0]
    rise = np.clip((shoulder_y - level) / (shoulder_y - _APEX_Y), 0, 1)
    round_off = np.sqrt(1 - rise**1.85)
    lateral = _APEX_X + (smooth(level, _LUNG_Y, _LATERAL) - _APEX_X) * round_off
    medial = _APEX_X + (smooth(level, _LUNG_Y, _MEDIAL) - _APEX_X) * round_off**0.8
    depth = smooth(level, _LUNG_Y, _DEPTH) * (0.25 + 0.75 * round_off)
    return lateral * np.float32(patient.width), medial, depth, -2.2 * (1 - round_off) - 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Thorax:
    """The intervals of a patient's soft parts, each over the whole grid.

    Attributes
    ----------
    body : Interval
        Everything inside the skin.
    breast : Plane
        Extra soft tissue in front, as path length.
    lungs : dict[Side, Interval]
        The pleural spaces, with whatever stands in them.
    hila : tuple[Interval, ...]
        The pulmonary arteries where they enter the lungs.
    shadows : tuple[Interval, ...]
        What bounds the lung fields on a film: heart, great vessels, mediastinum and diaphragm.
    gas : Plane
        Path length of gas in stomach and bowel.
    """

    body: Interval
    breast: Plane
    lungs: dict[Side, Interval]
    hila: tuple[Interval, ...]
    shadows: tuple[Interval, ...]
    gas: Plane

    @classmethod
    def of(cls, patient: Patient, grid: Grid, rng: np.random.Generator) -> Thorax:
        """Lay the patient's soft parts over the rays of `grid`."""
        return cls(
            body=_body(patient, grid),
            breast=_breast(patient, grid, rng),
            lungs={side: _lung(patient, grid, side) for side in SIDES},
            hila=tuple(_hila(grid)),
            shadows=(*_mediastinum(patient, grid), *(_dome(patient, grid, s) for s in SIDES)),
            gas=_gas(patient, grid, rng),
        )

    @property
    def solid(self) -> tuple[Interval, ...]:
        """What takes the place of lung."""
        return (*self.hila, *self.shadows)

    def lung_fields(self, patient: Patient, grid: Grid) -> NDArray[np.bool_]:
        """Return the lung fields, shape (size, size), as they are outlined on films.

        They end at the borders of heart, mediastinum and diaphragm, though lung goes on behind
        those (van Ginneken et al., Medical Image Analysis 10(1), 2006, whose outlines of the JSRT
        films public sets follow). Hila and consolidations belong to them.
        """
        lung = np.zeros_like(grid.x, dtype=np.bool_)
        hidden = np.zeros_like(lung)
        for pleura in self.lungs.values():
            inside = pleura.length > _EDGE
            span = pleura.at(inside)
            taken = union_length([shadow.at(inside).within(span) for shadow in self.shadows])
            lung |= inside
            hidden[inside] |= taken >= _HIDDEN * span.length
        # What little lung shows between heart and diaphragm is not outlined.
        low = grid.y > heart_level(patient)
        return lung & ~hidden & ~(low & np.maximum.accumulate(hidden & low, axis=0))


def _body(patient: Patient, grid: Grid) -> Interval:
    lowered = np.clip(-grid.y / 8, 0, 1) * np.float32(patient.shoulder)
    y = grid.y / np.float32(patient.height) - lowered
    half = smooth(y, _TRUNK_Y, _TRUNK_X) * np.float32(patient.width * (0.7 + 0.3 * patient.girth))
    depth = smooth(y, _TRUNK_Y, _TRUNK_Z) * np.float32(patient.girth)
    trunk = depth * bulge(grid.x / half, 2.5)
    arms = [_arm(patient, grid, side) for side in SIDES]
    # The arms join the trunk at the axilla in a smooth fold.
    merged = (trunk**3 + arms[0] ** 3 + arms[1] ** 3) ** np.float32(1 / 3)
    return Interval(-merged, merged)


def _arm(patient: Patient, grid: Grid, side: Side) -> Plane:
    """Half depth of the upper arm, a capsule that hangs a little away from the chest."""
    top = (18.0 * patient.width, -8.0 + patient.shoulder)
    bottom = (23.0 * patient.width, 14.0)
    along = (bottom[0] - top[0], bottom[1] - top[1])
    px, py = side * grid.x - top[0], grid.y - top[1]
    t = np.clip((px * along[0] + py * along[1]) / (along[0] ** 2 + along[1] ** 2), 0, 1.5)
    distance = np.hypot(px - t * along[0], py - t * along[1])
    return np.float32(4.3) * bulge(distance / np.float32(4.4 * patient.girth**0.5))


def _lung(patient: Patient, grid: Grid, side: Side) -> Interval:
    lateral, medial, depth, centre = cage(patient, grid.y)
    middle, half = (lateral + medial) / 2, np.maximum((lateral - medial) / 2, 0.01)
    thick = depth * bulge((side * grid.x - middle) / half, 2.7)
    thick = np.where(grid.y < _APEX_Y * patient.height, 0, thick)
    return Interval(centre - thick, centre + thick)


def ellipsoid(
    grid: Grid,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    angle: float = 0.0,
    power: float = 2.0,
) -> Interval:
    """Return a superellipsoid, turned by `angle` in the frontal plane, as an interval."""
    dx, dy = grid.x - grid.shift(centre[2]) - centre[0], grid.y - centre[1]
    u = (cos(angle) * dx + sin(angle) * dy) / radii[0]
    v = (cos(angle) * dy - sin(angle) * dx) / radii[1]
    q = (np.abs(u) ** power + np.abs(v) ** power) ** (1 / power)
    half = (radii[2] * bulge(q, power)).astype(np.float32)
    return Interval(centre[2] - half, centre[2] + half)


def dome_level(patient: Patient, side: Side) -> float:
    """Return the height y of a diaphragmatic dome's top."""
    return 9.3 + patient.inspiration + (patient.dome_step if side == LEFT else 0.0)


def heart_level(patient: Patient) -> float:
    """Return the height y of the heart's middle. It rests on the diaphragm."""
    return dome_level(patient, RIGHT) - 3.6 * patient.heart


def _mediastinum(patient: Patient, grid: Grid) -> tuple[Interval, ...]:
    h, a = patient.heart, patient.aorta
    base = heart_level(patient)
    return (
        # The left ventricle to its apex, the right atrium, the outflow tract under the left hilum.
        ellipsoid(grid, (3.0 * h, base, 2.5), (6.6 * h, 4.4 * h, 5.6), patient.heart_tilt, 2.1),
        ellipsoid(grid, (-0.6 * h, base - 0.4, 2.0), (3.5 * h, 5.4 * h, 5.2)),
        ellipsoid(grid, (1.7 * h, base - 4.0 * h, 2.0), (2.7, 5.4, 4.2), -0.3),
        # Ascending aorta and superior vena cava, the arch's knob, the descending aorta.
        ellipsoid(grid, (-1.1, -2.2, 1.0), (1.8 * a**0.5, 8.0, 3.6), 0.0, 2.6),
        ellipsoid(grid, (1.5, -3.6, -0.5), (1.9 * a, 1.9 * a, 2.6)),
        ellipsoid(grid, (1.6, 6.0, -5.0), (1.15 * a, 11.0, 1.2), 0.0, 2.6),
        # What is left around trachea, oesophagus and great vessels, up to the neck.
        _core(grid),
    )


def _hila(grid: Grid) -> Iterator[Interval]:
    """Yield the pulmonary arteries; the left one rides higher."""
    for centre, radii, angle in (
        ((-3.7, -0.6, -0.5), (1.5, 0.9, 0.8), -0.3),
        ((-4.1, 1.9, -1.0), (0.75, 2.7, 0.8), 0.22),
        ((3.5, -1.5, -0.5), (1.5, 1.0, 1.0), 0.3),
        ((4.0, 1.2, -1.5), (0.7, 2.6, 0.8), -0.25),
    ):
        yield ellipsoid(grid, centre, radii, angle)


def _core(grid: Grid) -> Interval:
    y = (-24.0, -12.5, -10.5, -7.0, -3.0, 2.0, 8.0, 20.0)
    half = smooth(grid.y, y, (3.4, 3.6, 3.4, 3.2, 3.0, 2.6, 2.3, 2.3))
    thick = smooth(grid.y, y, (7.5, 7.5, 7.0, 6.5, 6.0, 4.5, 3.5, 3.5))
    # No edge of its own: it thins out towards the lungs.
    off = np.clip((grid.x - grid.shift(-2.0)) / half, -1, 1)
    span = (thick * (0.5 + 0.5 * np.cos(np.pi * off))).astype(np.float32)
    return Interval(-2.0 - span, -2.0 + span)


def _dome(patient: Patient, grid: Grid, side: Side) -> Interval:
    """Return a dome of the diaphragm with all that lies under it.

    Along z it falls to the front and further to the back, so that lung stays behind its shadow
    and the costophrenic angle is sharp.
    """
    middle, half = 6.2 * patient.width, 7.6 * patient.width
    across = (side * grid.x - middle) / half
    fall = np.where(across > 0, 5.6 * np.abs(across) ** 2.8, 0.3 * across**2)
    sunk = (grid.y - dome_level(patient, side) - fall).astype(np.float32)
    reach = np.sqrt(np.maximum(sunk, 0))
    there = (sunk > 0) & (side * grid.x > -2.0)
    empty = np.float32(0)
    start = np.where(there, 1.5 - 3.6 * reach, empty)
    return Interval(start, np.where(there, 1.5 + 4.6 * reach, empty))


def _breast(patient: Patient, grid: Grid, rng: np.random.Generator) -> Plane:
    drop, out = rng.uniform(6.0, 8.5), rng.uniform(7.5, 8.6)
    total = np.zeros_like(grid.x)
    if patient.breast == 0:
        return total
    for side in SIDES:
        dx = (side * (grid.x - grid.shift(11.0)) - out) / 5.6
        dy = (grid.y - drop) / np.where(grid.y > drop, 3.6, 6.5)
        total += np.float32(3.0 * patient.breast) * np.maximum(1 - dx * dx - dy * dy, 0) ** 0.7
    return total.astype(np.float32)


def _gas(patient: Patient, grid: Grid, rng: np.random.Generator) -> Plane:
    """Return the stomach's bubble under the left dome and a few loops of bowel."""
    floor = dome_level(patient, LEFT)
    bubble = (rng.uniform(5.0, 8.0), floor + rng.uniform(1.9, 2.6), 2.0)
    size = rng.uniform(0.35, 1.0)
    loops = rng.uniform(0.0, 1.0, (6, 4))
    total = ellipsoid(grid, bubble, (2.6 * size, 1.2 * size, 3.0 * size), 0.1).length
    for x, y, radius, angle in loops:
        centre = (2.0 + 9.0 * float(x), floor + 4.0 + 4.0 * float(y), 3.0)
        r = 0.3 + 1.1 * float(radius) ** 2
        total = total + ellipsoid(grid, centre, (1.5 * r, r, 0.9 * r), float(angle) * 3).length
    ragged = np.clip(1 + 0.5 * cloud(rng, grid.size, (24, 48)), 0, 2)
    return np.asarray(total * ragged, dtype=np.float32)
