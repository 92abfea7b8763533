from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lungflag import package as room
from lungflag.calibration import Calibration, OperatingPoint
from lungflag.errors import PackageError, PackageFormatError, PackageTamperedError
from lungflag.package import ModelPackage, find_package, shipped_packages
from lungflag.quality import ValidatedUse
from tests.packages import TINY_GATE, build_gate

if TYPE_CHECKING:
    from tests.packages import PackageMaker

FILES = ("model.onnx", "package.json", "README.md")


GATE = asdict(TINY_GATE)
USE = ValidatedUse().to_dict()


def edit(folder: Path, **changes: Any) -> None:
    """Change fields of the record as an insider would: with a digest that fits."""
    path = folder / "package.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record.update(changes)
    record = {key: value for key, value in record.items() if value is not ...}
    record.pop("digest")
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"))
    record["digest"] = hashlib.sha256(canonical.encode()).hexdigest()
    path.write_text(json.dumps(record), encoding="utf-8")


def test_what_is_written_is_what_is_read(tiny_package: ModelPackage) -> None:
    assert tiny_package.folder is not None
    assert ModelPackage.read(tiny_package.folder) == tiny_package
    assert sorted(path.name for path in tiny_package.folder.iterdir()) == sorted(FILES)
    assert tiny_package.card() == "# tiny\n\nFor tests.\n"
    assert tiny_package.graph_bytes() == (tiny_package.folder / "model.onnx").read_bytes()


def test_the_record_is_as_documented(tiny_package: ModelPackage) -> None:
    assert tiny_package.folder is not None
    record = json.loads((tiny_package.folder / "package.json").read_text(encoding="utf-8"))
    assert record["format"] == 2
    assert record["gate"] is None
    assert record["validated"] == {"ages": None, "hospitals": [], "institutions": [], "views": []}
    assert record["labels"] == ["normal", "pneumonia"]
    assert record["preprocess"] == {"size": 32, "low": 0.0, "high": 100.0, "equalise": False}
    assert record["calibration"] == {"slope": 0.5, "intercept": 0.25}
    assert record["operating_points"][1] == asdict(tiny_package.operating_point())
    for name, recorded in record["hashes"].items():
        content = (tiny_package.folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == recorded
    assert set(record["hashes"]) == {"model.onnx", "README.md"}
    assert record["digest"] == tiny_package.digest
    assert len(record["digest"]) == 64


def test_text_in_any_script_survives(tmp_path: Path, make_package: PackageMaker) -> None:
    provenance = {"author": "Kovács Zoë 王", "notes": ["a", {"b": None}], "rate": 1e-3}
    package = make_package(tmp_path / "new" / "deep" / "p", provenance=provenance)
    assert package.provenance == provenance


@pytest.mark.parametrize("name", FILES)
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_changed_byte_goes_unseen(
    tiny_package: ModelPackage, name: str, data: st.DataObject
) -> None:
    assert tiny_package.folder is not None
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "copy"
        shutil.copytree(tiny_package.folder, folder)
        content = bytearray((folder / name).read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        (folder / name).write_bytes(content)
        try:
            package = ModelPackage.read(folder)
        except PackageError as error:
            assert name in str(error)  # noqa: PT017
        else:  # white space of the record carries no meaning
            assert name == "package.json"
            assert replace(package, folder=tiny_package.folder) == tiny_package


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=200) | st.from_regex(r"[\[{\"0-9a-z:,\]}. -]*").map(str.encode))
def test_no_record_crashes_the_reader(tiny_package: ModelPackage, content: bytes) -> None:
    assert tiny_package.folder is not None
    (tiny_package.folder / "package.json").write_bytes(content)
    with pytest.raises(PackageFormatError, match=r"package\.json"):
        ModelPackage.read(tiny_package.folder)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"format": 1, "digest": "", "a": 1e999}',
        b'{"format": 1, "a": NaN}',
        b'{"format": 1, "format": 1}',
        b'{"format": true}',
        b'{"format": 0, "digest": ""}',
        b'{"format": 1}',
        b"null",
        b"",
    ],
    ids=range(9),
)
def test_a_malformed_record_is_no_package(tiny_package: ModelPackage, content: bytes) -> None:
    assert tiny_package.folder is not None
    (tiny_package.folder / "package.json").write_bytes(content)
    with pytest.raises(PackageFormatError, match=r"package\.json: not a package record"):
        ModelPackage.read(tiny_package.folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tiny_package: ModelPackage, name: str) -> None:
    assert tiny_package.folder is not None
    (tiny_package.folder / name).unlink()
    with pytest.raises(PackageFormatError, match=name):
        ModelPackage.read(tiny_package.folder)


@pytest.mark.parametrize("name", ["model.onnx", "README.md"])
def test_a_changed_file_is_tampered_with(tiny_package: ModelPackage, name: str) -> None:
    assert tiny_package.folder is not None
    with (tiny_package.folder / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(PackageTamperedError, match=f"{name}: differs from the hash"):
        ModelPackage.read(tiny_package.folder)


def test_a_changed_threshold_is_tampered_with(tiny_package: ModelPackage) -> None:
    assert tiny_package.folder is not None
    path = tiny_package.folder / "package.json"
    path.write_text(path.read_text(encoding="utf-8").replace("0.4,", "0.9,"), encoding="utf-8")
    with pytest.raises(PackageTamperedError, match=r"package\.json: differs from the digest"):
        ModelPackage.read(tiny_package.folder)


def test_the_graph_that_runs_is_the_graph_that_was_checked(tiny_package: ModelPackage) -> None:
    """A file that is swapped after the package was read is still refused."""
    assert tiny_package.folder is not None
    (tiny_package.folder / "model.onnx").write_bytes(b"another graph")
    with pytest.raises(PackageTamperedError, match=r"model\.onnx"):
        tiny_package.graph_bytes()


def test_a_newer_format_is_refused_by_name(tiny_package: ModelPackage) -> None:
    assert tiny_package.folder is not None
    edit(tiny_package.folder, format=3, preprocess=..., something_new=[1])
    with pytest.raises(
        PackageFormatError,
        match=r"package\.json: written by a newer lungflag \(format 3; this one reads 2\)",
    ):
        ModelPackage.read(tiny_package.folder)


def test_an_older_format_is_refused_by_name(tiny_package: ModelPackage) -> None:
    assert tiny_package.folder is not None
    edit(tiny_package.folder, format=1, gate=..., validated=...)
    with pytest.raises(PackageFormatError, match=r"older lungflag \(format 1; .* build .* anew"):
        ModelPackage.read(tiny_package.folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"calibration": ...}, "lacks calibration"),
        ({"surprise": 1}, "unknown surprise"),
        ({"labels": ["a", "b"]}, "labels"),
        ({"name": 5}, "name is not of type str"),
        ({"name": "../x"}, "forbidden"),
        ({"preprocess": {"size": 32, "low": 0.0, "equalise": False}}, "Preprocess lacks high"),
        (
            {"preprocess": {"size": 32.5, "low": 0.0, "high": 1.0, "equalise": False}},
            r"Preprocess\.size",
        ),
        (
            {"preprocess": {"size": True, "low": 0.0, "high": 1.0, "equalise": False}},
            r"Preprocess\.size",
        ),
        (
            {"preprocess": {"size": 10**9, "low": 0.0, "high": 1.0, "equalise": False}},
            r"preprocess\.size",
        ),
        ({"calibration": {"slope": -1.0, "intercept": 0.0}}, "slope"),
        ({"calibration": {"slope": "1", "intercept": 0.0}}, r"Calibration\.slope"),
        ({"operating_points": {}}, "operating_points"),
        ({"operating_points": [1]}, "OperatingPoint"),
        ({"default_operating_point": "none such"}, "none such"),
        ({"training_data": [1]}, "training_data"),
        ({"training_data": [{"name": "x"}]}, "licence"),
        ({"provenance": []}, "provenance"),
        ({"hashes": {"model.onnx": "0"}}, "hashes"),
        ({"hashes": {"model.onnx": "0", "README.md": "0", "/etc/passwd": "0"}}, "hashes"),
        ({"hashes": []}, "hashes"),
        ({"hashes": {"model.onnx": "0", "README.md": "0", "gate.onnx": "0"}}, "hashes"),
        ({"gate": {"size": 32}}, "GateSettings lacks"),
        ({"gate": GATE | {"frontal": 2.0}}, "gate: a setting is out of range"),
        ({"gate": GATE | {"familiar": 9.0, "far": 8.0}}, "gate: a setting is out of range"),
        ({"gate": GATE}, "hashes lacks gate.onnx"),
        ({"validated": USE | {"ages": [5, 1]}}, "ages"),
        ({"validated": USE | {"ages": [True, 2]}}, "ages"),
        ({"validated": USE | {"views": [1]}}, "views"),
        ({"validated": []}, "validated"),
        ({"validated": {}}, "validated lacks"),
    ],
)
def test_every_field_is_checked(
    tiny_package: ModelPackage, changes: dict[str, Any], message: str
) -> None:
    assert tiny_package.folder is not None
    edit(tiny_package.folder, **changes)
    with pytest.raises(PackageFormatError, match=message):
        ModelPackage.read(tiny_package.folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"operating_points": ()},
        {"operating_points": (OperatingPoint("balanced", 1.5, "", 0.9, 0.9, 10),)},
        {"operating_points": (OperatingPoint("balanced", 0.5, "", float("nan"), 0.9, 10),)},
        {"operating_points": (OperatingPoint("balanced", 0.5, "", 0.9, 0.9, 10),) * 2},
        {"calibration": Calibration(slope=float("nan"))},
        {"calibration": Calibration(intercept=float("inf"))},
        {"version": ""},
        {"operating_points": (OperatingPoint("balanced", 0.5, "", 0.9, 0.9, 10, "baby"),)},
        {"operating_points": (OperatingPoint("balanced", 0.5, "", 0.9, 0.9, 10, "child"),)},
        {"operating_points": (OperatingPoint("balanced", 0.5, "", 0.9, 0.9, 10, "adult"),) * 2},
    ],
    ids=range(10),
)
def test_a_wrong_package_is_not_even_made(
    tmp_path: Path, make_package: PackageMaker, changes: dict[str, Any]
) -> None:
    with pytest.raises(PackageFormatError):
        make_package(tmp_path / "p", **changes)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("value", [float("nan"), np.float32(1), object(), "\ud800"])
def test_provenance_must_be_json(tmp_path: Path, make_package: PackageMaker, value: object) -> None:
    with pytest.raises(PackageError, match="JSON"):
        make_package(tmp_path / "p", provenance={"value": value})
    assert list(tmp_path.iterdir()) == []


def test_operating_points_go_by_name(tiny_package: ModelPackage) -> None:
    assert tiny_package.operating_point().name == "balanced"
    assert tiny_package.operating_point("triage").threshold == 0.4
    with pytest.raises(PackageError, match=r"'rule-out'; it has triage, balanced"):
        tiny_package.operating_point("rule-out")


def test_an_age_group_has_its_own_operating_point_or_the_one_for_anyone(
    tmp_path: Path, make_package: PackageMaker
) -> None:
    def point(name: str, threshold: float, age_group: str = "") -> OperatingPoint:
        return OperatingPoint(name, threshold, "", 0.9, 0.9, 10, age_group)

    points = (point("balanced", 0.5), point("balanced", 0.3, "child"), point("triage", 0.1))
    package = make_package(tmp_path / "p", operating_points=points)
    assert package.operating_point().threshold == 0.5
    assert package.operating_point(age_group="child").threshold == 0.3
    assert package.operating_point(age_group="adult").threshold == 0.5
    assert package.operating_point("triage", "child").threshold == 0.1
    with pytest.raises(PackageError, match=r"it has balanced, triage$"):
        package.operating_point("no", "child")


def test_a_gate_travels_with_its_package(tmp_path: Path, make_package: PackageMaker) -> None:
    use = ValidatedUse(ages=(1, 5.5), hospitals=("a", "b"), institutions=("A",), views=("AP",))
    package = make_package(tmp_path / "p", gate=TINY_GATE, validated=use)
    assert (package.gate, package.validated) == (TINY_GATE, use)
    assert package.gate_bytes() == build_gate()
    assert (tmp_path / "p" / "gate.onnx").read_bytes() == build_gate()
    make_package(tmp_path / "p", version="2")  # a package with a gate is replaced like any other
    assert not (tmp_path / "p" / "gate.onnx").exists()


@pytest.mark.parametrize("name", ["gate.onnx", "model.onnx"])
def test_a_changed_gate_is_tampered_with(
    tmp_path: Path, make_package: PackageMaker, name: str
) -> None:
    make_package(tmp_path / "p", gate=TINY_GATE)
    with (tmp_path / "p" / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(PackageTamperedError, match=f"{name}: differs from the hash"):
        ModelPackage.read(tmp_path / "p")


def test_a_gate_needs_both_settings_and_graph(tmp_path: Path, tiny_package: ModelPackage) -> None:
    graph = tiny_package.graph_bytes()
    with pytest.raises(PackageError, match="a gate needs its settings and its graph"):
        tiny_package.write(tmp_path / "p", graph=graph, card="", gate=build_gate())
    with pytest.raises(PackageError, match="a gate needs its settings and its graph"):
        replace(tiny_package, gate=TINY_GATE).write(tmp_path / "p", graph=graph, card="")


def test_a_package_replaces_a_package(tmp_path: Path, make_package: PackageMaker) -> None:
    make_package(tmp_path / "p", version="1")
    make_package(tmp_path / "p", version="2")
    assert ModelPackage.read(tmp_path / "p").version == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_an_empty_folder_may_become_a_package(tmp_path: Path, make_package: PackageMaker) -> None:
    (tmp_path / "p").mkdir()
    assert make_package(tmp_path / "p").name == "tiny"


def test_what_is_not_a_package_is_not_overwritten(
    tmp_path: Path, make_package: PackageMaker
) -> None:
    thesis = tmp_path / "p" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work", encoding="utf-8")
    with pytest.raises(PackageError, match="not a model package"):
        make_package(tmp_path / "p")
    with pytest.raises(PackageError, match="not a model package"):
        make_package(thesis)
    assert thesis.read_text(encoding="utf-8") == "years of work"


def test_a_package_beside_other_files_is_not_overwritten(
    tiny_package: ModelPackage, make_package: PackageMaker
) -> None:
    assert tiny_package.folder is not None
    (tiny_package.folder / "notes.txt").touch()
    with pytest.raises(PackageError, match="not a model package"):
        make_package(tiny_package.folder)
    assert ModelPackage.read(tiny_package.folder) == tiny_package


def test_a_failing_write_leaves_the_old_package(
    tmp_path: Path, make_package: PackageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_package(tmp_path / "p", version="1")
    rename = Path.rename

    def full_disk(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(PackageError, match="No space left"):
        make_package(tmp_path / "p", version="2")
    assert ModelPackage.read(tmp_path / "p").version == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_an_unwritten_package_has_no_graph(tiny_package: ModelPackage) -> None:
    with pytest.raises(PackageError, match="not been written"):
        replace(tiny_package, folder=None).graph_bytes()


def test_packages_are_found_by_name_and_by_folder(
    tmp_path: Path, make_package: PackageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SHIPPED", tmp_path / "models")
    assert shipped_packages() == ()
    make_package(tmp_path / "models" / "second")
    make_package(tmp_path / "models" / "first")
    (tmp_path / "models" / "stray").mkdir()
    assert shipped_packages() == ("first", "second")
    assert find_package("first") == tmp_path / "models" / "first"
    assert find_package(str(tmp_path / "models" / "second")) == tmp_path / "models" / "second"
    with pytest.raises(PackageError, match=r"third: no model package.*shipped: first, second"):
        find_package("third")


def test_every_shipped_package_reads() -> None:
    for name in shipped_packages():
        assert ModelPackage.read(find_package(name)).name == name
