"""Internals of Tornado: the loading of templates from more than one folder."""

from pathlib import Path

from tornado.template import BaseLoader, Loader, Template

from pipeline import internals
from pipeline.internals import Internal

INTERNALS = (Internal(BaseLoader, "_create_template", "the templates in `deploy/flower`", ("name",)),)


def check() -> None:
    """
    Raises:
        InternalsError: Tornado lacks something that is used here.
    """
    internals.check("tornado", INTERNALS)


class PathLoader(Loader):  # type: ignore[misc]  # tornado is skipped by mypy
    """Template loader that reads each template from the file that `path` names."""

    def path(self, name: str) -> Path:
        """Path of a template."""
        raise NotImplementedError

    def _create_template(self, name: str) -> Template:
        return Template(self.path(name).read_bytes(), name=name, loader=self)
