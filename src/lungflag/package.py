"""ModelPackage: a trained detector in a folder, the only thing that leaves the workbench.

::

    NAME/
    ├── model.onnx    pixels uint8 [n,1,size,size]
    │                 -> logit float32 [n], cam float32 [n,h,w], embedding float32 [n,d]
    ├── gate.onnx     optional, see `lungflag.quality`: pixels uint8 [n,1,size,size]
    │                 -> kind float32 [n,k], distance float32 [n]
    ├── reference.npz optional, see `lungflag.reference`: what drift is measured against
    ├── package.json  preprocessing, calibration, operating points, validated use, hashes ...
    └── README.md     the model card
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from lungflag._record import build, same_keys, seal, take, unseal
from lungflag.calibration import AGE_GROUPS, Calibration, OperatingPoint
from lungflag.errors import PackageError, PackageFormatError, PackageTamperedError
from lungflag.preprocess import Preprocess
from lungflag.quality import GateSettings, ValidatedUse
from lungflag.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 2
LABELS = ("normal", "pneumonia")
GRAPH, GATE, CARD, RECORD = "model.onnx", "gate.onnx", "README.md", "package.json"
REFERENCE = "reference.npz"
SHIPPED = Path(__file__).with_name("models")

_TRAINING_DATA = {"name": str, "licence": str, "citation": str, "images": int, "patients": int}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPackage:
    """What a detector needs, and where it comes from.

    Attributes
    ----------
    name, version : str
        Letters, digits and ``. _ + -``.
    preprocess : Preprocess
        The way from a radiograph's pixels to the graph's input.
    calibration : Calibration
        The way from the graph's logit to a probability. Its slope is positive.
    operating_points : tuple[OperatingPoint, ...]
        At least one. Names are unique, but for versions of one point for an age group; every name
        has a version for anyone.
    default_operating_point : str
        The name of the one that is used where none is asked for.
    provenance : Mapping[str, Any]
        Free JSON: recipe, seed, backbone, library versions, date.
    training_data : tuple[Mapping[str, Any], ...]
        One mapping a data set: name, licence, citation, images, patients.
    validated : ValidatedUse
        Where the figures were measured; findings elsewhere are marked.
    gate : GateSettings or None
        The quality gate; None where there is none, and every readable picture is judged.
    folder : Path or None
        Where the package lies. None before it is written.
    hashes : Mapping[str, str]
        File name to SHA-256, as recorded when the package was written.
    digest : str
        SHA-256 over the record, which holds the hashes: it names the whole package.

    Raises
    ------
    PackageFormatError
        If a field breaks these rules.
    """

    name: str
    version: str
    preprocess: Preprocess
    calibration: Calibration
    operating_points: tuple[OperatingPoint, ...]
    default_operating_point: str
    provenance: Mapping[str, Any]
    training_data: tuple[Mapping[str, Any], ...]
    validated: ValidatedUse = field(default_factory=ValidatedUse)
    gate: GateSettings | None = None
    folder: Path | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        for what, word in (("name", self.name), ("version", self.version)):
            _demand(_WORD.fullmatch(word) is not None, f"{what} {word!r} has forbidden characters")
        square = self.preprocess
        _demand(8 <= square.size <= 4096, "preprocess.size is not between 8 and 4096")
        _demand(0 <= square.low < square.high <= 100, "preprocess.low and high are no percentiles")
        _demand(0 < self.calibration.slope < float("inf"), "calibration.slope is not positive")
        _demand(isfinite(self.calibration.intercept), "calibration.intercept is not finite")
        keys = Counter((point.name, point.age_group) for point in self.operating_points)
        _demand(all(n == 1 for n in keys.values()), "an operating point stands there twice")
        _demand(
            all(group in ("", *AGE_GROUPS) and (name, "") in keys for name, group in keys),
            f"an operating point is for neither anyone nor {' nor '.join(AGE_GROUPS)}, "
            "or lacks its version for anyone",
        )
        _demand(
            (self.default_operating_point, "") in keys,
            f"the default operating point {self.default_operating_point!r} is not in the list",
        )
        for point in self.operating_points:
            rates = (point.threshold, point.sensitivity, point.specificity)
            _demand(
                bool(point.name) and all(0 <= rate <= 1 for rate in rates) and point.n >= 0,
                f"operating point {point.name!r} has a figure out of range",
            )
        for entry in self.training_data:
            _demand(
                {key: type(value) for key, value in entry.items()} == _TRAINING_DATA,
                f"a training_data entry needs exactly {', '.join(_TRAINING_DATA)}",
            )

    def operating_point(self, name: str | None = None, age_group: str = "") -> OperatingPoint:
        """Return the operating point called `name`, or the default one.

        Parameters
        ----------
        name : str, optional
            The point's name.
        age_group : str
            ``child`` or ``adult``: the version for that group where there is one, else the one for
            anyone.

        Raises
        ------
        PackageError
            If the package has none of that name.
        """
        wanted = self.default_operating_point if name is None else name
        for group in (age_group, ""):
            for point in self.operating_points:
                if (point.name, point.age_group) == (wanted, group):
                    return point
        have = ", ".join(dict.fromkeys(point.name for point in self.operating_points))
        raise PackageError(f"{self.name} has no operating point {wanted!r}; it has {have}")

    def graph_bytes(self) -> bytes:
        """Return the ONNX graph: the very bytes that were checked against the record.

        Raises
        ------
        PackageTamperedError
            If they differ from the hash recorded for them.
        PackageError
            If the package has not been written, or its file is gone.
        """
        return self._checked(GRAPH)

    def gate_bytes(self) -> bytes:
        """Return the quality gate's ONNX graph, checked like `graph_bytes`."""
        return self._checked(GATE)

    def card(self) -> str:
        """Return the model card's Markdown, checked like `graph_bytes`."""
        return self._checked(CARD).decode("utf-8", errors="replace")

    def reference(self) -> Reference | None:
        """Return what drift is measured against, checked like `graph_bytes`, if it is there.

        Raises
        ------
        PackageFormatError
            If the file is not a reference.
        """
        content = self.reference_bytes()
        return None if content is None else Reference.from_bytes(content)

    def reference_bytes(self) -> bytes | None:
        """Return the content of ``reference.npz``, checked like `graph_bytes`, if it is there."""
        return self._checked(REFERENCE) if REFERENCE in self.hashes else None

    def write(
        self,
        folder: str | Path,
        *,
        graph: bytes,
        card: str,
        gate: bytes | None = None,
        reference: bytes | None = None,
    ) -> ModelPackage:
        """Write the package to `folder`, all of it or nothing, and return it as read back.

        An older package there is replaced; anything else there is left alone.

        Parameters
        ----------
        folder : str or Path
            The package's folder; its parents are made.
        graph : bytes
            The serialised ONNX model.
        card : str
            The model card in Markdown.
        gate : bytes, optional
            The quality gate's serialised ONNX model, where the package has `gate` settings.
        reference : bytes, optional
            What `Reference.to_bytes` returned. It is about the graph, not about the calibration.

        Raises
        ------
        PackageError
            If `folder` holds something that is not a package, or cannot be written, or
            `provenance` is not JSON, or a gate's graph comes without settings or they without it.
        """
        if (gate is None) != (self.gate is None):
            raise PackageError(f"{self.name}: a gate needs its settings and its graph")
        target = Path(folder).resolve()
        _refuse_strangers(target)
        contents = {GRAPH: graph, CARD: card.encode("utf-8")}
        if gate is not None:
            contents[GATE] = gate
        if reference is not None:
            contents[REFERENCE] = reference
        contents[RECORD] = self._record(contents)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".lungflag-", dir=target.parent) as scratch:
                fresh = Path(scratch) / "new"
                fresh.mkdir()
                for name, content in contents.items():
                    (fresh / name).write_bytes(content)
                _swap(fresh, target, aside=Path(scratch) / "old")
        except OSError as error:
            raise PackageError(f"{target}: cannot be written ({error})") from error
        return ModelPackage.read(target)

    @classmethod
    def read(cls, folder: str | Path) -> ModelPackage:
        """Read the package in `folder` and check every file against its hash.

        Raises
        ------
        PackageFormatError
            If it is not a package, or another version of lungflag wrote it in another format.
        PackageTamperedError
            If a file differs from what was written; the message names it.
        """
        folder = Path(folder)
        content = _bytes(folder / RECORD)
        try:
            package = cls._parse(unseal(content, newest=FORMAT), folder)
        except PackageError as error:
            raise type(error)(f"{folder / RECORD}: {error}") from error
        for name in package.hashes:
            package._checked(name)
        return package

    @classmethod
    def _parse(cls, record: Mapping[str, Any], folder: Path) -> ModelPackage:
        _demand(
            record["format"] == FORMAT,
            f"written by an older lungflag (format {record['format']}; this one reads {FORMAT}): "
            "build the package anew",
        )
        ours = {item.name for item in fields(cls)} - {"folder"}
        same_keys(record, ours | {"format", "labels"}, "the record")
        _demand(record["labels"] == list(LABELS), f"labels are not {', '.join(LABELS)}")
        entries = take(record, "training_data", list)
        _demand(
            all(type(entry) is dict for entry in entries), "a training_data entry is no mapping"
        )
        hashes = take(record, "hashes", dict)
        gate = None if record["gate"] is None else build(GateSettings, record["gate"])
        optional = {GATE} if gate is not None else set()
        optional |= {REFERENCE} & set(hashes)
        same_keys(hashes, {GRAPH, CARD} | optional, "hashes")
        return cls(
            name=take(record, "name", str),
            version=take(record, "version", str),
            preprocess=build(Preprocess, record["preprocess"]),
            calibration=build(Calibration, record["calibration"]),
            operating_points=tuple(
                build(OperatingPoint, point) for point in take(record, "operating_points", list)
            ),
            default_operating_point=take(record, "default_operating_point", str),
            provenance=take(record, "provenance", dict),
            training_data=tuple(entries),
            validated=ValidatedUse.from_dict(take(record, "validated", dict)),
            gate=gate,
            folder=folder,
            hashes=hashes,
            digest=take(record, "digest", str),
        )

    def _record(self, contents: Mapping[str, bytes]) -> bytes:
        record = {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "labels": list(LABELS),
            "preprocess": self.preprocess.to_dict(),
            "calibration": asdict(self.calibration),
            "operating_points": [asdict(point) for point in self.operating_points],
            "default_operating_point": self.default_operating_point,
            "provenance": dict(self.provenance),
            "training_data": [dict(entry) for entry in self.training_data],
            "validated": self.validated.to_dict(),
            "gate": None if self.gate is None else asdict(self.gate),
            "hashes": {name: _sha256(content) for name, content in contents.items()},
        }
        try:
            return seal(record)
        except (TypeError, ValueError, RecursionError) as error:
            raise PackageError(f"{self.name}: a field is not strict JSON ({error})") from error

    def _checked(self, name: str) -> bytes:
        if self.folder is None:
            raise PackageError(f"{self.name}: the package has not been written to a folder yet")
        content = _bytes(self.folder / name)
        if _sha256(content) != self.hashes.get(name):
            raise PackageTamperedError(
                f"{self.folder / name}: differs from the hash recorded for it"
            )
        return content


def shipped_packages() -> tuple[str, ...]:
    """Return the names of the packages that come with lungflag, sorted."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{RECORD}")))


def find_package(name_or_dir: str | Path) -> Path:
    """Return a shipped package's folder, or else `name_or_dir` itself where it is a folder.

    A folder that is named like a shipped package is meant by ``./NAME``.

    Raises
    ------
    PackageError
        If it is neither; the message lists the shipped names.
    """
    names = shipped_packages()
    if isinstance(name_or_dir, str) and name_or_dir in names:
        return SHIPPED / name_or_dir
    folder = Path(name_or_dir)
    if folder.is_dir():
        return folder
    raise PackageError(
        f"{name_or_dir}: no model package of that name and no such folder; "
        f"shipped: {', '.join(names) or 'none'}"
    )


def _demand(fine: bool, message: str) -> None:
    if not fine:
        raise PackageFormatError(message)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise PackageFormatError(f"{path}: not a whole model package ({reason})") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refuse_strangers(target: Path) -> None:
    """Raise unless `target` is free, an empty folder, or a package and nothing more."""
    if not target.exists():
        return
    held = {path.name for path in target.iterdir()} if target.is_dir() else {target.name}
    if held and not (RECORD in held and held <= {GRAPH, GATE, CARD, REFERENCE, RECORD}):
        raise PackageError(f"{target}: not a model package, so it is not overwritten")


def _swap(fresh: Path, target: Path, *, aside: Path) -> None:
    if target.exists():
        target.rename(aside)
    try:
        fresh.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
