"""The built book in a browser: every page of _build/html, served on localhost, in Chromium.

`make pages` builds the book first. Each page is opened once on a wide light screen, once on a phone,
and once in the dark; axe-core looks at it in both colors.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

import pytest
import yaml

from tests.support import ROOT, missing

HTML = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
ADDRESS: str = CONFIG["repository"]["url"]
BRANCH: str = CONFIG["repository"]["branch"]
HEAVIEST = 1_500_000  # bytes of a page beside the scripts, styles and fonts that all pages share
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = sorted(
    str(path.relative_to(HTML))
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts and path != HTML / "index.html"
)
NOTEBOOKS = [page for page in PAGES if (ROOT / page).with_suffix(".ipynb").exists()]

READY = """async () => {
    if (window.MathJax && window.MathJax.startup) await window.MathJax.startup.promise;
    await document.fonts.ready;
    document.querySelectorAll("details").forEach(fold => { fold.open = true; });
    document.querySelectorAll(".toggle-hidden").forEach(fold => { fold.classList.remove("toggle-hidden"); });
    await new Promise(resume => setTimeout(resume, 400));
}"""

# what sticks out of the screen and stands in no box that scrolls or clips
STICKS_OUT = """() => {
    const wide = document.documentElement.clientWidth, found = [];
    const boxed = node => {
        for (let up = node.parentElement; up && !up.matches("body, .bd-article-container"); up = up.parentElement)
            if (getComputedStyle(up).overflowX !== "visible") return true;
        return false;
    };
    for (const node of document.querySelectorAll(".bd-article *, .bd-content footer *")) {
        const box = node.getBoundingClientRect();
        if (box.width > 1 && box.right > wide + 1 && !boxed(node) && !node.closest("mjx-assistive-mml"))
            found.push(node.tagName + "." + node.className + " " + Math.round(box.right));
    }
    return found.slice(0, 5);
}"""

# the frame one sees in a slider's figure
FRAME = """figure => [...figure.querySelectorAll("img, svg")]
    .filter(i => i.getClientRects().length && getComputedStyle(i).visibility !== "hidden")
    .map(i => i.src || i.outerHTML).join("|")"""


@dataclass
class Seen:
    """What a page asked for and complained about."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The built book on a free port of localhost."""
    if not PAGES:
        missing("browser", "the book is not built: say make book")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def browser(site: str) -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing("browser", "no Chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


def visit(browser: Any, site: str, page: str, width: int = 1280, scheme: str = "light") -> tuple[Any, Seen]:
    """Open a page, wait for its math, unfold what is folded."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    tab, seen = context.new_page(), Seen()
    tab.on("request", lambda request: seen.requests.append(request.url))
    tab.on("pageerror", lambda error: seen.complaints.append(str(error)))
    tab.on("console", lambda line: seen.complaints.append(line.text) if line.type in ("error", "warning") else None)
    tab.on("response", lambda answer: seen.complaints.append(answer.url) if answer.status >= 400 else None)
    tab.goto(f"{site}/{page}", wait_until="load")
    tab.evaluate(READY)
    return tab, seen


def violations(tab: Any) -> list[str]:
    """The serious and critical findings of axe-core."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{finding['impact']} {finding['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for finding in found
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"]
    ]


def test_the_book_is_there(site: str) -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = [toc["root"]]
    for part in toc["parts"]:
        for chapter in part["chapters"]:
            files += [chapter["file"], *[section["file"] for section in chapter.get("sections", [])]]
    assert not [name for name in files if f"{name}.html" not in PAGES]
    assert (HTML / "index.html").stat().st_size > 0


@pytest.mark.parametrize("page", PAGES)
def test_a_page_on_a_wide_screen(page: str, browser: Any, site: str) -> None:
    tab, seen = visit(browser, site, page)
    try:
        foreign = [url for url in seen.requests if not url.startswith((site, "data:", "blob:"))]
        assert not foreign, "a page asks no other host"
        assert not seen.complaints

        typeset = "() => [...document.querySelectorAll('.math')].map(m => !!m.querySelector('mjx-container'))"
        math = tab.evaluate(typeset)
        assert all(math), f"{math.count(False)} formulas are not typeset"
        broken = "() => [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(e => e.textContent)"
        assert not tab.evaluate(broken)

        look = "i => [i.alt, i.complete && i.naturalWidth, i.src.slice(0, 80)]"
        for alt, width, source in tab.evaluate(f"() => [...document.querySelectorAll('img')].map({look})"):
            assert width, f"an image does not load: {source}"
            words = len(alt) >= 3 and not alt.endswith((".png", ".svg", ".jpg"))
            assert words or (alt and "/_static/" in source), f"an image has no alt text: {source}"
        own = {urlparse(url).path.lstrip("/") for url in seen.requests if url.startswith(site)}
        own = {path for path in own if not path.startswith("_static/") and path not in ("equibook.css", "equibook.js")}
        assert page in own
        weight = sum((HTML / path).stat().st_size for path in own)
        assert weight <= HEAVIEST, f"the page weighs {weight / 1e6:.2f} MB"

        assert not (found := violations(tab)), "\n".join(found)  # last: axe asks for files itself
    finally:
        tab.context.close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_on_a_phone(page: str, browser: Any, site: str) -> None:
    tab, _ = visit(browser, site, page, width=390)
    try:
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= 390
        assert not tab.evaluate(STICKS_OUT)
    finally:
        tab.context.close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_in_the_dark(page: str, browser: Any, site: str) -> None:
    tab, _ = visit(browser, site, page, scheme="dark")
    try:
        assert tab.evaluate("() => document.documentElement.dataset.theme") == "dark"
        style = """() => [...document.querySelectorAll(".bd-content img")].map(i => [getComputedStyle(i).filter,
            getComputedStyle(i).backgroundColor, getComputedStyle(i.closest(".output") || i).backgroundColor])"""
        for look in tab.evaluate(style):
            assert look[0] == "none", "the theme greys a figure"
            assert look[1] == "rgba(0, 0, 0, 0)", "a figure stands on a slab"
        assert not (found := violations(tab)), "\n".join(found)
    finally:
        tab.context.close()


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_sliders_move_the_figure(page: str, browser: Any, site: str) -> None:
    tab, seen = visit(browser, site, page)
    try:
        figures = tab.query_selector_all(".equibook-explore")
        assert figures, "a chapter has a figure that the reader can move"
        for figure in figures:
            for slider in figure.query_selector_all("input[type=range]"):
                label = "s => s.getAttribute('aria-label') || (s.labels && s.labels.length)"
                assert slider.evaluate(label), "a slider has a name"
                slider.scroll_into_view_if_needed()

                before = figure.evaluate(FRAME)
                assert before
                slider.focus()
                at_end = slider.evaluate("s => Number(s.value) >= Number(s.max)")
                tab.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
                assert figure.evaluate(FRAME) != before, "the arrow keys change the figure"

                tab.keyboard.press("Home")
                first = figure.evaluate(FRAME)
                box = slider.bounding_box()
                tab.mouse.click(box["x"] + 0.97 * box["width"], box["y"] + box["height"] / 2)
                assert figure.evaluate(FRAME) != first, "a click changes the figure"
                tab.keyboard.press("End")
                assert figure.evaluate(FRAME) != first
        assert not seen.complaints
    finally:
        tab.context.close()


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_the_colab_button_leads_to_the_notebook(page: str, browser: Any, site: str) -> None:
    tab, _ = visit(browser, site, page)
    try:
        links = tab.evaluate("() => [...document.querySelectorAll('a[href*=\"colab.research\"]')].map(a => a.href)")
        name = ADDRESS.removeprefix("https://github.com/")
        path = page.removesuffix(".html") + ".ipynb"
        assert (ROOT / path).is_file()
        assert set(links) == {f"https://colab.research.google.com/github/{name}/blob/{BRANCH}/{path}"}
    finally:
        tab.context.close()
