"""What is special in LeNet-5: the sizes the paper prints, and its four unusual parts by hand."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from zoo.errors import UsageError
from zoo.models import lenet

# Table I as the paper prints it: a row for each map of S2, and in it the maps of C3 that take it in.
PRINTED = {
    0: [0, 4, 5, 6, 9, 10, 11, 12, 14, 15],
    1: [0, 1, 5, 6, 7, 10, 11, 12, 13, 15],
    2: [0, 1, 2, 6, 7, 8, 11, 13, 14, 15],
    3: [1, 2, 3, 6, 7, 8, 9, 12, 14, 15],
    4: [2, 3, 4, 7, 8, 9, 10, 12, 13, 15],
    5: [3, 4, 5, 8, 9, 10, 11, 13, 14, 15],
}


def run(layer, x):
    return ops.convert_to_numpy(layer(np.asarray(x, "float32")))


def randomise(layer, seed=0):
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return [ops.convert_to_numpy(weight).astype("float64") for weight in layer.weights]


def squash(x):
    return 1.7159 * np.tanh(2 * x / 3)


# The sizes.


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("lenet5_1998", {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}),
        ("lenet5", {"c1": 156, "c3": 2_416, "c5": 48_120, "f6": 10_164, "logits": 850}),
    ],
)
def test_trainable_numbers_of_each_layer(name, counts):
    model = zoo.build(name)
    found = {layer.name: sum(int(np.prod(w.shape)) for w in layer.trainable_weights) for layer in model.layers}
    assert {layer: count for layer, count in found.items() if count} == counts
    assert sum(counts.values()) == {"lenet5_1998": 60_000, "lenet5": 61_706}[name]


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
def test_maps_have_the_sizes_of_figure_2(name):
    model = zoo.build(name)
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert (shapes["c1"], shapes["s2"]) == ((28, 28, 6), (14, 14, 6))
    assert (shapes["c3"], shapes["s4"]) == ((10, 10, 16), (5, 5, 16))
    assert (shapes["c5"][-1], shapes["f6"]) == (120, (84,))


# C3 and Table I.


def test_table_i():
    assert [len(sources) for sources in lenet.TABLE_I] == [3] * 6 + [4] * 9 + [6]
    assert {s: [c for c, sources in enumerate(lenet.TABLE_I) if str(s) in sources] for s in range(6)} == PRINTED


def test_sparse_convolution_against_a_loop():
    layer = lenet.SparseConv2D()
    x = np.random.default_rng(1).normal(size=(2, 7, 8, 6))
    layer.build(x.shape)
    kernels, bias = randomise(layer)
    sums = np.zeros((2, 3, 4, 16)) + bias
    row = 0
    for target in range(16):
        for source in (s for s in range(6) if target in PRINTED[s]):
            kernel = kernels[:, row].reshape(5, 5)
            row += 1
            for i in range(3):
                for j in range(4):
                    sums[:, i, j, target] += (x[:, i : i + 5, j : j + 5, source] * kernel).sum((1, 2))
    assert row == kernels.shape[1] == 60
    found = run(layer, x)
    np.testing.assert_allclose(found, squash(sums), rtol=1e-4, atol=1e-4)
    assert layer.compute_output_shape(x.shape) == found.shape


@pytest.mark.parametrize("source", range(6))
def test_a_map_of_s2_reaches_only_its_maps_of_c3(source):
    layer = lenet.SparseConv2D()
    layer.build((1, 5, 5, 6))
    randomise(layer)
    x = np.zeros((1, 5, 5, 6))
    without = run(layer, x)
    x[..., source] = 1.0
    assert np.flatnonzero((run(layer, x) != without)[0, 0, 0]).tolist() == PRINTED[source]


# S2 and S4.


def test_subsampling_by_hand():
    layer = lenet.Subsampling()
    x = np.zeros((1, 2, 4, 2))
    x[0, :, :, 0] = [[1, 2, 0, 0], [3, 4, 0, -1]]  # sums of the squares: 10 and -1
    x[0, :, :, 1] = 0.5  # 2 and 2
    layer.build(x.shape)
    layer.set_weights([np.array([0.1, -1.0]), np.array([0.5, 0.25])])
    expected = squash(np.array([[[[10 * 0.1 + 0.5, -2 + 0.25], [-0.1 + 0.5, -2 + 0.25]]]]))
    np.testing.assert_allclose(run(layer, x), expected, rtol=1e-5)


def test_subsampling_drops_an_odd_edge():
    layer = lenet.Subsampling()
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 3))
    layer.build(x.shape)
    assert run(layer, x).shape == layer.compute_output_shape(x.shape) == (1, 2, 2, 3)
    np.testing.assert_array_equal(run(layer, x), run(layer, x[:, :4, :4]))


# Squashing and starting values.


def test_scaled_tanh_keeps_plus_and_minus_one():
    found = ops.convert_to_numpy(lenet.scaled_tanh(np.array([-1.0, 0.0, 1.0, 100.0], "float32")))
    np.testing.assert_allclose(found, [-1.0, 0.0, 1.0, 1.7159], atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "variable", "fan_in"),
    [("c1", 0, 25), ("s2", 0, 4), ("c3", 0, 93.75), ("c5", 0, 400), ("f6", 0, 120)],
)
def test_starting_values_fill_the_interval_of_appendix_a(layer, variable, fan_in):
    values = np.concatenate(
        [zoo.build("lenet5_1998").get_layer(layer).get_weights()[variable].ravel() for _ in range(10)]
    )
    bound = 2.4 / fan_in
    assert 0.9 * bound < np.abs(values).max() <= bound
    assert abs(values.mean()) < 0.25 * bound


def test_fan_in_initializer_repeats_by_its_seed_and_is_saved():
    initializer = lenet.FanIn(fan_in=4.0, seed=3)
    again = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    np.testing.assert_array_equal(ops.convert_to_numpy(again((5, 6))), ops.convert_to_numpy(initializer((5, 6))))


# The output layer.


def test_codes_are_ten_different_drawings():
    codes = lenet.digit_codes()
    assert codes.shape == (10, 84) and set(codes.ravel()) == {-1.0, 1.0}
    different = (codes[:, None] != codes).sum(-1)
    assert different[~np.eye(10, dtype=bool)].min() >= 5  # dots between the two nearest drawings
    seven = codes[7].reshape(12, 7)
    assert (seven[1] == 1).all() and (seven[0] == -1).all(), "a drawing is 12 rows of 7 dots"


def test_distances_by_hand():
    layer = lenet.DistanceToCodes(2)
    layer.build((None, 3))
    layer.set_weights([np.array([[1.0, -1.0, 1.0], [-1.0, -1.0, -1.0]])])
    found = run(layer, [[1.0, -1.0, 1.0], [0.0, 0.5, -2.0]])
    np.testing.assert_allclose(found, [[0.0, -8.0], [-(1 + 2.25 + 9), -(1 + 2.25 + 1)]])


def test_each_drawing_is_read_as_its_digit():
    layer = lenet.DistanceToCodes(10)
    found = run(layer, lenet.digit_codes())
    assert found.argmax(-1).tolist() == list(range(10)) and not np.diag(found).any()


def test_codes_of_other_alphabets_are_random_and_repeat():
    codes = [zoo.build("lenet5_1998", num_classes=26).get_layer("distances").get_weights()[0] for _ in range(2)]
    np.testing.assert_array_equal(*codes)
    assert codes[0].shape == (26, 84) and set(codes[0].ravel()) == {-1.0, 1.0}
    assert len(np.unique(codes[0], axis=0)) == 26


def test_codes_are_not_trained():
    model = zoo.build("lenet5_1998")
    assert [weight.path for weight in model.non_trainable_weights] == ["distances/codes"]


# What is asked for wrongly.


@pytest.mark.parametrize("size", [(11, 28), (28, 11), (4, 4)])
def test_images_that_would_vanish_are_refused(size):
    with pytest.raises(UsageError, match=f"images of {size[0]}x{size[1]} run out of pixels .* at least 12x12"):
        zoo.build("lenet5", input_shape=(*size, 1))


def test_the_smallest_images_work():
    model = zoo.build("lenet5", input_shape=(12, 12, 3), num_classes=4)
    assert run(model, np.zeros((1, 12, 12, 3))).shape == (1, 4)
    assert model.get_layer("s4").output.shape == (None, 1, 1, 16)


def test_pooling_is_one_of_two():
    assert isinstance(zoo.build("lenet5", pooling="average").get_layer("s2"), keras.layers.AveragePooling2D)
    with pytest.raises(UsageError, match="pooling is 'mean'; expected 'max' or 'average'"):
        zoo.build("lenet5", pooling="mean")
