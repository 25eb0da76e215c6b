"""P x K batches, splits without a shared identity, and folders of a user's own identities."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.image import imsave

import zoo
from zoo.data import Source, open_source
from zoo.data.builtin import glyphs
from zoo.data.image.identities import IdentityDataModule
from zoo.data.image.identity_batches import identity_rows
from zoo.data.image.identity_folder import IdentityFolder, split_identities
from zoo.training import run_plan

LABELS = np.repeat(np.arange(12), np.arange(1, 13))  # class c has c + 1 images


def rows(**changes):
    settings = dict(classes=4, per_class=3, batches=5, seed=0) | changes
    return identity_rows(LABELS, **settings)


def lists(dataset):
    return [batch.tolist() for batch in dataset.as_numpy_iterator()]


# The sampler.


def test_batches_hold_p_classes_of_k_different_images():
    for batch in lists(rows()):
        assert len(batch) == len(set(batch)) == 12
        grid = LABELS[batch].reshape(4, 3)
        assert (grid == grid[:, :1]).all() and len(set(grid[:, 0])) == 4


def test_an_epoch_has_so_many_batches_and_the_next_one_has_others():
    dataset = rows()
    first, second = lists(dataset), lists(dataset)
    assert len(first) == len(second) == 5 and first != second


def test_a_seed_repeats_its_batches_through_the_epochs():
    dataset, again = rows(), rows()
    assert [lists(dataset), lists(dataset)] == [lists(again), lists(again)]
    assert lists(rows()) != lists(rows(seed=1))


def test_batches_that_validate_stay():
    dataset = rows(anew=False)
    assert lists(dataset) == lists(dataset)


def test_classes_are_equally_likely_however_large():
    counts = Counter(label for batch in lists(rows(batches=600)) for label in LABELS[batch][::3])
    assert set(counts) == set(range(2, 12)), "classes with fewer than 3 images are not drawn"
    assert min(counts.values()) >= 190  # 240 expected of each


def test_images_of_a_class_are_equally_likely():
    counts = Counter(row for batch in lists(rows(batches=600)) for row in batch if LABELS[row] == 11)
    assert len(counts) == 12 and min(counts.values()) >= 30  # 60 expected of each


def test_too_few_classes_are_said():
    with pytest.raises(zoo.UsageError, match="2 classes have 11 images; expected at least 4"):
        rows(per_class=11)


# The data module.


def source_of(splits, names=()):
    """Images 8x8 whose pixels say their class, (labels by split)."""

    def split(text):
        y = np.array(splits[text])
        x = np.zeros((len(y), 8, 8, 1), "uint8") + y[:, None, None, None].astype("uint8")
        return tf.data.Dataset.from_tensor_slices((x, y))

    return Source("made up", tuple(names) or tuple(map(str, range(100))), split)


SPLITS = {"train": np.repeat(np.arange(24), 5), "validation": [30] * 4 + [31] * 5, "test": [40, 40, 41, 41]}


def recipe(card, **changes):
    return replace(card.recipe("demo"), batch_size=16, dataset="glyphs:1.0.0", **changes)


def data_module(name="siamese", splits=SPLITS, **changes):
    card = zoo.info(name)
    return IdentityDataModule.adapt(card, recipe(card, **changes), source_of(splits))


def classes(data, x):
    """What the scaled images say they show."""
    return np.round(data.scaling.undo(np.asarray(x))[:, 0, 0, 0]).astype(int)


def test_images_with_labels():
    data = data_module()
    for x, y in data.batches("train", training=True):
        assert x.shape == (16, 8, 8, 1)
        np.testing.assert_array_equal(classes(data, x), y)
    assert len(list(data.batches("train", training=True))) == -(-120 // 16)


def test_pairs_are_half_the_same():
    data = data_module("siamese_pairs")
    for x, y in data.batches("train", training=True):
        assert set(x) == {"first", "second"} and y.shape == (16, 1) and y.numpy().mean() == 0.5
        np.testing.assert_array_equal(classes(data, x["first"]) == classes(data, x["second"]), y[:, 0] == 1)


def test_triplets_are_anchor_positive_negative():
    data = data_module("triplet_inputs")
    for x, _ in data.batches("train", training=True):
        anchor, positive, negative = (classes(data, x[name]) for name in ("anchor", "positive", "negative"))
        assert len(anchor) == 8 and (anchor == positive).all() and (anchor != negative).all()


def test_a_split_keeps_its_order_and_its_pixels():
    data = data_module()
    x, y = data.arrays("test")
    assert y.tolist() == SPLITS["test"] and classes(data, x).tolist() == SPLITS["test"]
    assert data.inputs_at("test", np.array([3, 0]))[:, 0, 0, 0].tolist() == [41, 40]


def test_classes_are_held_out_by_number():
    everything = {split: np.repeat(np.arange(10), 6) for split in ("train", "validation", "test")}
    data = data_module(
        splits=everything, data_options={"per_class": 4, "held_out": {"validation": (5, 6), "test": (7, 8, 9)}}
    )
    shown = {split: sorted(set(data.arrays(split)[1])) for split in everything}
    assert shown == {"train": [0, 1, 2, 3, 4], "validation": [5, 6], "test": [7, 8, 9]}


def test_a_fraction_of_the_classes_is_held_out():
    everything = {split: np.repeat(np.arange(20), 6) for split in ("train", "validation", "test")}
    held_out = {"validation": 0.15, "test": 0.25}
    data_modules = [
        data_module(splits=everything, data_options={"per_class": 4, "held_out": held_out}) for _ in range(2)
    ]
    shown = [{split: set(data.arrays(split)[1]) for split in everything} for data in data_modules]
    assert shown[0] == shown[1]
    assert [len(found) for found in shown[0].values()] == [12, 3, 5]
    assert set.union(*shown[0].values()) == set(range(20))


def test_names_become_numbers_where_a_data_set_has_names():
    """As tfds has it of LFW: (name, image)."""
    everything = np.array(["Zoe", "Ann", "Max", "Lea", "Tom", "Eva"]).repeat(8)

    def split(text):
        x = np.arange(48 * 64).reshape(48, 8, 8, 1) % 251
        return tf.data.Dataset.from_tensor_slices((everything, x.astype("uint8")))

    card = zoo.info("siamese")
    chosen = recipe(card, data_options={"per_class": 4, "held_out": {"validation": 2 / 6, "test": 2 / 6}})
    data = IdentityDataModule.adapt(card, replace(chosen, batch_size=8), Source("people", (), split))
    assert data.class_names == ("Ann", "Eva", "Lea", "Max", "Tom", "Zoe")
    assert sorted(set(np.concatenate([data.arrays(s)[1] for s in ("train", "validation", "test")]))) == list(range(6))


@pytest.mark.parametrize(
    ("splits", "changes", "says"),
    [
        ({"test": [0, 0, 40, 40]}, {}, r"1 classes of made up \(0, ...\) are in train and in test; expected .* unseen"),
        ({"test": [40, 40]}, {}, "made up has 1 classes in test; expected at least 2"),
        (
            {"train": [*SPLITS["train"], 24]},
            {},
            r"24 of made up \(train\) has 1 images, and 1 of 25 classes have fewer than 4 \(per_class\)",
        ),
        ({"test": [40, 41, 42]}, {}, r"0 classes of made up \(test\) have 2 images; expected 1 or more"),
        (
            {"validation": [30, 30, 30, 30, 31]},
            {},
            r"1 classes of made up \(validation\) have 4 images; expected 2 or more",
        ),
        ({"train": np.repeat([0, 1, 2], 9)}, {}, "batch_size is 16, 4 classes of 4 images; made up has 3"),
        ({}, {"data_options": {"per_class": 3}}, "batch_size is 16; expected a multiple of 3"),
        ({}, {"data_options": {"per_class": 1}}, "per_class is 1; expected a number of at least 2"),
        ({}, {"data_options": {"per_clas": 4}}, "there is no option of this data .* did you mean per_class"),
    ],
)
def test_what_cannot_train_is_said(splits, changes, says):
    with pytest.raises(zoo.UsageError, match=says):
        data_module(splits={**SPLITS, **splits}, **changes)


def test_small_classes_are_left_out_on_demand():
    data = data_module(splits={**SPLITS, "train": [*SPLITS["train"], 24]}, data_options={"leave_out_small": True})
    shown = {label for _, y in data.batches("train", training=True) for label in y.numpy()}
    assert 24 not in shown and len(shown) > 10


def test_few_identities_are_warned_of(caplog):
    data_module(splits={**SPLITS, "train": np.repeat(np.arange(6), 5)})
    assert "6 identities to learn from are few" in caplog.text


# Glyphs.


def test_splits_of_glyphs_share_no_character():
    x, y = glyphs.Glyphs.examples(None)
    rows = glyphs.Glyphs.rows(None, x, y)
    shown = {split: set(y[found]) for split, found in rows.items()}
    assert {split: len(found) for split, found in shown.items()} == dict(glyphs.CLASSES)
    assert len(set.union(*shown.values())) == 300
    assert {split: len(found) for split, found in rows.items()} == {"train": 4000, "validation": 1000, "test": 1000}


def test_glyphs_are_white_on_black_and_every_one_different():
    x, _ = glyphs.Glyphs.examples(None)
    assert x.shape == (6000, 28, 28, 1) and x.dtype == "uint8"
    assert len(np.unique(x.reshape(6000, -1), axis=0)) == 6000
    ink = (x > 128).mean((1, 2, 3))
    assert ink.min() > 0.02 and ink.max() < 0.45


# Folders.


@pytest.fixture
def people(tmp_path):
    """Twelve people, five images each, grey, of two sizes."""
    rng = np.random.default_rng(0)
    for person in range(12):
        folder = tmp_path / "people" / f"person{person:02}"
        folder.mkdir(parents=True)
        for number in range(5):
            size = (20, 16) if number else (30, 24)
            grey = rng.integers(0, 256, (*size, 1), "uint8").repeat(3, -1)
            imsave(folder / f"{number}.png", grey)
    return tmp_path / "people"


def test_a_folder_is_split_by_identity(people):
    data = folder_module(people)
    shown = {split: set(data.arrays(split)[1]) for split in ("train", "validation", "test")}
    assert [len(found) for found in shown.values()] == [7, 2, 3]
    assert len(set.union(*shown.values())) == 12
    assert data.shape == (56, 46, 3) and data.class_names[0] == "person00"


def folder_module(folder, recipe="lfw"):
    card = zoo.info("siamese")
    chosen = replace(
        run_plan.override(card.recipe(recipe), {"batch_size": 16}),
        dataset=str(folder), train="train", validation="validation", test="test",
    )  # fmt: skip
    return IdentityDataModule.adapt(card, chosen, open_source(folder.absolute(), folder=IdentityFolder).load())


def test_the_split_depends_on_names_alone():
    names = [f"s{number}" for number in range(40)]
    assert split_identities(names) == split_identities(names[::-1])


def test_copies_of_an_image_count_once(people):
    copy = people / "person00" / "copy.png"
    copy.write_bytes((people / "person00" / "0.png").read_bytes())
    assert len(IdentityFolder(people).images) == 60


def test_the_hash_is_that_of_the_images(people):
    before = IdentityFolder(people).sha256()
    (people / "person00" / "0.png").rename(people / "person00" / "zero.png")
    assert IdentityFolder(people).sha256() == before
    (people / "person00" / "zero.png").unlink()
    assert IdentityFolder(people).sha256() != before


def test_a_folder_that_cannot_train_is_said(people, tmp_path):
    with pytest.raises(zoo.UsageError, match="the recipe demo does not resize them; take one that does"):
        folder_module(people, "demo")
    (tmp_path / "few" / "anna").mkdir(parents=True)
    with pytest.raises(zoo.UsageError, match="has 1 sub-folders; expected one for each identity, at least 8"):
        IdentityFolder(tmp_path / "few")


def test_broken_images_are_named_and_left_out(people, caplog):
    (people / "person00" / "0.png").write_text("<html>")
    (people / "person01" / "1.png").write_bytes(b"")
    with caplog.at_level("WARNING", logger="zoo"):
        source = IdentityFolder(people).load()
    assert "left out 2 files that cannot be read as images" in caplog.text and "0.png" in caplog.text
    read = [len(list(source.split(split))) for split in ("train", "validation", "test")]
    assert sum(read) == 58


def test_arrays_of_known_classes_are_refused(tmp_path):
    x, y = np.zeros((40, 8, 8), "uint8"), np.arange(40) % 4
    np.savez(tmp_path / "digits.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(zoo.UsageError, match="is one file of known classes; expected a folder"):
        zoo.train("siamese", data=tmp_path / "digits.npz", run=tmp_path / "run")
    assert not (tmp_path / "run").exists()
