"""Removal of another project's internal attribute, as an upgrade might."""

import pytest

from pipeline.internals import Internal, assigns, methods


def remove(internal: Internal, patch: pytest.MonkeyPatch) -> None:
    """Delete the attribute wherever it is defined, and the methods that give it to instances."""
    owner, name = internal.owner, internal.name
    if not isinstance(owner, type):
        patch.delattr(owner, name)
        return
    setters = {method.__name__ for method in methods(owner) if assigns(method, name)}
    for kind in owner.__mro__[:-1]:
        for each in sorted({name, *setters} & vars(kind).keys()):
            patch.delattr(kind, each)
