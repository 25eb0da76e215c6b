"""Pairs of a photograph and a style, for networks that bring the two together."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from zoo.data.array_files import no_examples
from zoo.data.base import SPLITS, DataModule, check_batch
from zoo.data.image import pipeline, transforms
from zoo.data.image.keras_layers import AUGMENT_LAYERS
from zoo.data.image.normalization import Scaling
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError
from zoo.records import Card, Recipe

TO_UNIT = Scaling((0.0,), (255.0,))  # bytes to 0..1


class StylePairDataModule(DataModule):
    """(content, style) images of one size, (batch, height, width, 3) of 0 to 1.

    The inputs of a network are told by their names on its card: the "number" of a pair, the photograph ("image"), or
    the photograph and its "style"; the target is both images, (batch, 2, height, width, 3).
    """

    preprocessings, preprocess = ("unit",), transforms.PREPROCESS
    augment = (*transforms.AUGMENT, *AUGMENT_LAYERS)
    config_types: ClassVar[Mapping[str, Any]] = {"shape": tuple[int, ...]}
    shape: tuple[int, ...]  # of an image

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        data = cls(card, recipe, source)
        data.examples = {split: int(data._pairs(split).cardinality()) for split in SPLITS}
        if missing := [split for split, count in data.examples.items() if count == 0]:
            raise no_examples(source.name, getattr(recipe, missing[0]), "pair")
        content, style = data._pairs("train").element_spec
        if len(content.shape) != 3 or content.shape[-1] != 3 or content.shape != style.shape:
            raise UsageError(
                f"the examples of {source.name} are of shape {tuple(content.shape)} and {tuple(style.shape)}; expected "
                "pairs of colour images of one size: preprocess={'cover': (height, width)}"
            )
        data.shape = tuple(content.shape)
        check_batch(recipe, data.examples["train"])
        return data

    @classmethod
    def from_config(cls, card: Card, recipe: Recipe, source: Source | None, config: Mapping[str, Any]) -> Self:
        data = cls(card, recipe, source)
        data.shape = tuple(config["shape"])
        return data

    @classmethod
    def holds_out(cls, card: Card) -> bool:
        return card.inputs[0].name != "number"  # an image that learns itself has nothing to be tried on

    def get_config(self) -> dict[str, Any]:
        return {"shape": self.shape}

    def model_options(self) -> dict[str, Any]:
        return {"image_shape": self.shape, "num_images": self.examples["train"]}

    def batches(self, split: str, *, training: bool = False) -> Any:
        tf = tensorflow()

        def finish(content: Any, style: Any) -> tuple[Any, Any]:
            style = TO_UNIT(style)
            inputs = {"image": content, "style": style}
            inputs = {given.name: inputs[given.name] for given in self.card.inputs}
            both = tf.stack([content, style], axis=1)  # (batch, 2, height, width, 3)
            return (inputs if len(inputs) > 1 else next(iter(inputs.values()))), both

        pairs, size = self._pairs(split), self.recipe.batch_size
        if not self.holds_out(self.card):
            both = pairs.map(lambda content, style: tf.stack([TO_UNIT(content), TO_UNIT(style)]))
            return both.enumerate().map(lambda number, both: (tf.cast(number, tf.int32), both)).batch(size)
        shuffling: dict[str, Any] = {"augment": self.recipe.augment, "epochs": self.begin()} if training else {}
        return pipeline.batches(pairs, scaling=TO_UNIT, batch_size=size, **shuffling).map(finish)

    def pairs(self, split: str) -> np.ndarray:
        """All of a split: (examples, 2, height, width, 3) of 0 to 1."""
        return np.concatenate([both for _, both in self.batches(split).as_numpy_iterator()])

    def _pairs(self, split: str) -> Any:
        """(content, style) bytes, prepared alike."""

        def style_too(content: Any, style: Any) -> tuple[Any, Any]:
            for word, option in self.recipe.preprocess.items():
                style, _ = transforms.PREPROCESS[word](style, None, option)
            return content, style

        return pipeline.prepared(self.source, getattr(self.recipe, split), self.recipe.preprocess).map(style_too)
