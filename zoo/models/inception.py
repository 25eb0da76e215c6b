"""Inception: filters of several sizes side by side, at a fraction of the weights.

C. Szegedy et al., "Going Deeper with Convolutions", CVPR 2015 (arXiv:1409.4842): Table 1 and Figure 3;
the network is known as GoogLeNet. C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna, "Rethinking
the Inception Architecture for Computer Vision", CVPR 2016 (arXiv:1512.00567): sections 3 to 8, Table 1.

Which filter size suits a layer? A module takes all of them: 1x1, 3x3 and 5x5 convolutions and a pool
read the same feature maps, and their outputs are laid side by side. 1x1 convolutions in front of the large
filters thin the maps out first, which is what makes it affordable. Version 3 then takes the large filters
apart: 7x7 becomes 1x7 after 7x1, and every convolution is normalised.

    inception_v1             maps, at 224x224         inception_v3             maps, at 299x299
    conv1   7x7/2            112, 112,   64           conv1-3   3x3, the first /2   147, 147,   64
    pool1   3x3/2             56,  56,   64           pool1     3x3/2                73,  73,   64
    conv2   1x1, 3x3          56,  56,  192           conv4, 5  1x1, 3x3             71,  71,  192
    pool2   3x3/2             28,  28,  192           pool2     3x3/2                35,  35,  192
    3a, 3b                    28,  28,  480           mixed0-2                       35,  35,  288
    pool3   3x3/2             14,  14,  480           mixed3    /2                   17,  17,  768
    4a-4e                     14,  14,  832           mixed4-7                       17,  17,  768
    pool4   3x3/2              7,   7,  832           mixed8    /2                    8,   8, 1280
    5a, 5b                     7,   7, 1024           mixed9, 10                      8,   8, 2048
    mean, dropout, logits    1000                     mean, dropout, predictions   1000
    trainable                6,998,552                                             23,817,352

Auxiliary heads classify from the middle of the network and push gradients into its lower half. They serve
training alone, so they are there only with `auxiliary=True`: then the model returns a dictionary of logits,
to be trained on the same labels for each and on a weighted sum of their losses:

    model = zoo.build("inception_v1", auxiliary=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss=dict.fromkeys(model.output, loss), loss_weights={"logits": 1, **AUXILIARY_WEIGHTS})
    model.fit(batches.map(lambda x, y: (x, dict.fromkeys(model.output, y))))
    model = keras.Model(model.input, model.output["logits"])  # without the heads; the weights are shared

Longer than other files: the two papers have modules, heads and a network each.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import KerasTensor, layers

from zoo.checks import check_image
from zoo.errors import UsageError
from zoo.layers.halving import check_variant
from zoo.layers.normalization import BatchNormalization, LocalResponseNormalization
from zoo.layers.width import scaled
from zoo.recipes.inception import RECIPES, WEIGHTS
from zoo.records import Card, Input
from zoo.registry import register

V1_MODULES = {  # Table 1: 1x1, 3x3 after a 1x1 "reduce", 5x5 after a 1x1 "reduce", 1x1 after the pool
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
MOMENTUM = 0.9  # of running statistics: Keras's 0.99 needs more steps to settle than a short training has
V1_SMALLEST = {False: 17, True: 65}  # by `auxiliary`: something left for pool4; 5x5 maps for the heads
V3_SMALLEST = {False: 75, True: 299}  # one pixel left in mixed8; 17x17 maps for the head
AUXILIARY_WEIGHTS = {"auxiliary1": 0.3, "auxiliary2": 0.3}  # of the losses in v1: section 5
AUXILIARY_WEIGHT_V3 = {"auxiliary": 0.4}  # TensorFlow-slim's: the paper does not tell


Convolution = Callable[..., KerasTensor]  # `convolution`, with some of its options set


def convolution(
    x: KerasTensor, filters: int, size: int | tuple[int, int], *, strides: int = 1, padding: str = "same",
    batch_norm: bool = True, scale: bool = False, width: float = 1.0, name: str,
) -> KerasTensor:  # fmt: skip
    """A convolution and its ReLU, normalised in between (then it needs no biases), or plain.

    Args:
        x: (batch, height, width, any).
        filters: how many, before `width`.
        size: of the filters: one integer or (height, width).
        strides, padding: as in ``keras.layers.Conv2D``.
        batch_norm: normalise.
        scale: whether the normalisation learns a scale. The ReLU passes a scale on to the next layer, so it can go.
        width: multiplies the filters.
        name: of the layers.
    """
    filters = scaled(filters, width)
    options: dict[str, Any] = {"strides": strides, "padding": padding, "name": name}
    if not batch_norm:
        return layers.Conv2D(filters, size, activation="relu", **options)(x)
    x = layers.Conv2D(filters, size, use_bias=False, **options)(x)
    x = BatchNormalization(momentum=MOMENTUM, scale=scale, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def v1_module(x: KerasTensor, channels: Sequence[int], large: int, conv: Convolution, name: str) -> KerasTensor:
    """The module of v1 (Figure 2b): four towers side by side; `large` is the side of its largest filter."""
    c1, reduce3, c3, reduce5, c5, projection = channels
    tower1 = conv(x, c1, 1, name=f"{name}_1x1")
    tower3 = conv(x, reduce3, 1, name=f"{name}_3x3_reduce")
    tower3 = conv(tower3, c3, 3, name=f"{name}_3x3")
    tower5 = conv(x, reduce5, 1, name=f"{name}_5x5_reduce")
    tower5 = conv(tower5, c5, large, name=f"{name}_5x5")
    pooled = layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    pooled = conv(pooled, projection, 1, name=f"{name}_pool_proj")
    return layers.Concatenate(name=name)([tower1, tower3, tower5, pooled])


def v1_head(x: KerasTensor, num_classes: int, conv: Convolution, width: float, name: str) -> KerasTensor:
    """An auxiliary head of v1 (section 5): (batch, 14, 14, 512 or 528) -> (batch, num_classes) logits."""
    x = layers.AveragePooling2D(5, strides=3, name=f"{name}_pool")(x)  # (batch, 4, 4, channels)
    x = conv(x, 128, 1, name=f"{name}_conv")
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = layers.Dense(scaled(1024, width), activation="relu", name=f"{name}_fc")(x)
    x = layers.Dropout(0.7, name=f"{name}_dropout")(x)
    return layers.Dense(num_classes, dtype="float32", name=name)(x)


@register(
    Card(
        task="image_classification",
        summary="GoogLeNet: nine modules of parallel filters, two auxiliary heads for training",
        params=6_998_552,
        paper="Szegedy et al. 2015, CVPR, Table 1 and Figure 3",
        deviations=(
            "conv1 is padded by 3 on each side, as in the weights that Caffe and torchvision publish",
            "the constants of response normalisation are not in the paper: those of BVLC's model",
            "Glorot-uniform start; no photometric distortions; one machine in place of asynchronous training",
            "only the recipe imagenet2012 trains with the auxiliary heads",
        ),
        inputs=(Input("image", (224, 224, 3), holds="colours, standardised by the training set"),),
        preprocessing="standardise",
        loss_weights=AUXILIARY_WEIGHTS,
        weights=WEIGHTS["inception_v1"],
        recipes=RECIPES["inception_v1"],
        tiny={"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.125},
        tutorial="11_classic_cnns.py",
    )
)
def inception_v1(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, auxiliary: bool = False,
    batch_norm: bool = False, width: float = 1.0, dropout: float = 0.4, top: bool = True, name: str = "inception_v1",
) -> keras.Model:  # fmt: skip
    """GoogLeNet (Szegedy 2015, Table 1).

    Args:
        input_shape: (height, width, channels); at least 17 x 17 pixels, with `auxiliary` 65 x 65.
        num_classes: length of each logit vector.
        auxiliary: add the two heads after 4a and 4d, for training (see the top of this file).
        batch_norm: the later variant whose weights TensorFlow-slim and torchvision publish: normalised convolutions in
            place of response normalisation, 3x3 filters in the 5x5 towers, and 2x2 windows in pool4.
        width: multiplies the channels and units of every layer, down to 8; less than 1 for small experiments.
        dropout: fraction of the averaged feature maps dropped in training; in the auxiliary heads it is always 0.7.
        top: False stops at the maps of `inception_5b`.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; with
        `auxiliary` to a dictionary of such, "logits", "auxiliary1" and "auxiliary2"; without `top` to
        (batch, height / 32, width / 32, 1024) maps, rounded up.

    Raises:
        UsageError: if the images are too small, or for `auxiliary` without `top`.

    >>> model = inception_v1(width=0.25, auxiliary=True)
    >>> model.output["auxiliary2"].shape
    (None, 1000)
    """
    check_heads(auxiliary, top)
    check_image(input_shape, V1_SMALLEST[auxiliary], name)
    conv = functools.partial(convolution, batch_norm=batch_norm, scale=True, width=width)

    image = keras.Input(input_shape, name="image")
    x = layers.ZeroPadding2D(3, name="pad1")(image)
    x = conv(x, 64, 7, strides=2, padding="valid", name="conv1")  # (batch, 112, 112, 64)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)  # (batch, 56, 56, 64)
    if not batch_norm:
        x = LocalResponseNormalization(alpha=1e-4 / 5, k=1.0, name="norm1")(x)
    x = conv(x, 64, 1, name="conv2_reduce")
    x = conv(x, 192, 3, name="conv2")
    if not batch_norm:
        x = LocalResponseNormalization(alpha=1e-4 / 5, k=1.0, name="norm2")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool2")(x)  # (batch, 28, 28, 192)
    heads = {}
    for module, channels in V1_MODULES.items():
        x = v1_module(x, channels, 3 if batch_norm else 5, conv, f"inception_{module}")
        if auxiliary and module in ("4a", "4d"):
            head = "auxiliary1" if module == "4a" else "auxiliary2"
            heads[head] = v1_head(x, num_classes, conv, width, head)
        if module == "3b":
            x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool3")(x)  # (batch, 14, 14, 480)
        if module == "4e":
            pool = 2 if batch_norm else 3
            x = layers.MaxPooling2D(pool, strides=2, padding="same", name="pool4")(x)  # (batch, 7, 7, 832)
    if not top:
        return keras.Model(image, x, name=name)
    x = layers.GlobalAveragePooling2D(name="mean")(x)  # (batch, 1024)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits, **heads} if heads else logits, name=name)


def check_heads(auxiliary: bool, top: bool) -> None:
    """Raise for auxiliary heads on a network without a head of its own."""
    if auxiliary and not top:
        raise UsageError("auxiliary=True with top=False; expected heads or maps: leave one of the two options out")


Steps = Sequence[tuple[Any, ...]]  # convolutions, as `tower` takes them
Towers = Mapping[str, Steps]  # by name


def tower(x: KerasTensor, steps: Steps, conv: Convolution, name: str) -> KerasTensor:
    """A chain of convolutions, each (filters, size) or, with a stride and no padding, (filters, size, stride)."""
    for number, (filters, size, *stride) in enumerate(steps, start=1):
        options: dict[str, Any] = {"strides": stride[0], "padding": "valid"} if stride else {}
        x = conv(x, filters, size, name=f"{name}_{number}", **options)
    return x


def stem(image: KerasTensor, conv: Convolution) -> KerasTensor:
    """The layers before the modules, of version 3 and of Inception-ResNet v2."""
    x = conv(image, 32, 3, strides=2, padding="valid", name="conv1")  # (batch, 149, 149, 32)
    x = conv(x, 32, 3, padding="valid", name="conv2")  # (batch, 147, 147, 32)
    x = conv(x, 64, 3, name="conv3")
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)  # (batch, 73, 73, 64)
    x = conv(x, 80, 1, name="conv4")
    x = conv(x, 192, 3, padding="valid", name="conv5")  # (batch, 71, 71, 192)
    return layers.MaxPooling2D(3, strides=2, name="pool2")(x)  # (batch, 35, 35, 192)


def average(x: KerasTensor, name: str, *, padded: bool) -> KerasTensor:
    """The mean of each pixel and its neighbours; at the edges of those that there are, or with zeros around them."""
    if padded:
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return layers.AveragePooling2D(3, strides=1, padding="valid" if padded else "same", name=name)(x)


def mixed(
    x: KerasTensor, towers: Towers, projection: int, conv: Convolution, name: str, *, padded: bool = False
) -> KerasTensor:
    """A module of v3 that keeps the size: towers, and a pool that is projected to so many maps."""
    outputs = [tower(x, steps, conv, f"{name}_{key}") for key, steps in towers.items()]
    pooled = average(x, f"{name}_pool", padded=padded)
    outputs.append(conv(pooled, projection, 1, name=f"{name}_pool_proj"))
    return layers.Concatenate(name=name)(outputs)


def mixed_reduction(x: KerasTensor, towers: Towers, conv: Convolution, name: str) -> KerasTensor:
    """A module of v3 that halves the size (Figure 10): towers that end in a stride of 2, and a pool."""
    outputs = [tower(x, steps, conv, f"{name}_{key}") for key, steps in towers.items()]
    outputs.append(layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x))
    return layers.Concatenate(name=name)(outputs)


def mixed_expanded(x: KerasTensor, conv: Convolution, name: str, *, padded: bool) -> KerasTensor:
    """A module of v3 on the coarsest maps (Figure 7): 3x3 filters split into 1x3 and 3x1, side by side."""

    def split(x: KerasTensor, name: str) -> KerasTensor:
        halves = [conv(x, 384, (1, 3), name=f"{name}_1x3"), conv(x, 384, (3, 1), name=f"{name}_3x1")]
        return layers.Concatenate(name=name)(halves)

    tower1 = conv(x, 320, 1, name=f"{name}_1x1_1")
    tower3 = split(tower(x, [(384, 1)], conv, f"{name}_3x3"), f"{name}_3x3_split")
    double3 = split(tower(x, [(448, 1), (384, 3)], conv, f"{name}_double3x3"), f"{name}_double3x3_split")
    pooled = average(x, f"{name}_pool", padded=padded)
    pooled = conv(pooled, 192, 1, name=f"{name}_pool_proj")
    return layers.Concatenate(name=name)([tower1, tower3, double3, pooled])


def v3_head(x: KerasTensor, num_classes: int, conv: Convolution, name: str) -> KerasTensor:
    """The auxiliary head of v3 (Figure 8): (batch, 17, 17, 768) -> (batch, num_classes) logits."""
    x = layers.AveragePooling2D(5, strides=3, name=f"{name}_pool")(x)  # (batch, 5, 5, 768)
    x = conv(x, 128, 1, name=f"{name}_conv1")
    x = conv(x, 768, 5, padding="valid", name=f"{name}_conv2")  # (batch, 1, 1, 768)
    x = layers.GlobalAveragePooling2D(name=f"{name}_mean")(x)
    return layers.Dense(num_classes, dtype="float32", name=name)(x)


@register(
    Card(
        task="image_classification",
        summary="Inception v3: large filters taken apart, every convolution normalised",
        params=23_817_352,
        non_trainable_params=34_432,
        paper="Szegedy et al. 2016, CVPR, Table 1 and sections 3-8",
        deviations=(
            "layers of the published weights (TensorFlow, keras.applications), not of Table 1: a 1x1 and a 3x3"
            " convolution before pool2, 5x5 towers on the 35x35 maps where Figure 5 has two 3x3, 11 modules",
            "no label smoothing; the auxiliary head in the recipe imagenet2012 only",
            "averaged weights forget 0.0001 a step",
        ),
        inputs=(Input("image", (299, 299, 3), holds="colours, standardised by the training set"),),
        preprocessing="standardise",
        loss_weights=AUXILIARY_WEIGHT_V3,
        weights=WEIGHTS["inception_v3"],
        recipes=RECIPES["inception_v3"],
        tiny={"input_shape": (75, 75, 3), "num_classes": 10, "width": 0.125},
        tutorial="11_classic_cnns.py",
    )
)
def inception_v3(
    *, input_shape: tuple[int | None, ...] = (299, 299, 3), num_classes: int = 1000, auxiliary: bool = False,
    width: float = 1.0, dropout: float = 0.2, top: bool = True, variant: str = "tensorflow",
    name: str = "inception_v3",
) -> keras.Model:  # fmt: skip
    """Inception v3 (Szegedy 2016, Table 1), layer by layer as in keras.applications, so that its weights fit.

    Args:
        input_shape: (height, width, channels); at least 75 x 75 pixels, with `auxiliary` 299 x 299.
        num_classes: length of each logit vector.
        auxiliary: add the head after `mixed7`, for training (see the top of this file; weighted 0.4 in
            TensorFlow-slim, the paper does not tell).
        width: multiplies the channels of every layer, down to 8; less than 1 for small experiments.
        dropout: fraction of the averaged feature maps dropped in training.
        top: False stops at the maps of `mixed10`.
        variant: ``"tensorflow"`` or ``"torch"``: whose weights fit. PyTorch's average pools count the zeros around an
            image, and its normalisations learn a scale (17,216 numbers more).
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; with
        `auxiliary` to a dictionary of such, "predictions" and "auxiliary"; without `top` to (batch, 8, 8, 2048)
        maps for the default size.

    Raises:
        UsageError: if the images are too small, for `auxiliary` without `top`, or for another variant.

    >>> inception_v3(input_shape=(75, 75, 3), width=0.125, top=False).output_shape
    (None, 1, 1, 256)
    """
    check_heads(auxiliary, top)
    check_image(input_shape, V3_SMALLEST[auxiliary], name)
    check_variant(variant)
    torch = variant == "torch"
    conv = functools.partial(convolution, width=width, scale=torch)

    image = keras.Input(input_shape, name="image")
    x = stem(image, conv)
    for number, projection in enumerate((32, 64, 64)):  # Figure 5
        towers: Towers = {"1x1": [(64, 1)], "5x5": [(48, 1), (64, 5)], "double3x3": [(64, 1), (96, 3), (96, 3)]}
        x = mixed(x, towers, projection, conv, f"mixed{number}", padded=torch)  # (batch, 35, 35, 256 or 288)
    towers = {"3x3": [(384, 3, 2)], "double3x3": [(64, 1), (96, 3), (96, 3, 2)]}
    x = mixed_reduction(x, towers, conv, "mixed3")  # (batch, 17, 17, 768)
    for number, inner in enumerate((128, 160, 160, 192), start=4):  # Figure 6, with n = 7
        towers = {
            "1x1": [(192, 1)],
            "7x7": [(inner, 1), (inner, (1, 7)), (192, (7, 1))],
            "double7x7": [(inner, 1), (inner, (7, 1)), (inner, (1, 7)), (inner, (7, 1)), (192, (1, 7))],
        }
        x = mixed(x, towers, 192, conv, f"mixed{number}", padded=torch)  # (batch, 17, 17, 768)
    head = {"auxiliary": v3_head(x, num_classes, conv, "auxiliary")} if auxiliary else {}
    towers = {"3x3": [(192, 1), (320, 3, 2)], "7x7": [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)]}
    x = mixed_reduction(x, towers, conv, "mixed8")  # (batch, 8, 8, 1280)
    for number in (9, 10):
        x = mixed_expanded(x, conv, f"mixed{number}", padded=torch)  # (batch, 8, 8, 2048)
    if not top:
        return keras.Model(image, x, name=name)
    x = layers.GlobalAveragePooling2D(name="mean")(x)  # (batch, 2048)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="predictions")(x)
    return keras.Model(image, {"predictions": logits, **head} if head else logits, name=name)
