"""What `zoo attack` measures: in pixels, whatever scaling the network wants."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import samples
import tensorflow as tf

import zoo
from zoo import tasks
from zoo.data.image.normalization import Scaling
from zoo.tasks._robustness import Trial, chosen, measure
from zoo.tasks.base import Network

CAFFE_LIKE = Scaling((100.0, 110.0, 120.0), (1.0, 50.0, 80.0), reverse=True)  # a deviation for each channel, BGR


def data(images, scaling=CAFFE_LIKE, high=255.0):
    """As a data module has test images."""
    x, y = np.asarray(scaling(images)), np.arange(len(images)) % 4
    return SimpleNamespace(
        scaling=scaling, shape=images.shape[1:], high=high, class_names=tuple(map(str, range(1000))),
        targets=lambda split: y, batches=lambda split: tf.data.Dataset.from_tensor_slices((x, y)).batch(7),
    )  # fmt: skip


@pytest.fixture(scope="module")
def network():
    model = samples.fill(zoo.build("lenet5", input_shape=(12, 12, 3), num_classes=4))
    return Network.of(model, zoo.info("lenet5"), tasks.get("image_classification"))


def pixels(*shape, low=0, high=255):
    return np.random.default_rng(0).integers(low, high + 1, shape).astype("float32")


@pytest.mark.parametrize("name", ["noise", "fgsm", "pgd"])
def test_a_pixel_moves_by_a_part_of_its_range_in_every_channel(network, name):
    images = pixels(20, 12, 12, 3)
    module = data(images)
    x, y, count = chosen(network, module, 20, seed=0)
    moved = module.scaling.undo(Trial(network, module, x, y, steps=4, seed=0).moved(name, 0.1))
    distance = np.abs(moved - images)
    assert count == 20 and distance.max() <= 25.5 + 1e-3
    assert moved.min() >= -1e-3 and moved.max() <= 255 + 1e-3
    inside = (images > 26) & (images < 229)
    assert all(distance[..., channel][inside[..., channel]].max() > 25 for channel in range(3))
    if name != "pgd":
        np.testing.assert_allclose(distance[inside & (distance > 0.01)], 25.5, rtol=1e-3)


@pytest.mark.parametrize(
    ("low", "high", "divisor", "largest", "expected"),
    [
        (0, 255, 1, 255.0, (0, 255)),
        (0, 255, 255, 1.0, (0, 1)),
        (-255, 255, 255, 1.0, (-1, 1)),
        (9, 99, 1, 99, (0, 255)),
    ],
)
def test_the_range_of_the_pixels(network, low, high, divisor, largest, expected):
    images = pixels(8, 12, 12, 3, low=low, high=high) / divisor
    module = data(images, Scaling((0.1,) * 3, (0.7,) * 3), largest)
    x, y, _ = chosen(network, module, 8, seed=0)
    assert Trial(network, module, x, y, steps=1, seed=0).pixels == expected


def test_examples_are_chosen_at_random_with_their_classes(network):
    module = data(pixels(30, 12, 12, 3))
    x, y, count = chosen(network, module, 11, seed=3)
    again, _, _ = chosen(network, module, 11, seed=3)
    other, _, _ = chosen(network, module, 11, seed=4)
    np.testing.assert_array_equal(x, again)
    assert (len(x), count) == (11, 30) and (x != other).any()
    whole, classes, _ = chosen(network, module, 99, seed=0)
    rows = [int(np.flatnonzero((whole == each).all((1, 2, 3)))[0]) for each in x]
    np.testing.assert_array_equal(classes[rows], y)


@pytest.mark.slow
def test_the_head_that_is_measured_is_the_one_attacked(network):
    plain = network.model
    other = keras.layers.Dense(4, name="other")(plain.get_layer("f6").output)
    model = keras.Model(plain.input, {"digit": plain.output, "other": other})
    several = Network.of(model, zoo.info("lenet5"), tasks.get("image_classification"))
    assert several.main == "digit"
    module = data(pixels(40, 12, 12, 3))
    settings = {"methods": ("fgsm", "pgd"), "steps": 2, "examples": 40, "seed": 0}
    found, shown = measure(several, module, [0.02, 0.1], **settings)
    assert found == measure(network, module, [0.02, 0.1], **settings)[0]
    assert [row["epsilon"] for row in found.rows] == [0, 0.02, 0.1]
    assert next(iter(shown)) == "as they are" and len(shown) == 4


def test_vectors_have_no_pixels():
    network = Network.of(zoo.build("perceptron"), zoo.info("perceptron"), tasks.get("binary_classification"))
    with pytest.raises(
        zoo.UsageError, match=r"perceptron was trained on vectors of 30 numbers; `zoo attack` moves the"
    ):
        measure(network, SimpleNamespace(shape=(30,)), [0.1], methods=(), steps=1, examples=1, seed=0)
