"""Import an optional dependency, or say which extra brings it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lungflag.errors import MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType


def require(module: str, *, feature: str, extra: str) -> ModuleType:
    """Return the imported `module`.

    Raises
    ------
    MissingExtraError
        If its top-level package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise MissingExtraError(feature, extra) from error
