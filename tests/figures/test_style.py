"""The look: no side effect at import, the same after a second call, legible on both pages."""

from __future__ import annotations

import base64
import io
import subprocess
import sys

import matplotlib
import matplotlib.colors
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import equibook as eq
from equibook.figures.plots import _legible
from equibook.figures.style import GREY, STYLE


def contrast(color: str, page: str) -> float:
    def luminance(name: str) -> float:
        rgb = np.array(matplotlib.colors.to_rgb(name))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    light, dark = sorted([luminance(color), luminance(page)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_import_leaves_matplotlib_alone() -> None:
    code = (
        "import matplotlib; before = matplotlib.rcParams.copy(); import equibook.figures, sys;"
        "assert matplotlib.rcParams.copy() == before; assert 'matplotlib.pyplot' not in sys.modules;"
        "assert 'ipywidgets' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_does_not_import_matplotlib() -> None:
    code = "import equibook, sys; assert not {'matplotlib', 'sklearn', 'pooch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_use_style_twice_is_use_style_once() -> None:
    with matplotlib.rc_context():
        eq.figures.use_style()
        once = dict(matplotlib.rcParams)
        eq.figures.use_style()
        assert dict(matplotlib.rcParams) == once
        assert matplotlib.rcParams["text.color"] == GREY


@pytest.mark.parametrize("page", ["#ffffff", "#14181e"])
def test_text_reads_on_light_and_dark(page: str) -> None:
    assert contrast(GREY, page) > 4


@pytest.mark.parametrize("color", [*eq.figures.COLORS.values(), "#56B4E9", "#000000", "#ffffff"])
@pytest.mark.parametrize("page", ["#ffffff", "#14181e"])
def test_labels_read_on_light_and_dark(color: str, page: str) -> None:
    assert contrast(_legible(color), page) > 4


def test_no_text_is_below_ten_points() -> None:
    assert all(size >= 10 for key, size in STYLE.items() if key.endswith("size") and isinstance(size, int))


def test_every_mode_has_a_color_and_a_line_of_its_own() -> None:
    assert set(eq.figures.COLORS) == set(eq.figures.LINES)
    assert len(set(eq.figures.COLORS.values())) == len(eq.figures.COLORS)
    modes = [line for mode, line in eq.figures.LINES.items() if mode != "E"]
    assert len(set(modes)) == len(modes)
    with pytest.raises(TypeError):
        eq.figures.COLORS["nominal"] = "red"  # type: ignore[index]


def test_png_is_small_transparent_and_sharp() -> None:
    data, again = (eq.figures.png(eq.figures.trajectories({"nominal": np.logspace(-9, 0, 50)})) for _ in range(2))
    picture = Image.open(io.BytesIO(data))
    assert picture.size == (1120, 720)
    assert picture.mode == "P"
    assert picture.convert("RGBA").getpixel((0, 0))[3] == 0
    assert len(data) < 40_000
    assert again == data


def test_figures_show_themselves_and_stay_out_of_pyplot() -> None:
    figure = eq.figures.matrices(np.eye(2))
    data, metadata = figure._repr_mimebundle_()
    assert metadata["image/png"] == dict(zip(("width", "height"), eval_size(repr(figure)), strict=True))
    assert set(data) == {"image/png", "text/plain"}
    assert plt.get_fignums() == []


def eval_size(text: str) -> tuple[int, int]:
    width, height = text.split()[2].split("x")
    return int(width), int(height)


def test_a_notebook_gets_the_small_file() -> None:
    """Under a kernel, a figure of ours is saved with a palette, and one of pyplot's at twice its resolution."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell("import equibook as eq\neq.figures.use_style()"),
        nbformat.v4.new_code_cell("eq.figures.Figure(figsize=(2, 1))"),
        nbformat.v4.new_code_cell("import matplotlib.pyplot as plt\n_ = plt.figure(figsize=(2, 1)).add_subplot()"),
    ]
    nbclient.NotebookClient(notebook, timeout=60).execute()
    modes = []
    for cell in notebook.cells[1:]:
        output = cell.outputs[-1]
        picture = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
        modes.append(picture.mode)
        assert picture.width == pytest.approx(2 * output["metadata"]["image/png"]["width"], abs=2)
    assert modes == ["P", "RGBA"]
