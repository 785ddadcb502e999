r"""Attraction to E: the penalty (γ/2)‖Π_{E^⊥}A‖², and how large γ must be for E to attract.

Near E the augmented flow with attraction is Ȧ_⊥ = −(H + γ)A_⊥ with H = ∇²R^aug restricted to E^⊥.
It contracts if γ > γ* = −λ_min(H), and then dist(A, E) decays at least as e^{−(γ − γ*)t}.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..dynamics.admissible import AdmissibleSpace, Weights
from ..dynamics.risks import Risk

__all__ = ["Attraction", "attraction_threshold"]


@dataclass(frozen=True, eq=False)
class Attraction:
    r"""The penalty (γ/2)‖Π_{E^⊥}A‖² for a whole network; its gradient γΠ_{E^⊥}A points away from E.

    Args:
        space: the admissible space that E is in.
        gamma: γ ≥ 0, or (members,) one a member of an ensemble.

    Raises:
        ValueError: if γ is negative or not finite.

    >>> from equibook import LayerSpace, cyclic, regular, trivial
    >>> G = cyclic(2)
    >>> space = AdmissibleSpace({"weight": LayerSpace(regular(G) >> trivial(G))})
    >>> A = {"weight": torch.tensor([[3.0, 1.0]])}         # Π_E A = (2, 2)
    >>> attraction = Attraction(space, gamma=10.0)
    >>> attraction.penalty(A).item(), attraction.gradient(A)["weight"].tolist()
    (10.0, [[10.0, -10.0]])

    Chapter: Attraction

    Reference: Nordenfors and Flinth (2025).
    """

    space: AdmissibleSpace
    gamma: float | Tensor

    def __post_init__(self) -> None:
        gamma = torch.as_tensor(self.gamma)
        if gamma.ndim > 1 or not (gamma >= 0).all() or not gamma.isfinite().all():
            raise ValueError(f"gamma is a finite number, 0 or more, or one such a member; got {self.gamma}.")

    def penalty(self, A: Weights | nn.Module) -> Tensor:
        """(γ/2)‖Π_{E^⊥}A‖², differentiable: a scalar, or (members,).

        Args:
            A: weights, or a module whose parameters they are: add the penalty to any training loss.
        """
        if isinstance(A, nn.Module):
            parameters = dict(A.named_parameters())
            missing = [name for name in self.space.layers if name not in parameters]
            if missing:
                raise ValueError(f"The network has no parameters {missing}; it has {list(parameters)}.")
            A = {name: parameters[name] for name in self.space.layers}
        members = self.space.members(A)
        away = self.space.perpendicular(A)
        first = 0 if members is None else 1
        square = torch.stack([a.square().flatten(first).sum(-1) for a in away.values()]).sum(0)
        return 0.5 * (self.gamma.to(square) if isinstance(self.gamma, Tensor) else self.gamma) * square

    def gradient(self, A: Weights) -> dict[str, Tensor]:
        """γΠ_{E^⊥}A, of the shapes of A."""
        return {name: self._gamma(away) * away for name, away in self.space.perpendicular(A).items()}

    def _gamma(self, like: Tensor) -> float | Tensor:
        if not isinstance(self.gamma, Tensor):
            return self.gamma
        return self.gamma.to(like) if self.gamma.ndim == 0 else self.gamma.to(like).view(-1, *[1] * (like.ndim - 1))


def attraction_threshold(
    network: nn.Module,
    risk: Risk,
    space: AdmissibleSpace,
    A: Weights,
    x: Tensor,
    y: Tensor,
    *,
    generator: torch.Generator | None = None,
    tolerance: float = 1e-4,
    max_iterations: int = 300,
) -> float:
    r"""The strength from which E attracts near A: γ* = −λ_min(∇²R(A) restricted to E^⊥).

    Lanczos' method on Hessian-vector products; the Hessian is never formed. Where γ* < 0, E attracts
    without help.

    Args:
        network: any module; its own weights are not used.
        risk: usually the exact `augmented` risk; a random one is frozen at one draw.
        space: a compatible admissible space with an orthonormal parametrization.
        A: weights without member axis, usually in E.
        x: (samples, ...) inputs.
        y: (samples, ...) labels.
        generator: of the first vector, and of a random risk's draw.
        tolerance: on the residual ‖Hv − λv‖, relative to the largest eigenvalue found: λ_min is at
            least as close to an eigenvalue as that.
        max_iterations: Hessian-vector products at most.

    Returns:
        γ*, a float.

    Raises:
        ValueError: if E^⊥ = 0, or the parametrization is not orthonormal (the flow's linearization
            is then −LL*∇²R, and no γ of this form decides).
        RuntimeError: if Lanczos' method has not converged.

    >>> from equibook import LayerSpace, nominal, cyclic, representation, trivial
    >>> G = cyclic(2)
    >>> sign = representation(G, torch.tensor([1.0, -1.0]).view(2, 1, 1))
    >>> space = AdmissibleSpace({"0.weight": LayerSpace(sign >> trivial(G))})
    >>> class Square(nn.Module):
    ...     def forward(self, z):
    ...         return z * z
    >>> network = nn.Sequential(nn.Linear(1, 1, bias=False), Square())     # Φ_a(x) = (ax)²
    >>> risk = nominal(lambda outputs, y: 0.5 * (outputs - y).square().mean())
    >>> x = torch.tensor([[1.0], [2.0]])
    >>> attraction_threshold(network, risk, space, {"0.weight": torch.zeros(1, 1)}, x, x)     # 2E[x²y]
    9.0

    Chapter: Attraction

    Reference: Nordenfors and Flinth (2025); the constant is derived in the chapter.
    """
    if not space.is_orthonormal:
        raise ValueError(
            "γ* is that of the flow −Π_𝓛∇R, with an orthonormal parametrization; this space's is not. "
            "LayerSpace.from_basis with an orthonormal basis of the same span gives that flow."
        )
    if space.members(A) is not None:
        raise ValueError("attraction_threshold takes the weights of one network, without a member axis.")
    away = space.tangent.perpendicular
    start = away({name: torch.randn(w.shape, generator=generator, dtype=torch.float64).to(w) for name, w in A.items()})
    dimension = sum(
        _pairs(space, name, weight) * (layer.dim - layer.equivariant_dim)
        for (name, layer), weight in zip(space.layers.items(), (A[name] for name in space.layers), strict=True)
    )
    if dimension == 0:
        raise ValueError("Every admissible weight is equivariant here (E^⊥ = 0): there is nothing to attract.")

    leaves = {name: A[name].detach().requires_grad_() for name in space.layers}
    with torch.enable_grad():
        value = risk.value(network, leaves, *risk.prepare(x, y, generator))
        names, tensors = list(leaves), list(leaves.values())
        gradient = torch.autograd.grad(value, tensors, create_graph=True, materialize_grads=True)
        # Only what depends on A can be differentiated again; the rest has Hessian 0.
        curved = [g for g in gradient if g.requires_grad]

    def hessian(v: Tensor) -> Tensor:
        parts = dict(zip(names, _split(v, tensors), strict=True))
        chosen = [p for p, g in zip(parts.values(), gradient, strict=True) if g.requires_grad]
        product = (
            torch.autograd.grad(curved, tensors, chosen, retain_graph=True, materialize_grads=True)
            if curved
            else [torch.zeros_like(t) for t in tensors]
        )
        return _join(away(dict(zip(names, product, strict=True))))

    return -_smallest_eigenvalue(hessian, _join(start), dimension, tolerance, max_iterations)


def _smallest_eigenvalue(
    product: Callable[[Tensor], Tensor], start: Tensor, dimension: int, tolerance: float, max_iterations: int
) -> float:
    """λ_min of a symmetric operator on a space of the given dimension, by Lanczos with full reorthogonalization."""
    basis = [start / start.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    precision = torch.finfo(start.dtype).eps
    for k in range(min(dimension, max_iterations)):
        w = product(basis[k])
        diagonal.append(float(w @ basis[k]))
        Q = torch.stack(basis)
        for _ in range(2):  # twice is enough
            w = w - Q.mT @ (Q @ w)
        residual = float(w.norm())
        T = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
        if beside:
            off = torch.tensor(beside, dtype=torch.float64)
            T = T + torch.diag(off, 1) + torch.diag(off, -1)
        values, vectors = torch.linalg.eigh(T)
        size = float(values.abs().max())
        error = residual * abs(float(vectors[-1, 0]))
        # The whole space, or an invariant subspace, is exhausted when nothing is left of w.
        exhausted = k + 1 == dimension or residual <= 100 * precision * max(size, precision)
        if exhausted or (k >= 10 and error <= tolerance * size):
            return float(values[0])
        beside.append(residual)
        basis.append(w / residual)
    raise RuntimeError(
        f"Lanczos' method has not found λ_min after {max_iterations} Hessian-vector products (residual {error:.2g}); "
        "raise max_iterations or tolerance."
    )


def _pairs(space: AdmissibleSpace, name: str, weight: Tensor) -> int:
    """The number of pairs of fields that a weight connects."""
    return weight.numel() // (space.layers[name].hom.source.dim * space.layers[name].hom.target.dim)


def _join(parts: dict[str, Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts.values()])


def _split(v: Tensor, like: list[Tensor]) -> list[Tensor]:
    return [part.view_as(t) for part, t in zip(v.split([t.numel() for t in like]), like, strict=True)]
