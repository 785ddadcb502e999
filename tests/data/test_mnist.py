"""MNIST from a folder and from mirrors: a tiny set of the same format stands in for the real one."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import os
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

import equibook as eq

mnist = import_module("equibook.data.mnist")  # the module: equibook.data.mnist is its function


def idx(array: np.ndarray) -> bytes:
    shape = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


@pytest.fixture
def tiny() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": random.integers(0, 256, (6, 28, 28)),
        "train-labels-idx1-ubyte": np.arange(6),
        "t10k-images-idx3-ubyte": random.integers(0, 256, (2, 28, 28)),
        "t10k-labels-idx1-ubyte": np.array([7, 2]),
    }


@pytest.fixture
def folder(tiny: dict[str, np.ndarray], tmp_path: Path) -> Path:
    for name, array in tiny.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    return tmp_path


@pytest.fixture(autouse=True)
def _no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(mnist.VARIABLE, raising=False)


def test_a_folder_of_gzipped_files(folder: Path, tiny: dict[str, np.ndarray]) -> None:
    images, labels = eq.data.mnist("train", root=folder)
    assert images.shape == (6, 1, 28, 28) and images.dtype == torch.float32
    assert labels.tolist() == [0, 1, 2, 3, 4, 5] and labels.dtype == torch.long
    assert np.array_equal((images[:, 0] * 255).round(), tiny["train-images-idx3-ubyte"])
    assert eq.data.mnist("test", root=folder, dtype=torch.float64)[0].dtype == torch.float64


def test_a_folder_of_plain_files_by_the_variable(
    tiny: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, array in tiny.items():
        (tmp_path / name).write_bytes(idx(array))
    monkeypatch.setenv(mnist.VARIABLE, str(tmp_path))
    assert eq.data.mnist("test")[1].tolist() == [7, 2]


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="EQUIBOOK_MNIST"):
        eq.data.mnist("train", root=tmp_path)


def test_an_unknown_split() -> None:
    with pytest.raises(ValueError, match='"train" or "test"'):
        eq.data.mnist("validation")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-40],
        lambda data: b"<html>not found</html>",
        lambda data: gzip.compress(gzip.decompress(data)[:-1]),
        lambda data: gzip.compress(b"\0\0\x0d\x01" + bytes(8)),
        lambda data: gzip.compress(b""),
    ],
)
def test_a_damaged_file_is_named(folder: Path, damage: object) -> None:
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz"):
        eq.data.mnist("train", root=folder)


def test_images_and_labels_must_fit(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(5))))
    with pytest.raises(ValueError, match="as many labels"):
        eq.data.mnist("train", root=folder)


@pytest.fixture
def mirror(folder: Path) -> Iterator[str]:
    """The tiny files, served on localhost."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def cache(folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and checksums of the tiny files in place of the published ones."""
    pooch = pytest.importorskip("pooch")
    place = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(pooch, "os_cache", lambda project: place / project)
    for name in mnist.FILES:
        packed = (folder / f"{name}.gz").read_bytes()
        sums = tuple(hashlib.md5(data).hexdigest() for data in (packed, gzip.decompress(packed)))
        monkeypatch.setitem(mnist.FILES, name, sums)
    return place


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def test_download_from_the_first_mirror_that_answers(cache: Path, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror + "nowhere/", mirror))
    assert eq.data.mnist("test")[1].tolist() == [7, 2]
    assert kept(cache) == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    monkeypatch.setattr(mnist, "MIRRORS", (mirror + "nowhere/",))
    assert eq.data.mnist("test")[1].tolist() == [7, 2], "the second time, it is read from the cache"


def test_a_wrong_checksum_leaves_nothing_behind(cache: Path, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror,))
    monkeypatch.setitem(mnist.FILES, "t10k-images-idx3-ubyte", ("0" * 32, "0" * 32))
    with pytest.raises(ConnectionError, match="EQUIBOOK_MNIST"):
        eq.data.mnist("test")
    assert kept(cache) == []


def test_a_wrong_content_is_refused(cache: Path, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror,))
    packed, _ = mnist.FILES["t10k-images-idx3-ubyte"]
    monkeypatch.setitem(mnist.FILES, "t10k-images-idx3-ubyte", (packed, "0" * 32))
    with pytest.raises(ValueError, match="delete the file"):
        eq.data.mnist("test")


def test_without_pooch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install pooch.*EQUIBOOK_MNIST"):
        eq.data.mnist("train")


REAL = os.environ.get("EQUIBOOK_MNIST")


@pytest.mark.skipif(not REAL, reason="EQUIBOOK_MNIST names no folder with the real digits")
def test_the_real_digits() -> None:
    assert REAL
    for split, count in (("train", 60_000), ("test", 10_000)):
        images, labels = eq.data.mnist(split, root=REAL)
        assert images.shape == (count, 1, 28, 28) and len(labels) == count
        assert images.max() == 1 and labels.unique().tolist() == list(range(10))
    assert images[0].sum() == pytest.approx(72.49, abs=0.5) and labels[:5].tolist() == [7, 2, 1, 0, 4]
    for name, (_, unpacked) in mnist.FILES.items():
        data = mnist._unpack(mnist._find(Path(REAL), name))
        assert hashlib.md5(data).hexdigest() == unpacked
