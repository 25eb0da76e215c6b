"""Writing text: what is drawn and how often, the baselines that count, and the verbs of the command line."""

import sys
from collections import Counter
from itertools import pairwise

import keras
import numpy as np
import pytest
import samples
from keras import ops

import zoo
from zoo import cli, registry
from zoo.baselines.ngram import KneserNey
from zoo.decoding import base, sampling
from zoo.decoding.base import WholeText, decoder_of
from zoo.errors import UsageError
from zoo.metrics.tokens import Perplexity
from zoo.models import recurrent_lm

LOGITS = np.array([[5.0, 5.0, 2.0, 1.0, 0.0, -1.0]], "float32")


class Constant:
    """A decoder with the same logits whatever came before."""

    model = max_length = None

    def start(self, source, batch, max_length):
        return (), ops.zeros((batch,), "int32")

    def step(self, tokens, position, memory, state):
        logits = ops.where(position == state, LOGITS, np.full(6, np.nan, "float32"))  # each position once, in turn
        return logits, state + 1


def probabilities(logits, **settings):
    return ops.convert_to_numpy(sampling.next_token_probabilities(logits, **settings))


def drawn(count, **settings):
    return list(sampling.generate(Constant(), [2], vocabulary_size=6, length=count, **settings))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_the_softmax_says(temperature):
    tokens = Counter(drawn(20_000, temperature=temperature))
    powers = np.exp(LOGITS[0, 2:].astype("float64") / temperature)
    for token, chance in zip(range(2, 6), powers / powers.sum()):
        assert tokens[token] / 20_000 == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / 20_000) + 1e-4)


def test_padding_and_the_unknown_are_never_written():
    assert not {0, 1} & set(drawn(2000, temperature=50))


def test_temperature_zero_takes_the_likeliest():
    assert set(drawn(50, temperature=0)) == {2}


def test_top_k_leaves_the_others_out():
    assert set(drawn(2000, top_k=2, temperature=5)) == {2, 3}
    assert probabilities(np.zeros(6), top_k=2).tolist() == [0, 0, 0.5, 0.5, 0, 0]


def test_the_seed_decides():
    assert drawn(50, seed=3) == drawn(50, seed=3) != drawn(50, seed=4)


def test_a_family_without_a_decoder_reads_the_whole_text_for_each_token():
    model = zoo.build("gru_lm", vocabulary_size=12, embedding=4, units=(6,), input_shape=(None,))
    fixed = zoo.build("gru_lm", vocabulary_size=12, embedding=4, units=(6,), input_shape=(7,))
    fixed.set_weights(model.get_weights())
    settings = dict(vocabulary_size=12, length=5, seed=1)
    stepwise = list(sampling.generate(decoder_of(model, "gru_lm"), [3, 4], **settings))
    assert isinstance(decoder_of(model, "gru_classifier"), WholeText)
    assert stepwise == list(sampling.generate(decoder_of(model, "gru_classifier"), [3, 4], **settings))
    assert stepwise == list(sampling.generate(WholeText(fixed), [3, 4], **settings))


def test_a_model_of_a_fixed_length_sees_the_last_tokens_of_a_longer_text():
    model = samples.fill(zoo.build("gru_lm", vocabulary_size=12, embedding=4, units=(6,), input_shape=(4,)))
    tokens = np.random.default_rng(0).integers(2, 12, (2, 9)).astype("int32")
    decoder = WholeText(model)
    memory, state = decoder.start(None, 2, 9)
    for end in range(1, 10):
        found, state = decoder.step(ops.convert_to_tensor(tokens[:, end - 1]), end - 1, memory, state)
        window = tokens[:, max(end - 4, 0) : end]
        padded = np.pad(window, [(0, 0), (0, 4 - window.shape[1])])
        wanted = ops.convert_to_numpy(model(padded))[:, window.shape[1] - 1]
        np.testing.assert_allclose(ops.convert_to_numpy(found), wanted, rtol=1e-5, atol=1e-5)
        _, empty = decoder.start(None, 2, 9)
        read = base.read(decoder, ops.convert_to_tensor(tokens[:, :end]), memory, empty)
        np.testing.assert_array_equal(ops.convert_to_numpy(read), ops.convert_to_numpy(state))


def test_a_language_model_of_a_user_generates_with_and_without_a_decoder(tmp_path, monkeypatch):
    for each in ("_cards", "_builders"):
        monkeypatch.setattr(registry, each, dict(getattr(registry, each)))
    file = tmp_path / "own_lm.py"
    file.write_text(OWN_LANGUAGE_MODEL)
    module = registry.import_file(file)
    del sys.modules[module.__name__]
    monkeypatch.setitem(sys.modules, module.__name__, module)  # and gone after the test
    model = samples.fill(zoo.build("own_lm"))
    settings = dict(vocabulary_size=12, length=5, temperature=0)
    fallback = decoder_of(model, "own_lm")
    assert isinstance(fallback, WholeText)
    tokens = list(sampling.generate(fallback, [3, 4], **settings))
    text = [3, 4]
    for _ in range(5):
        text.append(2 + int(np.argmax(keras.ops.convert_to_numpy(model(np.array([text])))[0, -1, 2:])))
    assert tokens == text[2:]
    module.decoder = recurrent_lm.decoder
    assert isinstance(decoder_of(model, "own_lm"), recurrent_lm.Decoder)
    assert tokens == list(sampling.generate(decoder_of(model, "own_lm"), [3, 4], **settings))


OWN_LANGUAGE_MODEL = """
import keras, zoo

CARD = zoo.Card(
    task="language_modelling", summary="one layer", params=0, paper="", preprocessing="none", recipes=(), tiny={},
    inputs=(zoo.Input("tokens", (None,), "int32"),),
)

@zoo.register(CARD)
def own_lm(*, vocabulary_size=12, name="own_lm"):
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(vocabulary_size, 4, name="embedding")(tokens)
    x = keras.layers.GRU(6, return_sequences=True)(x)
    return keras.Model(tokens, keras.layers.Dense(vocabulary_size, name="logits")(x), name=name)
"""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"temperature": -1}, r"temperature is -1; expected a number from 0 \(always the likeliest\) to 100"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_k": -2}, "top_k is -2; expected a whole number of at least 0"),
        ({"length": 0}, "length is 0; expected a whole number of at least 1"),
        ({"seed": -1}, "seed is -1"),
        ({"prompt": []}, "the prompt is empty"),
        ({"prompt": [2, 6]}, "token 6 at position 1 is outside the vocabulary; expected 0 to 5"),
        ({"prompt": [-1]}, "token -1 at position 0 is outside the vocabulary"),
    ],
)
def test_settings_are_checked_before_anything_is_written(settings, says):
    prompt = settings.pop("prompt", [2])
    with pytest.raises(UsageError, match=says):
        sampling.generate(Constant(), prompt, vocabulary_size=6, **{"length": 3, **settings})


def by_loops(logits, temperature, top_k, top_p, excluded):
    """The chances as their definition has them, one token after another, in float64."""
    order = sorted((each for each in range(len(logits)) if each not in excluded), key=lambda each: -logits[each])
    order = order[: 1 if temperature == 0 else top_k or None]
    powers = [np.exp((logits[each] - logits[order[0]]) / (temperature or 1)) for each in order]
    chances, kept = np.zeros(len(logits)), []
    for each, power in zip(order, powers):
        if top_p < 1 and sum(kept) / sum(powers) >= top_p:
            break
        kept.append(power)
        chances[each] = power
    return chances / sum(kept)


@pytest.mark.parametrize("temperature", [0, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("top_k", [0, 1, 4, 100])
@pytest.mark.parametrize("top_p", [0.05, 0.6, 0.97, 1.0])
def test_the_chances_are_those_of_their_definition(temperature, top_k, top_p):
    rng = np.random.default_rng(top_k)
    logits = np.stack([rng.integers(-3, 4, 30), rng.normal(size=30)]).astype("float32")  # with many equals, and none
    settings = dict(temperature=temperature, top_k=top_k, top_p=top_p, excluded=(1, 7))
    found = probabilities(logits, **settings)
    for row, each in zip(found, logits.astype("float64")):
        np.testing.assert_allclose(row, by_loops(each, **settings), atol=1e-6)


def test_a_token_is_drawn_where_the_sums_pass_the_number():
    chances = np.array([[0.0, 0.25, 0.0, 0.5, 0.25, 0.0]] * 7, "float32")
    uniform = np.array([0, 0.2, 0.26, 0.7, 0.76, 0.9, 1.0], "float32")
    found = ops.convert_to_numpy(sampling.draw(ops.convert_to_tensor(chances), ops.convert_to_tensor(uniform)))
    assert found.tolist() == [1, 1, 3, 3, 4, 4, 4], "none that cannot come, whatever the number"


@pytest.mark.parametrize("name", ["gru_lm", "gpt"])
def test_how_many_are_asked_for_changes_none_of_them(name):
    """Pieces of `CHUNK` tokens, and a text that outgrows the positions of one of the two."""
    sizes = {"gru_lm": dict(embedding=4, units=(6,)), "gpt": dict(num_layers=1, dim=8, num_heads=2, max_length=30)}
    model = samples.fill(zoo.build(name, vocabulary_size=12, input_shape=(None,), **sizes[name]))
    decoder = decoder_of(model, name)
    settings = dict(vocabulary_size=12, seed=2, temperature=2.0)
    texts = [list(sampling.generate(decoder, [3, 4, 5], length=length, **settings)) for length in (1, 16, 17, 60)]
    for shorter, longer in pairwise(texts):
        assert longer[: len(shorter)] == shorter
    assert len(set(texts[-1])) > 3


def test_a_prompt_longer_than_the_positions_is_read_from_where_its_later_half_goes_on():
    """30 positions: after 30 the latest 15 stay. Of 70 tokens the last window begins at 15 x 3 = 45."""
    model = samples.fill(
        zoo.build("gpt", vocabulary_size=12, input_shape=(None,), num_layers=1, dim=8, num_heads=2, max_length=30)
    )
    prompt = np.random.default_rng(0).integers(2, 12, 70).tolist()
    settings = dict(vocabulary_size=12, length=1, temperature=0)
    (found,) = sampling.generate(decoder_of(model, "gpt"), prompt, **settings)
    logits = ops.convert_to_numpy(model(np.array([prompt[45:]], "int32")))[0, -1]
    assert found == 2 + np.argmax(logits[2:])


# Counting.


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_kneser_ney_chances_sum_to_one(order):
    tokens = np.random.default_rng(0).integers(0, 6, 300)
    model = KneserNey(tokens, order=order, vocabulary_size=8)  # two tokens never come
    for context in ([], [0], [1, 2], [3, 4, 5, 0], [7, 7, 7, 7]):
        chances = [model.probability(context, token) for token in range(8)]
        assert sum(chances) == pytest.approx(1) and min(chances) > 0


def test_kneser_ney_by_hand():
    """a b a b a c: after a come b twice and c once; D = 0.5 for pairs (one once, two twice: 1 / (1 + 4) = 0.2)."""
    model = KneserNey([1, 2, 1, 2, 1, 3], order=2, vocabulary_size=4)
    # Pairs: (1,2) twice, (2,1) twice, (1,3) once. n1 = 1, n2 = 2: D2 = 1 / 5.
    # Single tokens by what comes before them: 2, 1 and 3 once each. n1 = 3, n2 = 0: D1 = 1.
    lower = 1 / 4  # max(1 - 1, 0) / 3 + 1 x 3 / 3 x 1/4
    assert model.probability([1], 2) == pytest.approx((2 - 0.2) / 3 + 0.2 * 2 / 3 * lower)
    assert model.probability([1], 3) == pytest.approx((1 - 0.2) / 3 + 0.2 * 2 / 3 * lower)
    assert model.probability([1], 0) == pytest.approx(0.2 * 2 / 3 * lower)
    assert model.probability([9], 2) == pytest.approx(lower)


def test_longer_contexts_help_where_there_is_structure():
    text = np.tile([0, 1, 2, 0, 2, 1], 100)
    rates = [KneserNey(text[:400], order=order, vocabulary_size=3).perplexity(text[400:]) for order in (1, 2, 3)]
    assert rates[0] == pytest.approx(3, abs=0.1) and rates[0] > rates[1] > rates[2] and rates[2] < 1.1


def test_perplexity_is_e_to_the_loss():
    logits = np.random.default_rng(0).normal(size=(2, 5, 7)).astype("float32")
    targets = np.random.default_rng(1).integers(0, 7, (2, 5))
    metric = Perplexity()
    metric.update_state(targets[:1], logits[:1])
    metric.update_state(targets[1:], logits[1:])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(targets, logits)
    assert float(metric.result()) == pytest.approx(np.exp(float(loss)), rel=1e-5)


# From data to text, through the command line.


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """A tiny language model, trained for an epoch on a user's own text."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "rhyme.txt").write_text("one two buckle my shoe\nthree four knock at the door\n" * 100)
    run = folder.parent / "writer"
    settings = {"data": folder, "run": run, "epochs": 2, "verbose": 0, "units": (16,), "embedding": 8}
    return zoo.train("gru_lm", **settings)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A tiny classifier, trained on a user's own texts."""
    folder = tmp_path_factory.mktemp("texts")
    for label, words in {"cold": "snow ice", "hot": "sun fire"}.items():
        (folder / label).mkdir()
        for number in range(40):
            (folder / label / f"{number}.txt").write_text(f"{words} {words.split()[number % 2]} {number}")
    run = folder.parent / "reader"
    settings = {"data": folder, "run": run, "epochs": 12, "batch_size": 8, "verbose": 0, "units": (8,)}
    return zoo.train("lstm_classifier", **settings)


def test_a_run_of_a_language_model_has_its_figures(writer):
    figures, baselines = writer.metrics, writer.results["baselines"]
    assert figures["perplexity"] == pytest.approx(np.exp(figures["loss"]))
    assert figures["bits"] == pytest.approx(figures["loss"] / np.log(2))
    assert list(baselines) == ["Kneser-Ney 2-gram", "Kneser-Ney 5-gram"]
    assert 1 < baselines["Kneser-Ney 5-gram"] < baselines["Kneser-Ney 2-gram"] < figures["perplexity"] < 26
    assert zoo.evaluate(writer) == pytest.approx(figures)


def test_generate_streams_what_the_seed_says(writer, capsys):
    command = ["generate", str(writer.path), "--prompt", "one two", "--length", "30", "--seed", "5"]
    assert cli.main(command) == 0
    first = capsys.readouterr().out
    assert first.startswith("one two") and len(first.rstrip("\n")) <= 37 and len(first) > 10
    assert cli.main(command) == 0
    assert capsys.readouterr().out == first
    assert cli.main([*command[:-1], "6"]) == 0
    assert capsys.readouterr().out != first
    assert len(list(zoo.generate(writer, "one", length=4))) == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--prompt", ""], "text 1 ('') holds no characters; expected at least one"),
        (["--prompt", "one 二 Zwei"], "the network was trained on text without '二Zi'; expected characters that it"),
        (["--prompt", "one", "--top-k", "-1"], "top_k is -1; expected a whole number of at least 0"),
        (["--prompt", "one", "--temperature", "x"], "argument --temperature: invalid float value"),
        ([], "writes text; expected its beginning: --prompt TEXT"),
        (["--prompt", "one", "-o", "a.png"], "writes text; --out is not for it: leave it out"),
    ],
)
def test_generate_says_what_is_wrong_in_one_line(words, says, writer, capsys):
    assert cli.main(["generate", str(writer.path), *words]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


def test_predict_reads_raw_text(reader, capsys):
    assert reader.metrics["accuracy"] >= 0.9
    assert cli.main(["predict", str(reader.path), "Snow and ICE!", "fire, fire"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Snow and ICE!: cold ") and lines[1].startswith("fire, fire: hot ")
    assert cli.main(["predict", str(reader.path), ""]) == 2
    assert "text 1 ('') holds no words; expected at least one" in capsys.readouterr().err


def test_each_verb_refuses_the_run_of_another(reader, writer, capsys):
    assert cli.main(["generate", str(reader.path), "--prompt", "a"]) == 2
    assert (
        "lstm_classifier cannot generate; `zoo list --task adversarial_generation|language_modelling|"
        "variational_inference` shows those that can" in capsys.readouterr().err
    )
    assert cli.main(["predict", str(writer.path), "a"]) == 2
    assert "gru_lm cannot predict; `zoo list --task" in capsys.readouterr().err


def test_baselines_of_a_classifier(reader):
    assert list(reader.results["baselines"]) == ["chance", "TF-IDF + logistic regression"]
    assert reader.results["baselines"]["TF-IDF + logistic regression"] == 1.0


# The nucleus, and where to stop


def test_the_nucleus_is_the_smallest_set_of_that_probability():
    logits = np.log([1e-9, 1e-9, 0.5, 0.3, 0.15, 0.05])
    for top_p, kept in (
        (0.49, [2]),
        (0.51, [2, 3]),
        (0.79, [2, 3]),
        (0.81, [2, 3, 4]),
        (1.0, [2, 3, 4, 5]),
        (1e-9, [2]),
    ):
        found = probabilities(logits, top_p=top_p)
        assert np.flatnonzero(found).tolist() == kept and found.sum() == pytest.approx(1), top_p
    with pytest.raises(zoo.UsageError, match="top_p is 0; expected a number above 0"):
        sampling.check_sampling(1.0, 0, 1, 0, top_p=0)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_text_ends_before_the_first_string_however_it_is_cut(size):
    text = "one, two. three\n\nfour. five"
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert "".join(sampling.until(pieces, ["\n\n"])) == "one, two. three"
    assert "".join(sampling.until(pieces, ["four", ". t"])) == "one, two"
    assert "".join(sampling.until(pieces, ["six", "\n\n\n"])) == text
    with pytest.raises(zoo.UsageError, match="a text to stop at is empty"):
        list(sampling.until(pieces, [""]))
