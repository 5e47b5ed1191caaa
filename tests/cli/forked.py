"""The command line in a fork of a process that has imported it: a second less for each command."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

from bench.harness.forked import FORKS

ROOT = Path(__file__).parent.parent.parent


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    stdin: Path = Path(os.devnull),
    timeout_s: float = 120,
) -> CompletedProcess[str]:
    """Run a command in a process of its own; its output passes through files in the folder."""
    out, err = folder / "stdout.txt", folder / "stderr.txt"
    process = FORKS.Process(target=become, args=(list(arguments), dict(environment), stdin, out, err))
    process.start()
    process.join(timeout_s)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(f"{arguments} took longer than {timeout_s:g} s")
    found = CompletedProcess(list(arguments), process.exitcode, out.read_text(), err.read_text())
    process.close()
    return found


def become(arguments: list[str], environment: dict[str, str], stdin: Path, out: Path, err: Path) -> None:
    """Become a command in this process, with these standard streams."""
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path, flags in ((0, stdin, os.O_RDONLY), (1, out, writing), (2, err, writing)):
        file = os.open(path, flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["voxchord.py", *arguments]
    from cli.main import main

    main()
