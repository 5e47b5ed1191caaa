"""Builders of dashboards, panels, queries and variables, in the JSON model of Grafana 12.

A query carries its data source, so that tests can execute it outside Grafana.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from db.queries import catalog
from db.sql_text import PARAMETER, code

Json = dict[str, Any]

PROMETHEUS = {"type": "prometheus", "uid": "voxchord-prometheus"}
HISTORY = {"type": "grafana-postgresql-datasource", "uid": "voxchord-history"}

COLUMNS = 24
_SINCE = re.compile(
    r"(\w*started_epoch) >= \(SELECT MAX\(started_epoch\) FROM task_run\) - /\*:days\*/ \d+ \* 86400"
)
_SINCE_HOUR = re.compile(
    r"hour_epoch >= \(SELECT MAX\(started_epoch\) FROM task_run\) / 3600 \* 3600 - /\*:days\*/ \d+ \* 86400"
)
_AGGREGATED = re.compile(r"\bFROM (v_outcome|v_process|v_request)\b")
_BY_HOUR = re.compile(r"\bFROM (v_memory|v_take)\b")
_HOURS = "hour_epoch >= $__unixEpochFrom() / 3600 * 3600 AND hour_epoch <= $__unixEpochTo()"


def promql(expr: str, legend: str = "", *, now: bool = False, buckets: bool = False) -> Json:
    """Build a PromQL query.

    Args:
        legend: template of series names.
        now: return one value instead of a series.
        buckets: the series are histogram counts by `le`.
    """
    return {
        "datasource": PROMETHEUS,
        "expr": expr,
        "legendFormat": legend or "__auto",
        "instant": now,
        "range": not now,
        "format": "heatmap" if buckets else "time_series",
    }


def sql(text: str, *, over_time: bool = False) -> Json:
    """Build an SQL query on the history.

    Args:
        over_time: columns are `time`, text labels and numbers (a time series); otherwise a table.
    """
    return {
        "datasource": HISTORY,
        "rawQuery": True,
        "editorMode": "code",
        "format": "time_series" if over_time else "table",
        "rawSql": text.strip(),
    }


def question(name: str, *, over_time: str = "", **given: str) -> Json:
    """Build a query from `db/queries`, restricted to the dashboard's time range.

    A range need not start at a full hour, so panels read attempts where the query reads hourly aggregates. Of
    aggregates that are not sums over attempts they read the hours that the range touches.

    Args:
        over_time: columns of the time series, starting with the one named `time`.
        given: texts of parameters, such as a dashboard variable; others keep their defaults.
    """
    text = code(catalog.source(name, "postgresql"))
    text = _SINCE.sub(r"$__unixEpochFilter(\1)", text)
    text = _SINCE_HOUR.sub(_HOURS if _BY_HOUR.search(text) else "$__unixEpochFilter(started_epoch)", text)
    text = _AGGREGATED.sub(r"FROM \1_row", text)
    text = PARAMETER.sub(lambda found: given.get(found[1], found[2]), text)
    if over_time:
        text = f'SELECT {over_time}\nFROM (\n{text}\n) asked\nORDER BY "time"'
    return sql(text, over_time=bool(over_time))


def about(name: str) -> str:
    """Description of a query in `db/queries`, without its parameters."""
    lines = [line for line in catalog.about(name).splitlines() if not line.startswith(":")]
    return " ".join(lines)


def panel(
    kind: str,
    title: str,
    why: str,
    *targets: Json,
    unit: str = "none",
    width: int = 12,
    height: int = 8,
    steps: Sequence[tuple[float | None, str]] = (),
    custom: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    overrides: Sequence[Json] = (),
    transformations: Sequence[Json] = (),
) -> Json:
    """Build a panel without its position.

    Args:
        why: what it answers and how to read it; shown as the panel's description.
        steps: thresholds in ascending order; the first has no bound.
    """
    for place, target in enumerate(targets):
        target["refId"] = chr(ord("A") + place)
    field: Json = {"unit": unit, **(defaults or {})}
    if steps:
        field["thresholds"] = {
            "mode": "absolute",
            "steps": [{"color": color, "value": bound} for bound, color in steps],
        }
    if custom:
        field["custom"] = dict(custom)
    return {
        "type": kind,
        "title": title,
        "description": why,
        "datasource": targets[0]["datasource"],
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": field, "overrides": list(overrides)},
        "options": dict(options or {}),
        "targets": list(targets),
        "transformations": list(transformations),
    }


_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}


def curves(
    title: str,
    why: str,
    *targets: Json,
    unit: str,
    stacked: bool = False,
    line_at: float | None = None,
    most: float | None = None,
    stepped: bool = False,
    width: int = 12,
    named: str = "",
    overrides: Sequence[Json] = (),
) -> Json:
    """Build a time series panel.

    Args:
        named: display name of a series from SQL, such as `${__field.labels.queue}`.
        line_at: value of a dashed threshold line.
        most: upper end of the axis.
    """
    custom: Json = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if stepped else "linear",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off" if line_at is None else "dashed"},
    }
    return panel(
        "timeseries",
        title,
        why,
        *targets,
        unit=unit,
        width=width,
        custom=custom,
        steps=() if line_at is None else ((None, "transparent"), (line_at, "red")),
        options={"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
        defaults={"min": 0}
        | ({} if most is None else {"max": most})
        | ({"displayName": named} if named else {}),
        overrides=overrides,
    )


def figure(
    title: str,
    why: str,
    target: Json,
    *,
    unit: str,
    steps: Sequence[tuple[float | None, str]] = ((None, "text"),),
    width: int = 4,
    text: bool = False,
) -> Json:
    """Build a stat panel: one value or one text."""
    reduce = {"calcs": ["lastNotNull"], "fields": "/.*/" if text else "", "values": False}
    return panel(
        "stat",
        title,
        why,
        target,
        unit=unit,
        width=width,
        height=4,
        steps=steps,
        options={
            "reduceOptions": reduce,
            "colorMode": "value",
            "graphMode": "none" if text or target.get("instant") or "rawSql" in target else "area",
            "justifyMode": "auto",
            "textMode": "value",
        },
    )


def heat_map(
    title: str, why: str, *targets: Json, unit: str, rows_unit: str = "short", width: int = 12
) -> Json:
    """Build a heat map: one row per series or histogram bucket, the value as colour.

    Args:
        unit: unit of the colour.
        rows_unit: unit of the rows if they are buckets.
    """
    return panel(
        "heatmap",
        title,
        why,
        *targets,
        unit=unit,
        width=width,
        options={
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "reverse": False},
            "cellValues": {"unit": unit},
            "yAxis": {"unit": rows_unit, "axisPlacement": "left", "reverse": False},
            "rowsFrame": {"layout": "auto"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "tooltip": {"mode": "single", "yHistogram": False},
        },
    )


def table(
    title: str,
    why: str,
    target: Json,
    *,
    units: Mapping[str, str],
    links: Mapping[str, tuple[str, str]] | None = None,
    hidden: Sequence[str] = (),
    width: int = 24,
    height: int = 8,
) -> Json:
    """Build a table panel.

    Args:
        units: unit by column name, or by a pattern such as `.*_s`.
        links: title and URL by column name; the URL may use `${__data.fields.NAME}`.
        hidden: columns that only the links use.
    """
    overrides = [_override(column, unit=unit) for column, unit in units.items()]
    for column, (label, url) in (links or {}).items():
        overrides.append(_override(column, links=[{"title": label, "url": url}]))
    overrides += [_override(column, **{"custom.hidden": True}) for column in hidden]
    return panel(
        "table",
        title,
        why,
        target,
        width=width,
        height=height,
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True},
        options={"showHeader": True, "cellHeight": "sm"},
        overrides=overrides,
    )


def _override(column: str, **properties: Any) -> Json:
    pattern = ".*" in column
    return {
        "matcher": {
            "id": "byRegexp" if pattern else "byName",
            "options": f"/^{column}$/" if pattern else column,
        },
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }


def variable(name: str, label: str, target: Json, *, several: bool = True, why: str) -> Json:
    """Build a variable whose values come from a query, with `All` if several may be chosen."""
    found = target.get("expr") or target["rawSql"]
    shape = {"query": found, "qryType": 1, "refId": name} if "expr" in target else found
    return {
        "type": "query",
        "name": name,
        "label": label,
        "description": why,
        "datasource": target["datasource"],
        "query": shape,
        "refresh": 2,
        "sort": 0,
        "multi": several,
        "includeAll": several,
        **({"allValue": ".*"} if several and "expr" in target else {}),
        "current": {"text": ["All"], "value": ["$__all"]} if several else {},
        "options": [],
    }


def address(name: str, label: str, url: str, *, why: str) -> Json:
    """Build a text variable with the base URL of links, to be edited by the reader."""
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "description": why,
        "query": url,
        "current": {"text": url, "value": url},
        "options": [{"text": url, "value": url, "selected": True}],
    }


def dashboard(
    uid: str,
    title: str,
    why: str,
    sections: Mapping[str, Sequence[Json]],
    *,
    variables: Sequence[Json] = (),
    links: Sequence[tuple[str, str]] = (),
    since: str = "now-1h",
    refresh: str = "30s",
) -> Json:
    """Build a dashboard; panels of a section are placed from the left, line by line."""
    placed: list[Json] = []
    top = 0
    for name, panels in sections.items():
        placed.append(
            {"type": "row", "title": name, "collapsed": False, "panels": [], "gridPos": _at(0, top)}
        )
        top = _fill(placed, panels, top + 1)
    for number, each in enumerate(placed, start=1):
        each["id"] = number
    return {
        "uid": f"voxchord-{uid}",
        "title": f"voxchord / {title}",
        "description": why,
        "tags": ["voxchord"],
        "editable": False,
        "schemaVersion": 39,
        "graphTooltip": 1,
        "time": {"from": since, "to": "now"},
        "refresh": refresh,
        "timezone": "",
        "links": [
            {
                "type": "dashboards",
                "title": "voxchord",
                "tags": ["voxchord"],
                "asDropdown": False,
                "includeVars": False,
                "keepTime": True,
            },
            *({"type": "link", "title": title, "url": url, "targetBlank": True} for title, url in links),
        ],
        "templating": {"list": list(variables)},
        "annotations": {"list": []},
        "panels": placed,
    }


def _at(x: int, y: int, width: int = COLUMNS, height: int = 1) -> Json:
    return {"x": x, "y": y, "w": width, "h": height}


def _fill(placed: list[Json], panels: Sequence[Json], top: int) -> int:
    left = line = 0
    for each in panels:
        width, height = each["gridPos"]["w"], each["gridPos"]["h"]
        if left + width > COLUMNS:
            left, top, line = 0, top + line, 0
        each["gridPos"] = _at(left, top, width, height)
        placed.append(each)
        left, line = left + width, max(line, height)
    return top + line
