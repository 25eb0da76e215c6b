"""AlexNet against its paper's counts, and against re-statements in plain PyTorch."""

import keras
import numpy as np
import pytest
from subjects import outline

import zoo
from zoo.models import alexnet
from zoo.weights import converters

# The entries of torchvision's published state dict of `alexnet`: kernels are (outputs, inputs, height, width).
TORCHVISION_ALEXNET = {
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
    "classifier.1": (4096, 9216),
    "classifier.4": (4096, 4096),
    "classifier.6": (1000, 4096),
}


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [("alexnet", {}, 60_965_224), ("alexnet", {"groups": 1}, 62_378_344), ("alexnet_owt", {}, 61_100_840)],
)
def test_counts(name, options, count):
    assert trainable(outline(lambda: zoo.build(name, **options))[0]) == count
    assert options or zoo.info(name).params == count


def test_the_table_of_the_docstring():
    model = zoo.build("alexnet", width=0.25)
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    assert [shapes[f"pool{n}"] for n in (1, 2, 5)] == [(27, 27, 24), (13, 13, 64), (6, 6, 64)]
    assert shapes["conv1"] == (55, 55, 24)


@pytest.mark.parametrize("kernel", [3, 5])
def test_grouped_convolution_equals_keras(kernel):
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 6)).astype("float32")
    options = {"groups": 2, "padding": "same", "activation": "relu", "name": "conv"}
    ours, theirs = alexnet.GroupedConv2D(8, kernel, **options), keras.layers.Conv2D(8, kernel, **options)
    ours.build(x.shape)
    theirs.build(x.shape)
    ours.set_weights([np.random.default_rng(1).normal(size=weight.shape) for weight in theirs.get_weights()])
    theirs.set_weights(ours.get_weights())
    assert ours.get_config() == theirs.get_config()
    ours, theirs = (keras.ops.convert_to_numpy(layer(x)) for layer in (ours, theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_groups_see_their_own_half_only():
    """A change in the second card's maps leaves the first card's maps of the next layer alone."""
    layer = alexnet.GroupedConv2D(8, 3, groups=2)
    x = np.ones((1, 5, 5, 6), "float32")
    before = keras.ops.convert_to_numpy(layer(x))
    x[..., 3:] = 2.0
    after = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_array_equal(after[..., :4], before[..., :4])
    assert np.all(after[..., 4:] != before[..., 4:])


def assert_same_logits(model, network, torch, folder):
    """`network`, under the names of torchvision's state dict, through a file and the converter."""
    network.eval()
    weighted = [m for m in network if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    state = {
        f"{layer}.{name}": value
        for layer, module in zip(TORCHVISION_ALEXNET, weighted, strict=True)
        for name, value in module.state_dict().items()
    }
    torch.save(state, folder / "network.pth")
    zoo.load_weights(model, folder / "network.pth")
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype("float32")
    with torch.no_grad():
        expected = network(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    ours = keras.ops.convert_to_numpy(model(x, training=False))
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("groups", [1, 2])
def test_equals_pytorch(groups, tmp_path):
    """The 2012 network written with torch.nn alone: grouped convolutions, LocalResponseNorm, overlapping pools."""
    torch = pytest.importorskip("torch")
    nn = torch.nn

    def norm():
        return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)  # torch divides alpha by 5

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 24, 11, stride=4), nn.ReLU(), norm(), nn.MaxPool2d(3, 2),
        nn.Conv2d(24, 64, 5, padding=2, groups=groups), nn.ReLU(), norm(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 96, 3, padding=1), nn.ReLU(),
        nn.Conv2d(96, 96, 3, padding=1, groups=groups), nn.ReLU(),
        nn.Conv2d(96, 64, 3, padding=1, groups=groups), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Flatten(), nn.Linear(64 * 36, 1024), nn.ReLU(), nn.Dropout(), nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout(),
        nn.Linear(1024, 10),
    )  # fmt: skip
    for layer in network:
        if isinstance(layer, nn.Conv2d):
            layer.weight.data.mul_(10)  # activities in the hundreds, or response normalisation would do nothing
    assert_same_logits(zoo.build("alexnet", width=0.25, groups=groups, num_classes=10), network, torch, tmp_path)


def test_owt_equals_pytorch(tmp_path):
    """torchvision's `alexnet` re-stated with torch.nn alone, at a quarter of the width."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(16, 48, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(48, 96, 3, padding=1), nn.ReLU(), nn.Conv2d(96, 64, 3, padding=1), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d(6),
        nn.Flatten(), nn.Dropout(), nn.Linear(64 * 36, 1024), nn.ReLU(), nn.Dropout(), nn.Linear(1024, 1024), nn.ReLU(),
        nn.Linear(1024, 10),
    )  # fmt: skip
    assert_same_logits(zoo.build("alexnet_owt", width=0.25, num_classes=10), network, torch, tmp_path)


def test_torchvision_state_dict_fits():
    """Layer by layer, from the published shapes: torchvision itself is not needed, and not compared with here."""
    model = zoo.build("alexnet_owt")
    assert list(converters.ALEXNET.values()) == [layer.name for layer in model.layers if layer.weights]
    for key, shape in TORCHVISION_ALEXNET.items():
        layer = model.get_layer(converters.alexnet(key))
        kernel = tuple(shape[i] for i in ((2, 3, 1, 0) if len(shape) == 4 else (1, 0)))
        assert [tuple(weight.shape) for weight in layer.weights] == [kernel, (shape[0],)], layer.name


@pytest.mark.parametrize(("name", "smallest"), [("alexnet", 67), ("alexnet_owt", 63)])
def test_the_smallest_image(name, smallest, monkeypatch):
    options = {"width": 0.0625, "num_classes": 10}
    assert zoo.build(name, input_shape=(smallest, smallest, 3), **options).get_layer("pool5").output.shape[1:3] == (
        1,
        1,
    )
    expected = f"^images of {smallest - 1}x99 .* {name}; expected at least {smallest}x{smallest}: resize them$"
    with pytest.raises(zoo.UsageError, match=expected):
        zoo.build(name, input_shape=(smallest - 1, 99, 3), **options)
    monkeypatch.setattr(alexnet, "check_image", lambda *_: None)
    with pytest.raises(ValueError, match=r"[Nn]egative|size of an axis|less than or equal to zero"):  # truly impossible
        zoo.build(name, input_shape=(smallest - 1, 99, 3), **options)


@pytest.mark.parametrize("name", ["alexnet", "alexnet_owt"])
def test_without_top(name):
    whole = zoo.build(name, **zoo.info(name).tiny)
    body = zoo.build(name, **zoo.info(name).tiny, top=False)
    assert body.layers[-1].name == "pool5"
    assert [layer.name for layer in body.layers] == [layer.name for layer in whole.layers[: len(body.layers)]]


def test_cards_agree_with_builders():
    for name in zoo.list_models("alexnet*"):
        card = zoo.info(name)
        assert zoo.build(name, **card.tiny).count_params() < 1_000_000
        assert {recipe.name for recipe in card.recipes} >= {
            "demo", "fashion_mnist", "cifar10", "imagenette", "imagenet2012",
        }  # fmt: skip
        assert zoo.build(name, width=0.0625).input_shape[1:] == card.inputs[0].shape
