"""Measurements that are recorded with the package: tables, the command that made them, and the machine."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

__all__ = ["Measurements", "Table", "measurements"]


@dataclass(frozen=True)
class Table:
    """A table of numbers and words.

    Args:
        title: what was measured.
        columns: the names.
        rows: one value a column.

    >>> table = Table("Sides", ("polygon", "sides"), (("triangle", 3), ("square", 4)))
    >>> table.column("sides")
    [3, 4]
    >>> print(table.where(polygon="square"))
    | polygon | sides |
    |---|---|
    | square | 4 |

    Chapter: Speed
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def column(self, name: str) -> list[object]:
        """The values of one column.

        Raises:
            ValueError: if there is none of this name; lists those that there are.
        """
        if name not in self.columns:
            raise ValueError(f"{self.title!r} has no column {name!r}; it has {', '.join(self.columns)}.")
        return [row[self.columns.index(name)] for row in self.rows]

    def where(self, **values: object) -> Table:
        """The rows with the given values in the columns named."""
        kept = self.rows
        for name, value in values.items():
            kept = tuple(
                row
                for row, found in zip(kept, Table("", self.columns, kept).column(name), strict=True)
                if found == value
            )
        return Table(self.title, self.columns, kept)

    def __str__(self) -> str:
        lines = [self.columns, *self.rows]
        text = [f"| {' | '.join(map(str, line))} |" for line in lines]
        return "\n".join([text[0], f"|{'---|' * len(self.columns)}", *text[1:]])


@dataclass(frozen=True)
class Measurements:
    """Tables from one run.

    Args:
        command: what made them.
        machine: in words, with versions and threads.
        tables: what was measured.

    Chapter: Speed
    """

    command: str
    machine: str
    tables: tuple[Table, ...]

    def table(self, title: str) -> Table:
        """The first table whose title begins with these words.

        Raises:
            ValueError: if there is none; lists the titles.
        """
        for table in self.tables:
            if table.title.startswith(title):
                return table
        raise ValueError(f"no table {title!r}; there are: {'; '.join(table.title for table in self.tables)}.")

    def record(self, name: str) -> Path:
        """Write the tables where `measurements` finds them; tables of the same title are replaced, others kept.

        Returns:
            The file.
        """
        path = Path(str(files("equibook.data"))) / "recordings" / f"{name}.json"
        titles = {table.title for table in self.tables}
        kept = [table for table in measurements(name).tables if table.title not in titles] if path.exists() else []
        whole = asdict(Measurements(self.command, self.machine, (*kept, *self.tables)))
        path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
        return path


def measurements(name: str) -> Measurements:
    """The measurements that the package ships under a name.

    Args:
        name: "speed".

    Raises:
        ValueError: if there are none of this name.

    >>> measurements("speed").command
    'make bench BENCH="--rounds 15"'

    Chapter: Speed
    """
    path = files("equibook.data") / "recordings" / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"no measurements are recorded under {name!r}.")
    found = json.loads(path.read_text())
    tables = tuple(
        Table(table["title"], tuple(table["columns"]), tuple(map(tuple, table["rows"]))) for table in found["tables"]
    )
    return Measurements(found["command"], found["machine"], tables)
