"""Inception against its papers' counts, keras.applications, and a re-statement of the module in PyTorch."""

import keras
import numpy as np
import pytest
from subjects import outline

import zoo
from zoo.models import inception
from zoo.weights import backbone_names, converters

# torchvision's published state dict of `googlenet`: for each module the kernels of branch1, branch2 (two), branch3
# (two) and branch4 as (outputs, inputs, side). Each is followed by weight, bias, mean and variance of a normalisation.
TORCHVISION_GOOGLENET = {
    "inception3a": ((64, 192, 1), (96, 192, 1), (128, 96, 3), (16, 192, 1), (32, 16, 3), (32, 192, 1)),
    "inception3b": ((128, 256, 1), (128, 256, 1), (192, 128, 3), (32, 256, 1), (96, 32, 3), (64, 256, 1)),
    "inception4a": ((192, 480, 1), (96, 480, 1), (208, 96, 3), (16, 480, 1), (48, 16, 3), (64, 480, 1)),
    "inception4b": ((160, 512, 1), (112, 512, 1), (224, 112, 3), (24, 512, 1), (64, 24, 3), (64, 512, 1)),
    "inception4c": ((128, 512, 1), (128, 512, 1), (256, 128, 3), (24, 512, 1), (64, 24, 3), (64, 512, 1)),
    "inception4d": ((112, 512, 1), (144, 512, 1), (288, 144, 3), (32, 512, 1), (64, 32, 3), (64, 512, 1)),
    "inception4e": ((256, 528, 1), (160, 528, 1), (320, 160, 3), (32, 528, 1), (128, 32, 3), (128, 528, 1)),
    "inception5a": ((256, 832, 1), (160, 832, 1), (320, 160, 3), (32, 832, 1), (128, 32, 3), (128, 832, 1)),
    "inception5b": ((384, 832, 1), (192, 832, 1), (384, 192, 3), (48, 832, 1), (128, 48, 3), (128, 832, 1)),
}
TOWERS = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")


def counts(model):
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return trainable, model.count_params() - trainable


def images(shape, count=2):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")


def randomise(model):
    """Weights for which every layer matters: running statistics as well, which fresh models have at 0 and 1."""
    draw = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([draw.uniform(0.5, 1.5, weight.shape) for weight in layer.weights])


def assert_same(ours, expected):
    ours, expected = (keras.ops.convert_to_numpy(x) for x in (ours, expected))
    assert np.abs(expected).max() > 1e-3  # something came through
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("inception_v1", {}, (6_998_552, 0)),  # BVLC's caffemodel without its heads
        ("inception_v1", {"auxiliary": True}, (13_378_280, 0)),
        ("inception_v1", {"batch_norm": True}, (6_624_904, 14_560)),  # torchvision: 6,624,904
        ("inception_v1", {"batch_norm": True, "auxiliary": True}, (13_004_888, 15_072)),  # torchvision: 13,004,888
        ("inception_v3", {}, (23_817_352, 34_432)),  # keras.applications: 23,851,784 together
        ("inception_v3", {"variant": "torch"}, (27_161_264 - 3_326_696, 34_432)),  # torchvision, without its head
        ("inception_v3", {"auxiliary": True}, (27_161_264 - 18_112, 36_224)),  # torchvision learns 18,112 scales, too
    ],
)
def test_counts(name, options, expected):
    assert counts(outline(lambda: zoo.build(name, **options))[0]) == expected
    card = zoo.info(name)
    assert options or (card.params, card.non_trainable_params) == expected


def test_table_1_of_v1():
    """The sizes and depths in the paper's table, and the weights of two of its rows: "112K" and "159K"."""
    model = zoo.build("inception_v1")
    rows = {
        "conv1": (112, 112, 64), "pool1": (56, 56, 64), "conv2": (56, 56, 192), "pool2": (28, 28, 192),
        "inception_3a": (28, 28, 256), "inception_3b": (28, 28, 480), "pool3": (14, 14, 480),
        "inception_4a": (14, 14, 512), "inception_4b": (14, 14, 512), "inception_4c": (14, 14, 512),
        "inception_4d": (14, 14, 528), "inception_4e": (14, 14, 832), "pool4": (7, 7, 832),
        "inception_5a": (7, 7, 832), "inception_5b": (7, 7, 1024), "mean": (1024,),
    }  # fmt: skip
    assert {name: model.get_layer(name).output.shape[1:] for name in rows} == rows
    kernels = {layer.name: int(np.prod(layer.kernel.shape)) for layer in model.layers if hasattr(layer, "kernel")}
    assert kernels["conv2_reduce"] + kernels["conv2"] == 114_688  # "112K", in units of 1,024
    assert sum(n for name, n in kernels.items() if name.startswith("inception_3a")) == 163_328  # "159K"


@pytest.mark.parametrize(
    ("shape", "options"), [((75, 107, 3), {"top": False}), pytest.param((299, 299, 3), {}, marks=pytest.mark.slow)]
)
def test_v3_equals_keras(shape, options):
    ours = zoo.build("inception_v3", input_shape=shape, **options)
    theirs = keras.applications.InceptionV3(
        weights=None, input_shape=shape, include_top=options.get("top", True), classifier_activation=None
    )
    assert [tuple(weight.shape) for weight in ours.weights] == [tuple(weight.shape) for weight in theirs.weights]
    randomise(theirs)
    ours.set_weights(theirs.get_weights())
    x = images(shape, count=1)
    assert_same(ours(x, training=False), theirs(x, training=False))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_v1_equals_pytorch(batch_norm):
    """The whole of v1 re-stated with torch.nn alone, after Table 1 and, with batch normalisation, after torchvision.

    torchvision itself can not be installed beside a CPU build of torch here; its auxiliary heads differ (they average
    over 4x4 overlapping windows in place of 5x5 at a stride of 3) and are left out.
    """
    torch = pytest.importorskip("torch")
    nn = torch.nn
    options = {"input_shape": (64, 96, 3), "num_classes": 10, "width": 0.25, "batch_norm": batch_norm}
    model = zoo.build("inception_v1", **options)
    randomise(model)

    def unit(x, name, stride=1, padding=None):
        layer = model.get_layer(name)
        kernel = torch.tensor(keras.ops.convert_to_numpy(layer.kernel).transpose(3, 2, 0, 1))
        padding = kernel.shape[-1] // 2 if padding is None else padding
        bias = None if batch_norm else torch.tensor(keras.ops.convert_to_numpy(layer.bias))
        x = nn.functional.conv2d(x, kernel, bias, stride=stride, padding=padding)
        if batch_norm:
            scale, shift, mean, variance = map(torch.tensor, model.get_layer(f"{name}_bn").get_weights())
            x = nn.functional.batch_norm(x, mean, variance, scale, shift, eps=1e-3)
        return x.relu()

    def norm(x):
        return x if batch_norm else nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)(x)

    def module(x, name):
        name = f"inception_{name}"
        towers = [
            unit(x, f"{name}_1x1"),
            unit(unit(x, f"{name}_3x3_reduce"), f"{name}_3x3"),
            unit(unit(x, f"{name}_5x5_reduce"), f"{name}_5x5"),
            unit(nn.functional.max_pool2d(x, 3, 1, 1), f"{name}_pool_proj"),
        ]
        return torch.cat(towers, 1)

    halve = nn.MaxPool2d(3, 2, ceil_mode=True)
    images_ = images(model.input_shape[1:])
    x = torch.tensor(images_.transpose(0, 3, 1, 2))
    x = norm(halve(unit(x, "conv1", stride=2, padding=3)))
    x = halve(norm(unit(unit(x, "conv2_reduce"), "conv2")))
    x = halve(module(module(x, "3a"), "3b"))
    for name in ("4a", "4b", "4c", "4d", "4e"):
        x = module(x, name)
    x = nn.MaxPool2d(2, 2, ceil_mode=True)(x) if batch_norm else halve(x)
    x = module(module(x, "5a"), "5b").mean((2, 3))
    head = model.get_layer("logits")
    expected = x @ torch.tensor(keras.ops.convert_to_numpy(head.kernel)) + torch.tensor(
        keras.ops.convert_to_numpy(head.bias)
    )
    assert_same(model(images_, training=False), expected)


def test_torchvision_googlenet_state_dict_fits():
    """Layer by layer, from the published shapes: torchvision itself is not needed, and not compared with here."""
    model = zoo.build("inception_v1", batch_norm=True, auxiliary=True)
    for module, kernels in TORCHVISION_GOOGLENET.items():
        for tower, (outputs, inputs, side) in zip(TOWERS, kernels, strict=True):
            kernel, bn = (
                model.get_layer(backbone_names.googlenet(f"{module}.{tower}.{kind}")) for kind in ("conv", "bn")
            )
            assert [tuple(w.shape) for w in kernel.weights] == [(side, side, inputs, outputs)], kernel.name
            assert [tuple(w.shape) for w in bn.weights] == [(outputs,)] * 4, bn.name
    stem = {
        "conv1.conv": (7, 7, 3, 64),
        "conv2.conv": (1, 1, 64, 64),
        "conv3.conv": (3, 3, 64, 192),
        "fc": (1024, 1000),
    }
    for name, shape in stem.items():
        assert tuple(model.get_layer(backbone_names.googlenet(name)).kernel.shape) == shape
    others = {
        "auxiliary1_conv": (1, 1, 512, 128), "auxiliary1_fc": (2048, 1024), "auxiliary1": (1024, 1000),
        "auxiliary2_conv": (1, 1, 528, 128), "auxiliary2_fc": (2048, 1024), "auxiliary2": (1024, 1000),
    }  # fmt: skip
    assert {name: tuple(model.get_layer(name).kernel.shape) for name in others} == others


def test_torchvision_inception_v3_state_dict_fits():
    """The 94 convolutions of torchvision's published `inception_v3` as (inputs, outputs, height, width), in its order.

    Its normalisations learn a scale as well, which can be folded into the kernel before it. Its average pools count the
    padding, those of keras.applications and here do not: with its weights, borders differ.
    """
    a = [(0, 64, 1, 1), (0, 48, 1, 1), (48, 64, 5, 5), (0, 64, 1, 1), (64, 96, 3, 3), (96, 96, 3, 3)]
    published = [(3, 32, 3, 3), (32, 32, 3, 3), (32, 64, 3, 3), (64, 80, 1, 1), (80, 192, 3, 3)]
    for inputs, projection in ((192, 32), (256, 64), (288, 64)):  # Mixed_5b, 5c, 5d
        published += [(n or inputs, *rest) for n, *rest in [*a, (0, projection, 1, 1)]]
    published += [(288, 384, 3, 3), (288, 64, 1, 1), (64, 96, 3, 3), (96, 96, 3, 3)]  # Mixed_6a
    for c in (128, 160, 160, 192):  # Mixed_6b .. 6e
        published += [(768, 192, 1, 1), (768, c, 1, 1), (c, c, 1, 7), (c, 192, 7, 1), (768, c, 1, 1)]
        published += [(c, c, 7, 1), (c, c, 1, 7), (c, c, 7, 1), (c, 192, 1, 7), (768, 192, 1, 1)]
    published += [(768, 192, 1, 1), (192, 320, 3, 3)]  # Mixed_7a
    published += [(768, 192, 1, 1), (192, 192, 1, 7), (192, 192, 7, 1), (192, 192, 3, 3)]
    for inputs in (1280, 2048):  # Mixed_7b, 7c
        published += [(inputs, 320, 1, 1), (inputs, 384, 1, 1), (384, 384, 1, 3), (384, 384, 3, 1)]
        published += [(inputs, 448, 1, 1), (448, 384, 3, 3), (384, 384, 1, 3), (384, 384, 3, 1), (inputs, 192, 1, 1)]
    # In the order in which the builder made them: Keras sorts `model.layers` by depth.
    made = {}
    original = keras.layers.Conv2D

    class Noted(original):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made[self.name] = self

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception.layers, "Conv2D", Noted)
        zoo.build("inception_v3")
    ours = [tuple(layer.kernel.shape) for layer in made.values()]
    assert ours == [(height, width, inputs, outputs) for inputs, outputs, height, width in published]


def test_a_learned_scale_folds_into_the_kernel():
    """How weights with scales (torchvision's) go into layers without: gamma times kernel and mean, the rest as is."""
    draw = np.random.default_rng(0)
    image = keras.Input((8, 8, 3))
    scaled = keras.Model(image, inception.convolution(image, 8, 3, scale=True, name="unit"))
    plain = keras.Model(image, inception.convolution(image, 8, 3, scale=False, name="unit"))
    kernel = draw.normal(size=(3, 3, 3, 8))
    gamma, beta, mean, variance = draw.uniform(0.5, 1.5, (4, 8))
    scaled.set_weights([kernel, gamma, beta, mean, variance])
    plain.set_weights([gamma * kernel, beta, gamma * mean, variance])
    assert_same(plain(images((8, 8, 3))), scaled(images((8, 8, 3))))


@pytest.mark.parametrize("name", ["inception_v1", "inception_v3"])
def test_heads_leave_the_trunk_as_it_is(name):
    """The weights of a model trained with heads, name by name, give the same logits in the model without."""
    options = {"width": 0.125, "num_classes": 10, "input_shape": zoo.info(name).inputs[0].shape}
    with_heads, without = zoo.build(name, auxiliary=True, **options), zoo.build(name, **options)
    randomise(with_heads)
    for layer in without.layers:
        layer.set_weights(with_heads.get_layer(layer.name).get_weights())
    x = images(options["input_shape"], count=1)
    logits = next(iter(with_heads.output))
    assert logits == without.layers[-1].name
    assert_same(without(x, training=False), with_heads(x, training=False)[logits])
    cut = keras.Model(with_heads.input, with_heads.output[logits])
    assert_same(cut(x, training=False), without(x, training=False))


@pytest.mark.slow
def test_heads_train_through_fit():
    """Each head's loss counts 0.3, and all of the network learns from the sum."""
    keras.utils.set_random_seed(0)
    model = zoo.build("inception_v1", auxiliary=True, width=0.125, num_classes=3, input_shape=(65, 65, 3))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    weights = {"logits": 1.0, **inception.AUXILIARY_WEIGHTS}
    model.compile(keras.optimizers.Adam(1e-3), loss=dict.fromkeys(model.output, loss), loss_weights=weights)
    x, y = images((65, 65, 3), count=6), np.array([0, 1, 2, 0, 1, 2])
    labels = dict.fromkeys(model.output, y)
    losses = model.evaluate(x, labels, verbose=0, return_dict=True)
    weighted = sum(weight * losses[f"{head}_loss"] for head, weight in weights.items())
    assert losses["loss"] == pytest.approx(weighted, rel=1e-5)
    before = [np.copy(weight) for weight in model.get_weights()]  # PyTorch hands out views
    model.fit(x, labels, epochs=15, verbose=0)
    assert all(np.any(old != new) for old, new in zip(before, model.get_weights()))
    assert model.evaluate(x, labels, verbose=0, return_dict=True)["loss"] < losses["loss"]


@pytest.mark.parametrize(
    ("name", "auxiliary", "smallest", "layer"),
    [
        ("inception_v1", False, 17, "pool4"),
        ("inception_v1", True, 65, "auxiliary1_pool"),
        ("inception_v3", False, 75, "mixed8_pool"),
        ("inception_v3", True, 299, "auxiliary_conv2"),
    ],
)
def test_the_smallest_image(name, auxiliary, smallest, layer, monkeypatch):
    options = {"width": 0.125, "num_classes": 10, "auxiliary": auxiliary}
    model = zoo.build(name, input_shape=(smallest, smallest, 3), **options)
    assert model.get_layer(layer).output.shape[1:3] == (1, 1)
    expected = f"^images of 320x{smallest - 1} .* {name}; expected at least {smallest}x{smallest}: resize them$"
    with pytest.raises(zoo.UsageError, match=expected):
        zoo.build(name, input_shape=(320, smallest - 1, 3), **options)
    monkeypatch.setattr(inception, "check_image", lambda *_: None)
    if (name, auxiliary) == ("inception_v1", False):  # padded: possible, but with one pixel before the last pool
        assert zoo.build(name, input_shape=(16, 16, 3), **options).get_layer(layer).input.shape[1:3] == (1, 1)
    else:
        with pytest.raises(ValueError, match=r"[Nn]egative|size of an axis|less than or equal to zero"):
            zoo.build(name, input_shape=(320, smallest - 1, 3), **options)


@pytest.mark.parametrize("name", ["inception_v1", "inception_v3"])
def test_heads_need_a_top(name):
    with pytest.raises(zoo.UsageError, match=r"^auxiliary=True with top=False; expected heads or maps: leave one"):
        zoo.build(name, auxiliary=True, top=False)


@pytest.mark.parametrize(("name", "last"), [("inception_v1", "inception_5b"), ("inception_v3", "mixed10")])
def test_cards_agree_with_builders(name, last):
    card = zoo.info(name)
    assert zoo.build(name, **card.tiny).count_params() < 1_000_000
    assert zoo.build(name, **card.tiny, top=False).layers[-1].name == last
    assert {recipe.name for recipe in card.recipes} >= {
        "demo", "fashion_mnist", "cifar10", "imagenette", "imagenet2012",
    }  # fmt: skip
    assert zoo.build(name, width=0.125).input_shape[1:] == card.inputs[0].shape


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inception_v1"])
def test_a_run_trains_the_heads_and_is_judged_by_the_main_one(name, tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 65, 65, 1), "uint8")
    data = tmp_path / "pictures.npz"
    np.savez(data, x_train=images, y_train=np.arange(24) % 3, x_test=images, y_test=np.arange(24) % 3)
    settings = dict(data=data, run=tmp_path / "run", epochs=1, batch_size=8, verbose=0, auxiliary=True, width=0.125)
    run = zoo.train(name, "imagenet2012", **settings)
    history = (run.path / "history.csv").read_text()
    assert "auxiliary1_loss" in history and "val_logits_accuracy" in history
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-6), "averaged weights are the ones that are saved"
    assert (run.path / "curves.png").exists()


def test_what_average_pools_count():
    """PyTorch's divide by nine at the edges as well."""
    image = keras.Input((3, 3, 1))
    ones = np.ones((1, 3, 3, 1), "float32")
    for padded, corner, edge in ((False, 1, 1), (True, 4 / 9, 6 / 9)):
        found = keras.Model(image, inception.average(image, f"pool_{padded}", padded=padded))(ones)
        np.testing.assert_allclose(
            np.asarray(keras.ops.convert_to_numpy(found))[0, 0, :2, 0], [corner, edge], rtol=1e-6
        )


def test_weights_of_torchvision_want_its_pools():
    names = ["Mixed_5b.branch_pool.conv", "Conv2d_1a_3x3.conv"]
    tiny = zoo.info("inception_v3").tiny
    with pytest.raises(zoo.UsageError, match="count the zeros around an image; build with variant='torch'"):
        converters.check_options(names, zoo.build("inception_v3", **tiny), "net.pth")
    converters.check_options(names, zoo.build("inception_v3", **tiny, variant="torch"), "net.pth")
