# %% [markdown]
# # 15 · Object detection: what is there, and where
#
# A classifier says what an image shows. **Object detection** says what is in it and where: a class and a **bounding
# box** for each thing, however many there are. This lesson climbs from one box to a detector in three steps: the label
# of one thing, a classifier that looks everywhere, and a grid that sees all at once: YOLO (Redmon et al. 2016,
# [arXiv:1506.02640](https://arxiv.org/abs/1506.02640)), with the anchors of YOLOv2 (Redmon and Farhadi 2017,
# [arXiv:1612.08242](https://arxiv.org/abs/1612.08242)).
#
# **You will see** shapes over parts of photographs with the boxes that networks draw; the same boxes before and after
# their doubles are suppressed; and the curve of precision against recall by which detectors are compared. Then two
# failures: anchors that fit nothing, and a suppression that removes a neighbour.
#
# **Claims** IoU and suppression are those computed by hand. A classifier made of convolutions says of all windows at
# once what it says of each. The grid has a mean average precision of at least .75 in the worst of three seeds, and
# loses without suppression.
#
# **Beside them** the training set's mean box of each class, in every image; the same detector without suppression.
#
# **Takes** 4.5 minutes on one core (Intel Xeon). To read on: Everingham et al. 2010, "The Pascal Visual Object Classes
# (VOC) Challenge", [doi:10.1007/s11263-009-0275-4](https://doi.org/10.1007/s11263-009-0275-4).

# %%
import time

import keras
import numpy as np
from keras import layers, ops
from lesson import Tutorial

import zoo
from zoo import plots
from zoo.boxes import anchors, matching, overlap, rows, suppression
from zoo.boxes.sliding_window import sliding_window
from zoo.data.builtin import shapes
from zoo.decoding.detections import detections
from zoo.losses import GridDetection
from zoo.metrics import detection
from zoo.metrics.detection import Detections, Truth

lesson = Tutorial("15_object_detection")
SIZE = 48  # pixels of a side
TRAIN, TEST = (64, 32) if lesson.smoke else (1500, 300)

# %% [markdown]
# ## How well does a box fit?
# A box is four numbers: left, top, right, bottom. Two boxes are compared by **IoU**, intersection over union: the area
# that they share, divided by the area that they cover together. It is 1 for the same box and 0 for boxes apart; by
# convention, a box with an IoU above .5 with the true one is called right.
#
# Below, two squares of side 2, one moved by 1 in both directions: they share 1 and cover 4 + 4 - 1 = 7.

# %%
square, moved = [0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0]
lesson.claim("IoU of two squares, less 1/7", abs(float(overlap.iou(square, moved)) - 1 / 7), "<=", 1e-6, exact=True)

# %% [markdown]
# As a loss, IoU is useless where boxes are apart: it is 0 however far, and so is its gradient. **GIoU** (Rezatofighi et
# al. 2019, [arXiv:1902.09630](https://arxiv.org/abs/1902.09630)) subtracts the empty part of the smallest box around
# both, and goes on falling.

# %%
distances = [0.0, 0.5, 1.0, 2.0, 4.0]
shifted = np.float32([[d, 0, 1 + d, 1] for d in distances])
by_iou, by_giou = (ops.convert_to_numpy(f([0.0, 0, 1, 1], shifted)) for f in (overlap.iou, overlap.generalised_iou))
print("distance", distances, "IoU", by_iou.round(2).tolist(), "GIoU", by_giou.round(2).tolist())
lesson.claim("IoU at a distance of 2, less that at 4", by_iou[3] - by_iou[4], "==", 0.0, exact=True)
lesson.claim("GIoU, the same", by_giou[3] - by_giou[4], ">=", 0.2, baseline={"IoU": by_iou[3] - by_iou[4]}, exact=True)

# %% [markdown]
# ## A label for one thing
# To find one thing (**localization**), a network ends in the numbers
#
# $$(p_c,\; b_x, b_y, b_h, b_w,\; c_1, c_2, c_3),$$
#
# where $p_c$ says whether there is a thing at all, the $b$ where its midpoint is and how large it is, and the $c$ what
# it is. Where there is nothing, box and class mean nothing, and the loss must not look at them: it is $-\log(1 - p_c)$
# for an empty image, and for others $-\log p_c$, the cross-entropy of the class, and what the box is off by. Below, an
# empty image, and two answers with the same $p_c$ and another box and class: the same loss.

# %%
whole = [0.5, 0.5, 0.5, 0.5]  # one cell, the image, and one anchor: centre, width and height
answers = {"a box": [0.3, 0.3, 0.2, 0.2, 0.6, 0.4], "another": [0.8, 0.6, 0.4, 0.1, 0.1, 0.9]}
empty = [[[0, 0, 0, 0, -1, 0]]]  # class -1: nothing is there
losses = {
    name: float(GridDetection(nothing=1.0)(empty, [[[*box, *whole, *np.log([0.75, *np.float64(kinds) / 4])]]]))
    for name, (*box, first, second) in answers.items()
    for kinds in [(first, second)]
}
difference = abs(losses["a box"] - losses["another"])
lesson.claim("loss of an empty image, less -log(1 - p_c)", abs(losses["a box"] + np.log(0.75)), "<=", 1e-5, exact=True)
lesson.claim("the same for another box and class", difference, "<=", 1e-5, exact=True)


# %% [markdown]
# Our images are parts of photographs with up to three shapes upon them: a disc, a bar or a wedge, from 8 to 28 pixels
# wide. Those to test on are cut from a part of the photographs that no other image shows.


# %%
def scenes(count, most, sides, seed, test):
    """Images (count, SIZE, SIZE, 3) of 0 to 1 with up to `most` shapes, and what is in them: (count, most, 6)."""
    rng = np.random.default_rng(seed)
    images, things = np.zeros((count, SIZE, SIZE, 3), "float32"), np.zeros((count, most, 6), "float32")
    things[..., 4] = -1
    for image, rows_of_it in zip(images, things):
        number, boxes = rng.integers(1, most + 1), []
        while len(boxes) < number:
            box = shapes.random_box(rng, SIZE, sides)
            if shapes.overlap(box, boxes) <= 0.35:
                boxes.append(box)
        kinds = rng.integers(3, size=number)
        image[:] = shapes.picture(rng, SIZE, kinds, boxes, test) / 255
        for row, kind, box in zip(rows_of_it, kinds, boxes):
            row[:5] = [*(box / (shapes.FINE * SIZE)), kind]
    return images, things


scene, scene_test = scenes(TRAIN, 3, (8, 28), 5, False), scenes(TEST, 3, (8, 28), 6, True)

# %% [markdown]
# ## Several things: look everywhere
# A classifier of small images can search a large one: cut out a window, classify it, move on by a stride. That is a
# **sliding window**. Neighbouring windows share most of their pixels, and so most of the work is done again and again.
#
# A dense layer over maps of 5 x 5 is a convolution with a kernel of 5 x 5 that fits once. Written like that, the whole
# network is **fully convolutional**: it takes an image of any size and gives a vector for each window, in one pass
# (Sermanet et al. 2014, [arXiv:1312.6229](https://arxiv.org/abs/1312.6229)). The numbers are the same.

# %%
keras.utils.set_random_seed(lesson.seed)
small = keras.Input((14, 14, 3))
x = layers.MaxPooling2D(2)(layers.Conv2D(16, 5, activation="relu")(small))
x = layers.Dense(400, activation="relu")(layers.Flatten()(x))
classifier = keras.Model(small, layers.Dense(4, activation="softmax")(x))
everywhere = zoo.fully_convolutional(classifier)
large = scene_test[0][0]
timed = {}
for name, look in {
    "crop by crop": lambda: sliding_window(classifier, large, stride=2),
    "one pass": lambda: everywhere.predict(large[None], verbose=0)[0],
}.items():
    look()  # compiled
    start = time.perf_counter()
    said = look()
    timed[name] = (said, time.perf_counter() - start)
(crops, slow), (at_once, fast) = timed.values()
print(
    f"{crops.shape[0]} x {crops.shape[1]} windows: {1000 * slow:.0f} ms crop by crop, {1000 * fast:.0f} ms in one pass"
)
lesson.claim("one pass less crop by crop", np.abs(crops - at_once).max(), "<=", 1e-5, exact=True)

# %% [markdown]
# ## A grid of cells
# A window of one size finds things of one size. YOLO does without: it lays a grid over the image, and the cell
# that holds the midpoint of a thing tells of it, with the very numbers of above: $(p_c, b_x, b_y, b_h, b_w, c_1, c_2,
# c_3)$, $b_x$ and $b_y$ from 0 to 1 within the cell. A grid of 3 x 3 has a label of 3 x 3 x 8.
#
# Two midpoints in one cell are one too many. So each cell gets several **anchors** (anchor boxes), shapes chosen
# beforehand, and 8 numbers for each: a thing belongs to the cell of its midpoint and the anchor of the largest IoU with
# its shape. A pedestrian before a car: one tall, one wide, one cell.

# %%
pair = ops.convert_to_numpy(rows.centres([[[0.42, 0.2, 0.58, 0.8], [0.2, 0.4, 0.8, 0.6]]]))  # both midpoints at .5, .5


def told(sizes, things=pair):
    """Of how many things a grid of 3 x 3 cells can tell."""
    grid = anchors.grid_anchors(3, 3, sizes).reshape(-1, 4)
    has, _ = matching.taken_by(matching.by_midpoint(things, grid), np.array([[True, True]]), len(grid))
    return int(ops.sum(ops.cast(has, "int32")))


lesson.claim("things told of, with a tall and a wide anchor", told([(0.6, 1.8), (1.8, 0.6)]), "==", 2, exact=True,
             baseline={"with one anchor": told([(1.0, 1.0)])})  # fmt: skip

# %% [markdown]
# Which anchors? Those that the boxes of the training set suggest: k-means of their sizes, with $1 - \mathrm{IoU}$ as
# the distance (YOLOv2, section 2). What is measured is the IoU of a box with the best anchor.

# %%
boxes = scene[1][scene[1][..., 4] >= 0, :4]
sizes = (boxes[:, 2:] - boxes[:, :2]) * 6  # in cells: the grid below has 6 x 6
fits = {k: anchors.shape_iou(sizes, anchors.cluster_sizes(sizes, k)).max(1).mean() for k in (1, 2, 3, 5)}
tiny = np.array([[0.05, 0.05], [0.1, 0.02], [0.02, 0.1]])
fits["three tiny ones"] = anchors.shape_iou(sizes, tiny).max(1).mean()
print("IoU with the best of k anchors:", {k: round(float(value), 3) for k, value in fits.items()})
lesson.claim("IoU with the best of 3 anchors", fits[3], ">=", 0.55, baseline={"of 1": fits[1]}, exact=True)

# %% [markdown]
# The detector is a small network of convolutions down to a grid of 6 x 6 with three anchors. An anchor of a cell that
# holds nothing learns that $p_c = 0$; most do, and so they count half.

# %%
ANCHORS = tuple(tuple(map(float, each)) for each in anchors.cluster_sizes(sizes, 3))
LEAST = 0.01  # a score below which nothing is looked at
truths = [Truth(each[each[:, 4] >= 0, :4], each[each[:, 4] >= 0, 4].astype(int)) for each in scene_test[1]]


def detector(seed, sizes=ANCHORS):
    """A detector, trained with a learning rate that falls to 0."""
    keras.utils.set_random_seed(seed)
    model = zoo.build("yolo_grid", input_shape=(SIZE, SIZE, 3), filters=(16, 32, 64), anchors=sizes)
    epochs = 1 if lesson.smoke else 15
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-TRAIN // 32))
    model.compile(keras.optimizers.Adam(rate), loss=GridDetection("giou"))
    model.fit(*scene, batch_size=32, epochs=epochs, verbose=0)
    return model


def precision_of(found):
    """mAP at an IoU of .5."""
    return float(np.nanmean(detection.average_precision(truths, found, 3)[:, 0]))


said = [detector(seed).predict(scene_test[0], verbose=0) for seed in lesson.seeds]
found = [detections(each, score=LEAST) for each in said]
always = [
    (label, boxes[scene[1][scene[1][..., 4] >= 0, 4] == label].mean(0)) for label in range(3)
]  # of each class, its mean box
same = Detections(np.stack([box for _, box in always]), np.arange(3), np.ones(3))
beside = {"the mean boxes, always": precision_of([same] * TEST)}

# %% [markdown]
# ## Doubles
# Several cells and anchors see the same thing. **Non-maximum suppression** (NMS) keeps the best: drop boxes with
# $p_c < 0.6$; take the one with the largest $p_c$; drop all that overlap it with an IoU above 0.5; repeat with the
# rest. It is done for each class by itself.

# %%
cat_and_dog = np.float32(
    [[[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [21, 1, 31, 11], [19, 0, 29, 9], [0, 0, 5, 5]]]
)
scores = np.float32([[0.7, 0.9, 0.8, 0.65, 0.95, 0.3]])
kept, known = suppression.nms(cat_and_dog, scores, score_threshold=0.6, iou_threshold=0.5, max_boxes=6)
by_hand = [4, 1]  # .95 removes .8 and .65, .9 removes .7, and .3 is too little
wrong = ops.convert_to_numpy(kept)[0][ops.convert_to_numpy(known)[0]].tolist() != by_hand
lesson.claim("boxes of a cat and a dog that differ from those by hand", int(wrong), "==", 0, exact=True)

raw = [detections(each, score=LEAST, iou=1.0) for each in said]
worst = min(map(precision_of, found))
beside["without suppression"] = precision_of(raw[0])
lesson.claim("mAP at .5 of the grid, worst seed", worst, ">=", 0.75, baseline=beside)
lesson.claim("mAP with suppression less without", precision_of(found[0]) - precision_of(raw[0]), ">=", 0.03,
             baseline=beside)  # fmt: skip

names = shapes.CLASSES
before = plots.boxes_on([*scene_test[0][:4]], raw[0][:4], names, score=0.1, title="before suppression")
lesson.plot(before, "before")
after = plots.boxes_on([*scene_test[0][:8]], found[0][:8], names, truths[:8], score=0.3, title="after suppression")
lesson.plot(after, "after")

# %% [markdown]
# ## How detectors are compared
# Sort the boxes of a class by score. Each that has an IoU of .5 with a true one that is still free is right, all others
# are wrong. Going down the list, *precision* (the part of the boxes so far that is right) falls and *recall* (the
# part of the things that was found) rises. The area under that curve is the *average precision*, and its mean over
# the classes the **mean average precision** (mAP). COCO takes the mean over ten IoUs from .5 to .95 as well, which
# favours boxes that fit well.

# %%
curves = {name: detection.curve(truths, found[0], label) for label, name in enumerate(names)}
lesson.plot(plots.precision_recall(curves), "precision_recall")
lesson.plot(plots.error_kinds(detection.error_kinds(truths, found[0], score=0.3), 0.3), "errors")
strict = np.nanmean(detection.average_precision(truths, found[0], 3), axis=0)
print("mAP at an IoU of", {f"{each:.2f}": round(float(value), 3) for each, value in zip(detection.OVERLAPS, strict)})

# %% [markdown]
# ## Failure 1: anchors that fit nothing
# Three tiny anchors in place of those of the training set: each thing has an anchor still, but it overlaps it by less
# than a hundredth, which of the three tells of it is an accident of the shape, and the network has to stretch it
# tenfold and more before the box is right. That is why anchors are chosen by looking at the data.

# %%
stretch = np.exp(np.abs(np.log(sizes[:, None] / tiny)).max(-1).min(-1)).mean()
print(f"to fit, a tiny anchor is stretched {stretch:.0f} times on the mean, in one direction at least")
lesson.claim(
    "IoU with the best of three tiny anchors",
    fits["three tiny ones"],
    "<=",
    0.05,
    baseline={"of three that fit": fits[3]},
    exact=True,
)

# %% [markdown]
# ## Failure 2: a neighbour that is taken for a double
# Two discs of one class, side by side, that overlap with an IoU above the threshold: suppression cannot know that
# there are two, and removes one. A higher threshold keeps both, and with them the doubles of every other thing.

# %%
neighbours = np.float32([[[0.0, 0.0, 1.0, 1.0], [0.25, 0.0, 1.25, 1.0]]])
left = {
    limit: int(ops.sum(ops.cast(suppression.nms(neighbours, [[0.9, 0.8]], iou_threshold=limit)[1], "int32")))
    for limit in (0.5, 0.7)
}
shared = float(overlap.iou(*neighbours[0]))
print(f"IoU of the two {shared:.2f}; left at a threshold of .5: {left[0.5]}, of .7: {left[0.7]}")
lesson.claim("neighbours left at a threshold of .5", left[0.5], "==", 1, baseline={"of .7": left[0.7]}, exact=True)

# %% [markdown]
# ## Try it
# 1. Of how many things can a grid of 19 x 19 with 5 anchors tell, and how many numbers are its label for 80 classes?
# 2. `zoo train yolo_v2 --data FOLDER` takes images with Pascal VOC's XML, COCO's JSON or YOLO's text files; Darknet-19
#    and its small sister are `zoo.build("yolo_v2")` and `zoo.build("yolo_v2_tiny")`. Why do they need images whose
#    sides are multiples of 32?
# 3. What does mAP become if every true box is given twice, with the same score?
#
# <details><summary>Solutions</summary>
#
# 1. 19 · 19 · 5 = 1,805 at most, and 1,805 · (5 + 80) = 153,425 numbers.
# 2. Five pools halve each side, and a cell is 2^5 = 32 pixels wide.
# 3. Of each pair one is right and one is a double: at every recall the precision is about one half, and so is mAP.
# </details>

# %%
lesson.finish()
