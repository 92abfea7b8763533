"""The RSNA Pneumonia Detection Challenge: CSV tables beside a folder of DICOM files.

Shih et al., Radiology: Artificial Intelligence 1(1):e180041, 2019.
"""

from __future__ import annotations

import csv
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

import pydicom
from pydicom.errors import InvalidDicomError

from lungflag.data.manifest import Manifest, Row
from lungflag.errors import ManifestError

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataelem import DataElement, RawDataElement

LABEL_TABLE = "stage_2_train_labels.csv"
CLASS_TABLE = "stage_2_detailed_class_info.csv"
IMAGE_FOLDER = "stage_2_train_images"
HELP = f"a folder with {LABEL_TABLE}, {CLASS_TABLE} and {IMAGE_FOLDER}/*.dcm (RSNA)"

# Free column and the DICOM keyword that it comes from.
HEADER = MappingProxyType({"age": "PatientAge", "sex": "PatientSex", "view": "ViewPosition"})


def recognises(path: Path) -> bool:
    """Tell a folder with the challenge's label table."""
    return (path / LABEL_TABLE).is_file()


def read(path: Path) -> Manifest:
    """Read the challenge's training images; its test images have no published labels.

    The label table has a line for each box: several lines of one patient are one image. The class
    table, where present, gives the column ``subtype``: Normal, No Lung Opacity / Not Normal, or
    Lung Opacity. Age, sex and view come from the DICOM headers.

    Raises
    ------
    ManifestError
        If a table is damaged or contradicts itself, an image is missing, or one has no label.
    """
    targets = _column(path / LABEL_TABLE, "Target")
    classes = _column(path / CLASS_TABLE, "class") if (path / CLASS_TABLE).exists() else {}
    folder = path / IMAGE_FOLDER
    files = {file.stem: file for file in sorted(folder.glob("*.dcm"))}
    for ids, others, what in (
        (targets, files, f"no image in {folder}"),
        (files, targets, f"no label in {LABEL_TABLE}"),
    ):
        alone = [patient for patient in ids if patient not in others]
        if alone:
            raise ManifestError(f"{path}: {len(alone)} patients have {what}, such as {alone[0]}")
    return Manifest(
        tuple(
            _row(files[patient], patient, target, classes.get(patient, ""))
            for patient, target in targets.items()
        )
    )


def _column(table: Path, name: str) -> dict[str, str]:
    """Return patientId to the value of one column."""
    found: dict[str, str] = {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            for values in reader:
                patient, value = values["patientId"], values[name]
                if found.setdefault(patient, value) != value:
                    raise ManifestError(
                        f"{table}, line {reader.line_num}: {name} of patient {patient} is "
                        f"{value!r} here and {found[patient]!r} above"
                    )
    except KeyError as error:
        raise ManifestError(f"{table}: no column {error.args[0]}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{table}: cannot be read ({error})") from error
    return found


def _row(file: Path, patient: str, target: str, subtype: str) -> Row:
    if target not in {"0", "1"}:
        raise ManifestError(f"{LABEL_TABLE}: Target of patient {patient} is {target!r}, not 0 or 1")
    label = "pneumonia" if target == "1" else "normal"
    extra = {"subtype": subtype, **_header(file)}
    return Row(file, label, patient, source="rsna", extra=extra)


def _header(file: Path) -> dict[str, str]:
    keywords = list(HEADER.values())
    try:
        dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=keywords)
    except (OSError, InvalidDicomError):
        return {}  # the row stays: whoever reads the image says what is wrong with it
    found = {name: _text(dataset.get_item(keyword)) for name, keyword in HEADER.items()}
    # An age is 058Y in DICOM (PS3.5, section 6.2) and 58 in the challenge's files.
    return found | {"age": re.sub(r"^0*(\d+)Y?$", r"\1", found["age"])}


def _text(element: DataElement | RawDataElement | None) -> str:
    # The bytes as they stand: the challenge's ages break DICOM's rules, and pydicom would warn.
    value = element.value if element else b""
    return value.decode("ascii", "replace").strip() if isinstance(value, bytes) else ""
