"""pydicom alone: pixel_array and apply_voi_lut of every DICOM file, two at once."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydicom import dcmread
from pydicom.pixels import apply_voi_lut
from turns import take_turns

PASSES = 2


def read(path: Path) -> None:
    ds = dcmread(path)
    apply_voi_lut(ds.pixel_array, ds)


def main(folder: Path) -> None:
    films = sorted(folder.glob("*.dcm")) * PASSES
    pool = ThreadPoolExecutor(2)
    take_turns(lambda: len(list(pool.map(read, films))))


main(Path(sys.argv[1]))
