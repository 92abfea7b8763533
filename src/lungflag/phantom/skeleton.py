"""The bones: bars that follow a line in space, filled with marrow under a cortex.

Every bar is cut into small volumes that are projected one by one; so a rib that runs along the
beam at the chest's side grows dense, as it does on film.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.phantom.patient import SIDES, Patient, Side
from lungflag.phantom.thorax import cage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lungflag.phantom.projection import Grid, Plane, Points


VERTEBRA = 2.35
"""Height of a thoracic vertebra with its disc, in centimetres."""

_BACK = -7.2  # z of the vertebral bodies' centres


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """A bone along a line.

    Attributes
    ----------
    line : Points
        Points (x, y, z), shape (n, 3).
    face : Points
        Directions of the section's short axis, shape (n, 3).
    broad, thin : Points
        Half axes of the elliptical section, shape (n,).
    core, cortex : Points
        Share of compact bone inside and in the outer shell, shape (n,).
    """

    line: Points
    face: Points
    broad: Points
    thin: Points
    core: Points
    cortex: Points

    def project(self, grid: Grid) -> Plane:
        """Return the path length in compact bone, in centimetres."""
        bar = self._resampled(grid.pitch)
        tangent = np.gradient(bar.line, axis=0)
        step = np.linalg.norm(tangent, axis=1)
        tangent /= np.maximum(step, 1e-9)[:, None]
        wide = _unit(np.cross(tangent, bar.face))
        flat = _unit(np.cross(wide, tangent))
        # What runs along the beam needs no fine sampling.
        depth = float((bar.thin * np.abs(flat[:, :2]).max(axis=1)).max())
        u, v, area = _section(float(bar.broad.max()), depth, grid.pitch)
        radius = np.hypot(u, v)
        shell = np.clip((radius - 0.72) / 0.1, 0, 1)
        points = (
            bar.line[:, None, :]
            + (bar.broad[:, None] * u)[..., None] * wide[:, None, :]
            + (bar.thin[:, None] * v)[..., None] * flat[:, None, :]
        )
        share = bar.core[:, None] * (1 - shell) + bar.cortex[:, None] * shell
        volume = step[:, None] * (bar.broad * bar.thin)[:, None] * area * share
        return grid.splat(points.reshape(-1, 3), volume.reshape(-1))

    def _resampled(self, pitch: float) -> Bar:
        along = np.concatenate(
            ([0.0], np.cumsum(np.linalg.norm(np.diff(self.line, axis=0), axis=1)))
        )
        at = np.linspace(0, along[-1], max(4, int(along[-1] / (0.9 * pitch))))

        def every(values: Points) -> Points:
            return np.interp(at, along, values)

        def each(vectors: Points) -> Points:
            return np.stack([every(vectors[:, k]) for k in range(3)], axis=1)

        return Bar(
            each(self.line), each(self.face),
            every(self.broad), every(self.thin), every(self.core), every(self.cortex),
        )  # fmt: skip


def _section(broad: float, thin: float, pitch: float) -> tuple[Points, Points, float]:
    """Points over the unit disc, no further apart than a pixel once stretched to the section."""
    columns = max(5, int(2 * broad / pitch))
    rows = max(5, int(2 * thin / pitch))
    u = (np.arange(columns) + 0.5) * 2 / columns - 1
    v = (np.arange(rows) + 0.5) * 2 / rows - 1
    across, deep = (axis.reshape(-1) for axis in np.meshgrid(u, v))
    inside = np.hypot(across, deep) <= 1
    return across[inside], deep[inside], np.pi / float(inside.sum())


def _unit(vectors: Points) -> Points:
    length = np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
    return np.asarray(vectors / length[:, None], dtype=np.float64)


def _bar(
    line: Points,
    broad: float | Points,
    thin: float | Points,
    *,
    face: tuple[float, float, float] | Points = (0.0, 0.0, 1.0),
    core: float | Points = 0.3,
    cortex: float | Points = 0.8,
) -> Bar:
    n = len(line)

    def every(value: float | Points) -> Points:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (n,))

    faces = np.broadcast_to(np.asarray(face, dtype=np.float64), (n, 3))
    return Bar(line, faces, every(broad), every(thin), every(core), every(cortex))


def _path(points: list[tuple[float, float, float]], n: int = 60) -> Points:
    """Return a smooth line through a few points (a Catmull-Rom curve)."""
    p = np.asarray(points, dtype=np.float64)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, len(points) - 1 - 1e-9, n)
    i, f = t.astype(int), (t % 1)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    curve = 2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2
    return np.asarray((curve + (3 * b - a - 3 * c + d) * f**3) / 2, dtype=np.float64)


def bones(patient: Patient, grid: Grid) -> Plane:
    """Return the path length in compact bone of the whole skeleton, in centimetres."""
    total = np.zeros_like(grid.x)
    for bar in _all(patient):
        total += bar.project(grid)
    return total


def _all(patient: Patient) -> Iterator[Bar]:
    yield from _spine(patient)
    yield _sternum(patient)
    for side in SIDES:
        for number in range(1, 13):
            yield _rib(patient, side, number)
        yield _clavicle(patient, side)
        yield from _shoulder(patient, side)


def _level(number: int) -> float:
    """Height of the joint between spine and rib `number` (the fifth is at the bifurcation)."""
    return (number - 5.7) * VERTEBRA + 0.015 * (number - 5.7) ** 2


def _rib(patient: Patient, side: Side, number: int) -> Bar:
    """One rib from the spine round the lung to its cartilage."""
    reach = np.interp(number, [1, 2, 3, 7, 10, 11, 12], [2.6, 2.5, 2.45, 2.4, 2.15, 1.7, 1.15])
    drop = np.interp(number, [1, 2, 4, 7, 9, 12], [5.6, 6.6, 7.8, 9.6, 10.0, 7.5])
    angle = np.linspace(0.1, float(reach), 90)
    s = (angle - 0.1) / 2.5
    # A rib leaves the spine nearly level and falls ever more steeply towards the front.
    y = (
        _level(number) + patient.rib_drop * float(drop) * (0.3 * s + 0.7 * s * s * (3 - 2 * s))
    ) * patient.height
    lateral, _, depth, _ = cage(patient, np.maximum(y, -9.6 * patient.height).astype(np.float32))
    wide, deep = lateral + 0.35, depth + 0.35
    if number == 1:
        wide, deep = wide * 0.93, deep * 0.9
    # The first ribs lie flat, the others upright.
    up = -float(np.interp(number, [1, 2, 3, 5], [2.0, 1.0, 0.5, 0.15]))
    x = wide * np.sin(angle) ** 0.88
    z = -deep * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.88
    line = np.stack([side * x, y, z], axis=1)
    face = np.stack([side * np.sin(angle), np.full_like(angle, up), -np.cos(angle)], axis=1)
    broad = np.interp(s, [0, 0.1, 0.5, 1.0], [0.4, 0.55, 0.62, 0.75])
    # The bone is stoutest at the back and ends, thinning, in cartilage that does not show.
    fading = np.interp(s, [0, 0.35, 0.58, 0.75, 1], [1.1, 0.9, 0.5, 0.75, 0.9])
    fading = fading * np.interp(angle, [0, float(reach) - 0.15, float(reach)], [1, 1, 0.3])
    return _bar(line, broad, 0.32, face=face, core=0.2 * fading, cortex=0.95 * fading)


def _spine(patient: Patient) -> Iterator[Bar]:
    top, bottom = -20.0 * patient.height, 22.0 * patient.height
    y = np.linspace(top, bottom, 700)
    height = VERTEBRA * patient.height
    phase = (y / height + 0.62) % 1.0  # 0 to 0.78 body, the rest disc
    in_body = np.clip(np.minimum(phase, 0.8 - phase) / 0.04, 0, 1)
    plate = np.exp(-(((np.minimum(np.abs(phase - 0.03), np.abs(phase - 0.77))) / 0.035) ** 2))
    waist = 1 - 0.08 * np.sin(np.clip(phase / 0.8, 0, 1) * np.pi)
    size = np.interp(y, [top, -10, 0, 22], [1.15, 1.35, 1.5, 1.95])
    line = np.stack([np.zeros_like(y), y, np.full_like(y, _BACK)], axis=1)
    share = 0.01 + in_body * 0.11 + 0.18 * plate
    yield _bar(line, size * waist, size * 0.85, core=share, cortex=share)
    for k in range(int(top / height), int(bottom / height) + 1):
        joint = (k - 0.62 + 0.25) * height
        r = float(np.interp(joint, [-20, 22], [0.85, 1.25]))
        spinous = _path([(0, joint + 0.9, _BACK - 2.6), (0, joint + 2.0, _BACK - 3.8)], 12)
        yield _bar(spinous, 0.26, 0.5, face=(0.0, 0.0, 1.0), core=0.2, cortex=0.6)
        for side in SIDES:
            pedicle = _path(
                [(side * r, joint + 0.1, _BACK - 0.9), (side * r, joint + 0.1, _BACK - 2.0)], 8
            )
            yield _bar(pedicle, 0.28, 0.45, face=(0.0, 1.0, 0.0), core=0.12, cortex=0.75)
            wing = [(side * 1.2, joint + 0.3, _BACK - 2.0), (side * 2.7, joint - 0.1, _BACK - 2.6)]
            yield _bar(_path(wing, 12), 0.38, 0.4, core=0.12, cortex=0.4)


def _sternum(patient: Patient) -> Bar:
    h = patient.height
    line = _path([(0, -7.6 * h, 7.4), (0, -4.5 * h, 8.6), (0, 2 * h, 9.6), (0, 8 * h, 9.6)])
    broad = np.interp(line[:, 1] / h, [-7.6, -6.5, -4.0, 0, 7, 8], [2.4, 2.7, 1.5, 1.7, 1.6, 0.5])
    return _bar(line, broad, 0.5, core=0.1, cortex=0.2)


def _clavicle(patient: Patient, side: Side) -> Bar:
    w, h, low = patient.width, patient.height, patient.shoulder
    line = _path(
        [
            (side * 1.7, -7.4 * h, 7.6),
            (side * 4.5 * w, -8.3 * h + 0.1 * low, 8.2),
            (side * 8.5 * w, -9.5 * h + 0.4 * low, 6.6),
            (side * 12.0 * w, -10.4 * h + 0.8 * low, 3.8),
            (side * 15.2 * w, -10.7 * h + low, 2.6),
        ]
    )
    s = np.linspace(0, 1, len(line))
    broad = np.interp(s, [0, 0.08, 0.3, 0.75, 1], [1.05, 0.95, 0.65, 0.65, 0.9])
    return _bar(line, broad, 0.5, core=0.2, cortex=0.8)


def _shoulder(patient: Patient, side: Side) -> Iterator[Bar]:
    """Scapula and humerus; the scapula's blade is turned out of the lungs."""
    w, low = patient.width, patient.shoulder

    def at(points: list[tuple[float, float, float]], n: int = 60) -> Points:
        return _path([(side * x * w, y + low, z) for x, y, z in points], n)

    glenoid = (15.4, -7.6, -1.0)
    tip = (13.2, 3.6, -8.6)
    corner = (9.8, -8.8, -8.0)
    blade = at([(12.4, -8.2, -5.5), (12.3, -3.5, -7.6), (13.1, 3.0, -8.6)])
    s = np.linspace(0, 1, len(blade))
    spread = np.interp(s, [0, 0.15, 0.5, 1], [2.6, 2.5, 1.6, 0.35])
    yield _bar(blade, spread, 0.13, face=(0.35 * side, 0.0, 1.0), core=0.55, cortex=0.5)
    yield _bar(at([glenoid, (14.9, -3.0, -5.5), tip]), 0.42, 0.5, core=0.2, cortex=0.6)
    yield _bar(at([corner, (10.4, -4.0, -8.6), tip]), 0.16, 0.2, core=0.4, cortex=0.6)
    yield _bar(at([corner, (12.8, -10.0, -6.5), (15.8, -11.4, -2.0)]), 0.45, 0.4, cortex=0.6)
    yield _bar(at([(14.6, -9.6, 0.0), (13.6, -9.8, 2.2), (14.4, -8.8, 3.4)]), 0.5, 0.45, cortex=0.6)
    yield _bar(at([(15.3, -9.3, -1), (15.6, -7.5, -1), (15.2, -5.7, -1)]), 0.6, 0.9, cortex=0.5)
    shaft = at([(16.9, -9.8, -0.5), (17.4, -7.6, -0.5), (18.6, -4.0, -0.5), (22.6, 12.0, -0.5)], 90)
    y = shaft[:, 1] - low
    radius = np.interp(
        y, [-9.8, -9.4, -8.6, -7.6, -6.5, -4.5, 12], [0.5, 1.4, 2.0, 2.1, 1.8, 1.2, 1.1]
    )
    cortex = np.interp(y, [-9.8, -6.5, -4.0], [0.4, 0.42, 0.8])
    yield _bar(shaft, radius, radius, core=0.16 * cortex / 0.5, cortex=cortex)
