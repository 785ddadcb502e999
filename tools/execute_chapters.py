"""Execute notebooks in place, and save them so that a second run on another machine saves the same text.

    python tools/execute_chapters.py book/1-representations/intertwiners.ipynb ...

The kernel is that of the Python which runs this script. A cell that writes to stderr or raises is an
error, and the notebook stays as it was.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
KEPT = {"tags", "mystnb", "jupyter", "cellView"}  # the cell metadata that authors write


def normalize(notebook: nbformat.NotebookNode) -> None:
    """Remove what a machine or an editor added; ids come from the text of a cell, so they are stable."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    seen: set[str] = set()
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in KEPT}
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        name, copy = digest, 1
        while name in seen:
            copy += 1
            name = f"{digest}-{copy}"
        seen.add(name)
        cell["id"] = name
        if cell.cell_type != "code":
            continue
        cell.outputs = merge_streams(cell.outputs)
        for output in cell.outputs:
            if "metadata" in output:
                output.metadata = {k: v for k, v in output.metadata.items() if k.startswith("image/")}
            if "data" in output:  # live widgets need a kernel; the page has none
                output.data.pop("application/vnd.jupyter.widget-view+json", None)


def merge_streams(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join consecutive chunks of a stream: where a kernel cut it depends on how busy the machine was."""
    merged: list[nbformat.NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def execute(path: Path) -> str | None:
    """Execute one notebook and save it; return what is wrong, or None."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    try:
        client.execute()
    except Exception as error:
        return str(error)
    for k, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                return f"cell {k} writes to stderr:\n{output.text}"
    normalize(notebook)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    return None


def main(paths: list[str]) -> int:
    failed = 0
    for path in map(Path, paths):
        start = time.perf_counter()
        wrong = execute(path)
        seconds = time.perf_counter() - start
        print(f"{path}: {'FAILED' if wrong else 'saved'} after {seconds:.0f} s", flush=True)
        if wrong:
            failed += 1
            print(wrong, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
