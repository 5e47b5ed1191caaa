"""All dashboards, by file name."""

import json
from pathlib import Path

from deploy.dashboards import history, job, resources, service
from deploy.dashboards.panels import Json

FOLDER = Path(__file__).parent.parent / "grafana" / "dashboards"


def dashboards() -> dict[str, Json]:
    """All dashboards, by file name."""
    return {
        "service.json": service.dashboard(),
        "resources.json": resources.dashboard(),
        "history.json": history.dashboard(),
        "job.json": job.dashboard(),
    }


def rendered() -> dict[str, str]:
    """JSON texts of the files in `FOLDER`."""
    return {
        name: json.dumps(each, indent=1, ensure_ascii=False) + "\n" for name, each in dashboards().items()
    }
