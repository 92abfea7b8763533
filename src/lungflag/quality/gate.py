"""QualityGate: a first look at the picture, before the detector's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lungflag._session import one_line, open_session
from lungflag.errors import PackageFormatError, QualityError
from lungflag.quality.settings import KINDS, GateSettings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_OUTPUTS = {"kind": 2, "distance": 1}
_REASONS = {
    "inverted": ("inverted", "its grey scale is inverted: air bright, bone dark"),
    "rotated-90": ("rotated", "it is rotated by 90 degrees clockwise"),
    "rotated-180": ("rotated", "it stands on its head"),
    "rotated-270": ("rotated", "it is rotated by 90 degrees counterclockwise"),
    "lateral": ("lateral", "it looks like a lateral view"),
    "cropped": ("cropped", "it shows a part of the chest only"),
    "blank": ("blank", "it holds no picture"),
    "other": ("not-a-radiograph", "it does not look like a chest radiograph"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What the gate's graph says of one picture.

    Attributes
    ----------
    kind : NDArray[np.float32]
        Probabilities of `KINDS`, shape (k,).
    distance : float
        Distance from the films of the nearest validated hospital.
    """

    kind: NDArray[np.float32]
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class QualityGate:
    """Decides whether a picture is a frontal chest radiograph. Safe to share between threads.

    Attributes
    ----------
    settings : GateSettings
        What passes.
    session : onnxruntime.InferenceSession
        The running graph: ``pixels`` uint8 [n, 1, size, size] to ``kind`` float32 [n, k], the
        probabilities of `KINDS`, and ``distance`` float32 [n].
    """

    settings: GateSettings
    session: Any

    @classmethod
    def load(cls, settings: GateSettings, graph: bytes, path: Path, *, threads: int) -> QualityGate:
        """Open the graph and try it once.

        Raises
        ------
        PackageFormatError
            If the graph breaks the contract; `path` names it.
        """
        gate = cls(settings, open_session(graph, path, threads=threads))
        size = settings.size
        try:
            kind, distance = gate.infer(np.zeros((2, 1, size, size), np.uint8))
        except Exception as error:
            raise PackageFormatError(f"{path}: cannot run ({one_line(error)})") from error
        if kind.shape != (2, len(KINDS)) or distance.shape != (2,):
            raise PackageFormatError(
                f"{path}: kind and distance came out with shapes {kind.shape}, {distance.shape}"
            )
        return gate

    def infer(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the bare graph on squares of shape (n, 1, size, size).

        Returns
        -------
        kind, distance : NDArray[np.float32]
            Shapes (n, k) and (n,).
        """
        kind, distance = self.session.run(list(_OUTPUTS), {"pixels": batch})
        return kind, distance

    def check(self, square: NDArray[np.uint8], shape: tuple[int, ...], source: str) -> Look:
        """Return what the graph says of a picture that may be judged.

        Parameters
        ----------
        square : NDArray[np.uint8]
            The picture as the graph takes it, shape (size, size).
        shape : tuple[int, int]
            Rows and columns of the picture itself.
        source : str
            Its name in errors.

        Raises
        ------
        QualityError
            If it may not be judged; its code is one of `lungflag.outcome.CODES`.
        """
        self._check_shape(shape, source)
        kind, distance = self.infer(square[None, None])
        look = Look(kind[0], float(distance[0]))
        if not (np.isfinite(look.kind).all() and np.isfinite(look.distance)):
            raise QualityError(source, "the gate's answer is not finite", code="no-answer")
        if look.kind[0] < self.settings.frontal:
            code, reason = _REASONS[KINDS[1 + int(look.kind[1:].argmax())]]
            raise QualityError(source, reason, code=code)
        if look.distance > self.settings.far:
            reason = "it is unlike every film that the package was made for"
            raise QualityError(source, reason, code="out-of-distribution")
        return look

    def marks(self, look: Look) -> tuple[str, ...]:
        """Return what a reader must be told of an accepted film because of its looks."""
        if look.distance <= self.settings.familiar:
            return ()
        return ("outside validated use: unlike the films of the hospitals it was validated on",)

    def _check_shape(self, shape: tuple[int, ...], source: str) -> None:
        rows, columns = shape
        size = f"{columns} x {rows} pixels"
        if min(shape) < self.settings.smallest_side:
            reason = f"too small: {size}, at least {self.settings.smallest_side} a side needed"
            raise QualityError(source, reason, code="too-small")
        if max(shape) > self.settings.longest_shape * min(shape):
            raise QualityError(source, f"badly cropped: {size} are no whole chest", code="cropped")
