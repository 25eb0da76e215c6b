"""The pipelines where TensorFlow is not installed: each name that stands in for one of its own beside the genuine one,
each embedded data set beside what tfds makes of it, and batches of all kinds of data."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from demo_batches import arrays_of, one_of_each_kind
from PIL import Image

import zoo
from zoo.data import open_source, tensors
from zoo.data import without_tensorflow as np_tf
from zoo.data.arrays import Arrays
from zoo.data.epochs import Epochs
from zoo.data.image import pipeline
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.image.normalization import Scaling
from zoo.data.image.transforms import AUGMENT
from zoo.data.text.corpus import CorpusDataModule
from zoo.data.text.labelled import LabelledTextDataModule
from zoo.records import replace

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 13, 18, 3), dtype="uint8")
FLOATS = RNG.normal(size=(3, 4, 5)).astype("float32")
ROWS = np.array([[2, 0], [1, 1], [3, 2]])
PARTS = np.array([[0, 0, 1, 1], [0.1, 0.2, 0.8, 0.7], [0.3, 0.0, 0.9, 0.45]], "float32")

OPERATIONS = {
    "cast": lambda tf: tf.cast([1.9, -1.9], tf.int32),
    "cast_to_float": lambda tf: tf.cast(IMAGES, "float32"),
    "saturate_cast": lambda tf: tf.saturate_cast(tf.round(np.float32([-3.0, 2.5, 3.5, 300.0])), tf.uint8),
    "constant": lambda tf: tf.constant([1, 2]),
    "constant_of_texts": lambda tf: tf.constant(["a", "ä"]),
    "shape": lambda tf: tf.shape(FLOATS),
    "zeros": lambda tf: tf.zeros((2, 3)),
    "range": lambda tf: tf.range(2, 9, 3),
    "stack": lambda tf: tf.stack([FLOATS, FLOATS + 1], axis=1),
    "unstack": lambda tf: tf.unstack(FLOATS, axis=-1)[3],
    "concat": lambda tf: tf.concat([[7, 8], tf.shape(FLOATS)], axis=0),
    "pad": lambda tf: tf.pad(FLOATS, [[0, 0], [1, 2], [0, 3]]),
    "repeat": lambda tf: tf.repeat([1.0, 0.0], 3),
    "repeat_along": lambda tf: tf.repeat(FLOATS, 2, axis=1),
    "roll": lambda tf: tf.roll(FLOATS, 1, axis=0),
    "transpose": lambda tf: tf.transpose(FLOATS, (2, 0, 1)),
    "reshape": lambda tf: tf.reshape(FLOATS, [-1, 10]),
    "reverse": lambda tf: tf.reverse(tf.reshape(FLOATS, (-1, 5)), [1]),
    "reduce_max": lambda tf: tf.reduce_max(FLOATS),
    "reduce_prod": lambda tf: tf.reduce_prod(tf.shape(FLOATS)[1:]),
    "reduce_all": lambda tf: tf.reduce_all(FLOATS > -1, axis=-1, keepdims=True),
    "reduce_any": lambda tf: tf.reduce_any(FLOATS > 1, axis=1),
    "where": lambda tf: tf.where(FLOATS > 0, FLOATS, 0.0),
    "reduce_mean": lambda tf: tf.reduce_mean(FLOATS),
    "floor": lambda tf: tf.floor(3 * FLOATS),
    "clip": lambda tf: tf.clip_by_value(FLOATS, -0.5, 0.5),
    "argmax": lambda tf: tf.cast(tf.argmax(tf.cast(tf.constant([b"a", b"b"]) == b"b", tf.int32)), tf.int64),
    "argsort": lambda tf: tf.argsort(FLOATS, axis=1),
    "top_k": lambda tf: tf.math.top_k(FLOATS[0], 2)[1],
    "gather": lambda tf: tf.gather(FLOATS, [2, 0, 0]),
    "gather_axis": lambda tf: tf.gather(FLOATS, ROWS, axis=1),
    "gather_batched": lambda tf: tf.gather(FLOATS, ROWS, axis=1, batch_dims=1),
    "gather_batched_later_axis": lambda tf: tf.gather(FLOATS, ROWS, axis=2, batch_dims=1),
    "gather_batched_default": lambda tf: tf.gather(FLOATS, ROWS, batch_dims=1),
    "numpy_function": lambda tf: tf.numpy_function(lambda x: x[0] + 1, [FLOATS], tf.float32, stateful=False),
    "numpy_function_of_several": lambda tf: tf.numpy_function(
        lambda x: [x[0] + 1, np.arange(3)], [FLOATS], [tf.float32, tf.int64], False
    )[1],
    "pack_sequence_as": lambda tf: tf.nest.pack_sequence_as((0, {"a": 0, "b": 0}), [FLOATS, IMAGES, ROWS])[1]["b"],
    "resize_down": lambda tf: tf.image.resize(IMAGES, (5, 7)),
    "resize_up": lambda tf: tf.image.resize(IMAGES[0], (31, 20)),
    "resize_antialias": lambda tf: tf.image.resize(IMAGES, (5, 7), antialias=True),
    "resize_antialias_up": lambda tf: tf.image.resize(IMAGES, (31, 20), antialias=True),
    "resize_nearest": lambda tf: tf.image.resize(IMAGES, (5, 29), method="nearest"),
    "crop_or_pad": lambda tf: tf.image.resize_with_crop_or_pad(IMAGES, 8, 23),
    "pad_or_crop": lambda tf: tf.image.resize_with_crop_or_pad(IMAGES[0], 18, 9),
    "crop_and_resize": lambda tf: tf.image.crop_and_resize(IMAGES, PARTS, [0, 1, 2], (9, 11)),
    "crop_and_resize_nearest": lambda tf: tf.image.crop_and_resize(IMAGES, PARTS, [0, 1, 2], (9, 11), "nearest"),
    "crop_and_resize_outside": lambda tf: tf.image.crop_and_resize(IMAGES, PARTS * 1.5 - 0.2, [0, 1, 2], (6, 6)),
    "crop_and_mirror": lambda tf: tf.image.crop_and_resize(IMAGES, PARTS[:, [0, 3, 2, 1]], [0, 1, 2], (9, 11)),
    "crop_to_a_pixel": lambda tf: tf.image.crop_and_resize(IMAGES, PARTS, [0, 1, 2], (1, 1)),
    "rgb_to_grayscale": lambda tf: tf.image.rgb_to_grayscale(IMAGES),
    "rgb_to_grayscale_of_floats": lambda tf: tf.image.rgb_to_grayscale(IMAGES.astype("float32") / 255),
    "grayscale_to_rgb": lambda tf: tf.image.grayscale_to_rgb(tf.constant(IMAGES[..., :1])),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_that_of_tensorflow(name):
    ours, genuine = np.asarray(OPERATIONS[name](np_tf)), np.asarray(OPERATIONS[name](tf))
    assert (ours.shape, ours.dtype.kind) == (genuine.shape, genuine.dtype.kind)
    if ours.dtype.kind == "f":
        assert ours.dtype == genuine.dtype
        np.testing.assert_allclose(ours, genuine, atol=1e-6 * max(1.0, float(np.abs(genuine).max())))
    else:
        assert (ours == genuine).all()


def bucketed(tf):
    texts = tf.data.Dataset.range(23).map(lambda n: (tf.range(tf.cast(1 + n * 7 % 12, tf.int32)), n))
    return texts.bucket_by_sequence_length(
        lambda x, _: tf.shape(x)[0], [4, 7, 13], [3] * 4, pad_to_bucket_boundary=True
    )


def seeded(tf):
    seeds = tf.data.Dataset.from_generator(
        lambda: iter([np.array([1, 2])]), output_signature=tf.TensorSpec((2,), tf.int64)
    )
    return seeds.flat_map(lambda seed: tf.data.Dataset.range(3).map(lambda n: n + seed[0]))


TABLE = {"text": ["a", "ä", "bc"], "number": np.array([1.5, 2.5, 3.5]), "row": np.arange(6).reshape(3, 2)}
PIPELINES = {
    "slices": lambda tf: tf.data.Dataset.from_tensor_slices(TABLE),
    "none": lambda tf: tf.data.Dataset.from_tensor_slices((np.zeros((0, 3)), np.zeros(0, "int32"))),
    "batches": lambda tf: tf.data.Dataset.from_tensor_slices((IMAGES, ["a", "b", "c"])).batch(2),
    "of_batches": lambda tf: tf.data.Dataset.range(10).batch(4).skip(1).take(5),
    "unbatched": lambda tf: tf.data.Dataset.range(7).batch(3).map(lambda n: (n, n * n)).unbatch(),
    "filtered": lambda tf: tf.data.Dataset.range(9).filter(lambda n: n % 3 == 1).map(lambda n: (n, 1, 1.5)),
    "numbered": lambda tf: (
        tf.data.Dataset.range(5).map(lambda n: (n, -n)).enumerate().map(lambda n, pair: (n, pair[1]))
    ),
    "both": lambda tf: tf.data.Dataset.range(2).concatenate(tf.data.Dataset.range(5, 8)).repeat(2).cache(),
    "zipped": lambda tf: tf.data.Dataset.zip(tf.data.Dataset.range(3), tf.data.Dataset.counter()),
    "ahead": lambda tf: tf.data.Dataset.range(50).map(lambda n: n + 1, num_parallel_calls=2).prefetch(3),
    "asserted": lambda tf: seeded(tf).apply(tf.data.experimental.assert_cardinality(3)),
    "buckets": bucketed,
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_is_that_of_tensorflow(name):
    ours, genuine = PIPELINES[name](np_tf), PIPELINES[name](tf)
    for _ in range(2):
        found, wanted = list(ours.as_numpy_iterator()), list(genuine.as_numpy_iterator())
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted):
            keras.tree.assert_same_structure(one, other)
            for x, y in zip(keras.tree.flatten(one), keras.tree.flatten(other)):
                np.testing.assert_array_equal(x, y)
                assert isinstance(x, bytes) or x.dtype == y.dtype
    assert ours.cardinality() == int(genuine.cardinality())
    kinds = [tensors.numpy_dtype(spec.dtype) for spec in keras.tree.flatten(genuine.element_spec)]
    assert [spec.dtype for spec in keras.tree.flatten(ours.element_spec)] == kinds
    ranks = [spec.shape.rank for spec in keras.tree.flatten(genuine.element_spec)]
    assert [len(spec.shape) for spec in keras.tree.flatten(ours.element_spec)] == [rank or 0 for rank in ranks]


def test_shuffling_is_of_the_seed_and_the_buffer():
    numbers = np_tf.data.Dataset.range(100)

    def order(buffer, seed):
        return [int(n) for n in numbers.shuffle(buffer, seed=seed, reshuffle_each_iteration=False)]

    assert sorted(order(100, 1)) == [*range(100)]
    assert order(100, 1) == order(100, 1) != order(100, 2)
    assert order(100, np.array([3, 2**62])) != order(100, np.array([4, 2**62]))
    assert all(abs(number - place) < 10 or number < place for place, number in enumerate(order(10, 1)))
    anew = numbers.shuffle(100, seed=0)
    assert [*anew] != [*anew]


def test_random_numbers_are_even_and_of_their_seed_alone():
    def draw(*seed, **options):
        return np_tf.random.stateless_uniform((4000,), np.array(seed), **options)

    assert (draw(1, 2) == draw(1, 2)).all() and (draw(1, 2) != draw(1, 3)).any()
    assert draw(-5, 2**62).dtype == "float32"  # seeds are added to, and may leave the range
    assert draw(1, 2).min() >= 0 and draw(1, 2).max() < 1 and abs(draw(1, 2).mean() - 0.5) < 0.02
    whole = draw(1, 2, minval=0, maxval=5, dtype=np_tf.int32)
    assert whole.dtype == "int32" and np.bincount(whole, minlength=5).min() > 700


def test_a_call_that_is_slow_is_made_by_threads_and_an_error_of_one_comes_through():
    def slow(n):
        time.sleep(0.005)
        if n == 13:
            raise zoo.UsageError("thirteen")
        return n

    numbers = np_tf.data.Dataset.range(13).map(slow, num_parallel_calls=np_tf.data.AUTOTUNE)
    assert [int(n) for n in numbers] == [*range(13)]
    with pytest.raises(zoo.UsageError, match="thirteen"):
        list(np_tf.data.Dataset.range(20).map(slow, num_parallel_calls=np_tf.data.AUTOTUNE).prefetch(2))


def test_keras_may_look_at_batches_before_an_epoch_begins():
    batches = np_tf.data.Dataset.range(4)
    assert int(batches[0]) == 0 and [int(batches[n]) for n in range(4)] == [0, 1, 2, 3]
    assert int(batches[0]) == 0 and len(batches) == batches.num_batches == 4
    assert np_tf.data.Dataset.counter().num_batches is None


@pytest.fixture
def without(monkeypatch):
    """The pipelines by NumPy in what follows, though TensorFlow is there."""

    def on():
        monkeypatch.setattr(tensors, "chosen", lambda: np_tf)

    return on


CARD = zoo.info("lenet5")


def recipe(**changes):
    return replace(CARD.recipe("demo"), dataset="", train="train", validation="validation", test="test", **changes)


def photographs(folder):
    for label in ("cats", "dogs"):
        (folder / label).mkdir(parents=True)
        for number in range(6):
            size = (20 + number, 31 - number, 3)
            pixels = np.random.default_rng([len(label), number, ord(label[0])]).integers(0, 256, size, dtype="uint8")
            Image.fromarray(pixels).resize((40, 30)).save(folder / label / f"{number}.png")
    return folder


def texts(folder):
    rng = np.random.default_rng(1)
    for label, words in {"good": "fine nice well glad", "bad": "poor sad ill grim"}.items():
        (folder / label).mkdir(parents=True)
        for number in range(12):
            chosen = rng.choice([*words.split(), "the", "a", "day"], rng.integers(2, 30))
            (folder / label / f"{number}.txt").write_text(" ".join(chosen) + f" {number}", encoding="utf-8")
    return folder


def opened_photographs(tmp_path, **preprocess):
    from zoo.data.image.folder import ImageFolder

    source = ImageFolder(photographs(tmp_path / "photographs")).load()
    return ArrayDataModule.adapt(CARD, recipe(preprocess=preprocess, batch_size=4), source)


def arrays(tmp_path):
    x, y = RNG.integers(0, 256, (60, 9, 9), dtype="uint8"), np.arange(60) % 3
    return ArrayDataModule.adapt(CARD, recipe(batch_size=7), Arrays((x, y)).load())


def labelled(tmp_path):
    from zoo.data.text.folder import TextFolder

    card, source = zoo.info("gru_classifier"), TextFolder(texts(tmp_path / "texts")).load()
    wanted = replace(card.recipe("demo"), dataset="", preprocess={"length": 20, "vocabulary": 50}, batch_size=3)
    wanted = replace(wanted, train="train", validation="validation", test="test")
    return LabelledTextDataModule.adapt(card, wanted, source)


def corpus(tmp_path):
    from zoo.data.text.folder import CorpusFolder

    file = tmp_path / "corpus.txt"
    file.write_text(" ".join(RNG.choice(["one", "two", "three", "four", "five"], 600)), encoding="utf-8")
    card = zoo.info("gru_lm")
    wanted = replace(card.recipe("demo"), dataset="", preprocess={"tokens": "words", "length": 8}, batch_size=3)
    wanted = replace(wanted, train="train", validation="validation", test="test")
    return CorpusDataModule.adapt(card, wanted, CorpusFolder(file).load())


KINDS = {
    "photographs, resized": lambda path: opened_photographs(path, resize=(12, 14)),
    "photographs, covered": lambda path: opened_photographs(path, cover=(12, 14)),
    "photographs, their ink": lambda path: opened_photographs(path, ink=(12, 14)),
    "photographs, padded": lambda path: opened_photographs(path, pad=(36, 28)),
    "arrays": arrays,
    "labelled texts": labelled,
    "corpus": corpus,
}
PREPARED = [*(kind for kind in KINDS if "photographs" in kind), "arrays"]  # images that are resized


@pytest.mark.parametrize("kind", KINDS)
def test_the_batches_are_those_of_tensorflow(kind, without, tmp_path):
    def batches():
        global RNG
        RNG = np.random.default_rng(7)
        data = KINDS[kind](tmp_path / ("ours" if tensors.chosen() is np_tf else "genuine"))
        made = {split: list(data.batches(split).as_numpy_iterator()) for split in ("train", "validation", "test")}
        return data.get_config(), made, data

    for folder in ("ours", "genuine"):
        (tmp_path / folder).mkdir()
    config, genuine, _ = batches()
    without()
    our_config, ours, data = batches()
    assert our_config.keys() == config.keys() and our_config["classes" if "classes" in config else "tokens"]
    for key, wanted in config.items():
        if key == "scaling":
            for name in ("mean", "std"):
                np.testing.assert_allclose(our_config[key][name], wanted[name], rtol=1e-4)
        elif key == "high":
            assert our_config[key] == pytest.approx(wanted, rel=1e-6)
        else:
            assert our_config[key] == wanted
    for split, wanted in genuine.items():
        assert len(ours[split]) == len(wanted) > 0
        for one, other in zip(ours[split], wanted):
            for x, y in zip(keras.tree.flatten(one), keras.tree.flatten(other)):
                assert (type(x), x.dtype, x.shape) == (type(y), y.dtype, y.shape)
                # A byte of a resized image may be rounded to the other side.
                np.testing.assert_allclose(x, y, atol=1.02 / data.scaling.std[0] if kind in PREPARED else 1e-6)
                assert np.mean(np.abs(x - y) > 1e-4) < 0.01
    training = data.batches("train", training=True)
    first, second = list(training), list(training)
    assert len(first) == len(genuine["train"])
    again = type(data).from_config(data.card, data.recipe, data.source, data.get_config())
    again.examples = data.examples
    for one, other in zip(keras.tree.flatten(first), keras.tree.flatten(list(again.batches("train", training=True)))):
        np.testing.assert_array_equal(one, other)
    assert any(
        x.shape != y.shape or (x != y).any() for x, y in zip(keras.tree.flatten(first), keras.tree.flatten(second))
    )


AUGMENTATIONS = {
    "shift": 3,
    "flip": True,
    "crop": (0.3, 1.0),
    "affine": {"rotation": 20, "slant": 0.4, "zoom": (0.7, 1.2), "shift": 2},
    "stroke": 0.3,
    "colour": 0.4,
    "grey": 0.3,
    "RandomRotation": {"factor": 0.1, "fill_mode": "constant", "fill_value": 0.0},
    "RandAugment": {"factor": 0.3},
    "RandomBrightness": {"factor": 0.3, "value_range": (0, 255)},
}


LONG = {"RandAugment": [pytest.mark.slow], "RandomRotation": [pytest.mark.slow]}


@pytest.mark.parametrize("word", [pytest.param(word, marks=LONG.get(word, [])) for word in AUGMENTATIONS])
def test_augmentations_are_the_same_operations(word, without):
    """Other random numbers, and therefore other images; the mean of many is the same, and so are their boxes."""

    def augmented():
        tf = tensors.tensorflow()
        image = np.zeros((24, 24, 3), "uint8")
        image[6:14, 8:20] = (250, 160, 90)
        targets = np.zeros(64, "int32")
        if word in AUGMENT:
            targets = {"boxes": np.tile(np.float32([[[8 / 24, 6 / 24, 20 / 24, 14 / 24]]]), (64, 1, 1))}
        images = tf.data.Dataset.from_tensor_slices((np.tile(image, (64, 1, 1, 1)), targets))
        augment = {word: AUGMENTATIONS[word]}
        made = [
            batch
            for seed in range(4)
            for batch in pipeline.batches(
                images, scaling=Scaling((0.0,), (1.0,)), batch_size=32, augment=augment, epochs=Epochs(seed)
            ).as_numpy_iterator()
        ]
        boxes = np.concatenate([y["boxes"][:, 0] for _, y in made]) if word in AUGMENT else np.zeros((256, 4))
        return np.concatenate([x for x, _ in made]), boxes

    genuine, genuine_boxes = augmented()
    without()
    ours, boxes = augmented()
    assert ours.shape == genuine.shape == (256, 24, 24, 3) and ours.dtype == genuine.dtype
    assert len({x.tobytes() for x in ours}) >= min(len({x.tobytes() for x in genuine}), 30)
    deviation = np.sqrt((genuine.var(0) + ours.var(0)) / len(ours)) + 0.5
    assert (np.abs(ours.mean(0) - genuine.mean(0)) < 6 * deviation).all()
    np.testing.assert_allclose(boxes.mean(0), genuine_boxes.mean(0), atol=0.06)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What a process finds that has JAX, and neither TensorFlow nor tfds."""
    folder = tmp_path_factory.mktemp("alone")
    return folder, on_jax_alone("main", folder)


def on_jax_alone(what, folder):
    pytest.importorskip("jax")
    program = Path(__file__).parents[1] / "jax_alone.py"
    environment = {**os.environ, "PYTHONPATH": str(program.parents[1]), "KERAS_HOME": str(folder / "keras")}
    environment.pop("KERAS_BACKEND", None)
    answer = subprocess.run([sys.executable, program, what, folder], env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.parametrize("name", ["digits", "digit_texts", "daily_views", "pydoc_topics"])
def test_an_embedded_data_set_is_what_tfds_makes_of_it(name, alone, tmp_path):
    folder, _ = alone
    source = open_source(name, data_dir=tmp_path).load()
    found = np.load(folder / f"{name}.npz", allow_pickle=False)
    for split in ("train", "validation[:50%]", "test[3:-4]", "train[-5:]+test[:2]"):
        rows = list(source.split(split).as_numpy_iterator())
        wanted = [*zip(*rows)] if isinstance(rows[0], tuple) else [[row["text"] for row in rows]]
        for number, column in enumerate(wanted):
            if isinstance(column[0], bytes):
                assert found[f"{split} {number}"].tolist() == [each.decode() for each in column]
            else:
                np.testing.assert_array_equal(found[f"{split} {number}"], np.stack(column))
                assert found[f"{split} {number}"].dtype == column[0].dtype


def test_the_main_job_runs_on_jax_alone(alone):
    _, told = alone
    assert told["backend"] == "jax"  # the only one that is there; nobody has named it
    assert told["accuracy"] > 0.7 and told["evaluated"] == pytest.approx(told["accuracy"])
    assert f"digit.png: {told['asked']} " in told["predicted"]
    assert told["imported"] == []


def test_what_needs_tensorflow_says_so_in_a_line(alone):
    _, told = alone
    assert "mnist is none of the data sets that come with the zoo (agreement," in told["mnist"]
    assert "pip install 'keras-zoo[tfds]'" in told["mnist"]
    assert "Keras is to compute by torch, which is not installed: pip install 'keras-zoo[torch]'" in told["torch"]


@pytest.mark.slow
def test_the_data_of_all_demos_are_those_of_tensorflow(tmp_path):
    told = on_jax_alone("demos", tmp_path)
    assert list(told) == one_of_each_kind()
    for name, forms in told.items():
        genuine, genuine_forms = arrays_of(name, tmp_path / "data")
        assert [form[0] for form in forms] == [form[0] for form in genuine_forms], name
        if zoo.info(name).task != "text_classification":  # batches of texts are as wide as those that were drawn
            assert list(map(tuple, forms)) == genuine_forms, name
        with np.load(tmp_path / f"{name}.npz") as found:
            for one, other in zip(found.values(), genuine, strict=True):
                assert (one.dtype, one.shape) == (other.dtype, other.shape), name
                if one.dtype.kind == "f":
                    assert np.mean(np.abs(one - other) > 1e-4) < 0.01, name  # a byte rounded to the other side
                    np.testing.assert_allclose(one, other, atol=0.03, err_msg=name)
                else:
                    np.testing.assert_array_equal(one, other, err_msg=name)
