"""Fixtures: reference output from workers on one machine with a folder as store."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bench.harness.fleet import QUICK, Fleet

LAYOUT = {
    "intake": "voxchord",
    "work0": "cpu.stitch,cpu.verify,cpu.semantic,cpu.text,gpu.diffusion,gpu.speaker",
}
LIMIT_S = 180


def script(turns: int) -> str:
    return "\n".join(
        f"{'Anna' if turn % 2 else 'Bela'}: Entry {turn}. The tide had turned before we reached the quay, "
        "and nobody spoke of it. We tied the boat and carried the nets up to the loft."
        for turn in range(turns)
    )


class Quiet:
    """Renders reference output on one machine."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def audio(self, text: str, options: Mapping[str, Any] | None = None) -> bytes:
        return audio(self._fleet, self._fleet.send(text, options).get(timeout=LIMIT_S))


def audio(fleet: Fleet, manifest: Mapping[str, Any]) -> bytes:
    data = fleet.jobs.store.objects.read(manifest["audio"]["name"])
    assert data is not None
    return data


@pytest.fixture(scope="package")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quiet]:
    with Fleet(tmp_path_factory.mktemp("quiet"), settings=QUICK, layout=LAYOUT, forked=True) as fleet:
        fleet.start()
        yield Quiet(fleet)
