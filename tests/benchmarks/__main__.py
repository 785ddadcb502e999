"""``make bench``: what equivariance costs, beside plain layers of the same shape and beside escnn's.

python -m tests.benchmarks [--rounds 21] [--only convolutions building …] [--record]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from equibook.data import Measurements, Table

from . import algebra, building, convolutions, linear, timing


def convolution_tables(rounds: int) -> Iterator[Table]:
    for device in timing.devices():
        yield convolutions.train_steps(device, rounds)
        yield convolutions.evaluations(device, rounds)


def linear_tables(rounds: int) -> Iterator[Table]:
    for device in timing.devices():
        yield linear.train_steps(device, rounds)
        yield linear.evaluations(device, rounds)
        yield linear.forecasts(device, rounds)
        yield linear.tries(device, rounds)


def building_tables(rounds: int) -> Iterator[Table]:
    yield building.layers()
    yield building.imports()


def algebra_tables(rounds: int) -> Iterator[Table]:
    yield algebra.algebra()


SUBJECTS: dict[str, Callable[[int], Iterator[Table]]] = {
    "convolutions": convolution_tables,
    "linear": linear_tables,
    "building": building_tables,
    "algebra": algebra_tables,
}


def main() -> None:
    """Print the tables; with --record, keep them where the chapter Speed finds them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21, help="rounds of each row (default 21)")
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="SUBJECT")
    parser.add_argument("--record", action="store_true", help="write what is measured into the package")
    arguments = parser.parse_args()
    words = timing.machine()
    print(words)
    tables = [table for subject in arguments.only for table in SUBJECTS[subject](arguments.rounds)]
    if arguments.record:
        command = f'make bench BENCH="--rounds {arguments.rounds}"'
        path = Measurements(command, words, tuple(tables)).record("speed")
        print(f"\nRecorded {len(tables)} tables in {path.name}")


if __name__ == "__main__":
    main()
