"""Options of a job that change VibeVoice's audio."""

from pipeline.engines.protocol import Options
from pipeline.engines.vibevoice.dtypes import BFLOAT16, DTYPES
from pipeline.errors import OptionError

DEFAULTS: Options = {"dtype": "auto", "guidance": 1.3, "quantize": False, "steps": 10}
DTYPE_OPTIONS = ("auto", *(dtype.name for dtype in DTYPES))


def canonical(given: Options) -> Options:
    """Fill in defaults and validate, in alphabetical order.

    >>> canonical({"steps": 5})
    {'dtype': 'auto', 'guidance': 1.3, 'quantize': False, 'steps': 5}

    Raises:
        OptionError: an unknown option, or a value outside its range.
    """
    unknown = ", ".join(name for name in given if name not in DEFAULTS)
    if unknown:
        raise OptionError(unknown, f"unknown option; vibevoice has {', '.join(DEFAULTS)}")
    found = {**DEFAULTS, **given}
    dtype = _dtype(found["dtype"])
    return {
        "dtype": dtype,
        "guidance": _number("guidance", found["guidance"], 0.0, 20.0),
        "quantize": _quantize(found["quantize"], dtype),
        "steps": _count("steps", found["steps"], 2, 100),
    }


def _dtype(value: object) -> str:
    if value not in DTYPE_OPTIONS:
        raise OptionError("dtype", f"{value!r} is not one of {', '.join(DTYPE_OPTIONS)}")
    return str(value)


def _quantize(value: object, dtype: str) -> bool:
    if not isinstance(value, bool):
        raise OptionError("quantize", f"{value!r} is not true or false")
    if value and dtype not in ("auto", BFLOAT16.name):
        raise OptionError("quantize", f"int8 weights need bfloat16, not {dtype}")
    return value


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise OptionError(name, f"{value!r} is not a number from {low} to {high}")
    return float(value)


def _count(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise OptionError(name, f"{value!r} is not a whole number from {low} to {high}")
    return value
