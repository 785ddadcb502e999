"""Recorded measurements: tables that go to a file and come back."""

from __future__ import annotations

from pathlib import Path

import pytest

import equibook as eq
from equibook.data import Measurements, Table

SIDES = Table("Sides", ("polygon", "sides"), (("triangle", 3), ("square", 4), ("rhombus", 4)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "recordings").mkdir()
    monkeypatch.setattr("equibook.data.measured.files", lambda package: tmp_path)
    return tmp_path


def test_rows_and_columns() -> None:
    assert SIDES.where(sides=4).column("polygon") == ["square", "rhombus"]
    assert SIDES.where(sides=4, polygon="rhombus").rows == (("rhombus", 4),)
    with pytest.raises(ValueError, match="no column 'angles'; it has polygon, sides"):
        SIDES.column("angles")


def test_measurements_go_around(folder: Path) -> None:
    angles = Table("Angles", ("polygon", "angle"), (("triangle", 60.5),))
    Measurements("make sides", "a machine", (SIDES, angles)).record("shapes")
    found = eq.data.measurements("shapes")
    assert found == Measurements("make sides", "a machine", (SIDES, angles))
    assert found.table("Ang") == angles
    with pytest.raises(ValueError, match="no table 'Areas'; there are: Sides; Angles"):
        found.table("Areas")


def test_a_table_of_the_same_title_is_replaced(folder: Path) -> None:
    Measurements("first", "a machine", (SIDES, Table("Other", (), ()))).record("shapes")
    newer = Table("Sides", SIDES.columns, SIDES.rows[:1])
    Measurements("second", "another", (newer,)).record("shapes")
    found = eq.data.measurements("shapes")
    assert [table.title for table in found.tables] == ["Other", "Sides"]
    assert found.table("Sides") == newer and found.command == "second"


def test_an_unknown_name(folder: Path) -> None:
    with pytest.raises(ValueError, match="under 'nothing'"):
        eq.data.measurements("nothing")
