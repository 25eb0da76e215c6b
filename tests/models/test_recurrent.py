"""What is special in recurrent networks: padding that does not count, and the direction of reading that does."""

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from zoo.errors import UsageError

CLASSIFIERS = [name for name in zoo.list_models(task="text_classification") if zoo.info(name).family == "recurrent"]
SMALL = {"vocabulary_size": 20, "embedding": 6, "units": (5, 4), "num_classes": 3}


def random_weights(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights([0.7 * rng.normal(size=weight.shape) for weight in model.weights])
    return model


def run(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def small(name, **options):
    return random_weights(zoo.build(name, input_shape=(None,), **{**SMALL, **options}))


def sentences(*sizes, padded_to):
    tokens = np.zeros((len(sizes), padded_to), "int32")
    for row, size in zip(tokens, sizes):
        row[:size] = np.random.default_rng(size).integers(1, 20, size)
    return tokens


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("name", ["gru_classifier", "bilstm_classifier"])
def test_padding_does_not_count(name, pooling):
    model = small(name, pooling=pooling)
    short, long = sentences(3, 7, 1, padded_to=7), sentences(3, 7, 1, padded_to=13)
    np.testing.assert_allclose(run(model, short), run(model, long), atol=1e-6)
    np.testing.assert_allclose(run(model, short[:1, :3]), run(model, long)[:1], atol=1e-6)


@pytest.mark.parametrize("name", ["rnn_classifier", "bilstm_classifier"])
def test_every_word_counts_and_so_does_their_order(name):
    model = small(name)
    tokens = sentences(6, padded_to=8)
    answer = run(model, tokens)
    for place in range(6):
        other = tokens.copy()
        other[0, place] = tokens[0, place] % 19 + 1
        assert np.abs(run(model, other) - answer).max() > 1e-4, f"token {place} has no effect"
    turned = tokens.copy()
    turned[0, :6] = tokens[0, 5::-1]
    assert np.abs(run(model, turned) - answer).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "kind", "bidirectional"),
    [("gru_classifier", layers.GRU, False), ("lstm_classifier", layers.LSTM, True)],
)
def test_the_same_as_keras_with_masks(name, kind, bidirectional):
    model = small(name, bidirectional=bidirectional)
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(20, 6, mask_zero=True)(tokens)
    for size, sequences in ((5, True), (4, False)):
        layer = kind(size, return_sequences=sequences)
        x = (layers.Bidirectional(layer) if bidirectional else layer)(x)
    masked = keras.Model(tokens, layers.Dense(3)(x))
    by_layer = [layer.get_weights() for layer in sorted_readers(model)]
    masked.set_weights([weight for weights in by_layer for weight in weights])
    x = sentences(3, 7, 1, padded_to=9)
    np.testing.assert_allclose(run(model, x), run(masked, x), atol=1e-5)


def sorted_readers(model):
    """The layers with weights, from the tokens up, forward before backward."""
    recurrent = [layer for layer in model.layers if isinstance(layer, layers.RNN)]
    recurrent.sort(key=lambda layer: (layer.name.partition("_")[0], layer.name.endswith("backward")))
    return [model.get_layer("embedding"), *recurrent, model.get_layer("logits")]


def test_backward_is_forward_on_the_reversed_text():
    model = small("bilstm_classifier", units=(5,))
    mirrored = small("bilstm_classifier", units=(5,))
    for one, other in (("forward", "backward"), ("backward", "forward")):
        mirrored.get_layer(f"lstm1_{one}").set_weights(model.get_layer(f"lstm1_{other}").get_weights())
    kernel, bias = model.get_layer("logits").get_weights()
    mirrored.get_layer("logits").set_weights([np.concatenate([kernel[5:], kernel[:5]]), bias])
    tokens = sentences(7, 4, padded_to=7)
    turned = tokens.copy()
    turned[0], turned[1, :4] = tokens[0, ::-1], tokens[1, 3::-1]
    np.testing.assert_allclose(run(model, tokens), run(mirrored, turned), atol=1e-6)
    assert np.abs(run(model, tokens) - run(model, turned)).max() > 1e-3


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_nothing_stands_in_the_way_of_a_fused_kernel(name):
    """What cuDNN asks for in Keras 3.15; a mask would cost it on JAX and PyTorch."""
    model = zoo.build(name, vocabulary_size=10)
    readers = [layer for layer in model.layers if isinstance(layer, layers.RNN)]
    assert readers
    for layer in readers:
        assert getattr(layer.input, "_keras_mask", None) is None
        assert not layer.unroll and layer.use_bias and layer.activation.__name__ == "tanh"
        assert layer.recurrent_dropout == 0
        if not isinstance(layer, layers.SimpleRNN):
            assert layer.recurrent_activation.__name__ == "sigmoid" and layer.use_cudnn == "auto"
        if isinstance(layer, layers.GRU):
            assert layer.reset_after
    dropped = zoo.build(name, recurrent_dropout=0.2, vocabulary_size=10)
    assert {layer.recurrent_dropout for layer in dropped.layers if isinstance(layer, layers.RNN)} == {0.2}


def test_depth_and_width_follow_the_units():
    model = zoo.build("gru_classifier", units=(8, 7, 6), vocabulary_size=10)
    assert [layer.units for layer in model.layers if isinstance(layer, layers.GRU)] == [8, 7, 6]


def test_embeddings_can_start_from_known_vectors():
    vectors = np.random.default_rng(0).normal(size=(10, 4)).astype("float32")
    model = zoo.build("lstm_classifier", vocabulary_size=10, embedding=4, vectors=vectors)
    np.testing.assert_array_equal(model.get_layer("embedding").get_weights()[0], vectors)
    with pytest.raises(UsageError, match=r"vectors have shape \(10, 4\); expected \(11, 4\)"):
        zoo.build("lstm_classifier", vocabulary_size=11, embedding=4, vectors=vectors)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"units": ()}, r"units is \(\); expected the units of each recurrent layer"),
        ({"units": (8, 0)}, r"units is \(8, 0\)"),
        ({"pooling": "middle"}, "there is no pooling of a sequence 'middle'; there are first, last, max, mean"),
    ],
)
def test_bad_options_are_said_in_one_line(options, says):
    with pytest.raises(UsageError, match=says):
        zoo.build("gru_classifier", **options)


def test_row_lstm_reads_rows_from_the_top():
    model = random_weights(zoo.build("row_lstm", input_shape=(4, 3, 2), units=(5,), num_classes=3))
    image = np.random.default_rng(1).normal(size=(2, 4, 3, 2)).astype("float32")
    lstm, logits = model.get_layer("lstm1"), model.get_layer("logits")
    state = [keras.ops.zeros((2, 5))] * 2
    for row in range(4):
        output, state = lstm.cell(image[:, row].reshape(2, 6), state)
    np.testing.assert_allclose(run(model, image), keras.ops.convert_to_numpy(logits(output)), atol=1e-6)


def test_forecaster_reads_the_days_in_order():
    model = random_weights(zoo.build("lstm_forecaster", units=(5, 3)))
    week = np.random.default_rng(1).normal(size=(2, 7)).astype("float32")
    assert run(model, week).shape == (2, 1)
    assert np.abs(run(model, week[:, ::-1]) - run(model, week)).max() > 1e-3
