"""What the results of experiments that compare models share: the modes of a plot, a file and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any, TypeVar, get_args, get_type_hints

import torch

__all__ = ["ModelResult"]

R = TypeVar("R", bound="ModelResult")


@dataclass(frozen=True)
class ModelResult:
    """The base of a result.

    Attributes:
        config: what was run, a dataclass with ``models``: a mapping from names to dataclasses, each with a mode.
    """

    config: Any

    @property
    def modes(self) -> dict[str, str]:
        """name → mode, for the colors of a plot."""
        return {name: model.mode for name, model in self.config.models.items()}

    def save(self, path: str | PathLike[str]) -> None:
        """Write the result to a file that `load` reads."""
        torch.save(asdict(self), path)

    @classmethod
    def load(cls: type[R], path: str | PathLike[str]) -> R:
        """The result that `save` wrote."""
        stored = torch.load(path, weights_only=True)
        Config = get_type_hints(cls)["config"]
        _, Model = get_args(get_type_hints(Config)["models"])
        given = stored.pop("config")
        models = {name: Model(**model) for name, model in given.pop("models").items()}
        return cls(config=Config(**given, models=models), **stored)
