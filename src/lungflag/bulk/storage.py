"""Where inputs lie: on this machine, or behind any URL that fsspec knows."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

from lungflag._extras import require
from lungflag._session import one_line
from lungflag.errors import BulkError, InputError, UnreadableError
from lungflag.radiograph.files import LARGEST_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Source = Path | bytes | InputError

_INSTALL = {
    "s3": "lungflag[s3]",
    "s3a": "lungflag[s3]",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
}
"""URL scheme to what has to be installed for it, where fsspec does not bring it."""

_REASONS = {
    FileNotFoundError: "no such object",
    PermissionError: "permission denied",
    IsADirectoryError: "is a directory, not a file",
}

_PAUSES = (1.0, 4.0)  # seconds before the second and the third try at storage that fails


def is_url(name: str) -> bool:
    """Tell URLs from paths of this machine."""
    return "://" in name


def open_storage(url: str) -> tuple[Any, str]:
    """Return the file system of `url`, which keeps no listings in memory, and the path in it.

    Raises
    ------
    MissingExtraError
        If fsspec is not installed.
    BulkError
        If there is no such kind of URL, or what it needs is not installed or refuses it.
    """
    fsspec = require("fsspec.core", feature="reading from a URL", extra="bulk")
    scheme = url.partition("://")[0]
    try:
        storage, path = fsspec.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        what = _INSTALL.get(scheme)
        how = f"pip install '{what}'" if what else str(error)
        raise BulkError(f"{url}: {scheme}:// needs another package: {how}") from error
    except Exception as error:  # each kind of storage has errors of its own
        raise BulkError(f"{url}: cannot be opened ({_said(error)})") from error
    return storage, path


def fetched(names: Iterable[str], folder: Path, *, ahead: int) -> Iterator[Source]:
    """Return what can be judged for every name, in order.

    Paths stand for themselves, from `folder` on. What lies behind URLs is fetched in `ahead`
    threads, so many objects ahead of the one that is judged. An object that is not there or may
    not be read is an `InputError`.

    Raises
    ------
    BulkError
        If storage cannot be reached: that says nothing of the input, so it makes no row.
    """
    with ThreadPoolExecutor(ahead, thread_name_prefix="lungflag-fetch") as pool:
        waiting = iter(names)

        def start(name: str) -> Any:
            return pool.submit(_fetch, name) if is_url(name) else folder / name

        pending = deque(start(name) for name in islice(waiting, ahead))
        try:
            while pending:
                first = pending.popleft()
                yield first if isinstance(first, Path) else first.result()
                pending.extend(start(name) for name in islice(waiting, 1))
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch(url: str) -> bytes | InputError:
    for pause in (*_PAUSES, None):
        try:
            storage, path = open_storage(url)
            if (storage.size(path) or 0) > LARGEST_FILE:  # a web server may not tell
                return UnreadableError(url, "is absurdly large")
            content: bytes = storage.cat_file(path)
        except BulkError:
            raise
        except Exception as error:  # each kind of storage has errors of its own
            if reason := _about_the_object(error):
                return UnreadableError(url, reason)
            if pause is None:
                raise BulkError(f"{url}: cannot be fetched ({_said(error)})") from error
            sleep(pause)
        else:
            return content
    raise AssertionError  # the last try returns or raises


def _about_the_object(error: Exception) -> str:
    """Return what is wrong with the object, or nothing where storage itself failed."""
    # fsspec says of a web server that is away that the file is not found.
    if isinstance(error.__cause__, OSError):
        return ""
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return ""


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)}"
