"""`lungflag detect --engine`: an archive, into a table of shards that can be gone on with."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from lungflag.errors import LungflagError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lungflag.bulk.judge import Asked
    from lungflag.bulk.plan import Plan
    from lungflag.bulk.table import BulkTable, Counts

    Shards = Iterable[tuple[int, Any]]

_EVERY = 30.0  # seconds between two lines where there is no terminal


def detect_bulk(
    words: list[str],
    *,
    engine: str,
    table: Path | None,
    resume: bool,
    batch: int,
    address: str | None,
    model: str,
    operating_point: str | None,
    age_group: str,
    jobs: int | None,
    quiet: bool,
) -> bool:
    """Judge every input into the table; return whether all of them could be judged."""
    from lungflag._extras import require
    from lungflag.bulk.table import opened
    from lungflag.cli._console import errors, say

    if table is None:
        raise LungflagError("--engine and --resume need --table FOLDER")
    require("pyarrow.parquet", feature="a table of shards", extra="bulk")
    plan, asked = _plan(words, model, operating_point, age_group, batch)
    started = perf_counter()
    with ExitStack() as stack:
        shards = _engine(stack, engine, address, jobs)
        held = stack.enter_context(opened(table, plan, _lister(words, table), resume=resume))
        missing = held.missing()
        before = len(held.inputs) - sum(map(held.inputs.size, missing))
        if before and not quiet:
            errors.print(f"{before} of {len(held.inputs)} inputs are done", highlight=False)
        judged = before
        try:
            with _progress(len(held.inputs), before, hidden=quiet) as show:
                for shard, rows in shards(held, missing, asked(held.folder)):
                    held.write(shard, rows)
                    judged += rows.num_rows
                    show(judged)
        except BaseException:
            errors.print(
                f"stopped: {judged} of {len(held.inputs)} inputs are in {table}; the same command "
                "with --resume goes on",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
            raise
        counts = held.count()
    rate = (judged - before) / max(perf_counter() - started, 1e-9)
    say(_summary(counts, table, rate if judged > before else None))
    return not counts.rejected


def _plan(
    words: list[str], model: str, operating_point: str | None, age_group: str, batch: int
) -> tuple[Plan, Callable[[str], Asked]]:
    from lungflag.bulk.judge import Asked
    from lungflag.bulk.plan import Plan
    from lungflag.bulk.storage import is_url
    from lungflag.package import ModelPackage, find_package

    folder = find_package(model)
    package = ModelPackage.read(folder)
    point = package.operating_point(operating_point).name
    # Other machines have shipped packages at places of their own, and others at the same place.
    where = str(folder.resolve()) if Path(model).is_dir() else model

    def asked(base: str) -> Asked:
        return Asked(where, package.digest, point, age_group, base)

    whole = tuple(word if is_url(word) else os.path.abspath(word) for word in words)  # noqa: PTH100
    plan = Plan(
        inputs=whole,
        folder=str(Path.cwd()),
        model=package.name,
        version=package.version,
        digest=package.digest,
        operating_point=point,
        age_group=age_group,
        batch=batch,
    )
    return plan, asked


def _lister(words: list[str], table: Path) -> Callable[[], Iterable[str]]:
    def listed() -> Iterator[str]:
        from lungflag.bulk.listing import list_inputs

        return list_inputs(words, without=table)

    return listed


def _engine(
    stack: ExitStack, engine: str, address: str | None, jobs: int | None
) -> Callable[[BulkTable, list[int], Asked], Shards]:
    """Return what makes shards, once the cluster that it may need is there."""
    if engine == "ray":
        from lungflag.bulk.cluster import cluster, judge_on_ray

        stack.enter_context(cluster(address, jobs=jobs))
        return lambda table, missing, asked: judge_on_ray(table, missing, asked, jobs=jobs)
    if address:
        raise LungflagError("--ray-address goes with --engine ray")
    from lungflag.bulk.local import judge_here
    from lungflag.detector import usable_cpus

    threads = jobs or usable_cpus()
    return lambda table, missing, asked: judge_here(table, missing, asked, jobs=threads)


@contextmanager
def _progress(total: int, before: int, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    """Give a function that shows how many are judged, at what rate, and how long it takes yet."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from lungflag.cli._console import errors

    started = last = perf_counter()
    bar = Progress(
        TextColumn("judging"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        console=errors,
        transient=True,
        disable=hidden or not errors.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=total, completed=before, speed="")

        def show(judged: int) -> None:
            nonlocal last
            now = perf_counter()
            speed = _speed(judged - before, total - judged, now - started)
            bar.update(task, completed=judged, speed=speed)
            if not hidden and not errors.is_terminal and now - last >= _EVERY:
                last = now
                errors.print(f"{judged} of {total} inputs, {speed}", highlight=False)

        yield show


def _speed(judged: int, left: int, seconds: float) -> str:
    rate = judged / max(seconds, 1e-9)
    minutes, rest = divmod(round(left / max(rate, 1e-9)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{rate:.1f} images/s, {hours}:{minutes:02}:{rest:02} left"


def _summary(counts: Counts, table: Path, rate: float | None) -> str:
    line = (
        f"{counts.total} inputs in {table}: {counts.flagged[True]} flagged, "
        f"{counts.flagged[False]} not flagged, {counts.rejected} rejected"
    )
    if counts.codes:
        line += f" ({'; '.join(f'{code}: {n}' for code, n in counts.codes.most_common())})"
    if counts.marked:
        line += f"; {counts.marked} marked"
    return line if rate is None else f"{line}; {rate:.1f} images/s"
