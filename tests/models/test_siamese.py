"""What is special in the siamese networks: one tower for all inputs, embeddings of unit length, three heads by hand."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from zoo.errors import UsageError
from zoo.models import siamese

SMALL = {"tower": "lenet5", "dimensions": 8}


def images(count, seed=0, shape=(28, 28, 1)):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype("float32")


def run(model, x):
    return ops.convert_to_numpy(model(x, training=False))


def with_weights_of(model, other):
    """The model with the tower of `other`, layer by layer."""
    for layer in other.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    return model


def test_embeddings_have_unit_length():
    embeddings = run(zoo.build("siamese", **SMALL), images(5))
    np.testing.assert_allclose((embeddings**2).sum(1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", ["lenet5", "mlp", "softmax_regression", "resnet20", "plain20", "vgg16_small"])
def test_classifiers_of_the_zoo_are_towers(name):
    """The tower is the classifier itself: its logits, brought to unit length."""
    shape = (32, 32, 1)
    model = zoo.build("siamese", tower=name, input_shape=shape, dimensions=6)
    tower = with_weights_of(zoo.build(name, input_shape=shape, num_classes=6), model)
    logits = run(tower, images(3, shape=shape))
    embeddings = run(model, images(3, shape=shape))
    np.testing.assert_allclose(embeddings, logits / np.linalg.norm(logits, axis=1, keepdims=True), rtol=1e-4, atol=1e-5)


def test_a_tower_with_auxiliary_heads_gives_its_main_one():
    options = {"width": 0.125}
    model = zoo.build("siamese", tower="inception_v1", tower_options=options, input_shape=(32, 32, 3), dimensions=6)
    assert model.output_shape == (None, 6)
    assert not [layer.name for layer in model.layers if "aux" in layer.name]


@pytest.mark.parametrize(("name", "count"), [("siamese_pairs", 2), ("triplet_inputs", 3)])
def test_every_input_goes_through_the_same_tower(name, count):
    single = zoo.build("siamese", **SMALL)
    model = with_weights_of(zoo.build(name, **SMALL), single)
    assert len(single.weights) == len([w for w in model.weights if "same" not in w.path])
    embeddings = keras.Model(model.input, model.get_layer("apart").output)
    names = [given.name for given in zoo.info(name).inputs]
    batches = [images(4, seed) for seed in range(count)]
    found = run(embeddings, dict(zip(names, batches)))  # (4, count, 8)
    for number, batch in enumerate(batches):
        np.testing.assert_allclose(found[:, number], run(single, batch), rtol=1e-4, atol=1e-5)


F, G = np.array([0.6, -0.8, 0.0]), np.array([0.0, 0.8, 0.6])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("absolute", [0.6, 1.6, 0.6]),
        ("chi_square", [0.36 / 0.6, 2.56 / 1.6, 0.36 / 0.6]),
        ("distance", [-(0.36 + 2.56 + 0.36)]),
    ],
)
def test_differences_by_hand(head, expected):
    found = siamese.Difference(head)(np.array([[F, G], [F, F]], "float32"))
    np.testing.assert_allclose(ops.convert_to_numpy(found), [expected, np.zeros(len(expected))], atol=1e-5)


def test_chi_square_is_finite_for_features_of_any_sign():
    """f + f', the divisor of DeepFace's formula, is 0 for opposite features; |f| + |f'| is 0 for absent ones only."""
    embeddings = np.array([[[1e-20, -0.5, 0.0], [-1e-20, 0.5, 0.0]]], "float32")
    found = ops.convert_to_numpy(siamese.Difference("chi_square")(embeddings))
    np.testing.assert_allclose(found, [[0.0, 1.0, 0.0]], atol=1e-5)


@pytest.mark.parametrize("head", siamese.DIFFERENCES)
def test_heads_do_not_care_which_image_is_first(head):
    model = zoo.build("siamese_pairs", head=head, **SMALL)
    one, other = images(3), images(3, seed=1)
    forth, back = run(model, {"first": one, "second": other}), run(model, {"first": other, "second": one})
    np.testing.assert_allclose(forth, back, rtol=1e-4, atol=1e-5)
    assert np.ptp(forth) > 0


def test_a_weighted_difference_is_what_the_head_computes():
    model = zoo.build("siamese_pairs", **SMALL)
    weights, bias = np.linspace(-1, 1, 8)[:, None], np.array([0.25])
    model.get_layer("same").set_weights([weights, bias])
    x = {"first": images(3), "second": images(3, seed=1)}
    embeddings = run(keras.Model(model.input, model.get_layer("apart").output), x)
    expected = np.abs(embeddings[:, 0] - embeddings[:, 1]) @ weights + bias
    np.testing.assert_allclose(run(model, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(tower="lenet"), "there is no tower 'lenet'; did you mean"),
        (dict(tower="siamese"), "there is no tower 'siamese'"),
        (dict(tower="lenet5_1998"), "lenet5_1998 cannot be a tower"),
        (dict(tower_options={"num_classes": 5}), "tower_options has num_classes"),
        (dict(tower_options={"depth": 5}), "there is no option of resnet20 'depth'"),
        (dict(tower="lenet5", input_shape=(8, 8, 1)), "images of 8x8 run out of pixels in lenet5"),
    ],
)
def test_wrong_requests(options, says):
    with pytest.raises(UsageError, match=says):
        zoo.build("siamese", **options)


def test_an_unknown_head_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="there is no head 'absolut'; did you mean absolute"):
        zoo.build("siamese_pairs", head="absolut")
