"""Check of other projects' internals: attributes outside their public interface, which an upgrade may remove.

Each project has one module here that uses its internals and lists them. The list is checked when a process
starts, so that a missing attribute stops it by name instead of turning something off in silence.
"""

import dis
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from types import FunctionType, ModuleType
from typing import Any

from pipeline.errors import InternalsError


@dataclass(frozen=True, slots=True)
class Internal:
    """An attribute of another project's class, module or object, and what needs it."""

    owner: Any
    name: str
    needed_for: str
    parameters: tuple[str, ...] | None = None
    """Parameters of an overridden or copied function, without `self`; None if they don't matter."""

    def problem(self) -> str | None:
        """Description of what is missing or has changed; None if all is as it was."""
        label = f"{_label(self.owner)}.{self.name}"
        if not _exists(self.owner, self.name):
            return f"{label} is missing, which {self.needed_for} needs"
        if self.parameters is not None:
            found = parameters_of(getattr(self.owner, self.name))
            if found != self.parameters:
                was, now = (f"({', '.join(names)})" for names in (self.parameters, found))
                return f"{label} takes {now} in place of {was}, which {self.needed_for} needs"
        return None


def check(package: str, internals: Iterable[Internal]) -> None:
    """Check that a package still has what is used of its internals.

    Raises:
        InternalsError: names every attribute that is missing or has changed.
    """
    problems = [problem for problem in (each.problem() for each in internals) if problem]
    if problems:
        raise InternalsError(package, version(package), problems)


def parameters_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of a function's parameters, without `self`.

    >>> parameters_of(Internal.__init__)
    ('owner', 'name', 'needed_for', 'parameters')
    """
    return tuple(name for name in inspect.signature(function).parameters if name != "self")


def _exists(owner: Any, name: str) -> bool:
    """True for an attribute of the owner itself, or one that a method of the class gives to its instances."""
    if hasattr(owner, name):
        return True
    return isinstance(owner, type) and any(assigns(method, name) for method in methods(owner))


def methods(owner: type) -> list[FunctionType]:
    """Functions of a class and its bases."""
    found = (value for each in owner.__mro__ for value in vars(each).values())
    return [value for value in found if isinstance(value, FunctionType)]


def assigns(method: FunctionType, name: str) -> bool:
    """True if a method assigns to an attribute of this name."""
    code = dis.get_instructions(method)
    return any(step.opname == "STORE_ATTR" and step.argval == name for step in code)


def _label(owner: Any) -> str:
    if isinstance(owner, ModuleType):
        return owner.__name__
    kind = owner if isinstance(owner, type) else type(owner)
    return f"{kind.__module__}.{kind.__qualname__}"
