"""What the gate learns from films alone: how they may look, and how they may not.

Every function takes and gives squares of bytes, air dark and bone bright. The first kind of
changes leaves a film fit to be judged; the others are named after `lungflag.quality` kinds.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Square = NDArray[np.uint8]
    Change = Callable[[Square, np.random.Generator], Square]

KEPT = 0.7
"""Share of each side that a crop keeps, at least, where the film is still to be judged."""

LOST = 0.45
"""Share of a side that a bad crop keeps, at most."""

TILT = 18.0
"""Degrees by which a film may lie askew."""


def varied(film: Square, rng: np.random.Generator) -> Square:
    """Return a film as another device, technician or export would have given it."""
    if rng.random() < 0.2:
        return film
    image = Image.fromarray(film)
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    if rng.random() < 0.5:
        angle = float(rng.uniform(-TILT, TILT))
        image = image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=_corner(film, rng))
    if rng.random() < 0.6:
        image = _cropped(image, rng.uniform(KEPT, 1), rng.uniform(KEPT, 1), rng)
    if rng.random() < 0.3:
        image = _bordered(image, rng)
    return _toned(_degraded(image, rng), rng)


def toned(picture: Square, rng: np.random.Generator) -> Square:
    """Return a picture of any kind in another shape, crop, grey scale, sharpness and lettering."""
    image = Image.fromarray(picture)
    if rng.random() < 0.6:
        image = _warped(image, rng)
    if rng.random() < 0.6:
        image = _cropped(image, rng.uniform(0.7, 1), rng.uniform(0.7, 1), rng)
    if rng.random() < 0.4:
        image = image.rotate(float(rng.uniform(-12, 12)), Image.Resampling.BILINEAR)
    if rng.random() < 0.2:
        image = _bordered(image, rng)
    return _toned(_degraded(image, rng), rng)


def inverted(film: Square, rng: np.random.Generator) -> Square:
    """Return a film with air bright and bone dark; collimated borders may stay black."""
    negative = 255 - varied(film, rng)
    if rng.random() < 0.25:
        return np.asarray(_bordered(Image.fromarray(negative), rng))
    return negative


def rotated(quarters: int) -> Change:
    """Return the change that turns a film clockwise by so many times 90 degrees."""

    def change(film: Square, rng: np.random.Generator) -> Square:
        seen = varied(film, rng)
        return np.ascontiguousarray(np.rot90(seen, -quarters))

    return change


def cropped(film: Square, rng: np.random.Generator) -> Square:
    """Return a film that lost half of a side or more."""
    width, height = rng.uniform(0.2, LOST, 2)
    if rng.random() < 0.6:  # the one side only: half a chest
        width, height = (width, rng.uniform(0.7, 1)) if rng.random() < 0.5 else (1.0, height)
    part = _cropped(Image.fromarray(film), width, height, rng)
    return _toned(_degraded(part, rng), rng)


def folded(film: Square, rng: np.random.Generator) -> Square:
    """Return both halves of a chest laid over each other, as a lateral beam adds both lungs."""
    size = film.shape[0]
    middle = int(size * rng.uniform(0.44, 0.56))
    reach = int(size * rng.uniform(0.34, 0.44))
    right, left = film[:, middle - reach : middle][:, ::-1], film[:, middle : middle + reach]
    share = rng.uniform(0.3, 0.7)
    both = Image.fromarray((share * right + (1 - share) * left).astype(np.uint8))
    width = int(size * rng.uniform(0.55, 0.95))
    sheet = Image.new("L", (size, size), _corner(film, rng))
    at = int(rng.uniform(0, size - width))
    sheet.paste(both.resize((width, size), Image.Resampling.BILINEAR), (at, 0))
    lean = float(rng.uniform(-0.25, 0.25))
    matrix = (1, 0, 0, lean, 1, -lean * size / 2)
    sheet = sheet.transform(sheet.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    turned = np.asarray(sheet if rng.random() < 0.5 else ImageOps.mirror(sheet))
    return toned(turned, rng)


def jumbled(film: Square, rng: np.random.Generator) -> Square:
    """Return a film cut into tiles in disorder, or several small films on one sheet."""
    n = int(rng.integers(2, 5))
    side = film.shape[0] // n
    tiles = [film[r * side : (r + 1) * side, c * side : (c + 1) * side]
             for r in range(n) for c in range(n)]  # fmt: skip
    if rng.random() < 0.3:
        small = Image.fromarray(film).resize((side, side), Image.Resampling.BOX)
        tiles = [np.asarray(small)] * len(tiles)
    order = np.empty(len(tiles), int)
    cycle = rng.permutation(len(tiles))
    order[cycle] = np.roll(cycle, 1)  # no tile stays in its place
    rows = [np.hstack([tiles[k] for k in order[r * n : (r + 1) * n]]) for r in range(n)]
    return _toned(Image.fromarray(np.vstack(rows)).resize(film.shape[::-1]), rng)


def blank(film: Square, rng: np.random.Generator) -> Square:
    """Return a picture without one: noise, a gradient, a bare field, or a film lost in blur."""
    size = film.shape[0]
    kind = rng.integers(4)
    if kind == 0:
        lost = Image.fromarray(film).filter(ImageFilter.GaussianBlur(size * rng.uniform(0.1, 0.2)))
        return np.asarray(lost)
    down, across = np.mgrid[0:size, 0:size] / size - 0.5
    slope = rng.normal(0, 60, 3) * (kind == 1)
    plane = 128 + slope[0] * down + slope[1] * across + slope[2] * (down**2 + across**2)
    plane = plane + rng.normal(0, rng.uniform(0, 25), (size, size))
    image = Image.fromarray(np.clip(plane, 0, 255).astype(np.uint8))
    if kind == 2:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 8))))
    if rng.random() < 0.5:
        image = _bordered(image, rng)
    return np.asarray(_lettered(image, rng) if rng.random() < 0.5 else image)


FROM_FILMS: Mapping[str, tuple[Change, ...]] = {
    "inverted": (inverted,),
    "rotated-90": (rotated(1),),
    "rotated-180": (rotated(2),),
    "rotated-270": (rotated(3),),
    "lateral": (folded,),
    "cropped": (cropped,),
    "blank": (blank,),
    "other": (jumbled,),
}
"""Kind to the changes that make it from a film."""


_WORDS = ("L", "R", "AP", "PA", "PORTABLE", "SUPINE", "ERECT", "12:45")


def _corner(film: Square, rng: np.random.Generator) -> int:
    """Return the grey beside a turned film: black, or what its corners have."""
    return 0 if rng.random() < 0.6 else int(np.median(film[:6, :6]))


def _cropped(
    image: Image.Image, width: float, height: float, rng: np.random.Generator
) -> Image.Image:
    """Return a part with these shares of the sides, anywhere, squashed to the whole again."""
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    side = image.width
    box = (left * side, top * side, (left + width) * side, (top + height) * side)
    return image.resize(image.size, Image.Resampling.BILINEAR, box)


def _warped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the picture bent smoothly, as bodies differ: inner corners of a mesh are moved."""
    n, size = 4, image.width
    at = np.stack(np.meshgrid(*[np.linspace(0, size, n + 1)] * 2), axis=-1)
    at[1:-1, 1:-1] += rng.uniform(-0.25, 0.25, (n - 1, n - 1, 2)) * size / n
    edges = np.linspace(0, size, n + 1).round().astype(int)
    mesh = []
    for r in range(n):
        for c in range(n):
            corners = at[[r, r + 1, r + 1, r], [c, c, c + 1, c + 1]]
            box = (int(edges[c]), int(edges[r]), int(edges[c + 1]), int(edges[r + 1]))
            mesh.append((box, tuple(corners.ravel())))
    return image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def _bordered(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the picture, squashed, in a frame of one grey on some sides."""
    size = image.width
    shares = rng.uniform(0, 0.18, 4) * (rng.random(4) < 0.6)
    left, top, right, bottom = (int(size * share) for share in shares)
    sheet = Image.new("L", (size, size), 0 if rng.random() < 0.85 else int(rng.integers(256)))
    inner = image.resize((size - left - right, size - top - bottom), Image.Resampling.BILINEAR)
    sheet.paste(inner, (left, top))
    return sheet


def _degraded(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the picture blurred, sharpened, coarsened, compressed or lettered, or as it is."""
    way = rng.integers(8)
    if way == 0:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 2.2))))
    elif way == 1:
        image = image.filter(ImageFilter.UnsharpMask(2, int(rng.integers(40, 300)), 0))
    elif way == 2:
        side = int(image.width * rng.uniform(0.4, 0.9))
        image = image.resize((side, side), Image.Resampling.BOX).resize(image.size)
    elif way == 3:
        stream = BytesIO()
        image.save(stream, "JPEG", quality=int(rng.integers(10, 70)))
        image = Image.open(stream)
    return _lettered(image, rng) if rng.random() < 0.25 else image


def _lettered(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the picture with side markers or a caption burned in."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 5))):
        text = _WORDS[int(rng.integers(len(_WORDS)))]
        place = tuple(image.width * rng.uniform(0, 0.9, 2))
        draw.text(place, text, int(rng.integers(150, 256)), _font(int(rng.integers(8, 23))))
    return image


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _toned(image: Image.Image, rng: np.random.Generator) -> Square:
    """Return bytes with another characteristic curve and noise."""
    grey = np.asarray(image, np.float32) / 255
    way = rng.integers(6)
    if way == 0:
        grey = np.asarray(ImageOps.equalize(image), np.float32) / 255
    elif way <= 3:
        grey = grey ** np.exp(rng.normal(0, 0.3))
        grey = (grey - grey.mean()) * np.exp(rng.normal(0, 0.25)) + grey.mean()
        grey = grey * rng.uniform(0.7, 1.3)
    if rng.random() < 0.3:
        grey = grey + rng.normal(0, rng.uniform(0, 0.06), grey.shape)
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)
