"""What a network's images go through, for loops of one's own: the same as in the zoo's own."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.data.image.arrays import ArrayDataModule
from zoo.inference.transforms import Transforms

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (60, 83, 3), "uint8")


def made(preprocess, shape=(32, 32, 3), high=255.0, reverse=False):
    """The transforms of a run with this recipe."""
    card = zoo.info("resnet18")
    recipe = dataclasses.replace(card.recipe("finetune"), preprocess=preprocess, preprocessing="standardise")
    scaling = {"mean": (0.4,) * shape[-1], "std": (0.5,) * shape[-1], "reverse": reverse}
    config = {"scaling": scaling, "shape": shape, "high": high, "classes": ("a", "b")}
    return Transforms(ArrayDataModule.from_config(card, recipe, None, config))


STEPS = {"cover": (32, 32), "resize": (32, 32), "pad": (32, 32)}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("high", [255.0, 1.0])
def test_all_ways_are_the_same(step, high, tmp_path):
    tf = pytest.importorskip("tensorflow")
    see = made({step: STEPS[step]}, high=high, reverse=True)
    Image.fromarray(PIXELS).save(tmp_path / "image.png")
    expected = see.data.encode([str(tmp_path / "image.png")])[0]
    assert expected.shape == see.shape == (32, 32, 3)
    for image in (str(tmp_path / "image.png"), tmp_path / "image.png", Image.fromarray(PIXELS), PIXELS, PIXELS / 255):
        np.testing.assert_array_equal(see(image), expected)
    ((mapped, label),) = tf.data.Dataset.from_tensors((PIXELS, 1)).map(see.map).as_numpy_iterator()
    np.testing.assert_array_equal(mapped, expected)
    assert label == 1
    layer = keras.ops.convert_to_numpy(see.layer(PIXELS.shape)(PIXELS[None]))[0]
    a_byte = 0.5 / (1 if high > 1 else 255) / 0.5  # of rounding after the resizing
    assert np.abs(layer - expected).max() <= (a_byte * 1.01 if keras.backend.backend() == "tensorflow" else 8 * a_byte)


@pytest.mark.parametrize("shape", [(20, 70, 3), (33, 31, 3), (32, 32, 3), (100, 41, 3)])
@pytest.mark.parametrize("step", STEPS)
def test_a_layer_for_any_size(step, shape):
    image = RNG.integers(0, 256, shape, "uint8")
    see = made({step: STEPS[step]})
    found = keras.ops.convert_to_numpy(see.layer(shape)(image[None]))[0]
    difference = np.abs(found - see(image))
    assert difference.mean() < (1.01 if keras.backend.backend() == "tensorflow" else 8)


def test_grey_and_colour():
    see = made({"resize": (8, 8)}, shape=(8, 8, 1))
    assert see(PIXELS).shape == see(PIXELS[..., 0]).shape == see(PIXELS[..., :1]).shape == (8, 8, 1)
    assert made({"resize": (8, 8)}, shape=(8, 8, 3))(PIXELS[..., 0]).shape == (8, 8, 3)
    assert see.batch([PIXELS, PIXELS[:9]]).shape == (2, 8, 8, 1)


def test_published_weights_need_not_be_there():
    see = zoo.transforms("vgg16", "imagenet")
    x = see(np.zeros((10, 10, 3), "uint8"))
    assert x.shape == (224, 224, 3)
    np.testing.assert_allclose(x[0, 0], [-103.939, -116.779, -123.68], rtol=1e-5)  # Simonyan 2014: BGR less the mean


def test_a_saved_layer_is_the_same(tmp_path):
    see = made({"cover": (32, 32)})
    layer = see.layer(PIXELS.shape)
    layer.save(tmp_path / "see.keras")
    again = keras.saving.load_model(tmp_path / "see.keras")
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(each(PIXELS[None])) for each in (layer, again)))


BAD = {
    "no image": (lambda: made({})("missing.png"), "missing.png is not there"),
    "a vector": (lambda: made({})(np.zeros(3)), "of shape (3,); expected a path, a PIL image, or an array"),
    "channels first": (lambda: made({})(np.zeros((3, 40, 40), "uint8")), "of shape (3, 40, 40)"),
    "fractions beyond 1": (lambda: made({})(np.full((4, 4, 3), 2.0)), "holds 2 to 2; expected 0 to 1, or bytes"),
    "another size": (lambda: made({})(PIXELS), "image 1 is 60x83; resnet18 was trained on images of 32x32"),
    "no images": (lambda: made({}).batch([]), "no images were given"),
    "channels": (lambda: made({}).layer((32, 32, 1)), "image_shape has 1 channels; expected 3"),
    "a layer's size": (lambda: made({}).layer((9, 9, 3)), "come out as (9, 9); expected (32, 32)"),
    "texts": (lambda: zoo.transforms("bert_base"), "there are no published weights for bert_base"),
    "a run's weights": (lambda: zoo.transforms("runs/none", "imagenet"), "weights are for the name of a network"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(case):
    action, says = BAD[case]
    with pytest.raises(zoo.UsageError) as caught:
        action()
    assert says in str(caught.value) and "\n" not in str(caught.value)
