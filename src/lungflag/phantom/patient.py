"""Who is imaged and how: everything about a phantom that chance decides, before any ray is cast.

Nothing here depends on the label, so that no habit of the films can betray it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

View = Literal["PA", "AP"]
Side = Literal[-1, 1]

RIGHT: Side = -1
LEFT: Side = 1
SIDES: tuple[Side, Side] = (RIGHT, LEFT)


@dataclass(frozen=True, slots=True)
class Patient:
    """The body. Lengths are in centimetres of a standard adult, who is `scale` 1.

    Attributes
    ----------
    sex : str
        ``F`` or ``M``.
    scale : float
        Linear size of the body: about 0.6 is a child, 1 a standard adult.
    girth : float
        Thickness of the soft tissue around the chest.
    width, height : float
        Stretch of the chest along x and y.
    heart : float
        Size of the heart.
    heart_tilt : float
        Angle of the heart's long axis below the horizontal, in radians.
    inspiration : float
        How far the right dome stands below the standard, in centimetres.
    dome_step : float
        How far the left dome stands below the right one.
    rib_drop : float
        Downward slope of the ribs.
    shoulder : float
        How far the shoulders are lowered, in centimetres.
    aorta : float
        Size of the aortic knob.
    breast : float
        Volume of the breasts; 0 where none shows.
    """

    sex: str
    scale: float
    girth: float
    width: float
    height: float
    heart: float
    heart_tilt: float
    inspiration: float
    dome_step: float
    rib_drop: float
    shoulder: float
    aorta: float
    breast: float

    @classmethod
    def sample(cls, rng: np.random.Generator, view: View) -> Patient:
        """Draw a patient; imaged AP, the heart is wider and the domes stand higher."""
        sex = "F" if rng.random() < 0.5 else "M"
        supine = view == "AP"
        return cls(
            sex=sex,
            scale=float(rng.uniform(0.8, 1.06)),
            girth=float(rng.uniform(0.88, 1.18)),
            width=float(rng.uniform(0.94, 1.06)),
            height=float(rng.uniform(0.94, 1.04)),
            heart=float(rng.uniform(0.88, 1.1)) * (1.1 if supine else 1.0),
            heart_tilt=float(rng.uniform(0.5, 0.9)) - (0.12 if supine else 0.0),
            inspiration=float(rng.uniform(-1.2, 1.0)) - (1.2 if supine else 0.0),
            dome_step=float(rng.uniform(0.3, 1.6)),
            rib_drop=float(rng.uniform(0.85, 1.15)),
            shoulder=float(rng.uniform(-0.8, 0.8)) - (0.8 if supine else 0.0),
            aorta=float(rng.uniform(0.8, 1.2)),
            breast=float(rng.uniform(0.3, 1.0)) if sex == "F" else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Acquisition:
    """The exposure.

    Attributes
    ----------
    view : str
        ``PA`` or ``AP``.
    field : float
        Side of the square field in centimetres of a standard adult.
    dx, dy : float
        The patient's shift in the field, in centimetres.
    tilt : float
        Rotation in the plane of the film, in radians.
    turn : float
        Rotation of the patient about the long axis, in radians.
    dose : float
        Photons that reach a square millimetre of the bare detector.
    penetration : float
        Attenuation exponent that becomes mid grey.
    latitude : float
        Width of the characteristic curve in attenuation exponents.
    borders : tuple[float, float, float, float]
        Collimated share of the field at left, right, top and bottom.
    marker : str
        The lead letter: ``L`` or ``R``.
    marker_at : tuple[float, float]
        Its distance from the side and from the top, as a share of the field.
    photometric : str
        How a DICOM object of it stores grey: ``MONOCHROME1`` or ``MONOCHROME2``.
    """

    view: View
    field: float
    dx: float
    dy: float
    tilt: float
    turn: float
    dose: float
    penetration: float
    latitude: float
    borders: tuple[float, float, float, float]
    marker: str
    marker_at: tuple[float, float]
    photometric: str

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Acquisition:
        """Draw an exposure."""
        closed = rng.random(4) < 0.35
        shares = rng.uniform(0.004, 0.035, 4) * closed
        return cls(
            view="AP" if rng.random() < 0.3 else "PA",
            field=float(rng.uniform(36.5, 41.5)),
            dx=float(rng.normal(0.0, 0.5)),
            dy=float(rng.normal(0.0, 0.5)),
            tilt=float(rng.normal(0.0, 0.018)),
            turn=float(rng.normal(0.0, 0.035)),
            dose=float(rng.uniform(4e4, 1.6e5)),
            penetration=float(rng.uniform(-0.25, 0.25)),
            latitude=float(rng.uniform(0.85, 1.2)),
            borders=(float(shares[0]), float(shares[1]), float(shares[2]), float(shares[3])),
            marker="L" if rng.random() < 0.7 else "R",
            marker_at=(float(rng.uniform(0.05, 0.09)), float(rng.uniform(0.05, 0.12))),
            photometric="MONOCHROME1" if rng.random() < 0.25 else "MONOCHROME2",
        )
