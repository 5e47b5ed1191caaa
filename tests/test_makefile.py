"""Tests of the Python that the Makefile takes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Runs the rule that creates the environment, where only the given commands are found."""
    found = tmp_path / "bin"
    found.mkdir()
    for tool in ("make", "sh"):
        (found / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is needed"))

    def make(*options: str, **pythons: str) -> subprocess.CompletedProcess[str]:
        for name, body in pythons.items():
            script = found / name.replace("_", ".")
            script.write_text(f"#!{os.path.realpath('/bin/sh')}\n{body}\n")
            script.chmod(0o755)
        venv = tmp_path / "venv"
        return subprocess.run(
            ["make", f"VENV={venv}", *options, f"{venv}/bin/python"],
            cwd=ROOT,
            env={"PATH": str(found)},
            capture_output=True,
            text=True,
            check=False,
        )

    return make


WORKS = f'exec "{sys.executable}" "$@"'
TOO_OLD = f'exec "{sys.executable}" -c "import sys; sys.version_info = (3, 10, 2); $2"'
WITHOUT_VENV = "echo \"ModuleNotFoundError: No module named 'venv'\" >&2; exit 1"
SHIM = 'echo "pyenv: command not found" >&2; exit 127'


@pytest.mark.parametrize(
    ("pythons", "taken"),
    [
        ({"python3_11": WORKS, "python3_14": WORKS}, "python3.11"),
        ({"python3_12": WORKS, "python3_13": WORKS}, "python3.13"),
        ({"python3_11": SHIM, "python3_14": WITHOUT_VENV, "python3_12": WORKS}, "python3.12"),
        ({"python3": WORKS}, "python3"),
    ],
)
def test_the_first_usable_python_is_taken(make: Make, pythons: dict[str, str], taken: str) -> None:
    assert f"\n{taken} -m venv " in make("-n", **pythons).stdout


def test_another_python_can_be_named(make: Make) -> None:
    assert "\npython3.12 -m venv " in make("-n", "PYTHON=python3.12", python3_11=WORKS).stdout


@pytest.mark.parametrize("pythons", [{}, {"python3": TOO_OLD}, {"python3_11": WITHOUT_VENV}])
def test_what_is_missing_is_named(make: Make, pythons: dict[str, str]) -> None:
    done = make(**pythons)
    assert done.returncode != 0
    assert "None of python3.11 python3.14 python3.13 python3.12 python3 can be used" in done.stderr
    assert "Python 3.11 or newer is needed, with its modules venv and ensurepip" in done.stderr


def test_a_named_python_without_venv_says_so(make: Make) -> None:
    done = make("PYTHON=python3", python3=WITHOUT_VENV)
    assert done.returncode != 0
    assert "No module named 'venv'" in done.stderr
    assert "python3 cannot be used" in done.stderr
