"""Tests that a torch without the internals that are used is reported by name, before a model is loaded."""

from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.device import Device
from pipeline.engines.vibevoice.runtime import torch_internals
from pipeline.engines.vibevoice.settings import EngineSettings
from pipeline.errors import InternalsError
from pipeline.internals import Internal
from tests.internals import remove

ONEDNN = torch_internals.ONEDNN_INTERNALS if torch_internals.has_onednn() else ()
FBGEMM = torch_internals.FBGEMM_INTERNALS if torch_internals.has_fbgemm() else ()
COMPILER = torch_internals.compiler_internals()
USED = (*torch_internals.INTERNALS, *ONEDNN, *FBGEMM, *COMPILER)


def take_away(internal: Internal, patch: pytest.MonkeyPatch) -> None:
    """Remove an attribute. Operators are found in C++ whenever the namespace lacks the attribute."""
    if isinstance(internal.owner, ModuleType) and internal.owner.__name__.startswith("torch.ops."):
        find = torch._C._jit_get_operation
        name = f"{internal.owner.__name__.removeprefix('torch.ops.')}::{internal.name}"

        def find_others(wanted: str) -> Any:
            return (None, None) if wanted == name else find(wanted)

        patch.setattr(torch._C, "_jit_get_operation", find_others)
    remove(internal, patch)


def test_the_installed_torch_has_all() -> None:
    torch_internals.check(compiler=True)


@pytest.mark.parametrize("internal", USED, ids=lambda each: each.name)
def test_a_missing_attribute_is_named(monkeypatch: pytest.MonkeyPatch, internal: Internal) -> None:
    take_away(internal, monkeypatch)
    with pytest.raises(InternalsError) as caught:
        torch_internals.check(compiler=True)
    said = str(caught.value)
    assert said.startswith(f"torch {version('torch')} can't be used: ")
    assert f".{internal.name} is missing, which {internal.needed_for} needs" in said


def test_a_build_without_onednn_needs_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for internal in ONEDNN:
        take_away(internal, monkeypatch)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch_internals.check(compiler=True)


def test_a_cpu_needs_nothing_of_the_compiler(monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> None:
    for internal in COMPILER:
        take_away(internal, monkeypatch)
    Device(open_checkpoint(str(checkpoint)), EngineSettings(device="cpu"))
    with pytest.raises(InternalsError, match="recompile_limit is missing"):
        torch_internals.check(compiler=True)


def test_a_device_does_not_start_without_one(monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> None:
    remove(torch_internals.INTERNALS[2], monkeypatch)
    with pytest.raises(InternalsError, match=r"torch\.cpu\._is_avx512_bf16_supported is missing"):
        Device(open_checkpoint(str(checkpoint)), EngineSettings())
