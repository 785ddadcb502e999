"""Linear layers between regular representations, beside a plain layer of the same shape; and what did not help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

import equibook as eq
from equibook.layers import isotypic

from . import timing

GROUPS = {
    "C8": eq.cyclic(8),
    "D8": eq.dihedral(8),
    "C16": eq.cyclic(16),
    "S4": eq.symmetric(4),
    "D16": eq.dihedral(16),
    "C64": eq.cyclic(64),
    "S5": eq.symmetric(5),
}
COPIES, ROWS = (16, 64), (64, 1024)
LARGEST = 2e10  # multiplications of one call of the plain layer: a second or so
LONGEST = 2e11  # of all calls in one row of a table; few rounds where that is less than the rounds asked for
COLUMNS = ("group", "copies", "batch", "form", "bound", "plain ms", "equibook ms", "plain / equibook")


def train_steps(device: torch.device, rounds: int) -> eq.data.Table:
    """Forward, backward by weights and input, SGD."""
    return _table(f"Train step of a linear layer on {device}", 3, timing.step, device, rounds)


def evaluations(device: torch.device, rounds: int) -> eq.data.Table:
    """One call without gradients; the weight is expanded or transformed in each."""
    return _table(f"Evaluation of a linear layer on {device}", 1, timing.evaluation, device, rounds)


def _table(
    title: str,
    products: int,
    side: Callable[[nn.Module, Tensor], Callable[[], None]],
    device: torch.device,
    rounds: int,
) -> eq.data.Table:
    def rows() -> Iterator[tuple[object, ...]]:
        for name, G in GROUPS.items():
            for copies in COPIES:
                V = copies * eq.regular(G)
                layers = {"plain": nn.Linear(V.dim, V.dim), "equibook": eq.Linear(V, V)}
                for batch in ROWS:
                    cost = eq.linear_cost(V, V, batch)
                    if cost.direct > LARGEST:
                        continue
                    x = torch.randn(batch, V.dim, device=device)
                    sides = {key: side(layer.to(device), x) for key, layer in layers.items()}
                    few = max(3, min(rounds, int(LONGEST / (products * cost.direct))))
                    times = timing.alternating(sides, device, few)
                    spent = (timing.milliseconds(times, key) for key in layers)
                    form = layers["equibook"].form_for(batch, device.type)
                    yield (name, copies, batch, form, bound(cost, products), *spent, timing.ratio(times, *layers))

    return timing.shown(title, COLUMNS, rows())


def bound(cost: eq.LinearCost, products: int) -> float:
    """How many times fewer multiplications the way through the irreducibles takes.

    A train step (3 products) multiplies with the blocks three times, as with a plain weight: forward, and for the
    gradients by the input and by themselves. What is constant it multiplies with twice.
    """
    constant = cost.transforms + cost.weights
    return round(products * cost.direct / (products * cost.blocks + (1 + (products > 1)) * constant), 1)


# ---- the forecast --------------------------------------------------------------------------


def forecasts(device: torch.device, rounds: int) -> eq.data.Table:
    """The constants of the forecast, fitted to the times of layers in both forms; and how good its choices were."""
    forms, found = ("dense", "isotypic"), []
    for V in _fields():
        plan = isotypic.Plan(V, V)
        for batch in (32, 256, 1024):
            if plan.cost(batch).direct > 2e9:
                continue
            x = torch.randn(batch, V.dim, device=device)
            sides = {form: timing.evaluation(eq.Linear(V, V, form=form).to(device), x) for form in forms}
            times = timing.alternating(sides, device, rounds)
            seconds = {form: median(times[form]) for form in forms}
            chosen = "isotypic" if plan.saves(batch, device.type) else "dense"
            found.append((plan, batch, seconds, seconds[chosen] / min(seconds.values())))
    work = torch.tensor([plan.work(form, batch) for plan, batch, _, _ in found for form in forms]).double()
    took = torch.tensor([seconds[form] for _, _, seconds, _ in found for form in forms]).double()
    fit = torch.linalg.lstsq(work / took[:, None], torch.ones_like(took)[:, None]).solution.flatten()
    error = float((work @ fit / took - 1).abs().mean())
    lost = [loss for *_, loss in found]
    used = isotypic.MOVE[device.type], isotypic.START[device.type]

    def rows() -> Iterator[tuple[object, ...]]:
        yield "multiplications as long as moving a number", round(float(fit[1] / fit[0])), used[0]
        yield "multiplications as long as starting an operation", round(float(fit[2] / fit[0])), used[1]
        yield "mean error of the fitted forecast", f"{error:.0%}", "–"
        yield "cases in which the faster form was chosen", f"{sum(loss == 1 for loss in lost)} of {len(lost)}", "–"
        yield "mean time lost by wrong choices", f"{sum(lost) / len(lost) - 1:.1%}", "–"

    return timing.shown(f"Forecast of the time of a linear layer on {device}", ("quantity", "measured", "used"), rows())


def _fields() -> Iterator[eq.Representation]:
    for G in (eq.cyclic(4), eq.cyclic(8), eq.cyclic(32), eq.dihedral(4), eq.dihedral(8), eq.symmetric(4)):
        yield from (copies * eq.regular(G) for copies in (8, 16, 32))
    for rhos in (eq.irreps(eq.so2(), 3), eq.irreps(eq.so3(), 2)):
        yield from (sum(copies * rho for rho in rhos) for copies in (16, 32))


# ---- what was tried ------------------------------------------------------------------------


def tries(device: torch.device, rounds: int) -> eq.data.Table:
    """Other ways to the same numbers for C_n: how many times longer than the way of the layer a call takes."""
    columns = ("in place of the layer's way", "group", "copies", "batch", "times longer")

    def rows() -> Iterator[tuple[object, ...]]:
        for name, other in TRIES.items():
            for n, copies in ((16, 64), (64, 64), (256, 16)):
                case = Case.draw(n, copies, 256, device)
                assert torch.allclose(other(case), as_the_layer(case), atol=1e-3)
                sides = {"layer": partial(as_the_layer, case), "other": partial(other, case)}
                with torch.no_grad():
                    times = timing.alternating(sides, device, rounds)
                yield name, f"C{n}", copies, 256, timing.ratio(times, "other", "layer")

    return timing.shown(f"What was tried, on {device}", columns, rows())


@dataclass(frozen=True)
class Case:
    """Functions on C_n, a row each, n even, and a filter for each pair of copies."""

    x: Tensor  # (rows, copies, n)
    F: Tensor  # (n, n), orthogonal: the frequencies 0 and n/2, then the planes of the others
    few: Tensor  # (2, copies, copies): frequencies 0 and n/2
    many: Tensor  # (n/2 − 1, 2 · copies, 2 · copies): the others, each entry of ℂ as a matrix

    @staticmethod
    def draw(n: int, copies: int, rows: int, device: torch.device) -> Case:
        g = torch.arange(n, device=device)
        k = torch.arange(1, n // 2, device=device)
        angle = 2 * torch.pi * k[:, None] * g / n
        planes = torch.stack([angle.cos(), angle.sin()], dim=1).flatten(0, 1) * (2 / n) ** 0.5
        ends = torch.stack([torch.ones(n, device=device), 1.0 - 2.0 * (g % 2)]) / n**0.5
        a, b = torch.randn(2, n // 2 - 1, copies, copies, device=device)
        many = torch.cat([torch.cat([a, -b], dim=2), torch.cat([b, a], dim=2)], dim=1)
        x, few = torch.randn(rows, copies, n, device=device), torch.randn(2, copies, copies, device=device)
        return Case(x, torch.cat([ends, planes]), few, many)

    @property
    def complex(self) -> Tensor:
        """The filters of all frequencies as complex numbers: (n/2 + 1, copies, copies)."""
        m = self.few.shape[1]
        inner = torch.complex(self.many[:, :m, :m], -self.many[:, m:, :m])
        ends = self.few.to(inner.dtype)
        return torch.cat([ends[:1], inner, ends[1:]])


def as_the_layer(case: Case) -> Tensor:
    """One transform, one product for each kind of frequency, one transform back; copies innermost."""
    rows, m, n = case.x.shape
    z = case.F @ case.x.view(rows * m, n).mT
    few = torch.bmm(z[:2].view(2, rows, m), case.few.mT)
    many = z[2:].view(-1, 2, rows, m).transpose(1, 2).reshape(-1, rows, 2 * m)
    many = torch.bmm(many, case.many.mT).view(-1, rows, 2, m).transpose(1, 2)
    z = torch.cat([few.flatten(1), many.reshape(n - 2, rows * m)])
    return (z.mT @ case.F).view(rows, m, n)


def by_fast_transform(case: Case) -> Tensor:
    """torch.fft, and products of complex matrices."""
    z = torch.fft.rfft(case.x).permute(2, 0, 1)
    z = torch.bmm(z.contiguous(), case.complex.mT)
    return torch.fft.irfft(z.permute(1, 2, 0).contiguous(), n=case.x.shape[2])


def coefficients_innermost(case: Case) -> Tensor:
    """The coefficients of one copy stay together in memory, as the transform would leave them by itself."""
    rows, m, n = case.x.shape
    z = case.x.view(rows * m, n) @ case.F.mT
    few = torch.bmm(z[:, :2].view(rows, m, 2).permute(2, 0, 1).contiguous(), case.few.mT)
    many = z[:, 2:].view(rows, m, -1, 2).permute(2, 0, 3, 1).reshape(-1, rows, 2 * m)
    many = torch.bmm(many, case.many.mT).view(-1, rows, 2, m).permute(1, 3, 0, 2)
    z = torch.cat([few.permute(1, 2, 0), many.reshape(rows, m, n - 2)], dim=2)
    return (z.view(rows * m, n) @ case.F).view(rows, m, n)


def one_by_one(case: Case) -> Tensor:
    """A product for each frequency, one after the other."""
    rows, m, n = case.x.shape
    z = case.F @ case.x.view(rows * m, n).mT
    parts = [(z[k].view(rows, m) @ case.few[k].mT).view(1, -1) for k in range(2)]
    for k, M in enumerate(case.many):
        pair = z[2 + 2 * k : 4 + 2 * k].view(2, rows, m).transpose(0, 1).reshape(rows, 2 * m)
        parts.append((pair @ M.mT).view(rows, 2, m).transpose(0, 1).reshape(2, rows * m))
    return (torch.cat(parts).mT @ case.F).view(rows, m, n)


TRIES: dict[str, Callable[[Case], Tensor]] = {
    "fast Fourier transform": by_fast_transform,
    "coefficients innermost": coefficients_innermost,
    "irreducibles one by one": one_by_one,
}
