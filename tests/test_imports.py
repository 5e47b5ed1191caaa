"""Importing a module does nothing but define things: `celery -A` and Flower name the only ones that act."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MISDEEDS = """\
import os, socket
from celery import Celery, signals
from tasks import settings
os.environ.get("HOME")
os.environ["VOXCHORD_STATE"] = "here"
settings.known["b"] = 2
settings.Settings.state = "here"
signals.worker_ready.connect(lambda **_: None, weak=False)
app = Celery("voxchord")
try:
    socket.create_connection(("127.0.0.1", 9))
except OSError:
    pass
"""
FOUND = """\
tasks.app_of_old: reads the environment: HOME
tasks.app_of_old: changes the environment: VOXCHORD_STATE
tasks.app_of_old: socket.getaddrinfo
tasks.app_of_old: changes tasks.settings.known
tasks.app_of_old: changes tasks.settings.Settings.state
tasks.app_of_old: connects or sets worker_ready
tasks.app_of_old: connects or sets apps
"""


def findings(folder: Path) -> str:
    command = [sys.executable, "-P", str(ROOT / "tests" / "imports.py")]
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_importing_a_module_reads_no_environment_opens_no_socket_and_changes_no_other_module() -> None:
    assert findings(ROOT).strip() == ""


def test_imports_that_act_are_found(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").touch()
    (tmp_path / "tasks" / "settings.py").write_text("known = {'a': 1}\nclass Settings: ...\n")
    (tmp_path / "tasks" / "app_of_old.py").write_text(MISDEEDS)
    assert sorted(findings(tmp_path).splitlines()) == sorted(FOUND.splitlines())
