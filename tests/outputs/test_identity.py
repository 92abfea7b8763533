from __future__ import annotations

import uuid
from dataclasses import replace
from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from lungflag.outputs.identity import ResultNames, device_uuid, result_uid, result_uuid
from tests.outputs.headers import minimal
from tests.outputs.outcomes import PACKAGE, finding, rejection

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30)


@given(TEXT, TEXT, TEXT, TEXT)
def test_a_uid_is_valid_and_always_the_same(image: str, name: str, version: str, kind: str) -> None:
    uid = UID(result_uid(image, name, version, kind))
    assert uid.is_valid
    assert uid.startswith("2.25.")
    assert uid == result_uid(image, name, version, kind)
    # PS3.5, B.2: the number of a UUID of a defined variant and version.
    made = uuid.UUID(int=int(uid.removeprefix("2.25.")))
    assert made == result_uuid(image, name, version, kind)
    assert (made.variant, made.version) == (uuid.RFC_4122, 5)


def test_this_uid_never_changes() -> None:
    """Archives hold objects under these names: another one would double every result."""
    assert result_uid("1.2.3", "guangzhou", "2.0.0", "sr triage") == (
        "2.25.34600927179810461445765332238939340074"
    )


def test_whatever_differs_gives_another_uid() -> None:
    parts = product(("1.2.3", "1.2.31"), ("a", "ab"), ("1", "11", "b1"), ("sr", "sc", "sr-series"))
    uids = [result_uid(*part) for part in parts]
    assert len(set(uids)) == len(uids)


def test_another_version_or_operating_point_is_another_object() -> None:
    header = minimal()
    first = ResultNames.of(finding(), header, PACKAGE)
    assert first == ResultNames.of(rejection(), header, PACKAGE)
    newer = ResultNames.of(finding(), header, replace(PACKAGE, version="1.3.0"))
    other = ResultNames.of(finding(operating_point="triage"), header, PACKAGE)
    assert len({one.uid("sr") for one in (first, newer, other)}) == 3
    assert first.uuid("sr") == str(uuid.UUID(int=int(first.uid("sr").removeprefix("2.25."))))


def test_a_recalibrated_package_is_another_device() -> None:
    assert device_uuid(PACKAGE) != device_uuid(replace(PACKAGE, digest="0" * 64))
