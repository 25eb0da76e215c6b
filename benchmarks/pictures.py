"""Photographs and small pictures on their way into a network: pictures a second of one core, beside tf.data by hand.

    taskset -c 0 python benchmarks/pictures.py --record results/benchmarks/pictures.csv

    look             a folder of photographs of 500x375: opened, checked, divided, prepared for 224 pixels, summarised
    look, large      the same with photographs of 2000x1500
    crop and flip    an epoch of training batches of 224 pixels, cropped, mirrored and scaled, from the cache
    shift and flip   an epoch of training batches of 32 pixels, moved, mirrored and scaled, from the cache
    neighbours       the baselines of image classification, on the pictures of `crop and flip`
    decodes          how many files a training of one epoch decodes whose pictures do not fit into memory
    decodes, on disk the same with a folder for them

The peers are written by hand for the same work as far as they can be: read, decode at the reduced size where there is
one, cut, resize without smoothing, keep as bytes; tf.image.crop_and_resize with the corners of mirrored pictures
swapped; gathers of rows and columns. They check nothing and summarise nothing. TensorFlow has one thread; what is
measured is the processor's time, the least of some rounds, zoo and peer by turns. The photographs are parts of the two
that come with scikit-learn, as JPEG of quality 90.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

SIDE, SMALL = 224, 32
MEAN, STD = 117.0, 58.0
COLUMNS = ("case", "pictures", "side", "per_second", "peer_per_second", "ratio", "seconds", "decodes")


def photographs(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """So many JPEGs of a size (width, height) in two classes, no two alike."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(0)
    for label, scene in zip("ab", load_sample_images().images):
        (folder / label).mkdir(parents=True)
        whole = Image.fromarray(scene)
        for number in range(count // 2):
            width = int(rng.integers(400, 560))
            height = width * size[1] // size[0]
            left, top = (int(rng.integers(0, free + 1)) for free in (whole.width - width, whole.height - height))
            part = whole.crop((left, top, left + width, top + height))
            part.resize(size, Image.Resampling.BICUBIC).save(folder / label / f"{number}.jpg", quality=90)
    return folder


def least(works: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds of the processor that each takes, the least of some rounds by turns; a first one does not count."""
    found = dict.fromkeys(works, float("inf"))
    for number in range(rounds + 1):
        for name, work in works.items():
            began = time.process_time()
            work()
            if number:
                found[name] = min(found[name], time.process_time() - began)
    return found


def adapted(data: Any, name: str = "resnet50", preprocessing: str = "caffe", **changes: Any) -> Any:
    """The data module of a network that is fine-tuned on some data."""
    from zoo import registry, tasks
    from zoo.records import replace
    from zoo.training.own_data import arrays_or_data, on_own_data

    card = registry.info(name)
    recipe = replace(on_own_data(card.recipe("finetune"), data), preprocessing=preprocessing, **changes)
    source = arrays_or_data(data, recipe.dataset, card, None, recipe.preprocess).load()
    return tasks.get(card.task).data_module.adapt(card, recipe, source)


def epoch(batches: Any) -> None:
    for _ in batches:
        pass


def one_thread(dataset: Any) -> Any:
    import tensorflow as tf

    options = tf.data.Options()
    options.threading.private_threadpool_size, options.threading.max_intra_op_parallelism = 1, 1
    return dataset.with_options(options)


def looked_by_hand(folder: Path, reduced: int) -> None:
    """Every photograph decoded, cut to its middle, brought to (SIDE, SIDE) bytes and kept."""
    import tensorflow as tf

    def read(path: Any) -> Any:
        content = tf.io.read_file(path)
        if reduced > 1:
            x = tf.image.decode_jpeg(content, 3, ratio=reduced)
            height, width = tf.unstack(tf.shape(x)[:2])
            x = x[:, (width - height) // 2 : (width + height) // 2]
        else:
            height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(content))
            window = tf.stack([0, (width - height) // 2, height, height])
            x = tf.io.decode_and_crop_jpeg(content, window, 3)
        return tf.cast(tf.round(tf.image.resize(x, (SIDE, SIDE))), tf.uint8)

    files = [str(path) for path in sorted(folder.rglob("*.jpg"))]
    epoch(one_thread(tf.data.Dataset.from_tensor_slices(files).map(read, tf.data.AUTOTUNE).cache()))


def cropped_by_hand(x: np.ndarray, size: int) -> Any:
    """Batches of parts of at least half of the area, half of them mirrored."""
    import tensorflow as tf

    def crop(images: Any) -> Any:
        count = tf.shape(images)[0]
        side = tf.sqrt(tf.random.uniform((count,), 0.5, 1.0))
        top, left = (tf.random.uniform((count,)) * (1.0 - side) for _ in range(2))
        mirrored = tf.random.uniform((count,)) < 0.5
        start, end = tf.where(mirrored, left + side, left), tf.where(mirrored, left, left + side)
        boxes = tf.stack([top, start, top + side, end], 1)
        return (tf.image.crop_and_resize(images, boxes, tf.range(count), (SIDE, SIDE)) - MEAN) / STD

    rows = tf.data.Dataset.range(len(x)).shuffle(len(x)).batch(size)
    images = tf.constant(x)
    return one_thread(rows.map(lambda each: crop(tf.gather(images, each)), tf.data.AUTOTUNE).prefetch(1))


def shifted_by_hand(x: np.ndarray, size: int, most: int = 4) -> Any:
    """Batches that are moved by up to `most` pixels, half of them mirrored."""
    import tensorflow as tf

    def shift(images: Any) -> Any:
        count, side = tf.shape(images)[0], images.shape[1]
        padded = tf.pad(images, [[0, 0], [most, most], [most, most], [0, 0]])
        down, right = (tf.random.uniform((count, 1), 0, 2 * most + 1, tf.int32) for _ in range(2))
        columns = right + tf.range(side)
        columns = tf.where(tf.random.uniform((count, 1)) < 0.5, side + 2 * most - 1 - columns, columns)
        moved = tf.gather(tf.gather(padded, down + tf.range(side), batch_dims=1), columns, axis=2, batch_dims=1)
        return (tf.cast(moved, tf.float32) - MEAN) / STD

    rows = tf.data.Dataset.range(len(x)).shuffle(len(x)).batch(size)
    images = tf.constant(x)
    return one_thread(rows.map(lambda each: shift(tf.gather(images, each)), tf.data.AUTOTUNE).prefetch(1))


def pictures(count: int, side: int) -> dict[str, np.ndarray]:
    """Arrays to train, validate and test on, of noise in two classes."""
    rng, found = np.random.default_rng(0), dict[str, np.ndarray]()
    for split, number in (("train", count), ("val", max(count // 10, 4)), ("test", max(count // 10, 4))):
        found[f"x_{split}"] = rng.integers(0, 256, (number, side, side, 3), "uint8")
        found[f"y_{split}"] = np.arange(number) % 2
    return found


def decodes(folder: Path, place: Path, **settings: Any) -> tuple[int, float]:
    """How often a training of one epoch past the limit of the cache decodes a file, and its seconds."""
    import zoo
    from zoo.data.image import files, pipeline

    for path in folder.rglob("*.jpg"):  # upside down by its notes: Pillow reads it, and that can be counted
        turn(path)
    counted, decoded = list[Any](), files.decoded

    def counting(path: Any, *rest: Any, **more: Any) -> Any:
        counted.append(path)
        return decoded(path, *rest, **more)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(pipeline, "CACHE_BYTES", 1_000_000))
        for module in ("files", "folder", "reading"):
            with suppress(ImportError, AttributeError):
                stack.enter_context(mock.patch(f"zoo.data.image.{module}.decoded", counting))
        began = time.process_time()
        zoo.train("softmax_regression", data=folder, image_size=64, epochs=1, run=place, verbose=0, **settings)
    return len(counted), time.process_time() - began


def turn(path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(path).save(path, quality=90, exif=exif)


def beside(case: str, count: int, side: int, works: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, Any]:
    """The row of a case that has a peer."""
    rates = {name: count / seconds for name, seconds in least(works, rounds).items()}
    return {
        "case": case, "pictures": count, "side": side, "per_second": round(rates["zoo"], 1),
        "peer_per_second": round(rates["peer"], 1), "ratio": round(rates["zoo"] / rates["peer"], 3),
    }  # fmt: skip


def looked(case: str, count: int, size: tuple[int, int], reduced: int, place: Path, rounds: int) -> dict[str, Any]:
    folder = photographs(place / case.replace(", ", "_"), count, size)
    works = {"zoo": partial(adapted, folder), "peer": partial(looked_by_hand, folder, reduced)}
    return beside(case, count, SIDE, works, rounds)


def trained(case: str, count: int, side: int, size: int, augment: dict[str, Any], peer: Any, rounds: int) -> Any:
    data = pictures(count, side)
    module = adapted(data, preprocessing="standardise", preprocess={}, augment=augment, batch_size=size)
    works = {"zoo": one_thread(module.batches("train", training=True)), "peer": peer(data["x_train"], size)}
    return beside(case, count, side, {name: partial(epoch, batches) for name, batches in works.items()}, rounds)


def neighbours(count: int, rounds: int) -> dict[str, Any]:
    from zoo import tasks

    module = adapted(pictures(count, SIDE), preprocessing="standardise", preprocess={}, batch_size=32)
    seconds = least({"zoo": partial(tasks.get("image_classification").baselines, module)}, rounds)["zoo"]
    return {"case": "neighbours", "pictures": count, "side": SIDE, "seconds": round(seconds, 2)}


def past_the_limit(count: int, place: Path, **settings: Any) -> dict[str, Any]:
    case = "decodes, on disk" if settings else "decodes"
    folder = photographs(place / case.replace(", ", "_"), count, (500, 375))
    number, seconds = decodes(folder, place / f"{case} runs", **settings)
    return {"case": case, "pictures": count, "side": 64, "seconds": round(seconds, 2), "decodes": number}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", help="one of them, or several; else all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of pictures")
    parser.add_argument("--record", type=Path, help="a CSV file that a row for each case is appended to")
    arguments = parser.parse_args()
    os.environ.setdefault("MPLBACKEND", "Agg")
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    from zoo import results

    def many(count: int) -> int:
        return int(count * arguments.scale)

    with tempfile.TemporaryDirectory() as name:
        place, rounds = Path(name), arguments.rounds
        crop, shift = {"crop": (0.5, 1.0), "flip": True}, {"shift": 4, "flip": True}
        cases: dict[str, Callable[[], dict[str, Any]]] = {
            "look": lambda: looked("look", many(1000), (500, 375), 1, place, rounds),
            "look, large": lambda: looked("look, large", many(160), (2000, 1500), 4, place, rounds),
            "crop and flip": lambda: trained("crop and flip", many(512), SIDE, 32, crop, cropped_by_hand, rounds),
            "shift and flip": lambda: trained(
                "shift and flip", many(20_000), SMALL, 128, shift, shifted_by_hand, rounds
            ),
            "neighbours": lambda: neighbours(many(512), rounds),
            "decodes": lambda: past_the_limit(many(400), place),
            "decodes, on disk": lambda: past_the_limit(many(400), place, cache_dir=place),
        }
        for case in arguments.case or cases:
            row = cases[case]()
            print(row, flush=True)
            if arguments.record:
                results.append(arguments.record, dict.fromkeys(COLUMNS, "") | row)


if __name__ == "__main__":
    main()
