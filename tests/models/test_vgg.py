"""VGG against the paper's counts, keras.applications and torchvision's published shapes."""

import itertools

import keras
import numpy as np
import pytest
from subjects import outline

import zoo
from zoo.models import vgg

COUNTS = {"vgg11": 132_863_336, "vgg13": 133_047_848, "vgg16": 138_357_544, "vgg19": 143_667_240}

# The entries of torchvision's published state dict of `vgg16`: kernels are (outputs, inputs, height, width).
TORCHVISION_VGG16 = {
    "features.0": (64, 3, 3, 3),
    "features.2": (64, 64, 3, 3),
    "features.5": (128, 64, 3, 3),
    "features.7": (128, 128, 3, 3),
    "features.10": (256, 128, 3, 3),
    "features.12": (256, 256, 3, 3),
    "features.14": (256, 256, 3, 3),
    "features.17": (512, 256, 3, 3),
    "features.19": (512, 512, 3, 3),
    "features.21": (512, 512, 3, 3),
    "features.24": (512, 512, 3, 3),
    "features.26": (512, 512, 3, 3),
    "features.28": (512, 512, 3, 3),
    "classifier.0": (4096, 25088),
    "classifier.3": (4096, 4096),
    "classifier.6": (1000, 4096),
}


def images(shape, count=2):
    return np.random.default_rng(0).normal(scale=60.0, size=(count, *shape)).astype("float32")


def copy_by_name(ours, theirs):
    for layer in theirs.layers:
        if layer.weights:
            ours.get_layer(layer.name).set_weights(layer.get_weights())


def assert_same(ours, theirs, x):
    expected = keras.ops.convert_to_numpy(theirs(x, training=False))
    got = keras.ops.convert_to_numpy(ours(x, training=False))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    """At full size, as built and as Table 1 says: 9 weights for each pair of channels."""
    convolutions = vgg.CONVOLUTIONS[{"vgg11": "A", "vgg13": "B", "vgg16": "D", "vgg19": "E"}[name]]
    inputs = [3] + [n for n, count in zip(vgg.FILTERS, convolutions) for _ in range(count)]
    by_hand = sum(9 * before * after + after for before, after in itertools.pairwise(inputs))
    by_hand += 25_088 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000
    assert outline(zoo.builder(name))[0].count_params() == by_hand == COUNTS[name] == zoo.info(name).params


@pytest.mark.slow
def test_a_full_vgg16_is_that_of_keras():
    """The same weights by name, the same image of 224 x 224: the same 1,000 logits."""
    ours = zoo.build("vgg16")
    theirs = keras.applications.VGG16(weights=None, classifier_activation=None)
    copy_by_name(ours, theirs)
    assert_same(ours, theirs, images((224, 224, 3), count=1))


@pytest.mark.parametrize(("name", "reference"), [("vgg16", "VGG16"), ("vgg19", "VGG19")])
def test_maps_equal_those_of_keras(name, reference):
    shape = (64, 96, 3)
    ours = zoo.build(name, input_shape=shape, top=False)
    theirs = getattr(keras.applications, reference)(weights=None, include_top=False, input_shape=shape)
    assert [layer.name for layer in ours.layers[1:]] == [layer.name for layer in theirs.layers[1:]]
    copy_by_name(ours, theirs)
    assert_same(ours, theirs, images(shape))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_torchvision_state_dict_fits(batch_norm):
    """Layer by layer, from the published shapes at 1/8 of the width: torchvision is not needed, nor compared with.

    With batch normalisation as well: torchvision's `vgg16_bn` keeps the biases of the convolutions.
    """
    layers = [
        layer
        for layer in zoo.build("vgg16", width=0.125, batch_norm=batch_norm).layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    ]
    for layer, shape in zip(layers, TORCHVISION_VGG16.values(), strict=True):
        narrow = [n if n in (3, 1000) else n // 8 for n in shape[:2]]
        kernel = (*shape[2:], *narrow[::-1])
        assert [tuple(weight.shape) for weight in layer.weights] == [kernel, (narrow[0],)], layer.name


def test_batch_norm_stands_between_convolution_and_relu():
    model = zoo.build("vgg16", **zoo.info("vgg16").tiny)
    names = [layer.name for layer in model.layers]
    at = names.index("block3_conv2")
    assert names[at : at + 3] == ["block3_conv2", "block3_conv2_bn", "block3_conv2_relu"]
    assert model.get_layer("block3_conv2").activation is keras.activations.linear


def test_dropout_follows_both_dense_layers():
    """The paper has it (section 3.1); keras.applications leaves it out."""
    names = [layer.name for layer in zoo.build("vgg16", **zoo.info("vgg16").tiny).layers]
    assert names[-5:] == ["fc1", "dropout1", "fc2", "dropout2", "predictions"]


@pytest.mark.parametrize("name", COUNTS)
def test_the_smallest_image(name, monkeypatch):
    options = {"width": 0.125, "num_classes": 10}
    assert zoo.build(name, input_shape=(32, 32, 3), **options).get_layer("block5_pool").output.shape[1:3] == (1, 1)
    with pytest.raises(
        zoo.UsageError,
        match=f"^images of 99x31 run out of pixels in {name}; expected at least 32x32: resize them$",
    ):
        zoo.build(name, input_shape=(99, 31, 3), **options)
    monkeypatch.setattr(vgg, "check_image", lambda *_: None)
    with pytest.raises(ValueError, match=r"[Nn]egative|size of an axis|less than or equal to zero"):  # truly impossible
        zoo.build(name, input_shape=(99, 31, 3), **options)


def test_small_counts():
    model = zoo.build("vgg16_small")
    card = zoo.info("vgg16_small")
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert (trainable, model.count_params() - trainable) == (card.params, card.non_trainable_params)
    assert card.params == 14_714_688 + 2 * 4_224 + (512 * 512 + 512) + 2 * 512 + (512 * 10 + 10)


@pytest.mark.parametrize(("side", "sides"), [(28, [14, 7, 4, 2, 1]), (32, [16, 8, 4, 2, 1]), (64, [32, 16, 8, 4, 2])])
def test_small_images_last_through_five_pools(side, sides):
    model = zoo.build("vgg16_small", input_shape=(side, side, 1), width=0.125)
    assert [model.get_layer(f"block{n}_pool").output.shape[1] for n in range(1, 6)] == sides


def test_the_smallest_small_image(monkeypatch):
    """At 17 pixels the last pool still has 2x2 to choose from; at 16 it would pass on the one that there is."""
    options = {"width": 0.125, "top": False}
    assert zoo.build("vgg16_small", input_shape=(17, 17, 3), **options).layers[-1].input.shape[1:3] == (2, 2)
    with pytest.raises(zoo.UsageError, match=r"^images of 16x16 .* vgg16_small; expected at least 17x17: resize them$"):
        zoo.build("vgg16_small", input_shape=(16, 16, 3), **options)
    monkeypatch.setattr(vgg, "check_image", lambda *_: None)
    assert zoo.build("vgg16_small", input_shape=(16, 16, 3), **options).layers[-1].input.shape[1:3] == (1, 1)


def test_small_equals_vgg16_with_batch_norm():
    """The same thirteen convolutions: on sizes that halve evenly and without dropout, the maps are those of `vgg16`."""
    options = {"input_shape": (32, 64, 3), "width": 0.125, "top": False}
    small = zoo.build("vgg16_small", dropout=0.0, **options)
    large = zoo.build("vgg16", batch_norm=True, **options)
    for layer in large.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.epsilon = 1e-3  # the small network's, of Keras; the large one has that of published weights
    copy_by_name(small, large)
    assert_same(small, large, images((32, 64, 3)))


@pytest.mark.parametrize("name", [*COUNTS, "vgg16_small"])
def test_cards_agree_with_builders(name):
    card = zoo.info(name)
    assert zoo.build(name, **card.tiny).count_params() < 1_000_000
    assert {recipe.name for recipe in card.recipes} >= {
        "demo", "fashion_mnist", "cifar10", "imagenette", "imagenet2012",
    }  # fmt: skip
    assert zoo.build(name, width=0.125).input_shape[1:] == card.inputs[0].shape


def test_channels_first_is_refused():
    """With Keras's setting, convolutions take the rows for channels."""
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(
            zoo.UsageError, match=r"is 'channels_first'; expected 'channels_last'.*keras\.config\.set_image_data_format"
        ):
            zoo.build("vgg16_small")
    finally:
        keras.config.set_image_data_format("channels_last")
