"""Template loader of Flower: our templates (`deploy/flower`) first, then Flower's own.

A template of ours extends the one it replaces as `flower/NAME`.
"""

from pathlib import Path

from tornado.template import Loader, Template

OURS = Path(__file__).parent.parent.parent / "deploy" / "flower"
_FLOWERS = "flower/"


class Pages(Loader):  # type: ignore[misc]  # tornado is skipped by mypy
    """Loader with both folders.

    Args:
        flowers: folder of Flower's own templates.
    """

    def __init__(self, flowers: str) -> None:
        super().__init__(str(OURS))
        self._flowers = Path(flowers)

    def _create_template(self, name: str) -> Template:
        path = OURS / name
        if name.startswith(_FLOWERS) or not path.exists():
            path = self._flowers / name.removeprefix(_FLOWERS)
        return Template(path.read_bytes(), name=name, loader=self)
