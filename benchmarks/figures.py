"""Every figure of the table: what is measured beside what, and what it has to reach."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from inputs import dicoms, jpegs, labelled
from measure import CONTESTANTS, Figure, linked, medians, over, peak_memory_of, rates, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HERE = sys.executable
DETECT = (HERE, "-m", "lungflag", "detect")


@dataclass(frozen=True, slots=True)
class Setting:
    """What every figure is given: the peers' Python, a scratch folder, how many rounds."""

    peers: str
    folder: Path
    rounds: int


def jpeg(setting: Setting) -> Iterator[Figure]:
    """Judge full-resolution JPEG films beside Keras, TorchXRayVision, and decoding alone."""
    with linked(jpegs(setting.folder / "phantoms", 100), 100, setting.folder) as films:
        ours, xception, densenet, decoding = rates(
            [
                (HERE, "detect.py", films),
                (setting.peers, "keras_xception.py", films),
                (setting.peers, "xrv_densenet.py", films),
                (HERE, "decode_only.py", films),
            ],
            setting.rounds,
        )
    what = "full-resolution JPEG files judged a second, 2 cores"
    note = (
        "Keras runs without tf.data's tuner, in whose waits half of the rounds lost as much time "
        "again: to leave it on would flatter us."
    )
    for theirs, beside, bar in (
        (xception, "Keras Xception at 224, its own loader", 15),
        (densenet, "TorchXRayVision DenseNet-121, its own loading", 20),
        (decoding, "decoding alone (Pillow, same scale, 2 threads)", 0.5),
    ):
        yield Figure(what, beside, over(ours, theirs), bar, medians(ours, theirs, "files/s"), note)


def dicom(setting: Setting) -> Iterator[Figure]:
    """Judge uncompressed 12-bit DX objects beside pydicom's reading of them."""
    films = dicoms(jpegs(setting.folder / "phantoms", 60), setting.folder / "dx")
    ours, theirs = rates(
        [(HERE, "detect.py", films), (HERE, "pydicom_only.py", films)], setting.rounds
    )
    yield Figure(
        "uncompressed 12-bit DX judged a second, 2 cores",
        "pydicom pixel_array and apply_voi_lut alone, 2 threads",
        over(ours, theirs),
        0.7,
        medians(ours, theirs, "objects/s"),
    )


def cold(setting: Setting) -> Iterator[Figure]:
    """Answer once, in a new process."""
    film = jpegs(setting.folder / "phantoms", 2)[1]
    script = CONTESTANTS / "xrv_densenet.py"
    seconds_of([*DETECT, film])  # the disk's cache is warm for both
    seconds_of([setting.peers, script, film])
    ours, theirs = zip(
        *[
            (seconds_of([*DETECT, film]), seconds_of([setting.peers, script, film]))
            for _ in range(setting.rounds)
        ],
        strict=True,
    )
    yield Figure(
        "time to the first answer, new process, one file",
        "TorchXRayVision script",
        over(theirs, ours),
        6,
        medians(ours, theirs, "s"),
    )


def memory(setting: Setting) -> Iterator[Figure]:
    """Hold no more of 10,000 files than of 500."""
    films = jpegs(setting.folder / "phantoms", 200)
    peaks = []
    for count in (500, 10_000):
        with linked(films, count, setting.folder) as archive:
            table = setting.folder / f"table-{count}"
            words = ["--engine", "local", "--jobs", 2, "--batch", 256, "--table", table]
            peaks.append(peak_memory_of([*DETECT, archive, *words]))
    few, many = peaks
    yield Figure(
        "peak memory, 10,000 files",
        "500 files",
        (many / few,),
        1.1,
        f"{many:.0f} and {few:.0f} MiB",
        most=True,
    )


def engines(setting: Setting) -> Iterator[Figure]:
    """Judge an archive on Ray beside the local engine, start-up left out of both."""
    films = jpegs(setting.folder / "phantoms", 200)
    with linked(films, 4000, setting.folder) as archive:
        seen = [
            [_pace(setting, archive, engine, n) for engine in ("ray", "local")]
            for n in range(max(2, setting.rounds - 1))
        ]
    ray, local = zip(*seen, strict=True)
    yield Figure(
        "Ray engine, 2 actors, files judged a second",
        "local engine, 2 threads",
        over(ray, local),
        0.9,
        medians(ray, local, "files/s"),
        "From the first shard to the last: starting Ray takes some seconds more.",
    )


def _pace(setting: Setting, archive: Path, engine: str, number: int) -> float:
    """Return the rows a second between the first shard and the last."""
    from pyarrow import parquet

    table = setting.folder / f"{engine}-{number}"
    words = ["--engine", engine, "--jobs", 2, "--batch", 250, "--table", table]
    seconds_of([*DETECT, archive, *words])
    shards = sorted(table.glob("part-*"), key=lambda path: path.stat().st_mtime_ns)
    rows = [parquet.read_metadata(path).num_rows for path in shards]
    nanoseconds = shards[-1].stat().st_mtime_ns - shards[0].stat().st_mtime_ns
    return sum(rows[1:]) / nanoseconds * 1e9


def training(setting: Setting) -> Iterator[Figure]:
    """Train MobileNetV2 at 224 beside Keras and a plain loop."""
    images = labelled(setting.folder / "labelled", 144, 144)
    ours, keras, plain = rates(
        [
            (HERE, "train_lungflag.py", images),
            (setting.peers, "train_keras.py", images),
            (HERE, "train_timm.py", images),
        ],
        setting.rounds,
    )
    what = "training images a second, MobileNetV2 at 224, 2 cores"
    note = "Ours is a whole epoch: augmentation, tuning, logs and checkpoint are in it."
    for theirs, beside, bar in (
        (keras, "Keras fit, its own loader, no augmentation", 3),
        (plain, "plain timm and torchvision loop, 32-bit floats", 1.3),
    ):
        seen = medians(ours, theirs, "images/s")
        yield Figure(what, beside, over(ours, theirs), bar, seen, note)


def report(setting: Setting) -> Iterator[Figure]:
    """Evaluate 624 images and write the report."""
    images = labelled(setting.folder / "624", 234, 390)
    words = ["evaluate", "guangzhou", images, "--split", "all"]
    seconds = tuple(
        seconds_of([HERE, "-m", "lungflag", *words, "--report", setting.folder / f"report-{n}"])
        for n in range(2)
    )
    yield Figure(
        "evaluation report on 624 images",
        "itself",
        seconds,
        60,
        f"{median(seconds):.3g} s",
        most=True,
        unit="s",
    )


def loader(setting: Setting) -> Iterator[Figure]:
    """Feed the training step beside one batch that is held in memory."""
    from loader import loader_share

    yield loader_share(labelled(setting.folder / "loader", 16, 16), setting)


FIGURES: dict[str, Callable[[Setting], Iterator[Figure]]] = {
    one.__name__: one for one in (jpeg, dicom, cold, memory, engines, training, report, loader)
}
