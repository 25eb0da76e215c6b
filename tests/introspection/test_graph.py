"""Stages and costs, against hand counts, published totals and the network's own forward pass."""

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from zoo.introspection import blocks, costs, features, list_stages


def names(model):
    return [(stage.name, stage.layer, stage.channels) for stage in list_stages(model)]


def total(model):
    return sum(row.multiply_adds for row in costs(model))


def chain(shape, *steps):
    x = image = keras.Input(shape)
    for step in steps:
        x = step(x)
    return keras.Model(image, x)


# Stages


@pytest.mark.parametrize("options", [{}, {"stride_in": "3x3", "use_bias": False}], ids=str)
def test_stages_of_resnet50(options):
    """The 3x3 form has finer tensors inside the first block of the next stage; they are no stages."""
    stages = list_stages(zoo.build("resnet50", width=8, **options))
    assert [(s.name, s.layer, s.stride, s.channels) for s in stages] == [
        ("stride2", "conv1_relu", (2, 2), 8),
        ("stride4", "conv2_block3_out", (4, 4), 32),
        ("stride8", "conv3_block4_out", (8, 8), 64),
        ("stride16", "conv4_block6_out", (16, 16), 128),
        ("stride32", "conv5_block3_out", (32, 32), 256),
    ]


def test_branches_and_gates_are_no_stages():
    """As in Inception, branches halve after unequal numbers of layers, and an unpadded convolution only trims."""
    image = keras.Input((33, 33, 3))
    x = layers.Conv2D(4, 3, name="trims")(image)  # 31, 31
    branch = layers.Conv2D(4, 3, strides=2, name="late")(layers.Conv2D(4, 1, name="inside")(x))
    x = layers.Concatenate(name="joined")([branch, layers.MaxPooling2D(3, strides=2, name="pool")(x)])
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)  # squeeze and excitation: one number for each map
    gate = layers.Conv2D(8, 1, activation="sigmoid")(gate)
    x = layers.Multiply(name="gated")([x, gate])
    assert names(keras.Model(image, x)) == [("stride1", "trims", 4), ("stride2", "gated", 8)]


@pytest.mark.slow
def test_stages_of_other_people_s_networks():
    inception = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(299, 299, 3))
    assert [(stage.name, stage.channels) for stage in list_stages(inception)] == [
        ("stride2", 64), ("stride4", 192), ("stride8", 288), ("stride16", 768), ("stride32", 2048)
    ]  # fmt: skip
    assert [stage.layer for stage in list_stages(inception)[2:]] == ["mixed2", "mixed7", "mixed10"]
    gated = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(64, 64, 3))
    assert [stage.name for stage in list_stages(gated)] == ["stride2", "stride4", "stride8", "stride16", "stride32"]
    vgg = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    assert [stage.layer for stage in list_stages(vgg)] == [
        "block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3", "block5_pool"
    ]  # fmt: skip


def test_stages_of_lenet():
    """The 1998 network's subsampling layer does not tell its stride: the sizes do."""
    assert names(zoo.build("lenet5")) == [("stride1", "c1", 6), ("stride2", "c3", 16), ("stride4", "s4", 16)]
    assert names(zoo.build("lenet5_1998")) == [("stride1", "c1", 6), ("stride2", "c3", 16), ("stride4", "c5", 120)]


def test_a_tower_costs_as_often_as_an_example_goes_through_it():
    """Two or three images, joined end to end, go through one tower; of AdaIN's two, one is decoded."""
    one, two, three = (zoo.build(name) for name in ("siamese", "siamese_pairs", "triplet_inputs"))
    assert total(three) == 3 * total(one)
    assert total(two) == 2 * total(one) + 64  # the head's weights
    adain = zoo.build("adain", input_shape=(32, 32, 3), width=0.125)
    row = {each.layer: each.multiply_adds for each in costs(adain)}
    assert row["block1_conv2"] == 2 * 32 * 32 * 9 * 8 * 8
    assert row["picture"] == 32 * 32 * 9 * 8 * 3


def test_features_are_the_tensors_of_the_forward_pass():
    model = zoo.build("resnet20", blocks=(1, 1, 1))
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    maps = features(model).predict(x, verbose=0)
    assert list(maps) == [stage.name for stage in list_stages(model)]
    for stage in list_stages(model):
        ours = maps[stage.name]
        assert ours.shape == (2, 32 // stage.stride[0], 32 // stage.stride[1], stage.channels)
        alone = keras.Model(model.input, model.get_layer(stage.layer).output)
        np.testing.assert_array_equal(ours, alone.predict(x, verbose=0))
    head = keras.ops.mean(maps["stride4"], axis=(1, 2))
    logits = model.get_layer("logits")(head)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(logits), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def test_features_share_the_weights_and_keep_the_choice():
    model = zoo.build("resnet20", blocks=(1, 1, 1))
    body = features(model, stages=["stride4", "stride1"])
    assert sorted(body.output) == ["stride1", "stride4"]
    assert body.get_layer("conv1_conv") is model.get_layer("conv1_conv")
    with pytest.raises(zoo.UsageError, match="no stage or layer of resnet20 'stride3'; did you mean stride"):
        features(model, ["stride3"])
    with pytest.raises(zoo.UsageError, match="mlp has no stages"):
        features(zoo.build("mlp"))
    assert zoo.features is features and zoo.costs is costs


def test_stages_in_one_and_three_dimensions():
    waves = chain((64, 1), layers.Conv1D(4, 3, padding="same", name="a"), layers.MaxPooling1D(4, name="b"))
    assert names(waves) == [("stride1", "a", 4), ("stride4", "b", 4)]
    clip = chain(
        (8, 16, 16, 3),
        layers.Conv3D(4, 3, padding="same", name="a"),
        layers.MaxPooling3D((1, 2, 2), name="b"),
        layers.Conv3D(8, 3, padding="same", name="c"),
        layers.MaxPooling3D(2, name="d"),
    )
    assert names(clip) == [("stride1", "a", 4), ("stride1x2x2", "c", 8), ("stride2x4x4", "d", 8)]


def test_upsampling_makes_the_stride_finer():
    model = chain(
        (16, 16, 3),
        layers.Conv2D(4, 3, strides=4, padding="same", name="down"),
        layers.UpSampling2D(2, name="up"),
        layers.Conv2DTranspose(2, 3, strides=2, padding="same", name="back"),
    )
    assert names(model) == [("stride4", "down", 4), ("stride2", "up", 4), ("stride1", "back", 2)]


def test_preprocessing_padding_and_auxiliary_heads_are_no_stages():
    image = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 255)(image)
    x = trunk = layers.Conv2D(4, 3, padding="same", name="conv")(x)
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(8, 3, strides=2, name="half")(x)
    logits = layers.Dense(3)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    auxiliary = layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Conv2D(2, 1, strides=8, name="aux")(trunk)))
    assert names(keras.Model(image, [logits, auxiliary])) == [("stride1", "conv", 4), ("stride2", "half", 8)]


# Costs


@pytest.mark.parametrize(
    "shape, layer, multiply_adds",
    [
        ((8, 8, 3), layers.Conv2D(4, 3, padding="same"), 8 * 8 * 9 * 3 * 4),
        ((8, 8, 3), layers.Conv2D(4, 3), 6 * 6 * 9 * 3 * 4),
        ((8, 8, 3), layers.Conv2D(4, 3, strides=2, padding="same"), 4 * 4 * 9 * 3 * 4),
        ((8, 8, 6), layers.Conv2D(4, 3, groups=2, padding="same"), 8 * 8 * 9 * 3 * 4),
        ((8, 8, 3), layers.Conv2D(4, 3, dilation_rate=2), 4 * 4 * 9 * 3 * 4),
        ((8, 8, 3), layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), 8 * 8 * 9 * 3 * 2),
        ((8, 8, 3), layers.SeparableConv2D(5, 3, padding="same"), 8 * 8 * (9 * 3 + 3 * 5)),
        ((8, 8, 3), layers.Conv2DTranspose(5, 3, strides=2, padding="same"), 8 * 8 * 9 * 3 * 5),
        ((9, 3), layers.Conv1D(4, 3), 7 * 3 * 3 * 4),
        ((4, 8, 8, 3), layers.Conv3D(5, (3, 1, 1), padding="same"), 4 * 8 * 8 * 3 * 3 * 5),
        ((7,), layers.Dense(5), 35),
        ((6, 7), layers.Dense(5), 6 * 35),
        ((6, 7), layers.LSTM(5), 6 * 4 * 5 * (7 + 5)),
        ((6, 7), layers.GRU(5, return_sequences=True), 6 * 3 * 5 * (7 + 5)),
        ((8, 8, 3), layers.BatchNormalization(), 0),
        ((8, 8, 3), layers.MaxPooling2D(2), 0),
        ((8, 8, 3), layers.Flatten(), 0),
    ],
    ids=lambda value: value.__class__.__name__ if isinstance(value, layers.Layer) else str(value),
)
def test_multiply_adds_by_hand(shape, layer, multiply_adds):
    row = costs(chain(shape, layer))[-1]
    assert (row.layer, row.type, row.multiply_adds) == (layer.name, type(layer).__name__, multiply_adds)
    assert (row.output_shape, row.params) == (layer.output.shape[1:], layer.count_params())


@pytest.mark.parametrize(
    "name, options, published",
    [
        ("resnet18", {}, "1.81"),  # torchvision's documentation: resnet18, resnet34, resnet50
        ("resnet34", {}, "3.66"),
        ("resnet50", {"stride_in": "3x3", "use_bias": False}, "4.09"),
        ("resnet50", {}, "3.86"),  # the paper says 3.8, of all layers before the last average
    ],
    ids=str,
)
def test_totals_are_the_published_ones(name, options, published):
    model = zoo.build(name, **options)
    assert f"{total(model) / 1e9:.2f}" == published
    assert sum(row.params for row in costs(model)) == model.count_params()


def test_vgg16_has_fifteen_and_a_half_billion():
    body = keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))
    head = 7 * 7 * 512 * 4096 + 4096 * 4096 + 4096 * 1000  # without building its 123 million weights
    assert f"{(total(body) + head) / 1e9:.1f}" == "15.5"


class Strange(layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 2))

    def call(self, x):
        return keras.ops.matmul(x, self.kernel)


class Telling(Strange):
    def multiply_adds(self, input_shape, output_shape):
        return input_shape[-1] * output_shape[-1]


def test_a_layer_that_is_not_known_is_flagged_unless_it_tells():
    assert costs(chain((3,), Strange()))[-1].multiply_adds is None
    with pytest.raises(TypeError):  # no total hides it
        total(chain((3,), Strange()))
    assert costs(chain((3,), Telling()))[-1].multiply_adds == 6


def test_free_sizes_cannot_be_counted():
    with pytest.raises(zoo.UsageError, match=r"has the shape \(None, None, 3\); expected fixed sizes"):
        costs(zoo.build("resnet20", input_shape=(None, None, 3)))


def test_costs_of_attention_by_hand():
    """Projections of 3 and 5 places, scores and sums of each pair; and a shared table counted where it multiplies."""
    x, y = keras.Input((3, 8)), keras.Input((5, 8))
    many = layers.MultiHeadAttention(2, 4, name="many")(x, y)
    one = layers.AdditiveAttention(name="one")([x, y])
    rows = {row.layer: row.multiply_adds for row in costs(keras.Model([x, y], [many, one]))}
    assert rows["many"] == 2 * 3 * 8 * 8 + 2 * 5 * 8 * 8 + 3 * 5 * (8 + 8) and rows["one"] == 3 * 5 * (8 + 8)
    tokens = keras.Input((3,), dtype="int32")
    table = layers.ReversibleEmbedding(11, 8, name="table")
    rows = {row.layer: row.multiply_adds for row in costs(keras.Model(tokens, table(table(tokens), reverse=True)))}
    assert rows["table"] == 3 * 8 * 11


def test_a_shared_layer_is_in_the_block_of_its_first_use():
    """A mask that every block asks for is no way around them."""
    model = zoo.build("gpt2", **zoo.info("gpt2").tiny) if "gpt2" in zoo.list_models() else None
    model = model or zoo.build("transformer_classifier", **{**zoo.info("transformer_classifier").tiny, "num_layers": 2})
    found = [block[0].name for block in blocks(model)]
    assert found == ["embedding", "block1_attention_norm", "block2_attention_norm"]
    assert len([layer for block in blocks(model) for layer in block]) == len([e for e in model.layers if e.weights])
