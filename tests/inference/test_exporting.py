"""A file for other programs answers as the network does, or is not left."""

import csv
import itertools
import json
import logging
import types
import zipfile

import keras
import numpy as np
import pytest
from scripts import ROOT

import zoo
from zoo import tasks
from zoo.inference import api, export_formats, exporting, quantization
from zoo.inference.quantization import quantise
from zoo.tasks.base import Network, Trained

tf = pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def run(tmp_path_factory, data_dir):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return zoo.train("softmax_regression", run=folder, epochs=2, data_dir=data_dir, verbose=0)


@pytest.fixture(scope="module")
def digits():
    """Pixels of 0 to 16, as they are in the data set."""
    return np.random.default_rng(0).integers(0, 17, (5, 8, 8, 1)).astype("float32")


def test_plain_keras_takes_pixels_and_says_probabilities(run, digits, tmp_path):
    path = api.export(run, "keras", tmp_path / "m.keras")
    answers = keras.saving.load_model(path).predict(digits, verbose=0)
    trained = zoo.inference.reopening.reopen(run)
    scaled = (digits - np.float32(trained.data.scaling.mean)) / np.float32(trained.data.scaling.std)
    expected = keras.ops.softmax(trained.network.model.predict(scaled, verbose=0))
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    assert json.loads(zipfile.ZipFile(path).read("classes.json")) == [str(digit) for digit in range(10)]


def test_colours_are_turned_round_where_the_weights_want_it(tmp_path):
    class Data:
        shape, class_names, high = (4, 4, 3), (), 255.0

        class scaling:
            mean, std, reverse = (1.0, 2.0, 3.0), (1.0, 1.0, 2.0), True

    given = keras.Input((4, 4, 3), name="image")
    model = zoo.tasks._answering.takes_unscaled(keras.Model(given, keras.layers.Flatten()(given)), Data)
    pixels = np.tile(np.float32([10, 20, 30]), (1, 4, 4, 1))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(pixels))[0, :3], [29, 18, 3.5], rtol=1e-6)


def test_tensorflow_and_litert_answer_alike(run, digits, tmp_path):
    served = tf.saved_model.load(str(api.export(run, "saved_model", tmp_path / "served")))
    path = api.export(run, "litert", tmp_path / "m.tflite")
    answer = export_formats.read_litert(path)
    np.testing.assert_allclose(answer([digits])[0], served.serve(digits), atol=1e-5)
    for names in (
        (tmp_path / "served" / "assets.extra" / "classes.json").read_text(),
        zipfile.ZipFile(path).read("classes.json"),
    ):
        assert json.loads(names)[-1] == "9"


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_other_programs_read_it(format, run, digits, tmp_path):
    for package in exporting.FORMATS[format].packages:
        pytest.importorskip(package)
    path = api.export(run, format, tmp_path / f"m{exporting.FORMATS[format].suffix}")
    answers = exporting.FORMATS[format].read(path)([digits])[0]
    np.testing.assert_allclose(answers.sum(-1), 1.0, rtol=1e-5)
    named = path.read_bytes()
    assert b"classes" in named and b"9" in named


@pytest.mark.parametrize(
    ("format", "file", "told"),
    [
        ("onx", "m.onnx", "there is no format of softmax_regression 'onx'; did you mean onnx"),
        ("keras", "m.h5", "does not end in .keras, by which keras is known"),
        ("keras", "no/m.keras", "no is no folder; make it first"),
        ("torch", "m.pt2", "torch is not written by the backend tensorflow: set KERAS_BACKEND=torch"),
    ],
)
def test_what_cannot_be_is_one_line(format, file, told, run, tmp_path):
    with pytest.raises(zoo.UsageError, match=told):
        api.export(run, format, tmp_path / file)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_answers_otherwise_is_not_left(run, tmp_path, monkeypatch):
    wrong = export_formats.Format(
        "", ".keras", (), (), lambda path: lambda x: [np.zeros((3, 10), "float32")], lambda *_: None
    )
    monkeypatch.setitem(exporting.FORMATS, "keras", wrong)
    with pytest.raises(zoo.UsageError, match="answers otherwise than the network, by 0"):
        api.export(run, "keras", tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_belongs_to_no_output_is_seen():
    one, other = np.zeros((3, 2), "float32"), np.ones((3, 2), "float32")
    exporting.check_same([one, other], [other, one], "it")  # formats have orders of their own
    exporting.check_same([one, one], [one, one], "it")
    with pytest.raises(zoo.UsageError, match="it answers otherwise than the network, by 1"):
        exporting.check_same([one, one], [one, other], "it")


def test_what_a_library_cannot_write_is_its_reason(run, tmp_path, monkeypatch):
    def broken(path):
        raise RuntimeError("Select TensorFlow op(s), included in the given model, is(are) not supported")

    form = export_formats.Format("", ".keras", (), (), broken, lambda *_: None)
    monkeypatch.setitem(exporting.FORMATS, "keras", form)
    with pytest.raises(zoo.UsageError, match="the interpreter of LiteRT lacks operations"):
        api.export(run, "keras", tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_whole_numbers_are_smaller_and_nearly_as_good(tmp_path, data_dir):
    run = zoo.train("lenet5", run=tmp_path / "run", epochs=2, data_dir=data_dir, verbose=0)
    found = api.quantise(run, tmp_path / "whole.tflite", data_dir=data_dir)
    assert found.size < 0.35 * found.float_size and found.examples == 360
    assert found.float_accuracy == pytest.approx(run.metrics["accuracy"], abs=0.003)
    assert found.accuracy >= found.float_accuracy - 0.02
    assert json.loads(zipfile.ZipFile(found.path).read("classes.json"))[3] == "3"


def test_what_has_no_accuracy_is_not_quantised(tmp_path):
    card = zoo.info("autoencoder")
    network = Network.of(zoo.build("autoencoder", **card.tiny), card, tasks.get(card.task))
    with pytest.raises(zoo.UsageError, match="autoencoder cannot be litert in int8: expected a classifier"):
        quantise(Trained(network, None), tmp_path / "m.tflite")


@pytest.mark.parametrize("answers", [[[0.9], [0.2], [0.6]], [[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]]])
def test_one_probability_alone_is_that_of_the_second_class(answers):
    class Data:
        def batches(self, split):
            return tf.data.Dataset.from_tensors((np.zeros((3, 2), "float32"), np.array([1, 0, 0])))

    assert quantization.right_of(lambda x: [np.array(answers)], Data()).mean() == pytest.approx(2 / 3)


def test_examples_to_calibrate_on_are_from_all_of_the_set():
    """A folder's are in the order of their classes."""

    class Data:
        def batches(self, split):
            return tf.data.Dataset.range(1000).map(lambda x: ([tf.cast(x, tf.float32)], 0)).batch(32)

    found = [each[0].item() for each in quantization.shown(Data())]
    assert found == list(range(0, 1000, 8))


def test_what_was_trained_in_mixed_precision_is_written_in_float32(tmp_path):
    given = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Dense(64, "relu", dtype="mixed_bfloat16")(keras.layers.Flatten(dtype="mixed_bfloat16")(given))
    model = keras.Model(given, keras.layers.Dense(10, dtype="mixed_bfloat16")(x))
    card = zoo.info("mlp")
    data = types.SimpleNamespace(class_names=("a", "b"), high=255.0)
    trained = Trained(Network.of(model, card, tasks.get(card.task)), data)
    kept = keras.saving.load_model(exporting.export(trained, "keras", tmp_path / "m.keras"))
    assert {layer.compute_dtype for layer in kept._flatten_layers()} == {"float32"}


@pytest.mark.parametrize("name", ["m.xml", "named.xml"])
def test_openvino_writes_two_files_and_overwrites_none(name, run, tmp_path):
    pytest.importorskip("openvino")
    path = api.export(run, "openvino", tmp_path / name)
    assert sorted(each.suffix for each in tmp_path.iterdir()) == [".bin", ".xml"]
    path.unlink()
    with pytest.raises(zoo.UsageError, match=r"\.bin, where openvino writes the weights, is there already"):
        api.export(run, "openvino", path)


@pytest.mark.parametrize("path", ["", 7])
def test_what_is_no_path_is_refused(path, run):
    with pytest.raises(zoo.UsageError, match=f"the path is {path!r}; expected that of a file or folder"):
        api.export(run, "saved_model", path)


@pytest.mark.parametrize("write", [lambda run, path: api.export(run, "litert", path), api.quantise])
def test_a_place_that_cannot_be_written_is_one_line(write, run, tmp_path):
    with pytest.raises(zoo.UsageError, match="cannot be written: File name too long; choose another"):
        write(run, tmp_path / f"{'x' * 300}.tflite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("Exception from src/core.cpp:132:\nCheck 'a' failed at b.cpp:1:\nno such type"), "no such type"),
        (RuntimeError("failed to create XNNPACK runtimeNode number 4 failed to prepare."), "on numbers of 8 bits"),
        (RuntimeError("Check failed: too large"), "too large"),
    ],
)
def test_the_line_that_helps_is_taken(error, told):
    assert exporting.reason(error).endswith(told)


def test_the_log_goes_on_after_a_library_has_taken_it():
    before = logging.root.handlers[:]
    logging.root.handlers.clear()
    try:
        with exporting.quiet():
            logging.basicConfig()  # to a stderr that is closed at the end
        assert logging.root.handlers == []
    finally:
        logging.root.handlers[:] = before


TABLE = list(csv.DictReader((ROOT / "results/benchmarks/exports.csv").read_text(encoding="utf-8").splitlines()))
ROWS = [row for row in TABLE if row["backend"] == keras.config.backend()]


def test_the_table_has_every_family_in_every_format():
    families = {zoo.info(name).family for name in zoo.list_models()}
    assert {(row["family"], row["format"]) for row in TABLE} == {*itertools.product(families, exporting.FORMATS)}


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=[f"{row['model']}-{row['format']}" for row in ROWS])
def test_the_table_says_what_can_be_exported(row, tmp_path):
    form, card = exporting.FORMATS[row["format"]], zoo.info(row["model"])
    for package in form.packages:
        pytest.importorskip(package)
    network = Network.of(zoo.build(card.name, **card.tiny), card, tasks.get(card.task))
    trained = Trained(network, types.SimpleNamespace(class_names=("a", "b")))
    if row["outcome"] == "equal":
        assert exporting.export(trained, row["format"], tmp_path / f"network{form.suffix}").exists()
    else:
        with pytest.raises(zoo.UsageError, match=f"{card.name} cannot be {row['format']}"):
            exporting.export(trained, row["format"], tmp_path / f"network{form.suffix}")
