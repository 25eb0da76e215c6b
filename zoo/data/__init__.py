"""Data, through tensorflow-datasets, in one canonical order. TensorFlow appears nowhere else in the zoo."""

# Importing these registers the zoo's own data sets with tfds.
from zoo.data import dates, embedded, embedded_text, glyphs, moving, photographs, tiny_english  # noqa: F401
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
