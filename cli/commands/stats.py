"""`stats`: named queries on the history, as a table, JSON or CSV."""

import csv as csv_format
import re
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli import context
from cli.errors import Exit, JsonOption, fail, out, print_json, reporting_errors


def stats(
    name: Annotated[str | None, typer.Argument(help="Query; without it all queries are listed.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="Parameter of the query, `days=7`."),
    ] = None,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
) -> None:
    """Query the history: what tasks cost, where time went, what failed.

    The queries are SQL files in `db/queries/` that run unchanged in psql and sqlite3.
    """
    from db.queries import catalog

    if name is None:
        _list(json)
        return
    with reporting_errors():
        try:
            if sql:
                print(catalog.source(name))
                return
            answer = _ask(name, dict(_split(text) for text in parameter or []))
        except catalog.QueryError as error:
            fail(str(error), Exit.USAGE)
            return
        if json:
            print_json(answer.records())
        elif csv:
            _print_csv(answer.columns, answer.rows)
        else:
            _show(catalog.about(name), answer.columns, answer.rows)


def _list(json: bool) -> None:
    from db.queries import catalog

    if json:
        print_json(
            [
                {"name": name, "about": catalog.about(name), "parameters": catalog.parameters(name)}
                for name in catalog.names()
            ]
        )
        return
    table = Table("query", "question", "parameters", show_lines=True)
    for name in catalog.names():
        given = "\n".join(f"{key}={value}" for key, value in catalog.parameters(name).items())
        table.add_row(name, catalog.about(name).replace("\n", " ").partition("?")[0] + "?", given)
    out.print(table)


def _ask(name: str, given: dict[str, str]) -> Any:
    from db.queries import catalog

    engine = context.history(context.settings())
    try:
        return catalog.run(engine, name, **given)
    finally:
        engine.dispose()


def _split(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        fail(f"--param must be NAME=VALUE, not {text!r}", Exit.USAGE)
    return name, value


def _print_csv(columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    writer = csv_format.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def _show(about: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Print a table; a few rows are transposed if the table is wider than the terminal."""
    out.print(" ".join(line for line in about.splitlines() if not line.startswith(":")), highlight=False)
    if not rows:
        out.print("Nothing recorded yet.")
        return
    words = [[shown(column, value) for column, value in zip(columns, row, strict=True)] for row in rows]
    names = [column.replace("_", " ") for column in columns]
    table = _table(names, words)
    wanted = Console(width=10_000).measure(table).maximum
    if wanted <= out.width:
        out.print(table)
    elif len(rows) <= 8:
        across = [[name, *(row[place] for row in words)] for place, name in enumerate(names)]
        out.print(_table([names[0], *(row[0] for row in words)], across[1:]))
    else:
        Console(width=wanted).print(table)


def _table(names: list[str], rows: list[list[str]]) -> Table:
    table = Table()
    for place, name in enumerate(names):
        numbers = all(re.fullmatch(r"-|[-+\d.e]+( MiB)?", row[place]) for row in rows)
        table.add_column(name, justify="right" if numbers and rows else "left")
    for row in rows:
        table.add_row(*row)
    return table


def shown(column: str, value: Any) -> str:
    """Format a value for the terminal.

    >>> shown("rss_peak_bytes", 314572800), shown("run_s", 0.123456), shown("audio_s", 5400.0)
    ('300.0 MiB', '0.123', '5400')
    >>> shown("hour_epoch", 1800000000), shown("wh_per_audio_h", None)
    ('2027-01-15 08:00', '-')
    """
    if value is None:
        return "-"
    if column == "task_name":
        return str(value).removeprefix("voxchord.")
    if column.endswith("_epoch"):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M")
    if column.endswith("_bytes") or column == "bytes_per_attempt":
        return f"{value / 2**20:.1f} MiB"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
