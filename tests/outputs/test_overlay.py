from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from lungflag.errors import LungflagError
from lungflag.outcome import Finding
from lungflag.outputs import overlay as room
from lungflag.outputs.overlay import draw_overlay, overlay_name, write_overlay
from lungflag.radiograph import Radiograph

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

GRID = 7


def judged(
    heatmap: NDArray[np.float32],
    *,
    flagged: bool = True,
    source: str = "film.png",
    model: str = "tiny",
    operating_point: str = "balanced",
    **more: Any,
) -> Finding:
    return Finding(
        source=source,
        probability=0.91 if flagged else 0.02,
        flagged=flagged,
        threshold=0.5,
        operating_point=operating_point,
        model=model,
        version="1.0.0",
        seconds=0.1,
        heatmap=heatmap,
        embedding=np.zeros(2, np.float32),
        **more,
    )


def grey_film(rows: int, columns: int) -> Radiograph:
    """Return a film whose middle grey shows every tint, with a full range at its edge."""
    pixels = np.full((rows, columns), 0.5, np.float32)
    pixels[0], pixels[-1] = 0.0, 1.0
    return Radiograph(pixels, "film.png")


def peak(row: int, column: int, logit: float = 9.0) -> NDArray[np.float32]:
    heatmap = np.full((GRID, GRID), -4.0, np.float32)
    heatmap[row, column] = logit
    return heatmap


def colourfulness(image: Image.Image) -> NDArray[np.float64]:
    rgb = np.asarray(image, dtype=np.float64)
    spread: NDArray[np.float64] = rgb.max(axis=2) - rgb.min(axis=2)
    return spread


@settings(max_examples=12, deadline=None)
@given(
    rows=st.integers(40, 900),
    columns=st.integers(40, 900),
    row=st.integers(0, GRID - 1),
    column=st.integers(0, GRID - 1),
)
def test_a_peak_of_the_map_lands_on_its_place_of_the_film(
    rows: int, columns: int, row: int, column: int
) -> None:
    image = draw_overlay(grey_film(rows, columns), judged(peak(row, column)))
    scale = min(max(rows, columns, 560), 1024) / max(rows, columns)
    width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
    left = (image.width - width) // 2
    drawn = colourfulness(image.crop((left, 0, left + width, height)))
    weight = np.clip(drawn - 10, 0, None)
    y = (weight.sum(axis=1) @ np.arange(height)) / weight.sum()
    x = (weight.sum(axis=0) @ np.arange(width)) / weight.sum()
    # At the film's edge the painted blob is cut by it, which moves its centre by less than a third
    # of a cell.
    assert abs(y - (row + 0.5) / GRID * height) <= 0.34 * height / GRID + 1
    assert abs(x - (column + 0.5) / GRID * width) <= 0.34 * width / GRID + 1


def test_the_film_keeps_its_shape_and_its_anatomy() -> None:
    rng = np.random.default_rng(2)
    coarse = Image.fromarray(rng.random((12, 16)).astype(np.float32))
    pixels = np.asarray(coarse.resize((800, 600), Image.Resampling.BICUBIC)).copy()
    film = Radiograph(np.clip(pixels, 0, 1), "x")
    plain = draw_overlay(film, judged(np.full((7, 7), -1, np.float32)))
    painted = draw_overlay(film, judged(np.full((7, 7), 30, np.float32)))
    assert plain.width == painted.width == 800
    before = np.asarray(plain.convert("L"), dtype=float)[:600]
    after = np.asarray(painted.convert("L"), dtype=float)[:600]
    # Even under the strongest paint every shadow is where it was, at half its contrast or more.
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99
    assert after.std() > 0.5 * before.std()


def test_a_film_without_evidence_stays_grey() -> None:
    for heatmap in (np.full((7, 7), -3.0), np.zeros((7, 7))):
        image = draw_overlay(grey_film(300, 700), judged(heatmap.astype(np.float32)))
        assert colourfulness(image.crop((0, 0, 700, 300))).max() == 0


def test_the_colour_scale_is_absolute() -> None:
    """The largest value of a map is not its full colour: a weak map looks weak."""
    tints = [
        colourfulness(draw_overlay(grey_film(600, 600), judged(peak(3, 3, logit))))[:600].max()
        for logit in (0.5, 2.0, 6.0)
    ]
    assert tints == sorted(tints)
    assert tints[0] < 0.25 * tints[2]
    lonely = draw_overlay(grey_film(600, 600), judged(peak(3, 3, 4.0)))
    beside = peak(3, 3, 4.0)
    beside[0, 0] = 40
    crowded = draw_overlay(grey_film(600, 600), judged(beside))
    place = (257, 257, 343, 343)
    assert np.array_equal(np.asarray(lonely.crop(place)), np.asarray(crowded.crop(place)))


def test_more_evidence_is_lighter_paint() -> None:
    strength = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    lightness = np.asarray(room._colour(strength).convert("L"), dtype=int)[0]
    assert (np.diff(lightness) >= 0).all()
    opacity = np.asarray(room._opacity(strength), dtype=int)[0]
    assert opacity[0] == 0
    assert (np.diff(opacity) >= 0).all()


@pytest.mark.parametrize(
    ("shape", "film"),
    [
        ((3000, 2000), (683, 1024)),
        ((2000, 3000), (1024, 683)),
        ((32, 32), (560, 560)),
        ((40, 4000), (1024, 10)),
        ((4000, 40), (10, 1024)),
        ((800, 700), (700, 800)),
    ],
)
def test_the_film_is_drawn_at_a_sensible_size(
    shape: tuple[int, int], film: tuple[int, int]
) -> None:
    image = draw_overlay(grey_film(*shape), judged(peak(2, 2)))
    width, height = film
    assert image.mode == "RGB"
    assert image.width == max(width, 560)
    assert image.height > height + 150
    left = (image.width - width) // 2
    middle = np.asarray(image)[height // 2]
    ground = np.array([16, 18, 22])
    assert (middle[:left] == ground).all()
    assert (middle[left + width :] == ground).all()
    assert (middle[left] != ground).any()


@pytest.mark.parametrize("shape", [(32, 32), (40, 4000), (4000, 40), (900, 900)])
@pytest.mark.parametrize(("model", "point"), [("tiny", "balanced"), ("m" * 90, "long words " * 12)])
def test_no_text_touches_the_edge(shape: tuple[int, int], model: str, point: str) -> None:
    image = draw_overlay(grey_film(*shape), judged(peak(2, 2), model=model, operating_point=point))
    film_height = round(shape[0] * min(max(*shape, 560), 1024) / max(shape))
    legend = np.asarray(image, dtype=int)[film_height:]
    ink = (np.abs(legend - np.array([16, 18, 22])) > 8).any(axis=2)
    assert ink.any()
    assert not ink[:8].any()
    assert not ink[-8:].any()
    assert not ink[:, :8].any()
    assert not ink[:, -8:].any()


def test_the_legend_says_what_a_reader_must_know(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    draw = ImageDraw.ImageDraw.text

    def listen(self: Any, xy: Any, text: str, **options: Any) -> None:
        said.append(text)
        draw(self, xy, text, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", listen)
    draw_overlay(grey_film(600, 600), judged(peak(2, 2)))
    text = " / ".join(said)
    for part in (
        "FLAGGED",
        "0.910",
        "0.500",
        "balanced",
        "tiny 1.0.0",
        "Not for diagnosis: AI result",
    ):
        assert part in text
    assert "12 or more" in text
    said.clear()
    marks = ("outside validated use: age 3 months", "contradiction: other")
    draw_overlay(grey_film(600, 600), judged(peak(2, 2), age_group="child", marks=marks))
    assert "threshold 0.500 (balanced, child)" in said
    assert set(marks) <= set(said)
    said.clear()
    foreign = "outside validated use: hospital 'Universitätsklinik 東京', where it was not"
    draw_overlay(grey_film(700, 700), judged(peak(2, 2), marks=(foreign,)))
    assert "hospital 'Universitatsklinik ??'" in " ".join(said)
    said.clear()
    draw_overlay(grey_film(600, 600), judged(peak(2, 2), flagged=False))
    assert {"not flagged", "does not rule out pneumonia"} <= set(said)
    assert "FLAGGED" not in " / ".join(said)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0004, "< 0.001"), (0.9996, "> 0.999"), (0.0, "0.000"), (1.0, "1.000"), (0.5, "0.500")],
)
def test_a_figure_never_claims_certainty(value: float, text: str) -> None:
    assert room._figure(value) == text


def test_files_are_named_after_their_input(tmp_path: Path) -> None:
    names = [
        overlay_name(source)
        for source in (
            "a/film.png",
            "b/film.png",
            "film.png",
            "film.dcm",
            "a/film.PNG",
            "..",
            "ü/王",
        )
    ]
    assert len({name.lower() for name in names}) == len(names)
    assert names[0] == overlay_name("a/film.png")
    assert names[0].startswith("film.png-")
    path = write_overlay(
        tmp_path / "new" / "dir", grey_film(50, 60), judged(peak(1, 1), source="a/film.png")
    )
    assert path == tmp_path / "new" / "dir" / names[0]
    with Image.open(path) as image:
        assert image.format == "PNG"


@given(st.text(st.characters(codec=None), max_size=300))
def test_every_source_gives_a_file_name(source: str) -> None:
    name = overlay_name(source)
    assert len(name.encode()) < 255
    assert "/" not in name
    assert name.endswith(".png")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LungflagError, match=r"file.*cannot be written"):
        write_overlay(tmp_path / "file", grey_film(50, 60), judged(peak(1, 1)))
