"""Pairs of texts: the embedded dates, a user's own files, tokens, batches, what is measured and what is refused."""

import importlib.util
import logging
import re
from types import SimpleNamespace

import numpy as np
import pytest

import zoo
from zoo import cli, tasks
from zoo.data.builtin import dates
from zoo.data.sources import Source, open_source, tensorflow
from zoo.data.text.parallel_folder import ParallelFolder, parallel_texts
from zoo.data.text.subwords import Characters, Subwords
from zoo.data.text.translation import TranslationDataModule
from zoo.errors import UsageError
from zoo.inference import api
from zoo.losses import MaskedCrossentropy
from zoo.metrics.tokens import ExactMatch, TokenAccuracy
from zoo.tasks import translation

CARD = zoo.info("transformer")
TINY = dict(num_layers=1, dim=16, num_heads=2, mlp_dim=32)


def write_folder(root, lines=60, **changed):
    """Numbers as digits and as letters, one of one to nine digits a line."""
    rng = np.random.default_rng(0)
    for split, count in (("train", lines), ("test", 20)):
        digits = ["".join(map(str, rng.integers(0, 9, rng.integers(1, 10)))) for _ in range(count)]
        texts = {"de": digits, "en": [each.translate(str.maketrans("012345678", "abcdefghi")) for each in digits]}
        for language, column in texts.items():
            name = f"{language}.{split}.txt"
            (root / name).write_text("\n".join(changed.get(name.replace(".", "_"), column)) + "\n", encoding="utf-8")
    return root


def data_module(root, batch_size=8, **preprocess):
    settings = {"tokens": "characters", "length": 12, **preprocess}
    recipe = zoo.records.replace(CARD.recipe("translate_folder"), preprocess=settings, batch_size=batch_size)
    return TranslationDataModule.adapt(CARD, recipe, ParallelFolder(root).load())


# The embedded dates


def test_each_date_is_in_one_split_and_can_be_read_in_one_way():
    written, iso = dates.WrittenDates.examples(dates.WrittenDates)
    assert len(written) == len(set(iso)) == 12_000
    assert all("1950-01-01" <= each < "2050-01-01" and re.fullmatch(r"\d{4}-\d\d-\d\d", each) for each in iso)
    meanings = {}
    for form in dates.FORMS:  # every form of all days of three years, and of two centuries' edges
        for day in range(0, 36_524, 37):
            date = dates.datetime.date(1950, 1, 1) + dates.datetime.timedelta(day)
            meanings.setdefault(dates.write(date, form).lower(), set()).add(date)
    assert all(len(found) == 1 for found in meanings.values())


# Tokens


def test_characters_of_both_languages_have_one_numbering():
    letters = Characters.adapt(["abb", "cb"], max_tokens=7)
    assert letters.letters == "bac" and len(letters) == 7
    assert Characters.adapt(["abb", "cb"], max_tokens=6).letters == "ba"
    again = Characters.from_config(letters.get_config())
    assert [row.tolist() for row in again.encode(["bad"])] == [[4, 5, 1]]
    assert again.decode([4, 5, 3, 6, 0]) == "ba", "what is behind the end is not said"


@pytest.mark.skipif(importlib.util.find_spec("tokenizers") is None, reason="needs the package tokenizers")
def test_subwords_lose_nothing():
    texts = ["Der Hund bellt.", "Der Hund schläft, der Hund träumt!", "A dog barks."]
    parts = Subwords.adapt(texts, max_tokens=300)
    again = Subwords.from_config(parts.get_config())
    assert len(again) <= 300
    for text in [*texts, "völlig Neues: 你好"]:
        (row,) = again.encode([text])
        assert row.min() > 3 and again.decode([*row, 3, 0]) == text
    assert len(parts.encode(["Hund"])[0]) < len("Hund")


def test_without_the_package_there_is_one_line(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install tokenizers"):
        Subwords.adapt(["a"], 300)


# Batches


def test_the_target_is_shifted_by_one_and_padded_with_nothing(tmp_path):
    data = data_module(write_folder(tmp_path))
    for inputs, target in data.batches("test").as_numpy_iterator():
        assert (inputs["target"][:, 0] == 2).all()
        np.testing.assert_array_equal(np.where(target == 3, 0, target)[:, :-1], inputs["target"][:, 1:])
        assert ((target == 3).sum(1) == 1).all() and set(np.unique(inputs["source"])) & {1, 2, 3} == set()
    sources, targets = data.texts("test")
    assert [data.tokenizer.decode(row) for row in data.tokenizer.encode(targets)] == targets
    assert sources[0].isdigit() and targets[0].isalpha(), "German is the first of the two"
    assert data_module(tmp_path, reverse=True).texts("test") == (targets, sources)
    assert data_module(tmp_path, source="en", target="de").texts("test") == (targets, sources)


def test_batches_of_equally_many_tokens(tmp_path):
    data = data_module(write_folder(tmp_path, lines=400), batch_tokens=96)
    shapes = [inputs["source"].shape for inputs, _ in data.batches("train", training=True).as_numpy_iterator()]
    assert len(shapes) == data.steps and len({width for _, width in shapes}) > 4
    assert all(count * width <= 96 for count, width in shapes)
    assert sum(count for count, _ in shapes) == data.examples["train"] == 360
    assert data_module(tmp_path, batch_size=50).steps == 8


@pytest.mark.parametrize("seed", range(6))
def test_batches_of_two_widths_train_whatever_their_order(tmp_path, seed):
    """From the first two batches Keras makes out what TensorFlow is told of all."""
    recipe = zoo.records.replace(CARD.recipe("translate_folder"), seed=seed)
    recipe = zoo.records.replace(recipe, preprocess={"tokens": "characters", "length": 12, "batch_tokens": 96})
    data = TranslationDataModule.adapt(CARD, recipe, ParallelFolder(write_folder(tmp_path)).load())
    for _ in range(5):
        widths = [inputs["source"].shape[1] for inputs, _ in data.batches("train", training=True)]
        assert widths[0] != widths[1] or len(set(widths)) == 1


@pytest.mark.parametrize("changed", [{"length": 1}, {"length": "abc"}, {"vocabulary": -1}, {"batch_tokens": -100}])
def test_a_size_that_is_none_is_refused(tmp_path, changed):
    (name,) = changed
    with pytest.raises(UsageError, match=f"{name} is .*; expected a whole number of at least"):
        data_module(write_folder(tmp_path), **changed)


def test_pairs_that_are_all_too_long_are_refused(tmp_path):
    folder = write_folder(tmp_path, de_train_txt=["12345"] * 60, en_train_txt=["abcde"] * 60)
    with pytest.raises(
        UsageError, match=r"all 54 training pairs of .* are longer than 2 characters; give shorter ones"
    ):
        data_module(folder, length=2)


def test_training_is_shuffled_anew_and_repeats_from_its_seed(tmp_path):
    data = data_module(write_folder(tmp_path))

    def order(dataset):
        return [inputs["source"].tolist() for inputs, _ in dataset.as_numpy_iterator()]

    once, again = data.batches("train", training=True), data.batches("train", training=True)
    first = order(once)
    assert order(again) == first and order(once) != first


def test_what_is_empty_or_too_long_is_counted_and_left_out(tmp_path, caplog):
    lines = ["1", "", "12", "1" * 13, "4", *"123456789123456789"]
    feed_of_it = write_folder(tmp_path, de_train_txt=lines, en_train_txt=["x"] * len(lines))
    with caplog.at_level(logging.INFO, logger="zoo"):
        data = data_module(feed_of_it)
    assert data.examples["train"] + data.examples["validation"] == len(lines) - 2
    assert "1 of 21 pairs (train) have an empty side and are left out" in caplog.text
    assert "1 of 20 pairs (train) are longer than 12 characters: left out" in caplog.text


def test_files_of_unequal_length_are_named_with_both_counts(tmp_path):
    write_folder(tmp_path, en_train_txt=["a"] * 59)
    with pytest.raises(UsageError, match=r"differ in lines: de.train.txt 60 and en.train.txt 59"):
        ParallelFolder(tmp_path).load()


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (["en.train.txt", "en.test.txt"], "has files for de; expected two languages"),
        (["en.test.txt"], "has no en.test.txt"),
        (["de.test.txt", "en.test.txt"], "has no de.test.txt"),
    ],
)
def test_files_that_are_missing_are_named(tmp_path, missing, says):
    write_folder(tmp_path)
    for name in missing:
        (tmp_path / name).unlink()
    with pytest.raises(UsageError, match=says):
        ParallelFolder(tmp_path)


def test_columns_are_found_by_name(tmp_path):
    with pytest.raises(UsageError, match=r"there is no column of .* 'fr'; there are de, en"):
        data_module(write_folder(tmp_path), source="fr", target="en")
    three = {language: [f"{language}{number}" for number in range(20)] for language in ("de", "en", "fr")}
    source = Source("three", (), lambda split: tensorflow().data.Dataset.from_tensor_slices(three))
    recipe = CARD.recipe("translate_folder")
    with pytest.raises(UsageError, match="has the columns de, en, fr; expected two, or --option source= and"):
        TranslationDataModule(CARD, recipe, source).texts("train")
    numbers = Source("numbers", (), lambda split: tensorflow().data.Dataset.from_tensor_slices(([1], [2])))
    with pytest.raises(UsageError, match="numbers has no pairs of texts; transformer learns from those alone"):
        TranslationDataModule(CARD, recipe, numbers).texts("train")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1234567890123", "has 13 characters; transformer was trained on at most 12"),
        (" ", "is empty; expected something"),
        ("12#", "holds '#', which transformer never saw"),
    ],
)
def test_a_text_that_cannot_be_translated_is_refused_in_one_line(tmp_path, text, says):
    data = data_module(write_folder(tmp_path))
    with pytest.raises(UsageError, match=says):
        data.encode(["12", text])


# What is measured


def test_padding_counts_nowhere():
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(3, 5, 7)).astype("float32"), rng.integers(1, 7, (3, 5))
    padded_logits = np.concatenate([logits, 9 * rng.normal(size=(3, 4, 7)).astype("float32")], axis=1)
    padded_target = np.pad(target, [(0, 0), (0, 4)])
    for spread in (0.0, 0.1):
        loss = MaskedCrossentropy(label_smoothing=spread)
        assert float(loss(padded_target, padded_logits)) == pytest.approx(float(loss(target, logits)), rel=1e-5)
    for metric in (TokenAccuracy, ExactMatch):
        values = []
        for y, z in ((target, logits), (padded_target, padded_logits)):
            one = metric()
            one.update_state(y, z)
            values.append(float(one.result()))
        assert values[0] == pytest.approx(values[1], abs=1e-6)


def test_the_smoothed_loss_is_a_divergence():
    """From the smoothed target to the network's distribution: NumPy, the whole target written out; 0 at best."""
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(2, 3, 6)).astype("float32"), np.array([[1, 5, 2], [3, 0, 0]])
    wanted = np.full((2, 3, 6), 0.1 / 6) + 0.9 * np.eye(6)[target]
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    divergence = (wanted * np.log(wanted / chances)).sum(-1)
    loss = MaskedCrossentropy(label_smoothing=0.1)
    assert float(loss(target, logits)) == pytest.approx(divergence[target > 0].mean(), rel=1e-5)
    assert float(loss(target, np.log(wanted).astype("float32"))) == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Trained until it is right at times, on numbers as letters."""
    folder = write_folder(tmp_path_factory.mktemp("numbers"), lines=400)
    root = tmp_path_factory.mktemp("runs")
    recipe = "demo_dot"  # the quickest learner; its characters serve any pairs
    settings = dict(data=folder, epochs=12, batch_size=16, embedding=16, units=48, learning_rate=0.01, verbose=0)
    return zoo.train("seq2seq_gru", recipe, run=root / "run", **settings)


def test_a_run_reports_what_greedy_decoding_says(run):
    """And the share of exact matches that is shown while training is the same, without decoding."""
    finished = api.reopen(run, with_source=True)
    metric = ExactMatch()
    for inputs, target in finished.data.batches("test").as_numpy_iterator():
        metric.update_state(target, finished.network.model.predict_on_batch(inputs))
    assert run.metrics["exact_match"] == pytest.approx(float(metric.result()), abs=1e-6)
    assert run.metrics["exact_match"] > 0
    assert set(run.results["baselines"]) == {"copy", "nearest source"}
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-5)
    rows = (run.path / "translations.csv").read_text().splitlines()
    assert len(rows) == 21 and sum(row.endswith(",yes") for row in rows) == round(20 * run.metrics["exact_match"])
    assert (run.path / "attention.png").stat().st_size > 5_000


def test_zoo_translate_speaks_line_by_line(run, capsys, monkeypatch):
    assert cli.main(["translate", str(run.path), "123", "4"]) == 0
    spoken = capsys.readouterr().out.splitlines()
    assert len(spoken) == 2 and spoken == list(zoo.translate(run, ["123", "4"]))
    assert list(zoo.translate(run, "123")) == spoken[:1]  # one text, not three letters
    monkeypatch.setattr("sys.stdin", iter(["123\n", "\n", "4\n"]))
    assert cli.main(["translate", str(run.path), "--beams", "1"]) == 0
    first, empty, second = capsys.readouterr().out.splitlines()
    assert first and second and not empty, "an empty line stays one"
    assert cli.main(["translate", str(run.path), "12#"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert cli.main(["translate", str(run.path), "12", "--beams", "0"]) == 2
    assert "beams is 0; expected a whole number from 1" in capsys.readouterr().err


def test_zoo_predict_shows_where_it_looks(run, tmp_path):
    said, looks = zoo.predict(run, ["123"], folder=tmp_path)
    assert said.startswith("123: ") and (tmp_path / "translation-attention.png").exists() and "looks" in looks


def test_the_schedule_is_that_of_the_paper():
    """Section 5.3: dim^-0.5 min(step^-0.5, step warmup^-1.5), steps counted from 1."""
    from zoo.optimizers.schedules import SCHEDULES

    schedule = SCHEDULES["inverse_sqrt"]((512 * 4000) ** -0.5, 100_000, epochs=1, warmup_steps=4000)
    for step in (1, 100, 4000, 20_000):
        wanted = 512**-0.5 * min(step**-0.5, step * 4000**-1.5)
        assert float(schedule(step - 1)) == pytest.approx(wanted, rel=1e-5)
    assert schedule.from_config(schedule.get_config()).get_config() == schedule.get_config()
    short = SCHEDULES["inverse_sqrt"](1.0, 100, epochs=1, warmup_steps=4000)
    assert float(short(49)) == pytest.approx(1.0), "a short trial has both the rise and the fall"


def test_the_dates_open_by_name(tmp_path):
    source = open_source("written_dates:1.0.0", folder=ParallelFolder, data_dir=tmp_path).load()
    written, iso = next(source.split("test").as_numpy_iterator())
    assert written and re.fullmatch(rb"\d{4}-\d\d-\d\d", iso)


# Texts as people have them


def test_the_name_of_a_file_is_the_file(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("123\n\n4\r\n", encoding="utf-8")
    by_hand = list(zoo.translate(run, ["123", "", "4"]))
    assert by_hand[1] == "" and list(zoo.translate(run, ["lines.txt"])) == by_hand
    assert cli.main(["translate", str(run.path), "lines.txt"]) == 0
    assert capsys.readouterr().out.splitlines() == by_hand
    assert [each.split(": ")[0] for each in zoo.predict(run, ["lines.txt"])] == ["123", "4"]
    with pytest.raises(UsageError, match=r"there is no file linse\.txt; expected a text, or a file that holds one"):
        list(zoo.translate(run, ["linse.txt"]))


def test_a_line_that_cannot_be_translated_is_named_and_the_others_are(run, caplog):
    with caplog.at_level(logging.WARNING, logger="zoo"):
        found = list(zoo.translate(run, ["", "123", "12#", "4"]))
    assert "text 3 stays untranslated: '12#' holds '#'" in caplog.text
    assert [bool(each) for each in found] == [False, True, False, True]
    with pytest.raises(UsageError, match="holds '#'"):
        list(zoo.translate(run, ["", "12#"]))
    with pytest.raises(UsageError, match="there is nothing to translate"):
        list(zoo.translate(run, ["", " "]))


def test_many_lines_are_decoded_in_batches_to_the_same(run):
    texts = [f"{number:o}" for number in range(1, 21)]
    found = list(zoo.translate(run, texts))
    assert len(found) == 20 and found[:3] + found[-3:] == list(zoo.translate(run, texts[:3] + texts[-3:]))


def test_a_long_text_is_cut_between_sentences(tmp_path):
    folder = write_folder(tmp_path, de_train_txt=["Ja. Er ist da!"] * 60, en_train_txt=["x"] * 60)
    data = data_module(folder, length=14)

    def parts(text):
        return [data.tokenizer.decode(row) for row in data.parts(text)]

    assert parts("Er ist da!") == ["Er ist da!"]
    assert parts("Ja. Er ist da! Ja. Ja. Ja. Er") == ["Ja. Er ist da!", "Ja. Ja. Ja. Er"]
    with pytest.raises(UsageError, match=r"'Er ist da Er ist da' has 19 characters; .* give it in parts"):
        data.parts("Ja. Er ist da Er ist da")


def test_the_direction_is_said(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="zoo"):
        data_module(write_folder(tmp_path))
        data_module(tmp_path, reverse=True)
    assert "from de to en (the other way: " in caplog.text and "from en to de" in caplog.text


def test_a_source_of_one_token_has_attention_without_a_warning(run, recwarn):
    zoo.predict(run, ["1"], folder=run.path.parent / "one")
    assert not [each for each in recwarn if "softmax" in str(each.message)]


def test_the_headline_of_a_translator_of_sentences_is_bleu():
    task = tasks.get("translation")
    assert task.headline({"exact_match": 0.0, "bleu": 21.9}) == "bleu"
    assert task.headline({"exact_match": 0.98}) == "exact_match"


def test_a_table_of_pairs_is_divided_by_its_sources(tmp_path):
    lines = [f"satz {number % 150}\tsentence {number % 150}" for number in range(300)]
    (tmp_path / "pairs.tsv").write_text("\n".join(["de\ten", *lines]) + "\n", encoding="utf-8")
    source = parallel_texts(tmp_path / "pairs.tsv").load()
    splits = {split: source.columns(split) for split in ("train", "validation", "test")}
    assert sum(len(each["de"]) for each in splits.values()) == 300 and all(
        len(each["de"]) > 4 for each in splits.values()
    )
    assert not set(splits["train"]["de"]) & set(splits["test"]["de"])
    assert splits["test"]["en"][0].split()[1] == splits["test"]["de"][0].split()[1]
    (tmp_path / "one.csv").write_text("de\nja\n")
    with pytest.raises(UsageError, match=r"has one column \(de\); expected one for each language"):
        parallel_texts(tmp_path / "one.csv")


def test_a_table_of_pairs_needs_no_names(tmp_path, caplog):
    caplog.set_level("INFO", "zoo")
    lines = [f"Satz {number}.\tSentence {number}." for number in range(100)]
    (tmp_path / "pairs.tsv").write_text("\n".join(lines), encoding="utf-8")
    table = parallel_texts(tmp_path / "pairs.tsv").table
    assert {name: len(cells) for name, cells in table.items()} == {"1": 100, "2": 100}
    assert table["2"][0] == "Sentence 0." and "the first line of pairs.tsv is taken for a pair" in caplog.text
    (tmp_path / "named.csv").write_text("English sentences,German sentences\nyes,ja\n")
    assert [*parallel_texts(tmp_path / "named.csv").table] == ["English sentences", "German sentences"]


def test_sources_of_similar_length_are_decoded_together_and_answered_in_their_order():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 20, 600)
    sources = [np.arange(1, length + 1) + 100 * number for number, length in enumerate(lengths)]
    batches = []

    def decode(table):
        batches.append((table != 0).sum(1))
        return table[:, :1]

    data = SimpleNamespace(length=20, tokenizer=SimpleNamespace(decode=lambda row: str(row[0])))
    found = translation.batches_decoded(sources, data, decode)
    assert next(found) == "1" and len(batches) == translation.AHEAD // translation.BATCH, "of 600 the first 256"
    assert ["1", *found] == [str(source[0]) for source in sources]
    assert {len(each) for each in batches} == {translation.BATCH}, "one shape"
    assert sum(each.max() for each in batches) < 1.2 * lengths.sum() / translation.BATCH
    assert list(translation.batches_decoded([], data, decode)) == []
