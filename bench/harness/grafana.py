"""Dashboards as Grafana reads them: their queries, with variables and macros expanded as in Grafana.

Macros as in Grafana's `pkg/tsdb/grafana-postgresql-datasource/macros.go` and `pkg/promlib/models/query.go`;
one that isn't known there is an error there, and here.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_FOLDER = Path(__file__).parent.parent.parent / "deploy" / "grafana" / "dashboards"
INTERVAL_S = 5
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
_MACRO = re.compile(r"\$__(\w+)(?:\(([^()]*)\))?")


@dataclass(frozen=True, slots=True)
class Question:
    """One expression of a dashboard."""

    file: str
    place: str
    """Title of its panel, or its variable."""
    panel: Json
    target: Json

    @property
    def is_promql(self) -> bool:
        return bool(self.target["datasource"]["type"] == "prometheus")

    @property
    def text(self) -> str:
        return str(self.target["expr"] if self.is_promql else self.target["rawSql"])

    def __str__(self) -> str:
        return f"{self.file} / {self.place} / {self.target['refId']}"


@dataclass(frozen=True, slots=True)
class Range:
    """A dashboard's range of time, in seconds since the epoch."""

    start: float
    end: float
    interval_s: int = INTERVAL_S
    """Length of a span of `$__interval`."""

    def promql(self, text: str, variables: Mapping[str, str]) -> str:
        known = {
            "rate_interval": "30s",
            "interval": f"{self.interval_s}s",
            "range": f"{int(self.end - self.start)}s",
        }
        text = re.sub(r"\$__(\w+)", lambda found: known[found[1]], text)
        return _VARIABLE.sub(lambda found: variables[found[1] or found[3]], text)

    def sql(self, text: str, variables: Mapping[str, list[str]]) -> str:
        def chosen(found: re.Match[str]) -> str:
            assert found[2] == "sqlstring", f"{found[0]} would come without quotes"
            return ",".join("'" + value.replace("'", "''") + "'" for value in variables[found[1]])

        text = _MACRO.sub(lambda found: self._macro(found[1], found[2] or ""), text)
        return _VARIABLE.sub(chosen, text)

    def _macro(self, name: str, arguments: str) -> str:
        column, *_ = (part.strip() for part in arguments.split(","))
        first, last = int(self.start), int(self.end)
        since, until = (
            datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (first, last)
        )
        grouped = f"floor(({column})/{self.interval_s})*{self.interval_s}"
        known: dict[str, Callable[[], str]] = {
            "timeFilter": lambda: f"{column} BETWEEN '{since}' AND '{until}'",
            "unixEpochFilter": lambda: f"{column} >= {first} AND {column} <= {last}",
            "unixEpochFrom": lambda: str(first),
            "unixEpochTo": lambda: str(last),
            "unixEpochGroupAlias": lambda: f'{grouped} AS "time"',
            "interval": lambda: f"{self.interval_s}s",
        }
        return known[name]()


def dashboards() -> dict[str, Json]:
    """Dashboards in the repository, by file."""
    return {path.name: json.loads(path.read_text()) for path in sorted(_FOLDER.glob("*.json"))}


def panels(dashboard: Json) -> Iterator[Json]:
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def questions() -> list[Question]:
    """Expressions of all panels and variables."""
    found = []
    for file, dashboard in dashboards().items():
        for panel in panels(dashboard):
            found += [Question(file, panel["title"], panel, target) for target in panel["targets"]]
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                sql = variable["datasource"]["type"] != "prometheus"
                text = {"rawSql": variable["query"]} if sql else {"expr": variable["query"]["query"]}
                target = {
                    "datasource": variable["datasource"],
                    "refId": "variable",
                    "format": "table",
                    **text,
                }
                found.append(Question(file, f"${variable['name']}", {"type": "variable"}, target))
    return found


def mentioned(panel: Json, prefix: str) -> set[str]:
    """Names that a panel refers to as `${prefix.NAME}`."""
    return set(re.findall(re.escape("${" + prefix + ".") + r"(\w+)\}", json.dumps(panel)))
