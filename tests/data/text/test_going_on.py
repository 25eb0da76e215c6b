"""Networks of texts that go on from a run, on other texts: the tokens are those that the run has learned."""

import importlib.util
import json

import keras
import numpy as np
import pytest

import zoo
from zoo.data.text import vocabulary
from zoo.errors import UsageError

SUBWORDS = pytest.mark.skipif(importlib.util.find_spec("tokenizers") is None, reason="tokenizers is not installed")
LETTERS = np.random.default_rng(0)
SMALL = dict(epochs=1, batch_size=8, verbose=0)


def sentences(words, count=60):
    return "\n".join(" ".join(LETTERS.choice(words, 6)) + f" {number}" for number in range(count)) + "\n"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Two texts, the second with fewer letters, and the network that has read the first."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "first.txt").write_text(sentences(["the", "quick", "brown", "fox", "jumps"]))
    (folder / "second.txt").write_text(sentences(["ship", "dock", "hand"]))
    sizes = dict(num_layers=1, dim=8, num_heads=2, length=16, recipe="text_folder")
    zoo.train("gpt", data=folder / "first.txt", run=folder / "run", **sizes, **SMALL)
    return folder


def test_a_language_model_goes_on_with_its_own_characters(texts, tmp_path, caplog):
    caplog.set_level("INFO", "zoo")
    before = zoo.Run.open(texts / "run")
    how = dict(data=texts / "second.txt", weights=texts / "run", recipe="text_folder", learning_rate=1e-9)
    after = zoo.train("gpt", run=tmp_path / "run", **how, **SMALL)
    assert after.config["data"] == before.config["data"]  # a text of its own would have fewer characters
    assert after.config["options"]["dim"] == 8  # and not the recipe's
    for ours, theirs in zip(after.model().weights, before.model().weights, strict=True):
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (ours, theirs)), atol=1e-5)
    said = " ".join(caplog.messages)
    assert f"the characters are those of {texts / 'run'}" in said
    assert "length is 64; the weights have 16 positions, so it is 16" in said
    assert len("".join(zoo.generate(after.path, "ship", length=3))) >= 3


def test_a_translator_and_a_tagger_go_on_with_their_own_words(tmp_path):
    pairs = [f"{a}{b}\t{b}{a}" for a in "abcdefgh" for b in "abcdefgh"]
    (tmp_path / "first.tsv").write_text("\n".join(["there\tback", *pairs]))
    (tmp_path / "second.tsv").write_text("\n".join(["there\tback", *pairs[:40]]))
    tags = [f"the D\ncat{number} N\nruns V\n" for number in range(60)]
    (tmp_path / "first.conll").write_text("\n".join(tags * 2))
    (tmp_path / "second.conll").write_text("\n".join(tags[:40] * 2))
    sizes = dict(units=8, embedding=8)
    small = {"seq2seq_gru": dict(tokens="characters", length=12, **sizes), "tagger": sizes}
    for name, suffix in (("seq2seq_gru", "tsv"), ("tagger", "conll")):
        data = [tmp_path / f"{each}.{suffix}" for each in ("first", "second")]
        runs = [tmp_path / f"{name}-{number}" for number in (1, 2)]
        zoo.train(name, data=data[0], run=runs[0], **small[name], **SMALL)
        again = {key: value for key, value in small[name].items() if key == "tokens"}
        zoo.train(name, data=data[1], weights=runs[0], run=runs[1], **again, **SMALL)
        first, second = (zoo.Run.open(each).config for each in runs)
        assert first["data"] == second["data"] and first["options"]["units"] == second["options"]["units"]


@pytest.mark.parametrize(
    "kept",
    [
        {"shape": [8, 8]},
        {"tokens": "words", "vocabulary": ["x", "x"]},
        pytest.param({"tokens": "subwords", "tokenizer": "{}"}, marks=SUBWORDS),
    ],
)
def test_a_run_without_sound_tokens_is_one_line(kept, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"data": kept}))
    with pytest.raises(UsageError, match=r"the tokens of .* cannot be read .*; expected a run of texts") as caught:
        vocabulary.opened(tmp_path)
    assert "\n" not in str(caught.value)
