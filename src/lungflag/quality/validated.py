"""ValidatedUse: on whom, where and in which views a package was validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lungflag._record import same_keys, take
from lungflag.errors import PackageFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatedUse:
    """Where a package's figures were measured. Whatever lies outside is marked, not refused.

    Attributes
    ----------
    ages : tuple[float, float] or None
        Youngest and oldest patients in years; None where ages were not recorded.
    hospitals : tuple[str, ...]
        The hospitals by the names of `ModelPackage.training_data`.
    institutions : tuple[str, ...]
        The same hospitals as DICOM's Institution Name writes them.
    views : tuple[str, ...]
        DICOM's View Position of the validated films, such as ``AP`` and ``PA``; none where views
        were not recorded.

    Raises
    ------
    PackageFormatError
        If the ages are no range.
    """

    ages: tuple[float, float] | None = None
    hospitals: tuple[str, ...] = ()
    institutions: tuple[str, ...] = ()
    views: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ages is not None and not 0 <= self.ages[0] <= self.ages[1] < 150:
            raise PackageFormatError("validated.ages are no range of years")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, for `package.json`."""
        return {
            "ages": None if self.ages is None else list(self.ages),
            "hospitals": list(self.hospitals),
            "institutions": list(self.institutions),
            "views": list(self.views),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ValidatedUse:
        """Return what `to_dict` wrote.

        Raises
        ------
        PackageFormatError
            If a field is missing, unknown or of another type.
        """
        same_keys(data, {"ages", "hospitals", "institutions", "views"}, "validated")
        return cls(
            ages=_range(data["ages"]),
            hospitals=_words(data, "hospitals"),
            institutions=_words(data, "institutions"),
            views=_words(data, "views"),
        )


def _words(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    words = take(data, key, list)
    if any(type(word) is not str for word in words):
        raise PackageFormatError(f"validated.{key} are not all text")
    return tuple(words)


def _range(ages: object) -> tuple[float, float] | None:
    if ages is None:
        return None
    if not isinstance(ages, list) or [type(age) in (int, float) for age in ages] != [True, True]:
        raise PackageFormatError("validated.ages are no range of years")
    return ages[0], ages[1]
