"""An audit as files: a page for people, JSON for programs, pictures for both."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from html import escape
from importlib.metadata import version
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from lungflag._extras import require
from lungflag.data.audit import pictures
from lungflag.data.audit.concerns import concerns, named, plain, verdict
from lungflag.data.audit.document import document
from lungflag.data.audit.measure import FEATURES
from lungflag.data.audit.probes import COMBINED
from lungflag.errors import LungflagError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lungflag.data.audit.concerns import Concern
    from lungflag.data.audit.duplicates import DuplicateGroup
    from lungflag.data.audit.probes import Probe
    from lungflag.data.audit.result import Audit
    from lungflag.data.manifest import Row

_GROUPS_SHOWN = 6


def prepare_report(folder: Path) -> None:
    """Create the report's folder, so that a long audit does not fail at its end.

    Raises
    ------
    MissingExtraError
        Without matplotlib (extra ``evidence``).
    LungflagError
        If the folder cannot be created.
    """
    require("matplotlib", feature="the audit report", extra="evidence")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LungflagError(f"{folder}: cannot hold the report ({error.strerror})") from error


def write_report(audit: Audit, folder: Path, *, title: str) -> None:
    """Write ``audit.html``, ``audit.json`` and the pictures into `folder`, creating it.

    The page holds its pictures in itself. ``duplicates.png`` is written only where there is
    something to show.

    Raises
    ------
    MissingExtraError
        Without matplotlib (extra ``evidence``).
    LungflagError
        If the folder cannot be written.
    """
    prepare_report(folder)
    samples, groups = pictures.samples(audit), _shown_groups(audit)
    classes = pictures.class_chart(audit)
    contents = {
        "audit.json": json.dumps(document(audit), indent=2, allow_nan=False).encode("ascii"),
        "audit.html": _page(audit, title, samples, groups, classes).encode("utf-8"),
        "classes.png": classes,
        "samples.png": pictures.sample_grid(samples) if samples else None,
        "duplicates.png": pictures.duplicate_pictures(groups) if groups else None,
    }
    try:
        for name, content in contents.items():
            if content is None:
                (folder / name).unlink(missing_ok=True)  # of an earlier audit
            else:
                (folder / name).write_bytes(content)
    except OSError as error:
        raise LungflagError(f"{folder}: cannot write the report ({error.strerror})") from error


def _shown_groups(audit: Audit) -> list[DuplicateGroup]:
    """Choose the groups worth a look: those that leak, then those that differ in bytes."""
    groups = [*audit.exact, *audit.near]
    leaking = [group for group in groups if group.crosses_splits]
    parted = [one for one in groups if one.crosses_patients and not one.crosses_splits]
    others = [one for one in audit.near if not (one.crosses_splits or one.crosses_patients)]
    return [*leaking, *parted, *others][:_GROUPS_SHOWN]


def _page(
    audit: Audit,
    title: str,
    samples: dict[str, list[Row]],
    groups: Sequence[DuplicateGroup],
    classes: bytes,
) -> str:
    found = concerns(audit)
    template = Template(
        files("lungflag.data.audit").joinpath("report.html").read_text(encoding="utf-8")
    )
    return template.substitute(
        title=escape(plain(title)),
        counts=f"{len(audit.manifest):,} images · {audit.patients:,} patients · "
        f"{len(audit.unreadable):,} unreadable",
        tone=_tone(audit, found),
        verdict=escape(verdict(audit)),
        summary=escape(_summary(found)),
        concerns="\n".join(map(_concern, found)) or "<p>Nothing to report.</p>",
        duplicates=_duplicates(audit, groups),
        samples="\n".join(_samples(audit, kind, rows) for kind, rows in samples.items()),
        classes=_uri(classes, "png"),
        balance=_balance(audit),
        sizes=_sizes(audit),
        probes=_probes(audit),
        version=escape(version("lungflag")),
    )


def _tone(audit: Audit, found: Sequence[Concern]) -> str:
    """Return the verdict's style: good only where there was something to compare."""
    if any(concern.needs_person for concern in found):
        return found[0].level
    return "good" if len({row.split for row in audit.manifest} - {""}) > 1 else ""


def _summary(found: Sequence[Concern]) -> str:
    """Count the findings of each level, in a line."""
    counts = Counter(concern.level for concern in found)
    told = [f"{n} {level}{'s' * (n > 1)}" for level, n in counts.items()]
    return " · ".join(told) or "no findings"


def _concern(concern: Concern) -> str:
    items = "".join(f"<li>{escape(item)}</li>" for item in concern.items)
    few = " open" if len(concern.items) <= 8 else ""
    cases = f"{len(concern.items):,} case{'s' * (len(concern.items) != 1)}"
    listed = f"<details{few}><summary>{cases}</summary><ul>{items}</ul></details>" if items else ""
    return (
        f'<section class="concern {concern.level}"><h3><span>{concern.level}</span>'
        f"{escape(concern.title)}</h3><p>{escape(concern.remedy)}</p>{listed}</section>"
    )


def _duplicates(audit: Audit, groups: Sequence[DuplicateGroup]) -> str:
    if not groups:
        return ""
    cards = []
    for group in groups:
        figures = "".join(_figure(audit, row, by_file=True) for row in group.rows[:4])
        more = f" · {len(group.rows) - 4:,} more files" if len(group.rows) > 4 else ""
        cards.append(f'<div class="pair"><h3>{group.kinship}{more}</h3><div>{figures}</div></div>')
    return f'<h2>The same picture twice</h2><div class="pairs">{"".join(cards)}</div>'


def _samples(audit: Audit, kind: str, rows: Iterable[Row]) -> str:
    figures = "".join(_figure(audit, row, by_file=False) for row in rows)
    return f'<h3>{escape(kind)}</h3><div class="grid">{figures}</div>'


def _figure(audit: Audit, row: Row, *, by_file: bool) -> str:
    buffer = io.BytesIO()
    pictures.picture(row).save(buffer, "JPEG", quality=85)
    name = named(audit, row)
    words = (row.label, row.patient, row.split) if by_file else (row.patient, row.split)
    caption = escape(" · ".join(plain(word) for word in words if word))
    shown = f"{escape(name)}<br>{caption}" if by_file else caption
    return (
        f'<figure><img src="{_uri(buffer.getvalue(), "jpeg")}" alt="{escape(name)}" '
        f'title="{escape(name)}"><figcaption>{shown}</figcaption></figure>'
    )


def _balance(audit: Audit) -> str:
    return _table(
        ("Split", "Source", "Label", "Subtype", "Images", "Patients"),
        (
            (
                *(plain(one.split) or "-", plain(one.source) or "-", one.label),
                *(plain(one.subtype) or "-", f"{one.images:,}", f"{one.patients:,}"),
            )
            for one in audit.balance
        ),
        numbers=2,
    )


def _sizes(audit: Audit) -> str:
    return _table(
        ("Label", "Height: min, median, max", "Width: min, median, max", "Different", "Images"),
        (
            (
                one.label,
                " · ".join(f"{side:,}" for side in one.height),
                " · ".join(f"{side:,}" for side in one.width),
                *(f"{one.distinct:,}", f"{one.images:,}"),
            )
            for one in audit.sizes
        ),
        numbers=2,
    )


def _table(head: Sequence[str], lines: Iterable[Sequence[str]], *, numbers: int) -> str:
    """Return a table whose last `numbers` columns stand at the right."""
    style = [""] * (len(head) - numbers) + [' class="n"'] * numbers
    top = "".join(f"<th{s}>{escape(text)}</th>" for s, text in zip(style, head, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{s}>{escape(text)}</td>" for s, text in zip(style, line, strict=True))
        + "</tr>"
        for line in lines
    )
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _probes(audit: Audit) -> str:
    if not audit.probes:
        return "<p>Not computed: the readable images have one label only.</p>"
    described = {feature.name: (feature.title, feature.meaning) for feature in FEATURES}
    described[COMBINED] = (
        "all together",
        "logistic regression on all of them, cross-validated by patient",
    )
    ordered = sorted(audit.probes, key=lambda probe: -probe.auc)
    lines = "".join(
        _probe(probe, *described[probe.feature])
        for probe in (*filter(None, [audit.combined]), *ordered)
    )
    plots = "".join(
        f'<figure><img src="{_uri(pictures.histogram(audit.measured, column), "png")}" '
        f'alt="Distribution of {escape(feature.title)}"></figure>'
        for column, feature in enumerate(FEATURES)
    )
    key = (
        '<p class="soft">Larger in <span class="key normal"></span>normal '
        '<span class="key pneumonia"></span>pneumonia. The bar runs from 0.5 to 1; the band is '
        "the 95% interval.</p>"
    )
    return (
        f'{key}<div class="wide"><table><thead><tr><th>Property</th><th>AUC</th>'
        f"<th>95% interval</th><th></th></tr></thead><tbody>{lines}</tbody></table></div>"
        f'<h3>Distributions</h3><div class="plots">{plots}</div>'
    )


def _probe(probe: Probe, title: str, meaning: str) -> str:
    color = probe.higher_in or "both"
    interval, band = "-", ""
    if probe.interval:
        low, high = probe.interval
        interval = f"{low:.3f} to {high:.3f}"
        left, right = _percent(low), _percent(high)
        band = f'<i class="{color}" style="left:{left:.1f}%;width:{right - left:.1f}%"></i>'
    dot = f'<b class="{color}" style="left:{_percent(probe.auc):.1f}%"></b>'
    return (
        f'<tr><td title="{escape(meaning)}">{escape(title)}</td><td>{probe.auc:.3f}</td>'
        f'<td>{interval}</td><td><div class="bar">{band}{dot}</div></td></tr>'
    )


def _percent(auc: float) -> float:
    """Return where an AUC stands on a bar from 0.5 to 1."""
    return 200 * (max(auc, 0.5) - 0.5)


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
