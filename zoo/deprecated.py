"""Names of version 0.1 that have new ones. They work for one version more, with a warning."""

import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from zoo.errors import UsageError

NAMES = {"Figure": "Expected"}  # of `zoo` itself

MODULES = {
    "zoo.attention": "zoo.layers.attention",
    "zoo.bench": "zoo.training.throughput",
    "zoo.blocks": "zoo.trainers.word2vec",
    "zoo.cells": "zoo.layers.recurrent",
    "zoo.data.corpus": "zoo.data.text.skipgram",
    "zoo.data.identities": "zoo.data.image.identity_batches",
    "zoo.data.moving": "zoo.data.builtin.moving_digits",
    "zoo.data.photographs": "zoo.data.builtin.photographs",
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
    "zoo.tasks.retrieval": "zoo.metrics.retrieval",
    "zoo.tasks.styling": "zoo.tasks.style_transfer",
    "zoo.tune": "zoo.optimizers.finetuning",
    "zoo.word_vectors": "zoo.metrics.word_vectors",
}

WITHIN = {  # what is called otherwise in its new module, or stands in a third one
    "zoo.attention.attention_maps": "zoo.layers.attention.attention_weights",
    "zoo.data.corpus.Noise": "zoo.data.text.skipgram.NegativeSampler",
    "zoo.data.corpus.Vocabulary": "zoo.data.text.skipgram.CountedVocabulary",
    "zoo.tasks.retrieval.spread": "zoo.metrics.retrieval.embedding_std",
}


class OldNameWarning(FutureWarning):
    """What is called otherwise now. Python shows a `DeprecationWarning` to the authors of a script alone, and of no
    module, so that it is none.
    """


def warn(old: str, new: str, stacklevel: int = 2) -> None:
    """Say what an old name is called now, where the caller of the function that calls this stands."""
    warnings.warn(f"{old} is now {new}", OldNameWarning, stacklevel=stacklevel + 1)


def check_one_name(old: str, new: str, given: Any) -> None:
    """Raise if something is given under both of its names."""
    if given:
        raise UsageError(f"{old} is the old name of {new}, and both are given; expected {new} alone")


def new_name(name: str) -> str:
    """Today's name of something in `zoo`."""
    if name in NAMES:
        warn(f"zoo.{name}", f"zoo.{NAMES[name]}", stacklevel=3)
    return NAMES.get(name, name)


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A ``__getattr__`` for a module in which these names have new ones, or stand in another module."""

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(f"{module}.{name}", names[name])
        home, _, new = names[name].rpartition(".")
        return getattr(importlib.import_module(home or module), new)

    return find


class OldModule(ModuleType):
    """A module under its old name: what is asked of it is looked up in the new one."""

    def __getattr__(self, name: str) -> Any:
        full = f"{self.__name__}.{name}"
        if full in MODULES or name.startswith("__"):  # a module of its own, or what Python asks of every module
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        home, _, new = WITHIN.get(full, f"{MODULES[self.__name__]}.{name}").rpartition(".")
        return getattr(importlib.import_module(home), new)

    def __dir__(self) -> list[str]:
        return dir(importlib.import_module(MODULES[self.__name__]))


class Moved(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module under its old name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(fullname, self) if fullname in MODULES else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        warn(spec.name, MODULES[spec.name])  # Python leaves the frames of its own import machinery out
        return OldModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


def watch_imports() -> None:
    """Let ``import zoo.tune`` find `zoo.optimizers.finetuning`, and so on."""
    if not any(isinstance(finder, Moved) for finder in sys.meta_path):
        sys.meta_path.append(Moved())
