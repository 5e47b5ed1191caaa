"""Numbers of JSON bodies. By default pydantic also takes booleans, and strings that look like numbers."""

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError


def _number(given: object) -> object:
    if isinstance(given, bool | str):
        raise PydanticCustomError("number_type", "Input should be a number")
    return given


Number = Annotated[float, BeforeValidator(_number, json_schema_input_type=float)]
Whole = Annotated[int, BeforeValidator(_number, json_schema_input_type=int)]
"""An integer; 4.0 is one in JSON."""
