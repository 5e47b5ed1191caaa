"""Rows of Flower's tasks page."""

from typing import Any
from urllib.parse import quote

from tests.console import Console


def listed(
    console: Console, search: str, prefix: str = "", *, by: str = "stage", descending: bool = False
) -> list[dict[str, Any]]:
    """Rows of the tasks page for a search, sorted by a column."""
    order = f"order[0][column]=0&order[0][dir]={'desc' if descending else 'asc'}&columns[0][data]={by}"
    query = f"draw=1&start=0&length=100&search[value]={quote(search)}&{order}"
    found: list[dict[str, Any]] = console.ask(f"{prefix}/tasks/datatable?{query}").json["data"]
    return found


STAGES = ["text", "semantic", "speaker", "diffusion", "verify", "stitch"]
