"""Labelled texts in tables: columns, encodings, lengths, class weights, and what is said of them."""

import csv
import json
import logging

import numpy as np
import pytest

import zoo
from zoo import cli, losses
from zoo.data import table_file
from zoo.data.encodings import read_text
from zoo.data.text.labelled import LabelledTextDataModule
from zoo.data.text.table import TextTable, labelled_texts
from zoo.errors import UsageError
from zoo.records import replace
from zoo.training.run_folder import Run

CARD = zoo.info("gru_classifier")
WORDS = {"cold": "snow ice frost", "hot": "sun fire summer"}


def rows(count=60, rare=1.0):
    rng = np.random.default_rng(0)
    for number in range(count):
        label = "hot" if rng.random() < rare / 2 else "cold"
        yield {"id": number, "review": " ".join(rng.choice(WORDS[label].split(), 6)) + f" {number}", "mood": label}


def write(path, delimiter=",", **options):
    found = list(rows(**options))
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row) + "\n" for row in found)
            return path
        table = csv.DictWriter(file, fieldnames=list(found[0]), delimiter=delimiter)
        table.writeheader()
        table.writerows(found)
    return path


def data_module(path, **preprocess):
    recipe = CARD.recipe("text_folder")
    recipe = replace(recipe, dataset=str(path), preprocess={**recipe.preprocess, **preprocess}, batch_size=8)
    return LabelledTextDataModule.adapt(CARD, recipe, labelled_texts(path).load())


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t"), ("a.jsonl", "")])
def test_a_table_of_texts_is_divided_by_class(name, delimiter, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="zoo")
    opened = TextTable(write(tmp_path / name, delimiter or ","))
    assert opened.columns == ("review", "mood") and opened.class_names == ("cold", "hot")
    assert "texts are the column review, their 2 classes the column mood" in caplog.text
    source = opened.load()
    splits = [list(source.split(split).as_numpy_iterator()) for split in ("train", "validation", "test")]
    assert sum(map(len, splits)) == 60 and len(splits[2]) == 12
    for text, label in splits[2]:
        assert text.decode().split()[0] in WORDS[source.class_names[label]]


def test_columns_are_named_by_the_user(tmp_path):
    path = write(tmp_path / "a.csv")
    assert labelled_texts(path, text_column="mood", label_column="mood").columns == ("mood", "mood")
    with pytest.raises(UsageError, match=r"no column of .* for text_column 'reviews'; did you mean review\?"):
        labelled_texts(path, text_column="reviews")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("text,label\na,b,c\n", r"line 2 of .* has 3 cells; expected 2"),
        ("text,text\na,b\n", "has two columns of one name"),
        ("text,label\n", "holds no rows"),
        ("text\nso good\n", "has the columns text; expected one of texts and one of classes"),
        ("text,label\na,x\nb,x\n", "label of .* has 1 different values; expected 2 to"),
        ("text,label\n" + "a,x\nb,y\n" * 3, "holds 3 texts of the class x; expected at least 10 of each"),
    ],
)
def test_tables_that_are_none(content, says, tmp_path):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UsageError, match=says):
        labelled_texts(tmp_path / "a.csv").load()


def test_a_cell_may_hold_a_line_end_and_the_delimiter(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'text,label\r\n"one, two\r\nthree",x\r\n')
    assert table_file.read_table(tmp_path / "a.csv") == {"text": ["one, two\nthree"], "label": ["x"]}


def test_other_encodings_are_read_and_said(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="zoo")
    path = tmp_path / "a.txt"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        path.write_bytes("“café”\r\n".encode(encoding))
        assert read_text(path) == "“café”\n"
    assert "a.txt is not UTF-8 (byte 0x93 at offset 0); it is read as Western European letters" in caplog.text
    path.write_bytes(b"\0\xff\1")
    with pytest.raises(UsageError, match=r"a\.txt is no text: byte 0xff at offset 1"):
        read_text(path)


def test_the_length_is_chosen_from_the_data_and_its_cost_said(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="zoo")
    path = write(tmp_path / "a.csv")
    assert data_module(path).length == 7 and "texts are read up to 7 words; the median one has 7" in caplog.text
    caplog.clear()
    short = data_module(path, length=4)
    assert "42 of 42 texts (train) are cut to 4 words, which loses 43% of the text" in caplog.text
    again = LabelledTextDataModule.from_config(CARD, short.recipe, None, data_module(path).get_config())
    assert again.length == 7, "it travels with the run"


def test_head_and_tail_of_a_long_text(tmp_path):
    data = data_module(write(tmp_path / "a.csv"), length=4, truncate="head_tail")
    whole = "snow sun ice fire frost summer"
    assert data.vocabulary.decode(data.encode([whole])[0]) == "snow fire frost summer"
    with pytest.raises(UsageError, match="no way to cut a text 'middle'; there are head, head_tail"):
        data_module(tmp_path / "a.csv", truncate="middle")


def test_balanced_weights_by_hand(tmp_path):
    path = write(tmp_path / "a.csv", count=200, rare=0.3)
    data = data_module(path, class_weights="balanced")
    counts = np.bincount([label for _, label in labelled_texts(path).load().split("train").as_numpy_iterator()])
    np.testing.assert_allclose(data.class_weights, counts.sum() / (2 * counts))
    assert data_module(path).class_weights is None
    loss = losses.WeightedCrossentropy(data.class_weights)
    logits, labels = np.zeros((counts.sum(), 2), "float32"), np.repeat([0, 1], counts)
    assert float(loss(labels, logits)) == pytest.approx(np.log(2), rel=1e-5), "as without weights, in the mean"


def test_a_table_is_trained_on_and_a_missed_class_is_said(tmp_path, capsys):
    path = write(tmp_path / "a.csv", count=300, rare=0.2)
    words = ["train", "gru_classifier", "--data", str(path), "--text-column", "review", "--label-column", "mood"]
    sizes = ["--option", "units=(8,)", "--option", "embedding=8", "--epochs", "1", "--learning-rate", "1e-5"]
    assert cli.main([*words, *sizes, "--run", str(tmp_path / "run")]) == 0
    assert "test texts of hot the network finds 0%" in capsys.readouterr().out
    run = Run.open(tmp_path / "run")
    (tmp_path / "review.txt").write_text("snow ice frost")
    (said,) = zoo.predict(run, [str(tmp_path / "review.txt")])
    assert said.startswith(str(tmp_path)[:20]) and "cold" in said
    assert zoo.evaluate(run) == pytest.approx(run.metrics, rel=1e-4)
    write(path, count=301, rare=0.2)
    caught = []
    handler = logging.Handler()
    handler.emit = lambda record: caught.append(record.getMessage())
    logging.getLogger("zoo").addHandler(handler)
    zoo.evaluate(run)
    logging.getLogger("zoo").removeHandler(handler)
    assert any("are new since the run was trained" in each for each in caught)
