"""Squeeze-and-excitation: each map is multiplied by a number between 0 and 1 that all maps together decide."""

from typing import Any

from keras import KerasTensor, layers


def squeeze_excite(
    x: KerasTensor, units: int, name: str, *, names: tuple[str, str] = ("reduce", "expand"),
    activation: str = "relu", gate: str = "sigmoid", initializer: str | dict[str, Any] = "glorot_uniform",
) -> KerasTensor:  # fmt: skip
    """Mean of each map, two 1x1 convolutions on these means, and the product. (batch, h, w, c) -> the same.

    J. Hu, L. Shen and G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018, section 3.

    Args:
        x: (batch, height, width, channels).
        units: of the first convolution; the second has one for each channel.
        name: of the layers: `name`_squeeze, `name`_reduce, ..., `name`_excite.
        names: of the two convolutions.
        activation: of the first.
        gate: of the second: ``"sigmoid"``, or its piecewise linear ``"hard_sigmoid"`` (MobileNetV3).
        initializer: of both kernels, as a name or a description: an object would draw the same numbers twice.

    >>> import keras
    >>> maps = keras.Input((8, 8, 16))
    >>> model = keras.Model(maps, squeeze_excite(maps, 4, "se"))
    >>> model.output_shape, model.count_params()  # 16 x 4 + 4 and 4 x 16 + 16
    ((None, 8, 8, 16), 148)
    """
    reduce, expand = names
    means = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)  # (batch, 1, 1, channels)
    means = layers.Conv2D(units, 1, kernel_initializer=initializer, name=f"{name}_{reduce}")(means)
    means = layers.Activation(activation, name=f"{name}_activation")(means)
    means = layers.Conv2D(x.shape[-1], 1, kernel_initializer=initializer, name=f"{name}_{expand}")(means)
    gates = layers.Activation(gate, name=f"{name}_gate")(means)
    return layers.Multiply(name=f"{name}_excite")([x, gates])
