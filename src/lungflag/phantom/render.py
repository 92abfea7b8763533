"""From anatomy to the finished picture: attenuation, detector, film and lettering."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lungflag.phantom.consolidation import Focus, shape
from lungflag.phantom.patient import LEFT, RIGHT, SIDES, Acquisition, Patient
from lungflag.phantom.projection import Grid, blur, cloud, union_length, wide_blur
from lungflag.phantom.skeleton import bones
from lungflag.phantom.thorax import Thorax
from lungflag.phantom.tree import Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lungflag.phantom.projection import Plane


# Linear attenuation coefficients per centimetre at 60 keV, about the mean energy of a chest
# film at 120 kV: mass coefficients of NISTIR 5632 (Hubbell and Seltzer; ICRU-44 materials) times
# density. Inflated lung is its tissue at 0.26 g/cm3.
SOFT_TISSUE = 0.2048 * 1.06
LUNG = 0.2053 * 0.26
COMPACT_BONE = 0.3148 * 1.92

_SCATTER = 0.07  # scattered to primary radiation behind the patient and a grid
_SEEN = 0.06  # attenuation exponent from which a consolidation belongs to the mask


class Rays(NamedTuple):
    """What the beam meets: the attenuation exponent, the consolidations' part, the lung fields."""

    exponent: Plane
    disease: Plane
    lungs: NDArray[np.bool_]


def cast(
    patient: Patient, grid: Grid, foci: tuple[Focus, ...], streams: dict[str, np.random.Generator]
) -> Rays:
    """Integrate the attenuation coefficient along every ray (Beer-Lambert).

    Returns
    -------
    Rays
        Planes of shape (size, size); the disease's is 0 everywhere where there is none.
    """
    thorax = Thorax.of(patient, grid, streams["body"])
    tree = Tree.of(patient, grid, streams["vessels"])
    skeleton = bones(patient, grid)
    lung, filled = _lungs(thorax, foci, grid, streams["disease"])

    fat = 1 + 0.012 * cloud(streams["texture"], grid.size, (6, 12, 24, 48))
    grain = 1 + 0.07 * cloud(streams["texture"], grid.size, (48, 96, 160))
    air = np.minimum(thorax.gas + tree.trachea, thorax.body.length)
    solid = np.maximum(thorax.body.length - lung - air, 0) * fat + thorax.breast
    # Vessels show against air alone: in a consolidation they vanish, and bronchi appear instead.
    aerated = 1 - np.clip(filled / np.maximum(lung, 1.0), 0, 1)
    pleura = np.maximum(thorax.lungs[RIGHT].length + thorax.lungs[LEFT].length, 1.0)
    vessels = np.minimum(tree.vessels * (lung / pleura), 0.6 * lung)
    bronchogram = np.minimum(tree.bronchi, 0.5 * filled)
    healthy = SOFT_TISSUE * solid + LUNG * lung * grain + (SOFT_TISSUE - LUNG) * vessels
    healthy = healthy + (COMPACT_BONE - SOFT_TISSUE) * skeleton * (thorax.body.length > 0.5)
    disease = (SOFT_TISSUE - LUNG) * (filled - vessels * (1 - aerated) - bronchogram)
    return Rays(
        (healthy * patient.scale).astype(np.float32),
        (np.maximum(disease, 0) * patient.scale).astype(np.float32),
        thorax.lung_fields(patient, grid),
    )


def _lungs(
    thorax: Thorax, foci: tuple[Focus, ...], grid: Grid, rng: np.random.Generator
) -> tuple[Plane, Plane]:
    """Path length in lung, and how much of it is filled."""
    lung = np.zeros_like(grid.x)
    filled = np.zeros_like(grid.x)
    shapes = [(focus.side, *shape(focus, grid, rng)) for focus in foci]
    for side in SIDES:
        inside = thorax.lungs[side].length > 0
        pleura = thorax.lungs[side].at(inside)
        solid = [part.at(inside).within(pleura) for part in thorax.solid]
        taken = union_length(solid)
        lung[inside] += np.maximum(pleura.length - taken, 0)
        for where, extent, density in shapes:
            if where == side:
                more = np.zeros_like(lung)
                more[inside] = union_length([*solid, extent.at(inside).within(pleura)]) - taken
                filled += blur(more * density, 0.2 / grid.pitch) * (lung > 0)
    return lung, np.minimum(filled, lung)


def expose(exponent: Plane, how: Acquisition, pitch: float, rng: np.random.Generator) -> Plane:
    """Return the signal behind the patient: primary and scattered quanta, blurred, with noise.

    Parameters
    ----------
    exponent : Plane
        Attenuation exponents, shape (size, size).
    how : Acquisition
        Gives dose and collimation.
    pitch : float
        Side of a pixel in centimetres.
    rng : np.random.Generator
        Where the noise comes from.

    Returns
    -------
    Plane
        Share of the bare beam's quanta, above 0.
    """
    size = exponent.shape[0]
    primary = np.exp(-exponent)
    scatter = wide_blur(np.minimum(primary, 0.3), 3.0 / pitch)
    light = blur(primary, max(0.35, 0.035 / pitch)) + _SCATTER * np.maximum(scatter, 0)
    light = np.maximum(light, 1e-6)  # a narrow blur swings below nothing beside a bright edge
    quanta = light * how.dose * (10 * pitch) ** 2
    noise = blur(rng.standard_normal((size, size)).astype(np.float32), 0.5)
    return np.asarray(np.maximum(light + light * noise / np.sqrt(quanta), 1e-6), dtype=np.float32)


def develop(signal: Plane, how: Acquisition, pitch: float) -> Plane:
    """Return grey values of 0 (bare film, black) to 1 for a detector signal.

    The logarithm is compressed at low spatial frequencies, as digital radiography does it, and
    then follows a sigmoid characteristic curve.
    """
    density: Plane = -np.log(signal)
    calm = np.minimum(density, 5.0)
    local = density - 0.55 * (wide_blur(calm, 2.6 / pitch) - 2.6)
    fine = local + 0.35 * (local - blur(local, 0.25 / pitch))
    grey = 1 / (1 + np.exp(-(fine - 2.55 - how.penetration) / (0.52 * how.latitude)))
    black = 1 / (1 + np.exp((1.2 + how.penetration + 1.25) / (0.52 * how.latitude)))
    return np.asarray(np.clip((grey - black) / (0.985 - black), 0, 1), dtype=np.float32)


def finish(grey: Plane, how: Acquisition) -> Plane:
    """Blacken what the collimator covers and set the lead marker and the word SYNTHETIC."""
    size = grey.shape[0]
    image: Plane = grey * _collimated(size, how)
    image = _write(image, how.marker, _marker_place(size, how), 0.055, 0.97)
    return _write(image, "SYNTHETIC", (0.02 * size, 0.955 * size), 0.03, 0.9)


def _collimated(size: int, how: Acquisition) -> Plane:
    left, right, top, bottom = how.borders
    at = (np.arange(size) + 0.5) / size
    lean = 0.5 * how.tilt * (at - 0.5)  # the shutters turn with the patient, though not as far
    across = at[None, :] - lean[:, None]
    down = at[:, None] - lean[None, :]
    opened = np.ones((size, size))
    for share, distance in ((left, across), (right, 1 - across), (top, down), (bottom, 1 - down)):
        if share:
            opened *= np.clip((distance - share) * size / 2 + 0.5, 0, 1)
    return opened


def _marker_place(size: int, how: Acquisition) -> tuple[float, float]:
    share = how.marker_at[0]
    across = 1 - share - 0.03 if how.marker == "L" else share
    return across * size, how.marker_at[1] * size


def _write(
    image: Plane, text: str, place: tuple[float, float], height: float, level: float
) -> Plane:
    size = image.shape[0]
    font = ImageFont.load_default(size=max(7.0, height * size))
    rim = max(1, size // 400)

    def stencil(stroke: int) -> Plane:
        sheet = Image.new("L", (size, size))
        ImageDraw.Draw(sheet).text(place, text, fill=255, font=font, stroke_width=stroke)
        return np.asarray(sheet, dtype=np.float32) / 255

    ink = stencil(0)
    # A dark rim keeps the letters legible over bone.
    return np.asarray(image * (1 - stencil(rim)) * (1 - ink) + level * ink, dtype=np.float32)


def seen(disease: Plane) -> NDArray[np.bool_]:
    """Return the mask of what a consolidation's attenuation makes visible."""
    return np.asarray(disease > _SEEN, dtype=np.bool_)
