"""A program for `tests/data/test_without_tensorflow.py`: as if TensorFlow, tfds and PyTorch were not installed.

`main` writes what the embedded data sets hold into a folder, trains a network, and prints what it found as JSON.
`demos` writes what the data modules of all kinds make.
"""

import json
import sys
from importlib.machinery import PathFinder
from pathlib import Path

AWAY = ("tensorflow", "tensorflow_datasets", "torch")
if __name__ == "__main__":  # the tests' own process, which looks for doctests here, keeps what it has
    found = PathFinder.find_spec
    PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in AWAY else found(name, *rest)

import numpy as np  # noqa: E402

import zoo  # noqa: E402
from zoo import backend  # noqa: E402
from zoo.data import open_source  # noqa: E402

NAMES = ("digits", "digit_texts", "daily_views", "pydoc_topics")
SPLITS = ("train", "validation[:50%]", "test[3:-4]", "train[-5:]+test[:2]")


def refused(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except zoo.UsageError as error:
        return str(error)
    return ""


def contents(name):
    """The columns of its splits; texts as texts, for there are no objects in a file of arrays."""
    source, found = open_source(name).load(), {}
    for split in SPLITS:
        rows = list(source.split(split).as_numpy_iterator())
        columns = zip(*rows) if isinstance(rows[0], tuple) else [[row["text"] for row in rows]]
        for number, column in enumerate(columns):
            texts = isinstance(column[0], bytes)
            found[f"{split} {number}"] = np.array([x.decode() for x in column]) if texts else np.stack(column)
    return found


def main(folder):
    for name in NAMES:
        np.savez(folder / f"{name}.npz", **contents(name))
    run = zoo.train("softmax_regression", epochs=15, run=folder / "run", verbose=0)
    import keras
    from PIL import Image

    image, _ = next(iter(open_source("digits").load().split("test")))
    inputs, _ = next(iter(zoo.load_data("digits", split="test", batch_size=1)))
    Image.fromarray(image[..., 0]).save(folder / "digit.png")
    told = {
        "backend": keras.backend.backend(),
        "accuracy": run.metrics["accuracy"],
        "evaluated": zoo.evaluate(run)["accuracy"],
        "predicted": zoo.predict(run, [str(folder / "digit.png")])[0],
        "asked": int(np.argmax(run.model().predict(inputs, verbose=0))),
        "mnist": refused(zoo.train, "softmax_regression", "mnist"),
        "imported": [package for package in AWAY if package in sys.modules],
    }
    backend.os.environ["KERAS_BACKEND"] = "torch"
    from zoo import saving

    told["torch"] = refused(saving.check_backend)
    print(json.dumps(told))


def demos(folder):
    """What the data modules of all kinds of demos make."""
    from demo_batches import arrays_of, one_of_each_kind

    told = {}
    for name in one_of_each_kind():
        arrays, told[name] = arrays_of(name)
        np.savez(folder / f"{name}.npz", *arrays)
    print(json.dumps(told))


if __name__ == "__main__":
    {"main": main, "demos": demos}[sys.argv[1]](Path(sys.argv[2]))
