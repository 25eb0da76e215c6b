"""Two sets of images that nobody paired: the folder, and batches with as many of either."""

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.data.image.unpaired import UnpairedFolder, UnpairedImages
from zoo.data.sources import Source


def filled(root, counts, shade=0):
    """Folders of so many images, no two alike; those of B are bright."""
    rng = np.random.default_rng(shade)
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            low = 128 if name.split("/")[0].endswith("B") else 0
            pixels = rng.integers(low, low + 128, (12, 12, 3), dtype="uint8")
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def adapted(source, **options):
    card = zoo.info("cyclegan")
    recipe = zoo.records.replace(card.recipe("demo"), preprocess={}, batch_size=4, **options)
    return UnpairedImages.adapt(card, recipe, source)


def test_the_folders_of_the_reference_are_opened(tmp_path):
    source = UnpairedFolder(filled(tmp_path, {"trainA": 10, "trainB": 20, "testA": 3, "testB": 2})).load()
    assert source.class_names == ("a", "b")
    counts = {split: sum(each.split == split for each in source.examples) for split in ("train", "validation", "test")}
    assert counts == {"train": 27, "validation": 3, "test": 5}, "a tenth of each set is held out"
    data = adapted(source)
    for side, low, high in (("a", -1, 0.01), ("b", 0, 1)):
        x, _ = data.side("train", side)
        assert x.min() >= low and x.max() <= high


def test_without_test_folders_a_part_is_held_out(tmp_path):
    source = UnpairedFolder(filled(tmp_path, {"trainA": 10, "trainB": 20})).load()
    found = {(each.split, each.label) for each in source.examples}
    assert found == {(split, side) for split in ("train", "validation", "test") for side in "ab"}


def test_sub_folders_are_classes(tmp_path):
    counts = {f"train{side}/{digit}": 5 for side in "AB" for digit in (3, 7)}
    data = adapted(UnpairedFolder(filled(tmp_path, counts)).load())
    assert data.class_names == ("a/3", "a/7", "b/3", "b/7") and data.classes == ("3", "7")
    _, numbers = data.side("test", "b")
    assert sorted(numbers) == [0, 1]


@pytest.mark.parametrize("augment", [{}, {"flip": True}])
def test_a_batch_has_as_many_of_either_and_no_order_of_pairs(tmp_path, augment):
    data = adapted(UnpairedFolder(filled(tmp_path, {"trainA": 8, "trainB": 20})).load(), augment=augment)
    batches = data.batches("train", training=True)
    assert int(batches.cardinality()) == data.steps == 4, "the larger set, 14 of 20, once"
    epochs = [list(batches.as_numpy_iterator()) for _ in range(2)]
    for epoch in epochs:
        assert [len(x["a"]) for x, _ in epoch] == [len(x["b"]) for x, _ in epoch] == [4, 4, 4, 2]
        assert all(x["a"].max() <= 0.01 and x["b"].min() >= 0 for x, _ in epoch)
    first, second = (np.concatenate([x["b"].mean((1, 2, 3)) for x, _ in epoch]) for epoch in epochs)
    assert not np.allclose(first, second) and np.allclose(np.sort(first), np.sort(second), atol=1e-5)
    again = list(data.batches("train", training=True).as_numpy_iterator())
    np.testing.assert_array_equal(again[0][0]["a"], epochs[0][0][0]["a"])


def test_the_digits_are_in_one_set_each():
    from sklearn.datasets import load_digits

    from zoo.data.builtin.two_renderings import DigitsAndNegatives

    images, labels = DigitsAndNegatives.examples(None)
    negative = labels >= 10
    assert abs(negative.mean() - 0.5) < 0.01 and set(labels) == set(range(20))
    np.testing.assert_array_equal(labels % 10, load_digits().target)
    wanted = np.round(load_digits().images[..., None] * (255 / 16))
    np.testing.assert_array_equal(np.where(negative[:, None, None, None], 255.0 - images, images), wanted)


# Refused, in a line


def test_bad_folders_are_refused_in_a_line(tmp_path):
    with pytest.raises(zoo.UsageError, match="is no folder; expected one with trainA/ and trainB/"):
        UnpairedFolder(tmp_path / "nowhere")
    filled(tmp_path, {"trainA": 4, "other": 1})
    with pytest.raises(zoo.UsageError, match=r"no images in trainB/; expected .*it holds other/.*trainA/"):
        UnpairedFolder(tmp_path)
    filled(tmp_path, {"trainB": 2})
    with pytest.raises(zoo.UsageError, match=r"the set b of .* has 2 different images that can be read; expected at"):
        UnpairedFolder(tmp_path).load()


def test_other_data_is_refused_in_a_line():
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (20, 12, 12, 1)).astype("uint8"), np.arange(20) % 2
    source = Source("photos", ("cat", "dog"), lambda split: tf.data.Dataset.from_tensor_slices((x, y)))
    with pytest.raises(zoo.UsageError, match="photos has the classes cat, dog; expected two sets of images, named"):
        adapted(source)
