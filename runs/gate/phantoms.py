"""Lateral films and slices of phantoms: their depth intervals, filled and seen from the side."""

from __future__ import annotations

from dataclasses import replace
from math import pi
from typing import TYPE_CHECKING

import numpy as np
from volumes import Volume, develop

from lungflag.phantom.patient import Acquisition, Patient
from lungflag.phantom.projection import Grid
from lungflag.phantom.skeleton import bones
from lungflag.phantom.thorax import Thorax
from lungflag.phantom.tree import Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N = 160
_DEPTH = 20.0  # centimetres to the front and to the back


def phantom_volume(seed: int) -> tuple[Volume, Patient, Acquisition]:
    """Return a phantom's soft parts in Hounsfield units, with the patient and the exposure."""
    rng = np.random.default_rng(seed)
    how = replace(Acquisition.sample(rng), turn=0.0, tilt=0.0, dx=0.0, dy=0.0)
    patient = Patient.sample(rng, how.view)
    grid = Grid.of(how, _N)
    thorax = Thorax.of(patient, grid, rng)
    z = np.linspace(_DEPTH, -_DEPTH, _N, dtype=np.float32)  # from front to back

    def inside(part: object) -> NDArray[np.bool_]:
        between = (part.start[:, None, :] < z[:, None]) & (z[:, None] < part.end[:, None, :])
        return np.asarray(between)

    values = np.where(inside(thorax.body), 30.0, -1000.0)
    lungs = np.logical_or.reduce([inside(lung) for lung in thorax.lungs.values()])
    solid = np.logical_or.reduce([inside(part) for part in thorax.solid])
    values[lungs & ~solid] = -780.0
    values += rng.normal(0, 15, values.shape)
    spacing = (10 * how.field / _N, 20 * _DEPTH / _N, 10 * how.field / _N)
    return Volume(f"phantom {seed}", values.astype(np.float32), spacing), patient, how


def lateral(seed: int) -> NDArray[np.float32]:
    """Return a lateral film of a phantom, grey 0 to 1."""
    volume, patient, how = phantom_volume(seed)
    rng = np.random.default_rng(seed + 1)
    side = Grid.of(replace(how, turn=pi / 2), _N)
    soft = np.clip((volume.values + 1000) / 1000, 0, 3).sum(axis=2) * volume.spacing[2] / 10
    # The grid's x runs to the patient's front there; the volume's depth from front to back.
    across = np.linspace(-how.field / 2, how.field / 2, _N)
    at = np.interp(-across, np.linspace(-_DEPTH, _DEPTH, _N), np.arange(_N)).round().astype(int)
    water = soft[:, at] + 2.0 * bones(patient, side)
    water = water + 0.5 * Tree.of(patient, side, rng).vessels
    film = develop(water.astype(np.float32), rng)
    return film if rng.random() < 0.5 else film[:, ::-1]
