"""escnn, imported once for the whole folder."""

import warnings

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that py3nj is missing, which speeds up rotations of space only
        from escnn import gspaces, nn
        from escnn.group import _numerical
except ImportError as error:
    raise ImportError(
        "equibook.baselines compares with escnn, which cannot be imported here. It needs Python 3.12 at most and "
        "numpy 1:\n"
        "    pip install 'numpy<2' lie_learn joblib pymanopt autograd scipy\n"
        "    pip install --no-deps escnn==1.0.11\n"
        "Without it, eq.data.recording('escnn_group_conv') holds tensors that escnn computed."
    ) from error

__all__ = ["gspaces", "nn"]

# escnn 1.0.11 hands np.matrix to scikit-learn, where it is installed, and recent ones refuse that.
# Without scikit-learn it calls SciPy's SVD, which draws no random numbers either.
_numerical.randomized_svd = None
