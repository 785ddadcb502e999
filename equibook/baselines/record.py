"""Record what escnn computes: ``python -m equibook.baselines.record`` writes the file that the package ships."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..representation import cyclic, dihedral, regular, trivial
from .records import escnn_record

__all__ = ["main", "record"]

#: Where `equibook.data.recording` finds it.
PATH = Path(__file__).parents[1] / "data" / "recordings" / "escnn_group_conv.npz"


def record() -> dict[str, Tensor]:
    """Layers of C_4 and D_4, lifting and regular, 3 × 3 and 5 × 5, and the versions that computed them.

    Returns:
        The tensors of each `ConvolutionRecord`, named as "D4 regular 5x5/output", and
        "provenance", a JSON text as bytes.
    """
    tensors: dict[str, Tensor] = {}
    for letter, G in (("C", cyclic(4)), ("D", dihedral(4))):
        for kind, v in (("lifting", trivial(G)), ("regular", regular(G))):
            for k in (3, 5):
                made = escnn_record(v, regular(G), k, generator=torch.Generator().manual_seed(0))
                for name, tensor in made.tensors().items():
                    tensors[f"{letter}4 {kind} {k}x{k}/{name}"] = tensor
    tensors["provenance"] = torch.tensor(list(json.dumps(provenance()).encode()), dtype=torch.uint8)
    return tensors


def provenance() -> dict[str, str]:
    """Which script and which versions."""
    packages = ("escnn", "torch", "numpy", "scipy")
    return {"made by": "python -m equibook.baselines.record", "python": sys.version.split()[0]} | {
        package: version(package).split("+")[0] for package in packages
    }


def main() -> None:
    """Write the file, and say what is in it."""
    torch.set_num_threads(1)
    arrays = {name: tensor.numpy() for name, tensor in record().items()}
    PATH.parent.mkdir(exist_ok=True)
    np.savez_compressed(PATH, **arrays)
    print(f"Wrote {len(arrays)} tensors, {PATH.stat().st_size / 1024:.0f} KB, to {PATH.name}")


if __name__ == "__main__":
    main()
