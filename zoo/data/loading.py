"""`zoo.load_data`: whatever the commands train on, as batches for a loop of one's own."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.checks import check_whole
from zoo.data.arrays import Arrays
from zoo.data.builtin.embedded import embedded, tfds
from zoo.data.checks import summarise
from zoo.data.epochs import Epochs
from zoo.data.image.folder import ImageFolder
from zoo.data.image.normalization import SCALING
from zoo.data.image.pipeline import batches, prepared
from zoo.data.sources import DataSet, Source, open_source
from zoo.data.tensors import numpy_dtype
from zoo.data.text.folder import TextFolder
from zoo.data.video.folder import ClipFolder
from zoo.errors import UsageError, unknown

FOLDERS = (ImageFolder, ClipFolder)  # by the endings that their files have; else texts
SHUFFLE_BUFFER = 100_000  # texts


def load_data(
    dataset: Any,
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
) -> Any:
    """A data set, ready for `fit`.

    Args:
        dataset: a tfds name (``"mnist"``, ``"digits:1.0.0"``); the path of an ``.npz`` file
            (`zoo.data.sources.ArrayFile` says what it must hold), or of a folder with a sub-folder of images, clips or
            texts for each class; or arrays, ``(x, y)`` or a dictionary, as `zoo.train` takes and divides them.
        split: in tfds' slicing language, ``"train[:90%]"``; of arrays, "train", "validation" or "test".
        batch_size: examples in a batch.
        shuffle: shuffle with `seed`, differently in each epoch and equally in each run.
        seed: of shuffling and augmentation.
        preprocess: done once to each example: ``{"resize": (height, width)}``, ``{"cover": (height, width)}`` (in
            proportion, what juts out cut off), ``{"pad": (height, width)}``.
        augment: done anew in each epoch: ``{"shift": pixels}``, ``{"flip": True}``,
            ``{"crop": (smallest, largest fraction of the area)}``, ``{"colour": strength}``,
            ``{"grey": probability}``, or a layer of Keras: ``{"RandAugment": {"factor": 0.3}}``.
        scaling: ``"standardise"`` by mean and deviation of the training set, ``"unit"`` (to 0..1), ``"none"``.
        train: the split that "standardise" measures.
        data_dir: where tfds keeps its data sets.

    Returns:
        A ``tf.data.Dataset`` of (float32 inputs, targets); of texts and of the paths of clips, (strings, targets): they
        are neither preprocessed nor scaled. Where TensorFlow is not installed, a `keras.utils.PyDataset` of NumPy's
        arrays with the same methods.

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
    check_whole("batch_size", batch_size)
    check_whole("seed", seed, 0)
    if batch_size > SHUFFLE_BUFFER:
        raise UsageError(f"batch_size is {batch_size}; expected at most {SHUFFLE_BUFFER:,}")
    source = opened(dataset, data_dir).load()
    if is_text(source, train):
        if preprocess or augment:
            raise UsageError(f"{source.name} holds texts; preprocess and augment are for images: leave them out")
        examples = source.split(split)
        if shuffle:
            examples = examples.shuffle(SHUFFLE_BUFFER, seed=seed, reshuffle_each_iteration=True)
        return examples.batch(batch_size).prefetch(2)
    preprocess = preprocess or {}
    scale = SCALING[scaling](summarise(prepared(source, train, preprocess), source, train))
    examples = prepared(source, split, preprocess)
    return batches(
        examples, scaling=scale, batch_size=batch_size, augment=augment, epochs=Epochs(seed) if shuffle else None
    )


def opened(dataset: Any, data_dir: str | None) -> DataSet:
    """The data set, file, folder or arrays."""
    if not isinstance(dataset, str | os.PathLike):
        return Arrays(dataset)
    path = Path(dataset).expanduser()
    is_name = isinstance(dataset, str) and os.sep not in dataset and dataset in (*tfds.list_builders(), *embedded())
    if is_name or dataset == "" or not path.is_dir():
        return open_source(dataset, data_dir=data_dir)
    endings = {file.suffix.lower() for file in path.rglob("*") if file.is_file()}
    return next((each for each in FOLDERS if endings & set(each.ENDINGS)), TextFolder)(path.absolute())


def is_text(source: Source, split: str) -> bool:
    """Whether the inputs are texts.

    Raises:
        UsageError: where an example is not an input with its target.
    """
    spec = source.split(split).element_spec
    if not isinstance(spec, tuple) or len(spec) != 2 or isinstance(spec[0], Mapping):
        holds = ", ".join(spec) if isinstance(spec, Mapping) else "no pairs"
        raise UsageError(
            f"an example of {source.name} has {holds}; expected an input and its target: `zoo.train` reads it"
        )
    return numpy_dtype(spec[0].dtype).kind == "O"
