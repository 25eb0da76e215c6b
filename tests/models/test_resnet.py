"""ResNet against keras.applications, against a second statement in PyTorch, and against arithmetic by hand."""

import keras
import numpy as np
import pytest
from subjects import outline

import zoo
from zoo.models import resnet
from zoo.recipes.resnet import PAPER_SGD

IMAGENET = {
    "resnet18": ("basic", (2, 2, 2, 2)),
    "resnet34": ("basic", (3, 4, 6, 3)),
    "resnet50": ("bottleneck", (3, 4, 6, 3)),
    "resnet101": ("bottleneck", (3, 4, 23, 3)),
    "resnet152": ("bottleneck", (3, 8, 36, 3)),
}
SMALL = [f"resnet{depth}" for depth in (20, 32, 44, 56, 110)] + [f"plain{depth}" for depth in (20, 32, 44, 56)]


def images(size, count=2, channels=3):
    return np.random.default_rng(0).normal(size=(count, size, size, channels)).astype("float32")


def randomise(model):
    """Weights of a scale that keeps the signal alive, and running statistics far from their initial 0 and 1."""
    chance = np.random.default_rng(1)
    weights = []
    for weight in model.weights:
        shape = tuple(weight.shape)
        if weight.name == "kernel":
            weights.append(chance.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))
        elif weight.name in ("gamma", "moving_variance"):
            weights.append(chance.uniform(0.5, 1.5, shape))
        else:  # biases, beta, moving_mean
            weights.append(chance.normal(0, 0.3, shape))
    model.set_weights(weights)


def assert_close(ours, theirs, relative=1e-5):
    """The largest difference, as a fraction of the largest value."""
    assert ours.shape == theirs.shape
    assert np.isfinite(theirs).all() and np.abs(theirs).max() > 1e-3
    assert np.abs(ours - theirs).max() <= relative * np.abs(theirs).max()


# Counts


def count(kind, blocks, width, stem, classes, channels=3, bias=0, projections=True):
    """(trainable, running statistics), from the sizes of the layers alone."""
    trainable = statistics = 0
    maps = width

    def convolution(size, before, after):
        nonlocal trainable, statistics
        trainable += size * size * before * after + bias * after + 2 * after
        statistics += 2 * after

    convolution(stem, channels, width)
    for stage, number in enumerate(blocks):
        filters = width * 2**stage
        out = filters * (4 if kind == "bottleneck" else 1)
        for _ in range(number):
            if maps != out and projections:
                convolution(1, maps, out)
            sizes = [(1, maps, filters), (3, filters, filters), (1, filters, out)]
            for sizes_of_one in sizes if kind == "bottleneck" else [(3, maps, out), (3, out, out)]:
                convolution(*sizes_of_one)
            maps = out
    return trainable + (maps + 1) * classes, statistics


def counted(model):
    return tuple(
        sum(int(np.prod(weight.shape)) for weight in weights)
        for weights in (model.trainable_weights, model.non_trainable_weights)
    )


@pytest.mark.parametrize("name", IMAGENET)
def test_card_counts_for_imagenet(name):
    kind, blocks = IMAGENET[name]
    card = zoo.info(name)
    expected = count(kind, blocks, 64, 7, 1000, bias=kind == "bottleneck")
    assert (card.params, card.non_trainable_params) == expected
    if name in ("resnet18", "resnet34", "resnet50"):  # the deeper two are built in the slow parity test
        assert counted(outline(zoo.builder(name))[0]) == expected


@pytest.mark.parametrize("name", SMALL)
def test_card_counts_for_cifar(name):
    depth = int(name.removeprefix("resnet").removeprefix("plain"))
    card = zoo.info(name)
    expected = count("basic", 3 * [(depth - 2) // 6], 16, 3, 10, projections=False)
    assert (card.params, card.non_trainable_params) == expected == counted(zoo.build(name))
    paper = {20: "0.27", 32: "0.46", 44: "0.66", 56: "0.85", 110: "1.7"}[depth]  # Table 6, in millions
    assert f"{card.params / 1e6:.{len(paper) - 2}f}" == paper


def test_without_biases_resnet50_has_torchvision_s_count():
    assert counted(zoo.build("resnet50", use_bias=False))[0] == 25_557_032


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet32", "plain44"])
def test_the_name_says_how_many_layers_have_weights(name):
    blocks = zoo.builder(name).__kwdefaults__["blocks"]
    model = zoo.build(name, width=4)
    chain = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense) and not layer.name.endswith("_0_conv")
    ]
    assert len(chain) == int(name.removeprefix("resnet").removeprefix("plain"))
    assert [sum(layer.name.startswith(f"conv{s + 2}_") and layer.name.endswith("_out") for layer in model.layers)
            for s in range(len(blocks))] == list(blocks)  # fmt: skip


# Parity with keras.applications


def same_as_keras(ours, theirs, size):
    randomise(theirs)
    assert [w.path for w in ours.weights] == [w.path.replace("predictions", "logits") for w in theirs.weights]
    ours.set_weights(theirs.get_weights())
    x = images(size)
    assert_close(ours.predict(x, verbose=0), theirs.predict(x, verbose=0))


def test_resnet50_is_keras_applications_resnet50():
    theirs = keras.applications.ResNet50(weights=None, input_shape=(75, 75, 3), classifier_activation=None)
    same_as_keras(zoo.build("resnet50", input_shape=(75, 75, 3)), theirs, 75)  # odd sizes: 75, 38, 19, 10, 5, 3


@pytest.mark.slow
def test_resnet50_without_top():
    theirs = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), include_top=False)
    same_as_keras(zoo.build("resnet50", input_shape=(64, 64, 3), top=False), theirs, 64)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, theirs", [("resnet50", "ResNet50"), ("resnet101", "ResNet101"), ("resnet152", "ResNet152")]
)
def test_full_size_is_keras_applications(name, theirs):
    theirs = getattr(keras.applications, theirs)(weights=None, classifier_activation=None)
    ours = zoo.build(name)
    assert counted(ours) == (zoo.info(name).params, zoo.info(name).non_trainable_params)
    same_as_keras(ours, theirs, 224)


# Parity with a second statement. torchvision itself cannot be installed beside the PyTorch this project tests with, so
# the networks are said again in torch.nn, under the names and shapes of torchvision's published state dicts.


def torch_resnet(kind, blocks):
    torch = pytest.importorskip("torch")
    nn = torch.nn

    def convolution(before, after, size, stride):
        return nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)

    class Block(nn.Module):
        def __init__(self, before, filters, stride):
            super().__init__()
            out = filters * (4 if kind == "bottleneck" else 1)
            recipe = {
                "basic": [(before, filters, 3, stride), (filters, out, 3, 1)],
                "bottleneck": [(before, filters, 1, 1), (filters, filters, 3, stride), (filters, out, 1, 1)],
            }[kind]
            self.length = len(recipe)
            for i, sizes in enumerate(recipe, 1):
                setattr(self, f"conv{i}", convolution(*sizes))
                setattr(self, f"bn{i}", nn.BatchNorm2d(sizes[1]))
            if stride > 1 or before != out:
                self.downsample = nn.Sequential(convolution(before, out, 1, stride), nn.BatchNorm2d(out))

        def forward(self, x):
            skip = self.downsample(x) if hasattr(self, "downsample") else x
            for i in range(1, self.length + 1):
                x = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x))
                x = torch.relu(x if i < self.length else x + skip)
            return x

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = convolution(3, 64, 7, 2), nn.BatchNorm2d(64)
            before = 64
            for stage, number in enumerate(blocks):
                row = []
                for i in range(number):
                    row.append(Block(before, 64 * 2**stage, 2 if stage and not i else 1))
                    before = 64 * 2**stage * (4 if kind == "bottleneck" else 1)
                setattr(self, f"layer{stage + 1}", nn.Sequential(*row))
            self.fc = nn.Linear(before, 1000)

        def forward(self, x):
            x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
            for stage in range(len(blocks)):
                x = getattr(self, f"layer{stage + 1}")(x)
            return self.fc(x.mean((2, 3)))

    return Network().eval()


PUBLISHED = {  # entries of the state dict, and some of their shapes
    "resnet18": (
        122,
        {
            "conv1.weight": (64, 3, 7, 7),
            "layer1.0.conv1.weight": (64, 64, 3, 3),
            "layer2.0.downsample.0.weight": (128, 64, 1, 1),
            "layer2.0.downsample.1.running_var": (128,),
            "layer4.1.conv2.weight": (512, 512, 3, 3),
            "fc.weight": (1000, 512),
        },
    ),
    "resnet50": (
        320,
        {
            "conv1.weight": (64, 3, 7, 7),
            "layer1.0.downsample.0.weight": (256, 64, 1, 1),
            "layer2.0.conv1.weight": (128, 256, 1, 1),
            "layer3.5.conv2.weight": (256, 256, 3, 3),
            "layer4.2.conv3.weight": (2048, 512, 1, 1),
            "fc.weight": (1000, 2048),
        },
    ),
}


@pytest.mark.parametrize("name, options", [("resnet18", {}), ("resnet50", {"stride_in": "3x3", "use_bias": False})])
def test_same_as_the_torch_statement(name, options, tmp_path):
    """Its state dict, in a file as PyTorch writes it, through the converter."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = torch_resnet(*IMAGENET[name])
    entries, shapes = PUBLISHED[name]
    with torch.no_grad():
        for module in theirs.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
        state = {key: tensor.cpu() for key, tensor in theirs.state_dict().items()}
        torch.save(state, tmp_path / f"{name}.pth")
        assert len(state) == entries
        assert {key: tuple(state[key].shape) for key in shapes} == shapes
        x = images(64)
        expected = theirs(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy()
    ours = zoo.build(name, input_shape=(64, 64, 3), weights=tmp_path / f"{name}.pth", **options)
    assert_close(ours.predict(x, verbose=0), expected)


# What is special in the paper


def test_option_a_takes_every_second_pixel_and_adds_empty_channels():
    image = keras.Input((5, 6, 3))
    block = keras.Model(image, resnet.residual(image, 8, 2, "b"))
    block.set_weights([np.zeros_like(w) if "conv" in v.path else w for v, w in zip(block.weights, block.get_weights())])
    x = np.abs(images(6)[:, :5])
    expected = np.zeros((2, 3, 3, 8), "float32")
    expected[..., :3] = x[:, ::2, ::2]
    np.testing.assert_array_equal(block.predict(x, verbose=0), expected)  # F(x) is 0, so y = relu(shortcut)


def test_plain_is_residual_without_the_shortcut():
    residual, plain = zoo.build("resnet20"), zoo.build("plain20")
    assert [w.path for w in residual.weights] == [w.path for w in plain.weights]
    assert not any(isinstance(layer, keras.layers.Add) for layer in plain.layers)
    assert sum(isinstance(layer, keras.layers.Add) for layer in residual.layers) == 9
    plain.set_weights(
        [np.zeros_like(w) if "conv4" in v.path else w for v, w in zip(residual.weights, residual.get_weights())]
    )
    assert np.ptp(plain.predict(images(32), verbose=0), axis=0).max() == 0  # cut at conv4, nothing arrives


def test_stride_sits_where_the_option_says():
    def halving(model):
        return {layer.name for layer in model.layers if getattr(layer, "strides", None) == (2, 2)}

    options = {"input_shape": (64, 64, 3), "width": 8, "blocks": (1, 1, 1, 1)}
    first, second = (halving(zoo.build("resnet50", stride_in=where, **options)) for where in ("1x1", "3x3"))
    assert first - second == {f"conv{stage}_block1_1_conv" for stage in (3, 4, 5)}
    assert second - first == {f"conv{stage}_block1_2_conv" for stage in (3, 4, 5)}
    with pytest.raises(zoo.UsageError, match="stride_in is '2x2'; expected '1x1'"):
        zoo.build("resnet50", stride_in="2x2")


@pytest.mark.parametrize(
    "name, smallest, options",
    [
        ("resnet18", 32, {"width": 4}),
        ("resnet50", 32, {"width": 4}),
        ("resnet18", 8, {"width": 4, "stem": "3x3"}),
        ("resnet20", 4, {}),
        ("plain20", 4, {}),
    ],
)
def test_smallest_image(name, smallest, options):
    body = zoo.build(name, input_shape=(smallest, smallest + 1, 3), top=False, **options)
    assert body.output_shape[1] == 1
    zoo.build(name, input_shape=(smallest, smallest, 3), **options)
    with pytest.raises(
        zoo.UsageError, match=f"{smallest - 1}x99 run out of pixels in {name}; .* {smallest}x{smallest}"
    ) as error:
        zoo.build(name, input_shape=(smallest - 1, 99, 3), **options)
    assert "\n" not in str(error.value)


def test_options():
    with pytest.raises(zoo.UsageError, match="stem is '5x5'; expected '7x7'"):
        zoo.build("resnet18", stem="5x5")
    model = zoo.build("resnet18", input_shape=(None, None, 1), width=4, num_classes=7, dropout=0.5, name="mine")
    assert (model.name, model.output_shape, model.get_layer("dropout").rate) == ("mine", (None, 7), 0.5)
    assert zoo.build("resnet20", input_shape=(30, 28, 1), top=False).output_shape == (None, 8, 7, 64)


def test_weight_decay_of_the_recipes_is_the_paper_s():
    """L2 of 1e-4 that passes through a momentum of .9 against Keras's decay beside it, with no other gradient."""
    sgd = keras.optimizers.SGD(0.1, **PAPER_SGD)
    weight = keras.Variable(1.0)
    sgd.apply([keras.ops.zeros(())], [weight])
    keras_s = float(keras.ops.convert_to_numpy(weight))  # what one step leaves of a weight
    paper_s, velocity = 1.0, 0.0
    for _ in range(1000):
        velocity = 0.9 * velocity - 0.1 * 1e-4 * paper_s
        paper_s += velocity
    assert keras_s**1000 == pytest.approx(paper_s, rel=0.01)
    assert paper_s == pytest.approx(np.exp(-0.1), rel=0.01)
