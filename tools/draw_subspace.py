"""Draw book/images/subspace.png, the picture of the landing page and of the README.

The smallest case of the whole book. The group of two elements acts on layers A = (u, v) by
v -> -v, so the equivariant layers are the line E = {v = 0}, and the projector onto it drops v.
Three descents of one risk start on E. The equivariant (or, here, augmented) one stays. The nominal
one leaves. With attraction gamma/2 v^2 it leaves too, and is pulled back close to E.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

TEXT, GREY = "#767676", "#888888"
BLUE, GREEN, PURPLE = "#0072B2", "#009E73", "#CC79A7"


def descend(gamma: float, nominal: float, steps: int = 400, lr: float = 0.02) -> np.ndarray:
    """Gradient descent of (u - 4)^2 / 2 + nominal (v - 1.6 - u / 8)^2 / 2 + gamma v^2 / 2 from (-3.4, 0)."""
    path = [np.array([-3.4, 0.0])]
    for _ in range(steps):
        u, v = path[-1]
        gap = nominal * (v - 1.6 - u / 8)
        path.append(path[-1] - lr * np.array([u - 4 - gap / 8, gap + gamma * v]))
    return np.stack(path)


def main() -> None:
    plt.rcParams.update({"font.size": 12, "text.color": TEXT, "mathtext.fontset": "dejavusans"})
    figure, axes = plt.subplots(figsize=(7.2, 3.5))
    axes.plot([-4.4, 4.9], [0, 0], color=GREY, lw=7, alpha=0.35, solid_capstyle="round")
    axes.text(-4.4, -0.42, "E, the equivariant layers", color=TEXT)
    axes.text(-4.4, 2.35, "the space of layers", color=TEXT)

    for gamma, nominal, color, style, label, at in [
        (0.0, 0.0, GREEN, "-", "equivariant: stays", (0.9, -0.42)),
        (0.0, 1.0, BLUE, ":", "nominal: leaves", (0.6, 1.92)),
        (6.0, 1.0, PURPLE, "-.", "regularized: is pulled back", (0.6, 0.48)),
    ]:
        path = descend(gamma, nominal)
        axes.plot(*path.T, color=color, ls=style, lw=2.6)
        axes.plot(*path[-1], "o", color=color, ms=7)
        axes.text(*at, label, color=TEXT)
    axes.plot(-3.4, 0, "o", color=TEXT, ms=7)

    # the projector
    u, v = -4.0, 1.55
    axes.annotate("", xy=(u, 0.07), xytext=(u, v), arrowprops={"arrowstyle": "->", "color": TEXT, "lw": 1.5})
    axes.plot(u, v, "o", color=TEXT, ms=5)
    axes.text(u + 0.14, v - 0.05, "$A$", color=TEXT)
    axes.text(u + 0.14, v / 2, r"$\Pi_E$", color=TEXT)

    axes.set(xlim=(-4.8, 5.2), ylim=(-0.65, 2.7))
    axes.axis("off")
    out = Path(__file__).parent.parent / "book" / "images" / "subspace.png"
    out.parent.mkdir(exist_ok=True)
    figure.savefig(out, dpi=150, transparent=True, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    main()
