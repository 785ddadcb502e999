"""Compute what two chapters quote from runs that are too long for a page.

    OMP_NUM_THREADS=1 .venv/bin/python tools/longer_runs.py

It takes some minutes and prints the sentences' numbers: how often round-off grows past 1e-6 in
Compatibility, and what longer training changes in Group convolution.
"""

from __future__ import annotations

from equibook.experiments import compatibility, rotated_digits

SMALL = {"samples": 40, "members": 4, "gain": 0.6}


def passed(path: object, until: int) -> int:
    """How many members have been farther than 1e-6 from E up to a step."""
    steps, distance = path.steps, path.distance  # type: ignore[attr-defined]
    return int((distance[steps <= until].amax(dim=0) > 1e-6).sum())


def roundoff() -> None:
    print("Compatibility: runs of four that pass 1e-6, seed by seed")
    for support, lr, until, seeds in [
        ("cross", 0.1, 150, range(5)),
        ("full", 0.1, 150, range(5)),
        ("cross", 0.1, 100, range(4)),
        ("cross", 0.025, 400, range(4)),
        ("cross", 0.00625, 1600, (0, 3)),
    ]:
        counts = []
        for seed in seeds:
            result = compatibility.run(
                "digits", supports=(support,), lr=lr, steps=until, every=max(1, until // 100), seed=seed, **SMALL
            )
            counts.append(passed(result.paths[support], until))
        print(f"  {support}, step size {lr}, {until} steps, seeds {list(seeds)}: {counts}", flush=True)


def training_length() -> None:
    print("Group convolution: on all four turns, and test digits per one whose answer changes with the direction")
    for epochs in (18, 24):
        result = rotated_digits.run("quick", epochs=epochs)
        mean, low, high = result.difference("equivariant", "plain, augmented")
        print(
            f"  {epochs} epochs: equivariant − plain, augmented: {100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        )
        for name in ("plain, augmented", "wide, augmented"):
            print(f"    {name}: one in {1 / (1 - result.constant[name].mean()):.0f}", flush=True)


if __name__ == "__main__":
    roundoff()
    training_length()
