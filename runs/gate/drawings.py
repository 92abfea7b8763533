"""Drawn negatives: films of other body parts from capsules and ellipsoids, and pages of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

_N = 256
_Y, _X = (np.mgrid[0:_N, 0:_N].astype(np.float32) + 0.5) / _N * 2 - 1


def _capsule(a: Sequence[float], b: Sequence[float], ra: float, rb: float) -> Plane:
    """Path length through a rod from `a` to `b` whose radius goes from `ra` to `rb`."""
    along = np.array([b[0] - a[0], b[1] - a[1]])
    t = ((_X - a[0]) * along[0] + (_Y - a[1]) * along[1]) / max(float(along @ along), 1e-6)
    t = np.clip(t, 0, 1)
    d = np.hypot(_X - a[0] - t * along[0], _Y - a[1] - t * along[1])
    r = ra + (rb - ra) * t
    return 2 * np.sqrt(np.maximum(r * r - d * d, 0)).astype(np.float32)


def _ellipse(x: float, y: float, rx: float, ry: float, power: float = 0.5) -> Plane:
    q = 1 - ((_X - x) / rx) ** 2 - ((_Y - y) / ry) ** 2
    return (np.maximum(q, 0) ** power).astype(np.float32)


def _bone(a: Sequence[float], b: Sequence[float], r: float, head: float) -> Plane:
    """A long bone: a cortex round marrow, and a stouter head at each end."""
    shaft = _capsule(a, b, r, r) - 0.7 * _capsule(a, b, 0.6 * r, 0.6 * r)
    return shaft + 0.6 * (_ellipse(*a, head, head) + _ellipse(*b, head, head)) * head


def _hand(rng: np.random.Generator) -> Plane:
    wrist = np.array([rng.uniform(-0.1, 0.1), 0.55])
    soft = _capsule(wrist, (wrist[0], 1.2), 0.25, 0.28) + _ellipse(wrist[0], 0.25, 0.42, 0.42) * 0.4
    bones = _bone((wrist[0] - 0.1, 0.65), (wrist[0] - 0.12, 1.2), 0.08, 0.1)
    bones = bones + _bone((wrist[0] + 0.12, 0.65), (wrist[0] + 0.14, 1.2), 0.06, 0.08)
    for k in range(8):
        bones += 0.1 * _ellipse(
            wrist[0] - 0.17 + 0.11 * (k % 4), 0.46 + 0.11 * (k // 4), 0.07, 0.06
        )
    spread = rng.uniform(0.15, 0.3)
    for k, angle in enumerate(np.array([-2.4, -1, 0, 1, 2]) * spread):
        at = np.add(wrist, (0.03 * (k - 2), -0.1))
        direction = np.array([np.sin(angle), -np.cos(angle)])
        for part in (0.42, 0.3, 0.2, 0.14)[: 3 if k == 0 else 4]:
            end = at + direction * part * rng.uniform(0.9, 1.05)
            bones = bones + _bone(at + 0.02 * direction, end - 0.02 * direction, 0.035, 0.05)
            soft = soft + 0.5 * _capsule(at, end, 0.085, 0.075)
            at = end
    return soft + 2.2 * bones


def _limb(rng: np.random.Generator) -> Plane:
    top, bottom = (rng.uniform(-0.3, 0.3), -1.2), (rng.uniform(-0.3, 0.3), 1.2)
    r = rng.uniform(0.25, 0.55)
    film = _capsule(top, bottom, r, r * rng.uniform(0.6, 1))
    joint = rng.uniform(-0.6, 0.6)
    x = top[0] + (bottom[0] - top[0]) * (joint + 1.2) / 2.4
    wide = rng.uniform(0.25, 0.45) * r
    film = film + 2.5 * _bone(top, (x, joint - 0.03), wide, 1.6 * wide)
    shift = wide * rng.uniform(0.5, 0.9)
    film = film + 2.5 * _bone((x - shift, joint + 0.1), (bottom[0] - shift, 1.2), 0.8 * wide, wide)
    if rng.random() < 0.7:
        thin = 0.5 * wide
        film = film + 2.5 * _bone(
            (x + shift, joint + 0.12), (bottom[0] + shift, 1.2), thin, 1.5 * thin
        )
    return film


def _spine(rng: np.random.Generator, x: float, top: float, bottom: float, width: float) -> Plane:
    film = np.zeros_like(_X)
    for y in np.arange(top, bottom, 1.35 * width):
        body = np.maximum(np.abs(_X - x) / width, np.abs(_Y - y) / (0.55 * width))
        film += (body < 1) * 0.18 + 0.3 * np.exp(-(((body - 1) / 0.09) ** 2)) * (body < 1.2)
        film += 0.2 * _ellipse(x, y + 0.3 * width, 0.18 * width, 0.4 * width)
    return film.astype(np.float32) * rng.uniform(0.6, 1.2)


def _abdomen(rng: np.random.Generator) -> Plane:
    wide = rng.uniform(0.75, 1.0)
    film = 1.3 * _ellipse(0, rng.uniform(-0.3, 0.3), wide, 1.9) + _spine(rng, 0, -1.1, 0.7, 0.13)
    if rng.random() < 0.6:  # the pelvis
        low = rng.uniform(0.3, 0.8)
        for side in (-1, 1):
            wing = _ellipse(side * 0.42, low, 0.38, 0.45)
            film = film + 0.3 * wing + 0.5 * np.exp(-(((wing - 0.3) / 0.12) ** 2)) * (wing > 0)
            film = film + 1.2 * _bone((side * 0.62, low + 0.45), (side * 0.8, 1.3), 0.09, 0.13)
    for _ in range(int(rng.integers(4, 16))):
        x, y, r = rng.uniform(-0.6, 0.6), rng.uniform(-0.8, 0.6), rng.uniform(0.04, 0.16)
        film = film - rng.uniform(0.1, 0.5) * _ellipse(x, y, r * rng.uniform(1, 2.5), r)
    return film + 0.1 * _ellipse(-0.45, -0.55, 0.45, 0.4)


def _skull(rng: np.random.Generator) -> Plane:
    def egg(r: float) -> Plane:
        return _ellipse(0.05, -0.15, 0.72 * r, 0.78 * r)

    film = (
        0.6 * egg(1)
        + 3 * (egg(1) - 0.97 * egg(0.95))
        + 0.4 * _capsule((0.1, 0.5), (0.15, 1.2), 0.3, 0.3)
    )
    for side in (-1, 1):
        if rng.random() < 0.8:
            film = film - 0.25 * _ellipse(side * 0.25, 0.2, 0.16, 0.13)
    film = film + 0.5 * _ellipse(0, 0.55, 0.35, 0.28) + _spine(rng, 0.15, 0.5, 1.2, 0.1)
    return film - 0.2 * _ellipse(0, 0.4, 0.08, 0.2)


def _breast(rng: np.random.Generator) -> Plane:
    side = rng.choice((-1, 1))
    film = _ellipse(
        side * 1.0, rng.uniform(-0.2, 0.2), rng.uniform(0.8, 1.4), rng.uniform(0.6, 0.95)
    )
    for _ in range(30):
        x, y = side * rng.uniform(0.1, 0.9), rng.uniform(-0.5, 0.5)
        film = film + 0.15 * _ellipse(x, y, rng.uniform(0.05, 0.3), rng.uniform(0.03, 0.2)) * (
            film > 0.3
        )
    return film + 0.6 * _capsule((side * 1.1, -1.2), (side * 0.9, -0.1), 0.4, 0.1)


BODY_PARTS: tuple[Callable[[np.random.Generator], Plane], ...] = (
    _hand, _limb, _abdomen, _skull, _breast,
)  # fmt: skip


def other_body_part(rng: np.random.Generator) -> Plane:
    """Return a film of another part of the body, grey 0 to 1, turned and placed at random."""
    film = BODY_PARTS[int(rng.integers(len(BODY_PARTS)))](rng)
    texture = Image.fromarray(rng.normal(0, 1, (48, 48)).astype(np.float32))
    film = film * (1 + 0.04 * np.asarray(texture.resize((_N, _N), Image.Resampling.BICUBIC)))
    grey = film / max(float(np.percentile(film, 99.5)), 1e-3)
    grey = np.clip(grey, 0, 1) ** rng.uniform(0.5, 1.2)
    turn = rng.uniform(-25, 25) + 90 * rng.integers(4) * (rng.random() < 0.5)
    image = Image.fromarray(grey.astype(np.float32)).rotate(turn, Image.Resampling.BILINEAR)
    low = rng.uniform(0, 0.12, 2) * _N
    high = _N - rng.uniform(0, 0.12, 2) * _N
    return np.asarray(image.crop((int(low[0]), int(low[1]), int(high[0]), int(high[1]))))


def page(rng: np.random.Generator, fonts: Sequence[Path], words: Sequence[str]) -> Plane:
    """Return a page of text, or a slide or a table of it, grey 0 to 1."""
    width, height = (440, 600) if rng.random() < 0.6 else (600, 440)
    dark = rng.random() < 0.3
    sheet = Image.new("L", (width, height), 20 if dark else 245)
    draw = ImageDraw.Draw(sheet)
    ink = 235 if dark else int(rng.integers(0, 70))
    font_path = str(fonts[int(rng.integers(len(fonts)))])
    title = ImageFont.truetype(font_path, int(rng.integers(22, 40)))
    font = ImageFont.truetype(font_path, int(rng.integers(9, 24)))
    left, y = int(rng.integers(15, 60)), int(rng.integers(10, 60))
    draw.text((left, y), " ".join(rng.choice(words, 3)), ink, font=title)
    y += 60
    columns = int(rng.integers(1, 4))
    step = int(font.size * rng.uniform(1.2, 1.8))
    while y < height - 20:
        for column in range(columns):
            text = " ".join(rng.choice(words, int(rng.integers(2, 12 // columns + 2))))
            draw.text((left + column * width // columns, y), text, ink, font=font)
        if rng.random() < 0.06:
            box = (left, y, width - left, min(y + 4 * step, height))
            draw.rectangle(box, outline=ink, fill=int(rng.integers(60, 220)))
            y += 4 * step
        y += step
    return np.asarray(sheet, np.float32) / 255
