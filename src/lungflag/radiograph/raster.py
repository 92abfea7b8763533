"""PNG, JPEG, TIFF and BMP to upright grey pixels, with Pillow."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile

from lungflag.errors import NotARadiographError, UnreadableError
from lungflag.radiograph.guard import guarded
from lungflag.radiograph.pixels import check_size, grey_levels, scaled
from lungflag.radiograph.sniff import Format

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

# Opened by class and not by `Image.open`, which would warn about large sizes before they are
# refused here, and try formats that are not wanted.
_CLASSES: dict[Format, type[ImageFile]] = {
    Format.BMP: BmpImageFile,
    Format.JPEG: JpegImageFile,
    Format.PNG: PngImageFile,
    Format.TIFF: TiffImageFile,
}
_GREY = {"1", "L"}
_GREY_16 = {"I;16", "I;16L", "I;16B"}
_COLOUR = {"P", "RGB", "RGBX", "CMYK", "YCbCr"}
_TRANSPARENT = {"LA", "PA", "RGBA", "La", "RGBa"}


def decode(
    name: str, data: bytes, kind: Format, minimum_side: int | None = None
) -> NDArray[np.float32]:
    """Return the pixels of an image file, shape (rows, columns), 0 to 1.

    Full brightness (255; 65535 of 16 bits) becomes 1. Transparent pixels are seen over black.

    Parameters
    ----------
    name : str
        The input's name.
    data : bytes
        The file's content.
    kind : Format
        Any but DICOM.
    minimum_side : int, optional
        Let a JPEG be decoded at reduced scale, with no side below this.

    Raises
    ------
    UnreadableError
        If the file is damaged or cut short.
    NotARadiographError
        If its size is absurd, it holds several images, or it is a colour image.
    """
    failure = f"is damaged or cut short: cannot be decoded as {kind.value}"
    with guarded(name, failure):
        image = _CLASSES[kind](BytesIO(data))
        columns, rows = image.size
        check_size(name, rows, columns)
        frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise NotARadiographError(name, f"holds {frames} images, not one")
    with guarded(name, failure):
        if isinstance(image, PngImageFile):
            PngImageFile(BytesIO(data)).verify()  # the checksums, which loading skips
        if isinstance(image, JpegImageFile) and minimum_side:
            image.draft(None, (minimum_side, minimum_side))
        image.load()
        upright = ImageOps.exif_transpose(image)
        return _grey(name, upright, image)


def _grey(name: str, image: Image.Image, file: ImageFile) -> NDArray[np.float32]:
    if image.mode in _GREY_16:
        return _grey_16(np.asarray(image), file)
    if image.mode in _TRANSPARENT or (
        image.mode in _GREY | _COLOUR and image.has_transparency_data
    ):
        opaque = image.convert("RGBA")
        black = Image.new("RGBA", opaque.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, opaque).convert("RGB")
    if image.mode in _GREY:
        return scaled(np.asarray(image.convert("L")), 255)
    if image.mode in _COLOUR:
        return scaled(grey_levels(name, np.asarray(image.convert("RGB")), 255), 255)
    raise UnreadableError(name, f"has pixels of a kind that is not read ({image.mode})")


def _grey_16(levels: NDArray[np.uint16], file: ImageFile) -> NDArray[np.float32]:
    if not isinstance(file, TiffImageFile):
        return scaled(levels, 2**16 - 1)
    maximum = 2 ** file.tag_v2.get(BITSPERSAMPLE, (16,))[0] - 1
    white_is_zero = file.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0
    # Pillow inverts 8 bits where white is zero, but not 16.
    return scaled(maximum - levels if white_is_zero else levels, maximum)
