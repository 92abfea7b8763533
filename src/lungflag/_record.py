"""A sealed JSON record: a format number, a digest over the meaning, and a strict reader."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from lungflag.errors import PackageFormatError, PackageTamperedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

    Value = TypeVar("Value", bound=DataclassInstance)

_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "str": (str,),
    "int": (int,),
    "float": (int, float),
}


def seal(record: Mapping[str, Any]) -> bytes:
    """Return `record` as JSON with its digest added.

    Raises
    ------
    ValueError
        If a value is not strict JSON (NaN, infinity, lone surrogates).
    TypeError
        If a value has no place in JSON.
    """
    sealed = {**record, "digest": digest(record)}
    return (json.dumps(sealed, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def unseal(content: bytes, *, newest: int) -> dict[str, Any]:
    """Return the record in `content`, whose format is known and whose digest holds.

    Raises
    ------
    PackageFormatError
        If it is not a record, or of a format other than 1 to `newest`.
    PackageTamperedError
        If its meaning differs from the digest in it.
    """
    try:
        record: dict[str, Any] = json.loads(
            content.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_unique
        )
        actual = digest({key: value for key, value in record.items() if key != "digest"})
    except (ValueError, AttributeError, RecursionError) as error:
        raise PackageFormatError(f"not a package record ({error})") from error
    number = record.get("format")
    if type(number) is not int or number < 1:
        raise PackageFormatError("not a package record (no format number)")
    if number > newest:
        raise PackageFormatError(
            f"written by a newer lungflag (format {number}; this one reads {newest})"
        )
    if "digest" not in record:
        raise PackageFormatError("not a package record (no digest)")
    if record["digest"] != actual:
        raise PackageTamperedError("differs from the digest recorded in it")
    return record


def digest(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON: sorted keys, no white space, ASCII."""
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def build(cls: type[Value], data: object) -> Value:
    """Return `data` as a flat dataclass: exactly its fields, exactly their types.

    Raises
    ------
    PackageFormatError
        If a field is missing, unknown or of another type.
    """
    if not isinstance(data, dict):
        raise PackageFormatError(f"{cls.__name__} is not a mapping")
    same_keys(data, {item.name for item in fields(cls)}, cls.__name__)
    for item in fields(cls):
        if type(data[item.name]) not in _TYPES[str(item.type)]:
            raise PackageFormatError(f"{cls.__name__}.{item.name} is not of type {item.type}")
    return cls(**data)


def take(record: Mapping[str, Any], key: str, kind: type) -> Any:
    """Return ``record[key]``, which must be of exactly the type `kind`."""
    if type(record[key]) is not kind:
        raise PackageFormatError(f"{key} is not of type {kind.__name__}")
    return record[key]


def same_keys(data: Mapping[str, Any], known: set[str], what: str) -> None:
    """Raise a `PackageFormatError` unless `data` has exactly the keys `known`."""
    missing, strange = sorted(known - set(data)), sorted(set(data) - known)
    if missing or strange:
        fault = f"lacks {', '.join(missing)}" if missing else f"has unknown {', '.join(strange)}"
        raise PackageFormatError(f"{what} {fault}")


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands there twice")
    return record
