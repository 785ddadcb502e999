"""The figure that moves: as a fragment of HTML, in a browser, and as widgets under a kernel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

import equibook as eq
from tests.support import ROOT, missing

VARIABLE = "EQUIBOOK_EXPLORE"


def turned(quarter: int) -> eq.figures.Figure:
    return eq.figures.images(torch.rot90(torch.arange(16.0).reshape(4, 4), quarter), size=2)


def scaled(factor: float, kind: str) -> eq.figures.Figure:
    matrix = torch.eye(3) if kind == "identity" else torch.ones(3, 3)
    return eq.figures.matrices(factor * matrix, limit=2, size=2)


@pytest.fixture
def one() -> eq.figures.Explorer:
    return eq.figures.explore(turned, alt=lambda quarter: f"A ramp, turned {quarter} times.", quarter=range(4))


@pytest.fixture
def two() -> eq.figures.Explorer:
    return eq.figures.explore(
        scaled,
        alt='A "matrix" of <numbers>.',
        labels={"factor": "factor γ"},
        factor=np.linspace(-1, 2, 4),
        kind=["identity", "all ones"],
    )


# ---- the fragment -----------------------------------------------------------------------------


class Reader(HTMLParser):
    """The tags of a fragment, each with its attributes; complains of tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_every_frame_is_there_and_described(one: eq.figures.Explorer) -> None:
    page = Reader(one.to_html())
    frames = page.all("img")
    assert [frame["alt"] for frame in frames] == [f"A ramp, turned {n} times." for n in range(4)]
    assert ["hidden" in frame for frame in frames] == [False, True, True, True]
    assert len({(frame["width"], frame["height"]) for frame in frames}) == 1
    assert len({frame["src"] for frame in frames}) == 4


def test_controls_are_labeled(two: eq.figures.Explorer) -> None:
    page = Reader(two.to_html())
    sliders = page.all("input")
    assert [label["for"] for label in page.all("label")] == [slider["id"] for slider in sliders]
    assert [output["for"] for output in page.all("output")] == [slider["id"] for slider in sliders]
    assert [slider["aria-valuetext"] for slider in sliders] == ["−1", "identity"]
    assert [slider["max"] for slider in sliders] == ["3", "1"]
    assert page.all("img")[0]["alt"] == 'A "matrix" of <numbers>. (factor γ = −1, kind = identity)'
    assert "factor γ</label>" in two.to_html()


def test_the_fragment_needs_nothing(two: eq.figures.Explorer) -> None:
    text = two.to_html()
    assert "http" not in text and "<script" not in text and "<link" not in text
    assert {source["src"][:22] for source in Reader(text).all("img")} == {"data:image/png;base64,"}  # type: ignore[index]


def test_ids_are_the_same_in_every_run_and_unlike_others() -> None:
    def ids(**options: Any) -> set[str]:
        page = Reader(eq.figures.explore(turned, **options).to_html())
        return {attributes["id"] for _, attributes in page.tags if attributes.get("id")}  # type: ignore[misc]

    assert ids(alt="a", quarter=range(2)) == ids(alt="a", quarter=range(2))
    assert not ids(alt="a", quarter=range(2)) & ids(alt="a", quarter=range(3))
    assert not ids(alt="a", quarter=range(2)) & ids(alt="b", quarter=range(2))
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in ids(alt="a", quarter=range(2)))


def test_what_is_saved_is_the_same_in_every_run() -> None:
    bundles = [eq.figures.explore(turned, alt="a", quarter=range(2))._repr_mimebundle_() for _ in range(2)]
    assert bundles[0] == bundles[1]
    assert bundles[0]["text/plain"] == "Explorer(turned, quarter=[0, 1])"
    assert set(bundles[0]) == {"text/html", "text/plain"}


def test_frames_are_light(one: eq.figures.Explorer) -> None:
    assert len(one.to_html()) < 20_000

    def curves(n: int) -> eq.figures.Figure:
        noise = torch.rand(100, 8, generator=torch.Generator().manual_seed(n))
        return eq.figures.trajectories({"nominal": noise + 0.1, "augmented": 2 * noise + 0.2})

    assert len(eq.figures.explore(curves, alt="Noise.", n=range(3)).to_html()) < 3 * 50_000


def test_pyplot_figures_are_closed() -> None:
    kept = plt.figure()

    def draw(n: int) -> matplotlib.figure.Figure:
        plt.figure()  # one that is forgotten
        figure, ax = plt.subplots(figsize=(3, 2))
        ax.plot([0, n])
        if n == 3:
            raise ArithmeticError("three")
        return figure

    eq.figures.explore(draw, alt="A line.", n=[1, 2]).to_html()
    with pytest.raises(ArithmeticError):
        eq.figures.explore(draw, alt="A line.", n=[3]).to_html()
    assert plt.get_fignums() == [kept.number]  # type: ignore[attr-defined]
    plt.close(kept)


# ---- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ranges", "error", "message"),
    [
        ({}, ValueError, "one or two sliders"),
        ({"a": [1], "b": [1], "c": [1]}, ValueError, "one or two sliders"),
        ({"n": []}, ValueError, "range of n is empty"),
        ({"n": range(41)}, ValueError, "41 frames are too many"),
        ({"n": range(7), "m": range(6)}, ValueError, "42 frames are too many"),
        ({"n": [1, 1]}, ValueError, "repeats"),
        ({"n": [0.1234567, 0.1234568]}, ValueError, "repeats"),
        ({"n": 3}, TypeError, "must be a range"),
        ({"n": "abc"}, TypeError, "must be a range"),
        ({"n": [None]}, TypeError, "numbers and texts"),
    ],
)
def test_bad_ranges_are_named(ranges: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        eq.figures.explore(turned, alt="", **ranges)


def test_other_bad_input_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="calling a function"):
        eq.figures.explore(3, alt="", n=[1])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"labels names \['m'\]"):
        eq.figures.explore(turned, alt="", labels={"m": "m"}, n=[1])
    with pytest.raises(TypeError, match="returned NoneType"):
        eq.figures.explore(lambda n: None, alt="", n=[1]).to_html()  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match="same figsize"):
        eq.figures.explore(lambda n: eq.figures.Figure(figsize=(n, 1)), alt="", n=[1, 2]).to_html()
    monkeypatch.setenv(VARIABLE, "dead")
    with pytest.raises(ValueError, match='"static", "live"'):
        eq.figures.explore(turned, alt="", quarter=[1])._ipython_display_()


def test_numbers_of_numpy_and_torch_arrive_as_pythons() -> None:
    seen: list[object] = []

    def draw(n: object) -> eq.figures.Figure:
        seen.append(n)
        return eq.figures.Figure(figsize=(1, 1))

    eq.figures.explore(draw, alt="", n=torch.tensor([1, 2])).to_html()
    eq.figures.explore(draw, alt="", n=np.array([0.5])).to_html()
    assert seen == [1, 2, 0.5] and [type(n) for n in seen] == [int, int, float]


# ---- in a browser -----------------------------------------------------------------------------

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
SHOWN = "figure => Array.from(figure.querySelectorAll('img'), i => i.offsetParent !== null)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("browser", "playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        missing("browser", "there is no Chromium here")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS.split())
        yield running
        running.close()


@pytest.fixture
def tab(browser: Any, one: eq.figures.Explorer, two: eq.figures.Explorer, tmp_path: Path) -> Iterator[Any]:
    """A phone's page with two explorers; any request or complaint of the console fails the test."""
    file = tmp_path / "page.html"
    file.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Two</title>'
        '<meta name="viewport" content="width=device-width"></head>'
        f"<body><main><h1>Two</h1>{one.to_html()}{two.to_html()}</main></body></html>",
        encoding="utf-8",
    )
    page = browser.new_page(viewport={"width": 390, "height": 800})
    complaints: list[str] = []
    page.on("request", lambda r: complaints.append(r.url) if not r.url.startswith(("file:", "data:")) else None)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    yield page
    page.close()
    assert complaints == []


def test_the_keyboard_moves_one_figure_and_not_the_other(tab: Any) -> None:
    first, second = tab.query_selector_all(".equibook-explore")
    slider, output = first.query_selector("input"), first.query_selector("output")
    assert first.evaluate(SHOWN) == [True, False, False, False]
    slider.focus()
    tab.keyboard.press("ArrowRight")
    assert first.evaluate(SHOWN) == [False, True, False, False]
    assert output.inner_text() == "1" and slider.get_attribute("aria-valuetext") == "1"
    tab.keyboard.press("End")
    assert first.evaluate(SHOWN) == [False, False, False, True]
    tab.keyboard.press("Home")
    assert first.evaluate(SHOWN)[0] and second.evaluate(SHOWN)[0]


def test_the_mouse_moves_the_figure(tab: Any) -> None:
    figure = tab.query_selector(".equibook-explore")
    box = figure.query_selector("input").bounding_box()
    tab.mouse.click(box["x"] + 0.97 * box["width"], box["y"] + box["height"] / 2)
    assert figure.evaluate(SHOWN) == [False, False, False, True]


def test_two_sliders_choose_a_frame_together(tab: Any) -> None:
    figure = tab.query_selector_all(".equibook-explore")[1]
    number, kind = figure.query_selector_all("input")
    number.focus()
    tab.keyboard.press("ArrowRight")
    kind.focus()
    tab.keyboard.press("ArrowRight")
    alts = figure.evaluate("f => Array.from(f.querySelectorAll('img:not([hidden])'), i => i.alt)")
    assert alts == ['A "matrix" of <numbers>. (factor γ = 0, kind = all ones)']
    assert sum(figure.evaluate(SHOWN)) == 1
    assert [out.inner_text() for out in figure.query_selector_all("output")] == ["0", "all ones"]


def test_no_overflow_on_a_phone_and_the_focus_is_seen(tab: Any) -> None:
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.keyboard.press("Tab")
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_no_barrier(tab: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    assert axe.Axe().run(tab).response["violations"] == []


# ---- under a kernel ---------------------------------------------------------------------------

#: Runs cells in a real kernel and prints what each shows: for the Python of any environment.
CLIENT = """
import json, sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3", cwd=sys.argv[2])
shown = []
def hook(message):
    content = message["content"]
    if message["msg_type"] in ("display_data", "execute_result"):
        shown[-1].append(sorted(content["data"]))
    elif message["msg_type"] in ("stream", "error"):
        shown[-1].append(content.get("text") or content["traceback"])
for cell in json.loads(sys.argv[1]):
    shown.append([])
    client.execute_interactive(cell, output_hook=hook, timeout=120)
client.stop_channels()
manager.shutdown_kernel(now=True)
print(json.dumps(shown))
"""

CELLS = {
    "nothing": """
import os
import equibook as eq, torch
eq.figures.use_style()
def draw(n, kind):
    return eq.figures.matrices(torch.eye(n) if kind == "one" else -torch.eye(n), size=2)
explorer = eq.figures.explore(draw, alt="A matrix.", n=[2, 3], kind=["one", "minus"])
""",
    "a plot": "draw(2, 'one')",
    "live": "explorer",
    "moved": """
n, kind, picture = explorer.to_widget().children
before = picture.value
n.value, kind.value = 1, 1
assert picture.value != before and 'alt="A matrix. (n = 3, kind = minus)"' in picture.value
assert (n.description, kind.description) == ("n", "kind")
print("moved")
""",
    "failed": """
def fails(n):
    if n: raise ArithmeticError("no <figure>")
    return draw(2, "one")
slider, picture = eq.figures.explore(fails, alt="", n=[0, 1]).to_widget().children
slider.value = 1
print(picture.value)
""",
    "static": "os.environ['EQUIBOOK_EXPLORE'] = 'static'\nexplorer",
    "own plot": """
import matplotlib.pyplot as plt
figure, ax = plt.subplots()
ax.plot([1, 2]);
""",
    "a plot beside pyplot": "draw(2, 'one')",
}

PICTURE = ["image/png", "text/plain"]


@pytest.mark.parametrize(
    "python",
    [
        pytest.param(Path(sys.executable), id="here"),
        pytest.param(ROOT / ".venv-colab" / "bin" / "python", id="colab"),
    ],
)
def test_under_a_kernel(python: Path, tmp_path: Path) -> None:
    """With ipywidgets 8 here and 7.7 in Colab's environment."""
    if not python.exists():
        missing("colab", "there is no .venv-colab: say make colab")
    inherited = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "MPLBACKEND")}
    done = subprocess.run(
        [str(python), "-c", CLIENT, json.dumps(list(CELLS.values())), str(tmp_path)],
        env=inherited | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    shown = dict(zip(CELLS, json.loads(done.stdout.splitlines()[-1]), strict=True))
    assert "application/vnd.jupyter.widget-view+json" in shown["live"].pop()[0]
    assert shown == {
        "nothing": [],
        "a plot": [PICTURE],
        "live": [],
        "moved": ["moved\n"],
        "failed": ["<pre>ArithmeticError: no &lt;figure&gt;</pre>\n"],
        "static": [["text/html", "text/plain"]],
        "own plot": [PICTURE],
        "a plot beside pyplot": [PICTURE],
    }
