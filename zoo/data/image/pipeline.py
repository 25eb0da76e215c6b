"""The one order in which examples reach a network.

    source -> preprocess -> cache -> shuffle -> batch -> augment -> scale -> prefetch

What is the same in every epoch comes before the cache, what differs after it. Batches are formed
before they are augmented because one operation on 128 images costs little more than on one; each
image still gets its own random numbers. Shuffling and augmentation depend on the seed and the number of the
epoch alone (`zoo.data.epochs`). (Keras's own shuffling of arrays and `tf.random` inside `map` repeat one order
for ever once a global seed is set.)
"""

from collections.abc import Mapping
from typing import Any

from zoo.data.by_rows import mapped
from zoo.data.checks import check_step
from zoo.data.epochs import Epochs, shuffled, with_draws
from zoo.data.image import keras_layers
from zoo.data.image.cache import Cache, example_bytes
from zoo.data.image.keras_layers import AUGMENT_LAYERS
from zoo.data.image.normalization import Scaling
from zoo.data.image.transforms import AUGMENT, PREPROCESS, steps
from zoo.data.sources import Source
from zoo.data.tensors import numpy_dtype, tensorflow
from zoo.errors import unknown

CACHE_BYTES = 4 * 2**30  # all splits up to this size are cached, and shuffled whole
SHUFFLE_BUFFER = 100_000  # examples at most


def prepared(source: Source, split: str, preprocess: Mapping[str, Any], cache: Cache | None = None) -> Any:
    """The examples (input, target) of a split, preprocessed, one by one; kept in memory if they fit, or on the disk.

    Args:
        source: of the examples.
        split: which of them.
        preprocess: options of `PREPROCESS`.
        cache: what keeps them, of all splits of a data module; None for one that has `CACHE_BYTES`.

    Raises:
        UsageError: for a split or a step of the preprocessing that does not exist.
    """
    tf = tensorflow()

    for word in preprocess:
        if word not in PREPROCESS:
            raise unknown("preprocessing", word, PREPROCESS)
        check_step(PREPROCESS[word], word, preprocess[word])

    def apply(x: Any, y: Any) -> tuple[Any, Any]:
        before = x
        for word, option in preprocess.items():
            x, y = PREPROCESS[word](x, y, option)
        if len(before.shape) == 4 and numpy_dtype(before.dtype).kind in "iu":  # a clip: a byte a colour in the cache
            x = tf.saturate_cast(tf.round(x), before.dtype) if numpy_dtype(x.dtype).kind == "f" else x
        return x, y

    examples = source.split(split)
    if preprocess:
        examples = mapped(examples, apply)
    return (cache or Cache(CACHE_BYTES)).keep(examples, source, split)


def batches(
    examples: Any,
    *,
    scaling: Scaling,
    batch_size: int,
    augment: Mapping[str, Any] | None = None,
    epochs: Epochs | None = None,
) -> Any:
    """Batches from prepared examples, for `fit`, `evaluate` and `predict`.

    Args:
        examples: from `prepared`.
        scaling: of the inputs.
        batch_size: the last batch may be smaller.
        augment: options of `AUGMENT`, or of Keras's `AUGMENT_LAYERS`; only with epochs.
        epochs: shuffle, differently in each of them and equally in each run with their seed. None: keep the order.

    Returns:
        A ``tf.data.Dataset`` of (float32 inputs, targets).
    """
    tf = tensorflow()

    if epochs is None:
        return finished(examples.batch(batch_size), scaling=scaling)
    buffer = shuffle_buffer(examples)

    def epoch(seeds: Any) -> Any:
        mixed = shuffled(examples, buffer, seeds).batch(batch_size)
        return with_draws(mixed, seeds[1]) if augment else mixed

    batched = epochs.dataset(epoch)
    count = int(examples.cardinality())
    if count >= 0:
        batched = batched.apply(tf.data.experimental.assert_cardinality(-(-count // batch_size)))
    return finished(batched, scaling=scaling, augment=augment)


def shuffle_buffer(examples: Any) -> int:
    """How many examples are shuffled together: those of a cache cost nothing, others the memory that they take."""
    return min(max(1, CACHE_BYTES // example_bytes(examples)), SHUFFLE_BUFFER)


def finished(batched: Any, *, scaling: Scaling, augment: Mapping[str, Any] | None = None) -> Any:
    """Batches of (inputs, targets) augmented, scaled and fetched ahead.

    Args:
        batched: batches; each with a seed of its own where they are augmented (`zoo.data.epochs.with_draws`).
        scaling: of the inputs.
        augment: options of augmentations, by their names.

    Raises:
        UsageError: for an augmentation that does not exist, or that would move images from under their boxes or masks.
    """
    tf = tensorflow()

    augment = augment or {}
    for word in augment:
        if word not in AUGMENT and word not in AUGMENT_LAYERS:
            raise unknown("augmentation", word, [*AUGMENT, *AUGMENT_LAYERS])
    (_, targets), *_ = (batched.element_spec,) if not augment else batched.element_spec
    layers = {
        word: keras_layers.augmentation(word, option, targets)
        for word, option in augment.items()
        if word in AUGMENT_LAYERS
    }

    augmentations = steps(augment, layers)

    def finish(batch: tuple[Any, Any], draw: Any = None) -> tuple[Any, Any]:
        x, y = batch
        for each in augmentations:
            x, y = each(x, y, draw)
        return scaling(x), y

    if augment:
        # Keras's layers hold their random state in a variable, set for each batch: not for two at once.
        mapped = batched.map(finish, num_parallel_calls=None if layers else tf.data.AUTOTUNE)
    else:
        mapped = batched.map(lambda x, y: finish((x, y)), num_parallel_calls=tf.data.AUTOTUNE)
    return mapped.prefetch(tf.data.AUTOTUNE)
