"""`lungflag deliveries`: what could not be delivered, and the process that delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lungflag.cli._settings import with_settings

if TYPE_CHECKING:
    from lungflag.service.ledger import Delivery
    from lungflag.service.settings import Settings

app = typer.Typer(
    help="See what could not be delivered, send it again, or run the sender on its own.",
    no_args_is_help=True,
)

TargetName = Annotated[
    str | None, typer.Option("--target", metavar="NAME", help="Only of this target.")
]


@app.command("list")
@with_settings("folder", "database")
def list_(
    settings: Settings,
    target: TargetName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List the results that were given up, and why.

    Example: lungflag deliveries list --config lungflag.toml

    Exit code 1 where there are any.
    """
    from lungflag.cli._console import errors, output, say
    from lungflag.service.ledger import Ledger

    with Ledger.open(settings.database_url) as ledger:
        letters = [one for one in ledger.dead() if target in (None, one.target)]
        queue = ledger.queue()
    if as_json or not output.is_terminal:
        for one in letters:
            output.file.write((_json(one) if as_json else _line(one)) + "\n")
    elif letters:
        _show(letters)
    due = queue.deliveries_waiting + queue.deliveries_leased
    summary = f"{len(letters)} given up, {due} due, {queue.deliveries_done} delivered"
    if as_json or not output.is_terminal:
        errors.print(summary, highlight=False)
    else:
        say(summary)
    if letters:
        raise typer.Exit(1)


@app.command("retry")
@with_settings("folder", "database")
def retry(settings: Settings, target: TargetName = None) -> None:
    """Make the results that were given up due again.

    Example: lungflag deliveries retry --target pacs
    """
    from lungflag.cli._console import say
    from lungflag.service.ledger import Ledger

    with Ledger.open(settings.database_url) as ledger:
        n = ledger.retry_dead(target)
    say(f"{n} due again")


@app.command("send")
@with_settings("folder", "database", "ae_title", "lease_seconds", "log_level")
def send(settings: Settings) -> None:
    """Deliver results to the targets of the settings, until stopped: a part of the service alone.

    Example: lungflag deliveries send --config lungflag.toml
    """
    from lungflag.cli._console import say
    from lungflag.service.deliver.sender import send as deliver
    from lungflag.service.ledger import Ledger
    from lungflag.service.logs import start_logging
    from lungflag.service.process import stop_on_signals

    start_logging(settings.log_level)
    stop = stop_on_signals()
    say(f"delivering to {', '.join(one.name for one in settings.targets)}; Ctrl-C ends it")
    with Ledger.open(settings.database_url) as ledger:
        deliver(settings, ledger, stop)


def _facts(one: Delivery) -> dict[str, str]:
    return {
        "target": one.target,
        "kind": one.kind,
        "study": one.study_instance_uid,
        "instance": one.sop_instance_uid,
        "attempts": str(one.attempts),
        "error": one.error,
    }


def _line(one: Delivery) -> str:
    return "\t".join(_facts(one).values())


def _json(one: Delivery) -> str:
    import json

    return json.dumps(_facts(one))


def _show(letters: list[Delivery]) -> None:
    from lungflag.cli._console import narrow_table, output

    table = narrow_table("given up")
    for column in ("target", "kind", "study", "attempts", "error"):
        table.add_column(column, overflow="fold")
    for one in letters:
        facts = _facts(one)
        table.add_row(*(facts[str(column.header)] for column in table.columns))
    output.print(table)
