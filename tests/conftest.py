"""Fixtures and rules that the tests share."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import torch

from tests.support import ROOT, missing

# The same examples in every run: a red test is red for everybody.
hypothesis.settings.register_profile("book", derandomize=True, max_examples=25, deadline=None)
hypothesis.settings.load_profile("book")


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """Layers that are drawn without a generator are the same whichever tests have run before."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture
def escnn() -> object:
    """The module escnn; a test that asks for it is skipped where it is not installed, or fails where it is required."""
    if importlib.util.find_spec("escnn") is None:
        missing("escnn", "escnn is not installed (it needs Python 3.12 at most and numpy 1)")
    return importlib.import_module("escnn")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """The CPU, and a GPU where there is one (without TF32, whose ten bits would hide an error)."""
    if request.param == "cpu":
        yield torch.device("cpu")
        return
    if not torch.cuda.is_available():
        missing("cuda", "no GPU")
    saved = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield torch.device("cuda")
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = saved


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def float_dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """Both precisions."""
    return request.param


@pytest.fixture
def tolerance(float_dtype: torch.dtype) -> float:
    """What round-off may do to numbers of size one, in the precision of ``float_dtype``."""
    return {torch.float32: 2e-5, torch.float64: 1e-12}[float_dtype]


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded generator on the CPU."""
    return torch.Generator().manual_seed(0)
