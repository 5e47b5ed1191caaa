"""Tests of the reader of old PyTorch files."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from pipeline.checking.full.torch_file import TorchFileError, read

torch = pytest.importorskip("torch")


def saved(path: Path, value: object) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=False)
    return path


def test_tensors_and_views_are_read(tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    content = {"state": {"a": base, "b": base.T[1:3], "c": torch.tensor(2.0)}, "step": 3}
    found = read(saved(tmp_path / "old.pt", content), "abc", under="state")
    for name, tensor in content["state"].items():  # type: ignore[attr-defined]
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_code_is_not_run(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    with pytest.raises(TorchFileError, match="mkdir is not allowed"):
        read(saved(tmp_path / "bad.pt", {"state": Attack()}), [], under="state")
    assert not (tmp_path / "ran").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    path.write_bytes(pickle.dumps(1) + pickle.dumps(2))
    with pytest.raises(TorchFileError, match="not in the form"):
        read(path, [], under="state")


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(TorchFileError, match="lacks b"):
        read(saved(tmp_path / "old.pt", {"state": {"a": torch.zeros(2)}}), "ab", under="state")
