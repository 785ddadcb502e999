"""A small Sphinx extension: what the pages of this book need and no other extension gives.

1. Docstrings are written to be read in an editor. ``1/|G|`` and ``(members, *shape)`` in their prose
   would be markup: they are escaped. What a class inherits from another library is left out.
2. Docstrings name the chapter that teaches them (``Chapter: Intertwiners``) and the source of the
   idea (``Reference: ...``). On the API pages the chapter becomes a link. An unknown chapter is a
   warning, and so fails the build.
3. Repairs of the generated HTML: the bibliography is no ARIA list (screen readers), no two proofs
   share an id, and the scripts of thebe, which this book does not use, are left out: they name
   another host and raise an error when they are there twice.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import FunctionType
from typing import Any

import yaml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

CHAPTER = re.compile(r"^(?P<indent>\s*)(?P<label>Chapters?|References?):[ \t]*(?P<text>.*)$")


BARS = re.compile(r"\|(?=[A-Za-z0-9\\/*+ ]+\|)|(?<=[A-Za-z0-9*])\|")
STAR = re.compile(r"(?<![\w*`\\])\*(?=\w)(?!\w[^*]*(?<![\s(])\*(?!\w))")


def escape_prose(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape the bars and stars of prose; leave examples, formulas and code alone."""
    block: int | None = None  # the indentation of a directive whose content we are in
    for k, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= block:
            block = None
        if block is None and (line.lstrip().startswith(".. ") or line.rstrip().endswith("::")):
            block = indent
            continue
        if block is not None or line.lstrip().startswith((">>>", "...")):
            continue
        if k and lines[k - 1].lstrip().startswith((">>>", "...")):  # what an example prints
            continue
        parts = re.split(r"(``.+?``|`[^`]+`)", line)
        parts[::2] = [STAR.sub(r"\\*", BARS.sub(r"\\|", part)) for part in parts[::2]]
        lines[k] = "".join(parts)


def skip_foreign(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the methods that another library gave to a class."""
    home = getattr(obj, "__module__", None)
    return True if isinstance(obj, FunctionType) and not str(home).startswith("equibook") else None


def slug(text: str) -> str:
    """``2-layers/group-convolution`` and ``Group Convolution`` name the same chapter."""
    return re.sub(r"[^a-z0-9]+", "-", text.rsplit("/", 1)[-1].lower()).strip("-")


def chapters(source: Path) -> dict[str, str]:
    """Read the chapters, slug to document name, from the table of contents."""
    toc = yaml.safe_load((source / "_toc.yml").read_text())
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return {slug(file): file for file in files}


def link_chapters(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Turn ``Chapter:`` lines into links, before Napoleon reads the docstring."""
    known = chapters(Path(app.srcdir))

    def link(text: str) -> str:
        if "`" in text:  # already a role
            return text
        parts = [part.strip().rstrip(".") for part in re.split("[,;]", text)]
        for part in parts:
            if slug(part) not in known:
                logger.warning(
                    "the docstring of %s names the chapter %r; the chapters are %s",
                    name,
                    part,
                    ", ".join(sorted(known)),
                )
        return ", ".join(f":doc:`/{known.get(slug(part), slug(part))}`" for part in parts)

    result: list[str] = []
    k = 0
    while k < len(lines):
        match = CHAPTER.match(lines[k])
        if not match:
            result.append(lines[k])
            k += 1
            continue
        indent, label, text = match["indent"], match["label"], match["text"].strip()
        k += 1
        # the text may go on, indented, on the lines below
        while k < len(lines) and lines[k].strip() and len(lines[k]) - len(lines[k].lstrip()) > len(indent):
            text = f"{text} {lines[k].strip()}".strip()
            k += 1
        if label.startswith("Chapter"):
            text = link(text)
        if result and result[-1].strip():
            result.append("")
        result += [f"{indent}*{label}:* {text}", ""]
    lines[:] = result


def repair(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Mend the HTML of a page before it is written."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{script} {getattr(script, 'attributes', {}).get('body', '')}".lower()
    ]
    body = context.get("body")
    if not body:
        return
    # entries have the role doc-biblioentry, which an ARIA list may not hold
    body = body.replace('role="list"', "").replace('role="doc-biblioentry"', "")
    numbers = iter(range(1, 10_000))
    body = re.sub(r'id="proof-content"', lambda _: f'id="proof-content-{next(numbers)}"', body)
    context["body"] = body


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", escape_prose, priority=300)
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("autodoc-process-docstring", link_chapters, priority=400)
    # late: after the extensions that add scripts to a page
    app.connect("html-page-context", repair, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
