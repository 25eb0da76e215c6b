"""The layers of torchvision's and timm's state dicts under the names that they have here.

A converter takes the names of a state dict's layers (keys without ``.weight``, ``.bias``, ...) with the number of axes
of their kernels, and gives each its name here. None is a layer known to be of no use here: the heads that serve
training alone. A name that it does not know is left out, and the next converter is tried: which family a file is of
shows in its names.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from keras import layers

from zoo.errors import UsageError
from zoo.weights import backbone_names
from zoo.weights.backbone_names import groups
from zoo.weights.checkpoint import Tensor

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
VGG_BLOCKS = ((1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4))  # convolutions: VGG-11 to VGG-19
VGG_TOP = {"classifier.0": "fc1", "classifier.3": "fc2", "classifier.6": "predictions"}
VIDEO_STEMS = {  # torchvision's `r3d_18` and `mc3_18`; then `r2plus1d_18`, whose convolutions are of space and of time
    False: {"0": "conv", "1": "bn"},
    True: {"0": "space_conv", "1": "space_bn", "3": "time_conv", "4": "time_bn"},
}
VIDEO_PARTS = {
    False: {"0": "conv", "1": "bn"},
    True: {"0.0": "space_conv", "0.1": "space_bn", "0.3": "time_conv", "1": "bn"},
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


def vgg(blocks: Sequence[int], batch_norm: bool) -> dict[str, str]:
    """Of torchvision, which numbers everything between two pools, the ReLUs as well.

    >>> [layer for layer in vgg((2, 2, 3, 3, 3), batch_norm=False)][:4]
    ['features.0', 'features.2', 'features.5', 'features.7']
    """
    table, position = dict[str, str](), 0
    for block, count in enumerate(blocks, start=1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            table[f"features.{position}"] = name
            if batch_norm:
                table[f"features.{position + 1}"] = f"{name}_bn"
            position += 3 if batch_norm else 2
        position += 1
    return table | VGG_TOP


SSD_FC = {"7.1": "fc6", "7.3": "fc7"}  # torchvision's `ssd300_vgg16`: behind the fifth block, in its place in a list
SSD_BLOCK5 = {"1": "block5_conv1", "3": "block5_conv2", "5": "block5_conv3"}
SSD_HEADS = {"classification": "classes", "regression": "offsets"}
SSD_SOURCES = ("block4", "fc7", "conv8", "conv9", "conv10", "conv11")


def ssd(layer: str) -> str | None:
    """torchvision's `ssd300_vgg16`.

    >>> ssd("backbone.features.21"), ssd("backbone.extra.0.7.1"), ssd("backbone.extra.2.0")
    ('block4_conv3', 'fc6', 'conv9_1')
    >>> ssd("backbone.scale_weight"), ssd("head.classification_head.module_list.5")
    ('norm4', 'conv11_classes')
    """
    if layer == "backbone.scale_weight":
        return "norm4"
    if layer.startswith("backbone.features."):
        return vgg(VGG_BLOCKS[2], batch_norm=False)[layer.removeprefix("backbone.")]
    if behind := re.fullmatch(r"backbone\.extra\.0\.(.*)", layer):
        return (SSD_BLOCK5 | SSD_FC)[behind[1]]
    if extra := re.fullmatch(r"backbone\.extra\.([1-4])\.([02])", layer):
        return f"conv{int(extra[1]) + 7}_{1 + int(extra[2]) // 2}"
    kind, number = groups(r"head\.(classification|regression)_head\.module_list\.([0-5])", layer)
    return f"{SSD_SOURCES[int(number)]}_{SSD_HEADS[kind]}"


RCNN = {  # torchvision's `fasterrcnn_resnet50_fpn`; "rpn.head.conv" in published files, "rpn.head.conv.0.0" since
    "rpn.head.conv": "rpn_conv", "rpn.head.conv.0.0": "rpn_conv", "rpn.head.cls_logits": "rpn_objectness",
    "rpn.head.bbox_pred": "rpn_offsets", "roi_heads.box_head.fc6": "fc6", "roi_heads.box_head.fc7": "fc7",
    "roi_heads.box_predictor.cls_score": "classes", "roi_heads.box_predictor.bbox_pred": "offsets",
    "roi_heads.mask_predictor.conv5_mask": "mask_up", "roi_heads.mask_predictor.mask_fcn_logits": "mask_logits",
    **{f"roi_heads.mask_head.{key}": f"mask_conv{n}" for n in range(1, 5) for key in (f"mask_fcn{n}", f"{n - 1}.0")},
}  # fmt: skip


def rcnn(layer: str) -> str | None:
    """torchvision's detectors on ResNet-50 and a pyramid, as it names layers today and as in the published files.

    >>> rcnn("backbone.body.layer2.0.conv1"), rcnn("backbone.fpn.inner_blocks.0.0"), rcnn("backbone.fpn.layer_blocks.3")
    ('conv3_block1_1_conv', 'pyramid2_lateral', 'pyramid5')
    """
    if layer in RCNN:
        return RCNN[layer]
    if layer.startswith("backbone.body."):
        return resnet(layer.removeprefix("backbone.body."))
    kind, number = groups(r"backbone\.fpn\.(inner|layer)_blocks\.([0-3])(?:\.0)?", layer)
    return f"pyramid{int(number) + 2}" + ("_lateral" if kind == "inner" else "")


def video_resnet(layer: str, factored: bool) -> str | None:
    """Of torchvision, with whole kernels or with those of space and of time one after the other.

    >>> video_resnet("layer2.0.conv1.1", False), video_resnet("layer1.1.conv2.0.3", True), video_resnet("stem.4", True)
    ('conv3_block1_1_bn', 'conv2_block2_2_time_conv', 'stem_time_bn')
    """
    if layer == "fc":
        return "logits"
    stem, _, part = layer.rpartition(".")
    if stem == "stem":
        return f"stem_{VIDEO_STEMS[factored][part]}"
    if skip := re.fullmatch(r"layer([1-4])\.(\d)\.downsample\.([01])", layer):
        return f"conv{int(skip[1]) + 1}_block{int(skip[2]) + 1}_0_{('conv', 'bn')[int(skip[3])]}"
    stage, block, number, part = groups(r"layer([1-4])\.(\d)\.conv([12])\.(.*)", layer)
    return f"conv{int(stage) + 1}_block{int(block) + 1}_{number}_{VIDEO_PARTS[factored][part]}"


Converter = Callable[[str], str | None]
CONVERTERS: Mapping[str, Sequence[Converter]] = {
    "AlexNet": [alexnet],
    "VGG": [vgg(blocks, batch_norm).__getitem__ for blocks in VGG_BLOCKS for batch_norm in (False, True)],
    "ResNet": [resnet],
    "GoogLeNet": [backbone_names.googlenet],
    "Inception v3": [backbone_names.inception_v3],
    "R3D, MC3 and R(2+1)D": [partial(video_resnet, factored=False), partial(video_resnet, factored=True)],
    "MobileNet": [backbone_names.mobilenet_v2, backbone_names.mobilenet_v3],
    "DenseNet": [backbone_names.densenet],
    "EfficientNet": [  # version 2 first: the names of its stages could be of version 1, not the other way round
        partial(backbone_names.efficientnet, fused=3),
        backbone_names.efficientnet,
        backbone_names.timm_efficientnet,
    ],
    "ConvNeXt": [backbone_names.convnext],
    "ViT": [backbone_names.vit],
    "SSD": [ssd],
    "Faster R-CNN and Mask R-CNN": [rcnn],
}


def converted(layers: Iterable[str]) -> dict[str, str | None] | None:
    """The names here of a state dict's layers, by the first converter that knows them all."""
    layers = list(layers)
    for converter in itertools.chain(*CONVERTERS.values()):
        try:
            return {layer: converter(layer) for layer in layers}
        except KeyError:
            continue
    return None


def check_options(names: Iterable[str], model: Any, path: Path) -> None:
    """Raise where a network has other options than a state dict's, though every array may fit.

    The bottlenecks of torchvision and timm halve in their 3x3 convolution, those of the paper in their first; their
    MobileNets and EfficientNets pad halvings on all sides.
    """
    names = set(names)
    if any(getattr(each, "strides", (1, 1))[0] == 2 and each.padding == "same" for each in first_convolutions(model)):
        raise UsageError(
            f"{path} is of torchvision or timm, which pad where they halve on all sides; build with variant='torch'"
        )
    pool = next((each for each in model.layers if each.name == "mixed0_pool"), None)
    if "Mixed_5b.branch_pool.conv" in names and getattr(pool, "padding", "valid") == "same":
        raise UsageError(
            f"{path} is the Inception v3 of torchvision, whose average pools count the zeros around an image; build "
            "with variant='torch'"
        )
    halving = next((each for each in model.layers if each.name == "conv3_block1_2_conv"), None)
    if not {"layer2.0.conv3", "layer2.0.downsample.0"} <= names or halving is None:
        return
    if max(halving.strides) == 1 or halving.use_bias:
        raise UsageError(
            f"{path} is a ResNet of torchvision or timm, which halves in its 3x3 convolutions and has no biases; build "
            "with stride_in='3x3', use_bias=False"
        )


def first_convolutions(model: Any) -> list[Any]:
    """The first convolution of a MobileNet or an EfficientNet; none of other networks."""
    return [each for each in model.layers if each.name in ("conv1", "conv", "stem_conv") and is_depthwise_net(model)]


def is_depthwise_net(model: Any) -> bool:
    return any(isinstance(each, layers.DepthwiseConv2D) for each in model.layers)


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


def attention(tensors: Sequence[Tensor], layer: Any) -> list[Tensor]:
    """The eight weights of an attention layer, from the four arrays that PyTorch has: queries, keys and values as one.

    Raises:
        KeyError: where they are of another width.
    """
    dim, heads = layer.dim, layer.num_heads
    by_shape = {tensor.shape: tensor for tensor in tensors}
    joint, joint_bias = by_shape[(3 * dim, dim)], by_shape[(3 * dim,)]
    split = (dim, heads, dim // heads)
    found = []
    for start in range(0, 3 * dim, dim):  # rows of the outputs
        part = slice(start, start + dim)
        found.append(joint.changed(split, partial(head_kernel, part=part, shape=split)))
        found.append(joint_bias.changed(split[1:], partial(head_bias, part=part, shape=split[1:])))
    back = (*split[1:], dim)
    out = by_shape[(dim, dim)].changed(back, partial(head_kernel, part=slice(None), shape=back))
    return [*found, out, by_shape[(dim,)]]


def head_kernel(value: np.ndarray, part: slice, shape: tuple[int, ...]) -> np.ndarray:
    return value[part].T.reshape(shape)


def head_bias(value: np.ndarray, part: slice, shape: tuple[int, ...]) -> np.ndarray:
    return value[part].reshape(shape)
