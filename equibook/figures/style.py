"""One look for every figure: it reads on a white and on a near-black page.

The background is transparent and text is a mid grey, whose contrast is about 4.2 : 1 on both
sides. Colors are those of Okabe and Ito, and a color never stands alone: each way of training
has a line style of its own.
"""

from __future__ import annotations

import base64
import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import matplotlib
import matplotlib.figure
from cycler import cycler
from PIL import Image

__all__ = ["COLORS", "LINES", "Figure", "png", "use_style"]

#: Text, ticks and frames: the grey that is equally far from white and from near-black.
GREY = "#7b7b7b"

#: The color of each way of training, and of the equivariant layers E themselves.
COLORS: Mapping[str, str] = MappingProxyType(
    {
        "nominal": "#0072B2",
        "augmented": "#D55E00",
        "equivariant": "#009E73",
        "regularized": "#CC79A7",
        "relaxed": "#E69F00",
        "E": "#888888",
    }
)

#: The line style that goes with each color, in matplotlib's terms.
LINES: Mapping[str, Any] = MappingProxyType(
    {
        "nominal": ":",
        "augmented": "--",
        "equivariant": "-",
        "regularized": "-.",
        "relaxed": (0, (8, 3)),
        "E": "-",
    }
)

#: Pixels an inch at which a figure is shown; it is saved at a multiple of this.
DPI = 100

#: The width of a page of the book, in inches.
PAGE = 7.2

STYLE: dict[Any, Any] = {
    "figure.dpi": DPI,
    "figure.figsize": (5.6, 3.6),
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "legend.facecolor": "none",
    "legend.frameon": False,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "hatch.color": GREY,
    "patch.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "lines.linewidth": 2.0,
    "image.interpolation": "nearest",
    "axes.prop_cycle": cycler(
        color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"],
        linestyle=[":", "--", "-", "-.", (0, (8, 3)), (0, (3, 1, 1, 1, 1, 1))],
    ),
}


def use_style() -> None:
    """Give the figures made from now on the look of the book; a second call changes nothing.

    The plots of :mod:`equibook.figures` have that look anyway: this is for figures of your own.
    In a notebook, those are also saved at twice the resolution at which they are shown.

    >>> use_style()
    >>> matplotlib.rcParams["figure.facecolor"]
    'none'

    Chapter: Intertwiners
    """
    matplotlib.rcParams.update(STYLE)
    shell = kernel_shell()
    if shell is not None:
        with contextlib.suppress(ImportError):
            from matplotlib_inline.config import InlineBackend

            InlineBackend.instance(parent=shell).figure_formats = {"retina"}
        # That registers a formatter for every figure, ours included, and it goes before our own representation.
        formatter = shell.display_formatter.formatters["image/png"]
        formatter.for_type(Figure, lambda figure: (png(figure), _metadata(figure)))


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """The look of the book inside a ``with`` block, the reader's own outside it."""
    with matplotlib.rc_context(STYLE):
        yield


def in_inches(width: float, height: float) -> tuple[Figure, matplotlib.axes.Axes]:
    """A figure with one axes whose units are inches, y downwards."""
    figure = Figure(figsize=(width, height))
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    return figure, ax


def kernel_shell() -> Any | None:
    """The running IPython shell if it belongs to a notebook's kernel, else None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if hasattr(shell, "kernel") else None


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that shows itself in a notebook, small as a file and sharp on a page.

    It is not registered with pyplot: it is shown once, as the value of its cell, and needs not
    be closed.

    >>> Figure(figsize=(4, 3))
    <Figure size 400x300 with 0 Axes>

    Chapter: Intertwiners
    """

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
        data = base64.b64encode(png(self)).decode()
        return {"image/png": data, "text/plain": repr(self)}, {"image/png": _metadata(self)}


def _metadata(figure: matplotlib.figure.Figure) -> dict[str, int]:
    width, height = shown_size(figure)
    return {"width": width, "height": height}


def shown_size(figure: matplotlib.figure.Figure) -> tuple[int, int]:
    """Width and height of a figure on the page, in pixels."""
    width, height = figure.get_size_inches()
    return round(width * DPI), round(height * DPI)


def png(figure: matplotlib.figure.Figure, *, scale: float = 2.0, colors: int = 128) -> bytes:
    """A figure as a PNG file with a palette, several times smaller than matplotlib's own.

    Args:
        figure: any matplotlib figure; it is not closed.
        scale: pixels of the file for one pixel of the page.
        colors: the size of the palette, 2 to 256; transparency counts.

    Returns:
        The bytes of the file.

    >>> png(Figure(figsize=(2, 1)))[1:4]
    b'PNG'

    Chapter: Intertwiners
    """
    full = io.BytesIO()
    with styled():
        figure.savefig(full, format="png", dpi=DPI * scale, facecolor="none", edgecolor="none")
    picture = Image.open(full).convert("RGBA")
    small = io.BytesIO()
    # The octree is Pillow's one method that keeps transparency.
    palette = picture.quantize(colors, method=Image.Quantize.FASTOCTREE)
    palette.save(small, format="PNG", optimize=True)
    return small.getvalue()
