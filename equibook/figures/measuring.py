"""Pictures of what is measured: verdicts in a table, the parts of a network's error, waves on a coarse grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Patch, Rectangle

from .arrays import Array, numbers
from .style import COLORS, GREY, PAGE, Figure, styled

__all__ = ["error_parts", "folded_wave", "spectra", "verdict", "verdicts"]

#: Below this a relative error in float64 is round-off.
ROUND_OFF = 1e-10

#: Below this we call a layer approximately equivariant, on the images at hand.
SMALL = 0.1

#: Verdict → color.
VERDICTS = {"exact": COLORS["equivariant"], "approximate": COLORS["relaxed"], "broken": COLORS["augmented"]}

#: Kinds of steps in a network → color and hatch.
KINDS = {
    "padding": ("#56B4E9", "..."),
    "convolution": (COLORS["nominal"], ""),
    "nonlinearity": (COLORS["augmented"], "//"),
    "sampling": (COLORS["relaxed"], "\\\\"),
    "mean": (COLORS["equivariant"], "xx"),
    "normalization": (COLORS["regularized"], "++"),
}


def verdict(error: float) -> str:
    """ "exact" if a relative error in float64 is round-off, "approximate" below 10 %, else "broken".

    >>> verdict(3e-16), verdict(0.03), verdict(0.4)
    ('exact', 'approximate', 'broken')

    Chapter: Measuring equivariance
    """
    return "exact" if error < ROUND_OFF else "approximate" if error < SMALL else "broken"


def verdicts(errors: Mapping[str, Mapping[str, float]]) -> Figure:
    """A table of relative errors, in percent, colored by their verdict.

    Args:
        errors: row → column → relative error; every row has the same columns.

    Returns:
        The figure.

    Raises:
        ValueError: if there is no row.

    >>> verdicts({"ReLU": {"90°": 1e-16, "45°": 0.03}, "stride": {"90°": 0.4, "45°": 0.2}})
    <Figure size ... with 1 Axes>

    Chapter: Measuring equivariance
    """
    if not errors:
        raise ValueError("there is no row to draw: errors is empty.")
    columns = list(next(iter(errors.values())))
    left, cell, height = 2.25, min(0.85, (PAGE - 2.3) / len(columns)), 0.28
    size = (2.3 + cell * len(columns), height * len(errors) + 0.9)
    with styled():
        figure = Figure(figsize=size)
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, size[0]), ylim=(size[1], 0))
        ax.axis("off")
        for k, column in enumerate(columns):
            ax.text(left + (k + 0.5) * cell, 0.27, column.replace(" by ", "\nby "), ha="center", va="center", size=10)
        for r, (row, values) in enumerate(errors.items()):
            top = 0.55 + r * height
            ax.text(left - 0.1, top + height / 2, row, ha="right", va="center", size=10)
            for k, column in enumerate(columns):
                word = verdict(values[column])
                box = (left + k * cell + 0.02, top + 0.02)
                ax.add_patch(
                    Rectangle(box, cell - 0.04, height - 0.04, facecolor=VERDICTS[word], alpha=0.28, edgecolor="none")
                )
                text = (
                    "exact" if word == "exact" else _percent(values[column]) + ("" if word == "approximate" else " ✗")
                )
                ax.text(left + (k + 0.5) * cell, top + height / 2, text, ha="center", va="center", size=10)
        handles = [Patch(facecolor=color, alpha=0.4) for color in VERDICTS.values()]
        names = ["exact", "approximate: below 10 %", "broken ✗"]
        ax.legend(handles, names, loc="lower right", ncols=3, borderaxespad=0.1)
    return figure


def _percent(error: float) -> str:
    percent = 100 * error
    return f"{percent:.0f} %" if percent >= 9.95 else f"{percent:.1f} %" if percent >= 0.095 else "< 0.1 %"


def error_parts(
    columns: Mapping[str, Mapping[str, float]], *, ylabel: str = "part of the error (% of the output)", top: float = 100
) -> Figure:
    """How much each kind of step contributes to the error of some networks, on a logarithmic axis.

    Args:
        columns: network → kind → relative size of its part.
        ylabel: the name of the axis.
        top: where the axis ends, in percent; it begins four powers of ten below.

    Returns:
        The figure.

    >>> error_parts({"gates": {"nonlinearity": 0.01}, "ReLU": {"nonlinearity": 0.2, "padding": 0.01}})
    <Figure size ... with 1 Axes>

    Chapter: Measuring equivariance
    """
    kinds = [kind for kind in KINDS if any(kind in parts for parts in columns.values())]
    width = 0.8 / max(len(kinds), 1)
    with styled():
        figure = Figure(figsize=(PAGE, 3.1), layout="constrained")
        ax = figure.subplots()
        low = top / 1e4
        for n, kind in enumerate(kinds):
            color, hatch = KINDS[kind]
            values = [100 * parts.get(kind, 0.0) for parts in columns.values()]
            places = np.arange(len(columns)) + (n - (len(kinds) - 1) / 2) * width
            heights = np.maximum(values, low) - low
            ax.bar(places, heights, 0.9 * width, bottom=low, color=color, alpha=0.75, hatch=hatch, label=kind)
        ax.set_yscale("log")
        ax.set(ylim=(low, top), ylabel=ylabel)
        ax.set_xticks(range(len(columns)), list(columns))
        ax.tick_params(axis="x", length=0)
        ax.grid(False, axis="x")
        figure.legend(loc="outside upper center", ncols=len(kinds), columnspacing=1.2, handlelength=1.4)
    return figure


def folded_wave(frequency: int, samples: int = 16, *, stride: int = 2) -> Figure:
    """A wave, its samples at every pixel, and the slowest wave through those that a stride keeps.

    Args:
        frequency: how many periods the wave has.
        samples: the number of pixels.
        stride: every how many of them are kept.

    Returns:
        The figure.

    >>> folded_wave(6)
    <Figure size 720x260 with 1 Axes>

    Chapter: Measuring equivariance
    """
    kept = samples // stride
    seen = (frequency + kept // 2) % kept - kept // 2  # the frequency between −kept/2 and kept/2
    fine = np.linspace(0, samples, 40 * samples + 1)
    pixels = np.arange(samples)
    with styled():
        figure = Figure(figsize=(PAGE, 2.6), layout="constrained")
        ax = figure.subplots()
        ax.plot(fine, np.cos(2 * math.pi * frequency * fine / samples), color=GREY, ls="-", lw=1.2)
        ax.plot(
            pixels, np.cos(2 * math.pi * frequency * pixels / samples), "o", color=GREY, ms=5, mfc="none", ls="none"
        )
        slow = np.cos(2 * math.pi * seen * fine / samples)
        ax.plot(fine, slow, color=COLORS["augmented"], ls="--", lw=2.2)
        stayed = pixels[::stride]
        ax.plot(
            stayed, np.cos(2 * math.pi * frequency * stayed / samples), "o", color=COLORS["augmented"], ms=8, ls="none"
        )
        ax.set(ylim=(-1.25, 1.25), xlabel="pixel", title=f"frequency {frequency}, read as {abs(seen)}")
        ax.set_xticks(range(0, samples + 1, stride))
        ax.grid(False)
    return figure


def spectra(
    signals: Mapping[str, Array], *, limits: Sequence[int] | None = None, stride: int = 2, highest: int | None = None
) -> Figure:
    """The size of each Fourier coefficient of some signals, one panel each, with the frequencies that fold.

    A dotted line marks the highest frequency that is left after a stride.

    Args:
        signals: name → (n,) samples of a signal on a ring.
        limits: for each signal how many samples a stride will keep or has kept; frequencies above half of it
            are drawn in another color. If not given, n/stride.
        stride: see limits.
        highest: the last frequency shown; half the longest signal if not given.

    Returns:
        The figure.

    >>> spectra({"a wave": np.cos(np.arange(16)), "its ReLU": np.maximum(np.cos(np.arange(16)), 0)})
    <Figure size ... with 2 Axes>

    Chapter: Measuring equivariance
    """
    arrays = {name: numbers(signal, f"the signal {name!r}").reshape(-1) for name, signal in signals.items()}
    if not arrays:
        raise ValueError("there is no signal to draw: signals is empty.")
    highest = max(len(a) for a in arrays.values()) // 2 if highest is None else highest
    chosen = [len(a) // stride for a in arrays.values()] if limits is None else list(limits)
    with styled():
        figure = Figure(figsize=(PAGE, 2.3), layout="constrained")
        axes = figure.subplots(1, len(arrays), sharey=True, squeeze=False)[0]
        for ax, (name, array), limit in zip(axes, arrays.items(), chosen, strict=True):
            sizes = np.abs(np.fft.rfft(array)) / len(array)
            k = np.arange(len(sizes))
            for high in (False, True):
                part = (k > limit / 2) == high
                color = COLORS["augmented"] if high else COLORS["nominal"]
                ax.bar(k[part], sizes[part], 0.8, color=color, hatch="///" if high else "", alpha=0.8)
            ax.axvline(limit / 2, color=GREY, ls=":", lw=1.2)
            ax.set(xlim=(-0.8, highest + 0.8), title=name, xlabel="frequency")
            ax.set_xticks([0, limit / 2, highest], ["0", f"{limit / 2:g}", str(highest)])
            ax.grid(False)
        axes[0].set_ylabel("size")
    return figure
