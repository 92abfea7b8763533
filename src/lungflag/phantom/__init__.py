"""Synthetic chest radiographs: rays cast through an analytic chest, with known consolidations.

They are for demonstrations and tests. They carry the word SYNTHETIC in their pixels and say
nothing about how well a detector does on patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lungflag.phantom.consolidation import Focus, sample_foci
from lungflag.phantom.dicom import patient_id, to_dicom, write_dicom
from lungflag.phantom.patient import Acquisition, Patient
from lungflag.phantom.projection import Grid
from lungflag.phantom.render import cast, develop, expose, finish, seen

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "Phantom",
    "make_phantom",
    "patient_id",
    "to_dicom",
    "write_dicom",
    "write_mask",
    "write_png",
]

_STREAMS = ("acquisition", "patient", "body", "vessels", "texture", "noise", "foci", "disease")


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A synthetic radiograph.

    Attributes
    ----------
    pixels : NDArray[np.float32]
        Shape (size, size), 0 to 1, MONOCHROME2.
    mask : NDArray[np.bool_]
        Shape (size, size): where a consolidation changes the picture. Empty in a normal one.
    lungs : NDArray[np.bool_]
        Shape (size, size): the lung fields as they are outlined on films, without what heart,
        mediastinum and diaphragm hide.
    seed : int
        What it was made from. The same seed is the same patient and exposure, whatever the label.
    foci : tuple[Focus, ...]
        The consolidations.
    patient : Patient
        The body.
    acquisition : Acquisition
        The exposure.
    """

    pixels: NDArray[np.float32]
    mask: NDArray[np.bool_]
    lungs: NDArray[np.bool_]
    seed: int
    foci: tuple[Focus, ...]
    patient: Patient
    acquisition: Acquisition

    @property
    def label(self) -> str:
        """``normal`` or ``pneumonia``, as in a manifest."""
        return "pneumonia" if self.foci else "normal"

    @property
    def view(self) -> str:
        """The view position, ``PA`` or ``AP``."""
        return self.acquisition.view

    @property
    def pixel_spacing(self) -> float:
        """Side of a pixel at the patient, in millimetres."""
        return 10 * self.acquisition.field * self.patient.scale / len(self.pixels)


def make_phantom(seed: int, *, pneumonia: bool, size: int = 512) -> Phantom:
    """Make a synthetic chest radiograph.

    Parameters
    ----------
    seed : int
        Chooses patient, exposure and, if `pneumonia`, the consolidations; not negative.
    pneumonia : bool
        Whether to consolidate a part of the lungs. It changes nothing else.
    size : int
        Rows and columns.

    Returns
    -------
    Phantom
        The same for the same arguments on every machine.

    Notes
    -----
    A parallel beam of 60 keV is integrated by the Beer-Lambert law through quadrics (soft parts)
    and swept bars (bones, vessels); scatter, blur and quantum noise are added, and the logarithm
    is put through a characteristic curve.
    """
    parts = np.random.SeedSequence(seed).spawn(len(_STREAMS))
    streams = {
        name: np.random.default_rng(part) for name, part in zip(_STREAMS, parts, strict=True)
    }
    how = Acquisition.sample(streams["acquisition"])
    patient = Patient.sample(streams["patient"], how.view)
    foci = sample_foci(patient, streams["foci"]) if pneumonia else ()
    grid = Grid.of(how, size)
    rays = cast(patient, grid, foci, streams)
    signal = expose(rays.exponent + rays.disease, how, grid.pitch, streams["noise"])
    pixels = finish(develop(signal, how, grid.pitch), how)
    pixels.setflags(write=False)
    return Phantom(pixels, seen(rays.disease), rays.lungs, seed, foci, patient, how)


def write_png(phantom: Phantom, path: Path) -> None:
    """Write the pixels as an 8-bit grey PNG that says in its text that it is synthetic."""
    from PIL.PngImagePlugin import PngInfo

    words = PngInfo()
    words.add_text("Description", "SYNTHETIC chest radiograph, not of a patient")
    Image.fromarray(np.rint(phantom.pixels * 255).astype(np.uint8)).save(path, pnginfo=words)


def write_mask(mask: NDArray[np.bool_], path: Path) -> None:
    """Write a mask, of the consolidations or of the lung fields, as a PNG of 0 and 255."""
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
