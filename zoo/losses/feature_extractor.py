"""The maps of a VGG, for losses that compare what images show and not their pixels.

>>> maps = extractor(layers=("block1_conv1", "block3_conv1"))(keras.ops.ones((1, 32, 32, 3)))
>>> [tuple(each.shape) for each in maps]
[(1, 32, 32, 16), (1, 8, 8, 64)]
"""

import functools
from collections.abc import Sequence
from typing import Any

import keras

from zoo import factory, registry
from zoo.backend import dtype_policy
from zoo.errors import unknown
from zoo.preprocessing import PIXELS, Pixels, preprocessing_of

POOLING = {"average": keras.layers.AveragePooling2D, "max": keras.layers.MaxPooling2D}


@functools.lru_cache(maxsize=4)  # a loss is made anew for each run, evaluation and plot
def extractor(
    name: str = "vgg16",
    *,
    layers: tuple[str, ...],
    weights: str = "",
    preprocessing: str = "",
    width: float = 0.25,
    pooling: str = "average",
    seed: int = 0,
) -> keras.Model:
    """The frozen front of a VGG, in float32 whatever the dtype policy.

    Args:
        name: of a VGG in the zoo, without batch normalisation.
        layers: whose maps are wanted, as in ``"block4_conv2"``; after the ReLU.
        weights: a tag of its card, a file or an https address; ``""`` for untrained filters of He's variance.
        preprocessing: of the images these weights were trained on; needed for a file or an address only.
        width: of the VGG; 1 with published weights.
        pooling: ``"average"``, which Gatys found to look better, or ``"max"``, which the weights were trained with.
        seed: of untrained filters.

    Returns:
        A `keras.Model`: images (batch, height, width, 3) of 0 to 1, to a list of maps in the order of `layers`.

    Raises:
        UsageError: for a name, layer, pooling or weights that there are not.
    """
    if pooling not in POOLING:
        raise unknown("pooling", pooling, POOLING)
    card = registry.info(name)
    pixels = PIXELS[preprocessing_of(card, weights, preprocessing or None) or "torch"]
    with dtype_policy("float32"):
        vgg = factory.build(name, top=False, input_shape=(None, None, 3), width=width, weights=weights or None)
        known = [layer.name for layer in vgg.layers if isinstance(layer, keras.layers.Conv2D)]
        for layer in layers:
            if layer not in known:
                raise unknown(f"convolution of {name}", layer, known)
        if not weights:
            draw_untrained(vgg, seed)
        vgg.trainable = False
        return front(vgg, layers, pixels, POOLING[pooling])


def draw_untrained(vgg: Any, seed: int) -> None:
    """Draw each kernel from a generator of its own: the same filters on the same backend, whoever drew before."""
    for number, layer in enumerate(each for each in vgg.layers if each.weights):
        layer.kernel.assign(keras.initializers.HeNormal(seed=1000 * seed + number)(layer.kernel.shape))


def front(vgg: Any, wanted: Sequence[str], pixels: Pixels, pool: Any) -> keras.Model:
    """The chain of layers up to the last wanted one, with pooling of this kind, on images of 0 to 1."""
    image = keras.Input((None, None, 3), name="image")
    x = keras.ops.flip(image, axis=-1) if pixels.order == "bgr" else image
    x = (255.0 * x - keras.ops.array(pixels.mean)) / keras.ops.array(pixels.std)
    maps = {}
    for layer in vgg.layers[1:]:
        if isinstance(layer, keras.layers.MaxPooling2D):
            layer = pool(layer.pool_size, padding=layer.padding, name=layer.name)
        x = maps[layer.name] = layer(x)
        if set(wanted) <= maps.keys():
            break
    return keras.Model(image, [maps[name] for name in wanted], name=f"{vgg.name}_front")
