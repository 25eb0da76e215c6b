"""State dicts of PyTorch: from networks written in PyTorch as torchvision has them, and as people save them."""

import keras
import numpy as np
import pytest

import zoo
from zoo.weights import converters

torch = pytest.importorskip("torch")
nn = torch.nn

RNG = np.random.default_rng(0)


def randomised(model):
    """Numbers in place of the statistics and biases that a fresh network has at 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    for key, value in model.state_dict().items():
        if key.endswith(("running_var", "bn.weight")):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.dtype.is_floating_point and value.ndim == 1:
            value.copy_(torch.randn(value.shape, generator=generator) / 10)
    return model.eval()


def logits(model, x):
    """Of PyTorch's model for images or clips with channels last."""
    with torch.no_grad():
        return model(torch.from_numpy(x).movedim(-1, 1)).numpy()


def vgg(batch_norm, width=8):
    """torchvision's `vgg11` and `vgg11_bn`, an eighth as wide, for 32 x 32 pixels."""
    found, before = [], 3
    for block, count in enumerate((1, 1, 2, 2, 2)):
        for _ in range(count):
            filters = width * min(2**block, 8)
            found += [nn.Conv2d(before, filters, 3, padding=1), *[nn.BatchNorm2d(filters)] * batch_norm, nn.ReLU()]
            before = filters
        found.append(nn.MaxPool2d(2))
    model = nn.Module()
    model.features = nn.Sequential(*found)
    units = 64 * width
    model.classifier = nn.Sequential(
        nn.Linear(8 * width, units), nn.ReLU(), nn.Dropout(), nn.Linear(units, units), nn.ReLU(), nn.Dropout(),
        nn.Linear(units, 5),
    )  # fmt: skip
    model.forward = lambda x: model.classifier(model.features(x).flatten(1))
    return randomised(model)


class VideoBlock(nn.Module):
    """torchvision's `BasicBlock` of `r3d_18`, or, `factored`, of `r2plus1d_18`."""

    def __init__(self, before, filters, stride, factored):
        super().__init__()
        middle = before * filters * 27 // (9 * before + 3 * filters)

        def conv(inputs, stride):
            if not factored:
                return nn.Conv3d(inputs, filters, 3, stride, 1, bias=False)
            return nn.Sequential(
                nn.Conv3d(inputs, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
                nn.BatchNorm3d(middle),
                nn.ReLU(),
                nn.Conv3d(middle, filters, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
            )

        self.conv1 = nn.Sequential(conv(before, stride), nn.BatchNorm3d(filters), nn.ReLU())
        self.conv2 = nn.Sequential(conv(filters, 1), nn.BatchNorm3d(filters))
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv3d(before, filters, 1, stride, bias=False), nn.BatchNorm3d(filters))

    def forward(self, x):
        skip = self.downsample(x) if hasattr(self, "downsample") else x
        return torch.relu(self.conv2(self.conv1(x)) + skip)


def video(factored, width=8):
    model = nn.Module()
    middle = 45 * width // 64
    stem = nn.Conv3d(3, width, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
    space = nn.Conv3d(3, middle, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False)
    time = nn.Conv3d(middle, width, (3, 1, 1), 1, (1, 0, 0), bias=False)
    model.stem = nn.Sequential(
        *([space, nn.BatchNorm3d(middle), nn.ReLU(), time] if factored else [stem]), nn.BatchNorm3d(width), nn.ReLU()
    )
    stages = []
    for number in range(4):
        sizes = (width * 2 ** max(number - 1, 0), width * 2**number, 1 + (number > 0), factored)
        stages.append(nn.Sequential(VideoBlock(*sizes)))
        setattr(model, f"layer{number + 1}", stages[-1])
    model.fc = nn.Linear(8 * width, 5)
    model.forward = lambda x: model.fc(nn.Sequential(model.stem, *stages)(x).mean((2, 3, 4)))
    return randomised(model)


IMAGES = RNG.normal(size=(2, 32, 32, 3)).astype("float32")
CLIPS = RNG.normal(size=(2, 4, 24, 24, 3)).astype("float32")
VIDEO = {"input_shape": CLIPS.shape[1:], "width": 8, "blocks": (1, 1, 1, 1)}
NETWORKS = {
    "vgg11": (lambda: vgg(False), IMAGES, {"input_shape": (32, 32, 3), "width": 0.125}),
    "vgg11_bn": (lambda: vgg(True), IMAGES, {"input_shape": (32, 32, 3), "width": 0.125, "batch_norm": True}),
    "r3d_18": (lambda: video(False), CLIPS, VIDEO),
    "r2plus1d_18": (lambda: video(True), CLIPS, VIDEO),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_those_of_pytorch(name, tmp_path):
    make, x, options = NETWORKS[name]
    theirs = make()
    torch.save(theirs.state_dict(), tmp_path / "net.pth")
    ours = zoo.build(name.removesuffix("_bn"), **options, weights=tmp_path / "net.pth")
    expected = logits(theirs, x)
    found = keras.ops.convert_to_numpy(ours(x, training=False))
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("blocks", converters.VGG_BLOCKS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_every_vgg_has_its_table(blocks, batch_norm):
    table = converters.vgg(blocks, batch_norm)
    assert converters.converted(table) == table
    name = f"vgg{sum(blocks) + 3}"
    layers = zoo.build(name, input_shape=(32, 32, 3), width=0.125, batch_norm=batch_norm).layers
    assert sorted(table.values()) == sorted(layer.name for layer in layers if layer.weights)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1}},
        lambda state: {"model": state},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {"model_state_dict": {f"_orig_mod.{key}": value for key, value in state.items()}},
    ],
    ids=["state_dict", "model", "DataParallel", "compiled"],
)
def test_checkpoints_as_people_write_them(wrap, tmp_path):
    make, _, options = NETWORKS["vgg11"]
    state = make().state_dict()
    torch.save(wrap(state), tmp_path / "net.pth")
    ours = zoo.build("vgg11", **options, weights=tmp_path / "net.pth")
    bias = keras.ops.convert_to_numpy(ours.get_layer("predictions").bias)
    np.testing.assert_array_equal(bias, state["classifier.6.bias"].numpy())


def test_a_pickled_module_is_called_so(tmp_path):
    torch.save(VideoBlock(3, 8, 1, False), tmp_path / "net.pth")
    with pytest.raises(zoo.UsageError, match=r"holds objects of Python \(\S*VideoBlock\).*expected a state dict alone"):
        zoo.build("r3d_18", **VIDEO, weights=tmp_path / "net.pth")


def test_options_that_torchvision_s_resnets_want_are_named(tmp_path):
    """Without stride_in every array fits, and the logits are wrong."""
    small = {"input_shape": (32, 32, 3), "width": 4, "blocks": (1, 1, 1, 1), "num_classes": 5}
    names = {"layer2.0.conv3.weight": torch.zeros(1), "layer2.0.downsample.0.weight": torch.zeros(1)}
    torch.save(names, tmp_path / "net.pth")
    for options in ({}, {"use_bias": False}, {"stride_in": "3x3"}):
        with pytest.raises(zoo.UsageError, match="build with stride_in='3x3', use_bias=False"):
            zoo.build("resnet50", **small, **options, weights=tmp_path / "net.pth")
