"""The one order in which examples reach a network.

    source -> preprocess -> cache -> shuffle -> batch -> augment -> scale -> prefetch

What is the same in every epoch comes before the cache, what differs after it. Batches are formed
before they are augmented because one operation on 128 pictures costs little more than on one; each
picture still gets its own random numbers. Shuffling and augmentation draw from generators of their own,
which move on from epoch to epoch and start again with the same seed. (Keras's own shuffling of arrays and
`tf.random` inside `map` repeat one order for ever once a global seed is set.)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data import temporal
from zoo.data.sources import Source, open_source
from zoo.errors import UsageError, first_line, unknown
from zoo.weights.channels import PIXELS, Pixels

MEMORY = 4 * 2**30  # bytes: sets up to this size are cached and shuffled whole
LOOK_AT = 100_000  # examples: how far the pass over a larger set goes


def read_picture(path: str, channels: int):
    """A picture file as (height, width, channels) of 0 to 255.

    Raises:
        UsageError: if there is none, or it cannot be read.
    """
    import tensorflow as tf

    try:
        picture = tf.io.decode_image(tf.io.read_file(str(path)), channels=channels)
    except tf.errors.NotFoundError:
        raise UsageError(f"there is no file {path}; expected a picture") from None
    except tf.errors.OpError:
        raise UsageError(f"{path} cannot be read as a picture; expected a JPEG, PNG, GIF or BMP file") from None
    return picture if picture.shape.rank == 3 else picture[0]  # the first picture of an animation


def resize(x, size):
    """Bilinear to (height, width). Rank 3: one picture."""
    import tensorflow as tf

    return tf.image.resize(x, size)


def pad(x, size):
    """Zeros (black) all around, up to (height, width)."""
    import tensorflow as tf

    return tf.image.resize_with_crop_or_pad(x, *size)


def cover(x, size):
    """Shrink or stretch a picture, its sides in proportion, until it just covers (height, width); cut off the rest."""
    import tensorflow as tf

    sides = tf.cast(tf.shape(x)[:2], tf.float32)
    scale = tf.reduce_max(tf.constant(size, tf.float32) / sides)
    wanted = tf.maximum(tf.cast(tf.math.ceil(sides * scale - 1e-3), tf.int32), size)
    stretched = tf.image.resize(x, wanted, antialias=True)
    cut = tf.image.resize_with_crop_or_pad(stretched, *size)
    return tf.saturate_cast(tf.round(cut), x.dtype) if x.dtype.is_integer else cut  # a byte a colour in the cache


def shift(x, seed, pixels):
    """Move each picture of a batch by up to `pixels` in both directions; what comes in is black."""
    import tensorflow as tf

    batch, height, width, _ = tf.unstack(tf.shape(x))
    padded = tf.pad(x, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]])
    down, right = tf.unstack(
        tf.random.stateless_uniform((2, batch), seed, maxval=2 * pixels + 1, dtype=tf.int32)
    )  # (batch,) each
    rows = tf.gather(padded, down[:, None] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(rows, right[:, None] + tf.range(width), axis=2, batch_dims=1)


def flip(x, seed, _):
    """Mirror each picture of a batch left to right with probability 1/2."""
    import tensorflow as tf

    coin = tf.random.stateless_uniform((tf.shape(x)[0], 1, 1, 1), seed) < 0.5
    return tf.where(coin, x[:, :, ::-1], x)


def crop(x, seed, area):
    """Stretch a random part of each picture of a batch to full size: a share of its area between the two of `area`,
    its sides in a proportion between 3:4 and 4:3 (Szegedy 2015, section 6)."""
    import tensorflow as tf

    batch, height, width, _ = tf.unstack(tf.shape(x))
    share, shape, down, right = tf.unstack(tf.random.stateless_uniform((4, batch), seed))
    share = area[0] + share * (area[1] - area[0])
    proportion = tf.exp((2.0 * shape - 1.0) * np.float32(np.log(4 / 3)))
    tall, wide = tf.minimum(tf.sqrt(share / proportion), 1.0), tf.minimum(tf.sqrt(share * proportion), 1.0)
    top, left = down * (1.0 - tall), right * (1.0 - wide)
    boxes = tf.stack([top, left, top + tall, left + wide], axis=1)
    return tf.image.crop_and_resize(x, boxes, tf.range(batch), (height, width))


PREPROCESS: Mapping[str, Callable] = {  # (example, option) -> example
    "resize": resize,
    "pad": pad,
    "cover": cover,
    "frames": temporal.frames,
    "loop": temporal.loop,
}
AUGMENT: Mapping[str, Callable] = {  # (batch, seed, option) -> batch
    "shift": temporal.for_clips(shift),
    "flip": temporal.for_clips(flip),
    "crop": temporal.for_clips(crop),
    "jitter": temporal.jitter,
}
# Layers of Keras that change the pictures of a batch and not their labels, with their own options. They cost more.
AUGMENT_LAYERS = (
    "AugMix", "AutoContrast", "Equalization", "RandAugment", "RandomBrightness", "RandomColorJitter", "RandomContrast",
    "RandomErasing", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomPerspective", "RandomRotation",
    "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom",
)  # fmt: skip


@dataclass(frozen=True)
class Scaling:
    """x -> (x - mean) / std, a number for each channel of a picture or each feature of a vector.

    Where `reverse`, colours are turned from RGB to BGR first, as some published weights want them.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    reverse: bool = False

    def __call__(self, x):
        import tensorflow as tf

        x = tf.cast(x[..., ::-1] if self.reverse else x, tf.float32)
        return (x - np.float32(self.mean)) / np.float32(self.std)

    def undo(self, x: np.ndarray) -> np.ndarray:
        x = x * np.float32(self.std) + np.float32(self.mean)
        return x[..., ::-1] if self.reverse else x


@dataclass(frozen=True)
class Summary:
    """One pass over a split: what it holds."""

    count: int
    shape: tuple[int, ...]  # of one example
    mean: tuple[float, ...]
    std: tuple[float, ...]
    high: float  # the largest number
    classes: tuple[int, ...]  # those that occur


def published(pixels: Pixels) -> Callable[[Summary], Scaling]:
    """A scaling that published weights were trained with, of pixels of 0 to 255; pictures of 0 to 1 are brought up.

    A grey picture takes the means over the three channels, which is what weights adapted to one channel expect.
    """

    def scaling(train: Summary) -> Scaling:
        channels, unit = len(train.mean), 1.0 if train.high > 1 else 255.0
        if channels not in (1, 3):
            raise UsageError(f"the pictures have {channels} channels; these weights were trained with 3 (1 will do)")
        here = pixels.of(channels)
        return Scaling(tuple(m / unit for m in here.mean), tuple(s / unit for s in here.std), here.order == "bgr")

    return scaling


# How a card, or published weights, say that numbers are scaled, by what the training set holds.
SCALING: Mapping[str, Callable[[Summary], Scaling]] = {
    "standardise": lambda train: Scaling(train.mean, train.std),
    "unit": lambda train: Scaling((0.0,), (255.0 if train.high > 1 else 1.0,)),
    "none": lambda train: Scaling((0.0,), (1.0,)),
    **{name: published(pixels) for name, pixels in PIXELS.items()},
}


def example_bytes(examples) -> int:
    """The memory that one example takes, or a guess of 1 MiB where its size varies."""
    specs = examples.element_spec
    if any(spec.shape.num_elements() is None for spec in specs):
        return 2**20
    return sum(spec.shape.num_elements() * spec.dtype.size for spec in specs)


def prepared(source: Source, split: str, preprocess: Mapping[str, Any]):
    """The examples of a split, preprocessed, one by one; cached in memory if they fit."""
    import tensorflow as tf

    for word in preprocess:
        if word not in PREPROCESS:
            raise unknown("preprocessing", word, PREPROCESS)

    def apply(x, y):
        before = x
        for word, option in preprocess.items():
            x = PREPROCESS[word](x, option)
        if before.shape.rank == 4 and before.dtype.is_integer:  # a clip: a byte a colour in the cache
            x = tf.saturate_cast(tf.round(x), before.dtype) if x.dtype.is_floating else x
        return x, y

    try:
        examples = source.split(split)
    except (ValueError, AssertionError) as error:
        raise UsageError(f"{source.name} has no split {split!r}: {first_line(error)}") from None
    if preprocess:
        examples = examples.map(apply, num_parallel_calls=tf.data.AUTOTUNE)
    count = int(examples.cardinality())  # negative where nobody knows
    return examples.cache() if 0 <= count * example_bytes(examples) <= MEMORY else examples


def batches(
    examples, *, scaling: Scaling, batch_size: int, augment: Mapping[str, Any] | None = None, seed: int | None = None
):
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
        buffer = max(1, MEMORY // example_bytes(examples))
        examples = examples.shuffle(min(buffer, LOOK_AT), seed=seed, reshuffle_each_iteration=True)
    return finished(examples.batch(batch_size), scaling=scaling, augment=augment, seed=seed)


def finished(batched, *, scaling: Scaling, augment: Mapping[str, Any] | None = None, seed: int | None = None):
    """Batches of (inputs, targets) augmented, scaled and fetched ahead."""
    import tensorflow as tf

    augment = augment or {}
    for word in augment:
        if word not in AUGMENT and word not in AUGMENT_LAYERS:
            raise unknown("augmentation", word, [*AUGMENT, *AUGMENT_LAYERS])
    layers = {word: keras_layer(word, option, seed) for word, option in augment.items() if word in AUGMENT_LAYERS}

    def finish(batch, draw=None):
        x, y = batch
        for number, (word, option) in enumerate(augment.items()):
            x = layers[word](x, training=True) if word in layers else AUGMENT[word](x, draw + [number, 0], option)
        return scaling(x), y

    if augment:
        draws = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2, drop_remainder=True)
        batched = tf.data.Dataset.zip(batched, draws)
        # Keras's layers carry their random state from batch to batch: in parallel, the order would be anybody's.
        mapped = batched.map(finish, num_parallel_calls=None if layers else tf.data.AUTOTUNE)
    else:
        mapped = batched.map(lambda x, y: finish((x, y)), num_parallel_calls=tf.data.AUTOTUNE)
    return mapped.prefetch(tf.data.AUTOTUNE)


def keras_layer(word: str, option: Mapping[str, Any], seed: int):
    """A layer of Keras that augments pictures of 0 to 255."""
    import keras

    kind = getattr(keras.layers, word)
    try:
        return kind(**option, seed=seed)
    except (TypeError, ValueError) as error:
        raise UsageError(f"keras.layers.{word} cannot be made with {dict(option)}: {first_line(error)}") from None


def summarise(examples, source: Source, split: str) -> Summary:
    """Look at every example (of a set beyond `LOOK_AT`, the first ones): what they measure, and whether they are sound.

    Raises:
        UsageError: for an empty set, numbers that are not finite, pictures in a range that is neither
            0..255 nor 0..1, labels that are negative or beyond the classes.
    """
    count, total, squares, low, high = 0, 0.0, 0.0, np.inf, -np.inf
    classes: set[int] = set()
    shape: tuple[int, ...] = ()
    for x, y in readable(examples.take(LOOK_AT).batch(1024), source, split):
        shape = x.shape[1:]
        axes = tuple(range(x.ndim - 1))
        exact = x.astype("float64")
        sound = np.abs(exact) < np.finfo("float32").max  # False for NaN as well
        if not sound.all():
            row = count + int(np.argmin(sound.reshape(len(x), -1).all(axis=1)))
            raise UsageError(
                f"example {row} of {source.name} ({split}) holds NaN, infinity or more than float32 can; "
                "expected numbers: mend it or drop it"
            )
        count += len(x)
        total, squares = total + exact.sum(axes), squares + np.square(exact).sum(axes)
        low, high = min(low, exact.min()), max(high, exact.max())
        check_labels(y, source, split)
        if source.class_names:
            classes.update(np.unique(y).tolist())
    if not count:
        raise UsageError(f"the split {split!r} of {source.name} is empty; expected at least one example")
    check_range(low, high, shape, source, split)
    each = count * int(np.prod(shape[:-1], dtype=int))  # numbers behind each mean
    mean = total / each
    variance = np.maximum(squares / each - np.square(mean), 0.0)
    std = np.where(variance > 1e-12, np.sqrt(variance), 1.0)  # a constant feature stays as it is
    count = max(count, int(examples.cardinality()))  # of a large set, all are counted though not all are looked at
    return Summary(count, shape, tuple(mean.tolist()), tuple(std.tolist()), float(high), tuple(sorted(classes)))


def readable(batched, source: Source, split: str):
    """The batches as NumPy; a file that cannot be read is said in one line."""
    import tensorflow as tf

    try:
        yield from batched.as_numpy_iterator()
    except tf.errors.OpError as error:
        cure = "remove the file" if Path(source.name).is_absolute() else "prepare it anew"
        raise UsageError(f"{source.name} ({split}) cannot be read ({first_line(error)}); {cure}") from error


def check_labels(y, source: Source, split: str) -> None:
    if y.ndim != 1:
        raise UsageError(
            f"the targets of {source.name} ({split}) have shape {y.shape}; expected (examples,): "
            "one number, or the number of the class"
        )
    if not source.class_names:
        if not np.isfinite(np.asarray(y, "float64")).all():
            raise UsageError(f"a target of {source.name} ({split}) is NaN or infinite; expected numbers")
        return
    if not np.issubdtype(y.dtype, np.integer):
        raise UsageError(
            f"the labels of {source.name} ({split}) are {y.dtype}; expected whole numbers: y.astype('int32')"
        )
    wrong = y[(y < 0) | (y >= source.num_classes)]
    if len(wrong):
        raise UsageError(
            f"{source.name} ({split}) has the label {wrong[0]}; expected 0 to {source.num_classes - 1}, "
            "the classes of the training set"
        )


def check_range(low: float, high: float, shape, source: Source, split: str) -> None:
    """Pictures (rank 3) and clips hold 0..255 or 0..1; what goes beyond was scaled by somebody."""
    if len(shape) >= 3 and (low < 0 or high > 255):
        raise UsageError(
            f"the pictures of {source.name} ({split}) reach from {low:g} to {high:g}; expected 0 to 255 (or 0 to 1): "
            "undo their scaling"
        )


def load_data(
    dataset: str,
    *,
    split: str = "train",
    batch_size: int = 32,
    shuffle: bool = False,
    seed: int = 0,
    preprocess: Mapping[str, Any] | None = None,
    augment: Mapping[str, Any] | None = None,
    scaling: str = "standardise",
    train: str = "train",
    data_dir: str | None = None,
):
    """A data set, ready for `fit`.

    Args:
        dataset: a tfds name (``"mnist"``, ``"digits:1.0.0"``) or the path of an ``.npz`` file
            (`zoo.data.sources.ArrayFile` says what it must hold).
        split: in tfds' slicing language, ``"train[:90%]"``.
        batch_size: examples in a batch.
        shuffle: shuffle with `seed`, differently in each epoch and equally in each run.
        seed: of shuffling and augmentation.
        preprocess: done once to each example: ``{"resize": (height, width)}``, ``{"cover": (height, width)}`` (in
            proportion, what juts out cut off), ``{"pad": (height, width)}``.
        augment: done anew in each epoch: ``{"shift": pixels}``, ``{"flip": True}``,
            ``{"crop": (least, most share of the area)}``, or a layer of Keras: ``{"RandAugment": {"factor": 0.3}}``.
        scaling: ``"standardise"`` by mean and deviation of the training set, ``"unit"`` (to 0..1), ``"none"``.
        train: the split that "standardise" measures.
        data_dir: where tfds keeps its data sets.

    Returns:
        A ``tf.data.Dataset`` of (float32 inputs, targets).

    Raises:
        UsageError: for an unknown name, or data that is not there and cannot be fetched.

    >>> images, labels = next(iter(load_data("digits", split="test", batch_size=5)))
    >>> images.shape, labels.dtype.name
    (TensorShape([5, 8, 8, 1]), 'int64')
    """
    if scaling not in SCALING:
        raise unknown("scaling", scaling, SCALING)
    if augment and not shuffle:
        raise UsageError("augment without shuffle; expected both for training, or neither for evaluation")
    check_count("batch_size", batch_size)
    source = open_source(dataset, data_dir=data_dir).load()
    check_arrays(source, train)
    preprocess = preprocess or {}
    scale = SCALING[scaling](summarise(prepared(source, train, preprocess), source, train))
    examples = prepared(source, split, preprocess)
    return batches(examples, scaling=scale, batch_size=batch_size, augment=augment, seed=seed if shuffle else None)


def check_arrays(source: Source, split: str) -> None:
    """Raise where examples are texts, or have no target."""
    spec = source.split(split).element_spec
    if not isinstance(spec, tuple) or spec[0].dtype.name == "string":
        raise UsageError(
            f"{source.name} holds texts; expected pictures or vectors with a target each: `zoo.train` reads texts"
        )


def check_count(option: str, value: Any) -> None:
    """Raise unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{option} is {value!r}; expected a whole number of at least 1")
