"""Keras's own layers as augmentations, with their own options. They cost more than those of `transforms`.

Which targets they move rightly was measured, with boxes drawn as masks (`tests/data/image/test_geometry.py`): in Keras
3.15 `RandomTranslation` and `RandomZoom` take boxes along to within a pixel; `RandomRotation` misses by half an image,
`RandomShear` by some pixels, and `RandomPerspective` by thousands. What a layer would leave behind is refused.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from zoo.data.image.geometry import BOX_FORMAT, Tensor, followed, with_channels
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, first_line

# They change colours, or hide a part; nothing moves.
COLOUR_LAYERS = (
    "AutoContrast", "Equalization", "RandomBrightness", "RandomColorJitter", "RandomContrast", "RandomErasing",
    "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomSaturation", "RandomSharpness",
)  # fmt: skip
# They move what is in an image: the targets that follow.
GEOMETRIC_LAYERS: Mapping[str, frozenset[str]] = {
    "AugMix": frozenset(),
    "RandAugment": frozenset(),
    "RandomPerspective": frozenset({"masks"}),
    "RandomRotation": frozenset({"masks"}),
    "RandomShear": frozenset({"masks"}),
    "RandomTranslation": frozenset({"boxes", "masks"}),
    "RandomZoom": frozenset({"boxes", "masks"}),
}
AUGMENT_LAYERS = tuple(sorted([*COLOUR_LAYERS, *GEOMETRIC_LAYERS]))


def augmentation(word: str, option: Mapping[str, Any], targets: Any) -> Callable[..., Any]:
    """A layer of Keras as a step (inputs, targets, seed) -> (inputs, targets), of images of 0 to 255.

    Args:
        word: one of `AUGMENT_LAYERS`.
        option: the layer's own options.
        targets: what the batches hold, or their specification.

    Raises:
        UsageError: if the layer has no such options, or would move an image from under its boxes or masks.
    """
    moving = sorted({"boxes", "masks"} & set(targets)) if isinstance(targets, Mapping) else []
    moving = moving if word in GEOMETRIC_LAYERS else []
    layer = build(word, {**option, **({"bounding_box_format": BOX_FORMAT} if "boxes" in moving else {})})
    if left_behind := [key for key in moving if key not in GEOMETRIC_LAYERS[word]]:
        raise UsageError(
            f"keras.layers.{word} does not take {' and '.join(left_behind)} along rightly; expected one of "
            f"{', '.join(name for name, keys in GEOMETRIC_LAYERS.items() if {*moving} <= keys)}, shift, flip, crop"
        )
    if moving and (getattr(layer, "fill_mode", "constant") != "constant" or getattr(layer, "fill_value", 0)):
        raise UsageError(
            f"keras.layers.{word} fills with parts of the image, for which there are no {' and '.join(moving)}; "
            "expected fill_mode='constant' and fill_value=0"
        )

    def augment(x: Tensor, y: Any, seed: Tensor) -> tuple[Tensor, Any]:
        set_seed(layer, seed)
        x = tensorflow().cast(x, "float32")  # as Keras itself does in TensorFlow's pipelines alone
        return with_targets(layer, x, y) if moving else (layer(x, training=True), y)

    return augment


def build(word: str, option: Mapping[str, Any]) -> Any:
    """The layer; those that draw nothing take no seed. `set_seed` gives it another one for each batch."""
    import keras

    kind = getattr(keras.layers, word)
    seeded = {"seed": 0} if "seed" in inspect.signature(kind).parameters else {}
    try:
        return kind(**option, **seeded)
    except (TypeError, ValueError) as error:
        raise UsageError(f"keras.layers.{word} cannot be made with {dict(option)}: {first_line(error)}") from None


def set_seed(layer: Any, seed: Tensor) -> None:
    """Let what a layer draws next depend on a seed (2,) alone, and on nothing that it has drawn before."""
    import keras

    tf = tensorflow()
    pipeline = "tensorflow" if hasattr(tf, "raw_ops") else None
    for number, each in enumerate(layer._flatten_layers()):  # RandAugment is made of others
        if hasattr(each, "generator"):
            # Under another backend than TensorFlow a layer has a second generator, for TensorFlow's pipelines.
            state = each._get_seed_generator(pipeline).state
            value = tf.cast(seed % 2**31 + [0, number], keras.backend.standardize_dtype(state.dtype))
            (state.value if hasattr(state, "value") and not callable(state.value) else state).assign(value)


def with_targets(layer: Any, x: Tensor, y: Mapping[str, Any]) -> tuple[Tensor, Any]:
    """Images, boxes and masks through one call, which draws once for all."""
    tf = tensorflow()

    data = dict[str, Any](images=x)
    if "boxes" in y:
        data["bounding_boxes"] = {
            "boxes": tf.cast(y["boxes"], tf.float32),
            "labels": tf.zeros(tf.shape(y["boxes"])[:2]),
        }
    if "masks" in y:
        data["segmentation_masks"] = with_channels(y["masks"], x)
    found = layer(data, training=True)
    y = followed(y, x, boxes=lambda _: found["bounding_boxes"]["boxes"], masks=lambda _: found["segmentation_masks"])
    return found["images"], y
