"""What is kept of prepared images: in memory, in files beyond it, and read by rows where it is not kept."""

import logging

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.data.by_rows import by_rows, mapped, rows_of
from zoo.data.epochs import Epochs, shuffled
from zoo.data.image import cache, files, pipeline, reading
from zoo.data.image.cache import Cache
from zoo.data.image.folder import ImageFolder
from zoo.data.image.normalization import Scaling
from zoo.data.sources import Source

SIZE = (16, 20)
STEPS = {"cover": SIZE}


@pytest.fixture
def photos(tmp_path):
    """30 images that Pillow reads, so that it can be counted."""
    for number in range(30):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = np.random.default_rng(number).integers(0, 256, (5, 6, 3), "uint8")
        Image.fromarray(shade).resize((40, 32), Image.Resampling.BICUBIC).save(path)
    return tmp_path / "photos"


@pytest.fixture
def decodes(monkeypatch):
    counted, decoded = [], files.decoded

    def counting(path, *settings):
        counted.append(path)
        return decoded(path, *settings)

    monkeypatch.setattr(files, "decoded", counting)
    monkeypatch.setattr(reading, "decoded", counting)
    return counted


def same(one, other):
    one, other = ([*each.as_numpy_iterator()] for each in (one, other))
    assert len(one) == len(other)
    for (x, y), (again, label) in zip(one, other):
        np.testing.assert_array_equal(x, again)
        assert y == label


def test_all_splits_share_one_limit(photos, caplog):
    source = ImageFolder(photos).load()
    size = SIZE[0] * SIZE[1] * 3 + 8
    counts = {split: int(source.split(split).cardinality()) for split in ("train", "validation", "test")}
    kept = Cache(size * (counts["train"] + counts["validation"]))
    with caplog.at_level(logging.INFO, "zoo"):
        found = {split: pipeline.prepared(source, split, STEPS, kept) for split in counts}
    assert ["Cache" in type(each).__name__ for each in found.values()] == [True, True, False] and kept.left == 0
    (said,) = [each.message for each in caplog.records if "cache-dir" in each.message]
    assert f"the {counts['test']} prepared examples of {photos} (test) take" in said and "in each epoch" in said


def test_what_does_not_fit_lies_on_the_disk(photos, tmp_path, decodes):
    source = ImageFolder(photos).load()
    (tmp_path / "cache").mkdir()
    kept, count = Cache(0, tmp_path / "cache"), int(source.split("train").cardinality())
    found = pipeline.prepared(source, "train", STEPS, kept)
    assert len(decodes) == count
    for _ in range(2):
        same(found, source.split("train").map(lambda x, y: pipeline.PREPROCESS["cover"](x, y, SIZE)))
    del decodes[:]
    train = pipeline.batches(
        found, scaling=Scaling((0.0,), (1.0,)), batch_size=4, augment={"flip": True}, epochs=Epochs(1)
    )
    for _ in range(3):
        assert sum(len(x) for x, _ in train) == count
    assert not decodes and found.element_spec == source.split("train").map(
        lambda x, y: pipeline.PREPROCESS["cover"](x, y, SIZE)
    ).element_spec  # fmt: skip
    assert [*(tmp_path / "cache").rglob("*.npy")]
    del kept, found, train
    import gc

    gc.collect()
    assert not [*(tmp_path / "cache").iterdir()], "removed with the cache"


def test_targets_of_several_parts_lie_there_too(tmp_path):
    import tensorflow as tf

    x = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), "uint8")
    y = {"boxes": np.random.default_rng(1).random((9, 2, 4)).astype("float32"), "masks": x[..., 0]}
    examples = tf.data.Dataset.from_tensor_slices((x, y))
    found = Cache(0, tmp_path).keep(examples, Source("mine", (), lambda text: examples), "train")
    for (image, targets), row in zip(found.as_numpy_iterator(), range(9)):
        np.testing.assert_array_equal(image, x[row])
        assert {key: (value == y[key][row]).all() for key, value in targets.items()} == {"boxes": True, "masks": True}


def test_the_order_is_that_of_images_in_memory(photos, tmp_path):
    """So that a run is the same wherever its images lie."""
    source = ImageFolder(photos).load()

    def epochs(kept):
        examples = pipeline.prepared(source, "train", STEPS, kept)
        data = pipeline.batches(
            examples, scaling=Scaling((0.0,), (1.0,)), batch_size=4, augment={"shift": 2}, epochs=Epochs(5)
        )
        return [np.concatenate([x for x, _ in data.as_numpy_iterator()]) for _ in range(2)]

    memory, disk, neither = (epochs(kept) for kept in (Cache(10**9), Cache(0, tmp_path), Cache(0)))
    np.testing.assert_array_equal(memory, disk)
    np.testing.assert_array_equal(memory, neither)


def test_shuffling_reads_what_is_taken_and_no_more(photos, decodes):
    examples = pipeline.prepared(ImageFolder(photos).load(), "train", STEPS, Cache(0))
    assert rows_of(examples) and not decodes
    first = next(iter(shuffled(examples, 10**6, [1, 2]).take(1)))
    assert first[0].shape == (*SIZE, 3) and 1 <= len(decodes) < 12  # threads read ahead


def test_rows_are_mapped_as_examples_are():
    import tensorflow as tf

    pairs = by_rows(tf.data.Dataset.range(5), lambda row: (row, 2 * row))
    found = mapped(mapped(pairs, lambda x, y: (x + 1, y)), lambda x, y: x * y)
    assert [int(each) for each in found] == [0, 4, 12, 24, 40]
    order = [int(each) for each in shuffled(found, 2, [3, 4])]
    assert sorted(order) == [0, 4, 12, 24, 40]
    plain = tf.data.Dataset.range(5).map(lambda row: row)
    assert rows_of(plain) is None and rows_of(mapped(plain, lambda row: row)) is None


def test_a_folder_that_is_none_or_full(tmp_path, monkeypatch):
    import tensorflow as tf

    examples = tf.data.Dataset.from_tensor_slices((np.zeros((9, 4), "uint8"), np.zeros(9, "int64")))
    source = Source("mine", (), lambda text: examples)
    with pytest.raises(zoo.UsageError, match="the cache nowhere is no folder"):
        Cache(0, tmp_path.relative_to(tmp_path) / "nowhere").keep(examples, source, "train")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10}))
    with pytest.raises(zoo.UsageError, match=r"the 9 prepared examples of mine \(train\) take .* GiB free"):
        Cache(0, tmp_path).keep(examples, source, "train")
    with pytest.raises(zoo.UsageError, match="cache_dir is 'nowhere', no folder"):
        zoo.train("softmax_regression", cache_dir="nowhere")


def test_a_run_past_the_limit_decodes_each_image_once(photos, tmp_path, monkeypatch, decodes):
    """And is the run of one that has the memory, to the bit."""
    (tmp_path / "cache").mkdir()
    settings = dict(data=photos, image_size=16, epochs=1, batch_size=8, verbose=0)
    whole = zoo.train("softmax_regression", **settings, run=tmp_path / "whole")
    monkeypatch.setattr(pipeline, "CACHE_BYTES", 0)
    del decodes[:]
    run = zoo.train("softmax_regression", **settings, run=tmp_path / "run", cache_dir=tmp_path / "cache")
    assert len(decodes) == 30
    assert run.metrics == whole.metrics and run.results["baselines"] == whole.results["baselines"]
    for one, other in zip(run.model().weights, whole.model().weights):
        np.testing.assert_array_equal(one, other)


def test_labels_are_known_without_reading(photos, monkeypatch, tmp_path, decodes):
    from zoo import registry, tasks
    from zoo.training.own_data import arrays_or_data, on_own_data

    monkeypatch.setattr(pipeline, "CACHE_BYTES", 0)
    card = registry.info("softmax_regression")
    recipe = on_own_data(
        card.recipe("folder") if "folder" in {r.name for r in card.recipes} else card.recipes[0], photos
    )
    recipe = zoo.records.replace(recipe, preprocess=STEPS)
    source = arrays_or_data(photos, recipe.dataset, card, None, recipe.preprocess).load()
    data = tasks.get(card.task).data_module.adapt(card, recipe, source)
    assert len(decodes) == 30
    assert data.targets("train").tolist() == [int(y) for _, y in source.split("train").as_numpy_iterator()]
    del decodes[:]
    assert len(data.targets("test")) == data.examples["test"] and not decodes
