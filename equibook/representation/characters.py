r"""Characters: the table of the irreducible ones, and the isotypic parts that they cut out.

The character of a representation is the trace of its matrices. It forgets the basis and keeps what
matters: two representations are isomorphic when their characters agree.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import torch
from torch import Tensor

from .groups import FiniteGroup, expect_finite
from .irreps import TYPES, Irrep, _commutant, irreps
from .representations import Representation, expect_representation

__all__ = ["CharacterTable", "character_table", "isotypic_projectors"]

#: The most characters in a line of a printed table; wider tables are printed in blocks of columns.
WIDTH = 79
#: Tables with more classes than this are not printed.
LARGEST = 100
#: Entries longer than this are printed as a letter, with a legend.
LONGEST = 4
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True, eq=False, repr=False)
class CharacterTable:
    """The irreducible characters of a finite group, a row each, on its classes; made by `character_table`.

    ``print`` shows it as books do. A class is named by the order of its elements and a letter. Entries
    that are no integers are written exactly: i, ω = e^(2πi/3), ζ = e^(2πi/n), a square root, or a
    letter that the legend explains; * is the complex conjugate.

    Attributes:
        group: the group.
        values: (rows, classes) the characters, complex128 (float64 in a real table).
        classes: the elements of each class, the identity's first, then by the order of the elements.
        names: what the classes are called: "1A", "2A", "2B", …
        orders: the order of the elements of each class.
        indicators: the Frobenius–Schur indicators (1/|G|) Σ χ(g²) of the rows.
        types: the type of each row: "real", "complex" or "quaternionic".
        irreps: for each row, the number of the real irreducible of ``irreps(group)`` that holds it.
        real: whether the rows are the real irreducible characters.

    Chapter: Irreducibles and characters
    """

    group: FiniteGroup
    values: Tensor
    classes: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    orders: tuple[int, ...]
    indicators: tuple[int, ...]
    types: tuple[str, ...]
    irreps: tuple[int, ...]
    real: bool
    _on_powers: tuple[Tensor, ...] = field(default=())

    @property
    def representatives(self) -> tuple[int, ...]:
        """The smallest element of each class."""
        return tuple(c[0] for c in self.classes)

    @property
    def sizes(self) -> Tensor:
        """(classes,) the number of elements of each class, float64."""
        return torch.tensor([len(c) for c in self.classes], dtype=torch.float64)

    @property
    def degrees(self) -> tuple[int, ...]:
        """The dimension χ(e) of each row."""
        return tuple(round(x.real) for x in self.values[:, 0].tolist())

    @cached_property
    def entries(self) -> tuple[tuple[str, ...], ...]:
        """The values as they are printed, row by row."""
        return tuple(tuple(row) for row in self._writer.cells)

    @cached_property
    def _writer(self) -> _Writer:
        return _Writer(self.values.to(torch.complex128).tolist(), self.orders, self._on_powers)

    def __str__(self) -> str:
        if len(self.classes) > LARGEST:
            return f"{self!r}: {len(self.values)} × {len(self.classes)}, too large to print; see its .values"
        label = "ρ" if self.real else "χ"
        last = ["", "type", *("ℝℂℍ"[list(TYPES.values()).index(t)] for t in self.types)]
        if not self.real:
            last = ["", "ν", *(_integer(n) for n in self.indicators)]
        left = ["class", "size", *(f"{label}{i}" for i in range(len(self.values)))]
        columns = [
            [name, str(len(c)), *(row[k] for row in self.entries)]
            for k, (name, c) in enumerate(zip(self.names, self.classes, strict=True))
        ]
        lines = [str(self.group)] if len(str(self.group)) <= WIDTH else []
        return "\n".join([*lines, *_blocks(left, columns, last), *self._writer.legend, *self._elements()])

    def _elements(self) -> list[str]:
        """Which element stands for each class, as cycles where the group permutes few points."""
        permutations = self.group.permutations
        if permutations is not None and permutations.shape[1] < 10:
            words = [_cycles(permutations[g].tolist()) for g in self.representatives]
        else:
            words = [str(g) for g in self.representatives]
        found = [f"{name} {word}" for name, word in zip(self.names, words, strict=True)]
        lines = [found[0]]
        for word in found[1:]:
            joined = f"{lines[-1]}, {word}"
            lines = [*lines[:-1], joined] if len(joined) <= 40 else [*lines[:-1], lines[-1] + ",", word]
        return lines

    def __repr__(self) -> str:
        return f"character_table({self.group}{', real=True' if self.real else ''})"


def character_table(G: FiniteGroup, *, real: bool = False) -> CharacterTable:
    r"""The table of the irreducible characters of G, on its conjugacy classes.

    A real irreducible ρ of real type stays irreducible over ℂ. One of complex type splits into two that
    are conjugate, χ = ½(tr ρ(g) ∓ i tr Jρ(g)) with J the complex structure that commutes with it, and
    one of quaternionic type into two that are equal, χ = ½ tr ρ(g). The entries are then made exact: χ(g)
    is a sum of roots of unity of the order of g, and a Fourier transform over the powers of g counts them.

    Args:
        G: a finite group.
        real: whether to list the real irreducibles instead, in the order of ``irreps(G)``; then a class
            holds g and g⁻¹ together, as no real character tells them apart.

    Returns:
        The table; the trivial character is the first row, and dimensions rise.

    >>> from equibook import symmetric
    >>> print(character_table(symmetric(3)))
    symmetric(3)
    class  1A  2A  3A
    size    1   3   2   ν
    χ0      1   1   1   1
    χ1      1  −1   1   1
    χ2      2   0  −1   1
    1A e, 2A (23), 3A (123)

    Chapter: Irreducibles and characters

    Reference: Conway, Curtis, Norton, Parker and Wilson, ATLAS of Finite Groups (1985), for the layout.
    """
    expect_finite(G, "character_table")
    classes, orders, powers = _classes(G)
    rhos = irreps(G)
    representatives = torch.tensor([c[0] for c in classes])
    found = [(chi, i) for i, rho in enumerate(rhos) for chi in _complex_characters(rho, representatives)]
    found.sort(key=lambda row: _conventional(row[0]))
    values = torch.stack([chi for chi, _ in found])
    held = tuple(i for _, i in found)
    if real:
        merged = _merge(classes, G)
        classes = tuple(tuple(sorted(g for k in columns for g in classes[k])) for columns in merged)
        values = torch.stack([rho.character()[representatives] for rho in rhos]).to(torch.complex128)
        held = tuple(range(len(rhos)))
    else:
        merged = [[k] for k in range(len(classes))]
    shown = [columns[0] for columns in merged]
    exact = _exact(values, powers)
    names = _names(orders)
    sizes = torch.tensor([len(c) for c in classes], dtype=torch.float64)
    squares = exact[:, [int(powers[k][2 % len(powers[k])]) for k in shown]]
    few = len(shown) <= LARGEST  # the others are not written
    return CharacterTable(
        group=G,
        values=exact[:, shown].real.contiguous() if real else exact[:, shown],
        classes=classes,
        names=tuple(_join_names([names[k] for k in columns]) for columns in merged),
        orders=tuple(orders[k] for k in shown),
        indicators=tuple(torch.round((squares * sizes).sum(dim=1).real / G.order).int().tolist()),
        types=tuple(rhos[i].type for i in held),
        irreps=held,
        real=real,
        _on_powers=tuple(exact[:, powers[k]] for k in shown) if few else (),
    )


def isotypic_projectors(V: Representation) -> Tensor:
    r"""The orthogonal projectors onto the isotypic parts of V, P_i = (d_i/e_i) (1/|G|) Σ_g χ_i(g) ρ_V(g).

    The isotypic part V_i is the sum of all subspaces of V that are isomorphic to the irreducible ρ_i,
    of dimension d_i and with a commutant of dimension e_i = 1, 2 or 4. The projectors add up to 1.

    Args:
        V: a representation of a finite group.

    Returns:
        (irreps, V.dim, V.dim), one for each of ``irreps(V.group)``, float64.

    >>> from equibook import cyclic, pixels
    >>> P = isotypic_projectors(pixels(cyclic(4), 3))
    >>> P.shape, [round(float(p.trace())) for p in P]
    (torch.Size([3, 9, 9]), [3, 4, 2])

    Chapter: Irreducibles and characters

    Reference: Serre, Linear Representations of Finite Groups (1977), section 2.6.
    """
    G = expect_finite(expect_representation(V, "isotypic_projectors").group, "isotypic_projectors")
    weights = torch.stack([rho.dim / rho.commutant_dim * rho.character() for rho in irreps(G)]) / G.order
    total = torch.zeros(len(weights), V.dim, V.dim, dtype=torch.float64)
    for elements in torch.arange(G.order).split(max(1, 8_000_000 // V.dim**2)):
        total += torch.einsum("ig,gab->iab", weights[:, elements], V.matrix(elements))
    return total


# ---- the classes ---------------------------------------------------------------------------


def _classes(G: FiniteGroup) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...], tuple[Tensor, ...]]:
    """The classes in the order of tables, the orders of their elements, and where g⁰, g¹, g², … lie."""
    first = torch.tensor([c[0] for c in G.classes])
    rows, order = [torch.full_like(first, G.identity), first], torch.zeros_like(first)
    while True:
        back = (rows[-1] == G.identity) & (order == 0)
        order[back] = len(rows) - 1
        if order.all():
            break
        rows.append(G.table[rows[-1], first])
    powers = torch.stack(rows)
    cycles = [powers[:n, k] for k, n in enumerate(order.tolist())]
    ranking = sorted(range(len(cycles)), key=lambda k: (len(cycles[k]), len(G.classes[k]), G.classes[k][0]))
    place = torch.empty(len(ranking), dtype=torch.long)
    place[torch.tensor(ranking)] = torch.arange(len(ranking))
    return (
        tuple(G.classes[k] for k in ranking),
        tuple(len(cycles[k]) for k in ranking),
        tuple(place[G.class_of[cycles[k]]] for k in ranking),
    )


def _merge(classes: Sequence[tuple[int, ...]], G: FiniteGroup) -> list[list[int]]:
    """The columns of g and of g⁻¹ together."""
    column = {g: k for k, c in enumerate(classes) for g in c}
    pairs = {k: column[int(G.inverse[c[0]])] for k, c in enumerate(classes)}
    return [sorted({k, other}) for k, other in pairs.items() if k <= other]


def _names(orders: Sequence[int]) -> list[str]:
    """The order of the elements and a letter that counts: 1A, 2A, 2B, …"""
    seen: dict[int, int] = {}
    names = []
    for n in orders:
        seen[n] = seen.get(n, 0) + 1
        names.append(f"{n}{_letter(seen[n])}")
    return names


def _join_names(names: Sequence[str]) -> str:
    return names[0] + "".join(name.lstrip("0123456789") for name in names[1:])


def _letter(n: int) -> str:
    """1, …, 26 are A, …, Z, then AA, AB, …"""
    word = ""
    while n:
        n, last = divmod(n - 1, 26)
        word = chr(ord("A") + last) + word
    return word


def _cycles(images: Sequence[int]) -> str:
    """A permutation of the points 1, …, 9 as a product of cycles."""
    seen: set[int] = set()
    word = ""
    for start in range(len(images)):
        cycle = [start]
        while start not in seen and images[cycle[-1]] != start:
            cycle.append(images[cycle[-1]])
        if len(cycle) > 1:
            word += f"({''.join(str(i + 1) for i in cycle)})"
        seen |= set(cycle)
    return word or "e"


# ---- the values ----------------------------------------------------------------------------


def _complex_characters(rho: Irrep, elements: Tensor) -> list[Tensor]:
    """The characters of the complex irreducibles that ρ holds, on some elements."""
    chi = rho.character()[elements].to(torch.complex128)
    if rho.commutant_dim == 1:
        return [chi]
    if rho.commutant_dim == 4:
        return [chi / 2]
    J = _commutant(rho)[1] * rho.dim**0.5  # commutes and squares to −1: ℂ ⊗ V is where J = i and where J = −i
    twisted = torch.einsum("gij,ji->g", rho._stack(elements), J)
    return [(chi - 1j * twisted) / 2, (chi + 1j * twisted) / 2]


def _conventional(chi: Tensor) -> list[float]:
    """By degree, the real ones first, then large values first: the trivial one leads, conjugates are neighbors."""
    return [
        round(float(chi[0].real)),
        float(chi.imag.abs().max()) > 1e-6,
        *(-round(x, 6) for x in chi.real.tolist()),
        *(-round(x, 6) for x in chi.imag.tolist()),
    ]


def _eigenvalue_counts(values: Tensor) -> Tensor:
    """How often e^(2πik/n) is an eigenvalue of ρ(g), from χ(g⁰), …, χ(gⁿ⁻¹): (rows, n) integers."""
    counts = torch.fft.fft(values, dim=1).real / values.shape[1]
    whole = counts.round()
    if (counts - whole).abs().max() > 1e-6:
        raise RuntimeError("The characters found are no sums of roots of unity; please report this group.")
    return whole.long()


def _exact(values: Tensor, powers: Sequence[Tensor]) -> Tensor:
    """The values, each written anew as the sum of roots of unity that it is."""
    exact, done = torch.zeros_like(values), [False] * len(powers)
    for cycle in powers:
        n = len(cycle)
        # g^j with j prime to n generates what g does: its eigenvalues are the j-th powers of those of g.
        steps = {column: j for j, column in enumerate(cycle.tolist()) if math.gcd(j, n) == 1 and not done[column]}
        if steps:
            columns = list(steps)
            exact[:, columns] = _sums_of_roots(_eigenvalue_counts(values[:, cycle]), torch.tensor(list(steps.values())))
            for column in columns:
                done[column] = True
    return exact


def _sums_of_roots(counts: Tensor, steps: Tensor) -> Tensor:
    """Σ m_k e^(2πijk/n) for each row of counts and each step j, whole numbers exactly: (rows, steps)."""
    n = counts.shape[1]
    angle = 2 * math.pi * (torch.arange(n)[:, None] * steps % n).double() / n
    parts = torch.stack([counts.double() @ angle.cos(), counts.double() @ angle.sin()], dim=-1)
    whole = parts.round() + 0.0
    return torch.view_as_complex(torch.where((parts - whole).abs() < 1e-9, whole, parts))


# ---- writing -------------------------------------------------------------------------------


class _Writer:
    """Numbers as texts: what a cell shows, and the legend of the letters that were needed."""

    def __init__(self, values: list[list[complex]], orders: Sequence[int], on_powers: Sequence[Tensor]) -> None:
        self.letters: dict[tuple[float, float], str] = {}
        self.meanings: list[str] = []
        self.conjugates = False
        roots = [[_as_root(z, 2 * orders[k]) for k, z in enumerate(row)] for row in values]
        self.bases = {b for row in roots for root in row if root for b in [root[1].denominator] if b > 4}
        self.omega = any(root and root[1].denominator == 3 for row in roots for root in row)
        unknown = {k for row in roots for k, root in enumerate(row) if not root}
        counts = {k: _eigenvalue_counts(on_powers[k]).tolist() for k in unknown}
        self.cells = [
            [
                self._root(*root) if root else self._other(z, counts[k][r])
                for k, (z, root) in enumerate(zip(values[r], roots[r], strict=True))
            ]
            for r in range(len(values))
        ]

    @property
    def legend(self) -> list[str]:
        lines = ["ω = e^(2πi/3)"] if self.omega else []
        lines += [f"{self._zeta(b)} = e^(2πi/{b})" for b in sorted(self.bases)]
        lines += self.meanings
        return lines + (["* is the complex conjugate"] if self.conjugates else [])

    def _zeta(self, b: int) -> str:
        return "ζ" if len(self.bases) == 1 else "ζ" + str(b).translate(SUBSCRIPTS)

    def _root(self, factor: int, turn: Fraction) -> str:
        """factor · e^(2πi·turn)."""
        if turn.denominator == 1:
            return _integer(factor)
        symbol = {3: "ω", 4: "i"}.get(turn.denominator) or self._zeta(turn.denominator)
        power = "" if turn.numerator == 1 else str(turn.numerator).translate(SUPERSCRIPTS)
        return _times(factor, symbol + power)

    def _other(self, z: complex, counts: list[int]) -> str:
        """A short square root, or a letter; its negative and its conjugate share the letter."""
        text = _write_sum(counts)
        if len(text) <= LONGEST:
            return text
        for sign, before in ((1, ""), (-1, "−")):
            for other, after in ((z, ""), (z.conjugate(), "*")):
                letter = self.letters.get(_key(sign * other))
                if letter:
                    self.conjugates |= bool(after)
                    return before + letter + after
        letter = self.letters[_key(z)] = _letter(len(self.letters) + 1)
        self.meanings.append(f"{letter} = {text}")
        return letter


def _key(z: complex) -> tuple[float, float]:
    return round(z.real, 6) + 0.0, round(z.imag, 6) + 0.0


def _integer(n: int) -> str:
    return str(n).replace("-", "−")


def _times(factor: int, symbol: str) -> str:
    return {1: "", -1: "−"}.get(factor, _integer(factor)) + symbol


def _as_root(z: complex, n: int) -> tuple[int, Fraction] | None:
    """(c, t) with z = c · e^(2πit) for whole c and nt, where there are such; 0 < t < 1/2, and c may be negative."""
    size = round(abs(z))
    if abs(abs(z) - size) > 1e-9:
        return None
    if size == 0:
        return 0, Fraction(0)
    turn = cmath.phase(z) / (2 * math.pi) % 1
    if abs(turn * n - round(turn * n)) > 1e-6:
        return None
    t = Fraction(round(turn * n), n) % 1
    if t.denominator % 4 == 2:  # −1 times a root of odd order
        size, t = -size, (t - Fraction(1, 2)) % 1
    elif t.denominator % 4 == 0 and t > Fraction(1, 2):
        size, t = -size, t - Fraction(1, 2)
    return size, t


def _write_sum(counts: list[int]) -> str:
    """Σ m_k e^(2πik/n) exactly: with a square root if it has one conjugate, else with cosines or roots of unity."""
    n = len(counts)
    conjugates = {_key(_evaluate(counts, k)) for k in range(1, n + 1) if math.gcd(k, n) == 1}
    if len(conjugates) == 2:
        x, y = (complex(*z) for z in sorted(conjugates))
        return _write_quadratic(x, y, counts)
    z = _evaluate(counts, 1)
    decimal = f"{z.real:.3f}" if abs(z.imag) < 1e-9 else f"{z.real:.3f} {'+-'[z.imag < 0]} {abs(z.imag):.3f}i"
    text = _write_terms(counts)
    return (text if len(text) <= 40 else "about " + decimal).replace("-", "−")


def _evaluate(counts: list[int], k: int) -> complex:
    n = len(counts)
    return sum(m * cmath.exp(2j * math.pi * (j * k % n) / n) for j, m in enumerate(counts) if m)


def _write_quadratic(x: complex, y: complex, counts: list[int]) -> str:
    """The root of t² − (x + y)t + xy that the counts add up to, as (a ± b√c)/d."""
    trace, norm = round((x + y).real), round((x * y).real)
    square = trace**2 - 4 * norm
    b = max(b for b in range(1, math.isqrt(abs(square)) + 1) if square % b**2 == 0)
    c, d = square // b**2, 2
    if trace % 2 == 0 and b % 2 == 0:
        trace, b, d = trace // 2, b // 2, 1
    z = _evaluate(counts, 1)
    positive = (z - Fraction(trace, d)).real > 1e-9 if c > 0 else z.imag > 0
    root = ("i" if c < 0 else "") + (f"√{abs(c)}" if abs(c) > 1 else "")
    part = _times(b, root)
    if trace == 0:
        text = part if positive else "−" + part
        return text if d == 1 else f"{text}/{d}"
    text = f"{_integer(trace)} {'+' if positive else '−'} {part}"
    return text if d == 1 else f"({text})/{d}"


def _write_terms(counts: list[int]) -> str:
    n = len(counts)
    if all(n % p for p in range(2, n)):  # all roots of unity of a prime order add up to 0
        common = max(set(counts), key=counts.count)
        counts = [m - common for m in counts]
    if all(counts[k] == counts[-k] for k in range(1, n)):
        terms = [(counts[k], f"2cos({_fraction(2 * k, n)})") for k in range(1, (n + 1) // 2)]
        whole = counts[0] - (counts[n // 2] if n % 2 == 0 else 0)
    else:
        terms = [(counts[k], f"e^({_fraction(2 * k, n, 'i')})") for k in range(1, n)]
        whole = counts[0]
    words = [_times(m, symbol).replace("−", "-") for m, symbol in terms if m]
    if whole:
        words.insert(0, str(whole))
    return " + ".join(words).replace("+ -", "- ")


def _fraction(a: int, b: int, after: str = "") -> str:
    f = Fraction(a, b)
    return f"{'' if f.numerator == 1 else f.numerator}π{after}/{f.denominator}"


def _blocks(left: list[str], columns: list[list[str]], last: list[str]) -> list[str]:
    """A table as lines, in blocks of columns that are no wider than a page."""
    widths = [max(map(len, column)) + 2 for column in columns]
    margin = max(map(len, left))
    end = max(map(len, last)) + 3
    blocks, used = [[0]], margin + widths[0]
    for k in range(1, len(columns)):
        tail = end if k == len(columns) - 1 else 0
        if used + widths[k] + tail > WIDTH:
            blocks.append([])
            used = margin
        blocks[-1].append(k)
        used += widths[k]
    lines: list[str] = []
    for number, block in enumerate(blocks):
        final = number == len(blocks) - 1
        for row, label in enumerate(left):
            cells = "".join(columns[k][row].rjust(widths[k]) for k in block)
            lines.append((label.ljust(margin) + cells + (last[row].rjust(end) if final else "")).rstrip())
        lines += [] if final else [""]
    return lines
