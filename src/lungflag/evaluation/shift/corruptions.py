"""What can happen to a radiograph's pixels on their way from the patient to the detector.

In the manner of MedMNIST-C: each corruption has five severities. At 3 a film is read without
doubt; at 5 it is plainly bad, and still readable. The factors of brightness, contrast, gamma and
pixelate are those of MedMNIST-C for PneumoniaMNIST; blur, noise and JPEG end where its levels end
or before, and begin lower, since its middle ones hide fine interstitial markings; the other levels
were set by eye on radiographs. The last two corruptions have no severity: they put every image on
one histogram, so that global intensity cannot tell the label.

Lengths count in pixels of an image whose longer side is `FRAME`, and are scaled to the image at
hand. JPEG alone acts on the pixels as they are.

References
----------
F. Di Salvo, S. Doerrich, C. Ledig, 'MedMNIST-C: Comprehensive benchmark and improved classifier
robustness by simulating realistic image corruptions', 2024, arXiv:2406.17536.

D. Hendrycks, T. Dietterich, 'Benchmarking neural network robustness to common corruptions and
perturbations', ICLR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]
    Level = tuple[float, ...]

FRAME = 224
SEVERITIES = (1, 2, 3, 4, 5)

_FILTERS = (
    Image.Resampling.NEAREST,
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
_WORDS = ("R", "L", "PA", "AP", "ERECT", "SUPINE", "PORTABLE", "AP SITTING", "14:35", "RT", "LT")
_GREYS = np.arange(256, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Corruption:
    """One way to spoil a radiograph, callable as ``corruption(grey, severity, rng)``.

    Attributes
    ----------
    meaning : str
        What it stands for, and what its levels are.
    levels : tuple[tuple[float, ...], ...]
        The parameters of each severity from 1; a single entry where there are no severities.
    apply : Callable
        ``apply(grey, level, rng)``.
    """

    meaning: str
    levels: tuple[Level, ...]
    apply: Callable[[Grey, Level, np.random.Generator], Grey]

    @property
    def graded(self) -> bool:
        """Whether it has severities."""
        return len(self.levels) > 1

    def __call__(self, grey: Grey, severity: int, rng: np.random.Generator) -> Grey:
        """Return a corrupted copy of `grey`, uint8 of the same shape (h, w).

        Raises
        ------
        ValueError
            If `severity` is not 1 to 5. Where there are no severities, it makes no difference.
        """
        if severity not in SEVERITIES:
            raise ValueError(f"severity {severity} is not 1 to {SEVERITIES[-1]}")
        return self.apply(grey, self.levels[severity - 1 if self.graded else 0], rng)


def corrupt(name: str, grey: Grey, severity: int, seed: int) -> Grey:
    """Return `grey` under one corruption: the same arguments give the same bytes.

    What is left to chance (direction, place, word) is drawn from `seed` and `name` alone, so that
    it stays the same from one severity to the next.

    Parameters
    ----------
    name : str
        A name of `CORRUPTIONS`.
    grey : NDArray[np.uint8]
        Shape (h, w), air dark and bone bright.
    severity : int
        1 to 5; of no effect for a corruption without severities.
    seed : int
        Not negative.

    Raises
    ------
    KeyError
        If there is no such corruption.
    ValueError
        If `severity` is not 1 to 5.
    """
    rng = np.random.default_rng((seed, crc32(name.encode())))
    return CORRUPTIONS[name](grey, severity, rng)


def _brightness(grey: Grey, level: Level, rng: np.random.Generator) -> Grey:
    return _toned(grey, _GREYS * rng.choice(level))


def _contrast(grey: Grey, level: Level, rng: np.random.Generator) -> Grey:
    mean = grey.mean()
    return _toned(grey, mean + (_GREYS - mean) * rng.choice(level))


def _gamma(grey: Grey, level: Level, rng: np.random.Generator) -> Grey:
    return _toned(grey, 255 * (_GREYS / 255) ** rng.choice(level))


def _blur(grey: Grey, level: Level, _: np.random.Generator) -> Grey:
    return _pixels(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(level[0] * _scale(grey))))


def _sharpen(grey: Grey, level: Level, _: np.random.Generator) -> Grey:
    radius, percent = level
    mask = ImageFilter.UnsharpMask(radius * _scale(grey), round(percent), threshold=0)
    return _pixels(Image.fromarray(grey).filter(mask))


def _noise(grey: Grey, level: Level, rng: np.random.Generator) -> Grey:
    # A finer grid averages more pixels into each of the network's: the noise grows with it.
    noise = rng.standard_normal(grey.shape, dtype=np.float32)
    return _bytes(grey + noise * np.float32(255 * level[0] * _scale(grey)))


def _jpeg(grey: Grey, level: Level, _: np.random.Generator) -> Grey:
    stream = BytesIO()
    Image.fromarray(grey).save(stream, "JPEG", quality=round(level[0]))
    return _pixels(Image.open(stream))


def _pixelate(grey: Grey, level: Level, _: np.random.Generator) -> Grey:
    return _resampled(grey, level[0], Image.Resampling.BOX, Image.Resampling.NEAREST)


def _resampling_filter(grey: Grey, level: Level, rng: np.random.Generator) -> Grey:
    there, back = rng.integers(len(_FILTERS), size=2)
    return _resampled(grey, level[0], _FILTERS[there], _FILTERS[back])


def _rotation(grey: Grey, level: Level, rng: np.random.Generator) -> Grey:
    angle = level[0] * rng.choice((-1, 1))
    return _pixels(Image.fromarray(grey).rotate(angle, Image.Resampling.BILINEAR))


def _crop(grey: Grey, level: Level, rng: np.random.Generator) -> Grey:
    height, width = grey.shape
    top, left = rng.uniform(size=2) * (1 - level[0])
    box = (left * width, top * height, (left + level[0]) * width, (top + level[0]) * height)
    return _pixels(Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR, box))


def _burned_in_letters(grey: Grey, level: Level, rng: np.random.Generator) -> Grey:
    count, size, reach = level
    image = Image.fromarray(grey)
    draw = ImageDraw.Draw(image)
    font = _font(max(6, round(size * _scale(grey))))
    # All draws are made for the largest count, so that a severity adds words to the last one's.
    most = max(int(item[0]) for item in _LETTERS)
    words, greys = rng.choice(_WORDS, most), rng.integers(190, 256, most)
    along, depth, sides = rng.uniform(size=most), rng.uniform(size=most), rng.integers(4, size=most)
    for index in range(int(count)):
        _, _, right, bottom = draw.textbbox((0, 0), words[index], font)
        free = np.maximum((image.width - right, image.height - bottom), 0)
        inwards = reach * depth[index]
        across = inwards if sides[index] % 2 else 1 - inwards
        place = (across, along[index]) if sides[index] < 2 else (along[index], across)
        draw.text(tuple(free * place), words[index], int(greys[index]), font)
    return _pixels(image)


def _black_borders(grey: Grey, level: Level, rng: np.random.Generator) -> Grey:
    height, width = grey.shape
    share = level[0] * rng.uniform(0.5, 1, size=4)
    share[[(0, 1), (2, 3), ()][rng.integers(3)],] = 0  # beside, above and below, or all around
    left, right, top, bottom = (share * (width, width, height, height)).round().astype(int)
    inner = Image.fromarray(grey).resize(
        (max(1, width - left - right), max(1, height - top - bottom)), Image.Resampling.BILINEAR
    )
    image = Image.new("L", (width, height))
    image.paste(inner, (left, top))
    return _pixels(image)


def _matched(grey: Grey, level: Level, _: np.random.Generator) -> Grey:
    """Give `grey` the histogram `level`, of 256 shares: monotone, ties kept (mid-ranks)."""
    ours = np.bincount(grey.ravel(), minlength=256)
    wanted = np.asarray(level)
    return _toned(grey, np.interp(_midranks(ours), _midranks(wanted), _GREYS))


def _midranks(histogram: NDArray[np.float64] | NDArray[np.intp]) -> NDArray[np.float64]:
    ranks: NDArray[np.float64] = (np.cumsum(histogram) - histogram / 2) / histogram.sum()
    return ranks


def _toned(grey: Grey, curve: NDArray[np.float64]) -> Grey:
    return _bytes(curve)[grey]


def _resampled(grey: Grey, side: float, there: Image.Resampling, back: Image.Resampling) -> Grey:
    image = Image.fromarray(grey)
    share = side / max(grey.shape)
    small = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return _pixels(image.resize(small, there).resize(image.size, back))


def _scale(grey: Grey) -> float:
    height, width = grey.shape
    return float(max(height, width) / FRAME)


def _bytes(values: NDArray[np.floating]) -> Grey:
    bytes_: Grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return bytes_


def _pixels(image: Image.Image) -> Grey:
    return np.array(image, dtype=np.uint8)


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _humps(*humps: tuple[float, float, float]) -> Level:
    """Return a histogram of 256 shares: normal humps of (weight, mean, standard deviation)."""
    weight, mean, sd = np.array(humps).T[:, :, None]
    shares = (weight / sd * np.exp(-(((_GREYS - mean) / sd) ** 2) / 2)).sum(axis=0)
    return tuple((shares / shares.sum()).tolist())


_LETTERS = ((1, 9, 0.10), (2, 11, 0.15), (3, 13, 0.20), (5, 15, 0.30), (8, 18, 0.50))

# Air and collimation, lungs, soft tissue, mediastinum and bone.
REFERENCE_HISTOGRAM = _humps((0.08, 8, 10), (0.40, 85, 32), (0.37, 150, 30), (0.15, 210, 22))

CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {
        "brightness": Corruption(
            "exposure or window too bright or too dark: grey values times a factor",
            ((1.1, 0.9), (1.2, 0.8), (1.3, 0.7), (1.4, 0.6), (1.5, 0.5)),
            _brightness,
        ),
        "contrast": Corruption(
            "window too narrow or too wide: distance from the mean grey value times a factor",
            ((1.1, 0.9), (1.2, 0.8), (1.3, 0.7), (1.4, 0.6), (1.6, 0.4)),
            _contrast,
        ),
        "gamma": Corruption(
            "another display or film curve: grey values 0 to 1 to a power",
            ((1.1, 0.9), (1.2, 0.8), (1.3, 0.7), (1.4, 0.6), (1.6, 0.4)),
            _gamma,
        ),
        "blur": Corruption(
            "motion, focal spot, a poor scanner: Gaussian of a standard deviation in pixels",
            ((0.5,), (0.8,), (1.1,), (1.5,), (2.0,)),
            _blur,
        ),
        "sharpen": Corruption(
            "a vendor's edge enhancement: unsharp mask of a radius in pixels and per cent",
            ((2, 50), (2, 100), (2, 150), (2, 225), (3, 300)),
            _sharpen,
        ),
        "noise": Corruption(
            "too little dose: Gaussian noise of a standard deviation in shares of the grey scale",
            ((0.01,), (0.02,), (0.03,), (0.05,), (0.08,)),
            _noise,
        ),
        "jpeg": Corruption(
            "lossy storage: baseline JPEG of a quality, 1 to 95",
            ((50,), (35,), (25,), (15,), (10,)),
            _jpeg,
        ),
        "pixelate": Corruption(
            "a screenshot or thumbnail: averaged onto a grid whose longer side has so many cells",
            ((179,), (157,), (134,), (112,), (90,)),
            _pixelate,
        ),
        "resampling-filter": Corruption(
            "resized on the way: to a longer side of so many pixels and back, each with a filter "
            "drawn from nearest, box, bilinear, Hamming, bicubic and Lanczos",
            ((202,), (179,), (157,), (134,), (112,)),
            _resampling_filter,
        ),
        "rotation": Corruption(
            "a tilted patient or cassette: degrees to either side, corners black",
            ((3,), (6,), (10,), (15,), (20,)),
            _rotation,
        ),
        "crop": Corruption(
            "collimated or cut too closely: the share of each side that is kept, anywhere",
            ((0.95,), (0.9,), (0.85,), (0.8,), (0.7,)),
            _crop,
        ),
        "burned-in-letters": Corruption(
            "side markers and captions: number of words, letter size in pixels, and how far in "
            "from the edge they reach as a share of the side",
            _LETTERS,
            _burned_in_letters,
        ),
        "black-borders": Corruption(
            "a letterboxed or framed export: the largest share of a side taken by each border",
            ((0.04,), (0.07,), (0.1,), (0.15,), (0.2,)),
            _black_borders,
        ),
        "equalised": Corruption("every image on the flat histogram", ((1 / 256,) * 256,), _matched),
        "matched": Corruption(
            "every image on `REFERENCE_HISTOGRAM`, a smooth one made of four humps",
            (REFERENCE_HISTOGRAM,),
            _matched,
        ),
    }
)
