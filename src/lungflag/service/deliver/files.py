"""A folder as a target: ``STUDY/INSTANCE-PACKAGE-VERSION-report.dcm`` and its like."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lungflag._disk import flush
from lungflag.service.deliver.answer import DELIVERED, Answer, State
from lungflag.service.results import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lungflag.service.ledger import Delivery
    from lungflag.service.settings import Settings, Target


class Files:
    """Writes results into a folder for each study. A file there is always whole."""

    def __init__(self, target: Target, _settings: Settings) -> None:
        self._folder = Path(target.address)

    def deliver(self, delivery: Delivery, path: Path) -> Answer:
        """Bring one result there, durably; the same one again replaces itself."""
        place = self._folder / delivery.study_instance_uid / file_name(delivery)
        try:
            path.stat()
        except OSError as error:
            return Answer(State.FAILED, f"its file cannot be read ({error.strerror})")
        try:
            _bring(path, place)
        except OSError as error:
            return Answer(State.UNREACHABLE, f"{self._folder}: {error.strerror or error}")
        return DELIVERED

    def release(self) -> None:
        """Do nothing: no connection is held."""

    def check(self) -> str:
        """Return what is wrong with the folder, empty where it can be written."""
        try:
            place = self._folder / f".lungflag-{os.getpid()}"
            _write(place, b"")
            place.unlink()
        except OSError as error:
            return f"{self._folder} cannot be written: {error.strerror or error}"
        return ""


def file_name(delivery: Delivery) -> str:
    """Return the result's name in its study's folder; a later revision replaces no earlier one."""
    parts = [delivery.sop_instance_uid, delivery.package, delivery.version]
    if delivery.revision:
        parts.append(f"revision-{delivery.revision}")
    return "-".join((*parts, NAMES[delivery.kind]))


def _bring(path: Path, place: Path) -> None:
    """Put a result, which is on the disk already, where it belongs.

    On the same file system as a second name of the same file, since to write megabytes twice costs
    as much as to judge the film; elsewhere as a copy.
    """
    with _scratch(place) as scratch:
        try:
            scratch.hardlink_to(path)
        except OSError:  # another file system, or one without links
            shutil.copyfile(path, scratch)
            flush(scratch)


def _write(place: Path, content: bytes) -> None:
    with _scratch(place) as scratch:
        scratch.write_bytes(content)
        flush(scratch)


@contextmanager
def _scratch(place: Path) -> Iterator[Path]:
    """Give a name beside `place`; what is there at the end of the block replaces `place`."""
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = place.with_name(f".{place.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    try:
        yield scratch
        scratch.replace(place)
    finally:
        scratch.unlink(missing_ok=True)  # a link to what is there already stays behind
    flush(place.parent)
