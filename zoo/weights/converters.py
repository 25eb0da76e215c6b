"""The layers of torchvision's and timm's state dicts under the names that they have here.

A converter takes the names of a state dict's layers (keys without ``.weight``, ``.bias``, ...) with the number of axes
of their kernels, and gives each its name here. None is a layer known to be of no use here: the heads that serve
training alone. A name that it does not know is left out, and the next converter is tried: which family a file is of
shows in its names.
"""

import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

# The weights of one layer: PyTorch's name, and ours.
NAMES = {
    "weight": ("kernel", "gamma"),  # the second for a batch normalisation
    "bias": ("bias", "beta"),
    "running_mean": ("moving_mean", "moving_mean"),
    "running_var": ("moving_variance", "moving_variance"),
}
BATCH_COUNTER = "num_batches_tracked"  # how many batches a normalisation has seen; not used here

ALEXNET = {  # torchvision's `alexnet`
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3",
    "features.8": "conv4",
    "features.10": "conv5",
    "classifier.1": "fc6",
    "classifier.4": "fc7",
    "classifier.6": "logits",
}
GOOGLENET_STEM = {"conv1": "conv1", "conv2": "conv2_reduce", "conv3": "conv2"}  # torchvision's `googlenet`
GOOGLENET_TOWERS = {
    "branch1": "1x1",
    "branch2.0": "3x3_reduce",
    "branch2.1": "3x3",
    "branch3.0": "5x5_reduce",
    "branch3.1": "5x5",
    "branch4.1": "pool_proj",
}


def alexnet(layer: str) -> str | None:
    """
    >>> alexnet("features.3"), alexnet("classifier.6")
    ('conv2', 'logits')
    """
    return ALEXNET[layer]


def resnet(layer: str) -> str | None:
    """Of torchvision and of timm, which names layers alike.

    >>> resnet("layer1.0.conv2"), resnet("layer3.0.downsample.1"), resnet("bn1"), resnet("fc")
    ('conv2_block1_2_conv', 'conv4_block1_0_bn', 'conv1_bn', 'logits')
    """
    if layer == "fc":
        return "logits"
    if stem := re.fullmatch(r"(conv|bn)1", layer):
        return f"conv1_{stem[1]}"
    layer = layer.replace("downsample.0", "conv0").replace("downsample.1", "bn0")
    stage, block, kind, number = groups(r"layer([1-4])\.(\d+)\.(conv|bn)([0-3])", layer)
    return f"conv{int(stage) + 1}_block{int(block) + 1}_{number}_{kind}"


def googlenet(layer: str) -> str | None:
    """torchvision's, with batch normalisation. Its auxiliary heads pool otherwise than the paper's: they are not used.

    >>> googlenet("inception4a.branch2.1.bn"), googlenet("conv2.conv"), googlenet("aux1.fc1")
    ('inception_4a_3x3_bn', 'conv2_reduce', None)
    """
    if layer == "fc":
        return "logits"
    if layer.startswith(("aux1.", "aux2.")):
        return None
    unit, _, kind = layer.rpartition(".")
    ending = {"conv": "", "bn": "_bn"}[kind]
    if unit in GOOGLENET_STEM:
        return GOOGLENET_STEM[unit] + ending
    module, tower = groups(r"inception(\d[a-e])\.(.*)", unit)
    return f"inception_{module}_{GOOGLENET_TOWERS[tower]}{ending}"


def groups(pattern: str, layer: str) -> tuple[str, ...]:
    """The groups of a pattern in a layer's name; a KeyError if it does not match, as for a name in no table."""
    found = re.fullmatch(pattern, layer)
    if found is None:
        raise KeyError(layer)
    return found.groups()


CONVERTERS: Mapping[str, Callable[[str], str | None]] = {"AlexNet": alexnet, "ResNet": resnet, "GoogLeNet": googlenet}


def converted(layers: Iterable[str]) -> dict[str, str | None] | None:
    """The names here of a state dict's layers, by the first converter that knows them all."""
    layers = list(layers)
    for converter in CONVERTERS.values():
        try:
            return {layer: converter(layer) for layer in layers}
        except KeyError:
            continue
    return None


def kernel_converter(maps: tuple[int, ...] | None) -> Callable[[np.ndarray], np.ndarray]:
    """A function that turns a kernel of PyTorch's, outputs first, into one of Keras's.

    Args:
        maps: (height, width, channels) of the maps that a dense layer reads through a Flatten, which PyTorch lays out
            channel by channel; None for any other layer.

    >>> kernel_converter(None)(np.zeros((64, 3, 7, 5))).shape
    (7, 5, 3, 64)
    >>> kernel_converter((2, 2, 3))(np.arange(12)[None])[:4, 0]  # the three channels of the first pixel, then ...
    array([0, 4, 8, 1])
    """

    def convert(kernel: np.ndarray) -> np.ndarray:
        if kernel.ndim > 2:
            return kernel.transpose(*range(2, kernel.ndim), 1, 0)
        if maps is None:
            return kernel.T
        height, width, channels = maps
        return kernel.reshape(-1, channels, height, width).transpose(2, 3, 1, 0).reshape(height * width * channels, -1)

    return convert
