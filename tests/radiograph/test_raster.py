from __future__ import annotations

import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from lungflag.errors import InputError, NotARadiographError, UnreadableError
from lungflag.preprocess import Preprocess
from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = (np.add.outer(np.arange(80) * 2, np.arange(96)) % 256).astype(np.uint8)
DEEP = (LEVELS.astype(np.uint16) * 257 + np.arange(96, dtype=np.uint16)).astype(np.uint16)
UNIT = (LEVELS / 255).astype(np.float32)
GREY = Image.fromarray(LEVELS)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(data: bytes, minimum_side: int | None = None) -> np.ndarray[Any, np.dtype[np.float32]]:
    return read_radiograph(data, name="film", minimum_side=minimum_side).pixels


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("PNG", mode) for mode in ("L", "P", "RGB", "RGBA", "LA")),
        *(("TIFF", mode) for mode in ("L", "P", "RGB", "RGBA", "LA", "CMYK")),
        *(("BMP", mode) for mode in ("L", "P", "RGB", "RGBA")),
    ],
)
def test_eight_bits_of_grey_are_the_same_whichever_way_they_are_stored(
    kind: str, mode: str
) -> None:
    image = GREY.convert("L") if mode == "P" else GREY.convert(mode)
    if mode == "P":
        image.putpalette([level for level in range(256) for _ in range(3)])
    radiograph = read_radiograph(saved(image, kind), name="film")
    assert radiograph.pixels.dtype == np.float32
    np.testing.assert_array_equal(radiograph.pixels, UNIT)
    assert radiograph.source == "film"
    assert dict(radiograph.header) == {}


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(mode: str) -> None:
    smooth = GREY.filter(ImageFilter.GaussianBlur(3))
    data = saved(smooth.convert(mode), "JPEG", quality=98)
    np.testing.assert_allclose(pixels(data), np.asarray(smooth) / 255, atol=0.03)


def test_palette_of_few_greys_in_any_order() -> None:
    image = Image.fromarray(LEVELS % 3, "L")
    image.putpalette([9, 9, 9, 200, 200, 200, 77, 77, 77])
    expected = (np.array([9, 200, 77]) / 255).astype(np.float32)[LEVELS % 3]
    np.testing.assert_array_equal(pixels(saved(image, "PNG")), expected)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_one_bit(kind: str) -> None:
    image = Image.fromarray(LEVELS > 100)
    assert image.mode == "1"
    np.testing.assert_array_equal(pixels(saved(image, kind)), LEVELS > 100)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {}), ("TIFF", {"big": True})])
def test_sixteen_bits(kind: str, options: dict[str, bool]) -> None:
    image = Image.fromarray(DEEP.astype(">u2") if options else DEEP)
    expected = (DEEP / 65535).astype(np.float32)
    np.testing.assert_array_equal(pixels(saved(image, kind)), expected)


def tiff(levels: np.ndarray[Any, Any], bits: int, photometric: int, data: bytes) -> bytes:
    rows, columns = levels.shape
    tags = [
        (256, 3, columns),
        (257, 3, rows),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, photometric),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, rows),
        (279, 4, len(data)),
    ]
    directory = struct.pack("<H", len(tags))
    for number, kind, value in tags:
        directory += struct.pack("<HHI", number, kind, 1)
        directory += struct.pack("<HH", value, 0) if kind == 3 else struct.pack("<I", value)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4)


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_where_white_is_zero(bits: int, white_is_zero: bool) -> None:
    levels = LEVELS if bits == 8 else DEEP
    data = tiff(levels, bits, 0 if white_is_zero else 1, levels.astype(f"<u{bits // 8}").tobytes())
    top = 2**bits - 1
    expected = (top - levels if white_is_zero else levels) / top
    np.testing.assert_array_equal(pixels(data), expected.astype(np.float32))


def test_twelve_bits_packed_into_a_tiff() -> None:
    levels = (DEEP // 16).astype(np.uint32)
    pairs = levels.reshape(-1, 2)
    packed = np.stack(
        [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], 1
    )
    data = tiff(levels, 12, 1, packed.astype(np.uint8).tobytes())
    np.testing.assert_array_equal(pixels(data), (levels / 4095).astype(np.float32))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff(compression: str) -> None:
    np.testing.assert_array_equal(pixels(saved(GREY, "TIFF", compression=compression)), UNIT)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, UNIT),
        (2, UNIT[:, ::-1]),
        (3, UNIT[::-1, ::-1]),
        (4, UNIT[::-1]),
        (5, UNIT.T),
        (6, np.rot90(UNIT, -1)),
        (7, UNIT[::-1, ::-1].T),
        (8, np.rot90(UNIT)),
    ],
)
def test_orientation_is_applied(
    kind: str, orientation: int, turned: np.ndarray[Any, np.dtype[np.float32]]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 100} if kind == "JPEG" else {}
    read = pixels(saved(GREY, kind, exif=exif, **options))
    np.testing.assert_allclose(read, turned, atol=0.03 if kind == "JPEG" else 0)


def test_transparency_is_seen_over_black() -> None:
    image = GREY.convert("RGBA")
    alpha = np.full(LEVELS.shape, 255, np.uint8)
    alpha[:10] = 0
    image.putalpha(Image.fromarray(alpha))
    expected = UNIT.copy()
    expected[:10] = 0
    np.testing.assert_array_equal(pixels(saved(image, "PNG")), expected)
    indexed = GREY.copy()
    np.testing.assert_array_equal(
        pixels(saved(indexed, "PNG", transparency=200)), np.where(LEVELS == 200, 0, UNIT)
    )


def test_pixels_and_header_are_read_only() -> None:
    radiograph = read_radiograph(saved(GREY, "PNG"))
    assert not radiograph.pixels.flags.writeable
    with pytest.raises(TypeError):
        radiograph.header["a"] = "b"  # type: ignore[index]


def test_the_name_is_the_path_unless_given(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"  # whatever the name says
    path.write_bytes(saved(GREY, "PNG"))
    assert read_radiograph(path).source == str(path)
    assert read_radiograph(str(path)).source == str(path)
    assert read_radiograph(path, name="A17").source == "A17"
    data = path.read_bytes()
    assert read_radiograph(data).source == f"<{len(data)} bytes>"


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_small_annotations_in_colour_are_tolerated(quality: int) -> None:
    image = Image.fromarray(np.tile(LEVELS, (6, 6))).filter(ImageFilter.GaussianBlur(4))
    image = image.convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.text((20, 20), "PORTABLE L", fill=(255, 255, 0), font_size=30)
    draw.line((50, 400, 300, 150), fill=(255, 0, 0), width=3)
    draw.rectangle((350, 60, 500, 200), outline=(0, 255, 0), width=3)
    assert pixels(saved(image, "JPEG", quality=quality)).shape == (480, 576)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_a_colour_photograph_is_refused(kind: str) -> None:
    sky, lawn = (
        Image.new("RGB", (96, 40), (120, 170, 240)),
        Image.new("RGB", (96, 40), (70, 130, 50)),
    )
    photograph = Image.new("RGB", (96, 80))
    photograph.paste(sky)
    photograph.paste(lawn, (0, 40))
    with pytest.raises(NotARadiographError, match=r"^film: is a colour image: 100% of its pixels"):
        pixels(saved(photograph, kind))


def test_several_pages_are_refused() -> None:
    data = saved(GREY, "TIFF", save_all=True, append_images=[GREY])
    with pytest.raises(NotARadiographError, match=r"^film: holds 2 images, not one$"):
        pixels(data)
    animated = saved(GREY, "PNG", save_all=True, append_images=[GREY.rotate(9)])
    with pytest.raises(NotARadiographError, match=r"^film: holds 2 images, not one$"):
        pixels(animated)


def test_floating_point_and_32_bits_are_refused() -> None:
    for image in (Image.fromarray(UNIT), Image.fromarray(LEVELS.astype(np.int32))):
        with pytest.raises(UnreadableError, match=r"^film: has pixels of a kind that is not read"):
            pixels(saved(image, "TIFF"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_absurdly_small(kind: str) -> None:
    with pytest.raises(NotARadiographError, match=r"^film: is absurdly small: 100 x 27 pixels"):
        pixels(saved(Image.new("L", (100, 27)), kind))


def bomb(side: int) -> bytes:
    """Return a PNG that claims `side` squared pixels and has none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data


@pytest.mark.parametrize("side", [8193, 12_000, 60_000, 2**31 - 1])
def test_decompression_bomb(side: int) -> None:
    with pytest.raises(NotARadiographError, match=r"^film: is absurdly large: "):
        pixels(bomb(side))


FILES = {
    "PNG": saved(GREY, "PNG"),
    "PNG 16": saved(Image.fromarray(DEEP), "PNG"),
    "JPEG": saved(GREY.convert("RGB"), "JPEG"),
    "JPEG progressive": saved(GREY, "JPEG", progressive=True),
    "BMP": saved(GREY, "BMP"),
    "TIFF": saved(GREY, "TIFF"),
    "TIFF LZW": saved(GREY, "TIFF", compression="tiff_lzw"),
}


def attempt(data: bytes) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    """Return the pixels, or None where the file is refused in one line that names it."""
    try:
        return pixels(data)
    except InputError as error:
        if str(error) == f"film: {error.reason}" and "\n" not in error.reason:
            return None
        raise


@pytest.mark.parametrize("kind", FILES)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_cut_short_file_is_refused_or_loses_nothing(kind: str, data: st.DataObject) -> None:
    whole = FILES[kind]
    read = attempt(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert read is None or (read == pixels(whole)).all()


@pytest.mark.parametrize("kind", FILES)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_damaged_files_raise_nothing_but_input_errors(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(FILES[kind])
    places = st.integers(0, len(damaged) - 1) | st.integers(0, min(200, len(damaged) - 1))
    for place in data.draw(st.lists(places, min_size=1, max_size=5)):
        damaged[place] = data.draw(st.integers(0, 255))
    read = attempt(bytes(damaged))
    assert read is None or (read.min() >= 0 and read.max() <= 1)


@given(st.integers(0, len(FILES["PNG"]) - 13), st.integers(1, 255))
@settings(deadline=None)
def test_a_flipped_byte_before_the_end_of_a_png_is_noticed(place: int, flip: int) -> None:
    damaged = bytearray(FILES["PNG"])
    damaged[place] ^= flip
    with pytest.raises(InputError):
        pixels(bytes(damaged))


def test_a_truncated_jpeg_is_called_so(capfd: pytest.CaptureFixture[str]) -> None:
    whole = saved(GREY.resize((900, 900)), "JPEG")
    with pytest.raises(UnreadableError, match=r"^film: is damaged or cut short: .* JPEG"):
        pixels(whole[: len(whole) // 2])
    assert capfd.readouterr() == ("", "")


def test_pillows_warnings_neither_leak_nor_stop_the_reading() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + struct.pack("<HHII", 0x010F, 2, 4000, 9999)
    data = saved(GREY, "JPEG", exif=exif)
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        assert pixels(data).shape == (80, 96)
    assert leaked == []


@pytest.mark.parametrize(
    ("side", "shape"),
    [
        (None, (2400, 2000)),
        (2001, (2400, 2000)),
        (1000, (1200, 1000)),
        (448, (600, 500)),
        (1, (300, 250)),
    ],
)
def test_reduced_scale_respects_the_minimum_side(side: int | None, shape: tuple[int, int]) -> None:
    image = GREY.resize((2000, 2400), Image.Resampling.BICUBIC)
    assert pixels(saved(image, "JPEG"), side).shape == shape
    assert pixels(saved(image, "PNG", compress_level=1), side).shape == (2400, 2000)


@pytest.mark.shared
def test_reduced_scale_changes_little_after_preprocessing(shared: Path) -> None:
    preprocess = Preprocess()
    for path in sorted((shared / "data" / "originals").rglob("*.jp*g"))[::20]:
        full = preprocess(read_radiograph(path).pixels).astype(int)
        reduced = read_radiograph(path, minimum_side=preprocess.working_side).pixels
        assert min(reduced.shape) >= preprocess.working_side
        assert np.abs(preprocess(reduced) - full).mean() < 1.5


@pytest.mark.shared
def test_real_radiographs_are_what_pillow_reads(shared: Path) -> None:
    paths = sorted((shared / "data" / "originals").rglob("*.jp*g"))[::10]
    with ThreadPoolExecutor(4) as pool:
        for path, radiograph in zip(paths, pool.map(read_radiograph, paths), strict=True):
            with Image.open(path) as image:
                expected = np.asarray(image.convert("L"))
            np.testing.assert_array_equal(np.rint(radiograph.pixels * 255), expected)
