"""One thing in an image: where it is (localisation), or where its points are (landmarks).

Before the detectors of many things there is one label for one thing, (p_c, b_x, b_y, b_w, b_h, c_1, ..., c_K): whether
something is there, its box, and its class; or the places of its landmarks (eyes, corners) alone. A network of
convolutions ends in these numbers (J. Tompson et al., "Efficient Object Localization Using Convolutional Networks",
CVPR 2015; P. Sermanet et al., "OverFeat", ICLR 2014, section 4). The body of both:

    at 32 x 32     3x3 16, 3x3 16, pool
       16 x 16     3x3 32, 3x3 32, pool
        8 x 8      3x3 64, 3x3 64, 3x3 64
                   1x1 to a map for each point, and its spatial softmax: the point that the map shows

Every 3x3 convolution has batch norm and a ReLU. To flatten the maps for a dense layer instead takes more weights, and
learns places slower: it has to learn for each place anew what is to be seen there.
"""

import keras
from keras import KerasTensor, layers
from keras.initializers import RandomNormal

from zoo.checks import check_whole
from zoo.errors import UsageError
from zoo.layers.grid_boxes import GridBoxes
from zoo.layers.spatial_softmax import SpatialSoftmax
from zoo.recipes.localizer import ONE_BOX, ONE_SHAPE, TURNED_WEDGES
from zoo.records import Card, Input
from zoo.registry import register

FILTERS = (16, 32, 64)
LAST = 3  # convolutions behind the last pool; two before each of the others
IMAGE = "RGB pixels divided by 255"


def body(image: KerasTensor, filters: tuple[int, ...], name: str) -> KerasTensor:
    """Maps (batch, rows, columns, filters[-1]), halved after each of the filters but the last."""
    halvings = len(filters) - 1
    if any(not side or side % 2**halvings for side in image.shape[1:3]):
        raise UsageError(f"input_shape of {name} is {tuple(image.shape[1:])}; expected multiples of {2**halvings}")
    x = image
    for block, count in enumerate(filters, 1):
        for number in range(1, 3 if block <= halvings else LAST + 1):
            layer = f"block{block}_conv{number}"
            x = layers.Conv2D(count, 3, padding="same", use_bias=False, name=layer)(x)
            x = layers.BatchNormalization(momentum=0.9, name=f"{layer}_norm")(x)
            x = layers.ReLU(name=f"{layer}_relu")(x)
        if block <= halvings:
            x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return x


def pointed(x: KerasTensor, count: int) -> KerasTensor:
    """Points (batch, count, 2), a map for each."""
    return SpatialSoftmax(name="points")(layers.Conv2D(count, 1, dtype="float32", name="point_maps")(x))


@register(
    Card(
        task="localization",
        summary="whether one thing is there, its box and its class",
        params=112_408,
        non_trainable_params=576,
        paper="Sermanet et al. 2014, OverFeat (1312.6229), section 4; Levine et al. 2016 (1504.00702), section 5.1",
        deviations=(
            "a spatial softmax of 32 maps and the largest value of each of 64 in place of dense layers over all maps",
            "the loss is that of YOLO with one cell and one anchor: logarithms in place of squares",
        ),
        notes=("of several things in an image it tells of one: take yolo_grid",),
        inputs=(Input("image", (32, 32, 3), holds=IMAGE),),
        preprocessing="unit",
        loss="grid_detection",
        head=("predictions",),
        recipes=(ONE_SHAPE, ONE_BOX),
        tiny={"input_shape": (16, 16, 3), "num_classes": 2, "filters": (8, 8), "points": 4},
        tutorial="15_object_detection.py",
    )
)
def localizer(
    *,
    input_shape: tuple[int, ...] = (32, 32, 3),
    num_classes: int = 3,
    filters: tuple[int, ...] = FILTERS,
    points: int = 32,
    name: str = "localizer",
) -> keras.Model:
    """Convolutions that end in the label of one thing: p_c, its box, its class.

    Args:
        input_shape: of an image.
        num_classes: of things.
        filters: of the convolutions before each pool, and behind the last.
        points: maps that show a point each, from which the box is told.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to one row of `zoo.boxes.rows`, (batch, 1, 9 + num_classes): the whole
        image is its cell, half of it its anchor.

    Raises:
        UsageError: for sides that the pools do not divide.

    >>> localizer().output_shape
    (None, 1, 12)
    """
    check_whole("points", points)
    image = keras.Input(input_shape, name="image")
    x = body(image, filters, name)
    where = layers.Flatten(name="places")(pointed(x, points))
    x = layers.Concatenate(name="both")([where, layers.GlobalMaxPooling2D(dtype="float32", name="what")(x)])
    small = RandomNormal(stddev=0.01)  # at first the box is the anchor: sizes are exponentials
    x = layers.Dense(5 + num_classes, kernel_initializer=small, dtype="float32", name="predictions")(x)
    x = layers.Reshape((1, 1, 5 + num_classes), name="one_cell")(x)
    return keras.Model(image, GridBoxes(((0.5, 0.5),), prior=0.5, name="boxes")(x), name=name)


@register(
    Card(
        task="landmark_detection",
        summary="the places of an object's landmarks",
        params=109_491,
        non_trainable_params=576,
        paper="Tompson et al. 2015 (1411.4280); Levine et al. 2016 (1504.00702), section 5.1",
        deviations=("points by a spatial softmax in place of maps that are learned and a network that refines them",),
        notes=("every image is taken to show all landmarks",),
        inputs=(Input("image", (32, 32, 3), holds=IMAGE),),
        preprocessing="unit",
        head=("point_maps",),
        recipes=(TURNED_WEDGES,),
        tiny={"input_shape": (16, 16, 3), "num_points": 2, "filters": (8, 8)},
        tutorial="15_object_detection.py",
    )
)
def landmarks(
    *,
    input_shape: tuple[int, ...] = (32, 32, 3),
    num_points: int = 3,
    filters: tuple[int, ...] = FILTERS,
    name: str = "landmarks",
) -> keras.Model:
    """Convolutions that end in the places of landmarks, a map for each.

    Args:
        input_shape: of an image.
        num_points: landmarks.
        filters: of the convolutions before each pool, and behind the last.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to (batch, num_points, 2), across and down as fractions of the image's
        sides.

    Raises:
        UsageError: for sides that the pools do not divide, or no landmark.

    >>> landmarks(num_points=5).output_shape
    (None, 5, 2)
    """
    check_whole("num_points", num_points)
    image = keras.Input(input_shape, name="image")
    return keras.Model(image, pointed(body(image, filters, name), num_points), name=name)
