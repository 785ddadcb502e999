"""escnn, imported once for the whole folder."""

import warnings
from typing import Any

__all__ = ["gspaces", "nn"]


class _Missing:
    """Stands for escnn where it is not installed: networks that were converted elsewhere load and run without it."""

    def __init__(self, error: ImportError) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        raise ImportError(
            "equibook.baselines compares with escnn, which cannot be imported here. It needs Python 3.12 at most and "
            "numpy 1:\n"
            "    pip install 'numpy<2' lie_learn joblib pymanopt autograd scipy\n"
            "    pip install --no-deps escnn==1.0.11\n"
            "Without it, eq.data.recording('escnn_group_conv') holds tensors that escnn computed."
        ) from self.error


gspaces: Any
nn: Any

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that py3nj is missing, which speeds up rotations of space only
        import escnn
        from escnn.group import _numerical
        from escnn.kernels import CircularShellsBasis
except ImportError as error:
    gspaces = nn = _Missing(error)
else:
    gspaces, nn = escnn.gspaces, escnn.nn
    # escnn 1.0.11 hands np.matrix to scikit-learn, where it is installed, and recent ones refuse that.
    # Without scikit-learn it calls SciPy's SVD, which draws no random numbers either.
    _numerical.randomized_svd = None

    # escnn keeps the kernels that it has solved for, and looks them up by rings and frequencies alone: in a process
    # with two axes of reflection for O(2), the second gets the kernels of the first. The axis belongs to the key.
    _without_axis = CircularShellsBasis.__eq__

    def _equal(self: Any, other: Any) -> bool:
        return bool(_without_axis(self, other) and self.axis == other.axis)

    CircularShellsBasis.__eq__ = _equal
