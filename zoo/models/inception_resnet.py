"""Inception-ResNet v2: Inception's towers, added to what they read.

C. Szegedy, S. Ioffe, V. Vanhoucke and A. Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual Connections
on Learning", AAAI 2017 (arXiv:1602.07261, 2016): section 3, Figures 15 to 19.

A module's towers are laid side by side, brought back to as many maps as it read by a 1x1 convolution, made smaller by a
factor, and added to them. Without the factor the network "died" in training where it had more than a thousand filters
(section 3.3).

    stem       3x3 /2, 3x3, 3x3, pool, 1x1, 3x3, pool    35, 35,  192, at 299x299
    mixed_5b   four towers                               35, 35,  320
    block35    10 times: 1x1; 3x3; 3x3, 3x3              35, 35,  320, times 0.17
    mixed_6a   /2                                        17, 17, 1088
    block17    20 times: 1x1; 1x7, 7x1                   17, 17, 1088, times 0.1
    mixed_7a   /2                                         8,  8, 2080
    block8     10 times: 1x1; 1x3, 3x1                    8,  8, 2080, times 0.2
    conv_7b    1x1                                        8,  8, 1536
    mean, dropout, predictions                            1000

    55,813,192 trainable parameters, 13,155,794,016 multiply-adds.
"""

import functools
from collections.abc import Mapping

import keras
from keras import KerasTensor, layers

from zoo.checks import check_image, is_whole
from zoo.errors import UsageError
from zoo.models.inception import Convolution, Steps, Towers, convolution, mixed, mixed_reduction, stem, tower
from zoo.recipes.inception_resnet import RECIPES, WEIGHTS
from zoo.records import Card, Input
from zoo.registry import register

SMALLEST = 75  # one pixel is left in mixed_7a
BLOCKS: Mapping[str, tuple[float, tuple[Steps, ...]]] = {  # the factor, and the towers
    "block35": (0.17, ([(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)])),
    "block17": (0.1, ([(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))])),
    "block8": (0.2, ([(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))])),
}
TOWERS: Mapping[str, Towers] = {
    "mixed_5b": {"1x1": [(96, 1)], "5x5": [(48, 1), (64, 5)], "double3x3": [(64, 1), (96, 3), (96, 3)]},
    "mixed_6a": {"3x3": [(384, 3, 2)], "double3x3": [(256, 1), (256, 3), (384, 3, 2)]},
    "mixed_7a": {
        "3x3a": [(256, 1), (384, 3, 2)],
        "3x3b": [(256, 1), (288, 3, 2)],
        "double3x3": [(256, 1), (288, 3), (320, 3, 2)],
    },
}


def residual(x: KerasTensor, kind: str, conv: Convolution, name: str, *, last: bool = False) -> KerasTensor:
    """A block of `BLOCKS`, of the same shape as its input. The `last` has neither factor nor ReLU."""
    factor, towers = BLOCKS[kind]
    outputs = [tower(x, steps, conv, f"{name}_tower{number}") for number, steps in enumerate(towers, start=1)]
    joined = layers.Concatenate(name=f"{name}_mixed")(outputs)
    change = layers.Conv2D(x.shape[-1], 1, name=f"{name}_conv")(joined)
    if last:
        return layers.Add(name=name)([x, change])
    change = layers.Rescaling(factor, name=f"{name}_scale")(change)
    return layers.Activation("relu", name=f"{name}_ac")(layers.Add(name=name)([x, change]))


@register(
    Card(
        task="image_classification",
        summary="Inception-ResNet v2: towers whose joined output is added to their input",
        params=55_813_192,
        non_trainable_params=60_544,
        paper="Szegedy et al. 2016, AAAI 2017, arXiv:1602.07261, Figures 15 to 19",
        deviations=(
            "layers of the published weights (TensorFlow, keras.applications), not of the figures: the stem of"
            " Inception v3, 10, 20 and 10 blocks where there are 5, 10 and 5, other maps in the reductions",
            "the recipes take AdamW, without averaged weights, in place of RMSProp with them",
        ),
        inputs=(Input("image", (299, 299, 3), holds="colours, standardised by the training set"),),
        preprocessing="standardise",
        weights=WEIGHTS["inception_resnet_v2"],
        recipes=RECIPES["inception_resnet_v2"],
        tiny={"input_shape": (75, 75, 3), "num_classes": 10, "width": 0.125, "blocks": (1, 1, 1)},
        tutorial="11_classic_cnns.py",
    )
)
def inception_resnet_v2(
    *, input_shape: tuple[int | None, ...] = (299, 299, 3), num_classes: int = 1000, width: float = 1.0,
    blocks: tuple[int, int, int] = (10, 20, 10), dropout: float = 0.2, top: bool = True,
    name: str = "inception_resnet_v2",
) -> keras.Model:  # fmt: skip
    """Inception-ResNet v2 (Szegedy 2016), layer by layer as in keras.applications, so that its weights fit.

    Args:
        input_shape: (height, width, channels) of at least 75 x 75 pixels; None is any size.
        num_classes: length of the logit vector.
        width: multiplies the maps of all layers, rounded to multiples of 8; less than 1 for small experiments.
        blocks: how many of each kind, at the strides 8, 16 and 32.
        dropout: fraction of the averaged feature maps dropped in training.
        top: False stops at the maps of `conv_7b`.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        `top` to (batch, 8, 8, 1536) maps for the default size.

    Raises:
        UsageError: if the images are too small, or for another number of kinds than three.

    >>> inception_resnet_v2(input_shape=(75, 75, 3), width=0.125, blocks=(1, 1, 1), top=False).output_shape
    (None, 1, 1, 192)
    """
    check_image(input_shape, SMALLEST, name)
    if len(blocks) != len(BLOCKS) or not all(is_whole(each) for each in blocks):
        raise UsageError(f"blocks of {name} are {blocks}; expected {len(BLOCKS)} whole numbers of at least 1")
    conv = functools.partial(convolution, width=width)

    image = keras.Input(input_shape, name="image")
    x = stem(image, conv)  # (batch, 35, 35, 192)
    x = mixed(x, TOWERS["mixed_5b"], 64, conv, "mixed_5b")
    for kind, count, after in zip(BLOCKS, blocks, ("mixed_6a", "mixed_7a", "")):
        for number in range(1, count + 1):
            x = residual(x, kind, conv, f"{kind}_{number}", last=not after and number == count)
        if after:
            x = mixed_reduction(x, TOWERS[after], conv, after)
    x = conv(x, 1536, 1, name="conv_7b")  # (batch, 8, 8, 1536)
    if not top:
        return keras.Model(image, x, name=name)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="predictions")(x)
    return keras.Model(image, logits, name=name)
