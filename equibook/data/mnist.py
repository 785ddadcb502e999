"""The MNIST digits: downloaded once and checked, or read from a folder of IDX files."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import math
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["mnist"]

#: The environment variable that names a folder of IDX files, gzipped or not.
VARIABLE = "EQUIBOOK_MNIST"

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

#: The published files: MD5 of the gzipped file, and of its content.
FILES = {
    "train-images-idx3-ubyte": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "6bbc9ace898e44ae57da46a324031adb",
    ),
    "train-labels-idx1-ubyte": (
        "d53e105ee54ea40749a09fcbcd1e9432",
        "a25bea736e30d166cdddb491f175f624",
    ),
    "t10k-images-idx3-ubyte": (
        "9fb629c4189551a2d022fa330f9573f3",
        "2646ac647ad5339dbf082846283269ea",
    ),
    "t10k-labels-idx1-ubyte": (
        "ec29112dd5afa0611ce80d1b7f02629c",
        "27ae3e4e09519cfbb04c329615203637",
    ),
}

PREFIXES = {"train": "train", "test": "t10k"}


def mnist(split: str, *, root: str | Path | None = None, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """The MNIST digits, images of 28 × 28 pixels: 60,000 to train on and 10,000 to test on.

    They are read from ``root``; without it, from the folder that the environment variable
    ``EQUIBOOK_MNIST`` names; without that, they are downloaded into a cache the first time
    (12 MB, by pooch) and their checksums compared with the published ones.

    Args:
        split: "train" or "test".
        root: a folder with the IDX files as published, gzipped or not.
        dtype: of the images.

    Returns:
        Images (n, 1, 28, 28) with values in [0, 1] and labels (n,), integers 0 to 9.

    Raises:
        ValueError: if the split is unknown or a file is damaged.
        FileNotFoundError: if the folder lacks a file.
        ModuleNotFoundError: if pooch is needed and missing.
        ConnectionError: if no mirror gives the files.

    >>> import equibook as eq
    >>> images, labels = eq.data.mnist("test")  # doctest: +SKIP
    >>> images.shape  # doctest: +SKIP
    torch.Size([10000, 1, 28, 28])

    Reference: LeCun, Bottou, Bengio and Haffner (1998).
    """
    if split not in PREFIXES:
        raise ValueError(f'there is no split {split!r} of MNIST: give "train" or "test".')
    folder = root if root is not None else os.environ.get(VARIABLE) or None
    names = [f"{PREFIXES[split]}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")]
    if folder is None:
        paths = [_download(name) for name in names]
    else:
        paths = [_find(Path(folder).expanduser(), name) for name in names]
    images, labels = (_read_idx(path) for path in paths)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise ValueError(
            f"{paths[0]} holds an array of shape {images.shape} and {paths[1]} one of "
            f"{labels.shape}; images (n, h, w) and as many labels (n,) were expected."
        )
    pixels = torch.from_numpy(images).unsqueeze(1).to(dtype).div_(255)
    return pixels, torch.from_numpy(labels).long()


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"neither {name} nor {name}.gz is in {folder}. Point root or {VARIABLE} at a folder "
        "that holds the four IDX files of MNIST, or unset it to download them."
    )


def _download(name: str) -> Path:
    """The published file in pooch's cache; pooch writes it only once its checksum is right."""
    try:
        pooch = importlib.import_module("pooch")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "downloading MNIST needs pooch: pip install pooch. Or point the environment "
            f"variable {VARIABLE} at a folder that holds its IDX files."
        ) from error
    packed, unpacked = FILES[name]
    failures = []
    for mirror in MIRRORS:
        try:
            cached = Path(
                pooch.retrieve(
                    url=f"{mirror}{name}.gz",
                    known_hash=f"md5:{packed}",
                    fname=f"{name}.gz",
                    path=pooch.os_cache("equibook") / "mnist",
                )
            )
        except (OSError, ValueError) as error:
            failures.append(f"{mirror}: {error}")
            continue
        found = hashlib.md5(_unpack(cached), usedforsecurity=False).hexdigest()
        if found != unpacked:
            raise ValueError(f"{cached} unpacks to MD5 {found}, not {unpacked}: delete the file.")
        return cached
    raise ConnectionError(
        f"{name}.gz could not be downloaded. Try again later, or get the four files elsewhere "
        f"and point the environment variable {VARIABLE} at their folder. What happened:\n" + "\n".join(failures)
    )


def _unpack(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged ({error}): get it again.") from error


def _read_idx(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The array in an IDX file of bytes: two zeros, type 8, the axes' number and lengths, data."""
    data = _unpack(path)
    if len(data) < 4 or data[:3] != b"\x00\x00\x08" or len(data) < 4 + 4 * data[3]:
        raise ValueError(f"{path} is no IDX file of bytes: it begins with {data[:4].hex(' ')}.")
    header = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, header, 4))
    if len(data) - header != math.prod(shape):
        raise ValueError(
            f"{path} is damaged: an array of shape {shape} has {math.prod(shape)} bytes, "
            f"but {len(data) - header} follow. Get it again."
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()
