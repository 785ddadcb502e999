"""Run a notebook of the current folder with the Python that runs this script; an error in a cell is an error here."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main(name: str) -> int:
    notebook = nbformat.read(name, as_version=4)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(Path.cwd())}}
    ).execute()
    warnings = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]
    if warnings:
        print("a cell writes to stderr:", *warnings, sep="\n", file=sys.stderr)
    return 1 if warnings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
