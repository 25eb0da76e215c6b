"""Data in one canonical order, by TensorFlow and tensorflow-datasets, or by NumPy where these are not installed."""

# Importing these registers the zoo's own data sets, with tfds where it is there.
from zoo.data.builtin import (  # noqa: F401
    dates,
    digit_attributes,
    digit_texts,
    glyphs,
    moving_digits,
    named_things,
    one_shape,
    photographs,
    ring,
    shape_instances,
    shape_masks,
    shapes,
    tables,
    texts,
    tiny_english,
    turned_wedges,
    two_renderings,
    two_senses,
)
from zoo.data.image.keras_layers import AUGMENT_LAYERS
from zoo.data.image.normalization import SCALING, Scaling
from zoo.data.image.transforms import AUGMENT, PREPROCESS
from zoo.data.loading import load_data
from zoo.data.sources import ArrayFile, Source, open_source

__all__ = [
    "AUGMENT",
    "AUGMENT_LAYERS",
    "PREPROCESS",
    "SCALING",
    "ArrayFile",
    "Scaling",
    "Source",
    "load_data",
    "open_source",
]
