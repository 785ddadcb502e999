"""Networks that differ in the nonlinearity: which way round four corners go, and turned digits."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

import equibook as eq
from equibook.experiments import which_nonlinearity
from equibook.experiments.which_nonlinearity import MODELS, TASKS, Config, Result, corners, fit, in_irreps, network

C4 = eq.cyclic(4)
TINY = replace(Config(), seeds=2, epochs=1, samples=100)


@pytest.fixture(scope="module")
def result() -> Result:
    return which_nonlinearity.run(TINY)


def test_which_way_round_is_kept_by_turns_and_changed_by_mirrors() -> None:
    x, y = corners(500, generator=torch.Generator().manual_seed(0))
    assert torch.equal(corners(500, generator=torch.Generator().manual_seed(0))[0], x)

    def answer(x: torch.Tensor) -> torch.Tensor:  # one by one
        return torch.tensor([int(v[(k + 1) % 4] > v[(k - 1) % 4]) for v, k in ((v, int(v.argmax())) for v in x)])

    assert torch.equal(answer(x), y)
    assert torch.equal(answer(eq.act(eq.regular(C4), 1, x)), y)
    assert torch.equal(answer(x[:, [1, 0, 3, 2]]), 1 - y)


@pytest.mark.parametrize("kind", ["regular", "norm", "gates", "Fourier"])
def test_networks_are_invariant_and_lengths_forget_the_mirror(kind: str) -> None:
    V = eq.regular(C4)
    net = network(kind, V, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    for p in net.parameters():
        p.data.add_(0.2 * torch.randn(p.shape, dtype=p.dtype, generator=torch.Generator().manual_seed(1)))
    x = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    eq.assert_equivariant(net, V, 3 * eq.trivial(C4), x)
    same = torch.allclose(net(x), net(x[:, [1, 0, 3, 2]]), atol=1e-10)
    assert same == (kind in ("norm", "gates"))


@pytest.mark.parametrize("kind", ["norm", "gates"])
def test_lengths_of_every_part_reach_the_answer(kind: str) -> None:
    net = network(kind, eq.regular(C4), 6, 3, generator=torch.Generator().manual_seed(0))
    for part in ([1.0, -1, 1, -1], [1.0, 0, -1, 0]):  # the sign, and the arrow
        answers = net(torch.tensor([part]) * torch.tensor([[1.0], [3.0]])).detach()
        assert float((answers[0] - answers[1]).abs().max()) > 0.05


def test_fourier_is_regular_in_another_basis() -> None:
    """The same linear maps: as many weights, and the same answers when the features are transformed."""
    V = eq.regular(C4)
    U, irreps = 5 * eq.regular(C4), sum(5 * rho for rho in eq.irreps(C4))
    Q = eq.isomorphism(irreps, U)
    layer = eq.FourierPointwise(irreps, "relu").double()
    z = torch.randn(9, U.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    A = layer.analysis
    assert torch.allclose(A @ A.mT, torch.eye(4).double(), atol=1e-12)
    assert torch.allclose(Q.mT @ Q, torch.eye(U.dim).double(), atol=1e-10) and z.shape[1] == Q.shape[0]
    sizes = [sum(p.numel() for p in network(kind, V, 5, 2).parameters()) for kind in ("regular", "Fourier")]
    assert sizes[0] == sizes[1]


def _trained(net: torch.nn.Sequential, method: type[torch.optim.Optimizer], **settings: float) -> torch.Tensor:
    x, y = corners(200, generator=torch.Generator().manual_seed(3))
    optimizer = method(net.parameters(), **settings)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x.double()), y).backward()
        optimizer.step()
    return net(x.double()).detach()


def test_descent_does_not_see_the_basis_and_adam_does() -> None:
    """One function, in two orthonormal coordinate systems of the weights."""
    first = network("regular", eq.regular(C4), 5, 2, generator=torch.Generator().manual_seed(0)).double()
    for p in first.parameters():
        p.data.add_(0.2 * torch.randn(p.shape, dtype=p.dtype, generator=torch.Generator().manual_seed(1)))

    def both(method: type[torch.optim.Optimizer], **settings: float) -> tuple[torch.Tensor, torch.Tensor]:
        plain = copy.deepcopy(first)
        other = in_irreps(plain)
        return _trained(plain, method, **settings), _trained(other, method, **settings)

    assert torch.allclose(*both(torch.optim.SGD, lr=0.0), atol=1e-12)
    assert torch.allclose(*both(torch.optim.SGD, lr=0.1, momentum=0.9), atol=1e-9)
    assert not torch.allclose(*both(torch.optim.Adam, lr=0.01), atol=1e-2)


def test_a_run_measures_every_model_on_every_task(result: Result) -> None:
    assert list(result.accuracy) == list(TASKS)
    for task, groups in result.accuracy.items():
        assert list(groups) == list(MODELS)
        limit = result.config.parameters[task]
        for name, accuracy in groups.items():
            assert accuracy.shape == (2,) and bool((accuracy > 0.02).all()) and bool((accuracy <= 1).all())
            size, width = result.parameters[task][name], result.widths[task][name]
            V, classes = (eq.regular(C4), 2) if task == "corners" else (eq.pixels(C4, 8), 10)
            wider = network(MODELS[name].kind, V, width + 1, classes)
            assert size <= limit < sum(p.numel() for p in wider.parameters())
    assert len(result.plot().axes) == len(result.plot_differences().axes) == 2
    mean, low, high = result.difference("corners", "plain", "irreps, norm")
    assert low <= mean <= high


def test_the_returned_networks_are_the_trained_ones() -> None:
    nets, accuracy = fit("irreps, Fourier", "corners", TINY, epochs=3)
    for seed, net in enumerate(nets):
        x, y = which_nonlinearity._data("corners", TINY.samples, seed)[2:]
        assert float((net(x).argmax(1) == y).double().mean()) == pytest.approx(float(accuracy[seed]), abs=1e-3)


def test_seeds_train_side_by_side_as_alone() -> None:
    """vmap over the seeds, and the sum of their losses, change nothing."""
    together = fit("regular, ReLU", "corners", TINY, seeds=3)[0]
    alone = fit("regular, ReLU", "corners", TINY, seeds=1)[0]
    for p, q in zip(together[0].parameters(), alone[0].parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-5)


def test_training_learns_and_lengths_stay_at_chance() -> None:
    few = {"seeds": 2, "samples": 300, "epochs": 12}
    assert float(fit("irreps, Fourier", "corners", **few)[1].mean()) > 0.75
    for name in ("irreps, norm", "irreps, gates"):
        assert abs(float(fit(name, "corners", **few)[1].mean()) - 0.5) < 0.05


def test_digits_lie_in_all_directions() -> None:
    x, y, x_test, y_test = which_nonlinearity._data("digits", 50, 0)
    assert x.shape == (50, 64) and y.shape == (50,) and len(x_test) == len(y_test)
    quarter = len(x_test) // 4
    images = x_test.unflatten(1, (8, 8))
    assert torch.equal(images[:quarter].rot90(1, (1, 2)), images[quarter : 2 * quarter])
    assert torch.equal(y_test[:quarter], y_test[quarter : 2 * quarter])
    upright = eq.data.digits()[0].flatten(1)
    found = [bool((upright == image).all(dim=1).any()) for image in x]
    assert 5 <= sum(found) <= 22  # a quarter of 50, more or less


def test_augmentation_changes_training_and_sgd_is_another_optimizer() -> None:
    weights = [fit(name, "corners", TINY)[0][0][0].weight() for name in ("plain", "plain, augmented")]
    assert not torch.allclose(*weights)
    descent = fit("plain", "corners", TINY, optimizer="sgd")[0][0][0].weight()
    assert not torch.allclose(descent, weights[0])


def test_errors_list_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no kind 'reglar'; there are plain, regular"):
        network("reglar", eq.regular(C4), 3, 2)
    with pytest.raises(ValueError, match='kind "regular"'):
        in_irreps(network("Fourier", eq.regular(C4), 3, 2))
    with pytest.raises(ValueError, match="no model 'x'; there are regular, ReLU"):
        fit("x", "corners")
    with pytest.raises(ValueError, match="no task 'x'; there are corners, digits"):
        fit("plain", "x")
    with pytest.raises(ValueError, match='"adam" or "sgd"; got \'lion\''):
        fit("plain", "corners", TINY, optimizer="lion")
    with pytest.raises(ValueError, match="more than 3 parameters"):
        fit("plain", "corners", TINY, parameters={"corners": 3})
