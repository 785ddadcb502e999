"""What test modules import: the root of the repository, and the rule about what may be missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parent.parent


def required(what: str) -> bool:
    """Whether EQUIBOOK_REQUIRE, a list of words, names ``what``: then its absence is a failure, not a skip."""
    return what in os.environ.get("EQUIBOOK_REQUIRE", "").replace(",", " ").split()


def missing(what: str, reason: str) -> NoReturn:
    """Skip the test, or fail it where ``what`` is required."""
    if required(what):
        pytest.fail(f"{what} is required and missing: {reason}")
    pytest.skip(reason)
