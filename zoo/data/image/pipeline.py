"""The one order in which examples reach a network.

    source -> preprocess -> cache -> shuffle -> batch -> augment -> scale -> prefetch

What is the same in every epoch comes before the cache, what differs after it. Batches are formed
before they are augmented because one operation on 128 images costs little more than on one; each
image still gets its own random numbers. Shuffling and augmentation draw from generators of their own,
which move on from epoch to epoch and start again with the same seed. (Keras's own shuffling of arrays and
`tf.random` inside `map` repeat one order for ever once a global seed is set.)
"""

from collections.abc import Mapping
from typing import Any

from zoo.data.checks import check_step
from zoo.data.image import keras_layers
from zoo.data.image.keras_layers import AUGMENT_LAYERS
from zoo.data.image.normalization import Scaling
from zoo.data.image.transforms import AUGMENT, PREPROCESS
from zoo.data.sources import Source
from zoo.errors import unknown

CACHE_BYTES = 4 * 2**30  # sets up to this size are cached and shuffled whole
SHUFFLE_BUFFER = 100_000  # examples at most


def example_bytes(examples: Any) -> int:
    """The memory that one example takes, or a guess of 1 MiB where its size varies."""
    import tensorflow as tf

    specs = tf.nest.flatten(examples.element_spec)
    if any(spec.shape.num_elements() is None for spec in specs):
        return 2**20
    return sum(spec.shape.num_elements() * spec.dtype.size for spec in specs)


def prepared(source: Source, split: str, preprocess: Mapping[str, Any]) -> Any:
    """The examples (input, target) of a split, preprocessed, one by one; cached in memory if they fit.

    Raises:
        UsageError: for a split or a step of the preprocessing that does not exist.
    """
    import tensorflow as tf

    for word in preprocess:
        if word not in PREPROCESS:
            raise unknown("preprocessing", word, PREPROCESS)
        check_step(PREPROCESS[word], word, preprocess[word])

    def apply(x: Any, y: Any) -> tuple[Any, Any]:
        before = x
        for word, option in preprocess.items():
            x, y = PREPROCESS[word](x, y, option)
        if before.shape.rank == 4 and before.dtype.is_integer:  # a clip: a byte a colour in the cache
            x = tf.saturate_cast(tf.round(x), before.dtype) if x.dtype.is_floating else x
        return x, y

    examples = source.split(split)
    if preprocess:
        examples = examples.map(apply, num_parallel_calls=tf.data.AUTOTUNE)
    count = int(examples.cardinality())  # negative where nobody knows
    return examples.cache() if 0 <= count * example_bytes(examples) <= CACHE_BYTES else examples


def batches(
    examples: Any,
    *,
    scaling: Scaling,
    batch_size: int,
    augment: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Any:
    """Batches from prepared examples, for `fit`, `evaluate` and `predict`.

    Args:
        examples: from `prepared`.
        scaling: of the inputs.
        batch_size: the last batch may be smaller.
        augment: options of `AUGMENT`, or of Keras's `AUGMENT_LAYERS`; only with a seed.
        seed: shuffle, differently in each epoch and equally in each run with this seed. None: keep the order.

    Returns:
        A ``tf.data.Dataset`` of (float32 inputs, targets).
    """
    if seed is not None:
        buffer = max(1, CACHE_BYTES // example_bytes(examples))
        examples = examples.shuffle(min(buffer, SHUFFLE_BUFFER), seed=seed, reshuffle_each_iteration=True)
    return finished(examples.batch(batch_size), scaling=scaling, augment=augment, seed=seed)


def finished(
    batched: Any, *, scaling: Scaling, augment: Mapping[str, Any] | None = None, seed: int | None = None
) -> Any:
    """Batches of (inputs, targets) augmented, scaled and fetched ahead.

    Raises:
        UsageError: for an augmentation that does not exist, or that would move images from under their boxes or masks.
    """
    import tensorflow as tf

    augment = augment or {}
    for word in augment:
        if word not in AUGMENT and word not in AUGMENT_LAYERS:
            raise unknown("augmentation", word, [*AUGMENT, *AUGMENT_LAYERS])
    _, targets = batched.element_spec
    layers = {
        word: keras_layers.augmentation(word, option, seed, targets)
        for word, option in augment.items()
        if word in AUGMENT_LAYERS
    }

    def finish(batch: tuple[Any, Any], draw: Any = None) -> tuple[Any, Any]:
        x, y = batch
        for number, (word, option) in enumerate(augment.items()):
            x, y = layers[word](x, y) if word in layers else AUGMENT[word](x, y, draw + [number, 0], option)
        return scaling(x), y

    if augment:
        draws = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2, drop_remainder=True)
        batched = tf.data.Dataset.zip(batched, draws)
        # Keras's layers carry their random state from batch to batch: in parallel, the order would be anybody's.
        mapped = batched.map(finish, num_parallel_calls=None if layers else tf.data.AUTOTUNE)
    else:
        mapped = batched.map(lambda x, y: finish((x, y)), num_parallel_calls=tf.data.AUTOTUNE)
    return mapped.prefetch(tf.data.AUTOTUNE)
