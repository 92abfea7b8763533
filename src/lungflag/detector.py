"""Detector: a radiograph in, a Finding out; a batch in, one Outcome an input out."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lungflag._session import one_line, open_session, provider
from lungflag.calibration import AGE_GROUPS
from lungflag.errors import InputError, NotARadiographError, PackageFormatError, QualityError
from lungflag.outcome import Finding, Rejection
from lungflag.package import GATE, GRAPH, ModelPackage, find_package
from lungflag.preprocess import Preprocess
from lungflag.quality import header as headers
from lungflag.quality.gate import QualityGate
from lungflag.radiograph import read_radiograph
from lungflag.reference import grey_statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray
    from pydicom import Dataset

    from lungflag.outcome import Outcome
    from lungflag.radiograph import Radiograph

DEFAULT_MODEL = "guangzhou"

Item = TypeVar("Item")

_OUTPUTS = {"logit": 1, "cam": 3, "embedding": 2}
_LOOK_AHEAD = 4  # inputs in flight a job: enough that a slow one does not idle the others


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the caller wants of one input, and knows of its patient."""

    point: str
    age_group: str = ""
    age: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A model package ready to judge radiographs. Safe to share between threads.

    Attributes
    ----------
    package : ModelPackage
        What it was loaded from.
    session : onnxruntime.InferenceSession
        The running graph.
    gate : QualityGate or None
        What keeps pictures from it that it may not judge; None where the package has no gate.

    Examples
    --------
    >>> detector = Detector.load()  # doctest: +SKIP
    >>> for outcome in detector.detect_many(paths, jobs=4):  # doctest: +SKIP
    ...     print(outcome.source, outcome)
    """

    package: ModelPackage
    session: Any
    gate: QualityGate | None = None

    @classmethod
    def load(cls, model: str | Path = DEFAULT_MODEL, *, threads: int | None = None) -> Detector:
        """Load a package by its shipped name or from its folder, and try its graph once.

        Parameters
        ----------
        model : str or Path
            A shipped package's name, or a package's folder.
        threads : int, optional
            Threads within one inference; all CPUs that this process may use if not given. 1 is
            best where several threads call the detector, or ``jobs`` is above 1.

        Raises
        ------
        PackageError
            If there is no such package, it was changed, or its graph breaks the contract of
            `lungflag.package`.
        """
        folder = find_package(model)
        package = ModelPackage.read(folder)
        threads = threads or usable_cpus()
        session = open_session(package.graph_bytes(), folder / GRAPH, threads=threads)
        _check_signature(session, package.preprocess.size, folder / GRAPH)
        gate = None
        if package.gate is not None:
            gate = QualityGate.load(
                package.gate, package.gate_bytes(), folder / GATE, threads=threads
            )
        detector = cls(package, session, gate)
        detector._try_out(folder / GRAPH)
        return detector

    @property
    def provider(self) -> str:
        """What runs the graph: ``CUDA`` where it is there and loads, else ``CPU``."""
        return provider(self.session)

    def infer(
        self, batch: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Run the bare graph: no calibration, no checks of the result.

        Parameters
        ----------
        batch : NDArray[np.uint8]
            Preprocessed radiographs, shape (n, 1, size, size).

        Returns
        -------
        logit, cam, embedding : NDArray[np.float32]
            Shapes (n,), (n, h, w) and (n, d).

        Raises
        ------
        ValueError
            If `batch` has another shape or type.
        """
        size = self.package.preprocess.size
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (1, size, size):
            raise ValueError(
                f"expected uint8 (n, 1, {size}, {size}), not {batch.dtype} {batch.shape}"
            )
        logit, cam, embedding = self.session.run(list(_OUTPUTS), {"pixels": batch})
        return logit, cam, embedding

    def detect(
        self,
        radiograph: Radiograph,
        *,
        operating_point: str | None = None,
        age: float | None = None,
        age_group: str = "",
    ) -> Finding:
        """Judge one radiograph. `Finding.seconds` counts from the call.

        Parameters
        ----------
        radiograph : Radiograph
            The picture and its header.
        operating_point : str, optional
            The package's default if not given.
        age : float, optional
            The patient's age in years, where the header has none.
        age_group : str
            ``child`` or ``adult``, where no age is known.

        Raises
        ------
        NotARadiographError
            If the pixels are blank or not finite.
        QualityError
            If the header or the quality gate says that the film may not be judged.
        InputError
            If the network's answer is not finite.
        PackageError
            If the package has no such operating point.
        ValueError
            If there is no such age group.
        """
        started = perf_counter()
        asked = self._asked(operating_point, age_group)
        return self._judge(radiograph, replace(asked, age=age), started=started)

    def _asked(self, operating_point: str | None, age_group: str) -> _Asked:
        """Return a request that this package can answer."""
        if age_group not in ("", *AGE_GROUPS):
            raise ValueError(f"age_group must be {' or '.join(AGE_GROUPS)}")
        return _Asked(self.package.operating_point(operating_point).name, age_group)

    def detect_many(
        self,
        sources: Iterable[str | Path | bytes | Dataset | InputError],
        *,
        names: Iterable[str] = (),
        operating_point: str | None = None,
        ages: Iterable[float | None] = (),
        age_group: str = "",
        jobs: int = 1,
        on_finding: Callable[[Radiograph, Finding], None] | None = None,
    ) -> Iterator[Outcome]:
        """Read and judge many inputs: one Outcome for each, in their order.

        Whatever goes wrong with one input becomes its Rejection. Inputs are taken from `sources`
        as they are needed, a few ahead of the results, so that it may be endless.

        Parameters
        ----------
        sources : iterable of str, Path, bytes, pydicom.Dataset or InputError
            What `read_radiograph` takes, or why an input could not be had, which becomes its
            Rejection.
        names : iterable of str
            What to call them, one for each source. Without it paths name themselves, and others
            are called ``input N``, from 1.
        operating_point : str, optional
            The package's default if not given.
        ages : iterable of float or None
            The patients' ages in years, one for each source, where headers have none.
        age_group : str
            ``child`` or ``adult``, where no age is known.
        jobs : int
            Inputs worked on at once, in threads.
        on_finding : callable, optional
            Called in those threads with each radiograph and its finding, to draw an overlay for
            example, while the pixels are at hand. What it raises ends the run.

        Raises
        ------
        PackageError
            If the package has no such operating point; before the first input is read.
        ValueError
            If `jobs` is below 1, or there is no such age group.
        """
        if jobs < 1:
            raise ValueError("jobs must be at least 1")
        asked = self._asked(operating_point, age_group)
        named = (
            (source, name or _name(source, n), replace(asked, age=age))
            for n, (source, name, age) in enumerate(
                zip(sources, chain(names, repeat("")), chain(ages, repeat(None)), strict=False),
                start=1,
            )
        )

        def work(item: tuple[str | Path | bytes | Dataset | InputError, str, _Asked]) -> Outcome:
            return self._read_and_judge(*item, on_finding)

        return map(work, named) if jobs == 1 else _in_threads(work, named, jobs)

    def _read_and_judge(
        self,
        source: str | Path | bytes | Dataset | InputError,
        name: str,
        asked: _Asked,
        on_finding: Callable[[Radiograph, Finding], None] | None,
    ) -> Outcome:
        started = perf_counter()
        try:
            if isinstance(source, InputError):
                raise source
            radiograph = read_radiograph(
                source, name=name, minimum_side=self.package.preprocess.working_side
            )
            finding = self._judge(radiograph, asked, started=started)
        except InputError as error:
            return self._reject(error, asked, name=name, started=started)
        except Exception as error:  # a codec's bug or lack of memory must not lose the batch
            reason = f"unexpected {type(error).__name__}: {one_line(error)}"
            return self._reject(InputError(name, reason), asked, name=name, started=started)
        if on_finding:
            on_finding(radiograph, finding)
        return finding

    def _reject(self, error: InputError, asked: _Asked, *, name: str, started: float) -> Rejection:
        return Rejection(
            source=name,
            code=error.code,
            reason=error.reason,
            operating_point=asked.point,
            model=self.package.name,
            version=self.package.version,
            seconds=perf_counter() - started,
        )

    def _judge(self, radiograph: Radiograph, asked: _Asked, *, started: float) -> Finding:
        headers.check_header(radiograph.header, radiograph.source)
        small = self.package.preprocess.reduced(radiograph.pixels)
        if not np.isfinite(small).all():
            raise NotARadiographError(radiograph.source, "holds pixels that are not finite")
        square = self.package.preprocess(small)
        if square.min() == square.max():
            reason = "blank: all pixels are equal"
            raise NotARadiographError(radiograph.source, reason, code="blank")
        looks = self._pass_gate(radiograph, small)
        logit, cam, embedding = self.infer(square[None, None])
        if not all(np.isfinite(output).all() for output in (logit, cam, embedding)):
            reason = "the network's answer is not finite"
            raise InputError(radiograph.source, reason, code="no-answer")
        stated = headers.age_in_years(radiograph.header)
        age = asked.age if stated is None else stated
        group = headers.age_group(age) or asked.age_group
        point = self.package.operating_point(asked.point, group)
        said = headers.marks(
            radiograph.header, self.package.validated, age=age, asked=asked.age_group
        )
        probability = self.package.calibration(float(logit[0]))
        grey_mean, grey_std = grey_statistics(square)
        return Finding(
            source=radiograph.source,
            probability=probability,
            flagged=probability >= point.threshold,
            threshold=point.threshold,
            operating_point=point.name,
            model=self.package.name,
            version=self.package.version,
            seconds=perf_counter() - started,
            heatmap=cam[0],
            embedding=embedding[0],
            age_group=group,
            marks=looks + said,
            grey_mean=grey_mean,
            grey_std=grey_std,
        )

    def _pass_gate(self, radiograph: Radiograph, small: NDArray[np.float32]) -> tuple[str, ...]:
        """Return the gate's marks, or raise its refusal with what the header says beside it."""
        if self.gate is None:
            return ()
        how = self.gate.settings
        # What is reduced for the detector does for the gate, unless the gate looks closer.
        pixels = small if how.size <= self.package.preprocess.size else radiograph.pixels
        square = Preprocess(how.size, how.low, how.high)(pixels)
        try:
            look = self.gate.check(square, radiograph.pixels.shape, radiograph.source)
        except QualityError as error:
            reason = error.reason + headers.beside(error.code, radiograph.header)
            raise QualityError(radiograph.source, reason, code=error.code) from error
        return self.gate.marks(look)

    def _try_out(self, path: Path) -> None:
        """Run the graph on two blank squares: the declared shapes may be wrong or missing."""
        size = self.package.preprocess.size
        try:
            outputs = self.infer(np.zeros((2, 1, size, size), np.uint8))
        except Exception as error:
            raise PackageFormatError(f"{path}: cannot run ({one_line(error)})") from error
        for (name, rank), output in zip(_OUTPUTS.items(), outputs, strict=True):
            if output.ndim != rank or len(output) != 2 or output.size == 0:
                raise PackageFormatError(f"{path}: {name} came out with shape {output.shape}")


def _check_signature(session: Any, size: int, path: Path) -> None:
    """Raise a `PackageFormatError` unless names, types and declared shapes are the contract's."""
    inputs = {item.name: item for item in session.get_inputs()}
    outputs = {item.name: item for item in session.get_outputs()}
    if set(inputs) != {"pixels"} or set(outputs) != set(_OUTPUTS):
        raise PackageFormatError(
            f"{path}: has {', '.join(inputs)} -> {', '.join(outputs)}; "
            f"expected pixels -> {', '.join(_OUTPUTS)}"
        )
    pixels = inputs["pixels"]
    wrong_sides = [
        got
        for got, wanted in zip(pixels.shape[1:], (1, size, size), strict=False)
        if isinstance(got, int) and got != wanted
    ]
    if pixels.type != "tensor(uint8)" or len(pixels.shape) != 4 or wrong_sides:
        raise PackageFormatError(
            f"{path}: pixels is {pixels.type} {pixels.shape}; "
            f"expected tensor(uint8) [n, 1, {size}, {size}]"
        )
    for name, item in outputs.items():
        if item.type != "tensor(float)":
            raise PackageFormatError(f"{path}: {name} is {item.type}, expected tensor(float)")


def _in_threads(
    work: Callable[[Item], Outcome], items: Iterator[Item], jobs: int
) -> Iterator[Outcome]:
    """Map `work` over `items` in `jobs` threads, in order, taking only a few items ahead."""
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="lungflag-detect")
    try:
        pending = deque(pool.submit(work, item) for item in islice(items, jobs * _LOOK_AHEAD))
        while pending:
            outcome = pending.popleft().result()
            pending.extend(pool.submit(work, item) for item in islice(items, 1))
            yield outcome
    finally:
        pool.shutdown(cancel_futures=True)


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _name(source: object, number: int) -> str:
    return str(source) if isinstance(source, str | Path) else f"input {number}"
