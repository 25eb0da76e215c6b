"""GPT: its sizes by hand, its logits beside `transformers`' PyTorch model, and writing with a cache."""

import inspect

import keras
import numpy as np
import pytest
import samples
from keras import ops

import zoo
from zoo.data.builtin.digit_texts import SHADES
from zoo.data.sources import open_source
from zoo.decoding import sampling
from zoo.inference.reopening import reopen
from zoo.models import gpt

TINY = dict(vocabulary_size=50, num_layers=3, dim=32, num_heads=4, max_length=12)
TEXTS = np.random.default_rng(0).integers(0, 50, (2, 12)).astype("int32")


@pytest.mark.parametrize("name", ["gpt2", "gpt2_medium", "gpt2_large", "gpt2_xl"])
def test_sizes_by_hand(name):
    """A block: 12 d^2 numbers in matrices, 9 d in biases of those, 4 d in two normalisations."""
    options = {p: v.default for p, v in inspect.signature(zoo.builder(name)).parameters.items()}
    blocks, d = options["num_layers"], options["dim"]
    assert zoo.info(name).params == (50_257 + 1024) * d + blocks * (12 * d * d + 13 * d) + 2 * d
    assert d // options["num_heads"] == 64


def theirs():
    """A small model of `transformers` with weights at random, biases and normalisations too."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=50, n_positions=12, n_embd=32, n_layer=3, n_head=4)
    model = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
        return {k: v.numpy() for k, v in model.state_dict().items()}, model(torch.tensor(TEXTS).long()).logits.numpy()


def ours(state):
    """The same weights in the zoo's network."""
    model = zoo.build("gpt", input_shape=(None,), **TINY)

    def put(layer, *names):
        weights = [state[f"transformer.{name}"] for name in names]
        layer.set_weights([each.reshape(w.shape) for each, w in zip(weights, layer.weights)])

    put(model.get_layer("embedding"), "wte.weight")
    put(model.get_layer("positions"), "wpe.weight")
    put(model.get_layer("norm"), "ln_f.weight", "ln_f.bias")
    for number in range(1, TINY["num_layers"] + 1):
        at, name = f"h.{number - 1}", f"block{number}"
        put(model.get_layer(f"{name}_attention_norm"), f"{at}.ln_1.weight", f"{at}.ln_1.bias")
        put(model.get_layer(f"{name}_mlp_norm"), f"{at}.ln_2.weight", f"{at}.ln_2.bias")
        put(model.get_layer(f"{name}_mlp_in"), f"{at}.mlp.c_fc.weight", f"{at}.mlp.c_fc.bias")
        put(model.get_layer(f"{name}_mlp_out"), f"{at}.mlp.c_proj.weight", f"{at}.mlp.c_proj.bias")
        attention = model.get_layer(f"{name}_attention")
        put(attention.output_dense, f"{at}.attn.c_proj.weight", f"{at}.attn.c_proj.bias")
        kernels = np.split(state[f"transformer.{at}.attn.c_attn.weight"], 3, axis=1)
        biases = np.split(state[f"transformer.{at}.attn.c_attn.bias"], 3)
        parts = attention.query_dense, attention.key_dense, attention.value_dense
        for layer, *values in zip(parts, kernels, biases):
            layer.set_weights([value.reshape(w.shape) for value, w in zip(values, layer.weights)])
    return model


def test_logits_are_those_of_transformers():
    state, wanted = theirs()
    found = ops.convert_to_numpy(ours(state)(TEXTS))
    assert wanted.std() > 0.5
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


@pytest.fixture(scope="module")
def model():
    return samples.fill(zoo.build("gpt", input_shape=(None,), **TINY))


def test_no_token_sees_what_comes_later(model):
    before = ops.convert_to_numpy(model(TEXTS))
    for position in range(1, 12):
        changed = TEXTS.copy()
        changed[:, position] = (changed[:, position] + 1) % 50
        after = ops.convert_to_numpy(model(changed))
        np.testing.assert_array_equal(after[:, :position], before[:, :position])
        assert not np.allclose(after[:, position], before[:, position])


def test_one_token_at_a_time_gives_the_logits_of_the_whole_text(model):
    decoder = gpt.decoder(model)
    memory, state = decoder.start(None, 2, 12)
    for position, wanted in enumerate(ops.convert_to_numpy(model(TEXTS)).swapaxes(0, 1)):
        logits, state = decoder.step(ops.convert_to_tensor(TEXTS[:, position]), position, memory, state)
        np.testing.assert_allclose(ops.convert_to_numpy(logits), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("time", [1, 2, 7, 11])
def test_a_beginning_read_in_one_pass_is_as_token_by_token(model, time):
    decoder = gpt.decoder(model)
    memory, state = decoder.start(None, 2, 12)
    state = decoder.read(ops.convert_to_tensor(TEXTS[:, :time]), memory, state)
    logits, _ = decoder.step(ops.convert_to_tensor(TEXTS[:, time]), time, memory, state)
    wanted = ops.convert_to_numpy(model(TEXTS[:, : time + 1]))[:, -1]
    np.testing.assert_allclose(ops.convert_to_numpy(logits), wanted, rtol=1e-4, atol=1e-4)


def written(model, tokens, length):
    """The likeliest tokens after each text, and where the text that the last was drawn from begins."""
    writer = sampling.Writer(gpt.decoder(model), batch=len(tokens), max_length=40, temperature=0)
    text = sampling.Text(writer, tokens)
    while text.tokens.shape[1] < tokens.shape[1] + length:
        text.write(length, np.random.default_rng(0))
    return text.tokens[:, tokens.shape[1] :], text.first


def likeliest(model, tokens):
    return 2 + np.argmax(ops.convert_to_numpy(model(tokens))[:, -1, 2:], axis=-1)  # 0 and 1 are never drawn


def test_where_the_positions_end_it_goes_on_from_the_later_half(model):
    thirteen = np.concatenate([TEXTS, [[7], [8]]], axis=1)
    drawn, first = written(model, thirteen, 1)
    assert first == 6 and drawn[:, 0].tolist() == likeliest(model, thirteen[:, 6:]).tolist()


def test_generation_goes_on_beyond_the_positions(model):
    drawn, first = written(model, TEXTS[:, :2], 20)
    tokens = np.concatenate([TEXTS[:, :2], drawn], axis=1)
    assert first == 12, "12 positions: from 6, and from 12"
    begins = [0] * 11 + [6] * 6 + [12] * 3
    for end, begin in zip(range(2, 22), begins, strict=True):
        assert tokens[:, end].tolist() == likeliest(model, tokens[:, begin:end]).tolist(), end


def test_what_is_added_to_the_stream_starts_small():
    """By the root of the number of additions (section 2.3), so that the stream's size does not grow with the blocks."""
    keras.utils.set_random_seed(0)
    model = zoo.build("gpt", **{**TINY, "input_shape": (None,), "dim": 64, "num_layers": 8})
    for number in (1, 8):
        for kernel in (
            model.get_layer(f"block{number}_attention").output_dense.kernel,
            model.get_layer(f"block{number}_mlp_out").kernel,
        ):
            assert np.std(ops.convert_to_numpy(kernel)) == pytest.approx(0.02 / 4, rel=0.1)
        assert np.std(ops.convert_to_numpy(model.get_layer(f"block{number}_mlp_in").kernel)) == pytest.approx(
            0.02, rel=0.1
        )


# Image-GPT: digits as texts.


@pytest.mark.slow
def test_image_gpt_draws_the_other_half(tmp_path):
    """Its bits per pixel are fewer than those of each place alone and of counts. After half a digit it draws on, and
    1-nearest-neighbour reads the right digit more often than if the commonest pixels fill the other half."""
    run = zoo.train("gpt", recipe="digit_texts", run=tmp_path / "run", verbose=0)
    beside = {name: 73 / 64 * np.log2(each) for name, each in run.results["baselines"].items()}  # 64 of 73 characters
    bits = 73 / 64 * run.metrics["bits"]
    print(f"bits per pixel {bits:.3f}, beside {beside} and 2 where all shades are alike")
    assert bits < 0.9 * min(beside.values())
    trained = reopen(run)
    data, decoder = trained.data, gpt.decoder(trained.network.model)
    splits = {split: data.text(split).split("\n\n") for split in ("train", "test")}
    labels = {split: [int(y) for _, y in open_source("digit_texts:1.0.0").load().split(split)] for split in splits}

    def pixels(texts):
        return np.array([[SHADES.index(mark) for mark in text if mark in SHADES] for text in texts])

    known, halves = pixels(splits["train"]), [text[:36] for text in splits["test"][:60]]  # four lines and their ends
    drawn, size = [], len(data.vocabulary)
    for half in halves:
        start = data.vocabulary.encode(half).tolist()
        tokens = sampling.generate(decoder, start, vocabulary_size=size, length=35, temperature=0)
        drawn.append(half + data.vocabulary.decode(list(tokens)))
    assert all([len(line) for line in text.split("\n")] == [8] * 8 for text in drawn), "eight lines of eight"
    commonest = np.apply_along_axis(lambda column: np.bincount(column).argmax(), 0, known)
    filled = np.hstack([pixels(halves), np.tile(commonest[32:], (len(halves), 1))])

    def read(images):
        nearest = np.abs(images[:, None] - known[None]).sum(-1).argmin(1)
        return np.mean([labels["train"][row] == label for row, label in zip(nearest, labels["test"])])

    print(f"digits read right: {read(pixels(drawn)):.3f}, with the commonest pixels {read(filled):.3f}")
    assert read(pixels(drawn)) > read(filled)
