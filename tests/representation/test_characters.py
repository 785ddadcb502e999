"""Character tables: against published ones, against escnn, and the theorems that they must satisfy."""

from __future__ import annotations

import cmath
import itertools
import re
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import equibook as eq
from tests.representation.strategies import GROUPS, LARGE, S5, groups, representations


def linear_group(p: int, *, projective: bool = False) -> eq.FiniteGroup:
    """SL(2, p) on the nonzero vectors of 𝔽_p², or PSL(2, p) on the lines."""
    vectors = [v for v in itertools.product(range(p), repeat=2) if v != (0, 0)]
    if projective:
        vectors = [(x, y) for x, y in vectors if x == 1 or (x, y) == (0, 1)]

    def image(matrix: tuple[int, int, int, int], v: tuple[int, int]) -> int:
        a, b, c, d = matrix
        x, y = (a * v[0] + b * v[1]) % p, (c * v[0] + d * v[1]) % p
        if projective:
            scale = pow(x, -1, p) if x else pow(y, -1, p)
            x, y = x * scale % p, y * scale % p
        return vectors.index((x, y))

    return eq.permutation_group([[image(m, v) for v in vectors] for m in ((1, 1, 0, 1), (0, p - 1, 1, 0))])


def dicyclic(n: int) -> eq.FiniteGroup:
    """⟨a, b : a²ⁿ = 1, b² = aⁿ, bab⁻¹ = a⁻¹⟩; element k + 2ne is aᵏbᵉ."""

    def product(x: int, y: int) -> int:
        (e, i), (f, j) = divmod(x, 2 * n), divmod(y, 2 * n)
        return (i + (-j if e else j) + n * e * f) % (2 * n) + 2 * n * ((e + f) % 2)

    return eq.FiniteGroup([[product(x, y) for y in range(4 * n)] for x in range(4 * n)])


def extraspecial(n: int) -> eq.FiniteGroup:
    """2^(1+2n): triples (v, w, z) with z + z′ + v·w′ in the last place."""
    x = torch.arange(2 ** (2 * n + 1))
    v, w, z = x % 2**n, (x >> n) % 2**n, x >> 2 * n
    both = v[:, None] & w[None]
    dot = sum((both >> k) & 1 for k in range(n)) % 2
    return eq.FiniteGroup((v[:, None] ^ v) + ((w[:, None] ^ w) << n) + ((z[:, None] ^ z ^ dot) << 2 * n))


def power(G: eq.FiniteGroup, n: int) -> eq.FiniteGroup:
    product = G
    for _ in range(n - 1):
        product = eq.direct_product(product, G)
    return product


#: Groups that a method for irreducibles may get wrong, with how many there are of each dimension and type.
HARD: dict[str, tuple[eq.FiniteGroup, dict[tuple[int, str], int]]] = {
    "S6": (
        eq.symmetric(6),
        {(1, "real"): 2, (5, "real"): 4, (9, "real"): 2, (10, "real"): 2, (16, "real"): 1},
    ),
    "PSL(2, 7)": (
        linear_group(7, projective=True),
        {(1, "real"): 1, (6, "complex"): 1, (6, "real"): 1, (7, "real"): 1, (8, "real"): 1},
    ),
    "SL(2, 3)": (
        linear_group(3),
        {(1, "real"): 1, (2, "complex"): 1, (3, "real"): 1, (4, "complex"): 1, (4, "quaternionic"): 1},
    ),
    "SL(2, 5)": (
        linear_group(5),
        {
            (1, "real"): 1,
            (3, "real"): 2,
            (4, "real"): 1,
            (5, "real"): 1,
            (4, "quaternionic"): 2,
            (8, "quaternionic"): 1,
            (12, "quaternionic"): 1,
        },
    ),
    "2^9": (power(eq.cyclic(2), 9), {(1, "real"): 512}),
    "2^(1+8)": (extraspecial(4), {(1, "real"): 256, (16, "real"): 1}),
    "dicyclic(50)": (dicyclic(50), {(1, "real"): 4, (2, "real"): 24, (4, "quaternionic"): 25}),
    "D4³": (power(eq.dihedral(4), 3), {(1, "real"): 64, (2, "real"): 48, (4, "real"): 12, (8, "real"): 1}),
    # the symmetries of the four-dimensional cube
    "C2 ≀ S4": (
        eq.permutation_group([(1, 2, 3, 0, 5, 6, 7, 4), (1, 0, 2, 3, 5, 4, 6, 7), (4, 1, 2, 3, 0, 5, 6, 7)]),
        {(1, "real"): 4, (2, "real"): 2, (3, "real"): 4, (4, "real"): 4, (6, "real"): 4, (8, "real"): 2},
    ),
    # the corners of a Rubik-like puzzle: three pieces that turn in place, and change places
    "C3 ≀ S3": (
        eq.permutation_group([(1, 2, 0, 3, 4, 5, 6, 7, 8), (3, 4, 5, 6, 7, 8, 0, 1, 2), (3, 4, 5, 0, 1, 2, 6, 7, 8)]),
        {
            (1, "real"): 2,
            (2, "complex"): 2,
            (2, "real"): 1,
            (4, "complex"): 1,
            (6, "complex"): 6,
            (6, "real"): 1,
        },
    ),
    "A5 × C2": (
        eq.direct_product(eq.alternating(5), eq.cyclic(2)),
        {(1, "real"): 2, (3, "real"): 4, (4, "real"): 2, (5, "real"): 2},
    ),
}
ALL = [*GROUPS, S5, *(G for G, _ in HARD.values() if G.order <= 400)]


# ---- published tables ----------------------------------------------------------------------

W = complex(-0.5, 3**0.5 / 2)  # ω
PHI = (1 + 5**0.5) / 2
B7 = complex(-0.5, 7**0.5 / 2)  # ATLAS: b7
#: name → the group, (size of a class, order of its elements), and the rows with their indicators.
PUBLISHED = {
    # Serre, Linear Representations of Finite Groups, 2.5
    "S3": (eq.symmetric(3), [(1, 1), (3, 2), (2, 3)], [[1, 1, 1], [1, -1, 1], [2, 0, -1]], [1, 1, 1]),
    # Serre, 5.3: D_n for even n; James and Liebeck, Representations and Characters of Groups, 16.3
    "D4": (
        eq.dihedral(4),
        [(1, 1), (1, 2), (2, 2), (2, 2), (2, 4)],
        [[1, 1, 1, 1, 1], [1, 1, 1, -1, -1], [1, 1, -1, 1, -1], [1, 1, -1, -1, 1], [2, -2, 0, 0, 0]],
        [1, 1, 1, 1, 1],
    ),
    # James and Liebeck, chapter 23: the same table as D4, and another indicator
    "Q8": (
        eq.quaternion(),
        [(1, 1), (1, 2), (2, 4), (2, 4), (2, 4)],
        [[1, 1, 1, 1, 1], [1, 1, 1, -1, -1], [1, 1, -1, 1, -1], [1, 1, -1, -1, 1], [2, -2, 0, 0, 0]],
        [1, 1, 1, 1, -1],
    ),
    # Serre, 5.7
    "A4": (
        eq.alternating(4),
        [(1, 1), (3, 2), (4, 3), (4, 3)],
        [[1, 1, 1, 1], [1, 1, W, W**2], [1, 1, W**2, W], [3, -1, 0, 0]],
        [1, 0, 0, 1],
    ),
    # Serre, 5.8
    "S4": (
        eq.symmetric(4),
        [(1, 1), (3, 2), (6, 2), (8, 3), (6, 4)],
        [[1, 1, 1, 1, 1], [1, 1, -1, 1, -1], [2, 2, 0, -1, 0], [3, -1, 1, 0, -1], [3, -1, -1, 0, 1]],
        [1, 1, 1, 1, 1],
    ),
    # Fulton and Harris, Representation Theory, 3.1
    "S5": (
        S5,
        [(1, 1), (10, 2), (15, 2), (20, 3), (30, 4), (24, 5), (20, 6)],
        [
            [1, 1, 1, 1, 1, 1, 1],
            [1, -1, 1, 1, -1, 1, -1],
            [4, 2, 0, 1, 0, -1, -1],
            [4, -2, 0, 1, 0, -1, 1],
            [5, 1, 1, -1, -1, 0, 1],
            [5, -1, 1, -1, 1, 0, -1],
            [6, 0, -2, 0, 0, 1, 0],
        ],
        [1, 1, 1, 1, 1, 1, 1],
    ),
    # Fulton and Harris, 3.1; ATLAS, page 2
    "A5": (
        eq.alternating(5),
        [(1, 1), (15, 2), (20, 3), (12, 5), (12, 5)],
        [[1, 1, 1, 1, 1], [3, -1, 0, PHI, 1 - PHI], [3, -1, 0, 1 - PHI, PHI], [4, 0, 1, -1, -1], [5, 1, -1, 0, 0]],
        [1, 1, 1, 1, 1],
    ),
    # James and Liebeck, chapter 27; ATLAS, page 3 (as L2(7))
    "PSL(2, 7)": (
        HARD["PSL(2, 7)"][0],
        [(1, 1), (21, 2), (56, 3), (42, 4), (24, 7), (24, 7)],
        [
            [1, 1, 1, 1, 1, 1],
            [3, -1, 0, 1, B7, B7.conjugate()],
            [3, -1, 0, 1, B7.conjugate(), B7],
            [6, 2, 0, 0, -1, -1],
            [7, -1, 1, -1, 0, 0],
            [8, 0, -1, 0, 1, 1],
        ],
        [1, 0, 0, 1, 1, 1],
    ),
    # James and Liebeck, exercise 27.2 and its solution
    "SL(2, 3)": (
        HARD["SL(2, 3)"][0],
        [(1, 1), (1, 2), (4, 3), (4, 3), (6, 4), (4, 6), (4, 6)],
        [
            [1, 1, 1, 1, 1, 1, 1],
            [1, 1, W, W**2, 1, W, W**2],
            [1, 1, W**2, W, 1, W**2, W],
            [2, -2, -1, -1, 0, 1, 1],
            [2, -2, -W, -(W**2), 0, W, W**2],
            [2, -2, -(W**2), -W, 0, W**2, W],
            [3, 3, 0, 0, -1, 0, 0],
        ],
        [1, 0, 0, -1, 0, 0, 1],
    ),
}


def rows(values: list[list[complex]], indicators: list[int]) -> Counter[tuple[object, ...]]:
    def plain(x: complex) -> tuple[float, float]:
        return round(complex(x).real, 6) + 0.0, round(complex(x).imag, 6) + 0.0

    return Counter((*map(plain, row), n) for row, n in zip(values, indicators, strict=True))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_tables(name: str) -> None:
    """The same rows, for some way to tell apart classes of the same size and order."""
    G, classes, published, indicators = PUBLISHED[name]
    table = eq.character_table(G)
    found = [(len(c), n) for c, n in zip(table.classes, table.orders, strict=True)]
    assert Counter(found) == Counter(classes)
    expected = rows(published, indicators)
    alike = [
        order
        for order in itertools.permutations(range(len(found)))
        if [found[k] for k in order] == classes
        and rows(table.values[:, list(order)].tolist(), list(table.indicators)) == expected
    ]
    assert alike


# ---- theorems ------------------------------------------------------------------------------


@pytest.mark.parametrize("G", ALL, ids=lambda G: str(G)[:40])
def test_rows_and_columns_are_orthogonal(G: eq.FiniteGroup) -> None:
    table = eq.character_table(G)
    X, one = table.values, torch.eye(len(table.values), dtype=torch.complex128)
    assert X.shape == (len(G.classes), len(G.classes))
    assert torch.allclose(X * table.sizes @ X.mH / G.order, one, atol=1e-12)
    assert torch.allclose(X.mH @ X, torch.diag(G.order / table.sizes).to(X.dtype), atol=1e-9)
    assert sum(d * d for d in table.degrees) == G.order
    assert all(G.order % d == 0 for d in table.degrees)
    assert X[0].eq(1).all() and list(table.degrees) == sorted(table.degrees)
    # Frobenius and Schur: the indicators count the square roots of the identity
    squares = G.table.diagonal()
    roots = sum(n * d for n, d in zip(table.indicators, table.degrees, strict=True))
    assert roots == int((squares == G.identity).sum())


@pytest.mark.parametrize("G", ALL, ids=lambda G: str(G)[:40])
def test_values_are_constant_on_classes_and_conjugate_on_inverses(G: eq.FiniteGroup) -> None:
    table = eq.character_table(G)
    assert sorted(g for c in table.classes for g in c) == list(G.elements)
    column = {g: k for k, c in enumerate(table.classes) for g in c}
    inverse = [column[int(G.inverse[g])] for g in table.representatives]
    assert torch.allclose(table.values[:, inverse], table.values.conj(), atol=1e-12)
    for g, n, c in zip(table.representatives, table.orders, table.classes, strict=True):
        assert set(c) == set(G.classes[int(G.class_of[g])])
        reached = [g]
        while reached[-1] != G.identity:
            reached.append(G.multiply(reached[-1], g))
        assert len(reached) == n


@pytest.mark.parametrize("G", ALL, ids=lambda G: str(G)[:40])
def test_real_table_and_complex_table_agree(G: eq.FiniteGroup) -> None:
    table, real = eq.character_table(G), eq.character_table(G, real=True)
    rhos = eq.irreps(G)
    assert real.values.shape == (len(rhos), len(rhos)) and not real.values.is_complex()
    assert real.types == tuple(rho.type for rho in rhos)
    assert real.indicators == tuple({"real": 1, "complex": 0, "quaternionic": -2}[t] for t in real.types)
    column = {g: k for k, c in enumerate(real.classes) for g in c}
    for i, rho in enumerate(rhos):
        assert torch.allclose(real.values[i][[column[g] for g in G.elements]], rho.character(), atol=1e-9)
        held = [r for r, j in enumerate(table.irreps) if j == i]
        assert len(held) == {"real": 1, "complex": 2, "quaternionic": 1}[rho.type]
        twice = 2 if rho.type == "quaternionic" else 1
        total = twice * table.values[held].sum(dim=0)
        assert torch.allclose(
            total, rho.character()[list(table.representatives)].to(torch.complex128), rtol=0, atol=1e-9
        )
        assert {table.indicators[r] for r in held} == {{"real": 1, "complex": 0, "quaternionic": -1}[rho.type]}
        assert {table.types[r] for r in held} == {rho.type}


@pytest.mark.parametrize("name", HARD)
def test_hard_groups_have_the_right_irreducibles(name: str) -> None:
    G, expected = HARD[name]
    rhos = eq.irreps(G)
    assert Counter((rho.dim, rho.type) for rho in rhos) == expected
    largest = rhos[-1]
    for s in G.generators[:2]:
        error = (largest.matrix(G.elements) @ largest.matrix(s) - largest.matrix(G.table[:, s])).abs().max()
        assert float(error) < 1e-11


@pytest.mark.parametrize(
    ("solid", "rotations", "with_reflections"),
    [
        # with reflections, a tetrahedron has the symmetries of its four vertices: S4
        (
            "tetrahedral",
            {(1, "real"): 1, (2, "complex"): 1, (3, "real"): 1},
            {(1, "real"): 2, (2, "real"): 1, (3, "real"): 2},
        ),
        # −1 is among the reflections of the others, and each irreducible comes in an even and an odd copy
        ("octahedral", {(1, "real"): 2, (2, "real"): 1, (3, "real"): 2}, None),
        ("icosahedral", {(1, "real"): 1, (3, "real"): 2, (4, "real"): 1, (5, "real"): 1}, None),
    ],
)
def test_platonic_solids(solid: str, rotations: dict, with_reflections: dict | None) -> None:
    G, full = getattr(eq, solid)(), getattr(eq, solid)(reflections=True)
    assert Counter((rho.dim, rho.type) for rho in eq.irreps(G)) == rotations
    expected = with_reflections or {kind: 2 * n for kind, n in rotations.items()}
    assert Counter((rho.dim, rho.type) for rho in eq.irreps(full)) == expected
    for H in (G, full):  # the vectors of space are irreducible
        assert sum(eq.decompose(eq.representation(H, H.space)).multiplicities) == 1


# ---- escnn ---------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.py3nj")
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        *((f"cyclic_group({n})", eq.cyclic(n)) for n in (1, 2, 3, 4, 6, 8)),
        *((f"dihedral_group({n})", eq.dihedral(n)) for n in (1, 2, 3, 4, 6, 7)),
        ("octa_group()", eq.symmetric(4)),
        ("ico_group()", eq.alternating(5)),
        ("full_octa_group()", eq.direct_product(eq.symmetric(4), eq.cyclic(2))),
    ],
    ids=lambda x: str(x)[:40],
)
def test_irreducibles_of_escnn(escnn, theirs: str, ours: eq.FiniteGroup) -> None:  # type: ignore[no-untyped-def]
    """The same dimensions, types and values of the characters, however the elements are numbered."""
    group = eval(theirs, vars(escnn.group).copy())
    kinds = {"R": "real", "C": "complex", "H": "quaternionic"}

    def described(dim: int, kind: str, character: list[float]) -> tuple[object, ...]:
        return dim, kind, tuple(sorted(round(x, 5) + 0.0 for x in character))

    expected = Counter(
        described(rho.size, kinds[rho.type], [float(rho.character(g)) for g in group.elements])
        for rho in group.irreps()
    )
    found = Counter(described(rho.dim, rho.type, rho.character().tolist()) for rho in eq.irreps(ours))
    assert found == expected


# ---- isotypic parts ------------------------------------------------------------------------


@given(groups.flatmap(representations))
def test_isotypic_projectors(V: eq.Representation) -> None:
    G, P = V.group, eq.isotypic_projectors(V)
    D, rhos = eq.decompose(V), eq.irreps(V.group)
    one = torch.eye(V.dim, dtype=torch.float64)
    assert torch.allclose(P.sum(dim=0), one, atol=1e-10)
    assert torch.allclose(P, P.mT, atol=1e-10)
    assert torch.allclose(torch.einsum("iab,jbc->ijac", P, P), torch.diag_embed(P.permute(1, 2, 0)).permute(2, 3, 0, 1))
    start = 0
    for p, m, rho in zip(P, D.multiplicities, rhos, strict=True):
        Q = D.basis[:, start : start + m * rho.dim]
        assert torch.allclose(p, Q @ Q.mT, atol=1e-10)
        start += m * rho.dim
    for s in G.generators:
        assert torch.allclose(P @ V.matrix(s), V.matrix(s) @ P, atol=1e-10)


@given(groups, st.data())
def test_characters_count_the_copies(G: eq.FiniteGroup, data: st.DataObject) -> None:
    V = data.draw(representations(G))
    table = eq.character_table(G)
    chi = V.character()[list(table.representatives)].to(torch.complex128)
    copies = (table.values.conj() * table.sizes * chi).sum(dim=1) / G.order
    multiplicities = eq.decompose(V).multiplicities
    for m, i, kind in zip(copies.tolist(), table.irreps, table.types, strict=True):
        assert m == pytest.approx(multiplicities[i] * (2 if kind == "quaternionic" else 1), abs=1e-9)


# ---- what is printed -----------------------------------------------------------------------


def test_the_layout_is_the_conventional_one() -> None:
    assert str(eq.character_table(eq.symmetric(4))).splitlines() == [
        "symmetric(4)",
        "class  1A  2A  2B  3A  4A",
        "size    1   3   6   8   6   ν",
        "χ0      1   1   1   1   1   1",
        "χ1      1   1  −1   1  −1   1",
        "χ2      2   2   0  −1   0   1",
        "χ3      3  −1   1   0  −1   1",
        "χ4      3  −1  −1   0   1   1",
        "1A e, 2A (12)(34), 2B (34), 3A (234),",
        "4A (1234)",
    ]
    assert str(eq.character_table(eq.alternating(4), real=True)).splitlines()[1:5] == [
        "class  1A  2A  3AB",
        "size    1   3    8   type",
        "ρ0      1   1    1      ℝ",
        "ρ1      2   2   −1      ℂ",
    ]


@pytest.mark.parametrize(
    ("G", "legend"),
    [
        (eq.alternating(4), ["ω = e^(2πi/3)"]),
        (eq.alternating(5), ["A = (1 + √5)/2", "B = (1 − √5)/2"]),
        (HARD["PSL(2, 7)"][0], ["A = (−1 + i√7)/2", "* is the complex conjugate"]),
        (eq.cyclic(4), []),
        (eq.cyclic(5), ["ζ = e^(2πi/5)"]),
        (eq.cyclic(15), ["ω = e^(2πi/3)", "ζ₅ = e^(2πi/5)", "ζ₁₅ = e^(2πi/15)"]),
        (eq.dihedral(7), ["A = 2cos(2π/7)", "B = 2cos(4π/7)", "C = 2cos(6π/7)"]),
        (eq.dihedral(8), []),  # √2 is short enough to stand in the table
        (dicyclic(3), []),
    ],
    ids=lambda x: str(x)[:30],
)
def test_irrational_entries_are_written_exactly(G: eq.FiniteGroup, legend: list[str]) -> None:
    lines = str(eq.character_table(G)).splitlines()
    assert [line for line in lines if " = " in line or line.startswith("*")] == legend


SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
TOKEN = re.compile(r"√\d+|\d+|e\^|cos|π|i|[ωζ][₀-₉]*|[A-Z]+|\*|[()+/−]|[⁰-⁹¹²³]+")


def read(text: str, names: dict[str, complex]) -> complex:
    """The number that a text of a table or of its legend writes."""
    python, before = "", ""
    for token in TOKEN.findall(text):
        if before and before not in "(+/−" and before not in ("e^", "cos") and token not in ")+/−*":
            python += "" if token[0] in "⁰¹²³⁴⁵⁶⁷⁸⁹" else "*"
        plain = {"e^": "cmath.exp", "cos": "cmath.cos", "π": "cmath.pi", "i": "1j", "−": "-", "*": ".conjugate()"}
        if token[0] == "√":
            python += f"({token[1:]}**0.5)"
        elif token[0] in "⁰¹²³⁴⁵⁶⁷⁸⁹":
            python += f"**{token.translate(SUPERSCRIPTS)}"
        elif token in names:
            python += f"complex({names[token]})"
        else:
            python += plain.get(token, token)
        before = token
    return complex(eval(python, {"cmath": cmath}))


@pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])
@pytest.mark.parametrize("G", [G for G in ALL if len(G.classes) <= 30], ids=lambda G: str(G)[:40])
def test_every_printed_entry_is_the_value(G: eq.FiniteGroup, real: bool) -> None:
    table = eq.character_table(G, real=real)
    names: dict[str, complex] = {}
    for line in str(table).splitlines():
        if " = " in line:
            name, meaning = line.split(" = ")
            names[name] = read(meaning, names)
    found = [[read(text, names) for text in row] for row in table.entries]
    assert torch.allclose(torch.tensor(found, dtype=torch.complex128), table.values.to(torch.complex128), atol=1e-9)


def test_a_large_table_is_not_printed_and_a_wide_one_is_cut() -> None:
    assert "too large to print" in str(eq.character_table(HARD["2^9"][0]))
    wide = str(eq.character_table(LARGE, real=True))
    assert max(map(len, wide.splitlines())) <= 79 and wide.count("class") > 3


def test_the_name_can_be_typed_back() -> None:
    for real in (False, True):
        table = eq.character_table(eq.cyclic(6), real=real)
        again = eval(repr(table), vars(eq).copy())
        assert torch.equal(again.values, table.values) and again.names == table.names


def test_a_table_needs_a_finite_group() -> None:
    for G in (eq.so2(), eq.symmetric(7)):
        with pytest.raises(TypeError, match="finite group"):
            eq.character_table(G)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="finite group"):
            eq.isotypic_projectors(eq.trivial(G))
