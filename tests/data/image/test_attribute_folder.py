"""Folders of images with a table of yes/no answers, as people have them; and what is wrong with a table, in a line."""

import dataclasses
import logging

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.data.arrays import Arrays
from zoo.data.image.attribute_folder import AttributeFolder
from zoo.data.image.attributes import AttributeDataModule
from zoo.errors import UsageError

SIZE = {"resize": (8, 12)}


def images(folder, count=20):
    """`count` images of noise, 12 x 8: 0.png, 1.png, ..."""
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(0, 255, (8, 12, 3), "uint8")).save(folder / f"{number}.png")
    return folder


def table(folder, rows, header="file,glasses,hat", count=20, name="labels.csv"):
    """`rows` by number of the image, and every other image with 1 and 0 in turn."""
    cells = [rows.get(number, f"{number}.png,{number % 2},{number // 2 % 2}") for number in range(count)]
    (folder / name).write_text("\n".join([header, *cells]) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path):
    return images(tmp_path)


def data_of(folder, **changes):
    recipe = dataclasses.replace(zoo.info("multi_task").recipe("folder"), **{"preprocess": SIZE, **changes})
    return AttributeDataModule.adapt(zoo.info("multi_task"), recipe, AttributeFolder(folder).load())


def answers_of(source):
    found = {}
    for split in ("train", "validation", "test"):
        files = [each.file for each in source.examples if each.split == split]
        rows = [labels.tolist() for _, labels in source.split(split).as_numpy_iterator()]
        found |= dict(zip(files, rows))
    return found


def test_answers_are_those_of_their_images(folder):
    source = AttributeFolder(table(folder, {})).load()
    assert source.class_names == ("glasses", "hat")
    found = answers_of(source)
    assert len(found) == 20
    assert all(found[f"{n}.png"] == [n % 2, n // 2 % 2] for n in range(20))
    assert sorted(each.split for each in source.examples).count("test") == 4
    for each, (image, _) in zip(
        [each for each in source.examples if each.split == "train"], source.split("train").as_numpy_iterator()
    ):
        assert np.array_equal(image, np.asarray(Image.open(folder / each.file)))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [(("", "-1"), [-1, -1]), (("True", "False"), [1, 0]), (("1.0", "NaN"), [1, -1]), (("yes", " no "), [1, 0])],
)
def test_cells_as_people_write_them(folder, cells, expected):
    source = AttributeFolder(table(folder, {3: f"3.png,{','.join(cells)}"})).load()
    if set(expected) == {-1}:
        assert "3.png" not in answers_of(source), "an image of which nothing is known"
    else:
        assert answers_of(source)["3.png"] == expected


def test_other_separators_columns_and_splits(folder):
    rows = {
        n: f"{n % 2};{'train' if n < 12 else 'val' if n < 16 else 'test'};{n}.png;{n // 2 % 2};note {n}"
        for n in range(20)
    }
    table(folder, rows, header="glasses;split;Path;hat;remarks")
    with pytest.raises(
        UsageError, match=r"line 2 of .*labels.csv has 'note 0' under remarks; expected 1, 0, or nothing"
    ):
        AttributeFolder(folder).load()
    source = AttributeFolder(folder, attributes="hat, glasses").load()
    assert source.class_names == ("hat", "glasses")
    assert answers_of(source)["1.png"] == [0, 1]
    assert [sum(each.split == split for each in source.examples) for split in ("train", "validation", "test")] == [
        12,
        4,
        4,
    ]
    with pytest.raises(UsageError, match=r"there is no column of .* 'hats'; did you mean hat"):
        AttributeFolder(folder, attributes="hats").load()


def test_a_table_of_another_name(folder):
    table(folder, {}, name="answers.csv")
    with pytest.raises(
        UsageError, match=r"has no labels.csv; expected one with the columns file and one for each yes/no"
    ):
        AttributeFolder(folder)
    assert AttributeFolder(folder / "answers.csv").load().class_names == ("glasses", "hat")


@pytest.mark.parametrize(
    ("rows", "header", "says"),
    [
        ({4: "4.png,2,0"}, "file,glasses,hat", r"line 6 of .*labels.csv has '2' under glasses; expected 1, 0"),
        ({4: "4.png,1"}, "file,glasses,hat", r"line 6 of .*labels.csv has 2 cells; expected 3"),
        ({4: ",1,0"}, "file,glasses,hat", r"line 6 of .*labels.csv names no file"),
        ({4: "\n\n4.png,2,0"}, "file,glasses,hat", r"line 8 of .*labels.csv has '2'"),
        ({4: "3.png,1,0"}, "file,glasses,hat", r"line 6 of .*labels.csv names 3.png, as line 5 does"),
        ({}, "name,glasses,hat", r"line 1 of .* names the columns name, glasses, hat; expected file"),
        ({n: f"{n}.png,1,holdout" for n in range(20)}, "file,glasses,split", r"line 2 of .* has the split 'holdout'"),
        ({n: f"{n}.png" for n in range(20)}, "file", r"line 1 of .*labels.csv names the files only"),
        ({n: f"{n}.png,,-1" for n in range(20)}, "file,glasses,hat", r"answers nothing: all cells of glasses, hat are"),
        ({n: f"x{n}.png,1,0" for n in range(20)}, "file,glasses,hat", r"names x0.png \(line 2\), which is not in"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_the_line(folder, rows, header, says):
    with pytest.raises(UsageError, match=says) as raised:
        AttributeFolder(table(folder, rows, header)).load()
    assert "\n" not in str(raised.value)


def test_what_cannot_be_used_is_named_and_left_out(folder, caplog):
    (folder / "0.png").write_bytes(b"no image")
    (folder / "2.png").write_bytes((folder / "1.png").read_bytes())  # a copy, of which other things are said
    table(folder, {5: "gone.png,1,0"})
    with caplog.at_level(logging.WARNING, logger="zoo"):
        found = answers_of(AttributeFolder(folder).load())
    assert len(found) == 16 and not {"0.png", "1.png", "2.png", "5.png"} & set(found)
    for line in ("gone.png (line 7)", "0.png (line 2)", "2 copies of images", "1.png, 2.png"):
        assert line in caplog.text, line


def test_too_few(folder):
    with pytest.raises(UsageError, match="has 8 images with answers; expected at least 10"):
        AttributeFolder(table(folder, {}, count=8)).load()


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (
            lambda n: 1 if n % 3 else -1,
            r"each of the \d+ answers to hat is yes in training; .*=glasses.* CelebA",
        ),
        (lambda n: "", r"nothing is known of hat in training; .*: leave it out \(--option attributes=glasses\)$"),
    ],
)
def test_an_attribute_without_both_answers_cannot_be_learned(folder, cells, says):
    """As with the list of CelebA, where -1 is no."""
    with pytest.raises(UsageError, match=says):
        data_of(table(folder, {n: f"{n}.png,{n % 2},{cells(n)}" for n in range(20)}))


def test_batches_have_the_answers_and_a_run_keeps_the_order_of_its_attributes(folder, tmp_path_factory):
    assert data_of(table(folder, {}), preprocess={**SIZE, "attributes": "hat"}).class_names == ("hat",)
    data = data_of(folder, batch_size=4)
    x, y = next(iter(data.batches("train", training=True).as_numpy_iterator()))
    assert x.shape == (4, 8, 12, 3) and y["attributes"].shape == (4, 2) and set(np.unique(y["attributes"])) <= {0, 1}
    assert data.model_options() == {"input_shape": (8, 12, 3), "num_classes": 2}
    other = images(tmp_path_factory.mktemp("other"))
    table(other, {n: f"{n}.png,{n // 2 % 2},0,{n % 2}" for n in range(20)}, header="file,hat,scarf,glasses")
    again = AttributeDataModule.from_config(data.card, data.recipe, AttributeFolder(other).load(), data.get_config())
    again.check_other("test")
    assert again.class_names == ("glasses", "hat")
    assert sorted(again.targets("test").tolist()) == sorted(data.targets("test").tolist())
    table(other, {}, header="file,hat,scarf")
    lost = AttributeDataModule.from_config(data.card, data.recipe, AttributeFolder(other).load(), data.get_config())
    with pytest.raises(UsageError, match=r"has the attributes hat, scarf; the run was trained on glasses as well"):
        lost.check_other("test")


def arrays(y):
    x = np.random.default_rng(0).random((len(y), 6, 6, 1), "float32")
    recipe = dataclasses.replace(zoo.info("multi_task").recipe("demo"), preprocess={}, augment={})
    return AttributeDataModule.adapt(zoo.info("multi_task"), recipe, Arrays((x, y)).load())


def test_arrays_have_a_column_for_each_question():
    y = np.random.default_rng(0).integers(-1, 2, (60, 3))
    data = arrays(y)
    assert data.class_names == ("attribute_0", "attribute_1", "attribute_2")
    assert sum(len(data.targets(split)) for split in ("train", "validation", "test")) == 60
    for wrong, says in (
        (y[:, 0] + 1, r"a target of <arrays> has shape \(\); expected \(attributes,\), each 1, 0 or -1"),
        (y * 2, r"example \d+ of <arrays> \(train\) has -?2 for attribute_\d; expected 1 \(yes\), 0 \(no\) or -1"),
        (y / 2, r"has -?0.5 for attribute_"),
    ):
        with pytest.raises(UsageError, match=says):
            arrays(wrong)
