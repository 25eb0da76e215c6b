"""Convolutions along time: networks for clips, and for series.

A convolution does not care how many axes it slides along. Along (height, width) it finds shapes in images; along
(time, height, width) it finds how shapes move; along (time,) it finds patterns in a series. A clip here is (time,
height, width, channels), and what tells these networks apart is where their kernels reach along time.

    conv3d_demo      three large kernels, the chain that courses draw
    c3d              3x3x3 everywhere, as VGG in three dimensions            Tran 2015
    r3d_18           3x3x3 with shortcuts, as ResNet-18                      Tran 2018, "R3D"
    mc3_18           3x3x3 in the first stage, 1x3x3 after it                Tran 2018, "MC3"
    r2plus1d_18      each 3x3x3 as a 1x3x3 and a 3x1x1, with a ReLU between  Tran 2018, "R(2+1)D"
    frame_cnn        1x3x3 on the middle frame: blind to motion, the baseline
    conv1d           along the days of a series, nothing else

    c3d      time, height, width, channels         18 layers   time, height, width, channels (16 frames of 112x112)
    conv1a     16, 112, 112,  64                    stem         16, 56, 56,  64
    conv2a     16,  56,  56, 128                    conv2        16, 56, 56,  64
    conv3a-b    8,  28,  28, 256                    conv3         8, 28, 28, 128    (mc3_18: 16 frames to the end)
    conv4a-b    4,  14,  14, 512                    conv4         4, 14, 14, 256
    conv5a-b    2,   7,   7, 512                    conv5         2,  7,  7, 512
    pool5       1,   4,   4, 512                    mean over time and pixels

D. Tran, L. Bourdev, R. Fergus, L. Torresani and M. Paluri, "Learning Spatiotemporal Features with 3D Convolutional
Networks", ICCV 2015 (arXiv:1412.0767), section 3.
D. Tran, H. Wang, L. Torresani, J. Ray, Y. LeCun and M. Paluri, "A Closer Look at Spatiotemporal Convolutions for
Action Recognition", CVPR 2018 (arXiv:1711.11248), section 3; the layers in detail as torchvision has them.

Longer than other files: seven networks that are there to be compared, and differ in a line each.
"""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import KerasTensor, layers

from zoo.errors import UsageError
from zoo.layers.normalization import BatchNormalization
from zoo.layers.width import scaled
from zoo.recipes.conv3d import RECIPES
from zoo.records import Card, Input, replace
from zoo.registry import register

C3D = "Tran, Bourdev, Fergus, Torresani & Paluri 2015, arXiv:1412.0767 (ICCV), section 3"
R3D = "Tran, Wang, Torresani, Ray, LeCun & Paluri 2018, arXiv:1711.11248 (CVPR), section 3"

CLIP = Input("clip", (16, 112, 112, 3), holds="colour frames in their order, standardised by the training set")
WEEK = Input("series", (7,), holds="one value a day, the latest last, standardised by the training set")


# Parts


def check_clip(input_shape: Sequence[int | None], smallest: Sequence[int], name: str) -> None:
    """Raise unless clips are (time, height, width, channels) of at least `smallest`. None is any size."""
    if len(input_shape) != 4:
        raise UsageError(
            f"input_shape is {tuple(input_shape)}; {name} takes clips of (time, height, width, channels), "
            "as in (16, 112, 112, 3)"
        )
    if any(size is not None and size < least for size, least in zip(input_shape, smallest)):
        frames, height, width, _ = input_shape
        least = f"{smallest[0]} frames of {smallest[1]}x{smallest[2]}"
        raise UsageError(
            f"clips of {frames} frames of {height}x{width} run out in {name}; expected at least {least}: "
            "take more frames, or resize them"
        )


Size = tuple[int, int, int]  # time, height, width


def conv(x: KerasTensor, filters: int, size: Size, name: str, stride: Size = (1, 1, 1)) -> KerasTensor:
    """A convolution padded evenly. (batch, t, h, w, c) -> (batch, t / st, h / sh, w / sw, filters)."""
    strided = max(stride) > 1
    if strided and max(size) > 1:  # "same" would pad a halving on one side only
        x = layers.ZeroPadding3D([side // 2 for side in size], name=f"{name}_pad")(x)
    return layers.Conv3D(
        filters,
        size,
        strides=stride,
        padding="valid" if strided else "same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)


def normalised(x: KerasTensor, name: str, *, relu: bool = True) -> KerasTensor:
    """Batch normalisation, ReLU."""
    x = BatchNormalization(momentum=0.9, epsilon=1.001e-5, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x) if relu else x


def max_pool(x: KerasTensor, size: Size, name: str, padding: str = "valid") -> KerasTensor:
    """The largest of each `size` (time, height, width)."""
    # TensorFlow has no such kernel for float16 on a CPU; a maximum is the same in float32.
    dtype = "float32" if x.dtype == "float16" else None
    return layers.MaxPooling3D(size, padding=padding, dtype=dtype, name=name)(x)


def classifier(x: KerasTensor, num_classes: int, dropout: float) -> KerasTensor:
    """Mean over time and pixels, logits."""
    x = layers.GlobalAveragePooling3D(name="avg_pool")(x)  # (batch, channels)
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(num_classes, dtype="float32", name="logits")(x)


def inflate(kernel: np.ndarray, depth: int) -> np.ndarray:
    """An image's kernel for clips: the same at each of `depth` frames, with a `depth`-th of the weight.

    On a clip that stands still the output is that of the image, so that a network can start from weights learned on
    images (Carreira & Zisserman 2017, arXiv:1705.07750, section 2.4).

    Args:
        kernel: (height, width, channels, filters).
        depth: how many frames the new kernel spans.

    Returns:
        (depth, height, width, channels, filters).

    >>> inflate(np.ones((3, 3, 1, 8)), 5).shape
    (5, 3, 3, 1, 8)
    """
    return np.repeat(np.asarray(kernel)[np.newaxis] / depth, depth, axis=0)


# The chain that courses draw


@register(
    Card(
        task="video_classification",
        summary="three large 3-D convolutions with one pool between: 9x9x9, 7x5x5, 5x9x8",
        params=614_868,
        paper="the 3-D convolution of S. Ji, W. Xu, M. Yang and K. Yu 2010, ICML, in a course's example",
        deviations=(
            "courses show the first and the last convolution; the pool and the second one are what joins their shapes",
            "time is the first axis, not the last",
            "mean over the last maps and a linear classifier, which the example leaves open",
        ),
        inputs=(replace(CLIP, shape=(22, 160, 100, 3)),),
        preprocessing="standardise",
        recipes=RECIPES["conv3d_demo"],
        tiny={
            "input_shape": (8, 16, 16, 1),
            "kernels": ((3, 3, 3), (3, 3, 3), (3, 3, 3)),
            "pool": (1, 2, 2),
            "filters": (8, 8, 8),
        },
        tutorial="14_conv3d_video.py",
    )
)
def conv3d_demo(
    *, input_shape: tuple[int | None, ...] = (22, 160, 100, 3), num_classes: int = 8,
    filters: Sequence[int] = (10, 30, 50), kernels: Sequence[tuple[int, int, int]] = ((9, 9, 9), (7, 5, 5), (5, 9, 8)),
    pool: tuple[int, int, int] = (1, 4, 4), dropout: float = 0.0, top: bool = True, name: str = "conv3d_demo",
) -> keras.Model:  # fmt: skip
    """The chain of 3-D convolutions that courses draw, without padding, so that every size can be counted by hand.

        clip    22, 160, 100,  3
        conv1   14, 152,  92, 10      22 - 9 + 1, 160 - 9 + 1, 100 - 9 + 1             21,880
        pool1   14,  38,  23, 10
        conv2    8,  34,  19, 30                                                       52,530
        conv3    4,  26,  12, 50       8 - 5 + 1,  34 - 9 + 1,  19 - 8 + 1            540,050

    Args:
        input_shape: (time, height, width, channels); None is any size.
        num_classes: length of the logit vector.
        filters: of each convolution.
        kernels: (time, height, width) of each.
        pool: what the largest of is taken over after the first convolution, (time, height, width).
        dropout: fraction of the averaged feature maps dropped in training.
        top: False ends at the last feature maps.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, time, height, width, channels) standardised frames to (batch, num_classes) logits.

    Raises:
        UsageError: if the clips are too small, or not as many filters as kernels are given.

    >>> conv3d_demo(top=False).count_params(), conv3d_demo(top=False).output_shape
    (614460, (None, 4, 26, 12, 50))
    """
    if len(filters) != len(kernels):
        raise UsageError(f"{len(filters)} filters and {len(kernels)} kernels; expected a kernel for each convolution")
    behind = [1 + sum(kernel[axis] - 1 for kernel in kernels[1:]) for axis in range(3)]  # what the later kernels need
    check_clip(input_shape, [p * b + k - 1 for p, b, k in zip(pool, behind, kernels[0])], name)
    clip = x = keras.Input(input_shape, name="clip")
    for number, (channels, kernel) in enumerate(zip(filters, kernels), start=1):
        x = layers.Conv3D(channels, kernel, activation="relu", kernel_initializer="he_normal", name=f"conv{number}")(x)
        if number == 1:
            x = max_pool(x, pool, "pool1")
    return keras.Model(clip, classifier(x, num_classes, dropout) if top else x, name=name)


# C3D


@register(
    Card(
        task="video_classification",
        summary="C3D: eight 3x3x3 convolutions and three dense layers",
        params=79_991_015,
        paper=C3D,
        deviations=(
            "frames standardised by channel, without subtraction of a mean clip",
            "He initialisation in place of Gaussians of .01",
        ),
        inputs=(CLIP,),
        preprocessing="standardise",
        recipes=RECIPES["c3d"],
        tiny={"input_shape": (8, 16, 16, 1), "num_classes": 8, "width": 0.125, "dropout": 0.0},
        tutorial="14_conv3d_video.py",
    )
)
def c3d(
    *, input_shape: tuple[int | None, ...] = (16, 112, 112, 3), num_classes: int = 487, width: float = 1.0,
    dropout: float = 0.5, top: bool = True, name: str = "c3d",
) -> keras.Model:  # fmt: skip
    """C3D (Tran 2015, section 3): 3x3x3 convolutions and 2x2x2 pools, but for the first pool, which keeps time.

    The pools round up, as Caffe's do: 7x7 maps become 4x4, and fc6 reads 8,192 features. With the 101 classes of UCF101
    there are 78,409,573 parameters; the 487 are Sports-1M's.

    Args:
        input_shape: (time, height, width, channels).
        num_classes: length of the logit vector.
        width: multiplies the channels and units of every layer, down to 8; less than 1 for small experiments.
        dropout: fraction of the units of fc6 and fc7 dropped in training.
        top: False stops at the maps of `pool5`, which fc6 would read.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, time, height, width, channels) standardised frames to (batch, num_classes) logits, or
        without `top` to (batch, time / 16, height / 32, width / 32, 512) maps.

    Raises:
        UsageError: if the input is no clip.

    >>> c3d(num_classes=101, width=0.125).get_layer("pool5").output.shape
    (None, 1, 4, 4, 64)
    """
    check_clip(input_shape, (1, 1, 1), name)
    clip = x = keras.Input(input_shape, name="clip")
    for stage, (filters, parts) in enumerate(zip((64, 128, 256, 512, 512), ("a", "a", "ab", "ab", "ab")), start=1):
        for part in parts:
            x = layers.Conv3D(
                scaled(filters, width),
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"conv{stage}{part}",
            )(x)
        x = max_pool(x, (1, 2, 2) if stage == 1 else (2, 2, 2), f"pool{stage}", padding="same")
    if not top:
        return keras.Model(clip, x, name=name)
    x = layers.Flatten(name="flatten")(x)  # (batch, 8192)
    for number in (6, 7):
        x = layers.Dense(scaled(4096, width), activation="relu", name=f"fc{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(clip, logits, name=name)


# Residual networks

Convolution = Callable[[KerasTensor, int, str, int, int], KerasTensor]  # `full`, `flat` or `factored`


def full(x: KerasTensor, filters: int, name: str, stride: int, middle: int) -> KerasTensor:
    """One 3x3x3 convolution."""
    return conv(x, filters, (3, 3, 3), name, (stride, stride, stride))


def flat(x: KerasTensor, filters: int, name: str, stride: int, middle: int) -> KerasTensor:
    """One 1x3x3 convolution: each frame by itself."""
    return conv(x, filters, (1, 3, 3), name, (1, stride, stride))


def factored(x: KerasTensor, filters: int, name: str, stride: int, middle: int) -> KerasTensor:
    """1x3x3 to `middle` channels, ReLU, 3x1x1: first space, then time."""
    x = normalised(conv(x, middle, (1, 3, 3), f"{name}_space", (1, stride, stride)), f"{name}_space")
    return conv(x, filters, (3, 1, 1), f"{name}_time", (stride, 1, 1))


def factored_channels(before: int, after: int) -> int:
    """So many channels between the two parts that they hold as many weights as one 3x3x3 kernel (section 3.5)."""
    return 27 * before * after // (9 * before + 3 * after)


def block(x: KerasTensor, filters: int, stride: int, name: str, convolution: Convolution) -> KerasTensor:
    """Two convolutions and a shortcut. (batch, t, h, w, c) -> (batch, t / st, h / s, w / s, filters)."""
    # torchvision takes the middle of the first convolution for the second as well; the paper counts each by itself.
    middle = factored_channels(x.shape[-1], filters)
    skip = x
    if stride > 1 or x.shape[-1] != filters:
        strides = (1 if convolution is flat else stride, stride, stride)
        skip = normalised(conv(x, filters, (1, 1, 1), f"{name}_0", strides), f"{name}_0", relu=False)
    x = normalised(convolution(x, filters, f"{name}_1", stride, middle), f"{name}_1")
    x = normalised(convolution(x, filters, f"{name}_2", 1, middle), f"{name}_2", relu=False)
    x = layers.Add(name=f"{name}_add")([skip, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def residual(
    convolutions: Sequence[Convolution], input_shape: tuple[int | None, ...], num_classes: int, width: int,
    blocks: Sequence[int], dropout: float, top: bool, name: str,
) -> keras.Model:  # fmt: skip
    """Stem, a stage of blocks for each of `convolutions`, mean over time and pixels, logits."""
    check_clip(input_shape, (1, 1, 1), name)
    clip = keras.Input(input_shape, name="clip")
    if convolutions[0] is factored:
        middle = max(1, math.floor(45 * width / 64))  # torchvision's 45
        x = normalised(conv(clip, middle, (1, 7, 7), "stem_space", (1, 2, 2)), "stem_space")
        x = normalised(conv(x, width, (3, 1, 1), "stem_time"), "stem_time")
    else:
        x = normalised(conv(clip, width, (3, 7, 7), "stem", (1, 2, 2)), "stem")  # (batch, t, h / 2, w / 2, 64)
    for stage, (convolution, count) in enumerate(zip(convolutions, blocks)):
        for number in range(count):
            stride = 2 if stage > 0 and number == 0 else 1
            x = block(x, width * 2**stage, stride, f"conv{stage + 2}_block{number + 1}", convolution)
    return keras.Model(clip, classifier(x, num_classes, dropout) if top else x, name=name)


R3D_18 = Card(
    task="video_classification",
    summary="R3D: ResNet-18 with 3x3x3 convolutions",
    params=33_371_472,
    non_trainable_params=9_600,
    paper=R3D,
    deviations=("truncated He initialisation", "frames standardised by the training set at hand"),
    inputs=(CLIP,),
    preprocessing="standardise",
    recipes=RECIPES["r3d_18"],
    tiny={"input_shape": (8, 16, 16, 1), "num_classes": 8, "width": 8, "blocks": (1,)},
    tutorial="14_conv3d_video.py",
)


@register(R3D_18)
def r3d_18(
    *, input_shape: tuple[int | None, ...] = (16, 112, 112, 3), num_classes: int = 400, width: int = 64,
    blocks: Sequence[int] = (2, 2, 2, 2), dropout: float = 0.0, top: bool = True, name: str = "r3d_18",
) -> keras.Model:  # fmt: skip
    """R3D with 18 layers (Tran 2018, section 3.3): every convolution reaches over 3 frames.

    Args:
        input_shape: (time, height, width, channels); None is any size.
        num_classes: length of the logit vector; 400 are those of Kinetics.
        width: channels of the first stage; each further stage doubles them.
        blocks: how many blocks of two convolutions each stage has.
        dropout: fraction of the averaged feature maps dropped in training; the paper has none.
        top: False ends at the last feature maps.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, time, height, width, channels) standardised frames to (batch, num_classes) logits;
        without `top`, to (batch, time / 8, height / 16, width / 16, 8 width) maps.

    Raises:
        UsageError: if the input is no clip.

    >>> r3d_18(width=8, top=False).output_shape
    (None, 2, 7, 7, 64)
    """
    return residual((full,) * 4, input_shape, num_classes, width, blocks, dropout, top, name)


@register(
    replace(
        R3D_18,
        summary="MC3: 3x3x3 convolutions in the first stage, 1x3x3 in the others",
        params=11_695_440,
        tiny={"input_shape": (8, 16, 16, 1), "num_classes": 8, "width": 8, "blocks": (1, 1)},  # one stage is r3d_18's
    )
)
def mc3_18(
    *, input_shape: tuple[int | None, ...] = (16, 112, 112, 3), num_classes: int = 400, width: int = 64,
    blocks: Sequence[int] = (2, 2, 2, 2), dropout: float = 0.0, top: bool = True, name: str = "mc3_18",
) -> keras.Model:  # fmt: skip
    """MC3 with 18 layers (Tran 2018, section 3.4): motion is found early, and what follows looks at frames.

    Arguments, result and errors are those of `r3d_18`; the frames are never thinned out.

    >>> mc3_18(width=8, top=False).output_shape
    (None, 16, 7, 7, 64)
    """
    return residual((full, flat, flat, flat), input_shape, num_classes, width, blocks, dropout, top, name)


@register(
    replace(
        R3D_18,
        summary="R(2+1)D: every 3x3x3 convolution as 1x3x3, ReLU, 3x1x1",
        params=31_505_325,
        non_trainable_params=25_350,
        deviations=(
            *R3D_18.deviations,
            "both convolutions of a block have the middle of the first, as in torchvision",
        ),
    )
)
def r2plus1d_18(
    *, input_shape: tuple[int | None, ...] = (16, 112, 112, 3), num_classes: int = 400, width: int = 64,
    blocks: Sequence[int] = (2, 2, 2, 2), dropout: float = 0.0, top: bool = True, name: str = "r2plus1d_18",
) -> keras.Model:  # fmt: skip
    """R(2+1)D with 18 layers (Tran 2018, section 3.5): twice the ReLUs of `r3d_18` from as many weights.

    Arguments, result and errors are those of `r3d_18`.

    >>> r2plus1d_18(width=8).get_layer("conv3_block1_1_space_conv").output.shape
    (None, 16, 28, 28, 28)
    """
    return residual((factored,) * 4, input_shape, num_classes, width, blocks, dropout, top, name)


# Baselines and relatives


@register(
    Card(
        task="video_classification",
        summary="a network of images on the middle frame: what a clip tells without its motion",
        params=414_853,
        non_trainable_params=960,
        paper="Karpathy, Toderici, Shetty, Leung, Sukthankar & Fei-Fei 2014, CVPR, section 3: single frame",
        deviations=("a small network of 3x3 convolutions in place of an AlexNet",),
        inputs=(CLIP,),
        preprocessing="standardise",
        recipes=RECIPES["frame_cnn"],
        tiny={"input_shape": (8, 16, 16, 1), "num_classes": 8, "filters": (8, 8)},
        baseline=True,
        tutorial="14_conv3d_video.py",
    )
)
def frame_cnn(
    *, input_shape: tuple[int | None, ...] = (16, 112, 112, 3), num_classes: int = 101,
    filters: Sequence[int] = (32, 64, 128, 256), dropout: float = 0.0, name: str = "frame_cnn",
) -> keras.Model:  # fmt: skip
    """The baseline of every claim about motion: it sees the middle frame, and nothing of the others.

    Args:
        input_shape: (time, height, width, channels) with a known time.
        num_classes: length of the logit vector.
        filters: of each 1x3x3 convolution; a pool of 2x2 follows each.
        dropout: fraction of the averaged feature maps dropped in training.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, time, height, width, channels) standardised frames to (batch, num_classes) logits.

    Raises:
        UsageError: if the input is no clip, or its time is free.

    >>> frame_cnn(input_shape=(9, 32, 32, 1)).get_layer("frame").output.shape
    (None, 1, 32, 32, 1)
    """
    check_clip(input_shape, (1, 1, 1), name)
    frames = input_shape[0]
    if frames is None:
        raise UsageError(f"input_shape is {tuple(input_shape)}; {name} takes the middle frame: say how many there are")
    clip = keras.Input(input_shape, name="clip")
    middle = frames // 2
    x = layers.Cropping3D(((middle, frames - middle - 1), (0, 0), (0, 0)), name="frame")(clip)
    for number, channels in enumerate(filters, start=1):
        x = normalised(conv(x, channels, (1, 3, 3), f"block{number}"), f"block{number}")
        x = max_pool(x, (1, 2, 2), f"block{number}_pool", padding="same")
    return keras.Model(clip, classifier(x, num_classes, dropout), name=name)


@register(
    Card(
        task="forecasting",
        summary="two 1-D convolutions over the last 7 days, and a weighted sum",
        params=257,
        paper="A. Waibel, T. Hanazawa, G. Hinton, K. Shikano and K. Lang 1989, IEEE Trans. ASSP 37(3): time delays",
        deviations=("ReLU in place of the sigmoid", "a forecast in place of phonemes"),
        inputs=(WEEK,),
        preprocessing="standardise",
        recipes=RECIPES["conv1d"],
        tiny={"filters": (8, 8)},
        tutorial="14_conv3d_video.py",
    )
)
def conv1d(
    *, input_shape: tuple[int, ...] = (7,), filters: Sequence[int] = (8, 8), kernel_size: int = 3,
    dropout: float = 0.0, horizon: int = 1, columns: int = 1, name: str = "conv1d",
) -> keras.Model:  # fmt: skip
    """Convolutions along a series: the same small window slides over all days.

    With one filter as long as the series and no activation, a convolution is the weighted sum of `lagged_linear`.

    Args:
        input_shape: (time,), or (time, channels) where several values are known of each day.
        filters: of each convolution, with ReLU.
        kernel_size: days that one window sees.
        dropout: fraction of the last feature maps dropped in training.
        horizon: days ahead.
        columns: values of each day, where they stand side by side in an input (time x columns,).
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, time) or (batch, time, channels) to (batch, horizon), as the targets are scaled.

    Raises:
        UsageError: if the series is too short for its windows.

    >>> conv1d(input_shape=(30, 4), kernel_size=5).get_layer("conv2").output.shape
    (None, 22, 8)
    """
    needed = 1 + len(filters) * (kernel_size - 1)
    if input_shape[0] // columns < needed:
        raise UsageError(
            f"a series of {input_shape[0] // columns} runs out in {name}; expected at least {needed}: fewer filters"
        )
    series = x = keras.Input(input_shape, name="series")
    if len(input_shape) == 1:
        x = layers.Reshape((input_shape[0] // columns, columns), name="channel")(x)
    for number, channels in enumerate(filters, start=1):
        x = layers.Conv1D(channels, kernel_size, activation="relu", name=f"conv{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    prediction = layers.Dense(horizon, dtype="float32", name="prediction")(x)
    return keras.Model(series, prediction, name=name)
