"""For the examples in docstrings: the names that every example may use, and escnn only where it is."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

collect_ignore: list[str] = []
if importlib.util.find_spec("escnn") is None:
    collect_ignore.append("equibook/baselines")


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, Any]) -> None:
    import torch

    import equibook

    doctest_namespace["eq"] = equibook
    doctest_namespace["torch"] = torch
