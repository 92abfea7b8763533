"""Reference: what the package's own films look like to it, so that drift can be seen later.

The optional file ``reference.npz`` of a model package, read without pickle::

    format       int64 ()            1
    logit        float32 (n,)        of the network, before calibration
    grey_mean    float32 (n,)        of the preprocessed square, 0 black to 1 white
    grey_std     float32 (n,)
    embedding    float16 (n, k)      see `shorten`
    dimension    int64 ()            the length of the network's own embedding
    about        text ()             where the films come from

One film a patient, in random order. It holds no picture, and nothing that leads back to one.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.errors import PackageFormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
LENGTH = 64
"""The longest embedding that is kept."""
MOST = 400
"""Films in a reference: more would not make an alarm much surer."""

_MOST_BYTES = 2**24
_RANKS = {
    "format": 0, "logit": 1, "grey_mean": 1, "grey_std": 1, "embedding": 2, "dimension": 0,
    "about": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """How a package sees the films that it was tuned on.

    Attributes
    ----------
    logit : NDArray[np.float32]
        Shape (n,). The network's answers, which a calibration turns into probabilities.
    grey_mean, grey_std : NDArray[np.float32]
        Shape (n,). See `grey_statistics`.
    embedding : NDArray[np.float32]
        Shape (n, k). See `shorten`.
    dimension : int
        The length of the network's own embedding.
    about : str
        Where the films come from, in words.

    Raises
    ------
    PackageFormatError
        If shapes do not fit or a value is not finite.
    """

    logit: NDArray[np.float32]
    grey_mean: NDArray[np.float32]
    grey_std: NDArray[np.float32]
    embedding: NDArray[np.float32]
    dimension: int
    about: str

    def __post_init__(self) -> None:
        columns = (self.logit, self.grey_mean, self.grey_std, self.embedding)
        if len({len(column) for column in columns}) != 1 or not len(self.logit):
            raise PackageFormatError("the reference's columns are of different lengths, or empty")
        if not all(np.isfinite(column).all() for column in columns):
            raise PackageFormatError("the reference holds a value that is not finite")
        if self.embedding.shape[1] != min(self.dimension, LENGTH):
            raise PackageFormatError("the reference's embedding is of another length than it says")

    def __len__(self) -> int:
        return len(self.logit)

    def to_bytes(self) -> bytes:
        """Return the content of ``reference.npz``."""
        target = io.BytesIO()
        np.savez_compressed(
            target,
            format=np.int64(FORMAT),
            logit=self.logit.astype(np.float32),
            grey_mean=self.grey_mean.astype(np.float32),
            grey_std=self.grey_std.astype(np.float32),
            embedding=self.embedding.astype(np.float16),
            dimension=np.int64(self.dimension),
            about=np.array(self.about),
        )
        return target.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Reference:
        """Return the reference in the content of ``reference.npz``.

        Raises
        ------
        PackageFormatError
            If it is not one.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                if sum(item.file_size for item in archive.infolist()) > _MOST_BYTES:
                    raise PackageFormatError("the reference is too large")
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                held = {name: arrays[name] for name in _RANKS}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise PackageFormatError(f"not a reference of drift ({error})") from error
        if any(held[name].ndim != rank for name, rank in _RANKS.items()):
            raise PackageFormatError("the reference has an array of another shape")
        if any(held[name].dtype.kind not in "fi" for name in _RANKS if name != "about"):
            raise PackageFormatError("the reference has an array that is no number")
        if int(held["format"]) != FORMAT:
            raise PackageFormatError(f"a reference of format {held['format']}, not {FORMAT}")
        return cls(
            logit=held["logit"].astype(np.float32),
            grey_mean=held["grey_mean"].astype(np.float32),
            grey_std=held["grey_std"].astype(np.float32),
            embedding=held["embedding"].astype(np.float32),
            dimension=int(held["dimension"]),
            about=str(held["about"]),
        )


def grey_statistics(square: NDArray[np.uint8]) -> tuple[float, float]:
    """Return mean and standard deviation of a preprocessed radiograph, 0 black to 1 white."""
    return float(square.mean() / 255), float(square.std() / 255)


def shorten(embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return embeddings of length `LENGTH` at most, with about the same distances.

    Longer ones are multiplied with a fixed matrix of signs. It is not fitted to any film, so that
    new ones are not farther from the reference because they had no say in it.

    Parameters
    ----------
    embeddings : NDArray
        Shape (n, d).

    References
    ----------
    D. Achlioptas, 'Database-friendly random projections', J. Comput. Syst. Sci. 66, 2003.
    """
    dimension = embeddings.shape[1]
    values = embeddings.astype(np.float32)
    if dimension <= LENGTH:
        return values
    # Of a hash and not of a generator: the same matrix with every version of NumPy.
    noise = hashlib.shake_256(b"lungflag reference 1").digest(dimension * LENGTH // 8)
    bits = np.unpackbits(np.frombuffer(noise, np.uint8)).reshape(dimension, LENGTH)
    signs = (2.0 * bits - 1.0).astype(np.float32) / np.float32(np.sqrt(LENGTH))
    projected: NDArray[np.float32] = values @ signs
    return projected
