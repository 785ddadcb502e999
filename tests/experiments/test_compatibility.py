"""Members of the compatibility experiment: one by one in float64, and paired over the supports."""

from __future__ import annotations

import torch

from equibook.experiments import compatibility


def test_members() -> None:
    result = compatibility.run("digits", samples=10, steps=1, members=2)
    assert result.paths["cross"].distance.shape == (2, 2)
    assert result.paths["cross"].final["0.weight"].shape == (2, 8, 1, 3, 3)
    # The cross and its other basis span the same space and start from the same weights.
    torch.testing.assert_close(result.paths["cross"].risk[0], result.paths["non-orthonormal"].risk[0])


def test_members_do_not_depend_on_how_they_are_trained() -> None:
    changes = {"samples": 10, "steps": 2, "supports": ("skew",), "lr": 0.01}
    one_by_one = compatibility.run("digits", members=2, **changes)
    at_once = compatibility.run("digits", members=2, dtype="float32", **changes)
    distance = at_once.paths["skew"].distance.double()
    torch.testing.assert_close(one_by_one.paths["skew"].distance, distance, rtol=1e-2, atol=1e-4)
