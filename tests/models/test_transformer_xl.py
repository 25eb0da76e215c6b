"""Transformer-XL: beside the package `transformers`, segment after segment; what its memory is, and what it is not."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import samples
from keras import layers, ops
from safetensors.numpy import load_file

import zoo
from zoo.layers.relative_attention import RelativeAttention, shifted
from zoo.models import transformer_xl

RECORDED = Path(__file__).parents[1] / "recorded" / "transformers"
SHAPE = dict(input_shape=(None,), vocabulary_size=20, dim=8, num_heads=2, mlp_dim=12, num_layers=2, dropout=0.0)
SEGMENTS = dict(segment_length=4, memory_length=6)  # as benchmarks/record_transformer_xl.py


def hidden(model, tokens):
    """What the last block gives."""
    last = model.get_layer(f"block{SHAPE['num_layers']}_mlp_norm").output
    return ops.convert_to_numpy(keras.Model(model.input, last)(np.array(tokens, "int32")))


def put(layer, *values):
    layer.set_weights([value.reshape(weight.shape) for value, weight in zip(values, layer.weights, strict=True)])


def put_attention(attention, matrices, output, u, w):
    """The projections (dim, dim) of queries, keys, values and distances."""
    query, key, value, distance = matrices
    order = np.argsort(np.concatenate([np.arange(0, 8, 2), np.arange(1, 8, 2)]))  # sines and cosines in turn
    for layer, matrix in zip(
        (attention.query_dense, attention.key_dense, attention.value_dense, attention.distance_dense),
        (query, key, value, distance.reshape(8, 8)[order]),
    ):
        put(layer, matrix)
    put(attention.output_dense, output)
    attention.content_bias.assign(u)
    attention.distance_bias.assign(w)


def put_others(model, block, state, at, norms, dense):
    """The two normalisations and the two dense layers of a block."""
    for part, layer in zip(norms, ("attention_norm", "mlp_norm")):
        put(model.get_layer(f"{block}_{layer}"), state[f"{at}.{part}.weight"], state[f"{at}.{part}.bias"])
    for part, layer in zip(dense, ("mlp_in", "mlp_out")):
        put(model.get_layer(f"{block}_{layer}"), state[f"{at}.{part}.weight"].T, state[f"{at}.{part}.bias"])


def xl():
    state = load_file(RECORDED / "transformer_xl" / "model.safetensors")
    model = zoo.build("transformer_xl", **SHAPE, **SEGMENTS)
    put(model.get_layer("embedding"), state["word_emb.emb_layers.0.weight"])
    for number in (0, 1):
        at, block = f"layers.{number}", f"block{number + 1}"
        kernels = [*np.split(state[f"{at}.dec_attn.qkv_net.weight"], 3), state[f"{at}.dec_attn.r_net.weight"]]
        u, w = state[f"{at}.dec_attn.r_w_bias"], state[f"{at}.dec_attn.r_r_bias"]
        output = state[f"{at}.dec_attn.o_net.weight"].T
        put_attention(model.get_layer(f"{block}_attention"), [kernel.T for kernel in kernels], output, u, w)
        norms = "dec_attn.layer_norm", "pos_ff.layer_norm"
        put_others(model, block, state, at, norms, ("pos_ff.CoreNet.0", "pos_ff.CoreNet.3"))
    return model


def xlnet():
    state = load_file(RECORDED / "xlnet" / "model.safetensors")
    model = zoo.build("transformer_xl", **SHAPE, **SEGMENTS, activation="gelu")
    put(model.get_layer("embedding"), state["word_embedding.weight"] / np.sqrt(8))  # which ours multiplies it with
    for number in (0, 1):
        at, block = f"layer.{number}", f"block{number + 1}"
        attention = {part: state[f"{at}.rel_attn.{part}"] for part in ("q", "k", "v", "r", "o", "r_w_bias", "r_r_bias")}
        output = attention["o"].reshape(8, 8).T
        biases = attention["r_w_bias"], attention["r_r_bias"]
        put_attention(model.get_layer(f"{block}_attention"), [attention[part] for part in "qkvr"], output, *biases)
        norms = "rel_attn.layer_norm", "ff.layer_norm"
        put_others(model, block, state, at, norms, ("ff.layer_1", "ff.layer_2"))
    return model


@pytest.mark.parametrize("ours", [xl, xlnet])
def test_a_text_in_one_call_is_that_of_transformers_segment_after_segment(ours):
    """Theirs hands the memory from call to call (`benchmarks/record_transformer_xl.py`)."""
    name = "transformer_xl" if ours is xl else "xlnet"
    expected = json.loads((RECORDED / name / "expected.json").read_text())
    wanted = np.array(expected["hidden"])
    assert wanted.std() > 0.5
    np.testing.assert_allclose(hidden(ours(), expected["tokens"]), wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_the_published_size_by_hand():
    """A block: 5 d^2 of attention, u and w, an MLP of 2,048, two normalisations (Table 2: 41M)."""
    d, mlp = 512, 2048
    block = 5 * d * d + 2 * d + 2 * d * mlp + mlp + d + 4 * d
    assert zoo.info("transformer_xl").params == 12 * block + 204 * d + 204


@pytest.fixture(scope="module")
def model():
    return samples.fill(zoo.build("transformer_xl", **SHAPE, **SEGMENTS))


TEXT = np.random.default_rng(0).integers(0, 20, (2, 15)).astype("int32")


def reached(model, text, position):
    """The positions whose logits move when the token at `position` is another."""
    other = text.copy()
    other[:, position] = (other[:, position] + 1) % 20
    moved = np.abs(ops.convert_to_numpy(model(text)) - ops.convert_to_numpy(model(other))).max((0, 2))
    return np.flatnonzero(moved > 0)


def test_no_token_sees_what_comes_later(model):
    for position in range(15):
        assert reached(model, TEXT, position).min() == position


def test_a_token_reaches_as_far_as_layers_times_memory():
    """Two layers with a memory of 6: the segment of 12 to 15 sees 6 on in one layer, and those see 0 on in another."""
    longer = np.random.default_rng(1).integers(0, 20, (1, 40)).astype("int32")
    model = samples.fill(zoo.build("transformer_xl", **SHAPE, **SEGMENTS))
    assert reached(model, longer, 5).max() == 19  # 5 is in the memory of 8 to 11, and 11 in that of 16 to 19
    alone = samples.fill(zoo.build("transformer_xl", **SHAPE, segment_length=4, memory_length=0))
    assert reached(alone, longer, 5).tolist() == [5, 6, 7]


def test_no_gradient_goes_back_into_the_memory():
    """Only the second segment is asked for: of the eight tokens, the rows of its own four alone move."""
    tokens = keras.Input((8,), dtype="int32")
    table = layers.Embedding(8, 8)
    attended = RelativeAttention(2, 8, **SEGMENTS)(table(tokens))
    model = keras.Model(tokens, attended[:, 4:])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = table.get_weights()[0]
    model.train_on_batch(np.arange(8)[None], np.ones((1, 4, 8)))
    moved = np.abs(table.get_weights()[0] - before).max(1) > 0
    assert moved.tolist() == [False] * 4 + [True] * 4


def test_one_token_at_a_time_gives_the_logits_of_the_whole_text(model):
    decoder = transformer_xl.decoder(model)
    memory, state = decoder.start(None, 2, 15)
    for position, wanted in enumerate(ops.convert_to_numpy(model(TEXT)).swapaxes(0, 1)):
        logits, state = decoder.step(ops.convert_to_tensor(TEXT[:, position]), position, memory, state)
        np.testing.assert_allclose(ops.convert_to_numpy(logits), wanted, rtol=1e-4, atol=1e-5)


def test_the_same_weights_with_a_longer_memory(model):
    """The first segments, which have less behind them than either memory, stay as they are."""
    longer = zoo.build("transformer_xl", **SHAPE, segment_length=4, memory_length=8)
    longer.set_weights(model.get_weights())
    first, second = (ops.convert_to_numpy(each(TEXT)) for each in (model, longer))
    np.testing.assert_allclose(first[:, :8], second[:, :8], atol=1e-5)
    assert not np.allclose(first[:, 8:12], second[:, 8:12], atol=1e-5)


def test_the_shift_by_a_loop():
    scores = np.random.default_rng(0).normal(size=(2, 4, 7)).astype("float32")
    found = ops.convert_to_numpy(shifted(ops.convert_to_tensor(scores)))
    for row in range(4):
        by = 3 - row
        np.testing.assert_array_equal(found[:, row, : 7 - by], scores[:, row, by:])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_heads": 3}, "num_heads is 3 and dim 8"),
        ({"segment_length": 0}, "segment_length is 0"),
        ({"memory_length": -1}, "memory_length is -1"),
        ({"dim": 9, "num_heads": 3}, "dim is 9; expected an even number"),
    ],
)
def test_sizes_that_cannot_be(options, said):
    with pytest.raises(zoo.errors.UsageError, match=said):
        zoo.build("transformer_xl", **{**SHAPE, **SEGMENTS, **options})


@pytest.mark.parametrize(("memory", "low", "high"), [(12, 0.0, 0.3), (0, 1.9, 2.2)])
def test_what_lies_before_a_segment_is_learned_from(memory, low, high):
    """A text of a period of 12 tokens, read in segments of 8: without a memory each token is a guess, log 8 = 2.08."""
    sizes = dict(vocabulary_size=8, num_layers=1, dim=32, num_heads=2, mlp_dim=64, dropout=0.0)
    keras.utils.set_random_seed(0)
    model = zoo.build("transformer_xl", input_shape=(48,), segment_length=8, memory_length=memory, **sizes)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    period = np.random.default_rng(0).integers(0, 8, (2048, 12))
    text = np.tile(period, 5)[:, :49]
    model.fit(text[:, :-1], text[:, 1:], batch_size=32, epochs=4, verbose=0)
    new = np.tile(np.random.default_rng(1).integers(0, 8, (64, 12)), 5)[:, :49]
    logits = model.predict(new[:, :-1], verbose=0)[:, 24:]
    loss = keras.losses.sparse_categorical_crossentropy(new[:, 25:], logits, from_logits=True)
    assert low <= float(ops.mean(loss)) <= high
