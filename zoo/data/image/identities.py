"""Images of identities (people, characters, kinds of thing): batches of P identities with K images each, and splits
that share no identity. What a network learned to tell apart is measured on identities it has never seen."""

import logging
import random
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from zoo.data.base import SPLITS
from zoo.data.epochs import Epochs
from zoo.data.image import pipeline
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.image.identity_batches import FORMS, identity_draws, identity_rows
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError
from zoo.records import Card, Recipe

__all__ = ["IdentityDataModule", "identity_rows"]
log = logging.getLogger("zoo")

FEW_IDENTITIES = 20  # to learn from: with fewer, raw pixels often do better on new ones


class IdentityDataModule(ArrayDataModule):
    """Batches of P x K images, in the form that the network takes: with labels, in pairs, or in triplets.

    P is the recipe's `batch_size` divided by K. An epoch has as many batches as would hold every training image
    once; which images it shows is drawn. Images are held in memory.

    ``Recipe.data_options`` says:
        per_class: K, images of each class in a batch.
        held_out: ``{"validation": ..., "test": ...}``, classes that only this split may show: their numbers, or which
            fraction of the training split's classes is to be put aside.
        leave_out_small: train without the classes that have fewer than K images, where else they are an error.
    """

    data_options = ("per_class", "held_out", "leave_out_small")

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        if str(recipe.dataset).endswith(".npz"):
            raise UsageError(
                f"{recipe.dataset} is one file of known classes; expected a folder with a sub-folder for each identity"
            )
        if Path(recipe.dataset).is_absolute() and not {"resize", "cover"} & set(recipe.preprocess):
            raise UsageError(
                f"the images of {recipe.dataset} may differ in size and the recipe {recipe.name} does not resize them; "
                "take one that does, as --recipe folder"
            )
        return super().adapt(card, recipe, numbered(source, recipe.train))

    @property
    def source(self) -> Source:
        """Its examples are (image, number of the identity)."""
        return super().source

    @source.setter
    def source(self, source: Source | None) -> None:  # a finished run gets its source later
        self._source = source and numbered(source, self.recipe.train)

    @property
    def per_class(self) -> int:
        """K, images of each class in a batch."""
        return self.recipe.data_options.get("per_class", 4)

    def model_options(self) -> dict[str, Any]:
        return {"input_shape": self.shape}

    def batches(self, split: str, *, training: bool = False) -> Any:
        tf = tensorflow()
        x, y = self._raw(split)
        classes = self.recipe.batch_size // self.per_class
        large = sum(count >= self.per_class for count in Counter(y.tolist()).values())
        rows = identity_draws(
            y,
            classes=classes if split == "train" else max(2, min(classes, large)),
            per_class=self.per_class,
            batches=-(-len(y) // self.recipe.batch_size),
            epochs=self.begin() if training else Epochs(self.recipe.seed, anew=False),
        )
        x, y = tf.constant(x), tf.constant(y)
        augment = self.recipe.augment if training else {}

        def look_up(rows: Any, draw: Any) -> Any:
            batch = tf.gather(x, rows), tf.gather(y, rows)
            return (batch, draw) if augment else batch

        batched = rows.map(look_up, num_parallel_calls=tf.data.AUTOTUNE)
        batched = pipeline.finished(batched, scaling=self.scaling, augment=augment)
        names = [given.name for given in self.card.inputs]
        form = FORMS[len(names)]
        return batched.map(lambda x, y: form(names, x, y, self.per_class))

    def arrays(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """All images of a split, scaled (images, height, width, channels), and whom they show (images,)."""
        x, y = self._raw(split)
        return np.asarray(self.scaling(x)), y

    def inputs_at(self, split: str, rows: np.ndarray) -> np.ndarray:
        return self._raw(split)[0][rows].astype("float32")

    @cached_property
    def kept(self) -> dict[str, frozenset[int] | None]:
        """The classes that each split may show; None where that is all it has."""
        wanted = {} if Path(self.recipe.dataset).is_absolute() else dict(self.recipe.data_options.get("held_out", {}))
        if not wanted:
            return dict.fromkeys(SPLITS)
        found = set()
        for _, labels in self.source.split(self.recipe.train).map(lambda x, y: (0, y)).batch(4096).as_numpy_iterator():
            found.update(labels.tolist())
        shuffled = random.Random(0).sample(sorted(found), len(found))
        kept: dict[str, frozenset[int] | None] = dict.fromkeys(SPLITS)
        for split, which in wanted.items():
            if isinstance(which, float):  # a fraction, not numbers
                count = max(2, round(which * len(found)))
                which, shuffled = shuffled[:count], shuffled[count:]
            kept[split] = frozenset(which)
        kept["train"] = frozenset(found.difference(*filter(None, kept.values())))
        return kept

    def _examples(self, split: str) -> Any:
        if split not in self._prepared:
            tf = tensorflow()
            examples = super()._examples(split)
            if (kept_here := self.kept[split]) is not None:
                kept = tf.constant(sorted(kept_here), tf.int64)
                examples = examples.filter(lambda x, y: tf.reduce_any(tf.cast(y, tf.int64) == kept))
            self._prepared[split] = examples
        return self._prepared[split]

    def _raw(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Images as they are before they are scaled, and their labels."""
        if ("raw", split) not in self._prepared:
            x, y = zip(*self._examples(split).batch(1024).as_numpy_iterator())
            self._prepared["raw", split] = np.concatenate(x), np.concatenate(y)
        return self._prepared["raw", split]

    def _check_data(self) -> None:
        self._check_alike()
        source, recipe, size = self.source, self.recipe, self.recipe.batch_size
        labels = {split: self._raw(split)[1] for split in SPLITS}
        check_unseen(source, {split: set(found.tolist()) for split, found in labels.items()})
        even = len(self.card.inputs) > 1  # pairs and triplets take half of a class for one side
        if self.per_class < 2 or (even and self.per_class % 2):
            raise UsageError(
                f"per_class is {self.per_class}; expected {'an even number' if even else 'a number'} of at least 2"
            )
        if size % self.per_class or size < 2 * self.per_class:
            raise UsageError(
                f"batch_size is {size}; expected a multiple of {self.per_class}, the images of each class in a "
                f"batch, of at least {2 * self.per_class}"
            )
        counts = Counter(labels["train"].tolist())
        small = {label: count for label, count in counts.items() if count < self.per_class}
        if small and not recipe.data_options.get("leave_out_small"):
            label, count = min(small.items(), key=lambda each: (each[1], each[0]))
            raise UsageError(
                f"{source.class_names[label]} of {source.name} (train) has {count} images, and {len(small)} of "
                f"{len(counts)} classes have fewer than {self.per_class} (per_class); expected as many of each: add "
                "images, or leave these classes out"
            )
        if small:
            log.info(
                f"{len(small)} of {len(counts)} classes have fewer than {self.per_class} images (per_class) and are "
                "not learned from"
            )
        for split, min_classes, min_images in (("validation", 2, self.per_class), ("test", 1, 2)):
            large = [label for label, count in Counter(labels[split].tolist()).items() if count >= min_images]
            if len(large) < min_classes:
                raise UsageError(
                    f"{len(large)} classes of {source.name} ({split}) have {min_images} images; expected {min_classes} "
                    "or more: add images"
                )
        classes = len(counts) - len(small)
        if classes < size // self.per_class:
            raise UsageError(
                f"batch_size is {size}, {size // self.per_class} classes of {self.per_class} images; {source.name} "
                f"has {classes} to learn from: lower batch_size to {classes * self.per_class} at most"
            )
        if classes < FEW_IDENTITIES:
            log.warning(
                f"{classes} identities to learn from are few: on unseen ones the network may do worse than raw pixels"
            )


def check_unseen(source: Source, classes: Mapping[str, set[int]]) -> None:
    """Raise where two splits share an identity, or one has fewer than two."""
    for split, found in classes.items():
        if len(found) < 2:
            raise UsageError(f"{source.name} has {len(found)} classes in {split}; expected at least 2 to tell apart")
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        if shared := sorted(classes[one] & classes[other]):
            name = source.class_names[shared[0]] if source.class_names else shared[0]
            raise UsageError(
                f"{len(shared)} classes of {source.name} ({name}, ...) are in {one} and in {other}; "
                "expected identities that are unseen: hold some out"
            )


def numbered(source: Source, split: str) -> Source:
    """The source with (image, number) for examples, where it has (name, image)."""
    tf = tensorflow()
    spec = source.split(split).element_spec
    if not isinstance(spec, tuple) or spec[0].dtype != tf.string:
        return source
    names = sorted({name for name, _ in source.split(split).map(lambda name, _: (name, 0)).as_numpy_iterator()})
    known = tf.constant(names)

    def number_of(name: Any) -> Any:
        return tf.cast(tf.argmax(tf.cast(name == known, tf.int32)), tf.int64)

    return Source(
        source.name,
        tuple(name.decode() for name in names),
        lambda text: source.split(text).map(lambda name, image: (image, number_of(name))),
        cache_dir=source.cache_dir,
    )
