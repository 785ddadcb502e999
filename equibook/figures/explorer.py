"""Figures that the reader can move: live under a kernel, and without one on the static page.

On the page, an explorer is a range input over frames that were drawn before. It is one fragment
of HTML that holds its frames and needs nothing else: no script file, no request, no kernel.
"""

from __future__ import annotations

import base64
import hashlib
import html
import importlib
import inspect
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import matplotlib.figure

from .style import kernel_shell, png, shown_size, styled

__all__ = ["Explorer", "explore"]

Value: TypeAlias = "int | float | str"

#: More frames than this make a page too heavy.
MAX_FRAMES = 40

#: The environment variable that chooses between the two forms: "static" or "live".
VARIABLE = "EQUIBOOK_EXPLORE"

#: Moves every control's text to its value and shows the frame they choose together.
HANDLER = (
    "const r=this.closest('.equibook-explore');let i=0;"
    "for(const s of r.querySelectorAll('input')){"
    "const v=JSON.parse(s.dataset.values),t=v[s.value];"
    "i=i*v.length+Number(s.value);"
    "s.setAttribute('aria-valuetext',t);s.nextElementSibling.value=t}"
    "r.querySelectorAll('img').forEach((m,j)=>{m.hidden=j!==i})"
)

LOOK = (
    ".equibook-explore{max-width:100%}"
    ".equibook-explore p{display:flex;flex-wrap:wrap;align-items:center;gap:.25rem .75rem;"
    "margin:.25rem 0}"
    ".equibook-explore input{flex:1 1 10rem;min-width:0;max-width:28rem;min-height:2.25rem}"
    ".equibook-explore input:focus-visible{outline:3px solid #0072B2;outline-offset:2px}"
    ".equibook-explore output{min-width:4ch}"
    ".equibook-explore img{max-width:100%;height:auto;background:transparent}"
    ".equibook-explore img[hidden]{display:none}"
)


def explore(
    function: Callable[..., matplotlib.figure.Figure],
    *,
    alt: str | Callable[..., str],
    labels: Mapping[str, str] | None = None,
    **ranges: Iterable[Value],
) -> Explorer:
    """A figure with one or two sliders, live in a notebook and without a kernel on a page.

    Under a kernel with ipywidgets, the function is called when a slider moves. Otherwise every
    frame is drawn at once and the result is HTML that works by itself. The environment variable
    ``EQUIBOOK_EXPLORE`` (``static`` or ``live``) overrules that.

    Args:
        function: called as ``function(**values)``; draws and returns a matplotlib figure. All
            figures must have the same size.
        alt: what one sees and what it means; a text, or a function of the values that gives one.
        labels: name → text beside the slider, where the name itself does not do.
        **ranges: name → the values of a slider, one or two of them; at most 40 frames in all.

    Returns:
        An explorer, which shows itself as the value of a notebook's cell.

    Raises:
        ValueError: if a range is empty or repeats a value, or there would be too many frames.
        TypeError: if a value is neither a number nor a text.

    >>> import equibook as eq, torch
    >>> def turned(quarter):
    ...     return eq.figures.matrices(torch.rot90(torch.eye(2), quarter))
    >>> eq.figures.explore(turned, alt="A matrix, turned.", quarter=range(4))
    Explorer(turned, quarter=[0, 1, 2, 3])

    Chapter: Intertwiners, Group convolution, Compatibility, Attraction
    """
    if not callable(function):
        raise TypeError(f"explore draws by calling a function, but was given {function!r}.")
    if not 1 <= len(ranges) <= 2:
        raise ValueError(
            f"explore has one or two sliders, but {len(ranges)} ranges were given: "
            "pass each as name=values, such as step=range(5)."
        )
    unknown = sorted(set(labels or {}) - set(ranges))
    if unknown:
        raise ValueError(f"labels names {unknown}, but the sliders are {sorted(ranges)}.")
    controls = [Control.make(name, values, (labels or {}).get(name)) for name, values in ranges.items()]
    frames = 1
    for control in controls:
        frames *= len(control.values)
    if frames > MAX_FRAMES:
        raise ValueError(
            f"{frames} frames are too many for a page; give ranges with at most {MAX_FRAMES} combinations."
        )
    return Explorer(function, tuple(controls), alt)


@dataclass(frozen=True)
class Control:
    """One slider: the function's argument, the text beside it, and its values."""

    name: str
    label: str
    values: tuple[Value, ...]

    @classmethod
    def make(cls, name: str, values: Iterable[Value], label: str | None) -> Control:
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise TypeError(f"{name} must be a range or a sequence of values, not {values!r}.")
        plain = tuple(_plain(name, value) for value in values)
        if not plain:
            raise ValueError(f"the range of {name} is empty; give it at least one value.")
        texts = [_text(value) for value in plain]
        if len(set(texts)) < len(texts):
            raise ValueError(f"the range of {name} repeats a value, as it is written: {texts}.")
        return cls(name, label or name.replace("_", " "), plain)

    @property
    def texts(self) -> list[str]:
        """The values as the reader sees them."""
        return [_text(value) for value in self.values]


def _plain(name: str, value: Any) -> Value:
    """A Python number or text, also from a number of numpy or torch."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, (int, float, str)):
        return value
    raise TypeError(f"a value of {name} is {value!r}; sliders move over numbers and texts.")


def _text(value: Value) -> str:
    return f"{value:g}".replace("-", "−") if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Frame:
    """One drawn figure: a PNG file, its size on the page, and what it shows in words."""

    data: bytes
    width: int
    height: int
    alt: str

    def html(self, *, hidden: bool = False) -> str:
        """The frame as an image that holds its own data."""
        source = "data:image/png;base64," + base64.b64encode(self.data).decode()
        return (
            f'<img class="dark-light" src="{source}" alt="{html.escape(self.alt)}" '
            f'width="{self.width}" height="{self.height}" '
            f'style="max-width:100%;height:auto"{" hidden" if hidden else ""}>'
        )


class Explorer:
    """What :func:`explore` returns: a figure with sliders, which shows itself in a notebook.

    >>> import equibook as eq, torch
    >>> explorer = eq.figures.explore(
    ...     lambda n: eq.figures.matrices(torch.eye(n)), alt="The identity.", n=[2, 3]
    ... )
    >>> explorer.to_html().count("<img")
    2

    Chapter: Intertwiners
    """

    def __init__(
        self,
        function: Callable[..., matplotlib.figure.Figure],
        controls: tuple[Control, ...],
        alt: str | Callable[..., str],
    ) -> None:
        self.function = function
        self.controls = controls
        self.alt = alt
        self._frames: dict[tuple[int, ...], Frame] = {}

    def __repr__(self) -> str:
        ranges = "".join(f", {control.name}={list(control.values)}" for control in self.controls)
        return f"Explorer({_name(self.function)}{ranges})"

    @property
    def positions(self) -> list[tuple[int, ...]]:
        """Every combination of slider positions, the last slider moving fastest."""
        return list(itertools.product(*(range(len(c.values)) for c in self.controls)))

    def frame(self, position: tuple[int, ...]) -> Frame:
        """The frame at one position of the sliders; drawn the first time it is asked for."""
        if position not in self._frames:
            values = {c.name: c.values[i] for c, i in zip(self.controls, position, strict=True)}
            frame = self._draw(values)
            for other in self._frames.values():
                if (frame.width, frame.height) != (other.width, other.height):
                    raise ValueError(
                        f"{_name(self.function)} returned figures of {other.width} × {other.height} and "
                        f"{frame.width} × {frame.height} pixels: give all of them the same figsize."
                    )
            self._frames[position] = frame
        return self._frames[position]

    def to_html(self) -> str:
        """The static form: one fragment of HTML that works alone, by mouse and by keyboard."""
        frames = [self.frame(position) for position in self.positions]
        identity = self._identity([frame.alt for frame in frames])
        rows = [self._row(control, f"{identity}-{_slug(control.name)}") for control in self.controls]
        pictures = [frame.html(hidden=i > 0) for i, frame in enumerate(frames)]
        return "\n".join(
            [
                f'<div class="equibook-explore" id="{identity}">',
                f"<style>{LOOK}</style>",
                *rows,
                "<div>",
                *pictures,
                "</div>",
                "</div>",
            ]
        )

    def to_widget(self) -> Any:
        """The live form: ipywidgets' sliders over a picture that is drawn when they move."""
        widgets = importlib.import_module("ipywidgets")
        sliders = [
            widgets.SelectionSlider(
                options=list(zip(control.texts, range(len(control.values)), strict=True)),
                description=control.label,
                style={"description_width": "initial"},
                layout={"width": "min(100%, 28rem)"},
            )
            for control in self.controls
        ]
        # widgets.Image has no alternative text: HTML with the same <img> as the page has one.
        picture = widgets.HTML(layout={"width": "auto"})

        def show(_: Any = None) -> None:
            try:
                picture.value = self.frame(tuple(slider.value for slider in sliders)).html()
            except Exception as error:  # the front end would drop it without a word
                picture.value = f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"

        for slider in sliders:
            slider.observe(show, names="value")
        show()
        return widgets.VBox([*sliders, picture])

    def _ipython_display_(self) -> None:
        if not _live():
            raise NotImplementedError  # IPython then asks for the static form
        from IPython.display import display

        display(self.to_widget())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.to_html(), "text/plain": repr(self)}

    def _draw(self, values: dict[str, Value]) -> Frame:
        with styled(), _closing():
            figure = self.function(**values)
            if not isinstance(figure, matplotlib.figure.Figure):
                raise TypeError(
                    f"{_name(self.function)} returned {type(figure).__name__}; it must return "
                    "the matplotlib figure that it draws."
                )
            data = png(figure, scale=1.5, colors=48)
            return Frame(data, *shown_size(figure), self._describe(values))

    def _describe(self, values: dict[str, Value]) -> str:
        if callable(self.alt):
            return str(self.alt(**values))
        now = ", ".join(f"{c.label} = {_text(values[c.name])}" for c in self.controls)
        return f"{self.alt} ({now})"

    def _row(self, control: Control, identity: str) -> str:
        label, texts = html.escape(control.label), control.texts
        return (
            f'<p><label for="{identity}">{label}</label>'
            f'<input type="range" id="{identity}" min="0" max="{len(texts) - 1}" step="1" value="0" '
            f'autocomplete="off" aria-valuetext="{html.escape(texts[0])}" '
            f'data-values="{html.escape(json.dumps(texts, ensure_ascii=False))}" '
            f'oninput="{html.escape(HANDLER, quote=False)}">'
            f'<output for="{identity}" aria-live="polite">{html.escape(texts[0])}</output></p>'
        )

    def _identity(self, alts: list[str]) -> str:
        """An id that is the same on every machine and different for every explorer of a page."""
        try:
            source = inspect.getsource(self.function)
        except (OSError, TypeError):
            source = ""
        content = json.dumps([repr(self), [c.label for c in self.controls], alts, source])
        digest = hashlib.sha256(content.encode()).hexdigest()[:8]
        names = [_name(self.function), *(control.name for control in self.controls)]
        return "-".join(["explore", *map(_slug, names), digest])


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _slug(text: str) -> str:
    return re.sub(r"\W+", "-", text).strip("-") or "figure"


def _live() -> bool:
    """Whether to show widgets: as the environment says, else where a kernel can."""
    choice = os.environ.get(VARIABLE, "").strip().lower()
    if choice in ("static", "live"):
        return choice == "live"
    if choice:
        raise ValueError(f'{VARIABLE} is {choice!r}; it must be "static", "live" or unset.')
    if kernel_shell() is None:
        return False
    try:
        importlib.import_module("ipywidgets")
    except ImportError:
        return False
    return True


@contextmanager
def _closing() -> Iterator[None]:
    """Close the pyplot figures that are opened inside, whatever happens."""

    def numbers() -> set[int]:
        pyplot = sys.modules.get("matplotlib.pyplot")
        return set(pyplot.get_fignums()) if pyplot is not None else set()

    before = numbers()
    try:
        yield
    finally:
        for number in numbers() - before:
            sys.modules["matplotlib.pyplot"].close(number)
