"""Convolutions that halve the image: TensorFlow and PyTorch pad them on different sides.

"Same" of TensorFlow pads an even image on the right and below alone, so that the output is centred on odd pixels;
PyTorch's networks pad both sides, and centre it on even ones. Weights of one side give the wrong maps on the other.
Batch normalisations differ too, by the epsilon that each network was trained with.
"""

from typing import Any

from keras import KerasTensor, layers

from zoo.errors import UsageError

VARIANTS = ("tensorflow", "torch")


def check_variant(variant: str) -> None:
    """Raise unless it is one of the two."""
    if variant not in VARIANTS:
        raise UsageError(
            f"variant is {variant!r}; expected 'tensorflow' (the weights of keras.applications fit) or 'torch' "
            "(torchvision's and timm's fit)"
        )


def convolution(
    x: KerasTensor, filters: int | None, size: int, name: str, *, stride: int = 1, variant: str = "tensorflow",
    **options: Any,
) -> KerasTensor:  # fmt: skip
    """A convolution without biases, (batch, h, w, c) -> (batch, h / stride, w / stride, filters), rounded up.

    Args:
        x: the maps.
        filters: how many; None for a depthwise one, which has one for each channel.
        size: of a filter.
        name: of the layer.
        stride: 2 halves.
        variant: which sides are padded where it halves: ``"tensorflow"`` or ``"torch"``.
        **options: of the Keras layer.
    """
    padding = "same"
    if stride > 1 and variant == "torch":
        x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
        padding = "valid"
    options |= {"strides": stride, "padding": padding, "use_bias": False, "name": name}
    return layers.DepthwiseConv2D(size, **options)(x) if filters is None else layers.Conv2D(filters, size, **options)(x)
