"""`lungflag data audit`: what in a data set would make a model's figures untrue."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungflag.cli._console import errors, output, say

if TYPE_CHECKING:
    from lungflag.data.audit import Audit
    from lungflag.data.audit.concerns import Concern
    from lungflag.data.manifest import Manifest

_COLORS = {"leak": "bold red", "error": "red", "warning": "yellow", "note": "dim"}
_SHOWN = 5  # cases of a warning or note; a leak or an error lists them all


def audit(
    data: Annotated[
        Path, typer.Argument(help="A manifest file, or a folder or archive of a known source.")
    ],
    source: Annotated[
        str | None, typer.Option(help="The kind of data set, where it cannot be told.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write audit.html, audit.json and pictures here (extra 'evidence')."),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Threads that read images.", show_default="all cores")
    ] = os.cpu_count() or 1,
) -> None:
    """Look for leaks, duplicates, unreadable files and shortcuts in a data set.

    Exit code 1 means that a patient or a picture stands in two splits, a file cannot be read, or
    one file carries both labels. Warnings and notes alone leave it at 0.

    Example: lungflag data audit chest_xray --report audit
    """
    from lungflag.data.audit import prepare_report, write_report
    from lungflag.data.audit.concerns import concerns, verdict
    from lungflag.data.sources import open_data

    manifest = open_data(data, source)
    if report is not None:
        prepare_report(report)
    found = _audited(manifest, jobs)
    if report is not None:
        write_report(found, report, title=data.resolve().name)

    judged = concerns(found)
    _print_counts(found)
    _print_probes(found)
    for concern in judged:
        _print_concern(concern)
    say(f"\n{verdict(found)}")
    if report is not None:
        say(f"Report: {report / 'audit.html'}")
    if any(concern.needs_person for concern in judged):
        raise typer.Exit(1)


def _audited(manifest: Manifest, jobs: int) -> Audit:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from lungflag.data.audit import audit_manifest

    columns = ("reading images", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("", total=len(manifest))
        return audit_manifest(manifest, jobs=jobs, advance=lambda: progress.advance(task))


def _print_counts(found: Audit) -> None:
    from rich.table import Table
    from rich.text import Text

    from lungflag.data.audit.concerns import plain

    say(
        f"{len(found.manifest):,} images, {found.patients:,} patients, "
        f"{len(found.unreadable):,} unreadable"
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("split", "source", "label", "subtype"):
        table.add_column(name, overflow="fold")
    table.add_column("images", justify="right")
    table.add_column("patients", justify="right")
    for one in found.balance:
        words = (one.split, one.source, one.label, one.subtype)
        counts = (f"{one.images:,}", f"{one.patients:,}")
        table.add_row(*(Text(plain(word) or "-") for word in words), *counts)
    output.print(table)
    for size in found.sizes:
        height, width = (f"{low:,} to {high:,}" for low, _, high in (size.height, size.width))
        say(f"{size.label}: height {height}, width {width} pixels; {size.distinct:,} different")


def _print_probes(found: Audit) -> None:
    from rich.table import Table

    from lungflag.data.audit import FEATURES

    if not found.probes:
        return
    titles = {feature.name: feature.title for feature in FEATURES}
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("shortcut probe", "AUC", "95% interval", "larger in"):
        table.add_column(name)
    ordered = sorted(found.probes, key=lambda probe: -probe.auc)
    for probe in (*filter(None, [found.combined]), *ordered):
        low_high = f"{probe.interval[0]:.3f} to {probe.interval[1]:.3f}" if probe.interval else "-"
        title = titles.get(probe.feature, "all together")
        table.add_row(title, f"{probe.auc:.3f}", low_high, probe.higher_in or "-")
    say("")
    output.print(table)
    if found.combined is None:
        say("all together: not computed; it needs the extra 'evidence' and two patients a label")


def _print_concern(concern: Concern) -> None:
    from rich.text import Text

    color = _COLORS[concern.level]
    line = Text.assemble("\n", (concern.level.upper(), color), f"  {concern.title}")
    output.print(line, soft_wrap=True)
    say(f"  {concern.remedy}")
    shown = concern.items if concern.needs_person else concern.items[:_SHOWN]
    for item in shown:
        say(f"  - {item}")
    if len(shown) < len(concern.items):
        say(f"  - and {len(concern.items) - len(shown):,} more; --report lists all")
