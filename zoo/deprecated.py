"""Names of version 0.1 that have new ones. They work for one version more, with a warning."""

import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

NAMES = {"Figure": "Expected"}  # of `zoo` itself

MODULES = {
    "zoo.attention": "zoo.layers.attention",
    "zoo.bench": "zoo.training.throughput",
    "zoo.blocks": "zoo.trainers.word2vec",
    "zoo.cells": "zoo.layers.recurrent",
    "zoo.embedding_figures": "zoo.plots.embeddings",
    "zoo.explain": "zoo.introspection.grad_cam",
    "zoo.extractor": "zoo.losses.feature_extractor",
    "zoo.figures": "zoo.plots",
    "zoo.generation": "zoo.decoding.sampling",
    "zoo.graph": "zoo.introspection",
    "zoo.hardware": "zoo.system",
    "zoo.heap": "zoo.training.malloc",
    "zoo.job": "zoo.training.run_plan",
    "zoo.ngrams": "zoo.baselines.ngram",
    "zoo.optimization": "zoo.optimizers.schedules",
    "zoo.painting": "zoo.inference.style_optimization",
    "zoo.picture_files": "zoo.data.image.files",
    "zoo.pretrained": "zoo.inference.pretrained",
    "zoo.resident": "zoo.trainers.word2vec_on_device",
    "zoo.run": "zoo.training.run_folder",
    "zoo.sequences": "zoo.layers.sequence",
    "zoo.stylize": "zoo.inference.stylize",
    "zoo.tune": "zoo.optimizers.finetuning",
    "zoo.word_vectors": "zoo.metrics.word_vectors",
}


def new_name(name: str) -> str:
    """Today's name of something in `zoo`."""
    if name in NAMES:
        warnings.warn(f"zoo.{name} is now zoo.{NAMES[name]}", DeprecationWarning, stacklevel=3)
    return NAMES.get(name, name)


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A ``__getattr__`` for a module in which these names have new ones."""

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(f"{module}.{name} is now {names[name]}", DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[module], names[name])

    return find


class Moved(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module under its old name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(fullname, self) if fullname in MODULES else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        new = MODULES[spec.name]
        warnings.warn(f"{spec.name} is now {new}", DeprecationWarning, stacklevel=2)
        return importlib.import_module(new)

    def exec_module(self, module: ModuleType) -> None:
        """It is imported already."""


def watch_imports() -> None:
    """Let ``import zoo.tune`` find `zoo.optimizers.finetuning`, and so on."""
    if not any(isinstance(finder, Moved) for finder in sys.meta_path):
        sys.meta_path.append(Moved())
