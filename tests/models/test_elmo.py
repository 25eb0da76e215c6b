"""What is special in ELMo: two readers that do not peek, words by their letters, and a mix of the layers."""

import keras
import numpy as np
import pytest

import zoo
from zoo.data.text.spelling import spelled
from zoo.errors import UsageError
from zoo.layers.highway import Highway, ScalarMix
from zoo.models.elmo import representations

SMALL = {"input_shape": (None, 8), "vocabulary_size": 12, "embedding": 4, "filters": ((1, 4), (2, 6)), "dim": 6}
TEXT = ["the", "cat", "sat", "on", "mats"]


def run(model, words):
    outputs = model(spelled(words, 8)[None], training=False)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return zoo.build("elmo", **SMALL)


@pytest.mark.parametrize("place", range(5))
def test_neither_direction_peeks(model, place):
    """The forward answer at a place knows the words up to it, the backward one those from it on."""
    other = [*TEXT[:place], "dogs", *TEXT[place + 1 :]]
    before, after = run(model, TEXT), run(model, other)
    moved = {way: np.abs(before[way] - after[way]).max((0, 2)) for way in before}
    assert (moved["forward"][:place] == 0).all() and (moved["forward"][place:] > 0).all()
    assert (moved["backward"][place + 1 :] == 0).all() and (moved["backward"][: place + 1] > 0).all()


def test_padding_changes_nothing(model):
    padded = np.concatenate([spelled(TEXT, 8), np.zeros((3, 8), "int32")])[None]
    found = keras.tree.map_structure(keras.ops.convert_to_numpy, model(padded, training=False))
    for way, logits in run(model, TEXT).items():
        np.testing.assert_allclose(found[way][:, :5], logits, atol=1e-6)


def test_layers(model):
    """Layer 0 is of the word alone; the others are the states whose logits the network gives."""
    layers = run(representations(model), TEXT)
    assert [layer.shape for layer in layers] == [(1, 5, 12)] * 3
    (alone,) = run(representations(model), ["sat"])[0]
    np.testing.assert_allclose(layers[0][0, 2], alone[0], atol=1e-6)
    np.testing.assert_array_equal(layers[0][..., :6], layers[0][..., 6:])
    kernel, bias = model.get_layer("logits").get_weights()
    for way, states in zip(("forward", "backward"), np.split(layers[-1], 2, axis=-1)):
        np.testing.assert_allclose(states @ kernel + bias, run(model, TEXT)[way], atol=1e-5)


def test_backward_is_forward_on_the_text_turned_around(model):
    twin = zoo.build("elmo", **SMALL)
    for layer in model.layers:
        name = layer.name
        source = name.replace("forward", "backward") if "forward" in name else name.replace("backward", "forward")
        twin.get_layer(name).set_weights(model.get_layer(source).get_weights())
    turned = run(twin, TEXT[::-1])
    np.testing.assert_allclose(run(model, TEXT)["backward"], turned["forward"][:, ::-1], atol=1e-6)


def test_both_ways_share_letters_and_softmax_alone(model):
    shared = sum(layer.count_params() for layer in model.layers if "ward" not in layer.name)
    one_way = 2 * 4 * 6 * (6 + 6 + 1)  # two LSTMs
    assert model.count_params() == shared + 2 * one_way


def test_size_of_the_paper():
    """2,048 convolutions, two highway layers, a projection to 512 (section 3.4); LSTMs of 512 without projections."""
    filters = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))
    with keras.StatelessScope(initialize_variables=False):
        model = zoo.build("elmo", input_shape=(20, 50), vocabulary_size=100, filters=filters, dim=512)
    letters = 259 * 16 + sum(count * (16 * width + 1) for width, count in filters)
    highways, projection = 2 * 2 * (2048**2 + 2048), 2048 * 512 + 512
    assert sum(layer.count_params() for layer in model.layers if "ward" not in layer.name) == (
        letters + highways + projection + 512 * 100 + 100
    )


def test_highway_by_hand():
    x = np.array([[1.0, -2.0]], "float32")
    layer = Highway()
    layer.build(x.shape)
    weights = np.array([[0.5, 1.0], [2.0, -1.0]]), np.array([0.1, 0.2]), np.eye(2), np.array([0.0, -1.0])
    layer.set_weights(weights)
    gate = 1 / (1 + np.exp(-(x @ weights[2] + weights[3])))
    wanted = gate * np.maximum(x @ weights[0] + weights[1], 0) + (1 - gate) * x
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x)), wanted, atol=1e-6)


def test_scalar_mix_by_hand():
    states = [np.full((2, 3, 4), value, "float32") for value in (1, 2, 4)]
    mix = ScalarMix()
    mix(states)
    mix.set_weights([np.log([1.0, 2.0, 1.0]), np.array(3.0)])
    wanted = 3 * (0.25 * 1 + 0.5 * 2 + 0.25 * 4)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(mix(states)), wanted, atol=1e-6)


def test_letters_too_few():
    with pytest.raises(UsageError, match="a convolution sees 4 letters and words have 3"):
        zoo.build("elmo", input_shape=(None, 3))
