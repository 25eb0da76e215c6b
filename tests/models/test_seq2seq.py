"""Recurrent encoder and decoder: their scores by hand. The laws they share with the Transformer are in its file."""

import numpy as np
import samples
from keras import ops

import zoo
from zoo.layers.attention import attention_weights

RNG = np.random.default_rng(1)
SOURCE = RNG.integers(4, 12, (2, 5)).astype("int32")
TARGET = RNG.integers(4, 12, (2, 3)).astype("int32")


def parts(attention):
    """A filled network, and what its attention is given: queries, memory, keys."""
    options = dict(input_shape=(None,), target_shape=(None,), vocabulary_size=12, embedding=8, units=6)
    model = samples.fill(zoo.build("seq2seq_gru", attention=attention, **options))
    import keras

    given = keras.Model(model.input, model.get_layer("cross").input)({"source": SOURCE, "target": TARGET})
    weights = attention_weights(model, {"source": SOURCE, "target": TARGET})["cross"][:, 0]
    return model, *map(ops.convert_to_numpy, given[:3]), weights


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_additive_scores_are_bahdanau_s():
    """v . tanh(W s + U h), for each state s and place h."""
    model, queries, _, keys, weights = parts("additive")
    v = ops.convert_to_numpy(model.get_layer("cross").scale)
    scores = np.array([[[v @ np.tanh(s + h) for h in keys[b]] for s in queries[b]] for b in range(2)])
    np.testing.assert_allclose(weights, softmax(scores), rtol=1e-4, atol=1e-6)


def test_dot_scores_are_luong_s():
    """s . W h, with the decoder's state itself."""
    model, queries, memory, _, weights = parts("dot")
    kernel = ops.convert_to_numpy(model.get_layer("keys").kernel)
    np.testing.assert_allclose(weights, softmax(queries @ (memory @ kernel).swapaxes(1, 2)), rtol=1e-4, atol=1e-6)


def test_without_attention_all_goes_through_one_vector():
    model, *_ = parts("dot")
    plain = zoo.build("seq2seq_gru", vocabulary_size=12, embedding=8, units=6, attention="none")
    assert "cross" not in {layer.name for layer in plain.layers}
    assert model.count_params() > plain.count_params()
