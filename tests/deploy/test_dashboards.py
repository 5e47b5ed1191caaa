"""Tests of all expressions of dashboards and alerts on a real Prometheus and a real PostgreSQL.

Both are fed by the same jobs, done by the workers that compose would start. Grafana itself isn't to be had
here: that the dashboards look well in one is not shown.
"""

import base64
import json
import math
import re
import time
import urllib.request
from collections.abc import Mapping
from decimal import Decimal
from itertools import combinations, groupby, pairwise
from typing import Any

import psycopg
import pytest
import yaml

from bench.harness.grafana import Json, Question, Range, dashboards, mentioned, panels, questions
from bench.harness.services import postgres
from db.database import open_database
from db.reports.job_timeline import load
from deploy.dashboards import catalog
from deploy.dashboards.panels import COLUMNS
from tests.deploy.compose import COMPOSE, ROOT, SECRETS
from tests.deploy.stack import Stack
from tests.tools import thorough

GRAFANA = ROOT / "deploy" / "grafana"
VARIABLES = {"task": ".*", "machine": ".*"}
EMPTY_HERE = {
    "Device memory, reported by workers": "a worker that decodes in threads on its device, as vibevoice does",
    "Models per device": "torch's allocator on a device",
    "Newest release compared with the previous one": "attempts of two versions of the code",
}
"""Panels without data on this machine, with what they would need.

A device is stood for, at the outermost edge, by what is in `tests/deploy`: `driver` is a library in place of
NVIDIA's, and `dcgm` what its exporter would say, written by hand in that format.
"""
NULL_HERE = {
    *("error", "exc_message", "exc_type"),  # no attempt of the job failed
    *("lost_gpu_s", "lost_wh"),  # none failed on a device
    *("next_run_s", "next_cpu_s"),  # no take failed its check
}
"""Columns of tables that may be NULL throughout."""


def expected_empty(question: Question) -> bool:
    return question.place in EMPTY_HERE


def finite(series: list[Json]) -> bool:
    values = (value for each in series for _, value in each.get("values") or [each["value"]])
    return any(math.isfinite(float(value)) for value in values)


def test_panels_without_data_here_exist() -> None:
    assert EMPTY_HERE.keys() <= {question.place for question in questions()}


@thorough
@pytest.mark.parametrize("question", [each for each in questions() if each.is_promql], ids=str)
def test_prometheus_answers_every_query(stack: Stack, question: Question) -> None:
    now = time.time()
    expr = Range(stack.began, now).promql(question.text, VARIABLES)
    if found := re.fullmatch(r"label_values\((\w+), (\w+)\)", expr):
        assert stack.ask(f"label/{found[2]}/values", **{"match[]": found[1]})
        return
    if question.target["instant"]:
        series = stack.ask("query", query=expr, time=now)["result"]
    else:
        series = stack.ask("query_range", query=expr, start=stack.began, end=now, step=1)["result"]
    if expected_empty(question):
        assert not series, "it has data: take it off the list"
        return
    assert finite(series), expr
    named = set(re.findall(r"\{\{(\w+)\}\}", question.target["legendFormat"]))
    assert named <= {label for each in series for label in each["metric"]}, "the legend's labels"


@thorough
@pytest.mark.parametrize("question", [each for each in questions() if not each.is_promql], ids=str)
def test_postgresql_answers_every_query(stack: Stack, question: Question) -> None:
    columns, rows = asked(stack, question)
    if expected_empty(question):
        assert not any(any(cell is not None for cell in row[-1:]) for row in rows), "take it off the list"
        return
    assert rows, question.text
    if question.target["format"] == "time_series":
        values = [cell for row in rows for name, cell in zip(columns, row, strict=True) if name != "time"]
        assert columns[0] == "time"
        assert any(isinstance(cell, int | float | Decimal) for cell in values)
        assert mentioned(question.panel, "__field.labels") <= set(columns)
    if question.panel["type"] == "stat":
        assert rows[0][0] is not None
    if question.panel["type"] == "table":
        empty = {name for place, name in enumerate(columns) if all(row[place] is None for row in rows)}
        assert empty <= NULL_HERE, f"{empty - NULL_HERE} are never filled"
        assert mentioned(question.panel, "__data.fields") <= set(columns)
        for override in question.panel["fieldConfig"]["overrides"]:
            matcher = override["matcher"]
            pattern = (
                matcher["options"].strip("/")
                if matcher["id"] == "byRegexp"
                else re.escape(matcher["options"])
            )
            assert any(re.fullmatch(pattern.strip("^$"), column) for column in columns), matcher
    if question.panel["type"] == "state-timeline":
        named = question.panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
        assert {row[columns.index("doing")] for row in rows} <= named.keys()
        assert "waits" in {row[columns.index("doing")] for row in rows}
        assert columns[:2] == ["time", "until"], "Grafana takes a second time for the end of a state"
        for lane, spans in groupby(rows, key=lambda row: row[columns.index("lane")]):
            assert all(one[1] <= other[0] for one, other in pairwise(spans)), f"{lane}: one cuts another"


def asked(stack: Stack, question: Question) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run a query with Grafana's role, over the time since the stack started."""
    variables = {
        "job": stack.jobs[-1:],
        "task": [f"voxchord.{name}" for name in ("diffusion", "text", "render")],
    }
    if "task_sample" in question.text:
        variables["job"] = stack.jobs[1:2]  # the long one
    text = Range(stack.began, time.time() + 1).sql(question.text, variables)
    with (
        psycopg.connect(stack.history, options="-c timezone=UTC") as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(text.encode())
        assert cursor.description is not None
        return [column.name for column in cursor.description], cursor.fetchall()


@thorough
def test_dashboard_role_is_read_only(stack: Stack) -> None:
    with psycopg.connect(stack.history) as connection:
        for statement in ("DELETE FROM task_run", "SET transaction_read_only = off; DELETE FROM job"):
            with pytest.raises((psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege)):
                connection.execute(statement)
            connection.rollback()


@thorough
def test_links_lead_to_flower_pages(stack: Stack) -> None:
    attempts = next(each for each in questions() if each.place == "Attempts")
    columns, rows = asked(stack, attempts)
    own = {"flower": stack.flower, "job": stack.jobs[-1]}
    row = {f"__data.fields.{name}": str(cell) for name, cell in zip(columns, rows[0], strict=True)}
    text = json.dumps(dashboards()["job.json"])
    addresses = set(re.findall(r'"url": "(\$\{flower\}[^"]*)"', text))
    assert len(addresses) >= 5
    login = base64.b64encode(SECRETS["VOXCHORD_FLOWER_PASSWORD"].encode()).decode()
    for address in addresses:
        url = re.sub(r"\$\{([\w.]+)\}", lambda found: (own | row)[found[1]], address)
        request = urllib.request.Request(url, headers={"Authorization": f"Basic {login}"})  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            assert answer.status == 200, address


@thorough
def test_findings_of_dashboard_and_report_agree(stack: Stack) -> None:
    """The share of slots in use from SQL equals the one that the report computes in Python."""
    question = next(each for each in questions() if each.place == "Findings")
    _, rows = asked(stack, question)
    engine = open_database(stack.history.replace("postgresql://", "postgresql+psycopg://"))
    timeline = load(engine, stack.jobs[-1])
    engine.dispose()
    assert timeline is not None
    used = sum(row["run_s"] or 0 for row in timeline.attempts) / timeline.span_s / timeline.slots()
    figures = {row[0]: row[1] for row in rows}
    assert figures["slots in use"] == pytest.approx(used, rel=0.05)


@thorough
def test_every_alert_has_data(stack: Stack) -> None:
    """Prometheus evaluates each rule without an error, and each has data to compare with its threshold."""
    now = time.time()
    groups = stack.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    shipped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    assert {rule["name"] for rule in rules} == {rule["alert"] for group in shipped for rule in group["rules"]}
    for rule in rules:
        assert rule["health"] == "ok", rule
        compared = re.sub(r"(==|[<>]=?)\s*([\d.]+( \* \d+)*)", r">= bool 0 * \2", rule["query"])
        assert compared != rule["query"]
        if "absent" in compared:
            compared = re.search(r"absent\((\w+)\)", compared)[1]  # type: ignore[index]  # it is there
        series = stack.ask("query_range", query=compared, start=stack.began, end=now, step=1)["result"]
        assert finite(series), f"{rule['name']}: {compared}"


def test_json_matches_the_modules() -> None:
    """`python -m deploy.dashboards` writes it."""
    there = {path.name: path.read_text() for path in catalog.FOLDER.glob("*.json")}
    assert there == catalog.rendered()


def test_every_panel_has_a_description_and_a_unit() -> None:
    for file, dashboard in dashboards().items():
        for panel in panels(dashboard):
            assert len(panel["description"]) > 5, (file, panel["title"])
            assert panel["fieldConfig"]["defaults"]["unit"], (file, panel["title"])
            if panel["type"] == "table":
                assert any(
                    each["id"] == "unit"
                    for one in panel["fieldConfig"]["overrides"]
                    for each in one["properties"]
                ), panel["title"]
            for step in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])[1:]:
                assert step["value"] is not None


def test_panels_do_not_overlap() -> None:
    for file, dashboard in dashboards().items():
        cells: list[set[tuple[int, int]]] = []
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= COLUMNS
            cells.append(
                {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            )
        assert not any(one & other for one, other in combinations(cells, 2)), file
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_references_of_dashboards_exist() -> None:
    """Check references to data sources, variables and other dashboards."""
    found = dashboards()
    uids = {dashboard["uid"]: dashboard for dashboard in found.values()}
    assert len(uids) == len(found) == 4
    sources = provisioned("datasources")["datasources"]
    known = {source["uid"]: source["type"] for source in sources}
    for question in questions():
        assert known[question.target["datasource"]["uid"]] == question.target["datasource"]["type"]
    for file, dashboard in found.items():
        defined = {variable["name"] for variable in dashboard["templating"]["list"]}
        text = json.dumps(dashboard["panels"]) + json.dumps(dashboard["links"])
        used = set(re.findall(r"\$\{?(?!__)(\w+)", text))
        assert used == defined, file
        for uid, query in re.findall(r"/d/([\w-]+)\?([^\"]*)", text):
            targets = {variable["name"] for variable in uids[uid]["templating"]["list"]}
            assert set(re.findall(r"var-(\w+)=", query)) <= targets


def test_metrics_of_dashboards_exist() -> None:
    folder = ROOT / "tasks" / "metering"
    code = "".join((folder / name).read_text() for name in ("prometheus.py", "queue_metrics.py"))
    ours = set(re.findall(r'"(tts_\w+)"', code))
    device = re.findall(r"^(DCGM_\w+)\{", (ROOT / "tests/deploy/dcgm/metrics").read_text(), re.MULTILINE)
    for question in questions():
        if question.is_promql:
            for name in re.findall(r"\b(tts_\w+)", question.text):
                assert re.sub(r"_(total|bucket|sum|count)$", "", name) in ours, name
            assert set(re.findall(r"\b(DCGM_\w+)", question.text)) <= set(device)


def test_columns_of_dashboards_exist() -> None:
    """On an empty history every query returns no rows and no error."""
    with postgres(durable=False) as server:
        url = server.new_database()
        open_database(url).dispose()
        asked = Range(0, 3600)
        with psycopg.connect(url) as connection:
            for question in questions():
                if not question.is_promql:
                    text = asked.sql(question.text, {"job": ["none"], "task": ["voxchord.text"]})
                    connection.execute(text.encode())


def test_alerts_named_by_panels_fire_at_their_lines() -> None:
    shipped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    exprs = {rule["alert"]: rule["expr"] for group in shipped for rule in group["rules"]}
    named = 0
    for dashboard in dashboards().values():
        for panel in panels(dashboard):
            for alert in re.findall(r"alert (\w+)", panel["description"]):
                steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
                bounds = [step["value"] for step in steps if step["value"] is not None]
                written = re.findall(r"[<>] ([\d.]+(?: \* \d+)*)", exprs[alert])
                reckoned = {math.prod(float(part) for part in each.split(" * ")) for each in written}
                stated = re.findall(r"at ([\d.]+) %", panel["description"])
                assert set(bounds) & reckoned or {float(each) / 100 for each in stated} & reckoned, panel[
                    "title"
                ]
                named += 1
    assert named >= 6


def test_data_sources_match_compose() -> None:
    service = COMPOSE["services"]["grafana"]
    for source in provisioned("datasources")["datasources"]:
        assert source["editable"] is False
        host = source["url"].removeprefix("http://").split(":")[0]
        assert host in service["depends_on"]
        for secret in source.get("secureJsonData", {}).values():
            assert secret.removeprefix("$") in service["environment"], "the password comes by the environment"
    mounted = {target: source for source, target, *_ in (volume.split(":") for volume in service["volumes"])}
    assert ROOT / mounted["/etc/grafana/provisioning"] == GRAFANA / "provisioning"
    provider = provisioned("dashboards")["providers"][0]
    assert ROOT / mounted[provider["options"]["path"]] == catalog.FOLDER
    home = service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (catalog.FOLDER / home.rpartition("/")[2]).exists()


def provisioned(kind: str) -> Mapping[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((GRAFANA / "provisioning" / kind / "voxchord.yml").read_text())
    assert loaded["apiVersion"] == 1
    return loaded
