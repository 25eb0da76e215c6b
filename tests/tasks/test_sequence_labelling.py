"""The task of taggers: what is measured, beside which baselines, and how an answer looks."""

from types import SimpleNamespace

import pytest

import zoo
from zoo import tasks
from zoo.data.builtin.named_things import sentences
from zoo.errors import UsageError
from zoo.records import replace

TASK = tasks.get("sequence_labelling")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Of a few sentences, and as few words at once that some are read in parts."""
    folder = tmp_path_factory.mktemp("tagger")
    text = "\n\n".join("\n".join(map("\t".join, zip(*row))) for row in sentences(60))
    (folder / "a.conll").write_text(text, encoding="utf-8")
    recipe = replace(
        zoo.info("tagger").recipe("conll"), epochs=1, min_steps=0, preprocess={"length": 9},
        model={"embedding": 4, "units": (4,), "crf": True},
    )  # fmt: skip
    return zoo.train("tagger", recipe, data=folder / "a.conll", run=folder / "run", verbose=0)


def test_what_a_run_holds(run):
    assert {"loss", "token_accuracy", "span_f1"} == set(run.metrics) and TASK.headline(run.metrics) == "span_f1"
    assert run.results["baselines"]["commonest tag"] == 0 < run.results["baselines"]["word's commonest tag"] < 1
    files = {file.name for file in run.path.iterdir()}
    assert {"tags.csv", "mistakes.csv", "confusion.png"} <= files
    wrong = (run.path / "mistakes.csv").read_text().splitlines()
    assert wrong[0] == "tag,prediction,words,for_example" and "[" in wrong[1]


def test_a_run_is_measured_again_and_answers(run, tmp_path):
    assert zoo.evaluate(run)["loss"] == pytest.approx(run.metrics["loss"], rel=1e-4)
    file = tmp_path / "two.txt"
    file.write_text("lincoln laughed .\n\nshares of kent motors fell while boston lies by the sea .\n")
    first, second = zoo.predict(run, [str(file)])
    assert [each.rpartition("/")[0] for each in first.split()] == ["lincoln", "laughed", "."]
    assert len(second.split()) == 12, "read in two parts"
    with pytest.raises(UsageError, match="nothing to tag"):
        zoo.predict(run, [" "])


def test_tags_that_mark_no_spans_are_measured_by_words():
    """Parts of speech, some words with two of them: what the commonest tag of each is right about."""

    rows = {
        "train": ([["fish", "swim"], ["men", "fish", "fish"]], [["NOUN", "VERB"], ["NOUN", "VERB", "NOUN"]]),
        "test": ([["men", "fish"], ["birds"]], [["NOUN", "VERB"], ["NOUN"]]),
    }
    found = TASK.baselines(SimpleNamespace(class_names=("NOUN", "VERB"), sentences=rows.get))
    assert found == pytest.approx({"commonest tag": 2 / 3, "word's commonest tag": 2 / 3})
