# %% [markdown]
# # 15 · Object detection: what is there, and where
#
# A classifier says what an image shows. **Object detection** says what is in it and where: a class and a **bounding
# box** (the smallest upright rectangle around it) for each thing, however many there are. This lesson climbs from one
# box to a detector in three steps. First, one thing has one label. Then a classifier looks everywhere. Last, a grid
# sees the whole image at once: YOLO, "you only look once" (Redmon et al. 2016,
# [arXiv:1506.02640](https://arxiv.org/abs/1506.02640)), with the anchors of YOLOv2 (Redmon and Farhadi 2017,
# [arXiv:1612.08242](https://arxiv.org/abs/1612.08242)).
#
# **You will see** shapes over parts of photographs with the boxes that networks draw; such boxes before and after their
# doubles are removed; and the curve of precision against recall by which detectors are compared. Then a failure that
# one would expect and that does not come, anchors that fit nothing; and one that does, a suppression that removes a
# neighbour.
#
# **Claims** IoU and suppression give what is computed by hand. A classifier made of convolutions gives for all windows
# in one pass what it gives for each alone. The grid has a mean average precision of at least .75 in the worst of three
# seeds; without suppression it loses at least .03.
#
# **Beside them** the training set's mean box of each class, in every image; the same detector without suppression.
#
# **Takes** about 5 minutes on one core. To read on: Everingham et al. 2010, "The Pascal Visual Object Classes
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
# that they share, divided by the area that they cover together. It is 1 for the same box and 0 for boxes apart. By
# convention a predicted box is correct if its IoU with the true one is at least .5.
#
# Below are two squares of side 2, one moved by 1 in both directions. They share 1 and cover 4 + 4 - 1 = 7.

# %%
square, moved = [0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0]
lesson.claim("IoU of two squares, less 1/7", abs(float(overlap.iou(square, moved)) - 1 / 7), "<=", 1e-6, exact=True)

# %% [markdown]
# As a loss, $1 - \mathrm{IoU}$ is useless where boxes are apart: the IoU is 0 however far apart they are, and so is
# its gradient. **GIoU**, generalised IoU (Rezatofighi et al. 2019,
# [arXiv:1902.09630](https://arxiv.org/abs/1902.09630)), looks also at the smallest box $C$ around both, and subtracts
# the part of it that is empty:
#
# $$\mathrm{GIoU}(A, B) = \mathrm{IoU}(A, B) - \frac{|C| - |A \cup B|}{|C|}.$$
#
# So it goes on falling as the boxes move apart.

# %%
distances = [0.0, 0.5, 1.0, 2.0, 4.0]
shifted = np.float32([[d, 0, 1 + d, 1] for d in distances])
by_iou, by_giou = (ops.convert_to_numpy(f([0.0, 0, 1, 1], shifted)) for f in (overlap.iou, overlap.generalised_iou))
print("distance", distances, "IoU", by_iou.round(2).tolist(), "GIoU", by_giou.round(2).tolist())
lesson.claim("IoU at a distance of 2, less that at 4", by_iou[3] - by_iou[4], "==", 0.0, exact=True)
lesson.claim("GIoU, the same", by_giou[3] - by_giou[4], ">=", 0.2, baseline={"IoU": by_iou[3] - by_iou[4]}, exact=True)

# %% [markdown]
# ## A label for one thing
# To find the one thing that an image shows (**localisation**), a network ends in the numbers
#
# $$(p_c,\; b_x, b_y, b_h, b_w,\; c_1, c_2, c_3),$$
#
# where $p_c$ is the probability that there is a thing at all, the $b$ are its midpoint, height and width, and the $c$
# the probabilities of its classes. Where there is nothing, box and class mean nothing, and the loss must not look at
# them. It is $-\log(1 - p_c)$ for an empty image. For others it is $-\log p_c$, plus the cross-entropy of the class,
# plus what the box is off by.
#
# Below is an empty image, and two outputs for it with the same $p_c$ but different boxes and classes. Their loss is the
# same.

# %%
whole = [0.5, 0.5, 0.5, 0.5]  # one cell, the image, and one anchor: centre, width and height
outputs = {"a box": [0.3, 0.3, 0.2, 0.2, 0.6, 0.4], "another": [0.8, 0.6, 0.4, 0.1, 0.1, 0.9]}  # and two classes
empty = [[[0, 0, 0, 0, -1, 0]]]  # class -1: nothing is there
losses = {
    name: float(GridDetection(nothing=1.0)(empty, [[[*each[:4], *whole, *np.log([0.75, *np.divide(each[4:], 4)])]]]))
    for name, each in outputs.items()  # p_c is 1/4
}
difference = abs(losses["a box"] - losses["another"])
lesson.claim("loss of an empty image, less -log(1 - p_c)", abs(losses["a box"] + np.log(0.75)), "<=", 1e-5, exact=True)
lesson.claim("the same for another box and class", difference, "<=", 1e-5, exact=True)

# %% [markdown]
# `zoo.build("localizer")` is a network that ends in this label. If a thing is told not by its box but by points that
# every image shows (eyes, corners), its label is their places, and the network finds **landmarks**:
# `zoo.build("landmarks")`. Both read a point from a map: a softmax over all places says how likely each is, and the
# point is their mean.


# %% [markdown]
# Our images are parts of photographs with one to three shapes upon them: discs, bars and wedges, 8 to 28 pixels wide
# and high. The test images are cut from a part of the photographs that no training image shows.


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
# (Sermanet et al. 2014, [arXiv:1312.6229](https://arxiv.org/abs/1312.6229)). The vectors are the same, whatever the
# weights are; those below are untrained.

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
    vectors = look()
    timed[name] = (vectors, time.perf_counter() - start)
(crops, slow), (at_once, fast) = timed.values()
print(
    f"{crops.shape[0]} x {crops.shape[1]} windows: {1000 * slow:.0f} ms crop by crop, {1000 * fast:.0f} ms in one pass"
)
lesson.claim("one pass less crop by crop", np.abs(crops - at_once).max(), "<=", 1e-5, exact=True)

# %% [markdown]
# ## A grid of cells
# A window of one size finds things of one size. YOLO needs no windows. It lays a grid over the image, and each thing
# belongs to the cell that holds its midpoint. Each cell gives the 8 numbers of above, from $p_c$ to $c_3$, where $b_x$
# and $b_y$ go from 0 to 1 within the cell. So the label of a grid of 3 x 3 has 3 x 3 x 8 numbers.
#
# What if two midpoints lie in one cell? For that each cell gets several **anchors** (anchor boxes), shapes chosen
# beforehand, and 8 numbers for each. A thing belongs to the cell of its midpoint and, there, to the anchor whose shape
# has the largest IoU with its own. A pedestrian before a car: one tall, one wide, one cell, two anchors.
#
# The network does not give a box as it is. It gives how a box differs from its anchor of width $a_w$ and height $a_h$:
#
# $$b_x = \sigma(t_x), \quad b_y = \sigma(t_y), \quad b_w = a_w\,e^{t_w}, \quad b_h = a_h\,e^{t_h},$$
#
# with the numbers $t$ that it ends in and the sigmoid $\sigma$ (YOLOv2, section 2). With $t = 0$ the box is the anchor,
# in the middle of its cell.

# %%
# a tall and a wide thing, (1, 2, 4), with both midpoints at .5, .5
pair = ops.convert_to_numpy(rows.centres([[[0.42, 0.2, 0.58, 0.8], [0.2, 0.4, 0.8, 0.6]]]))


def assigned(sizes, things=pair, real=np.array([[True, True]]), cells=3):
    """How many of the things (those that are `real`) get an anchor of their own in a grid of cells x cells."""
    grid = anchors.grid_anchors(cells, cells, sizes).reshape(-1, 4)
    has, _ = matching.taken_by(matching.by_midpoint(things, grid), real, len(grid))
    return int(ops.sum(ops.cast(has, "int32")))


lesson.claim("things that get an anchor, of a tall and a wide one", assigned([(0.6, 1.8), (1.8, 0.6)]), "==", 2,
             baseline={"with one anchor": assigned([(1.0, 1.0)])}, exact=True)  # fmt: skip

# %% [markdown]
# Which anchors? Those that the boxes of the training set suggest, by **k-means clustering** of their sizes: start from
# $k$ of the sizes, group each box with the nearest of them, put the mean of each group in its place, and repeat until
# nothing changes. The distance is $1 - \mathrm{IoU}$ (YOLOv2, section 2). What counts is the IoU of a box with the best
# anchor. Three tiny anchors stand beside it, to which we come back.

# %%
things, real = ops.convert_to_numpy(rows.centres(scene[1][..., :4])), scene[1][..., 4] >= 0
boxes = scene[1][real, :4]
sizes = (boxes[:, 2:] - boxes[:, :2]) * 6  # in cells: the grid below has 6 x 6
fits = {k: anchors.shape_iou(sizes, anchors.cluster_sizes(sizes, k)).max(1).mean() for k in (1, 2, 3, 5)}
tiny = np.array([[0.05, 0.05], [0.1, 0.02], [0.02, 0.1]])
fits["three tiny ones"] = anchors.shape_iou(sizes, tiny).max(1).mean()
print("IoU with the best of k anchors:", {k: round(float(value), 3) for k, value in fits.items()})
beside = {"of 1": fits[1], "of three tiny ones": fits["three tiny ones"]}
lesson.claim("IoU with the best of 3 anchors", fits[3], ">=", 0.67, baseline=beside, exact=True)

# %% [markdown]
# ## How detectors are compared
# Sort the boxes of a class by their score. A box is correct if it has an IoU of at least .5 with a true one that no
# better box has taken; all others are wrong. Going down the list, *precision* (the fraction of the boxes so far that is
# correct) tends to fall, and *recall* (the fraction of the things that was found) rises. The area under that curve is
# the *average precision* (all three: lesson 06), and its mean over the classes is the **mean average precision**
# (mAP). COCO, a data set on which detectors are compared, also takes the mean over ten IoUs from .5 to .95, which
# favours boxes that fit well.

# %%
truths = [Truth(each[each[:, 4] >= 0, :4], each[each[:, 4] >= 0, 4].astype(int)) for each in scene_test[1]]


def mean_average_precision(found):
    """mAP at an IoU of .5."""
    return float(np.nanmean(detection.average_precision(truths, found, 3)[:, 0]))


mean_boxes = np.stack([boxes[scene[1][real, 4] == label].mean(0) for label in range(3)])  # one of each class
same = Detections(mean_boxes, np.arange(3), np.ones(3))
beside = {"the mean boxes, always": mean_average_precision([same] * TEST)}

# %% [markdown]
# ## The detector
# It is a small network of convolutions down to a grid of 6 x 6 with three anchors. An anchor that has a thing costs
#
# $$-\log p_c - \log c_k + 5\,(1 - \mathrm{GIoU}),$$
#
# where $k$ is the true class. One that has none costs $-\frac12 \log(1 - p_c)$, or nothing if its box has an IoU above
# .6 with a thing all the same. The 5 and the ½ are those of YOLO: most anchors have no thing, and would outweigh the
# others. (YOLO's loss has squares in place of the logarithms and of GIoU, and the target of its $p_c$ is the IoU of the
# predicted box. In YOLOv3 it is 1, as here: Redmon and Farhadi 2018,
# [arXiv:1804.02767](https://arxiv.org/abs/1804.02767).)
#
# The learning rate and the epochs are the same for all seeds. (In your own work choose them on a validation set.)

# %%
ANCHORS = tuple(tuple(map(float, each)) for each in anchors.cluster_sizes(sizes, 3))
LEAST = 0.01  # a score below which nothing is looked at


def detector(seed, sizes=ANCHORS):
    """A detector, trained with a learning rate that falls to 0."""
    keras.utils.set_random_seed(seed)
    model = zoo.build("yolo_grid", input_shape=(SIZE, SIZE, 3), filters=(16, 32, 64), anchors=sizes)
    epochs = 1 if lesson.smoke else 15
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-TRAIN // 32))
    model.compile(keras.optimizers.Adam(rate), loss=GridDetection("giou"))
    model.fit(*scene, batch_size=32, epochs=epochs, verbose=0)
    return model


predictions = [detector(seed).predict(scene_test[0], verbose=0) for seed in lesson.seeds]

# %% [markdown]
# ## Doubles
# Several cells and anchors find the same thing. **Non-maximum suppression** (NMS) keeps the best of them: drop all
# boxes with $p_c$ up to .6; take the one with the largest $p_c$; drop all that have an IoU above .5 with it; repeat
# with those that are left. It is done for each class by itself. Here are six boxes of one class on two things:

# %%
six = np.float32([[[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [21, 1, 31, 11], [19, 0, 29, 9], [0, 0, 5, 5]]])
scores = np.float32([[0.7, 0.9, 0.8, 0.65, 0.95, 0.3]])
kept, known = suppression.nms(six, scores, score_threshold=0.6, iou_threshold=0.5, max_boxes=6)
by_hand = [4, 1]  # .95 removes .8 and .65, .9 removes .7, and .3 is too little
kept = ops.convert_to_numpy(kept)[0][ops.convert_to_numpy(known)[0]].tolist()
lesson.claim("boxes that suppression keeps, other than those by hand", len({*kept} ^ {*by_hand}), "==", 0, exact=True)

# %% [markdown]
# Now the detector. A box's score is $p_c$ times the probability of its class. As mAP looks at all scores, we drop
# boxes below .01 only.

# %%
found = [detections(each, score=LEAST) for each in predictions]
raw = [detections(each, score=LEAST, iou=1.0) for each in predictions]
worst = min(map(mean_average_precision, found))
suppressed, unsuppressed = mean_average_precision(found[0]), mean_average_precision(raw[0])
lesson.claim("mAP at .5 of the grid, worst seed", worst, ">=", 0.75, baseline=beside)
lesson.claim("mAP with suppression less without", suppressed - unsuppressed, ">=", 0.03,
             baseline={"with": suppressed, "without": unsuppressed})  # fmt: skip

names = shapes.CLASSES
before = plots.boxes_on([*scene_test[0][:4]], raw[0][:4], names, score=0.1, title="before suppression")
lesson.plot(before, "before")
after = plots.boxes_on([*scene_test[0][:8]], found[0][:8], names, truths[:8], score=0.3, title="after suppression")
lesson.plot(after, "after")

# %% [markdown]
# The curve of each class, and what is wrong, counted by kind: a box in the place of a thing of another *class*, one
# that is out of *place* (its IoU with a thing of its class is from .1 to .5), a *double*, one of the *background*, and
# things that were *missed*. Most errors are of the first kind: as each class is suppressed by itself, one thing may
# keep a box of each class.

# %%
curves = {name: detection.curve(truths, found[0], label) for label, name in enumerate(names)}
lesson.plot(plots.precision_recall(curves), "precision_recall")
lesson.plot(plots.error_kinds(detection.error_kinds(truths, found[0], score=0.3), 0.3), "errors")
strict = np.nanmean(detection.average_precision(truths, found[0], 3), axis=0)
print("mAP at an IoU of", {f"{each:.2f}": round(float(value), 3) for each, value in zip(detection.OVERLAPS, strict)})

# %% [markdown]
# ## Do anchors have to fit?
# One would expect a failure. We train the same detector again and change its anchors alone: three tiny ones in place of
# those of the training set. Each thing still has an anchor, but their IoU is below .003. Which of the three gets a
# thing has little to do with its shape, and the network has to stretch the anchor before the box is right.

# %%
stretch = np.exp(np.abs(np.log(sizes[:, None] / tiny)).max(-1).min(-1)).mean()
print(f"to fit, a tiny anchor must be stretched {stretch:.0f} times on average, in one direction at least")
lesson.claim("largest IoU with a tiny anchor", anchors.shape_iou(sizes, tiny).max(), "<=", 0.003,
             baseline={"mean IoU with the best that fits": fits[3]}, exact=True)  # fmt: skip
misfits = detections(detector(lesson.seed, tuple(map(tuple, tiny))).predict(scene_test[0], verbose=0), score=LEAST)
print(f"mAP with anchors that fit {suppressed:.3f}, with tiny ones {mean_average_precision(misfits):.3f}")
shared = real.sum() - assigned(ANCHORS, things, real, cells=6)
print(f"{shared} of {real.sum()} things of the training set have cell and anchor in common with another")

# %% [markdown]
# It does as well. To stretch is easy: $e^{t}$ is 47 at $t = 3.9$, and GIoU looks at the box, not at the anchor. What
# anchors of several shapes are for, two things in one cell, hardly happens here: small images, and a grid of 6 x 6. So
# measure before you tune them. (One seed: a tendency, no claim.)

# %% [markdown]
# ## Failure: a neighbour that is taken for a double
# Two discs stand side by side, and the IoU of their boxes is above the threshold. Suppression cannot know that there
# are two, and removes one. A higher threshold keeps both, and with them the doubles of every other thing: the mAP of
# the detector falls.

# %%
neighbours = np.float32([[[0.0, 0.0, 1.0, 1.0], [0.25, 0.0, 1.25, 1.0]]])
left = {
    limit: int(ops.sum(ops.cast(suppression.nms(neighbours, [[0.9, 0.8]], iou_threshold=limit)[1], "int32")))
    for limit in (0.5, 0.7)
}
of_both = float(overlap.iou(*neighbours[0]))
print(f"IoU of the two {of_both:.2f}; left at a threshold of .5: {left[0.5]}, of .7: {left[0.7]}")
lesson.claim("neighbours left at a threshold of .5", left[0.5], "==", 1, baseline={"of .7": left[0.7]}, exact=True)
loose = mean_average_precision(detections(predictions[0], score=LEAST, iou=0.7))
print(f"mAP with a threshold of .5: {suppressed:.3f}, of .7: {loose:.3f}")

# %% [markdown]
# ## Try it
# 1. How many things can a grid of 19 x 19 with 5 anchors hold at most, and how many numbers has its label for 80
#    classes?
# 2. `zoo train yolo_v2 --data FOLDER` takes images with Pascal VOC's XML, COCO's JSON or YOLO's text files. Darknet-19
#    and its small sister are `zoo.build("yolo_v2")` and `zoo.build("yolo_v2_tiny")`. Why do they need images whose
#    sides are multiples of 32?
# 3. What does mAP become if every true box is found twice, with the same score?
# 4. SSD ([Liu 2016](https://arxiv.org/abs/1512.02325), `zoo.build("ssd300_vgg16")`) looks for small things in fine maps
#    and for large ones in coarse maps: of 38, 19, 10, 5, 3 and 1 cells a side, with 4, 6, 6, 6, 4 and 4 anchors in each
#    cell. How many anchors are that? Its loss counts every anchor that tells of a thing, and of the others only the
#    three worst for each of these (`zoo.losses.MultiBox`). Why not all?
# 5. Faster R-CNN ([Ren 2015](https://arxiv.org/abs/1506.01497), `zoo.build("faster_rcnn_resnet50_fpn")`) looks twice:
#    its first stage says of each anchor only whether there is something, its second one looks into the best 1,000 boxes
#    and says what. What does the second look cost, and what does it save?
#
# <details><summary>Solutions</summary>
#
# 1. 19 · 19 · 5 = 1,805 things, and 1,805 · (5 + 80) = 153,425 numbers.
# 2. Five pools halve each side, so a cell is 2^5 = 32 pixels wide.
# 3. With `Detections(np.repeat(t.boxes, 2, 0), np.repeat(t.classes, 2), np.ones(2 * len(t.classes)))` for each `t` in
#    `truths`, `mean_average_precision` gives .51. Of each pair one is correct and one is a double, so at every recall
#    the precision is a little above one half.
# 4. 38² · 4 + (19² + 10² + 5²) · 6 + (3² + 1²) · 4 = 8,732. Of 200 scenes as above, three things in each, some 18
#    anchors tell of one (`zoo.boxes.matching.by_overlap`), and 8,714 are empty: the sum of their losses, each small,
#    outweighs the others, and the network learns that nothing is anywhere.
# 5. Two dense layers for each box, 7 · 7 · 256 · 1,024 + 1,024² = 13.9 million multiplications, 13.9 billion for 1,000
#    boxes; for all of the 159,882 anchors of an image of 800 pixels it would be 160 times as much. And the second stage
#    is spared nearly all of the background.
# </details>

# %%
lesson.finish()
