"""The service's settings as options: one for each, made from the table that they stand in."""

from __future__ import annotations

import inspect
import os
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lungflag.service.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from lungflag.service.settings import Settings

EVERY = tuple(setting.name for setting in SETTINGS if setting.name != "targets")
"""All settings that fit into an option."""

PANEL = "Settings (also in the file, and in the environment as LUNGFLAG_NAME)"


def with_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command ``--config`` and an option for each setting called, and hand it `Settings`.

    Parameters
    ----------
    *names : str
        Names of settings. Others can still be set in the file and in the environment.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(*, config: Path | None, **given: Any) -> None:
            flags = {name: given.pop(name) for name in names}
            command(read_settings(config, flags), **given)

        # The first parameter's type is only there for type checkers, and cannot be evaluated.
        command.__annotations__.pop("settings")
        _, *own = inspect.signature(command, eval_str=True).parameters.values()
        parameters = [*own, _config_option(), *map(_option, names)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def read_settings(config: Path | None, flags: dict[str, Any]) -> Settings:
    """Return the settings of this process.

    Raises
    ------
    MissingExtraError
        If the service's dependencies are not installed.
    ConfigurationError
        If a setting is unknown or its value not allowed.
    """
    from lungflag._extras import require

    for module in ("sqlalchemy", "pynetdicom", "highdicom"):
        require(module, feature="the service", extra="service")
    from lungflag.service.settings import load_settings

    return load_settings(config, os.environ, flags)


def _config_option() -> inspect.Parameter:
    option = typer.Option(
        None, "--config", metavar="FILE", help="A TOML file with settings.", show_default=False
    )
    return inspect.Parameter(
        "config", inspect.Parameter.KEYWORD_ONLY, default=option, annotation=Path | None
    )


def _option(name: str) -> inspect.Parameter:
    (setting,) = (one for one in SETTINGS if one.name == name)
    option = typer.Option(
        None,
        f"--{name.replace('_', '-')}",
        metavar="VALUE",
        help=setting.help,
        show_default=str(setting.default) if setting.default not in ("", []) else False,
        rich_help_panel=PANEL,
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=str | None
    )
