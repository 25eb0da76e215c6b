"""Images and vectors: the data modules of networks that take one array and give a class, a number, or more."""

import dataclasses
import logging
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from zoo.data import checks as data_checks
from zoo.data.base import SPLITS, DataModule, check_batch, check_classes
from zoo.data.image import files as image_files
from zoo.data.image import normalization, pipeline, transforms
from zoo.data.image.cache import Cache
from zoo.data.image.folder import IN_MEMORY
from zoo.data.image.keras_layers import AUGMENT_LAYERS
from zoo.data.image.normalization import Scaling, Summary
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, some
from zoo.records import Card, Recipe

log = logging.getLogger("zoo")


class ArrayDataModule(DataModule):
    """Images and vectors: arrays of one shape, scaled by what the training set holds, with a class each.

    Targets may be a dictionary as well, for a network with several outputs, or of "boxes" and "masks" that follow
    their image (`zoo.data.image.geometry`); what is in it is not checked to be classes. A subclass makes its own in
    `read`.
    """

    preprocessings, preprocess = normalization.SCALING, transforms.PREPROCESS
    augment = (*transforms.AUGMENT, *AUGMENT_LAYERS)
    targets_are: ClassVar[str] = "classes"  # or "numbers", or "anything"
    config_types: ClassVar[Mapping[str, Any]] = {
        "scaling": Mapping[str, Any], "shape": tuple[int, ...], "high": float, "classes": tuple[str, ...]
    }  # fmt: skip
    num_classes: ClassVar[int | None] = None  # that the networks tell apart; None: as many as there are
    reduces: ClassVar[bool] = True  # whether its folders read large photographs at a fraction of their size
    shape: tuple[int, ...]  # of one example
    high: float  # the largest number in the training set
    scaling: Scaling
    summaries: Mapping[str, Summary]  # by split, known after `adapt`

    @classmethod
    def check_recipe(cls, card: Card, recipe: Recipe) -> None:
        super().check_recipe(card, recipe)
        transforms.check_augment(recipe.augment)

    def __init__(self, card: Card, recipe: Recipe, source: Source | None):
        super().__init__(card, recipe, source)
        self._prepared: dict[Any, Any] = {}
        self._targets: dict[str, np.ndarray] = {}  # by split, as far as they were seen and are no dictionaries

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        data = cls(card, recipe, source)
        data._check_rank()
        scaled_by = recipe.preprocessing or card.preprocessing
        measured = {"train"} if scaled_by in normalization.MEASURED else {}
        data.summaries = {
            split: data_checks.summarise(data._examples(split), source, split, moments=split in measured)
            for split in SPLITS
        }
        alike = (
            data.summaries.items() if cls.batches is ArrayDataModule.batches else ()
        )  # of a subclass's may be others
        data._targets = {split: found.targets for split, found in alike if found.targets is not None}
        data.examples = {split: summary.count for split, summary in data.summaries.items()}
        data._check_data()
        train = data.summaries["train"]
        data.scaling = normalization.SCALING[scaled_by](train)
        data.shape, data.high, data.class_names = train.shape, train.high, source.class_names
        return data

    @classmethod
    def from_config(cls, card: Card, recipe: Recipe, source: Source | None, config: Mapping[str, Any]) -> Self:
        data = cls(card, recipe, source)
        data.scaling, data.shape = Scaling(**config["scaling"]), tuple(config["shape"])
        data.high, data.class_names = config["high"], tuple(config["classes"])
        return data

    def get_config(self) -> dict[str, Any]:
        return {
            "scaling": dataclasses.asdict(self.scaling),
            "shape": self.shape,
            "high": self.high,
            "classes": self.class_names,
        }

    def check_other(self, split: str) -> None:
        name = self.source.name
        if self.class_names and not isinstance(self._examples(split).element_spec[1], Mapping):
            missing = [each for each in self.source.class_names if each not in self.class_names]
            if missing or self.source.class_names != self.class_names[: self.source.num_classes]:
                raise UsageError(
                    f"{name} has the classes {some(self.source.class_names)}; the run tells {some(self.class_names)} "
                    "apart: give the same"
                )
        found = data_checks.summarise(self._examples(split), self.source, split, moments=False)
        if found.shape != self.shape:
            raise UsageError(f"an example of {name} has shape {found.shape}; the run was trained on {self.shape}")
        if len(self.shape) >= 3 and (found.high <= 1) != (self.high <= 1):
            raise UsageError(
                f"the images of {name} reach {found.high:g}; the run was trained on images up to {self.high:g}: scale "
                "them alike"
            )

    @property
    def image_steps(self) -> Mapping[str, Any]:
        """What of the recipe's preprocessing is done to the images; a subclass with words of its own takes them out."""
        return self.recipe.preprocess

    @property
    def at_least(self) -> tuple[int, int] | None:
        """(height, width) to which large photographs may be reduced when they are read, as those of a folder were."""
        own = self.recipe.dataset == IN_MEMORY or Path(self.recipe.dataset).is_absolute()
        return tuple(self.image_steps["cover"]) if own and self.reduces and "cover" in self.image_steps else None

    @property
    def num_values(self) -> int:
        """How many numbers the inputs of the whole data set hold."""
        return sum(self.examples.values()) * math.prod(self.shape)

    def model_options(self) -> dict[str, Any]:
        expected = self.card.inputs[0].shape
        if "input_shape" not in self.card.options and self.shape != expected:
            raise UsageError(
                f"an example of {self.source.name} has shape {self.shape}; {self.card.name} takes {expected}"
            )
        return {"input_shape": self.shape, "num_classes": self.source.num_classes}

    def batches(self, split: str, *, training: bool = False) -> Any:
        shuffling: dict[str, Any] = {"augment": self.recipe.augment, "epochs": self.begin()} if training else {}
        examples, size = self._examples(split), self.recipe.batch_size
        return pipeline.batches(examples, scaling=self.scaling, batch_size=size, **shuffling)

    def targets(self, split: str) -> Any:
        """The targets of a split alone, (examples, ...): the inputs of a large set do not fit into memory."""
        if split in self._targets:
            return self._targets[split]
        return concatenated([targets for _, targets in self.batches(split).as_numpy_iterator()])

    def arrays(self, split: str) -> tuple[np.ndarray, Any]:
        """All of a split: scaled inputs (examples, ...) and targets (examples, ...)."""
        inputs, targets = zip(*self.batches(split).as_numpy_iterator())
        return np.concatenate(inputs), concatenated(targets)

    def inputs_at(self, split: str, rows: np.ndarray) -> np.ndarray:
        """The inputs with these numbers, in this order, as they were before they were scaled: (rows, ...)."""
        found: dict[int, np.ndarray] = {}
        start = 0
        for inputs, _ in self.batches(split).as_numpy_iterator():
            found |= {row: inputs[row - start] for row in rows if start <= row < start + len(inputs)}
            start += len(inputs)
        return self.scaling.undo(np.stack([found[row] for row in rows]) if len(rows) else inputs[:0])

    def encode(self, raws: Sequence[Any]) -> np.ndarray:
        """Images, of files, PIL or arrays, as the recipe prepares those it trains on: (images, *shape), scaled."""
        if len(self.shape) != 3:
            return super().encode(raws)
        pixels = [image_files.in_channels(image_files.taken(raw, self.at_least), self.shape[-1]) for raw in raws]
        names = [str(raw) if isinstance(raw, str | Path) else "an image" for raw in raws]
        inputs = self.scaled([self.fitted(image, name) for image, name in zip(pixels, names)])
        if (self.recipe.preprocessing or self.card.preprocessing) == "standardise":  # by the training set
            for name, each in zip(names, inputs):
                if strange := normalization.unlike(each):
                    log.warning(f"{name} {strange}")
        return inputs

    def scaled(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Images of 0 to 255 of the network's size, each (*shape), as one batch of its inputs."""
        return np.asarray(self.scaling(np.stack(images) / np.float32(1 if self.high > 1 else 255)))

    def fitted(self, pixels: np.ndarray, name: str) -> np.ndarray:
        """An image (height, width, channels) of 0 to 255, brought to the network's size as the recipe does it."""
        x = tensorflow().constant(pixels)
        height, width, _ = x.shape
        for word, option in self.image_steps.items():
            x, _ = transforms.PREPROCESS[word](x, None, option)
        if tuple(x.shape) != self.shape:
            raise UsageError(
                f"{name} is {height}x{width}; {self.card.name} was trained on images of {self.shape[0]}x"
                f"{self.shape[1]} and its recipe does not resize: resize it first"
            )
        return np.asarray(x, "float32")

    def read(self, split: str) -> Any:
        """The examples as the source has them; a subclass with inputs or targets of its own makes them here::

            def read(self, split):
                return super().read(split).map(lambda image, label: (image, {"digit": label, "parity": label % 2}))

        Args:
            split: which examples, in the words of the recipe: ``"train[:90%]"``.

        Returns:
            A ``tf.data.Dataset`` of (input, target), one example each, neither preprocessed nor scaled. Inputs are of
            one shape without a batch axis: images (height, width, channels) of 0..255 or 0..1, vectors (features,). A
            target is a number, (), of a class where the source has class names; or a dictionary of arrays of any
            shape, one for each output of the network.

        Raises:
            UsageError: if there is no such split.
        """
        return self.source.split(split)

    def _examples(self, split: str) -> Any:
        if split not in self._prepared:
            readable = dataclasses.replace(self.source, split=self._in_its_channels)
            text = getattr(self.recipe, split)
            self._prepared[split] = pipeline.prepared(readable, text, self.image_steps, self._cache)
        return self._prepared[split]

    @cached_property
    def _cache(self) -> Cache:
        return Cache(pipeline.CACHE_BYTES, self.source.cache_dir)

    def _in_its_channels(self, split: str) -> Any:
        """The examples; other data than a run's in grey or colour, as it was trained: folders are read in colour."""
        examples, shape = self.read(split), tuple(getattr(self, "shape", ()))
        spec = examples.element_spec[0] if isinstance(examples.element_spec, tuple) else None
        if len(shape) != 3 or spec is None or len(spec.shape) != 3 or spec.shape[-1] == shape[-1]:
            return examples
        change = {(3, 1): "rgb_to_grayscale", (1, 3): "grayscale_to_rgb"}.get((spec.shape[-1], shape[-1]))
        return examples.map(lambda x, y: (getattr(tensorflow().image, change)(x), y)) if change else examples

    def _check_rank(self) -> None:
        """Raise where an example has another number of axes than the network takes."""
        spec = self.read(self.recipe.train).element_spec
        if not isinstance(spec, tuple) or len(spec) != 2:
            raise UsageError(
                f"an example of {self.source.name} has {', '.join(spec) if isinstance(spec, Mapping) else spec}; "
                "expected an input and its target: name them in the data set's supervised_keys"
            )
        data_checks.check_channels(spec[0].shape, self.source.name)
        found, wanted = spec[0], self.card.inputs[0]
        if len(found.shape) != len(wanted.shape):
            raise UsageError(
                f"an example of {self.source.name} has shape {tuple(found.shape)}; expected {len(wanted.shape)} axes "
                f"for {self.card.name}'s {wanted.name}, as in {wanted.shape}"
            )

    def _check_alike(self) -> None:
        """Raise where the splits hold different things."""
        source, train = self.source, self.summaries["train"]
        for split, summary in self.summaries.items():
            if summary.shape != train.shape:
                raise UsageError(
                    f"{source.name} has {split} examples of shape {summary.shape} "
                    f"and training examples of {train.shape}"
                )
        in_units = {split for split, summary in self.summaries.items() if summary.high <= 1}
        if len(train.shape) >= 3 and 0 < len(in_units) < len(self.summaries):
            raise UsageError(
                f"the images of {source.name} reach 1 in {', '.join(sorted(in_units))} and 255 elsewhere; "
                "expected one range: scale all alike"
            )

    def _check_data(self) -> None:
        """Raise where the data cannot train this network."""
        source, card, train = self.source, self.card, self.summaries["train"]
        self._check_alike()
        _, targets = self._examples("train").element_spec
        kind = "anything" if isinstance(targets, Mapping) else self.targets_are  # each head knows what it takes
        if kind == "classes":
            check_classes(source, train.classes, card, exactly=self.num_classes)
        elif kind == "numbers" and source.class_names:
            raise UsageError(
                f"the targets of {source.name} are classes; {card.name} expects numbers: y.astype('float32')"
            )
        check_batch(self.recipe, train.count)


class BinaryDataModule(ArrayDataModule):
    """Images and vectors of two classes."""

    num_classes = 2


class NumberDataModule(ArrayDataModule):
    """Images and vectors with a number each."""

    targets_are = "numbers"


class AnyTargets(ArrayDataModule):
    """Images and vectors, whatever their targets are: none is learned from."""

    targets_are = "anything"


def concatenated(parts: Sequence[Any]) -> Any:
    """Batches of targets as one: arrays, or dictionaries of them."""
    return tensorflow().nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
