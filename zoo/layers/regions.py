"""What stands between the two stages of a detector: from the rows of the first to what the second looks at, and back.

S. Ren et al., "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks", NeurIPS 2015; T.-Y. Lin
et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, section 4; K. He et al., "Mask R-CNN", ICCV 2017,
section 3. All sizes are fixed: where there are fewer proposals than that, the rest are boxes without area.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from zoo.boxes import offsets
from zoo.boxes.overlap import area, clip
from zoo.boxes.roi_align import pyramid_align
from zoo.boxes.rows import boxes_of, centres, corners
from zoo.boxes.suppression import nms

Tensor = Any
Shape = tuple[int | None, ...]
SMALLEST = 1e-6  # side of a proposal, as a fraction of the image's
GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples, without their whole part, lie evenly between 0 and 1
ABSENT = -100.0  # logit of the classes of a proposal that is none


@keras.saving.register_keras_serializable("zoo")
class Proposals(layers.Layer):
    """The boxes that are likeliest to hold something, without doubles: the end of the first stage.

    S. Ren et al. 2015, section 3.3; T.-Y. Lin et al. 2017, section 4.1. The best of each map are cut off at the edges
    of the image; of those of one map that overlap, the best stays; and the best of all maps are proposed. Nothing is
    learned through them.

    Shapes: rows (batch, n, 10) of `zoo.boxes.rows`, of one class, map after map -> (batch, count, 4), left, top, right
    and bottom, the best first.

    Args:
        places: how many rows each map has.
        count: of the boxes of each map that are looked at, and of those that are proposed.
        iou: boxes that overlap a better one of their map by more go.

    >>> box, other = [0.3, 0.3, 0.2, 0.2], [0.7, 0.7, 0.4, 0.4]
    >>> rows = ops.convert_to_tensor([[[*box, *box, 0.0, 1.0], [*other, *other, 0.0, 2.0]]])
    >>> ops.convert_to_numpy(10 * Proposals([1, 1], count=2)(rows)).round().astype(int)[0].tolist()
    [[5, 5, 9, 9], [2, 2, 4, 4]]
    """

    def __init__(self, places: Sequence[int], count: int = 1000, iou: float = 0.7, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.places, self.count, self.iou = places, count, iou

    def call(self, rows: Tensor) -> Tensor:
        rows = ops.stop_gradient(rows)
        boxes = clip(corners(boxes_of(rows)))
        scores = rows[..., -1] - rows[..., -2]
        best_boxes, best_scores, levels, start = [], [], [], 0
        for level, places in enumerate(self.places):
            here = slice(start, start + places)
            best, place = ops.top_k(scores[:, here], min(self.count, places))
            best_boxes.append(ops.take_along_axis(boxes[:, here], ops.cast(place, "int32")[..., None], axis=1))
            best_scores.append(best)
            levels.append(ops.full_like(best, level))
            start += places
        boxes, scores, level = (ops.concatenate(each, axis=1) for each in (best_boxes, best_scores, levels))
        sides = ops.min(boxes[..., 2:] - boxes[..., :2], axis=-1)
        scores = ops.where(sides >= SMALLEST, scores, -float("inf"))
        how = dict(classes=level, iou_threshold=self.iou, score_threshold=-float("inf"), max_boxes=self.count)
        kept, there = nms(boxes, scores, **how)
        return ops.stop_gradient(ops.where(there[..., None], ops.take_along_axis(boxes, kept[..., None], axis=1), 0.0))

    def compute_output_shape(self, shape: Shape) -> Shape:
        return (shape[0], self.count, 4)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("places", "count", "iou")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("zoo")
class RegionAlign(layers.Layer):
    """What the maps of a pyramid hold inside of boxes, large boxes from coarse maps: RoIAlign.

    T.-Y. Lin et al. 2017, equation 1: a box as large as an image of ImageNet is taken from the fourth level, which is
    16 times as coarse as the image, one of half its sides from the third, and so on.

    Shapes: boxes (batch, n, 4 or more), left, top, right and bottom as fractions of the image, and maps (batch,
    height / 2^k, width / 2^k, channels), each twice as coarse as the one before -> (batch, n, size, size, channels).

    Args:
        image: (height, width), in pixels.
        size: of what comes out.
        samples: points of each of its cells, down and across.
        canonical: sides of a box for the fourth level, in pixels.
    """

    def __init__(
        self, image: tuple[int, int], size: int = 7, samples: int = 2, canonical: float = 224.0, **kwargs: Any
    ):
        super().__init__(autocast=False, **kwargs)  # boxes keep their precision
        self.image, self.size, self.samples, self.canonical = image, size, samples, canonical

    def call(self, inputs: list[Tensor]) -> Tensor:
        boxes, *maps = inputs
        boxes = boxes[..., :4]
        maps = [ops.cast(each, self.compute_dtype) for each in maps]
        finest = round(math.log2(self.image[0] / maps[0].shape[1]))
        side = ops.sqrt(ops.maximum(area(boxes), 1e-20) * (self.image[0] * self.image[1]))
        level = ops.floor(4.0 + ops.log2(side / self.canonical) + 1e-6) - finest
        level = ops.cast(ops.clip(level, 0, len(maps) - 1), "int32")
        scales = [each.shape[1:3] for each in maps]
        return pyramid_align(maps, boxes, level, scales=scales, size=(self.size, self.size), samples=self.samples)

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return (*shapes[0][:2], self.size, self.size, shapes[1][-1])

    def multiply_adds(self, before: list[tuple[int, ...]], after: tuple[int, ...]) -> int:
        return 0  # interpolation is not counted

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("image", "size", "samples", "canonical")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("zoo")
class ClassBoxes(layers.Layer):
    """For each proposal and each class, where the thing is and how much speaks for it: the end of the second stage.

    R. Girshick, "Fast R-CNN", ICCV 2015, section 2: each class moves the proposal in its own way.

    Shapes: proposals (batch, n, 4), left, top, right and bottom; offsets (batch, n, 4 + 4 * classes), and logits
    (batch, n, 1 + classes), the background first -> (batch, n, 1 + classes, 9), the rows of `zoo.boxes.rows`, with the
    proposal in the place of the anchor. One without area is of the background.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, inputs: list[Tensor]) -> Tensor:
        proposals, deltas, logits = inputs
        deltas = ops.reshape(deltas, (-1, deltas.shape[1], logits.shape[-1], 4))
        anchors = centres(proposals)[:, :, None] + ops.zeros_like(deltas)
        absent = ops.one_hot(ops.zeros_like(logits[..., 0], "int32"), logits.shape[-1]) * -ABSENT + ABSENT
        logits = ops.where(area(proposals)[..., None] > 0, logits, absent)
        return ops.concatenate([offsets.decoded(deltas, anchors), anchors, logits[..., None]], axis=-1)

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return (*shapes[2], 9)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@keras.saving.register_keras_serializable("zoo")
class SampleOrder(layers.Layer):
    """A number for each anchor or proposal, by which a loss draws lots among them: the largest come first.

    Random in training, new in each step; otherwise the same each time, as evenly spread. The same one for all the
    classes of a proposal.

    Shapes: rows (batch, n, ..., k) -> (batch, n, ..., k + 1), the number at the end.

    >>> [f"{each:.2f}" for each in ops.convert_to_numpy(SampleOrder()(ops.zeros((1, 3, 2))))[0, :, 2]]
    ['0.62', '0.24', '0.85']
    """

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, rows: Tensor, training: bool = False) -> Tensor:
        count = rows.shape[1]
        if training:
            order = keras.random.uniform((ops.shape(rows)[0], count), seed=self.seed_generator)
        else:
            order = ((ops.arange(count, dtype="float32") + 1.0) * GOLDEN % 1.0)[None]
        order = ops.reshape(order, (-1, count, *[1] * (len(rows.shape) - 2)))
        return ops.concatenate([rows, order + ops.zeros_like(rows[..., :1])], axis=-1)

    def compute_output_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], (shape[-1] or 0) + 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
