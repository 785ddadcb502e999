"""The recordings that the package ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import equibook as eq


def test_every_recording_loads() -> None:
    for name in eq.data.recordings():
        tensors = eq.data.recording(name)
        assert tensors and all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())


def test_shapes_and_types_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recordings").mkdir()
    np.savez_compressed(tmp_path / "recordings" / "tiny.npz", weight=np.ones((2, 3), np.float32), order=np.int64(8))
    monkeypatch.setattr("equibook.data.recorded.files", lambda package: tmp_path)
    assert eq.data.recordings() == ("tiny",)
    tensors = eq.data.recording("tiny")
    assert tensors["weight"].shape == (2, 3) and tensors["weight"].dtype == torch.float32
    assert tensors["order"] == 8


def test_an_unknown_recording_lists_those_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equibook.data.recorded.files", lambda package: tmp_path)
    assert eq.data.recordings() == ()
    with pytest.raises(ValueError, match="'x'; the package ships: none"):
        eq.data.recording("x")
