"""Texts: the embedded ones, a user's own, words and characters as numbers, batches, and what is refused."""

import logging
import shutil

import numpy as np
import pytest

import zoo
from zoo import tasks
from zoo.data.builtin.texts import NOUNS
from zoo.data.sources import open_source
from zoo.data.text.corpus import CorpusDataModule
from zoo.data.text.folder import CorpusFolder, TextFolder, part
from zoo.data.text.labelled import LabelledTextDataModule
from zoo.data.text.vocabulary import Vocabulary
from zoo.errors import UsageError
from zoo.training import run_plan

CLASSES = {"cold": "snow ice frost winter freezing", "hot": "sun fire summer desert boiling"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """60 texts of each class, of 2 to 61 words."""
    root = tmp_path_factory.mktemp("texts")
    rng = np.random.default_rng(0)
    for label, words in CLASSES.items():
        (root / label).mkdir()
        for number in range(60):
            text = " ".join(rng.choice(words.split(), number + 1))
            (root / label / f"{number}.txt").write_text(f"{text} {number}", encoding="utf-8")
    return root


def plan_for(name, recipe="demo", **changes):
    recipe = zoo.info(name).recipe(recipe)
    return zoo.records.replace(recipe, **{"train": "train", "validation": "validation", "test": "test", **changes})


def labelled(folder, **preprocess):
    words = {"tokens": "words", "vocabulary": 100, "length": 40, **preprocess}
    recipe = plan_for("gru_classifier", dataset=str(folder), preprocess=words, batch_size=8)
    return LabelledTextDataModule.adapt(zoo.info("gru_classifier"), recipe, TextFolder(folder).load())


def corpus(text, tmp_path, length=10, vocabulary=100, **changes):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text(text, encoding="utf-8")
    recipe = plan_for(
        "gru_lm", preprocess={"tokens": "characters", "vocabulary": vocabulary, "length": length}, **changes
    )
    source = open_source(str(tmp_path / "corpus"), folder=CorpusFolder)
    return CorpusDataModule.adapt(zoo.info("gru_lm"), recipe, source.load())


# The embedded texts.


def test_no_paragraph_of_the_language_reference_is_in_two_splits(data_dir):
    source = open_source("pydoc_topics:1.0.0", data_dir=data_dir).load()
    paragraphs, topics, sizes = {}, {}, {}
    for split in ("train", "validation", "test"):
        rows = list(source.split(split).as_numpy_iterator())
        texts = [row["text"].decode() for row in rows]
        topics[split] = {row["topic"].decode() for row in rows}
        sizes[split] = sum(map(len, texts))
        paragraphs[split] = {" ".join(each.split()) for text in texts for each in text.split("\n\n")} - {""}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not paragraphs[one] & paragraphs[other] and not topics[one] & topics[other]
    total = sum(sizes.values())
    assert total > 200_000
    assert [round(sizes[split] / total, 2) for split in sizes] == pytest.approx([0.8, 0.1, 0.1], abs=0.02)


def test_the_verb_agrees_with_the_first_noun(data_dir):
    source = open_source("agreement:1.0.0", data_dir=data_dir).load()
    assert source.class_names == ("is", "are")
    texts, verbs, between = [], [], []
    for split in ("train", "validation", "test"):
        for text, verb in source.split(split).as_numpy_iterator():
            nouns = [word for word in text.decode().split() if word.removesuffix("s") in NOUNS]
            assert source.class_names[verb] == ("are" if nouns[0].endswith("s") else "is")
            texts.append(text)
            verbs.append(verb)
            between.append([noun.endswith("s") for noun in nouns[1:]])
    assert len(set(texts)) == len(texts) == 8000 and np.mean(verbs) == 0.5
    assert {len(others) for others in between} == {0, 1, 2, 3, 4}
    assert np.mean([plural for others in between for plural in others]) == pytest.approx(0.5, abs=0.02)


# Words and characters.


def test_words_are_lower_case_without_punctuation():
    words = Vocabulary("words", ["don't", "stop", "!", "über", "好"])
    text = "DON'T <br /><br />stop!! ÜBER-好, (unseen)"
    assert words.encode(text).tolist() == [2, 3, 4, 4, 5, 6, 1]
    assert words.decode([5, 6]) == "über 好"


def test_characters_keep_everything():
    letters = Vocabulary("characters", sorted(set("A b\n好")))
    assert letters.decode(letters.encode("A b\n好")) == "A b\n好"


def test_the_commonest_words_are_kept():
    texts = ["a a a b b c", "a d"]
    assert Vocabulary.adapt("words", 4, texts).entries == ["a", "b"]  # two more: padding and the unknown
    assert len(Vocabulary.adapt("words", 4, texts)) == 4


def test_tokens_outside_the_vocabulary_are_refused():
    with pytest.raises(UsageError, match="token 7 at position 1 is outside the vocabulary; expected 0 to 3"):
        Vocabulary("words", ["a", "b"]).decode([2, 7])


# A folder of the user's own.


def test_a_folder_is_divided_by_class_and_content(folder):
    source = TextFolder(folder).load()
    splits = {split: list(source.split(split).as_numpy_iterator()) for split in ("train", "validation", "test")}
    assert source.class_names == ("cold", "hot")
    assert [len(rows) for rows in splits.values()] == [84, 12, 24]
    for rows in splits.values():
        assert np.mean([label for _, label in rows]) == pytest.approx(0.5, abs=0.1)
    texts = [text for rows in splits.values() for text, _ in rows]
    assert len(set(texts)) == 120


def test_duplicates_stay_together():
    texts = np.array([f"text {number // 3}" for number in range(90)], object)
    texts[::3] = [text.upper() + "\n" for text in texts[::3]]
    (rest, *_), (held, *_) = part(texts, np.arange(90) % 2, texts, of=5)
    assert len(held) + len(rest) == 90 and len(held) % 3 == 0
    assert not {text.lower().strip() for text in held} & {text.lower().strip() for text in rest}


def test_splits_of_a_users_own_stay_as_they_are(folder, tmp_path):
    for split in ("train", "test"):
        (tmp_path / split).symlink_to(folder)
    source = TextFolder(tmp_path).load()
    assert [len(list(source.split(split))) for split in ("train", "validation", "test")] == [108, 12, 120]


def test_the_hash_is_that_of_the_texts(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    before = TextFolder(tmp_path / "copy").sha256()
    assert before == TextFolder(folder).sha256()
    (tmp_path / "copy" / "hot" / "7.txt").write_text("colder")
    assert TextFolder(tmp_path / "copy").sha256() != before


# Batches of labelled texts.


def test_batches_hold_each_text_once_padded_on_the_right(folder):
    data = labelled(folder)
    rows = 0
    for tokens, labels in data.batches("train").as_numpy_iterator():
        assert tokens.dtype == "int32" and tokens.shape[1] in (10, 20, 30, 40) and len(tokens) == len(labels) <= 8
        lengths = (tokens > 0).sum(1)
        assert all((row[:length] > 0).all() for row, length in zip(tokens, lengths))
        assert (lengths <= tokens.shape[1]).all() and (lengths > tokens.shape[1] - 10).all(), "mostly padding"
        rows += len(tokens)
    assert rows == data.examples["train"] == 84
    assert int(data.batches("train").cardinality()) == len(list(data.batches("train")))


def test_training_order_differs_between_epochs_and_repeats_between_runs(folder):
    def epochs():
        batches = labelled(folder).batches("train", training=True)
        return [np.concatenate([tokens.sum(1) for tokens, _ in batches.as_numpy_iterator()]) for _ in range(2)]

    first, second = epochs(), epochs()
    assert not np.array_equal(first[0], first[1])
    assert all(np.array_equal(a, b) for a, b in zip(first, second))


def test_the_vocabulary_is_learned_from_the_training_split_only(folder):
    data = labelled(folder)
    train = {word for text in data.texts("train")[0] for word in text.split()}
    assert set(data.vocabulary.entries) == train
    assert data.model_options()["vocabulary_size"] == len(train) + 2


def test_a_restored_feed_encodes_the_same(folder):
    data = labelled(folder)
    again = LabelledTextDataModule.from_config(data.card, data.recipe, None, data.get_config())
    texts = ["Snow!", "a fire in the desert " + "sun " * 90]
    np.testing.assert_array_equal(again.encode(texts), data.encode(texts))
    assert data.encode(texts).shape == (2, 40)
    assert again.class_names == ("cold", "hot")


# Windows of a corpus.


def test_every_token_but_the_first_is_a_target_once(tmp_path):
    text = "".join(np.random.default_rng(0).choice(list("abc \n"), 4000))
    data = corpus(text, tmp_path)
    assert data.examples == {"train": 319, "validation": 39, "test": 39}
    x, y = (np.concatenate(part) for part in zip(*data.batches("test").as_numpy_iterator()))
    assert data.vocabulary.decode(x.ravel()) == text[3600:3990]
    assert data.vocabulary.decode(y.ravel()) == text[3601:3991]


def test_training_windows_come_from_anywhere(tmp_path):
    text = "".join(np.random.default_rng(0).choice(list("abc \n"), 4000))
    data = corpus(text, tmp_path)
    batches = data.batches("train", training=True)
    first, second = (np.concatenate([x for x, _ in batches.as_numpy_iterator()]) for _ in range(2))
    assert first.shape == second.shape == (319, 10)
    assert not np.array_equal(first, second)
    again = np.concatenate([x for x, _ in data.batches("train", training=True).as_numpy_iterator()])
    np.testing.assert_array_equal(first, again)
    starts = {text.index(data.vocabulary.decode(row)) % 10 for row in first[:100]}
    assert len(starts) == 10
    for x, y in batches.take(1).as_numpy_iterator():
        np.testing.assert_array_equal(x[:, 1:], y[:, :-1])


def test_windows_of_equally_long_things_begin_with_one(tmp_path):
    things = ["".join(row) for row in np.random.default_rng(0).choice(list("ab"), (500, 8))]
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("".join(thing + "\n\n" for thing in things))
    settings = {"tokens": "characters", "vocabulary": 10, "length": 10, "stride": 10}
    recipe = plan_for("gru_lm", preprocess=settings)
    source = open_source(str(tmp_path / "corpus"), folder=CorpusFolder)
    data = CorpusDataModule.adapt(zoo.info("gru_lm"), recipe, source.load())
    seen = [data.vocabulary.decode(row) for x, _ in data.batches("train", training=True) for row in x.numpy()]
    assert set(seen) <= {thing + "\n\n" for thing in things[:400]} and len(set(seen)) > 100
    by_place = tasks.get("language_modelling").baselines(data)["place alone"]
    assert by_place == pytest.approx(2**0.8, rel=0.05), "a bit for each letter, none for the ends of lines"
    with pytest.raises(UsageError, match="stride is 0"):
        CorpusDataModule(zoo.info("gru_lm"), plan_for("gru_lm", preprocess={**settings, "stride": 0}), None)


# What is refused, in one line.


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ([""], r"text 1 \(''\) holds no words; expected at least one"),
        (["snow", " ... "], r"text 2 \(' ... '\) holds no words"),
        (["xylophone zygote"], r"text 1 \('xylophone zygote'\) holds no word that the network knows"),
    ],
)
def test_texts_that_say_nothing(texts, says, folder):
    with pytest.raises(UsageError, match=says):
        labelled(folder).encode(texts)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("  \n", r"7\.txt is empty; expected a text: remove the file"),
        ("...", r"example \d+ of .*copy \(\w+\) is '\.\.\.' and holds no words; expected text: drop it"),
    ],
)
def test_an_empty_text_in_the_data(text, says, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "hot" / "7.txt").write_text(text)
    with pytest.raises(UsageError, match=says):
        labelled(tmp_path / "copy")


def test_a_file_that_is_not_utf8_is_read_and_named(folder, tmp_path, caplog):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "hot" / "7.txt").write_bytes(b"caf\xe9 au lait")
    with caplog.at_level(logging.INFO, logger="zoo"):
        data = labelled(tmp_path / "copy")
    assert "7.txt is not UTF-8 (byte 0xe9 at offset 3)" in caplog.text
    assert any("café au lait" in data.texts(split)[0] for split in ("train", "validation", "test"))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, r"has 0 sub-folders with .txt files \(none\); expected one for each class, at least 2"),
        ({"good/1.txt": "a"}, r"has 1 sub-folders with .txt files \(good\)"),
        ({"good/1.txt": "a", "bad/1.txt": "b"}, "holds 1 texts of the class bad; expected at least 10 of each"),
    ],
)
def test_folders_without_classes(files, says, tmp_path):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=says):
        TextFolder(tmp_path).load()


def test_a_folder_of_the_same_text_again_and_again(tmp_path):
    for label in ("good", "bad"):
        (tmp_path / label).mkdir()
        for number in range(12):
            (tmp_path / label / f"{number}.txt").write_text(f"{label}  it is" if number % 2 else f"{label} IT is")
    with pytest.raises(UsageError, match="a class has 1 different texts where one in 5 is to be held out"):
        TextFolder(tmp_path).load()


def test_a_corpus_that_is_none(tmp_path):
    with pytest.raises(UsageError, match=r"holds no \.txt files; expected at least one, in UTF-8"):
        open_source(str(tmp_path), folder=CorpusFolder)
    (tmp_path / "a.txt").write_text(" \n \n")
    recipe, card = plan_for("gru_lm", dataset=str(tmp_path)), zoo.info("gru_lm")
    with pytest.raises(UsageError, match=r"the split 'train' of .* is empty; expected text"):
        CorpusDataModule.adapt(card, recipe, open_source(str(tmp_path), folder=CorpusFolder).load())


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_one_file_is_a_corpus_whatever_ends_its_lines(ending, tmp_path):
    (tmp_path / "a.txt").write_bytes(("abcdefghi" + ending).encode() * 200)
    source = open_source(str(tmp_path / "a.txt"), folder=CorpusFolder)
    data = CorpusDataModule.adapt(
        zoo.info("gru_lm"), plan_for("gru_lm", recipe="text_folder", dataset=str(tmp_path / "a.txt")), source.load()
    )
    assert data.text("test") == "abcdefghi\n" * 20 and len(data.vocabulary) == 12


def test_an_unknown_token_is_an_error_of_its_own_kind(tmp_path, caplog):
    """With one known letter, each other is one of nine: a uniform network has a perplexity of 10, not of 2."""
    text = "".join(np.random.default_rng(0).choice(list("abcdefghij"), 20_000))
    data = corpus(text, tmp_path, vocabulary=3)
    assert len(data.vocabulary) == 3 and data.unknown_kinds == 9
    assert data.unknown_share("test") == pytest.approx(0.9, abs=0.02)
    found = tasks.get("language_modelling").baselines(data)
    assert found["Kneser-Ney 2-gram"] == pytest.approx(10, rel=0.02)


def test_a_vocabulary_of_a_users_own_text_covers_it(tmp_path):
    text = "".join(chr(0x4E00 + number % 3000) for number in range(40_000))
    (tmp_path / "zh.txt").write_text(text, encoding="utf-8")
    recipe = plan_for("gpt", recipe="text_folder")
    data = CorpusDataModule.adapt(zoo.info("gpt"), recipe, CorpusFolder(tmp_path / "zh.txt").load())
    assert data.unknown_share("test") == 0 and len(data.vocabulary) == 3002


def test_positions_follow_the_length(tmp_path):
    recipe = plan_for("gpt", recipe="text_folder", preprocess={"tokens": "characters", "vocabulary": 9, "length": 90})
    (tmp_path / "a.txt").write_text("abcde " * 400)
    data = CorpusDataModule.adapt(zoo.info("gpt"), recipe, CorpusFolder(tmp_path).load())
    assert data.model_options()["max_length"] == 90
    data.recipe = zoo.records.replace(recipe, model={"max_length": 128})
    assert data.model_options()["max_length"] == 128


def test_a_network_of_two_texts_is_refused_for_one(folder, tmp_path):
    sizes = dict(dim=8, num_layers=1, num_heads=2, batch_size=8, epochs=1)
    with pytest.raises(UsageError, match=r"bert_base has the inputs tokens, segments; .* leave the others out"):
        zoo.train("bert_base", data=folder, run=tmp_path / "run", segments=True, verbose=0, **sizes)


def test_a_corpus_too_short_for_a_window(tmp_path):
    with pytest.raises(
        UsageError, match=r"corpus \(validation\) holds 9 characters; expected more than 10, one window"
    ):
        corpus("abcdefghi" * 10, tmp_path)


@pytest.mark.parametrize(
    ("name", "dataset", "says"),
    [
        ("gru_classifier", "digits:1.0.0", "an example of digits:1.0.0 is uint8 of shape .*; gru_classifier reads"),
        ("gru_lm", "digits:1.0.0", "an example of digits:1.0.0 is uint8 of shape .*; gru_lm reads text"),
        ("gru_classifier", "pydoc_topics:1.0.0", "gru_classifier reads text"),
    ],
)
def test_data_that_is_no_text(name, dataset, says, data_dir):
    card, source = zoo.info(name), open_source(dataset, data_dir=data_dir).load()
    with pytest.raises(UsageError, match=says):
        tasks.get(card.task).data_module.adapt(card, plan_for(name, dataset=dataset), source)


def test_load_data_gives_texts_with_their_classes(data_dir):
    texts, labels = next(zoo.load_data("agreement", batch_size=5, data_dir=data_dir).as_numpy_iterator())
    assert isinstance(texts[0], bytes) and labels.shape == (5,)
    with pytest.raises(UsageError, match="an example of pydoc_topics has text, topic; expected an input and its t"):
        zoo.load_data("pydoc_topics", data_dir=data_dir)
    with pytest.raises(UsageError, match="agreement holds texts; preprocess and augment are for images"):
        zoo.load_data("agreement", preprocess={"resize": (8, 8)}, data_dir=data_dir)


@pytest.mark.parametrize(
    ("preprocess", "says"),
    [
        (
            {"tokens": "syllables"},
            "there is no kind of tokens 'syllables'; there are characters, pretrained, spaces, subwords, words",
        ),
        ({"lenght": 3}, "there is no preprocessing of texts 'lenght'; did you mean length?"),
    ],
)
def test_recipes_that_ask_for_what_is_not_there(preprocess, says, folder):
    with pytest.raises(UsageError, match=says):
        labelled(folder, **preprocess)


def test_a_vocabulary_that_contradicts_the_data(folder, tmp_path):
    with pytest.raises(
        UsageError,
        match=r"vocabulary_size is 3; the data set .* has [0-9]+: leave it out, or set it by --option vocabulary=",
    ):
        zoo.train("gru_classifier", data=folder, run=tmp_path / "run", batch_size=8, vocabulary_size=3, verbose=0)
    assert not (tmp_path / "run").exists()


def test_labels_out_of_range_are_said(folder, monkeypatch):
    source = TextFolder(folder).load()
    wrong = zoo.records.replace(source, class_names=("cold",))
    recipe = plan_for("gru_classifier", batch_size=8)
    with pytest.raises(UsageError, match="has the label 1; expected 0 to 0"):
        LabelledTextDataModule.adapt(zoo.info("gru_classifier"), recipe, wrong)


def test_job_takes_a_folder(folder, tmp_path):
    prepared = run_plan.prepare("gru_classifier", data=folder, run=tmp_path / "run", batch_size=8)
    assert isinstance(prepared.source, TextFolder) and prepared.recipe.train == "train"
    assert prepared.recipe.name == "text_folder", "the recipe for data of one's own"


def test_characters_are_numbered_by_their_code_points_as_one_by_one():
    known = [*"abcd \n", "\u00e9", "\u6d77", "\U0001f600", "\ud800", "more than one"]
    vocabulary = Vocabulary("characters", known)
    text = "".join(np.random.default_rng(0).choice([*"abxyz \n\r", *known[6:10], "\U0010ffff", "\x00"], 500))
    found = vocabulary.encode(text)
    assert found.dtype == np.int32 and found.tolist() == [vocabulary.ids.get(each, 1) for each in text]
    assert vocabulary.encode("").shape == (0,)
