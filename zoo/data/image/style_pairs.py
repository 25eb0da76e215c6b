"""Pairs of a photograph and a style, for networks that bring the two together."""

import numpy as np

from zoo.data.base import SPLITS, Feed, check_batch
from zoo.data.image import pipeline, transforms
from zoo.data.image.normalization import Scaling
from zoo.errors import UsageError

BYTES = Scaling((0.0,), (255.0,))


class StyleFeed(Feed):
    """(content, style) pictures of one size. The inputs of a network are told by their names on its card: the
    "number" of a pair, the photograph ("image"), or the photograph and its "style"; the target is both pictures."""

    preprocessings, preprocess = ("unit",), transforms.PREPROCESS
    augment = (*transforms.AUGMENT, *transforms.AUGMENT_LAYERS)
    shape: tuple[int, ...]  # of a picture

    @classmethod
    def learn(cls, card, plan, source):
        feed = cls(card, plan, source)
        feed.examples = {split: int(feed._pairs(split).cardinality()) for split in SPLITS}
        content, style = feed._pairs("train").element_spec
        if len(content.shape) != 3 or content.shape[-1] != 3 or content.shape != style.shape:
            raise UsageError(
                f"the examples of {source.name} are of shape {tuple(content.shape)} and {tuple(style.shape)}; expected "
                "pairs of colour pictures of one size: preprocess={'cover': (height, width)}"
            )
        feed.shape = tuple(content.shape)
        check_batch(plan, feed.examples["train"])
        return feed

    @classmethod
    def restore(cls, card, plan, source, state):
        feed = cls(card, plan, source)
        feed.shape = tuple(state["shape"])
        return feed

    @classmethod
    def holds_out(cls, card):
        return card.inputs[0].name != "number"  # a picture that learns itself has nothing to be tried on

    def state(self):
        return {"shape": self.shape}

    def options(self):
        return {"picture_shape": self.shape, "pictures": self.examples["train"]}

    def batches(self, split, *, training=False):
        import tensorflow as tf

        def finish(content, style):
            style = BYTES(style)
            inputs = {"image": content, "style": style}
            inputs = {given.name: inputs[given.name] for given in self.card.inputs}
            both = tf.stack([content, style], axis=1)  # (batch, 2, height, width, 3)
            return (inputs if len(inputs) > 1 else next(iter(inputs.values()))), both

        pairs, size = self._pairs(split), self.plan.batch_size
        if not self.holds_out(self.card):
            both = pairs.map(lambda content, style: tf.stack([BYTES(content), BYTES(style)]))
            return both.enumerate().map(lambda number, both: (tf.cast(number, tf.int32), both)).batch(size)
        shuffling = {"augment": self.plan.augment, "seed": self.plan.seed} if training else {}
        return pipeline.batches(pairs, scaling=BYTES, batch_size=size, **shuffling).map(finish)

    def pairs(self, split: str) -> np.ndarray:
        """All of a split: (examples, 2, height, width, 3) of 0 to 1."""
        return np.concatenate([both for _, both in self.batches(split).as_numpy_iterator()])

    def _pairs(self, split):
        """(content, style) bytes, prepared alike."""
        prepare = {name: transforms.PREPROCESS[name] for name in self.plan.preprocess}

        def style_too(content, style):
            for word, option in self.plan.preprocess.items():
                style = prepare[word](style, option)
            return content, style

        return pipeline.prepared(self.source, getattr(self.plan, split), self.plan.preprocess).map(style_too)
