"""Template loader of Flower: our templates (`deploy/flower`) first, then Flower's own.

A template of ours extends the one it replaces as `flower/NAME`.
"""

from pathlib import Path

from tasks.internals.tornado_internals import PathLoader

OURS = Path(__file__).parent.parent.parent / "deploy" / "flower"
_FLOWERS = "flower/"


class Pages(PathLoader):
    """Loader with both folders.

    Args:
        flowers: folder of Flower's own templates.
    """

    def __init__(self, flowers: Path) -> None:
        super().__init__(str(OURS))
        self._flowers = flowers

    def path(self, name: str) -> Path:
        ours = OURS / name
        if name.startswith(_FLOWERS) or not ours.exists():
            return self._flowers / name.removeprefix(_FLOWERS)
        return ours
