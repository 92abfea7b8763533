"""The `lungflag` command: one thin module a command group, imports inside the command."""

from __future__ import annotations

import sys

import typer

from lungflag.cli import (
    accounts,
    card,
    check,
    compare,
    data,
    deliveries,
    demo,
    detect,
    ensemble,
    evaluate,
    feedback,
    heatmaps,
    models,
    node,
    recalibrate,
    reference,
    serve,
    station,
    train,
    worker,
)
from lungflag.cli._console import fail, say
from lungflag.errors import LungflagError

EPILOG = (
    "Exit codes: 0 done · 1 done, and something needs a person (a rejected input, a leak) · "
    "2 the command could not be carried out · 130 interrupted"
)

app = typer.Typer(
    name="lungflag",
    help="Flag suspected pneumonia in chest radiographs. Not for diagnosis without a physician.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("detect")(detect.detect)
app.command("models")(models.models)
app.command("card")(card.card)
app.command("check")(check.check)
app.command("compare")(compare.compare)
app.command("demo")(demo.demo)
app.command("ensemble")(ensemble.ensemble)
app.command("evaluate")(evaluate.evaluate)
app.command("heatmaps")(heatmaps.heatmaps)
app.command("recalibrate")(recalibrate.recalibrate)
app.command("reference")(reference.reference)
app.command("serve")(serve.serve)
app.command("node")(node.node)
app.command("station")(station.station)
app.command("train")(train.train)
app.command("worker")(worker.run_worker)
app.add_typer(accounts.app, name="accounts")
app.add_typer(data.app, name="data")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(feedback.app, name="feedback")


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        say(f"lungflag {version('lungflag')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    del version


def main() -> None:
    """Run the command line; every known error becomes one line and exit code 2."""
    try:
        app()
    except LungflagError as error:
        fail(str(error))
        sys.exit(2)
