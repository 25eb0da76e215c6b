"""What a run, or a network with published weights, does to an image before it sees it, for loops of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.data.image import files
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.image.normalization import Scaling
from zoo.data.image.transforms import PREPROCESS
from zoo.data.tensors import numpy_dtype, tensorflow
from zoo.errors import UsageError
from zoo.inference import pretrained
from zoo.inference.reopening import reopen
from zoo.training.run_folder import Run


class Transforms:
    """From images as people have them to inputs of a network: to its size, its channels and its scale, as in training.

    Nothing is drawn: it is what validation and test images go through. Made by `zoo.transforms`::

        see = zoo.transforms("resnet50", "imagenet")
        see("photo.jpg")                        # (224, 224, 3) float32; also a PIL image, or an array
        see.batch(["photo.jpg", image])         # (2, 224, 224, 3)
        dataset.map(see.map)                    # of (image, target), each of its own size, in a tf.data pipeline
        see.layer((480, 640, 3))                # a Keras model of uint8 images of one size, to be saved with a network

    `shape` is that of what comes out, (height, width, channels); `class_names` are those of the logits.
    """

    def __init__(self, data: ArrayDataModule):
        self.data = data
        self.shape, self.scaling, self.class_names = data.shape, data.scaling, tuple(data.class_names)

    def __call__(self, image: Any) -> np.ndarray:
        """One image: a path, a PIL image, or an array (height, width[, channels]) of bytes, or of 0 to 1.

        Returns:
            (height, width, channels) float32, as the network takes it.

        Raises:
            UsageError: for anything else, or where the recipe does not resize and the size is another.
        """
        found: np.ndarray = self.batch([image])[0]
        return found

    def batch(self, images: Any) -> np.ndarray:
        """Several images, each of its own size: (images, height, width, channels) float32."""
        pixels = [self._pixels(image) for image in images]
        if not pixels:
            raise UsageError("no images were given; expected at least one")
        return self.data.scaled([self.data.fitted(each, f"image {n + 1}") for n, each in enumerate(pixels)])

    def map(self, image: Any, *rest: Any) -> Any:
        """The same in a ``tf.data`` pipeline: an image (height, width, channels) of bytes, and what goes with it."""
        found = tensorflow().convert_to_tensor(image)
        if numpy_dtype(found.dtype).kind not in "iu":
            raise UsageError(f"the images are {found.dtype.name}; expected bytes, uint8 of 0 to 255")
        for word, option in self.data.recipe.preprocess.items():
            found, _ = PREPROCESS[word](found, None, option)
        found = self.scaling(tensorflow().cast(found, "float32") / self._white)
        return (found, *rest) if rest else found

    def layer(self, image_shape: tuple[int, int, int]) -> keras.Model:
        """A Keras model without weights: a batch of images of one size, of 0 to 255, to inputs of the network.

        On TensorFlow it is the same to the bit but for the rounding to bytes after resizing; other backends resize a
        little otherwise.

        Args:
            image_shape: (height, width, channels); as many channels as the network takes.
        """
        *size, channels = image_shape
        if channels != self.shape[-1]:
            raise UsageError(f"image_shape has {channels} channels; expected {self.shape[-1]}")
        images = keras.Input(image_shape, name="images")
        x = images
        for word, option in self.data.recipe.preprocess.items():
            if word not in LAYERS:
                raise UsageError(f"the recipe prepares images by {word!r}, for which there is no layer")
            x = LAYERS[word](x, tuple(size), tuple(option))
            size = list(option)
        if tuple(size) != self.shape[:2]:
            raise UsageError(f"images of {image_shape} come out as {tuple(size)}; expected {self.shape[:2]}")
        return keras.Model(images, scaled(x, self.scaling, self._white), name="transforms")

    @property
    def _white(self) -> float:
        """What pixels of 0 to 255 are divided by, before they are scaled."""
        return 1.0 if self.data.high > 1 else 255.0

    def _pixels(self, image: Any) -> np.ndarray:
        """(height, width, channels) of 0 to 255."""
        channels = self.shape[-1]
        if isinstance(image, str | Path):
            return files.pixels(image, channels, self.data.at_least)
        if hasattr(image, "getbands"):  # of Pillow
            return files.in_channels(image, channels)
        array = np.asarray(image)
        array = array[..., np.newaxis] if array.ndim == 2 else array
        if array.ndim != 3 or array.dtype.kind not in "uif" or array.shape[-1] not in (1, 3):
            raise UsageError(
                f"an image is {type(image).__name__} of shape {array.shape}; expected a path, a PIL image, or an array "
                "(height, width, channels) of 1 or 3 channels"
            )
        if array.dtype.kind == "f":
            if array.size and not 0 <= array.min() <= array.max() <= 1:
                raise UsageError(
                    f"an image of fractions holds {array.min():g} to {array.max():g}; expected 0 to 1, or bytes: "
                    "image.astype('uint8')"
                )
            array = np.round(array * 255)
        from PIL import Image

        grey_or_colour = array.astype("uint8")
        image = Image.fromarray(grey_or_colour[..., 0] if array.shape[-1] == 1 else grey_or_colour)
        return files.in_channels(image, channels)


def transforms(
    run: str | Path | Run, weights: str | Path | None = None, *, preprocessing: str | None = None
) -> Transforms:
    """What a network's images go through before it sees them.

    Args:
        run: a run folder, or what `train` returned; or the name of a network, with weights.
        weights: of a name: a tag of its card (``"imagenet"``), a file, or an https address.
        preprocessing: what the weights in a file were trained on: "caffe", "torch" or "tf".

    Raises:
        UsageError: if there is no such run or name, or its network takes no images.
    """
    from zoo.inference.prediction import is_name

    if is_name(run):
        data: Any = pretrained.preparation(str(run), weights or "imagenet", preprocessing=preprocessing)
    elif weights or preprocessing:
        raise UsageError(f"{run} is a run, which has weights of its own; weights are for the name of a network")
    else:
        data = reopen(run).data
    if not isinstance(data, ArrayDataModule) or len(data.shape) != 3:
        raise UsageError(f"{data.card.name} takes no images of one size; expected a classifier of images")
    return Transforms(data)


# Steps of a recipe by `keras.ops`, where all sizes are known


def resized(x: Any, size: tuple[int, int], wanted: tuple[int, int]) -> Any:
    return keras.ops.image.resize(x, wanted)


def padded(x: Any, size: tuple[int, int], wanted: tuple[int, int]) -> Any:
    return middle(x, size, wanted)


def covered(x: Any, size: tuple[int, int], wanted: tuple[int, int]) -> Any:
    scale = np.float32(max(np.float32(want) / np.float32(side) for want, side in zip(wanted, size)))
    larger = [int(np.ceil(np.float32(side) * scale - np.float32(1e-3))) for side in size]
    inner = tuple(max(side, want) for side, want in zip(larger, wanted))
    return middle(keras.ops.image.resize(x, inner, antialias=True), inner, wanted)


def middle(x: Any, size: tuple[int, ...], wanted: tuple[int, int]) -> Any:
    """What is too much is cut, and what is missing black, on both sides alike; the odd pixel is at the end."""
    starts = [max((side - want) // 2, 0) for side, want in zip(size, wanted)]
    ends = [start + min(side, want) for start, side, want in zip(starts, size, wanted)]
    x = x[:, starts[0] : ends[0], starts[1] : ends[1]]
    before = [max((want - side) // 2, 0) for side, want in zip(size, wanted)]
    after = [max(want - side, 0) - start for start, side, want in zip(before, size, wanted)]
    return keras.ops.pad(x, [(0, 0), *zip(before, after), (0, 0)])


def scaled(x: Any, scaling: Scaling, white: float) -> Any:
    """As `Scaling`, of pixels that are divided by `white` first."""
    x = keras.ops.flip(x, axis=-1) if scaling.reverse else x
    mean, std = (np.array(values, "float32") for values in (scaling.mean, scaling.std))
    return (x / white - mean) / std


LAYERS: dict[str, Callable[..., Any]] = {"resize": resized, "pad": padded, "cover": covered}
