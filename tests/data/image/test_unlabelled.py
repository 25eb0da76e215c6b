"""Images without labels: turned four ways, exactly; two views of each, and no others."""

import numpy as np
import pytest
from matplotlib.image import imsave

import zoo
from zoo.data import open_source
from zoo.data.arrays import Arrays
from zoo.data.image.unlabelled import RotatedImages, TwoViews, UnlabelledFolder, four_turns, twice
from zoo.records import replace

RNG = np.random.default_rng(0)
CLASSES = 3


def arrays(shape=(8, 8, 1), count=40):
    return RNG.integers(0, 256, (count, *shape), "uint8"), np.arange(count) % CLASSES


def module(kind, name, data=None, **changes):
    """A data module of some random images, as they are."""
    recipe = replace(zoo.info(name).recipe("demo"), **{"preprocess": {}, "batch_size": 8, **changes})
    return kind.adapt(zoo.info(name), recipe, Arrays(data or arrays()).load())


def test_turns_are_those_of_numpy():
    x = RNG.normal(size=(5, 6, 6, 3)).astype("float32")
    turned, numbers = map(np.asarray, four_turns(x))
    assert numbers.tolist() == [0, 1, 2, 3] * 5 and turned.shape == (20, 6, 6, 3)
    for row, image in enumerate(turned):
        np.testing.assert_array_equal(image, np.rot90(x[row // 4], row % 4))


def test_every_image_is_in_its_batch_in_all_four_turns():
    data = module(RotatedImages, "rotnet", augment={})
    x, _ = data.labelled("train", 1000)
    found = [*data.batches("train", training=True).as_numpy_iterator()]
    assert len(found) == data.steps and sum(len(turns) for _, turns in found) == 4 * len(x)
    upright = np.concatenate([images[::4] for images, _ in found])
    assert sorted(map(bytes, upright)) == sorted(map(bytes, x))
    for images, turns in found:
        for row, image in enumerate(images):
            np.testing.assert_array_equal(image, np.rot90(images[row // 4 * 4], turns[row]))


def test_images_that_are_not_square_are_refused():
    with pytest.raises(zoo.UsageError, match=r"are 8x6, and 6x8 when they are turned; expected equal sides: .*size 6$"):
        module(RotatedImages, "rotnet", arrays((8, 6, 1)))


def test_two_views_of_an_image_stand_one_behind_the_other():
    both, numbers = map(np.asarray, twice(np.arange(3)[:, None]))
    assert both.ravel().tolist() == [0, 0, 1, 1, 2, 2] and numbers.tolist() == [0, 0, 1, 1, 2, 2]


def test_views_differ_within_a_pair_and_from_epoch_to_epoch():
    data = module(TwoViews, "simclr", augment={"crop": (0.3, 0.8)})
    batches = data.batches("train", training=True)
    first, again = ([*batches.as_numpy_iterator()] for _ in range(2))
    assert len(first) == data.steps
    for x, numbers in first:
        assert len(x) == len(numbers) and numbers.tolist() == [row // 2 for row in range(len(x))]
        assert np.abs(x[::2] - x[1::2]).reshape(len(x) // 2, -1).max(1).min() > 0, "two views are one"
    assert not np.array_equal(first[0][0], again[0][0])


def test_views_of_an_image_are_of_this_image():
    """Images of one grey each: whatever is cropped keeps it."""
    x = np.broadcast_to(np.arange(40, dtype="uint8")[:, None, None, None], (40, 8, 8, 1))
    data = module(TwoViews, "simclr", (x, np.arange(40) % 2), augment={"crop": (0.3, 0.8)})
    seen = []
    for views, _ in data.batches("train", training=True).as_numpy_iterator():
        greys = data.scaling.undo(views)[:, 0, 0, 0].round()
        np.testing.assert_array_equal(greys[::2], greys[1::2])
        seen += greys[::2].tolist()
    assert len(seen) == len(set(seen)) == data.examples["train"]


def test_held_out_views_are_the_same_each_time():
    data = module(TwoViews, "simclr", augment={"crop": (0.3, 0.8)})
    one, other = (np.concatenate([x for x, _ in data.batches("test").as_numpy_iterator()]) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert len(one) == 2 * data.examples["test"]


def test_a_recipe_that_changes_nothing_is_refused():
    with pytest.raises(zoo.UsageError, match="two views of an image would be the same; expected some change"):
        module(TwoViews, "simclr", augment={})


def test_labels_are_the_images_own():
    x, y = arrays()
    data = module(RotatedImages, "rotnet", {"x_train": x, "y_train": y, "x_test": x[:6], "y_test": y[:6]})
    images, labels = data.labelled("test", 4)
    np.testing.assert_allclose(data.scaling.undo(images), x[:4], atol=1e-3)
    assert labels.tolist() == y[:4].tolist() and data.has_labels


@pytest.fixture(scope="module")
def loose(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loose")
    for number in range(32):
        imsave(folder / f"{number}.png", RNG.random((12, 12, 3)))
    return folder


def test_a_folder_needs_no_classes(loose):
    source = open_source(str(loose), folder=UnlabelledFolder).load()
    counts = [len([*source.split(split)]) for split in ("train", "validation", "test")]
    assert source.class_names == ("unlabelled",) and sum(counts) == 32 and min(counts) >= 3


def test_a_folder_may_have_classes(loose, tmp_path):
    for number, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        for each in sorted(loose.iterdir())[number::2]:
            (tmp_path / name / each.name).write_bytes(each.read_bytes())
    assert open_source(str(tmp_path), folder=UnlabelledFolder).load().class_names == ("a", "b")


def test_few_images_and_none_are_one_line(loose, tmp_path):
    with pytest.raises(zoo.UsageError, match="holds no images; expected some"):
        UnlabelledFolder(tmp_path)
    for each in sorted(loose.iterdir())[:3]:
        (tmp_path / each.name).write_bytes(each.read_bytes())
    with pytest.raises(zoo.UsageError, match="has 3 different images that can be read; expected at least 30"):
        UnlabelledFolder(tmp_path).load()
