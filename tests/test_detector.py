from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.examples import get_path

from lungflag import detector as room
from lungflag.detector import DEFAULT_MODEL, Detector
from lungflag.errors import InputError, NotARadiographError, PackageError, PackageFormatError
from lungflag.outcome import Finding, Rejection
from lungflag.package import shipped_packages
from lungflag.radiograph import Radiograph, read_radiograph
from tests.packages import SIZE, TILES, build_graph

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from lungflag.package import ModelPackage
    from tests.packages import PackageMaker


def film(rng: np.random.Generator, rows: int = 120, columns: int = 90) -> NDArray[np.uint8]:
    """Return smooth grey blobs with full contrast."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 5), dtype=np.uint8))
    return np.asarray(coarse.resize((columns, rows), Image.Resampling.BICUBIC))


def radiograph(seed: int, name: str = "x") -> Radiograph:
    """Return such a film as the reader would."""
    grey = film(np.random.default_rng(seed))
    return Radiograph((grey / 255).astype(np.float32), name)


@pytest.fixture
def detector(tiny_package: ModelPackage) -> Detector:
    assert tiny_package.folder is not None
    return Detector.load(tiny_package.folder, threads=1)


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    """Return twelve inputs: every third one cannot be judged."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "films"
    folder.mkdir()
    paths = []
    for n in range(12):
        path = folder / f"{n:02}.png"
        if n % 3 == 1:
            path.write_bytes((b"", b"no image at all", b"\x89PNG\r\n\x1a\n cut short")[n % 9 // 3])
        else:
            Image.fromarray(film(rng)).save(path)
        paths.append(path)
    return [*paths, folder / "missing.png", folder]


def test_a_radiograph_gets_the_answer_that_the_graph_defines(detector: Detector) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
    grey.flat[:2] = 0, 255  # the whole range, so that the stretch changes nothing
    finding = detector.detect(Radiograph((grey / 255).astype(np.float32), "film"))
    logit = (grey.mean() - 128) / 16
    expected = 1 / (1 + np.exp(-(0.5 * logit + 0.25)))
    assert finding.probability == pytest.approx(expected, abs=1e-5)
    assert finding.source == "film"
    assert (finding.model, finding.version) == ("tiny", "1.2.0")
    assert (finding.operating_point, finding.threshold) == ("balanced", 0.5)
    tiles = grey.reshape(TILES, SIZE // TILES, TILES, SIZE // TILES).mean(axis=(1, 3))
    np.testing.assert_allclose(finding.heatmap, (tiles - 128) / 16, atol=1e-4)
    np.testing.assert_array_equal(finding.embedding, finding.heatmap.ravel())
    assert finding.seconds > 0


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_film_is_flagged_where_its_probability_reaches_the_threshold(
    detector: Detector, seed: int
) -> None:
    for name in ("triage", "balanced"):
        finding = detector.detect(radiograph(seed), operating_point=name)
        assert finding.threshold == detector.package.operating_point(name).threshold
        assert finding.flagged == (finding.probability >= finding.threshold)
        assert 0 <= finding.probability <= 1


def test_a_threshold_that_is_met_exactly_flags(
    tmp_path: Path, detector: Detector, make_package: PackageMaker
) -> None:
    probability = detector.detect(radiograph(1)).probability
    point = detector.package.operating_points[1]
    for threshold, flagged in ((probability, True), (np.nextafter(probability, 1), False)):
        exact = type(point)("balanced", float(threshold), "", 0.9, 0.9, 1)
        make_package(tmp_path / "exact", operating_points=(exact,))
        assert Detector.load(tmp_path / "exact").detect(radiograph(1)).flagged is flagged


@pytest.mark.parametrize("jobs", [1, 4])
def test_every_input_has_its_outcome_in_its_place(
    detector: Detector, films: list[Path], jobs: int
) -> None:
    outcomes = list(detector.detect_many(films, jobs=jobs))
    assert [outcome.source for outcome in outcomes] == [str(path) for path in films]
    for path, outcome in zip(films, outcomes, strict=True):
        good = path.suffix == ".png" and path.name != "missing.png" and int(path.stem) % 3 != 1
        assert isinstance(outcome, Finding if good else Rejection)
        assert outcome.seconds > 0
        if isinstance(outcome, Rejection):
            assert outcome.reason
            assert "\n" not in outcome.reason
        else:
            alone = detector.detect(read_radiograph(path))
            assert outcome.probability == pytest.approx(alone.probability, abs=1e-6)


def test_inputs_may_be_bytes_strings_and_dicom(detector: Detector, films: list[Path]) -> None:
    dicom = get_path("ct")  # a CT slice: not for this detector
    sources = [films[0].read_bytes(), str(films[0]), dicom, b""]
    first, second, third, fourth = detector.detect_many(sources)
    assert isinstance(first, Finding)
    assert isinstance(second, Finding)
    assert first.source == "input 1"
    assert first.probability == second.probability
    assert isinstance(third, Rejection)
    assert third.source == str(dicom)
    assert isinstance(fourth, Rejection)
    assert fourth.source == "input 4"


@pytest.mark.parametrize("jobs", [1, 3])
def test_inputs_are_taken_as_needed(detector: Detector, films: list[Path], jobs: int) -> None:
    taken = []

    def endless() -> Iterator[Path]:
        for path in repeat(films[0]):
            taken.append(path)
            yield path

    outcomes = detector.detect_many(endless(), jobs=jobs)
    assert taken == []
    assert len(list(islice(outcomes, 10))) == 10
    assert 10 <= len(taken) <= 10 + 4 * jobs + 1


def test_a_slow_input_does_not_lose_its_place(
    detector: Detector, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    second_is_read = threading.Event()

    def slow(source: Any, **options: Any) -> Radiograph:
        if source == films[0]:
            assert second_is_read.wait(30)
        radiograph = read_radiograph(source, **options)
        second_is_read.set()
        return radiograph

    monkeypatch.setattr(room, "read_radiograph", slow)
    outcomes = detector.detect_many([films[0], films[2]], jobs=2)
    assert [outcome.source for outcome in outcomes] == [str(films[0]), str(films[2])]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "unexpected MemoryError: no further word"),
        (RuntimeError("codec\nbroke"), "unexpected RuntimeError: codec broke"),
        (InputError("film", "just so"), "just so"),
    ],
)
def test_what_nobody_foresaw_costs_one_input_only(
    detector: Detector,
    films: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    reason: str,
    jobs: int,
) -> None:
    def faulty(source: Any, **options: Any) -> Radiograph:
        if source == films[2]:
            raise error
        return read_radiograph(source, **options)

    monkeypatch.setattr(room, "read_radiograph", faulty)
    before, bad, after = detector.detect_many([films[0], films[2], films[3]], jobs=jobs)
    assert isinstance(before, Finding)
    assert isinstance(after, Finding)
    assert isinstance(bad, Rejection)
    assert (bad.source, bad.reason) == (str(films[2]), reason)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_ends_the_run(
    detector: Detector, films: list[Path], monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    def interrupted(source: Any, **options: Any) -> Radiograph:
        if source == films[2]:
            raise KeyboardInterrupt
        return read_radiograph(source, **options)

    monkeypatch.setattr(room, "read_radiograph", interrupted)
    outcomes = detector.detect_many([films[0], films[2], films[3]], jobs=jobs)
    assert isinstance(next(outcomes), Finding)
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    assert not any("lungflag-detect" in thread.name for thread in threading.enumerate())


@pytest.mark.parametrize("jobs", [1, 3])
def test_findings_come_with_their_pixels_and_what_is_raised_then_ends_the_run(
    detector: Detector, films: list[Path], jobs: int
) -> None:
    seen: list[tuple[str, str, tuple[int, ...]]] = []

    def note(radiograph: Radiograph, finding: Finding) -> None:
        seen.append((radiograph.source, finding.source, radiograph.pixels.shape))

    findings = [
        outcome
        for outcome in detector.detect_many(films, jobs=jobs, on_finding=note)
        if isinstance(outcome, Finding)
    ]
    assert sorted(seen) == [(f.source, f.source, (120, 90)) for f in findings]

    def full(_radiograph: Radiograph, _finding: Finding) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        list(detector.detect_many(films, jobs=jobs, on_finding=full))


def test_a_wrong_request_fails_before_the_first_input(
    detector: Detector, films: list[Path]
) -> None:
    with pytest.raises(PackageError, match="no operating point 'no'"):
        detector.detect_many(films, operating_point="no")
    with pytest.raises(ValueError, match="jobs"):
        detector.detect_many(films, jobs=0)


def test_many_threads_may_share_a_detector(detector: Detector) -> None:
    films = [radiograph(n) for n in range(40)]
    alone = [detector.detect(one).probability for one in films]
    with ThreadPoolExecutor(4) as pool:
        together = [finding.probability for finding in pool.map(detector.detect, films)]
    assert together == alone


def test_an_answer_that_is_no_number_is_a_rejection(
    tmp_path: Path, films: list[Path], make_package: PackageMaker
) -> None:
    make_package(tmp_path / "broken", broken=True)
    detector = Detector.load(tmp_path / "broken")
    (outcome,) = detector.detect_many([films[0]])
    assert isinstance(outcome, Rejection)
    assert outcome.reason == "the network's answer is not finite"
    with pytest.raises(InputError, match="not finite"):
        detector.detect(read_radiograph(films[0]))


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.full((50, 50), 0.5, np.float32), "blank"),
        (np.full((50, 50), np.nan, np.float32), "not finite"),
    ],
)
def test_pixels_without_a_picture_are_refused(
    detector: Detector, pixels: NDArray[np.float32], reason: str
) -> None:
    with pytest.raises(NotARadiographError, match=reason):
        detector.detect(Radiograph(pixels, "x"))


def test_the_bare_graph_takes_batches(detector: Detector) -> None:
    rng = np.random.default_rng(7)
    batch = rng.integers(0, 256, (5, 1, SIZE, SIZE), dtype=np.uint8)
    logit, cam, embedding = detector.infer(batch)
    assert logit.shape == (5,)
    assert cam.shape == (5, TILES, TILES)
    assert embedding.shape == (5, TILES**2)
    np.testing.assert_allclose(logit, (batch.mean(axis=(1, 2, 3)) - 128) / 16, atol=1e-4)
    for n in range(5):
        np.testing.assert_allclose(detector.infer(batch[n : n + 1])[0], logit[n], atol=1e-5)
    wrongs: list[Any] = [batch[:, 0], batch.astype(np.float32), batch[..., :16]]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="expected uint8"):
            detector.infer(wrong)


def _with(change: str) -> bytes:
    """Return a graph that breaks the contract in one way."""
    model = onnx.load_from_string(build_graph())
    (pixels,) = model.graph.input
    logit, cam, _ = model.graph.output
    if change == "fixed batch":
        pixels.type.tensor_type.shape.dim[0].dim_value = 1
    elif change == "float input":
        pixels.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    elif change == "undeclared rank":
        for output in (logit, cam):
            output.type.tensor_type.ClearField("shape")
        squeeze = next(node for node in model.graph.node if node.op_type == "Squeeze")
        squeeze.op_type = "Identity"
        del squeeze.input[1]
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (b"no graph", r"model\.onnx"),
        (build_graph(rename="score"), "expected pixels -> logit, cam, embedding"),
        (build_graph(size=64), r"expected tensor\(uint8\) \[n, 1, 32, 32\]"),
        (_with("float input"), r"tensor\(float\)"),
        (_with("fixed batch"), "cannot run"),
        (_with("undeclared rank"), "cam came out with shape"),
    ],
    ids=range(6),
)
def test_a_graph_that_breaks_the_contract_is_refused(
    tmp_path: Path,
    make_package: PackageMaker,
    graph: bytes,
    message: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    make_package(tmp_path / "p", graph=graph)
    with pytest.raises(PackageFormatError, match=message) as caught:
        Detector.load(tmp_path / "p")
    assert "model.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_weights_outside_the_hashed_graph_are_refused(
    tmp_path: Path, make_package: PackageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onnx.load_from_string(build_graph())
    scale = next(tensor for tensor in model.graph.initializer if tensor.name == "scale")
    raw = np.frombuffer(np.float32(16).tobytes(), np.uint8)
    scale.ClearField("float_data")
    scale.raw_data = raw.tobytes()
    onnx.external_data_helper.set_external_data(scale, location="weights.bin")
    scale.ClearField("raw_data")
    scale.data_location = onnx.TensorProto.EXTERNAL
    package = make_package(tmp_path / "p", graph=model.SerializeToString())
    assert package.folder is not None
    (package.folder / "weights.bin").write_bytes(raw.tobytes())
    monkeypatch.chdir(package.folder)
    with pytest.raises(PackageFormatError):
        Detector.load(package.folder)


def test_a_package_goes_by_name(tmp_path: Path) -> None:
    assert DEFAULT_MODEL == "guangzhou"
    with pytest.raises(PackageError, match="no model package of that name"):
        Detector.load("no such package")
    with pytest.raises(PackageFormatError, match="not a whole model package"):
        Detector.load(tmp_path)


def test_every_shipped_package_runs() -> None:
    buffer = io.BytesIO()
    Image.fromarray(film(np.random.default_rng(11), rows=900, columns=700)).save(buffer, "PNG")
    for name in shipped_packages():
        detector = Detector.load(name)
        (outcome,) = detector.detect_many([buffer.getvalue()])
        # A gate has to keep such blobs out; without one they are judged.
        assert isinstance(outcome, Finding if detector.gate is None else Rejection)
