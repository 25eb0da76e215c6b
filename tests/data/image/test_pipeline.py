"""Data: the embedded tfds builders, the order of the pipeline, and the refusal of what is unsound."""

import socket
import subprocess
import sys
import textwrap
import time

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds

import zoo
from zoo.data import open_source, sources
from zoo.data.epochs import Epochs
from zoo.data.image import pipeline
from zoo.data.image.colours import colour, grey
from zoo.data.image.normalization import Scaling
from zoo.data.image.pipeline import batches
from zoo.data.image.transforms import AUGMENT, crop, flip, shift


def arrays(dataset):
    inputs, targets = zip(*dataset.as_numpy_iterator())
    return np.concatenate(inputs), np.concatenate(targets)


# The embedded data sets are genuine tfds builders.


def test_digits_through_tfds(data_dir):
    examples, info = tfds.load("digits", split="train[:100]", with_info=True, data_dir=data_dir)
    assert len(list(examples)) == 100
    assert {split: info.splits[split].num_examples for split in info.splits} == {
        "train": 1257,
        "validation": 180,
        "test": 360,
    }
    assert info.features["label"].num_classes == 10
    assert info.supervised_keys == ("image", "label")


def test_digits_are_scikit_learns_each_once(data_dir):
    from sklearn.datasets import load_digits

    splits = tfds.load(
        "digits", split=["train", "validation", "test"], as_supervised=True, batch_size=-1, data_dir=data_dir
    )
    images = np.concatenate([np.asarray(x)[..., 0] for x, _ in splits])
    ours = sorted(np.round(image / (255 / 16)).astype(int).tobytes() for image in images)
    theirs = sorted(image.astype(int).tobytes() for image in load_digits().images)
    assert ours == theirs


@pytest.mark.parametrize("name", ["digits", "breast_cancer"])
def test_splits_are_stratified(name, data_dir):
    fractions = []
    for split in ("train", "validation", "test"):
        _, labels = arrays(zoo.load_data(name, split=split, data_dir=data_dir))
        fractions.append(np.bincount(labels) / len(labels))
    assert np.ptp(fractions, axis=0).max() < 0.02


def test_daily_views_are_split_by_time(data_dir):
    splits = {}
    for split in ("train", "validation", "test"):
        examples = tfds.load("daily_views", split=split, as_supervised=True, data_dir=data_dir, batch_size=-1)
        splits[split] = [np.asarray(part) for part in examples]
    assert [len(y) for _, y in splits.values()] == [1354, 100, 365]
    series = {week.tobytes() + target.tobytes() for week, target in zip(*splits["train"])}
    assert not series & {week.tobytes() + target.tobytes() for week, target in zip(*splits["test"])}
    for weeks, days in splits.values():  # in order: a week without its first day begins the next
        np.testing.assert_array_equal(weeks[1:], np.column_stack([weeks[:-1, 1:], days[:-1]]))


# The order of the pipeline.


def epochs_of(seed, count, data_dir):
    data = zoo.load_data("digits", split="validation", shuffle=True, seed=seed, data_dir=data_dir, batch_size=180)
    return [next(iter(data.as_numpy_iterator()))[1].tolist() for _ in range(count)]


def test_shuffling_differs_between_epochs_and_repeats_between_runs(data_dir):
    import keras

    keras.utils.set_random_seed(7)  # under which Keras's own shuffling repeats one order for ever
    first, again = epochs_of(3, 5, data_dir), epochs_of(3, 5, data_dir)
    assert first == again
    assert len({tuple(order) for order in first}) == 5
    assert epochs_of(4, 1, data_dir) != first[:1]
    assert all(sorted(order) == sorted(first[0]) for order in first)


@pytest.mark.parametrize("augment", [{"shift": 2}, {"flip": True}])
def test_augmentation_differs_between_epochs_and_repeats_between_runs(augment, data_dir):
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(7)
    same_image = tf.data.Dataset.from_tensors((np.arange(64.0).reshape(8, 8, 1), 0)).repeat(6)

    def run():
        data = batches(same_image, scaling=Scaling((0.0,), (1.0,)), batch_size=6, augment=augment, epochs=Epochs(1))
        return [next(iter(data.as_numpy_iterator()))[0] for _ in range(3)]

    first, again = run(), run()
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1]) and not np.array_equal(first[1], first[2])
    assert len({image.tobytes() for image in first[0]}) > 1, "each image of a batch has its own numbers"


def test_shift_moves_images_and_fills_with_black():
    image = np.arange(1.0, 17.0).reshape(4, 4)
    moved = np.asarray(shift(np.repeat(image[None, ..., None], 200, 0), 0, [1, 2], 1)[0])[..., 0]
    padded = np.pad(image, 1)
    possible = {padded[i : i + 4, j : j + 4].tobytes() for i in range(3) for j in range(3)}
    assert {image.tobytes() for image in moved} == possible


def test_flip_mirrors_about_half():
    images = np.random.default_rng(0).random((400, 3, 4, 1))
    flipped = np.asarray(flip(images, 0, [1, 2], True)[0])
    mirrored = np.array([np.array_equal(new, old[:, ::-1]) for new, old in zip(flipped, images)])
    untouched = np.array([np.array_equal(new, old) for new, old in zip(flipped, images)])
    assert (mirrored ^ untouched).all()
    assert 150 < mirrored.sum() < 250


def test_crop_stretches_a_part_of_the_asked_size():
    """On an image whose pixels are their own coordinates, the spread of the values is the size of the part."""
    rows, columns = np.meshgrid(np.linspace(0, 1, 33), np.linspace(0, 1, 33), indexing="ij")
    images = np.repeat(np.stack([rows, columns], -1)[None].astype("float32"), 300, 0)
    parts = np.asarray(crop(images, 0, [1, 2], (0.25, 0.5))[0])
    assert parts.shape == images.shape
    tall, wide = np.ptp(parts[..., 0], axis=(1, 2)), np.ptp(parts[..., 1], axis=(1, 2))
    assert 0.24 < (tall * wide).min() < 0.3 and 0.45 < (tall * wide).max() < 0.51
    assert (np.abs(np.log(wide / tall)) < np.log(4 / 3) + 1e-3).all()
    assert np.ptp(parts[:, 0, 0, 0]) > 0.3, "the parts lie in different places"
    whole = np.asarray(crop(images[:2], 0, [1, 2], (1.0, 1.0))[0])
    assert whole.min() < 0.15 and whole.max() > 0.85


def test_scaling_is_measured_on_the_training_set_only(data_dir):
    train, _ = arrays(zoo.load_data("digits", data_dir=data_dir))
    test, _ = arrays(zoo.load_data("digits", split="test", data_dir=data_dir))
    assert abs(train.mean()) < 1e-5 and abs(train.std() - 1) < 1e-5
    assert abs(test.mean()) > 1e-4, "the test set has a mean of its own"


def test_each_feature_of_a_table_is_scaled_by_itself(data_dir):
    x, _ = arrays(zoo.load_data("breast_cancer", data_dir=data_dir))
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(x.std(0), 1, atol=1e-4)


def test_evaluation_keeps_the_order(data_dir):
    first, again = (arrays(zoo.load_data("digits", split="test", data_dir=data_dir, batch_size=7)) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    assert len(first[1]) == 360, "the last, smaller batch is kept"


def test_scaling_undoes_itself():
    scaling = Scaling((3.0, 4.0), (2.0, 5.0))
    x = np.random.default_rng(0).random((6, 2)).astype("float32")
    np.testing.assert_allclose(scaling.undo(np.asarray(scaling(x))), x, atol=1e-6)


# What is refused, in one line each.


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (dict(dataset="mnits"), "did you mean mnist"),
        (dict(dataset="digits:9.9.9"), "9.9.9"),
        (dict(dataset=""), "'' is no name of a data set"),
        (dict(dataset="digits", split="tset"), "tset"),
        (dict(dataset="digits", batch_size=0), "batch_size is 0; expected"),
        (dict(dataset="digits", scaling="standardize"), "did you mean standardise"),
        (dict(dataset="digits", preprocess={"rezise": (9, 9)}), "did you mean resize"),
        (dict(dataset="digits", augment={"flop": True}, shuffle=True), "did you mean flip"),
        (dict(dataset="digits", augment={"flip": True}), "augment without shuffle"),
        (dict(dataset="nowhere.npz"), "there is no file nowhere.npz"),
    ],
)
def test_wrong_requests(request_, says, data_dir):
    with pytest.raises(zoo.UsageError) as error:
        zoo.load_data(**request_, data_dir=data_dir)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_missing_data_set_offline_is_said_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda host: False)
    started = time.perf_counter()
    with pytest.raises(zoo.UsageError, match=r"mnist is not in .* cannot be reached; .* 'demo'"):
        open_source("mnist:3.0.1", data_dir=tmp_path)
    assert time.perf_counter() - started < 5  # tfds by itself takes minutes; the command line's own test is stricter


def test_downloads_of_another_data_set_do_not_pass_for_this_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda host: False)
    note = tmp_path / "downloads" / "fashion_mnist" / "a.gz.INFO"
    note.parent.mkdir(parents=True)
    note.write_text('{"dataset_names": ["fashion_mnist"], "urls": []}')
    with pytest.raises(zoo.UsageError, match="cannot be reached"):
        open_source("mnist:3.0.1", data_dir=tmp_path)


def test_a_proxy_with_nothing_behind_it_is_no_network(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert not sources.reachable("example.invalid")
    monkeypatch.setenv("https_proxy", "http://h:notaport")
    assert not sources.reachable("example.invalid")


def test_a_missing_data_set_is_said_before_keras_is_imported(tmp_path):
    program = f"""
        import sys, zoo.data.sources
        zoo.data.sources.reachable = lambda host: False
        try:
            import zoo
            zoo.train("lenet5", "mnist", data_dir={str(tmp_path)!r})
        except zoo.UsageError:
            print(sorted({{"keras", "tensorflow", "jax", "torch"}} & set(sys.modules)))
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_a_host_that_never_answers_costs_less_than_a_second(monkeypatch):
    def silence(*_, **__):
        time.sleep(5)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", silence)
    started = time.perf_counter()
    assert not sources.reachable("example.invalid")
    assert time.perf_counter() - started < 2


def test_an_unwritable_folder_is_said_before_preparing(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(zoo.UsageError, match=r"digits cannot be written to .*file.*--data-dir.*TFDS_DATA_DIR"):
        open_source("digits", data_dir=tmp_path / "file")


def test_splits_of_arrays_hold_out_a_stratified_tenth(tmp_path):
    y = np.repeat(np.arange(4), 25)
    x = np.arange(100 * 64, dtype="uint8").reshape(100, 8, 8)
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y, x_test=x[:8], y_test=y[:8])
    source = open_source(tmp_path / "mine.npz").load()
    counts = np.bincount([int(label) for _, label in source.split("validation").as_numpy_iterator()])
    assert counts.sum() == 10 and counts.min() >= 2
    assert int(source.split("train").cardinality()) == 90
    assert source.class_names == ("0", "1", "2", "3")
    image, _ = next(iter(source.split("test").as_numpy_iterator()))
    assert image.shape == (8, 8, 1)


def test_large_sets_are_not_cached(monkeypatch, data_dir):
    monkeypatch.setattr(pipeline, "CACHE_BYTES", 1000)
    source = open_source("digits", data_dir=data_dir).load()
    assert "Cache" not in type(pipeline.prepared(source, "train", {})).__name__
    monkeypatch.undo()
    assert "Cache" in type(pipeline.prepared(source, "train", {})).__name__


@pytest.mark.slow
def test_processes_may_prepare_one_data_set_at_once(tmp_path):
    program = f"""
        import zoo
        run = zoo.train("logistic_regression", epochs=1, verbose=0, data_dir={str(tmp_path / "data")!r})
        print(run.path)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    processes = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    folders = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(folders) == 3, "each has a run folder of its own"


def test_cover_keeps_proportions():
    from zoo.data.image.transforms import PREPROCESS

    wide = np.zeros((40, 100, 3), "uint8")
    wide[:, 30:70] = 200  # the middle 40 columns are what a square keeps
    covered = PREPROCESS["cover"](tf_constant(wide), 0, (20, 20))[0].numpy()
    assert covered.dtype == "uint8" and covered.shape == (20, 20, 3) and (covered[:, 2:-2] == 200).all()
    assert PREPROCESS["cover"](tf_constant(wide[:7, :5]), 0, (20, 20))[0].shape == (20, 20, 3)


def tf_constant(array):
    import tensorflow as tf

    return tf.constant(array)


@pytest.mark.parametrize("mode", ["caffe", "torch", "tf"])
def test_published_scalings_are_those_of_keras_applications(mode):
    from keras.src.applications.imagenet_utils import preprocess_input

    from zoo.data.image.normalization import SCALING, Summary

    x = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("float32")

    def summary(channels, high=255.0):
        return Summary(2, (5, 4, channels), (0.0,) * channels, (1.0,) * channels, high, ())

    scaling = SCALING[mode](summary(3))
    np.testing.assert_allclose(scaling(x), preprocess_input(x.copy(), mode=mode), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(scaling.undo(scaling(x).numpy()), x, rtol=1e-4, atol=1e-3)
    units = SCALING[mode](summary(3, high=1.0))
    np.testing.assert_allclose(units(x / 255), scaling(x), rtol=1e-3, atol=1e-3)
    grey = SCALING[mode](summary(1))(x[..., :1])
    assert grey.shape == (2, 5, 4, 1)
    with pytest.raises(zoo.UsageError, match="have 4 channels"):
        SCALING[mode](summary(4))


def test_layers_of_keras_augment_differently_in_each_epoch_and_alike_in_each_run():
    def epochs():
        settings = dict(split="train[:64]", shuffle=True, seed=3, batch_size=16, scaling="none")
        data = zoo.load_data("digits", augment={"RandomRotation": {"factor": 0.2}, "flip": True}, **settings)
        return [np.concatenate([x for x, _ in data.as_numpy_iterator()]) for _ in range(2)]

    first, second = epochs()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal([first, second], epochs())
    with pytest.raises(zoo.UsageError, match=r"RandomRotation cannot be made with \{'angle': 3\}"):
        zoo.load_data("digits", shuffle=True, augment={"RandomRotation": {"angle": 3}})


# What `load_data` opens


def test_a_folder_of_images_is_read_as_train_reads_it(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("cats", "dogs"):
        (tmp_path / label).mkdir()
        for number in range(10):
            image = rng.integers(0, 255, (20 + number, 24, 3), dtype="uint8")
            keras.utils.save_img(tmp_path / label / f"{number}.png", image, scale=False)
    images, labels = next(zoo.load_data(tmp_path, preprocess={"cover": (16, 16)}).as_numpy_iterator())
    assert images.shape == (14, 16, 16, 3) and sorted(labels) == [0] * 7 + [1] * 7
    with pytest.raises(zoo.UsageError, match=r"have different sizes; expected one size: preprocess=\{'cover'"):
        zoo.load_data(str(tmp_path))


def test_a_folder_of_texts_and_arrays(tmp_path):
    for label in ("cold", "hot"):
        (tmp_path / label).mkdir()
        for number in range(12):
            (tmp_path / label / f"{number}.txt").write_text(f"it is {label} {number}")
    texts, labels = next(zoo.load_data(tmp_path, batch_size=4).as_numpy_iterator())
    assert all((b"hot" in text) == label for text, label in zip(texts, labels))
    x, y = np.arange(100.0).reshape(50, 2), np.arange(50) % 2
    parts = [arrays(zoo.load_data((x, y), split=split, scaling="none")) for split in ("train", "validation", "test")]
    assert [len(found) for _, found in parts] == [36, 4, 10]
    assert sorted(np.concatenate([found[:, 0] for found, _ in parts])) == x[:, 0].tolist()


def test_an_image_and_a_class_are_taken_where_a_data_set_names_no_pair():
    image, label = tfds.features.Image(), tfds.features.ClassLabel(num_classes=3)
    boxed = {"image": image, "bbox": tfds.features.BBoxFeature(), "label": label}
    assert sources.image_and_class(boxed) == ("image", "label")
    assert sources.image_and_class({"left": image, "right": image, "label": label}) is None
    assert sources.image_and_class({"image": image}) is None


# Colours


def test_colours_change_as_by_hand():
    """By factors that are solved for: of a grey image the mean tells the brightness, the range the contrast."""
    ramp = np.linspace(100, 150, 16, dtype="float32").reshape(4, 4, 1)
    images = np.tile(ramp, (400, 1, 1, 1))
    found = np.asarray(colour(images, 0, [1, 2], 0.4)[0])
    same = (found == images).all((1, 2, 3))
    assert 50 < same.sum() < 120, "a fifth is left alone"
    brightness = found.mean((1, 2, 3)) / ramp.mean()
    contrast = np.ptp(found, axis=(1, 2, 3)) / np.ptp(ramp) / brightness
    for factor in (brightness[~same], contrast[~same]):
        assert 0.599 < factor.min() < 0.65 and 1.35 < factor.max() < 1.401
    assert abs(np.corrcoef(brightness[~same], contrast[~same])[0, 1]) < 0.2, "each has a factor of its own"
    bright = np.asarray(colour(images + 100, 0, [1, 2], 0.4)[0])
    assert bright.max() == 255 and np.asarray(colour(images / 255, 0, [1, 2], 0.9)[0]).max() == 1.0


def test_saturation_draws_colours_to_their_grey_and_away():
    red = np.tile(np.float32([[[[120, 80, 80]]]]), (400, 1, 1, 1))
    found = np.asarray(colour(red, 0, [3, 4], 0.5)[0])[:, 0, 0]
    luma = found @ [0.2989, 0.587, 0.114]
    factor = (found[:, 0] - found[:, 1]) / luma / (40 / (red[0, 0, 0] @ [0.2989, 0.587, 0.114]))
    assert 0.249 < factor.min() < 0.4 and 1.9 < factor.max() < 2.251  # contrast draws the three apart as well
    np.testing.assert_allclose(found[:, 1], found[:, 2], rtol=1e-5)


def test_grey_takes_the_colours_of_some_images():
    images = np.random.default_rng(0).integers(0, 256, (400, 3, 4, 3)).astype("uint8")
    found = np.asarray(grey(images, 0, [1, 2], 0.25)[0])
    without = (np.ptp(found, axis=-1) == 0).all((1, 2))
    assert 70 < without.sum() < 130 and np.array_equal(found[~without], images[~without])
    np.testing.assert_allclose(found[without][..., 0], images[without] @ [0.2989, 0.587, 0.114], rtol=1e-3)
    one = images[..., :1]
    np.testing.assert_array_equal(np.asarray(grey(one, 0, [1, 2], 0.5)[0]), one)


@pytest.mark.parametrize("name, option", [("colour", 0.5), ("grey", 0.5)])
def test_the_frames_of_a_clip_change_their_colours_alike(name, option):
    clip = np.tile(np.random.default_rng(0).integers(60, 120, (40, 1, 3, 4, 3)), (1, 5, 1, 1, 1)).astype("float32")
    found = np.asarray(AUGMENT[name](clip, 0, [1, 2], option)[0])
    np.testing.assert_allclose(found, np.repeat(found[:, :1], 5, 1), rtol=1e-5)
    assert len({np.round(image[0] - old[0], 1).tobytes() for image, old in zip(found, clip)}) > 10
