"""Tagged sentences: CoNLL files as people have them, refusals by line, and batches that lose no word."""

import pytest

import zoo
from zoo.data.builtin.named_things import NAMES, sentences
from zoo.data.sources import Source, tensorflow
from zoo.data.text.conll import TaggedTexts, read_conll
from zoo.data.text.tagged import TaggedTextDataModule
from zoo.errors import UsageError
from zoo.metrics.spans import are_bio, spans
from zoo.records import replace

CARD = zoo.info("tagger")


def written(path, rows, separator="\t"):
    path.write_text("\n\n".join("\n".join(map(separator.join, zip(*row))) for row in rows) + "\n", encoding="utf-8")
    return path


def adapted(train, test=None, **preprocess):
    """A data module of sentences, all splits the same if there is no test."""
    parts = {"train": train, "validation": train, "test": test or train}

    def split(name):
        words, tags = zip(*parts[name])
        return tensorflow().data.Dataset.from_tensor_slices(([*map(" ".join, words)], [*map(" ".join, tags)]))

    recipe = replace(CARD.recipe("conll"), preprocess=preprocess, batch_size=4)
    return TaggedTextDataModule.adapt(CARD, recipe, Source("made up", (), split))


@pytest.mark.parametrize("separator", ["\t", " "])
def test_a_file_is_read_and_divided(separator, tmp_path):
    rows = sentences(60)
    source = TaggedTexts(written(tmp_path / "a.conll", rows, separator)).load()
    splits = [list(source.split(name).as_numpy_iterator()) for name in ("train", "validation", "test")]
    assert sum(map(len, splits)) == 60 and all(splits)
    found = {(words.decode(), tags.decode()) for split in splits for words, tags in split}
    assert found == {(" ".join(words), " ".join(tags)) for words, tags in rows}


def test_comments_columns_line_ends_and_words_with_spaces(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_bytes(b"# sent_id = 1\r\n1\tNew York\tPROPN\t_\r\n2\t#\tSYM\t_\r\n\r\n\r\n# text = x\r\n1\tis\tAUX\t_")
    assert read_conll(path, 2, 3) == [("New_York #", "PROPN SYM"), ("is", "AUX")]
    path.write_text("-DOCSTART- -X- O O\n\n# NN B-NP O\n10 CD I-NP O\n", encoding="utf-8")
    assert read_conll(path) == [("# 10", "O O")]


def test_a_folder_keeps_its_splits(tmp_path):
    for name, seed in (("train.txt", 0), ("dev.txt", 1), ("test.txt", 2)):
        written(tmp_path / name, sentences(5, seed))
    source = TaggedTexts(tmp_path).load()
    for split, seed in (("train", 0), ("validation", 1), ("test", 2)):
        assert [words.decode().split() for words, _ in source.split(split).as_numpy_iterator()] == [
            words for words, _ in sentences(5, seed)
        ]
    (tmp_path / "dev.txt").unlink()
    written(tmp_path / "train.txt", sentences(60))
    source = TaggedTexts(tmp_path).load()
    assert 0 < len(source.split("validation")) == 60 - len(source.split("train"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("the\tDET\ncat\n", r"line 2 of .*a\.conll is 'cat': 1 columns; expected 2 or more, the word in column 1"),
        ("the\tDET\n\ncat\t\n", r"line 3 of .*a\.conll is 'cat'"),
        ("\n\n", "holds no sentences; expected a word and its tag on each line"),
        ("the DET\n\na DET\n", "holds 2 sentences, too few that differ; expected 20 or more"),
    ],
)
def test_files_that_are_none(content, says, tmp_path):
    (tmp_path / "a.conll").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=says) as error:
        TaggedTexts(tmp_path / "a.conll").load()
    assert "\n" not in str(error.value)


def test_folders_and_columns_that_are_none(tmp_path):
    with pytest.raises(UsageError, match="has no file that begins with test"):
        TaggedTexts(tmp_path)
    with pytest.raises(UsageError, match="there is no file"):
        TaggedTexts(tmp_path / "b.conll")
    with pytest.raises(UsageError, match="tag_column is 'ner'; expected the number of a column"):
        TaggedTexts(written(tmp_path / "a.conll", sentences(3)), tag_column="ner")


def test_batches_hold_every_word_once():
    rows = sentences(30)
    data = adapted(rows, length=7, min_count=1)
    numbers = {tag: number for number, tag in enumerate(data.class_names)}
    pairs = [(data.vocabulary.ids[w], numbers[t]) for words, tags in rows for w, t in zip(words, tags)]

    def held(batches):
        for words, tags in batches:
            assert words.shape == tags.shape and words.shape[1] <= 7
            assert ((words == 0) == (tags == -1)).all()
            yield from zip(words[words != 0].tolist(), tags[words != 0].tolist())

    assert list(held(data.batches("test"))) == pairs, "in their order"
    assert sorted(held(data.batches("train", training=True))) == sorted(pairs)
    assert len({words.shape for words, _ in data.batches("test")}) <= 2, "one width"


def test_rare_words_are_unknown_and_travel_with_the_run():
    data = adapted([(["a", "b", "a"], ["X", "Y", "X"])])
    assert data.encode(["b a c"]).tolist() == [[1, 2, 1]]
    again = TaggedTextDataModule.from_config(CARD, data.recipe, None, data.get_config())
    assert again.encode(["a"]).tolist() == [[2]] and again.class_names == ("X", "Y")


def test_a_tag_that_training_does_not_have(caplog):
    caplog.set_level("INFO", logger="zoo")
    data = adapted([(["a", "b"], ["X", "Y"])], [(["a", "b"], ["X", "Z"]), (["a"], ["X"])], min_count=1)
    assert "training has no example of Z; where it stands (test) the network is wrong" in caplog.text
    ((_, tags),) = data.batches("test")
    assert tags.tolist() == [[-1, -1], [0, -1]]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(["a", "b"], ["X"])], r"example 0 of made up \(train\) has 2 words and 1 tags"),
        ([(["a", "b"], ["X", "X"])], "holds one tag only; expected at least 2"),
        ([([], [])], "sentence"),
    ],
)
def test_data_that_cannot_train(rows, says):
    with pytest.raises(UsageError, match=says):
        adapted(rows)


def test_in_the_generated_language_a_name_has_every_kind():
    rows = sentences(2000)
    kinds = {name: set() for name in NAMES}
    for words, tags in rows:
        assert are_bio([*tags, "B-PER"]) and len(words) == len(tags)
        for kind, start, end in spans(tags):
            assert tags[start] == f"B-{kind}"
            if end == start + 1:
                kinds[words[start]].add(kind)
    assert all(each == {"PER", "LOC", "ORG"} for each in kinds.values())
