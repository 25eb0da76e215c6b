"""The shared layers against independent implementations and hand-computed values."""

import keras
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.layers.normalization import LocalResponseNormalization

OPTIONS = [{}, {"size": 3, "alpha": 0.5, "beta": 0.5, "k": 1.0}, {"size": 9, "alpha": 0.02, "beta": 1.0, "k": 0.1}]


def activities(channels=7, scale=10.0):
    return (scale * np.random.default_rng(0).normal(size=(2, 4, 5, channels))).astype("float32")


def normalised(x, **options):
    return keras.ops.convert_to_numpy(LocalResponseNormalization(**options)(x))


@pytest.mark.parametrize("options", OPTIONS)
def test_equals_torch(options):
    torch = pytest.importorskip("torch")
    layer, x = LocalResponseNormalization(**options), activities()
    theirs = torch.nn.LocalResponseNorm(layer.size, layer.alpha * layer.size, layer.beta, layer.k)
    expected = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(normalised(x, **options), expected, rtol=1e-5)


@pytest.mark.parametrize("options", OPTIONS)
def test_equals_tensorflow(options):
    tf = pytest.importorskip("tensorflow")
    layer, x = LocalResponseNormalization(**options), activities()
    expected = tf.nn.local_response_normalization(x, layer.size // 2, layer.k, layer.alpha, layer.beta)
    np.testing.assert_allclose(normalised(x, **options), expected.numpy(), rtol=1e-5)


def test_the_formula_of_section_3_3_by_hand():
    """The sums with the limits that the paper writes, in loops."""
    x, (k, n, alpha, beta) = activities(channels=6, scale=100.0), (2.0, 5, 1e-4, 0.75)
    expected = np.empty_like(x)
    for i in range(6):
        neighbours = x[..., max(0, i - n // 2) : min(6 - 1, i + n // 2) + 1]
        expected[..., i] = x[..., i] / (k + alpha * (neighbours.astype("float64") ** 2).sum(-1)) ** beta
    np.testing.assert_allclose(normalised(x), expected, rtol=1e-5)


def test_more_neighbours_than_channels():
    x = activities(channels=2)
    expected = x / (1.0 + 0.1 * (x**2).sum(-1, keepdims=True))
    np.testing.assert_allclose(normalised(x, size=5, alpha=0.1, beta=1.0, k=1.0), expected, rtol=1e-5)


def test_half_precision_survives_squares_beyond_its_range():
    x = np.full((1, 1, 1, 5), 1000.0, "float16")  # its square, a million, is beyond float16's 65,504
    halves = keras.ops.convert_to_numpy(LocalResponseNormalization(dtype="float16")(x))
    assert halves.dtype == np.float16
    np.testing.assert_allclose(halves, normalised(x.astype("float32")), rtol=2e-3)


def test_saved_and_loaded(tmp_path):
    image = keras.Input((4, 5, 7))
    model = keras.Model(image, LocalResponseNormalization(size=3, alpha=0.5, beta=0.5, k=1.0)(image))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    before, after = (keras.ops.convert_to_numpy(network(activities())) for network in (model, loaded))
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("size", [0, -1, 4])
def test_a_neighbourhood_has_a_middle(size):
    with pytest.raises(UsageError, match=f"^size is {size}; expected an odd number of channels: 1, 3, 5, ...$"):
        LocalResponseNormalization(size=size)
