"""The rehearsal of Colab: the wheel, in an environment with Colab's versions and without escnn.

`make colab` makes that environment, .venv-colab, from tests/colab/requirements.txt. The wheel lies in a
folder of its own beside it. Each notebook is run alone, in an empty folder, from the same file that a
reader opens on Colab. Two workers run one notebook each, on one thread.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import ROOT, missing

PYTHON = ROOT / ".venv-colab" / "bin" / "python"
NOTEBOOKS = sorted((ROOT / "book").glob("*/*.ipynb"))
LONGEST = 60.0  # seconds that a chapter may take on two cores

STATE = """
import importlib.metadata as metadata, importlib.util as util, json
from packaging.requirements import Requirement
wanted = [Requirement(text) for text in metadata.requires("equibook")]
wanted = [r for r in wanted if not r.marker or r.marker.evaluate({"extra": "book"})]
def here(r):
    try:
        return r.specifier.contains(metadata.version(r.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False
print(json.dumps({
    "escnn": util.find_spec("escnn") is not None,
    "numpy": metadata.version("numpy"),
    "ipywidgets": metadata.version("ipywidgets"),
    "file": util.find_spec("equibook").origin,
    "unmet": [str(r) for r in wanted if not here(r)],
}))
"""


def run(*command: object, cwd: Path, site: Path | None = None) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("EQUIBOOK_", "PYTHON", "OMP_"))}
    environment |= {"CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1", "JUPYTER_PLATFORM_DIRS": "1"}
    if site is not None:
        environment["PYTHONPATH"] = str(site)
    if "PYTEST_XDIST_WORKER" in os.environ:  # the threads of two workers would wait for each other
        environment["OMP_NUM_THREADS"] = "1"
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, alone in a folder that the rehearsal's Python looks into."""
    if not PYTHON.exists():
        missing("colab", "there is no .venv-colab: say make colab")
    source = tmp_path_factory.mktemp("source")  # a copy: setuptools leaves its build beside the source
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-text"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "equibook", source / "equibook", ignore=shutil.ignore_patterns("__pycache__"))
    wheels, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    run(sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", wheels, source, cwd=source)
    (wheel,) = wheels.glob("equibook-*.whl")
    run(PYTHON, "-m", "pip", "install", "-qq", "--no-deps", "--target", folder, wheel, cwd=wheels)
    return folder


def test_the_rehearsal_is_like_colab(site: Path, tmp_path: Path) -> None:
    state = json.loads(run(PYTHON, "-c", STATE, cwd=tmp_path, site=site))
    assert not state["escnn"]
    assert int(state["numpy"].split(".")[0]) >= 2
    assert state["ipywidgets"].startswith("7.7")
    assert Path(state["file"]).is_relative_to(site), "the wheel is what runs, not the repository"
    assert not state["unmet"], "what the wheel asks for, Colab has"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_alone(notebook: Path, site: Path, tmp_path: Path) -> None:
    shutil.copy(notebook, tmp_path)
    for _ in range(2):  # a machine that does something else at the same time gets a second chance
        start = time.perf_counter()
        run(PYTHON, ROOT / "tests" / "colab" / "run_notebook.py", notebook.name, cwd=tmp_path, site=site)
        seconds = time.perf_counter() - start
        if seconds <= LONGEST:
            return
    raise AssertionError(f"{notebook.name} takes {seconds:.0f} s; a chapter may take {LONGEST:.0f} s on two cores")
