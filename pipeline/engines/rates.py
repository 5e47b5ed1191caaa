"""Rates of a segment's lines, as an engine hands them from stage to stage; the usual rate is left out."""

import json
from collections.abc import Mapping

from pipeline.arrays import Arrays
from pipeline.engines.protocol import SegmentText

_KEY = "rates"


def rates_meta(segment: SegmentText) -> dict[str, str]:
    """Metadata of a segment's tokens; empty if all of its lines have the usual rate."""
    rates = {number: line.rate for number, line in enumerate(segment.lines) if line.rate != 1.0}
    return {_KEY: json.dumps(rates)} if rates else {}


def handed_on(arrays: Arrays) -> dict[str, str]:
    """The metadata of rates of a stage's product, for the next stage."""
    return {_KEY: arrays.meta[_KEY]} if _KEY in arrays.meta else {}


def rates_of(arrays: Arrays) -> Mapping[int, float]:
    """Rates by the number of the line."""
    return {int(line): rate for line, rate in json.loads(arrays.meta.get(_KEY, "{}")).items()}
