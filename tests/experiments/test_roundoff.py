"""Growth across E: the rate that the Hessian predicts is the rate measured."""

from __future__ import annotations

import pytest

from equibook.experiments import roundoff


def test_downward_curvature() -> None:
    result = roundoff.run("downward")
    assert result.smallest < 0 and result.largest < 2 / result.config.lr
    assert result.measured == pytest.approx(result.predicted, rel=0.3)


def test_long_step() -> None:
    result = roundoff.run("long step")
    assert result.largest > 2 / result.config.lr
    assert result.measured == pytest.approx(result.predicted, rel=0.2)
    assert len(result.plot().axes) == 1


def test_unknown_preset() -> None:
    with pytest.raises(ValueError, match="no preset 'huge'"):
        roundoff.run("huge")
