"""`lungflag reference`: gives a model package what drift is measured against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def reference(
    package: Annotated[Path, typer.Argument(help="The package's folder; it is written anew.")],
    data: Annotated[
        Path, typer.Argument(help="A manifest (CSV), or a data set as `lungflag data` reads it.")
    ],
    split: Annotated[
        str, typer.Option(help="train, tune, test or all; not what the network was trained on.")
    ] = "tune",
    most: Annotated[int, typer.Option(min=100, max=2000, help="Films taken at most.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw of the films.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Films judged at a time.")] = 1,
) -> None:
    """Put a reference into a package, so that the quality page can show drift.

    One film of each patient is judged; logits, grey statistics and shortened embeddings are kept in
    `reference.npz`, a few dozen kilobytes, no picture among them. The package's digest changes, its
    answers do not.

    Example: lungflag reference packages/ours films.csv --split tune
    """
    from rich.progress import track

    from lungflag.cli._console import errors, say
    from lungflag.data.sources import open_data
    from lungflag.detector import Detector
    from lungflag.evaluation import choose_split
    from lungflag.evaluation.reference import make_reference

    detector = Detector.load(package, threads=1 if jobs > 1 else None)
    chosen, manifest = choose_split(open_data(data), split)
    bar = iter(
        track(
            range(len(manifest)),
            description="judging",
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )
    )
    sources = sorted({row.source for row in manifest} - {""})
    made = make_reference(
        detector,
        manifest,
        about=f"split {chosen} of {', '.join(sources) or data.name}",
        most=most,
        seed=seed,
        jobs=jobs,
        advance=lambda: next(bar, None),
    )
    source = detector.package
    content = made.to_bytes()
    source.write(
        package,
        graph=source.graph_bytes(),
        card=source.card(),
        gate=None if source.gate is None else source.gate_bytes(),
        reference=content,
    )
    say(f"{package}: a reference of {len(made)} films ({made.about}), {len(content)} bytes")
