"""Tests of the page's files as they are served, without a browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.harness.http_service import HttpService
from web.page.route import FOLDER

MODULES = sorted(FOLDER.glob("*.js"))
FILES = sorted(FOLDER.iterdir())
PARSE = """
import { readFileSync } from 'node:fs';
import { SourceTextModule } from 'node:vm';
const found = {};
for (const path of process.argv.slice(1)) {
  found[path] = '';
  try { new SourceTextModule(readFileSync(path, 'utf8')) } catch (error) { found[path] = error.stack }
}
console.log(JSON.stringify(found));
"""
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def test_the_page_is_served_under_a_strict_policy(service: HttpService) -> None:
    page = service.ask("GET", "/")
    assert (page.status, page.body) == (200, (FOLDER / "index.html").read_bytes())
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    again = service.ask("GET", "/", If_None_Match=page.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    for file in FILES:
        found = service.ask("GET", f"/page/{file.name}")
        assert (found.status, found.body) == (200, file.read_bytes())
        assert found.headers["content-type"].startswith(_TYPES[file.suffix])
        assert found.headers["content-security-policy"] == policy
    assert service.ask("GET", "/page/..%2froute.py").status == 404
    assert service.ask("GET", "/page/route.py").status == 404


def test_everything_that_the_page_loads_is_its_own() -> None:
    texts = {file.name: file.read_text() for file in FILES if file.suffix != ".svg"}
    by_modules = {
        name for text in texts.values() for name in re.findall(r"^import .* from '(.+)'$", text, re.M)
    }
    loaded = by_modules | set(re.findall(r'(?:src|href)="([^"#]+)"', texts["index.html"])) - {"#"}
    assert loaded, "the page loads its modules"
    assert {f"/page/{file.name}" for file in FILES} >= loaded
    assert [name for name, text in texts.items() if re.search(r"https?://|//cdn", text)] == []
    assert re.findall(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", texts["index.html"]) == []
    sinks = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
    assert [name for name, text in texts.items() if sinks.search(text)] == []


@pytest.fixture(scope="module")
def syntax_errors() -> dict[str, str]:
    """Syntax errors of the page's modules, by file."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here (Debian's nodejs)")
    done = subprocess.run(
        [node, "--experimental-vm-modules", "--input-type=module", "-e", PARSE, *map(str, MODULES)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_modules_parse(module: Path, syntax_errors: dict[str, str]) -> None:
    assert syntax_errors[str(module)] == ""
