"""YOLO: one look at the image, and in each cell of a grid what is there and where.

J. Redmon et al., "You Only Look Once: Unified, Real-Time Object Detection", CVPR 2016: a network of convolutions ends
in a grid, and the cell that holds the midpoint of a thing tells of it: (p_c, b_x, b_y, b_w, b_h, c_1, ..., c_K).
J. Redmon and A. Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR 2017 (YOLOv2): several anchors in a cell, so that
it tells of several things; batch norm; and Darknet-19 (Table 6) with a passthrough from maps twice as fine:

    layers                                            416 x 416        to
    32                        pool                                     208
    64                        pool                                     104
    128, 64*, 128             pool                                      52
    256, 128*, 256            pool                                      26
    512, 256*, 512, 256*, 512                         kept: 26 x 26 x 512
                              pool                                      13
    1024, 512*, 1024, 512*, 1024, 1024, 1024
    beside: 64* of what was kept, its 2 x 2 into depth: 256
    1024 of both, then 1* with anchors * (5 + classes)

* are 1 x 1 convolutions, the others 3 x 3; all but the last have batch norm and a leaky ReLU of slope .1.
"""

import keras
from keras import layers

from zoo.errors import UsageError
from zoo.layers.grid_boxes import GridBoxes
from zoo.recipes.yolo import COCO, GRID_DEMO, TINY_DEMO, VOC, YOLO_FOLDER, YOLO_V2_DEMO
from zoo.records import Card, Input, replace
from zoo.registry import register

COCO_ANCHORS = ((0.57273, 0.677385), (1.87446, 2.06253), (3.33843, 5.47434), (7.88282, 3.52778), (9.77052, 9.16828))
SQUARE_AND_WIDE = ((1.0, 1.0), (0.5, 1.5))  # in cells: of the notes' two anchors
HALVINGS = 5  # of YOLOv2: a cell is 32 pixels wide
IMAGE = "RGB pixels divided by 255"


def convolution(x: keras.KerasTensor, filters: int, size: int, name: str) -> keras.KerasTensor:
    """A convolution, batch norm, and a leaky ReLU."""
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=f"{name}_norm")(x)
    return layers.LeakyReLU(0.1, name=f"{name}_relu")(x)


def halved(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.MaxPooling2D(2, padding="same", name=name)(x)


def check_divisible(input_shape: tuple[int, ...], halvings: int, name: str) -> None:
    """Raise unless the grid fills the image."""
    cell = 2**halvings
    if any(not side or side % cell for side in input_shape[:2]):
        raise UsageError(f"input_shape of {name} is {input_shape}; expected multiples of {cell}, the side of a cell")


def detected(x: keras.KerasTensor, anchors: tuple[tuple[float, float], ...], num_classes: int) -> keras.KerasTensor:
    """(batch, rows, columns, channels) to (batch, rows * columns * anchors, 9 + classes)."""
    x = layers.Conv2D(len(anchors) * (5 + num_classes), 1, dtype="float32", name="predictions")(x)
    return GridBoxes(anchors, name="boxes")(x)


@register(
    Card(
        task="object_detection",
        summary="one look, and a box and a class from each cell of a grid",
        params=1_472_752,
        non_trainable_params=2_432,
        paper="Redmon et al. 2016, YOLO (1506.02640), sections 2 and 3",
        deviations=(
            "five blocks of two convolutions with batch norm in place of 24 layers",
            "convolutions to the end, with anchors, as YOLOv2",
            "logarithms of probabilities in place of their squares",
            "p_c is to be 1 where a thing is, not the IoU of the predicted box",
        ),
        inputs=(Input("image", (96, 96, 3), holds=IMAGE),),
        preprocessing="unit",
        loss="grid_detection",
        head=("predictions",),
        recipes=(GRID_DEMO, replace(YOLO_FOLDER, preprocess={"letterbox": (192, 192)})),
        tiny={"input_shape": (16, 16, 3), "filters": (8, 8, 8), "num_classes": 2},
        tutorial="15_object_detection.py",
    )
)
def yolo_grid(
    *,
    input_shape: tuple[int, ...] = (96, 96, 3),
    num_classes: int = 3,
    filters: tuple[int, ...] = (32, 64, 128, 128, 256),
    anchors: tuple[tuple[float, float], ...] = SQUARE_AND_WIDE,
    name: str = "yolo_grid",
) -> keras.Model:
    """A small detector: convolutions down to a grid of 3 x 3 cells, and in each a box for every anchor.

    Args:
        input_shape: of an image; the grid has a cell for each 2 ** len(filters) pixels.
        num_classes: of things.
        filters: of the convolutions of each block; each halves the sides.
        anchors: (width, height) of each, in cells; one or two as in YOLO, or more.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to the rows of `zoo.boxes.rows`, (batch, cells * anchors, 9 +
        num_classes).

    Raises:
        UsageError: for sides that the cells do not fill.

    >>> yolo_grid().output_shape  # 3 x 3 cells, 2 anchors, 3 classes
    (None, 18, 12)
    """
    check_divisible(input_shape, len(filters), name)
    image = keras.Input(input_shape, name="image")
    x = image
    for block, count in enumerate(filters, 1):
        x = halved(convolution(x, count, 3, f"block{block}_conv1"), f"block{block}_pool")
        x = convolution(x, count, 3, f"block{block}_conv2")
    return keras.Model(image, detected(x, anchors, num_classes), name=name)


@register(
    Card(
        task="object_detection",
        summary="Darknet-19 with five anchors in each of 13 x 13 cells",
        params=50_962_889,
        non_trainable_params=20_672,
        paper="Redmon & Farhadi 2017, YOLO9000 (1612.08242), section 2 and Table 6",
        deviations=(
            "cross-entropies of whether something is there and what it is, in place of squares",
            "p_c is to be 1 where a thing is, not the IoU of the predicted box",
            "one size of images in place of a new one every ten batches",
            "boxes are measured in anchors, not in cells, by the loss",
        ),
        inputs=(Input("image", (416, 416, 3), holds=IMAGE),),
        preprocessing="unit",
        loss="grid_detection",
        head=("predictions",),
        recipes=(YOLO_V2_DEMO, YOLO_FOLDER, VOC, COCO),
        tiny={"input_shape": (32, 32, 3), "width": 1 / 128, "num_classes": 2},
        tutorial="15_object_detection.py",
    )
)
def yolo_v2(
    *,
    input_shape: tuple[int, ...] = (416, 416, 3),
    num_classes: int = 80,
    anchors: tuple[tuple[float, float], ...] = COCO_ANCHORS,
    width: float = 1.0,
    name: str = "yolo_v2",
) -> keras.Model:
    """YOLOv2 (Redmon & Farhadi 2017, section 2).

    Args:
        input_shape: of an image; a cell is 32 pixels wide.
        num_classes: of things.
        anchors: (width, height) of each, in cells. By default those of COCO;
            `zoo.boxes.anchors.cluster_sizes` finds those of a data set.
        width: multiplies the channels of all layers.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to the rows of `zoo.boxes.rows`, (batch, cells * anchors, 9 +
        num_classes).

    Raises:
        UsageError: for sides that are no multiples of 32.

    >>> yolo_v2(input_shape=(64, 64, 3), width=1 / 32).output_shape  # 2 x 2 cells, 5 anchors, 80 classes
    (None, 20, 89)
    """
    check_divisible(input_shape, HALVINGS, name)

    def conv(x: keras.KerasTensor, filters: int, size: int, layer: str) -> keras.KerasTensor:
        return convolution(x, max(1, round(filters * width)), size, layer)

    image = keras.Input(input_shape, name="image")
    x = image
    for block, (filters, depth) in enumerate(((32, 1), (64, 1), (128, 3), (256, 3), (512, 5)), 1):
        if block > 1:
            x = halved(x, f"block{block - 1}_pool")
        for number in range(depth):  # of three or five, each second one is a bottleneck
            x = conv(x, filters // (1 + number % 2), 1 if number % 2 else 3, f"block{block}_conv{number + 1}")
    fine = x
    x = halved(x, "block5_pool")
    for number in range(5):
        x = conv(x, 1024 // (1 + number % 2), 1 if number % 2 else 3, f"block6_conv{number + 1}")
    for number in range(2):
        x = conv(x, 1024, 3, f"block7_conv{number + 1}")
    x = layers.Concatenate(name="both")([into_depth(conv(fine, 64, 1, "passthrough")), x])
    x = conv(x, 1024, 3, "block8_conv1")
    return keras.Model(image, detected(x, anchors, num_classes), name=name)


def into_depth(x: keras.KerasTensor) -> keras.KerasTensor:
    """(batch, 2 rows, 2 columns, channels) to (batch, rows, columns, 4 channels): a square of four in each place."""
    _, height, width, channels = x.shape
    x = layers.Reshape((height // 2, 2, width // 2, 2, channels), name="squares")(x)
    x = layers.Permute((1, 3, 2, 4, 5), name="squares_together")(x)
    return layers.Reshape((height // 2, width // 2, 4 * channels), name="into_depth")(x)


@register(
    Card(
        task="object_detection",
        summary="YOLOv2 of nine convolutions, for slow machines",
        params=16_169_273,
        non_trainable_params=6_112,
        paper="Redmon & Farhadi 2017, YOLO9000 (1612.08242); the authors' tiny-yolo-voc.cfg",
        deviations=("as yolo_v2",),
        inputs=(Input("image", (416, 416, 3), holds=IMAGE),),
        preprocessing="unit",
        loss="grid_detection",
        head=("predictions",),
        recipes=(TINY_DEMO, YOLO_FOLDER, VOC, COCO),
        tiny={"input_shape": (32, 32, 3), "width": 1 / 128, "num_classes": 2},
        tutorial="15_object_detection.py",
    )
)
def yolo_v2_tiny(
    *,
    input_shape: tuple[int, ...] = (416, 416, 3),
    num_classes: int = 80,
    anchors: tuple[tuple[float, float], ...] = COCO_ANCHORS,
    width: float = 1.0,
    name: str = "yolo_v2_tiny",
) -> keras.Model:
    """The tiny YOLOv2: 16, 32, 64, 128, 256 and 512 channels, halved after each (the last time by a stride of 1), then
    1024 twice; no passthrough. The arguments are those of `yolo_v2`.

    Returns:
        A `keras.Model`: as `yolo_v2`.

    >>> yolo_v2_tiny(input_shape=(64, 64, 3), width=1 / 16).output_shape
    (None, 20, 89)
    """
    check_divisible(input_shape, HALVINGS, name)
    image = keras.Input(input_shape, name="image")
    x = image
    for block, filters in enumerate((16, 32, 64, 128, 256, 512), 1):
        x = convolution(x, max(1, round(filters * width)), 3, f"block{block}_conv")
        stride = 2 if block <= HALVINGS else 1
        x = layers.MaxPooling2D(2, strides=stride, padding="same", name=f"block{block}_pool")(x)
    for block in (7, 8):
        x = convolution(x, max(1, round(1024 * width)), 3, f"block{block}_conv")
    return keras.Model(image, detected(x, anchors, num_classes), name=name)
