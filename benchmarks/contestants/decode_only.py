"""Pillow alone: every JPEG decoded at the scale at which lungflag decodes it, two at once."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from turns import take_turns

SIDE = 448  # lungflag's least side for a network of 224 pixels
PASSES = 5


def decode(path: Path) -> None:
    with Image.open(path) as image:
        image.draft(None, (SIDE, SIDE))
        image.load()


def main(folder: Path) -> None:
    films = sorted(folder.rglob("*.jp*g")) * PASSES
    pool = ThreadPoolExecutor(2)
    take_turns(lambda: len(list(pool.map(decode, films))))


main(Path(sys.argv[1]))
