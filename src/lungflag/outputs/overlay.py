"""Overlays: the radiograph with the heatmap over it and a legend below, as PNG."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lungflag.errors import LungflagError
from lungflag.outputs.wording import NOT_FOR_DIAGNOSIS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lungflag.outcome import Finding
    from lungflag.radiograph import Radiograph

FULL_SCALE = 12.0
"""Logits at which the heatmap has its last colour. Absolute, so that films can be compared."""

LONGEST_SIDE, SMALLEST_SIDE = 1024, 560
STRONGEST = 0.45  # opacity at full scale: ribs and vessels must stay visible under it

# Lightness rises steadily from dark violet to light yellow, for every kind of colour vision.
_COLOURS = (
    (0.0, (72, 12, 104)),
    (0.35, (176, 42, 94)),
    (0.7, (246, 124, 22)),
    (1.0, (252, 250, 150)),
)
_GROUND, _TEXT, _QUIET = (16, 18, 22), (235, 238, 242), (160, 168, 178)
_ALERT, _CALM = (255, 138, 76), (140, 200, 230)
_MARGIN, _GAP = 18, 8
_SAMPLED = 4  # one row and column of so many tells the grey levels as well as all do
_PLAIN_WIDTH = 700  # up to this width, letters have their plain size


def draw_overlay(radiograph: Radiograph, finding: Finding) -> Image.Image:
    """Return the radiograph, the heatmap over it, and the legend, as an RGB image.

    The film keeps its aspect ratio, stands at the top and is centred. Its longer side is at most
    1024 pixels and at least 560. Only evidence *for* pneumonia is painted, on an absolute scale of
    logits: a film without any stays grey.

    Parameters
    ----------
    radiograph : Radiograph
        Pixels of shape (rows, columns).
    finding : Finding
        The detector's result for it; the heatmap of shape (h, w) spans the whole film.
    """
    return add_legend(draw_heatmap(radiograph, finding), finding)


def add_legend(film: Image.Image, finding: Finding) -> Image.Image:
    """Return what `draw_heatmap` drew, with the legend of `draw_overlay` below it."""
    width = max(film.width, SMALLEST_SIDE)
    legend = _legend(finding, width)
    canvas = Image.new("RGB", (width, film.height + legend.height), _GROUND)
    canvas.paste(film, ((width - film.width) // 2, 0))
    canvas.paste(legend, (0, film.height))
    return canvas


def draw_heatmap(radiograph: Radiograph, finding: Finding) -> Image.Image:
    """Return the film and the heatmap over it, as `draw_overlay` does, without the legend."""
    film = _film(radiograph.pixels)
    strength = _strength(finding.heatmap, film.size)
    film.paste(_colour(strength), mask=_opacity(strength))
    return film


def write_overlay(folder: str | Path, radiograph: Radiograph, finding: Finding) -> Path:
    """Draw the overlay to a PNG file in `folder`, which is made, and return its path.

    Raises
    ------
    LungflagError
        If it cannot be written.
    """
    path = Path(folder) / overlay_name(finding.source)
    image = draw_overlay(radiograph, finding)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, compress_level=4)
    except OSError as error:
        raise LungflagError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path


def overlay_name(source: str) -> str:
    """Return the overlay's file name, see `output_name`."""
    return output_name(source, ".png")


def output_name(source: str, ending: str) -> str:
    """Return a name for a file about an input: its own name and a short hash of its whole path.

    The same input always gets the same name, and equal file names in different folders differ.
    """
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", Path(source).name)[:80].strip("._") or "input"
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{stem}-{digest[:12]}{ending}"


def _film(pixels: NDArray[np.float32]) -> Image.Image:
    """Return the film at its drawn size, as grey RGB stretched between two percentiles."""
    rows, columns = pixels.shape
    longest = max(rows, columns)
    scale = min(max(longest, SMALLEST_SIDE), LONGEST_SIDE) / longest
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    # As sharp as BICUBIC where pixels are averaged, in half the time; small films are enlarged.
    method = Image.Resampling.HAMMING if scale < 1 else Image.Resampling.BICUBIC
    drawn = image.resize(size, method, reducing_gap=1.0)
    low, high = np.percentile(np.asarray(drawn)[::_SAMPLED, ::_SAMPLED], (0.5, 99.5))
    slope = 255.0 / max(high - low, 1e-6)
    start = 0.5 - low * slope  # "L" cuts fractions off
    return drawn.point(lambda level: level * slope + start).convert("L").convert("RGB")


def _strength(heatmap: NDArray[np.float32], size: tuple[int, int]) -> Image.Image:
    """Return the evidence for pneumonia at every drawn pixel, in 255ths of full scale."""
    share = np.ascontiguousarray(heatmap, dtype=np.float32) * np.float32(255 / FULL_SCALE)
    return Image.fromarray(share).resize(size, Image.Resampling.BICUBIC).convert("L")


def _colour(strength: Image.Image) -> Image.Image:
    coloured = strength.copy()
    coloured.putpalette(_palette())
    return coloured.convert("RGB")


@cache
def _palette() -> bytes:
    """Return the colour of each of 256 strengths."""
    places = [place for place, _ in _COLOURS]
    strengths = np.linspace(0, 1, 256)
    channels = [
        np.interp(strengths, places, [colour[channel] for _, colour in _COLOURS])
        for channel in range(3)
    ]
    return np.stack(channels, axis=-1).astype(np.uint8).tobytes()


def _opacity(strength: Image.Image) -> Image.Image:
    return strength.point([int((level / 255) ** 0.7 * 255 * STRONGEST) for level in range(256)])


def _legend(finding: Finding, width: int) -> Image.Image:
    """Return the strip below the film. Its height follows from the text, so nothing is cut.

    Letters grow with the width, since viewers fit a picture to their window.
    """
    scale = max(1.0, width / _PLAIN_WIDTH)
    room = width - 2 * _MARGIN
    placed = []
    y = _MARGIN
    for text, size, colour in _lines(finding):
        font = _font(round(size * scale))
        for part in _wrap(_drawable(text), font, room):
            placed.append((y, part, font, colour))
            y += round(size * scale * 1.35)
    bar_top = y + _GAP
    strip = Image.new("RGB", (width, bar_top + round(52 * scale) + _MARGIN), _GROUND)
    draw = ImageDraw.Draw(strip)
    for top, part, font, colour in placed:
        draw.text((_MARGIN, top), part, font=font, fill=colour)
    _draw_bar(strip, draw, bar_top, room, scale)
    return strip


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, which takes milliseconds to unpack."""
    return ImageFont.load_default(size)


def _lines(finding: Finding) -> tuple[tuple[str, int, tuple[int, int, int]], ...]:
    """Return the lines of the legend with their sizes and colours, what matters most first."""
    verdict = "FLAGGED: suspected pneumonia" if finding.flagged else "not flagged"
    caution = () if finding.flagged else (("does not rule out pneumonia", 22, _CALM),)
    relation = "at or above" if finding.flagged else "below"
    return (
        (verdict, 30, _ALERT if finding.flagged else _CALM),
        *caution,
        (NOT_FOR_DIAGNOSIS, 22, _ALERT),
        (f"probability {_figure(finding.probability)}, {relation} the threshold", 22, _TEXT),
        (f"threshold {_figure(finding.threshold)} ({_point(finding)})", 18, _TEXT),
        *((mark, 18, _ALERT) for mark in finding.marks),
        (f"model {finding.model} {finding.version}", 18, _QUIET),
    )


def _draw_bar(
    strip: Image.Image, draw: ImageDraw.ImageDraw, top: int, room: int, scale: float
) -> None:
    """Draw the colours as they look over mid-grey, with the scale in logits."""
    height = round(18 * scale)
    strength = Image.fromarray(np.tile(np.linspace(0, 255, room).astype(np.uint8), (height, 1)))
    bar = Image.new("RGB", (room, height), (110, 110, 110))
    bar.paste(_colour(strength), mask=_opacity(strength))
    strip.paste(bar, (_MARGIN, top))
    font = _font(round(15 * scale))
    below = top + height + 5
    right = _MARGIN + room
    draw.text((_MARGIN, below), "0", font=font, fill=_QUIET)
    draw.text(
        (_MARGIN + room / 2, below),
        "the model's evidence (logits), no outline of disease",
        font=font,
        fill=_QUIET,
        anchor="ma",
    )
    draw.text((right, below), f"{FULL_SCALE:g} or more", font=font, fill=_QUIET, anchor="ra")


def _figure(value: float) -> str:
    """Return a probability with three decimals that never round to an impossible 0 or 1."""
    if 0 < value < 0.001:
        return "< 0.001"
    if 0.999 < value < 1:
        return "> 0.999"
    return f"{value:.3f}"


def _point(finding: Finding) -> str:
    return ", ".join(filter(None, (finding.operating_point, finding.age_group)))


def _drawable(text: str) -> str:
    """Return `text` in the letters that Pillow's font has: without accents, others as ``?``."""
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(letter)
    )
    return bare.encode("ascii", "replace").decode("ascii")


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: int) -> list[str]:
    """Break `text` into lines that fit, at spaces where there are any."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= room:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if font.getlength(lines[-1] + letter) > room:
                lines.append("")
            lines[-1] += letter
    return lines
