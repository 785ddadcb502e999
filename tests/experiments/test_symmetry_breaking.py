"""Networks that cannot know and networks that find out: exact ones stay at chance to the last digit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import equibook as eq
from equibook.experiments import symmetry_breaking as sb
from equibook.experiments.symmetry_breaking import MODELS, Config, Model, Result, invariance_error, network, settled

TINY = replace(Config(), seeds=2, samples=100, test=20, epochs=2)


@pytest.fixture(scope="module")
def result() -> Result:
    return sb.run(TINY)


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return eq.data.digits(dtype=torch.float64)[0][:12]


def test_copies_are_moved_copies(digits: torch.Tensor) -> None:
    quarters = sb.TASKS["which quarter turn?"](digits, 13)
    assert len(quarters) == 4 and all(
        torch.allclose(q, quarters[0].rot90(k, (2, 3)), atol=1e-12) for k, q in enumerate(quarters)
    )
    still, turned = sb.TASKS["turned by 45°?"](digits, 13)
    again = sb.render(digits, 90, size=13, pixel=0.8)
    assert torch.allclose(still.rot90(1, (2, 3)), again, atol=1e-12) and not torch.allclose(still, turned, atol=0.1)
    corners = sb.TASKS["which corner?"](digits, 16)
    assert len(corners) == 4
    for k, corner in enumerate(corners):
        assert torch.equal(corner, corners[0].roll((8 * (k // 2), 8 * (k % 2)), (2, 3)))


@pytest.mark.parametrize("name", MODELS)
def test_exact_means_exact_and_the_others_are_not(name: str, digits: torch.Tensor) -> None:
    model = MODELS[name]
    copies = sb.TASKS[model.task](digits, model.size)
    net = settled(model.build(generator=torch.Generator().manual_seed(0)), copies[0])
    error = invariance_error(net, copies)
    assert error < 1e-12 if model.mode == "equivariant" else error > 0.02
    assert not net.training and net(copies[0]).shape == (12, model.classes)


def test_only_the_samples_break_side_12(digits: torch.Tensor) -> None:
    one = eq.trivial(eq.cyclic(4))
    for side, names in ((12, {"3 Sample", "7 Sample"}), (13, set())):
        x = sb.TASKS["which quarter turn?"](digits, side)[0]
        net = settled(network("C4", side, generator=torch.Generator().manual_seed(0)), x)
        found = eq.equivariance_by_layer(net, one, x, element=1)
        assert {n for n, error in zip(found.names, found.errors, strict=True) if error > 1e-12} == names


def test_at_chance_to_the_last_digit_or_above(result: Result) -> None:
    for name, model in MODELS.items():
        if model.mode == "equivariant":
            assert result.accuracy[name].tolist() == [0.25, 0.25]
            assert max(result.before[name].tolist() + result.after[name].tolist()) < 1e-10
        assert result.chance(name) == (0.5 if "SO(2)" in name else 0.25)


def test_longer_training_opens_the_crack() -> None:
    models = {"even": MODELS["C4, side 12"]}
    trained = sb.run(models=models, seeds=1, samples=300, test=100, epochs=6)
    assert float(trained.accuracy["even"]) > 0.4
    assert float(trained.after["even"]) > float(trained.before["even"]) > 0.1


def test_runs_repeat_and_come_back(result: Result, tmp_path: Path) -> None:
    one = {"C4, side 12": MODELS["C4, side 12"]}
    again = sb.run(replace(TINY, models=one))
    assert torch.allclose(again.after["C4, side 12"], result.after["C4, side 12"], rtol=1e-3)
    result.save(tmp_path / "result.pt")
    loaded = Result.load(tmp_path / "result.pt")
    assert loaded.config == result.config
    assert all(torch.equal(loaded.after[name], result.after[name]) for name in MODELS)
    assert len(result.plot().axes) == 3
    labels = [label.get_text() for label in result.plot_errors().axes[0].get_yticklabels()]
    assert len(labels) == 6 and labels[0] == "C4, side 12: before"


def test_scales() -> None:
    x = torch.tensor([[1.0], [3.0]])
    assert invariance_error(lambda x: x, [x, x + 1]) == pytest.approx(2**0.5 / 10**0.5)
    for constant in (0, 1000):
        assert invariance_error(lambda x, c=constant: x + c, [x, x + 1], spread=True) == pytest.approx(1)


def test_blurring_keeps_outputs_still() -> None:
    jumps = sb.shift_errors(3, count=8)
    for name in ("stride", "max", "mean"):
        assert bool((jumps[name] > jumps["blur"]).all())
    assert float(jumps["stride"].min()) > 0.05


def test_off_the_data() -> None:
    off = sb.off_the_data(1, epochs=4)
    assert all(float(errors) > 0.8 for errors in off.before.values())
    assert float(off.after["test digits"]) < 0.8 * float(off.before["test digits"])
    assert len(off.plot().axes) == 2


def test_errors_say_what_there_is() -> None:
    with pytest.raises(ValueError, match="no 'C4' with 'zeros'"):
        network("C4", 13, "zeros")
    with pytest.raises(ValueError, match="no 'C5'"):
        Model("which corner?", "C5", 13).build()
    with pytest.raises(ValueError, match="1797 digits"):
        sb.run(models={"a": MODELS["C4, side 13"]}, seeds=1, samples=1790)
