"""`lungflag station`: the worklist, the viewer and the web API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.cli._settings import with_settings

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.service.settings import Settings


@with_settings(
    *("folder", "database", "model", "operating_point", "station_host", "station_port"),
    *("station_sign_in", "station_proxy", "tls_certificate", "tls_key", "tls_ca"),
    *("upload_mib", "requests_a_minute", "keep_free_mib", "log_level"),
)
def station(settings: Settings) -> None:
    """Serve the reading station until stopped: worklist, viewer and web API.

    Example: lungflag station --config lungflag.toml

    A part of the service on its own; `lungflag serve` has it too.
    """
    from lungflag.cli._console import output, say
    from lungflag.service.logs import start_logging
    from lungflag.service.process import stop_on_signals
    from lungflag.station.server import run_station

    def ready(address: str, file: Path | None) -> None:
        for line in station_lines(address, file):
            say(line)
        say("ready; Ctrl-C ends it")
        output.file.flush()

    start_logging(settings.log_level)
    run_station(settings, stop_on_signals(), ready)


def station_lines(address: str, file: Path | None) -> list[str]:
    """Return what to tell of the station, and of the first admin's password.

    On a terminal the password is told once, and its file deleted; a log must not hold it.
    """
    from lungflag.cli._console import output

    lines = [f"the reading station is at {address}"]
    if file is None or not file.is_file():
        return lines
    if output.is_terminal:
        password = file.read_text(encoding="ascii").strip()
        file.unlink()
        lines.append(f"sign in as admin with the password {password}, told only this once")
    else:
        lines.append(f"sign in as admin with the password in {file}; then delete that file")
    return lines
