"""FCN-8s, 16s and 32s: a classifier of images that is asked about every pixel.

J. Long, E. Shelhamer and T. Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015,
arXiv:1411.4038: sections 4.1 to 4.3, Figure 3.

    VGG-16, its dense layers as convolutions     fc1 7x7, 4096   fc2 1x1, 4096        stride 32
    score32     1x1 to the classes               up to twice its size, and added to
    score16     1x1 from block4's pool           up to twice its size, and added to
    score8      1x1 from block3's pool           up to eight times its size

What goes up is a transposed convolution that starts as bilinear interpolation; the two of 4x4 learn, the last, of
16x16, stays what it is (section 4.3). FCN-16s (``finest=16``) ends after the first sum and goes up sixteen times at
once, FCN-32s with the scores of the coarsest maps. The weights are those of VGG-16's convolutions, whose layers have
its names here.
"""

from typing import Any

import keras
import numpy as np
from keras import layers

from zoo.errors import UsageError
from zoo.layers.width import scaled
from zoo.models.vgg import CONVOLUTIONS, blocks
from zoo.recipes.segmentation import FCN_WEIGHTS, MASK_FOLDER, PETS, SHAPE_MASKS
from zoo.records import Card, Input, replace
from zoo.registry import register

STRIDE = 32
STRIDES = (8, 16, 32)


@keras.saving.register_keras_serializable("zoo")
class Bilinear(keras.initializers.Initializer):
    """Of a transposed convolution: each class is interpolated by itself (section 3.3).

    >>> kernel = keras.ops.convert_to_numpy(Bilinear()((4, 4, 1, 1)))
    >>> kernel[1, :, 0, 0].tolist(), float(kernel[0, 0, 0, 0])  # a row near the middle, and a corner
    ([0.1875, 0.5625, 0.5625, 0.1875], 0.0625)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        side, _, outputs, inputs = shape
        ramp = 1 - np.abs(np.arange(side) - (side - 1) / 2) / (side / 2)
        kernel = ramp[:, None, None, None] * ramp[:, None, None] * np.eye(outputs, inputs)
        return keras.ops.convert_to_tensor(kernel, dtype=dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        return {}


@register(
    Card(
        task="semantic_segmentation",
        summary="FCN-8s: VGG-16 as convolutions, asked about every pixel",
        params=134_376_863,
        non_trainable_params=112_896,
        head=("score32", "up16", "score16", "sum16", "up8", "score8", "sum8", "logits"),
        backbone=("block*_conv*",),
        paper="Long, Shelhamer & Darrell 2015, CVPR, arXiv:1411.4038, section 4, Figure 3",
        deviations=(
            "padded convolutions on images of a multiple of 32 pixels, in place of 100 pixels around and crops",
            "trained at once, in place of 32s, then 16s, then 8s",
        ),
        notes=("the last interpolation is fixed",),
        inputs=(Input("image", (224, 224, 3), holds="colours, as the weights want them"),),
        preprocessing="standardise",
        weights=FCN_WEIGHTS,
        recipes=(
            replace(SHAPE_MASKS, model={"width": 0.125, "batch_norm": True}),
            replace(PETS, preprocess={"resize": (224, 224)}),
            replace(MASK_FOLDER, preprocess={"resize": (224, 224)}, model={"batch_norm": True, "width": 0.5}),
            replace(MASK_FOLDER, name="finetune", weights="imagenet_notop", preprocess={"resize": (224, 224)}),
        ),
        tiny={"input_shape": (32, 32, 3), "num_classes": 3, "width": 0.0625, "batch_norm": True},
        tutorial="31_segmentation.py",
    )
)
def fcn8_vgg16(
    *,
    input_shape: tuple[int | None, ...] = (224, 224, 3),
    num_classes: int = 21,
    width: float = 1.0,
    batch_norm: bool = False,
    dropout: float = 0.5,
    finest: int = 8,
    name: str = "fcn8_vgg16",
) -> keras.Model:
    """FCN-8s on VGG-16 (Long et al. 2015, Figure 3).

    Args:
        input_shape: (height, width, channels), multiples of 32; None for any.
        num_classes: that a pixel may be of; 21 are those of PASCAL VOC with the background.
        width: multiplies the channels of VGG-16.
        batch_norm: normalise between each 3x3 convolution and its ReLU.
        dropout: fraction of the activations zeroed in training after the former dense layers.
        finest: the stride of the finest maps that are scored: 8, or 16 or 32 for FCN-16s and FCN-32s.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) to (batch, height, width, num_classes) logits.

    Raises:
        UsageError: for a size that is no multiple of 32, or another stride.

    >>> fcn8_vgg16(input_shape=(None, None, 3), width=0.125).output_shape
    (None, None, None, 21)
    """
    if any(size is not None and (size < STRIDE or size % STRIDE) for size in input_shape[:2]):
        raise UsageError(f"images of {input_shape[0]}x{input_shape[1]}; expected multiples of {STRIDE}: resize them")
    if finest not in STRIDES:
        raise UsageError(f"finest is {finest!r}; expected a stride: {', '.join(map(str, STRIDES))}")
    image = keras.Input(input_shape, name="image")
    x = blocks(image, CONVOLUTIONS["D"], batch_norm=batch_norm, width=width)
    body = keras.Model(image, x)
    for number, side in ((1, 7), (2, 1)):
        x = layers.Conv2D(scaled(4096, width), side, padding="same", activation="relu", name=f"fc{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)

    def score(x: keras.KerasTensor, stride: int) -> keras.KerasTensor:
        # Section 4.2: what is added starts at nothing, so that a finer net begins as the coarser one.
        start = "zeros" if stride < STRIDE else "glorot_uniform"
        return layers.Conv2D(num_classes, 1, kernel_initializer=start, name=f"score{stride}")(x)

    def up(x: keras.KerasTensor, times: int, name: str, **options: Any) -> keras.KerasTensor:
        return layers.Conv2DTranspose(
            num_classes, 2 * times, strides=times, padding="same", use_bias=False, kernel_initializer=Bilinear(),
            name=name, **options,
        )(x)  # fmt: skip

    x = score(x, 32)
    for stride, block in ((16, "block4_pool"), (8, "block3_pool")):
        if stride >= finest:
            finer = score(body.get_layer(block).output, stride)
            x = layers.Add(name=f"sum{stride}")([up(x, 2, f"up{stride}"), finer])
    return keras.Model(image, up(x, finest, "logits", trainable=False, dtype="float32"), name=name)
