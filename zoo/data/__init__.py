"""Data, through tensorflow-datasets, in one canonical order. TensorFlow appears nowhere else in the zoo."""

from zoo.data import embedded, embedded_text, tiny_english  # noqa: F401  registers the embedded data sets with tfds
from zoo.data.pipeline import AUGMENT, AUGMENT_LAYERS, PREPROCESS, SCALING, Scaling, load_data
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
