"""The repository keeps its own rules: one address, one version, chapters to the template, imports one way."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parent.parent
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
ADDRESS: str = CONFIG["repository"]["url"]
BRANCH: str = CONFIG["repository"]["branch"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]]
CHAPTERS = [ROOT / f"{page}.ipynb" for page in PAGES if (ROOT / f"{page}.ipynb").exists()]
FIRST_CELL = (ROOT / "book" / "first_cell.txt").read_text().split("# ---", 1)[1].split("\n", 1)[1].strip()

# representation <- layers <- dynamics <- regularization <- experiments. A result plots itself, so the
# later ones may call on figures, which imports nothing above representation.
ALLOWED = {
    "representation": set(),
    "layers": {"representation"},
    "dynamics": {"representation", "layers", "figures"},
    "regularization": {"representation", "layers", "dynamics", "figures"},
    "data": {"representation"},
    "figures": {"representation"},
    "experiments": {"representation", "layers", "dynamics", "regularization", "data", "figures"},
    "baselines": {"representation", "layers", "dynamics", "regularization", "data"},
}


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def tracked(*suffixes: str) -> list[Path]:
    """The files of the repository that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no git repository here")
    return [ROOT / name for name in done.stdout.splitlines() if name.endswith(suffixes) and (ROOT / name).is_file()]


chapters = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


# ---- one address, one version ---------------------------------------------------------------


def test_four_parts_and_the_appendix_have_a_chapter() -> None:
    assert {path.parent.name for path in CHAPTERS} == {
        "1-representations",
        "2-layers",
        "3-dynamics",
        "4-regularization",
        "appendix",
    }


def test_the_address_is_the_one_in_config() -> None:
    owner_and_name = ADDRESS.removeprefix("https://github.com/")
    wrong = []
    for path in tracked(".md", ".cff", ".toml", ".ipynb", ".py", ".txt", ".yml", "Makefile"):
        for found in re.findall(r"github\.com/([\w.-]+/equibook)\b([^\s\"')\\]*)", path.read_text()):
            if found[0] != owner_and_name:
                wrong.append((path.name, "/".join(found)))
            branch = re.match(r"(?:\.git)?@([\w.-]+)|/(?:blob|tree|raw)/([\w.-]+)", found[1])
            if branch and (branch[1] or branch[2]) != BRANCH:
                wrong.append((path.name, "".join(found)))
    assert not wrong
    assert PROJECT["urls"]["Repository"] == ADDRESS
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["repository-code"] == ADDRESS
    assert f"git+{ADDRESS}@{BRANCH}" in FIRST_CELL
    for name in ("README.md", "book/preface.md"):
        assert f"git+{ADDRESS}@{BRANCH}" in (ROOT / name).read_text(), name


def test_the_version_is_the_same_everywhere() -> None:
    import equibook

    version = PROJECT["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest and newest[1] == version
    assert getattr(equibook, "__version__", version) == version


def test_metadata_has_lower_bounds_only() -> None:
    wanted = PROJECT["dependencies"] + [text for extra in PROJECT["optional-dependencies"].values() for text in extra]
    bounds = [requirement.split(";")[0] for requirement in wanted]
    assert not [bound for bound in bounds if re.search(r"<|==|~=|!=", bound)]


def test_colab_badges_lead_to_notebooks() -> None:
    prefix = f"https://colab.research.google.com/github/{ADDRESS.removeprefix('https://github.com/')}/blob/{BRANCH}/"
    for path in tracked(".md"):
        for link in re.findall(r"https://colab\.research\.google\.com/\S+?(?=[)\s>\"])", path.read_text()):
            assert link.startswith(prefix), (path.name, link)
            assert (ROOT / link.removeprefix(prefix)).is_file(), (path.name, link)


def test_the_readme_example_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(blocks) == 1
    assert len([line for line in blocks[0].splitlines() if line.strip()]) <= 12
    done = subprocess.run([sys.executable, "-c", blocks[0]], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    promised = re.findall(r"#\s*→\s*(.+?)\s*$", blocks[0], re.M)
    assert promised and done.stdout.split("\n")[:-1] == promised


# ---- the package ----------------------------------------------------------------------------


def imported(path: Path) -> set[str]:
    """Absolute names of the modules that a file imports, relative imports resolved."""
    package = list(path.relative_to(ROOT).parts[:-1])
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join(base + ([node.module] if node.module else []))
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("subpackage", sorted(ALLOWED))
def test_imports_run_one_way(subpackage: str) -> None:
    wrong = []
    for path in sorted((ROOT / "equibook" / subpackage).rglob("*.py")):
        for name in imported(path):
            parts = name.split(".")
            later = set(ALLOWED) - ALLOWED[subpackage] - {subpackage}
            if parts[0] == "equibook" and len(parts) > 1 and parts[1] in later:
                wrong.append((str(path.relative_to(ROOT)), name))
            if parts[0] == "escnn" and subpackage != "baselines":
                wrong.append((str(path.relative_to(ROOT)), name))
    assert not wrong


def test_nothing_imports_baselines() -> None:
    files = [ROOT / "equibook" / "__init__.py", *(ROOT / "equibook").rglob("*.py")]
    for path in files:
        if "baselines" not in path.parts:
            assert not [name for name in imported(path) if name.startswith(("equibook.baselines", "escnn"))], path


def test_public_names_are_declared_and_documented() -> None:
    import importlib

    for name in ("representation", "layers", "dynamics", "regularization", "figures", "data"):
        module = importlib.import_module(f"equibook.{name}")
        assert module.__all__, name
        assert module.__doc__, name
        for public in module.__all__:
            thing = getattr(module, public)
            if callable(thing):
                doc = thing.__doc__ or ""
                assert ">>>" in doc or dataclasses.is_dataclass(thing), f"{name}.{public} has no example"
                if name not in ("figures", "data"):
                    assert "Chapter:" in doc, f"{name}.{public} does not name its chapter"


def test_importing_costs_little_beyond_torch(tmp_path: Path) -> None:
    """At most 0.3 s, the median of five subprocesses, measured inside each after torch and numpy are there.

    The first compiles the package, which an installation does once.
    """
    code = (
        "import time, torch, numpy; t = time.perf_counter(); import equibook, sys; "
        "print(time.perf_counter() - t, 'matplotlib' in sys.modules, 'escnn' in sys.modules)"
    )
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    costs = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        cost, *loaded = done.stdout.split()
        costs.append(float(cost))
        assert loaded == ["False", "False"]
    assert statistics.median(costs) <= 0.3


# ---- the chapters ---------------------------------------------------------------------------


@chapters
def test_first_cell_is_the_common_one(chapter: Path) -> None:
    assert code_cells(chapter)[0].source.strip() == FIRST_CELL
    assert not code_cells(chapter)[0].outputs


@chapters
def test_executed_in_order_and_clean(chapter: Path) -> None:
    cells = code_cells(chapter)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text


@chapters
def test_no_trace_of_a_machine(chapter: Path) -> None:
    notebook = read(chapter)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    text = re.sub(r"data:image/[^\"')]+", "", json.dumps([cell.get("outputs", []) for cell in notebook.cells]))
    text = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.findall(r"/(?:home|root|Users|tmp|usr|work)/[^\"\s]*|0x[0-9a-f]{8,}", text)
    assert not [key for cell in notebook.cells for key in cell.metadata if key in ("execution", "ExecuteTime")]


@chapters
def test_only_the_first_cell_installs(chapter: Path) -> None:
    for cell in code_cells(chapter)[1:]:
        assert not re.search(r"^\s*[!%]|pip install", cell.source, re.M), cell.source


@chapters
def test_no_cell_ends_with_a_semicolon(chapter: Path) -> None:
    """nbval shows the value that the semicolon hides; assign it to ``_``, or use the package's plots."""
    assert not [cell.source for cell in code_cells(chapter) if cell.source.rstrip().endswith(";")]


@chapters
def test_every_image_has_alt_text(chapter: Path) -> None:
    for cell in code_cells(chapter):
        images = [o for o in cell.outputs if {"image/png", "image/jpeg", "image/svg+xml"} & set(o.get("data", {}))]
        if images:
            assert len(images) == 1, "one image a cell: they would share one alt text"
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) >= 30, f"alt text says what one sees and what it means: {cell.source}"
            assert cell.metadata["mystnb"].get("figure", {}).get("caption"), f"a figure has a caption: {cell.source}"
            assert cell.metadata["mystnb"]["figure"].get("name"), f"a figure has a name: {cell.source}"


@chapters
def test_exercises_have_folded_solutions(chapter: Path) -> None:
    text = prose(chapter)
    exercises = re.findall(r"\{exercise(?:-start)?\}[^\n]*\n:label: (\S+)", text)
    solutions = re.findall(r"\{solution(?:-start)?\} (\S+)\n([^\n]*)", text)
    assert len(exercises) >= 3
    assert [label for label, _ in solutions] == exercises, "each exercise has a solution, in the same order"
    assert {option for _, option in solutions} == {":class: dropdown"}


@chapters
def test_follows_the_template(chapter: Path) -> None:
    cells, text = read(chapter).cells, prose(chapter)
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    assert ":class: objectives" in text
    for word in ("**You will be able to**", "**You need**", "**Time**"):
        assert word in text, word
    assert len(re.findall(r"^# ", text, re.M)) == 1
    headings = re.findall(r"^## (.+)$", text, re.M)
    assert headings[-3:] == ["Summary", "What comes next", "References"]
    assert "{prf:definition}" in text and "{prf:theorem}" in text and "{dropdown} Proof" in text
    assert "{prf:proof}" not in text, "it does not fold; use :::{dropdown} Proof"
    assert "{bibliography}" not in text, "references.md has the only one"
    assert "{cite:" in text and "{py:" in text
    assert any("explore(" in cell.source for cell in code_cells(chapter)), "one figure that the reader can move"


@chapters
def test_cells_are_short(chapter: Path) -> None:
    for cell in code_cells(chapter):
        lines = [line for line in cell.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        assert len(lines) <= 25, cell.source


# ---- the prose ------------------------------------------------------------------------------


def test_prose_has_no_filler() -> None:
    """The words that the style forbids."""
    words = re.compile(r"\b(simply|clearly|obviously|trivially|of course)\b", re.I)
    found = []
    for path in [*CHAPTERS, *tracked(".md")]:
        text = prose(path) if path.suffix == ".ipynb" else path.read_text()
        found += [(path.name, match[0]) for match in words.finditer(re.sub(r"`[^`]*`", "", text))]
    assert not found
