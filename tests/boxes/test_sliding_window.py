"""A classifier at every place of an image: one pass equals crop by crop."""

import time

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from zoo.boxes.sliding_window import sliding_window
from zoo.errors import UsageError


def classifier(size=14, *, padding="valid", pool=None):
    """The notes' own: a convolution of 5 x 5, a pool, and dense layers."""
    image = keras.Input((size, size, 3), name="image")
    x = layers.Conv2D(6, 5, padding=padding, activation="relu", name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = (pool or layers.Flatten(name="flatten"))(x)
    x = layers.Dense(12, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(image, layers.Dense(4, activation="softmax", name="classes")(x), name="notes")


@pytest.mark.parametrize("pool", [None, layers.GlobalAveragePooling2D(name="mean")])
def test_one_pass_equals_crop_by_crop(pool):
    model = classifier(pool=pool)
    image = np.random.default_rng(0).normal(size=(28, 22, 3)).astype("float32")
    expected = sliding_window(model, image, stride=2)
    found = zoo.fully_convolutional(model).predict(image[None], verbose=0)[0]
    assert found.shape == expected.shape == (8, 5, 4)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_notes_example():
    """Of 14 x 14 a vector; of 16 x 16, 2 x 2 of them; of 28 x 28, 8 x 8."""
    model = zoo.fully_convolutional(classifier())
    for side, places in ((14, 1), (16, 2), (28, 8)):
        assert model(np.zeros((1, side, side, 3), "float32")).shape[1:3] == (places, places)
    assert model.count_params() == classifier().count_params()


@pytest.mark.slow
def test_one_pass_is_faster():
    model, image = classifier(), np.zeros((64, 64, 3), "float32")
    convolutional = zoo.fully_convolutional(model)
    seconds = []
    for run in (lambda: sliding_window(model, image, stride=2), lambda: convolutional.predict(image[None], verbose=0)):
        run()
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    assert seconds[0] > 1.5 * seconds[1], f"{seconds[0] / seconds[1]:.1f} times"


def test_what_cannot_be_equal_is_refused():
    with pytest.raises(UsageError, match="conv of notes pads its input, which a window inside of an image has not"):
        zoo.fully_convolutional(classifier(padding="same"))
    assert zoo.fully_convolutional(classifier(padding="same"), exact=False).output_shape == (None, None, None, 4)
    with pytest.raises(UsageError, match="expected a chain of layers"):
        zoo.fully_convolutional(zoo.build("resnet20", input_shape=(16, 16, 3)))
    with pytest.raises(UsageError, match="expected a network of images"):
        zoo.fully_convolutional(zoo.build("mlp", input_shape=(4,)))


def test_a_network_of_the_zoo():
    model = zoo.build("lenet5")
    padded = [each.name for each in model.layers if getattr(each, "padding", "") == "same"]
    if padded:
        with pytest.raises(UsageError, match="pads its input"):
            zoo.fully_convolutional(model)
    found = zoo.fully_convolutional(model, exact=False)
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype("float32")
    np.testing.assert_allclose(found(x)[:, 0, 0], model(x), atol=1e-5)
