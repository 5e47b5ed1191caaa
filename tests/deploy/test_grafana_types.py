"""Tests of dashboards, panels and options against the types that Grafana publishes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.harness.grafana import dashboards, panels
from tests.deploy import node
from tests.deploy.compose import COMPOSE, ROOT
from tests.tools import thorough

TYPES = ROOT / "tests" / "deploy" / "grafana_types"
PANELS = {
    "heatmap": "Heatmap",
    "histogram": "Histogram",
    "stat": "Stat",
    "state-timeline": "StateTimeline",
    "table": "Table",
    "timeseries": "TimeSeries",
    "xychart": "XYChart",
}
_NAMES = """
// An enumeration's members as the texts that JSON has; everything optional, nothing unknown.
type Names<T> = T extends string ? `${T}` : T extends (infer U)[] ? Names<U>[]
    : T extends object ? { [K in keyof T]?: Names<T[K]> } : T;
"""


def program() -> Iterator[str]:
    """TypeScript that is well-typed if the dashboards are."""
    types = "./node_modules/@grafana/schema/dist/types/raw"
    yield _NAMES
    yield f"import type * as whole from '{types}/dashboard/x/dashboard_types.gen';"
    for kind, name in PANELS.items():
        path = f"{types}/composable/{name.lower()}/panelcfg/x/{name}PanelCfg_types.gen"
        yield f"import type * as {kind.replace('-', '_')} from '{path}';"
    written = [part for dashboard in dashboards().values() for part in parts(dashboard)]
    for number, (kind, part) in enumerate(written):
        yield f"const part{number}: Names<{kind}> = {json.dumps(part)};"


def parts(dashboard: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Checked values, each with its type."""
    yield "whole.Dashboard", {name: part for name, part in dashboard.items() if name != "panels"}
    for row in (each for each in dashboard["panels"] if each["type"] == "row"):
        yield "whole.RowPanel", row
    for panel in panels(dashboard):
        module = panel["type"].replace("-", "_")
        yield "whole.Panel", panel
        yield f"{module}.Options", panel["options"]
        if custom := panel["fieldConfig"]["defaults"].get("custom"):
            yield f"{module}.FieldConfig", custom


@thorough
def test_dashboards_match_grafanas_types(tmp_path: Path) -> None:
    folder = node.installed(TYPES, tmp_path)
    published = json.loads((TYPES / "package.json").read_text())["dependencies"]["@grafana/schema"]
    assert COMPOSE["services"]["grafana"]["image"] == f"grafana/grafana:{published}"
    (folder / "dashboards.ts").write_text("\n".join(program()))
    compiler = ["node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck"]
    done = node.run(folder, *compiler, "--module", "esnext", "--moduleResolution", "bundler", "dashboards.ts")
    assert done.returncode == 0, done.stdout + done.stderr
