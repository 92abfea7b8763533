"""The settings as a page for people: ``python -m lungflag.service.manual > docs/settings.md``."""

from __future__ import annotations

import json
import sys
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from lungflag.service.settings import PREFIX, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lungflag.service.settings import Setting

_INTRODUCTION = f"""# Settings

Made from the table `SETTINGS` in `service/settings.py`; a test holds it.

A setting comes from an option (`--http-port`), else from the environment (`{PREFIX}HTTP_PORT`),
else from the TOML file given by `--config`, else from its default. Relative paths in the file are
relative to the file. A name that does not exist and a value that is not allowed end the command
with one line that says where it stands. Lists are parted by commas in options and in the
environment; `targets` is inline TOML there.

Passwords and tokens belong into a file that only the service's user may read, or into the
environment: other users of the machine can see options.
"""

_TARGETS = """
## Targets

Each `[[targets]]` table is one place where results go ([examples](service.md#delivery)).

| key | of kind | means |
|---|---|---|
| `name` | all | its name in the ledger, in logs and metrics |
| `kind` | all | `dicom` (C-STORE), `stow` (STOW-RS), `fhir` or `files` |
| `address` | all | `AET@host:port`, the URL of a DICOMweb or FHIR service, or a folder |
| `send` | all | which of `sr`, `sc` and `fhir`; by default all that the kind takes |
| `tls` | dicom | use TLS, with the service's own certificate |
| `calling` | dicom | the AE title to call with, if not the node's |
| `ca` | stow, fhir | PEM file with the authorities to trust, in place of the system's |
| `user`, `password` | stow, fhir | for basic authentication |
| `token` | stow, fhir | for bearer authentication |
"""


def settings_page() -> str:
    """Return the settings as Markdown."""
    rows = [
        f"| `{one.name}` | {_default(one)} | {one.help.replace('|', chr(92) + '|')} |"
        for one in SETTINGS
    ]
    table = "\n".join(["", "| setting | default | means |", "|---|---|---|", *rows])
    sample = f"## As a file\n\n```toml\n{sample_file()}```"
    return f"{_INTRODUCTION}{table}\n{_TARGETS}\n{sample}\n"


def sample_file() -> str:
    """Return a TOML file with every setting, its help and its default, commented out."""
    return "\n".join(line for one in SETTINGS for line in _sample(one)).lstrip() + "\n"


def _sample(setting: Setting) -> Iterator[str]:
    yield ""
    yield from wrap(setting.help, width=96, initial_indent="# ", subsequent_indent="# ")
    if setting.name != "targets":
        yield f"# {setting.name} = {_toml(setting.default)}"
        return
    yield "# [[targets]]"
    for key, value in (("name", "pacs"), ("kind", "dicom"), ("address", "PACS@192.0.2.7:104")):
        yield f"# {key} = {_toml(value)}"


def _default(setting: Setting) -> str:
    return f"`{_toml(setting.default)}`" if setting.default not in ("", []) else ""


def _toml(value: Any) -> str:
    return json.dumps(value)  # which TOML reads, for what stands in the table


if __name__ == "__main__":
    sys.stdout.write(settings_page())
