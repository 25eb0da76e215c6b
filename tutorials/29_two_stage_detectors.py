# %% [markdown]
# # 29 · Two-stage detectors: propose, then look again
#
# The grid of lesson 15 looks once. A **two-stage detector** looks twice: something proposes boxes that may hold a
# thing, and a network looks into each and says what it is. The line of its ancestors is short, and each of them
# removes what was slow or coarse in the one before:
#
# | network | proposals | what looks into a box |
# |---|---|---|
# | R-CNN ([Girshick 2014](https://arxiv.org/abs/1311.2524)) | are given | the whole network, on a crop of the image |
# | Fast R-CNN ([Girshick 2015](https://arxiv.org/abs/1504.08083)) | are given | a few layers, on a part of shared maps |
# | Faster R-CNN ([Ren 2015](https://arxiv.org/abs/1506.01497)) | are learned | the same |
# | Mask R-CNN ([He 2017](https://arxiv.org/abs/1703.06870)) | are learned | the same, and it draws a mask |
#
# **You will see** how a box is read from a map without rounding, how long each of the four takes on the same scene, how
# many things their proposals cover, and masks. The failure: what nobody proposes, nobody finds.
#
# **Claims** RoIAlign by hand is the zoo's, and reads a slope exactly where rounding does not. The second stage gives
# for proposals that are handed to it what it gives inside of the whole network. Shared maps are at least 3 times as
# fast as crops. The proposals that were learned cover at least .9 of the things, more than those by colour. The
# network has a mean average precision of at least .6, and at a strict overlap its masks have .2 more than its boxes,
# filled. With a single proposal for each image it finds less than half of the things.
#
# **Beside them** boxes around regions of one colour; boxes at random; the mean boxes of the training set.
#
# **Takes** 3 minutes of two cores (AMD EPYC).

# %%
import time

import keras
import numpy as np
from keras import layers, ops
from lesson import Tutorial
from scipy import ndimage

import zoo
from zoo import losses, plots
from zoo.boxes.masks import masks_within
from zoo.boxes.overlap import pairwise_iou
from zoo.boxes.roi_align import roi_align
from zoo.boxes.rows import corners
from zoo.data.builtin import shapes
from zoo.data.builtin.shape_masks import coverage
from zoo.decoding.detections import detections
from zoo.decoding.instances import in_image, instances
from zoo.layers.regions import RegionAlign
from zoo.metrics import detection
from zoo.metrics.detection import Detections, Truth
from zoo.tasks.instance_segmentation import coloured, mask_overlaps
from zoo.tasks.object_detection import mean_boxes

lesson = Tutorial("29_two_stage_detectors")
SIZE, MOST, SIDE = 64, 3, 28  # pixels of an image; things in it; places of a mask over its box
TRAIN, TEST = (16, 8) if lesson.smoke else (800, 200)

# %% [markdown]
# ## The scenes
# One to three shapes over a part of a photograph, as in lesson 15, each with a class, a box and a mask: the pixels that
# show it. The masks of one image do not overlap; a pixel is of the shape in front. To find each thing *with* its pixels
# is called **instance segmentation**: two discs side by side are two masks.


# %%
def scenes(count, seed, test):
    """Images (count, SIZE, SIZE, 3) of 0 to 1; things (count, MOST, 6); masks (count, MOST, SIZE, SIZE)."""
    rng = np.random.default_rng(seed)
    images, things = np.zeros((count, SIZE, SIZE, 3), "float32"), np.zeros((count, MOST, 6), "float32")
    masks = np.zeros((count, MOST, SIZE, SIZE), bool)
    things[..., 4] = -1
    for image, rows, masks_of_it in zip(images, things, masks):
        number, boxes = rng.integers(1, MOST + 1), []
        while len(boxes) < number:
            box = shapes.random_box(rng, SIZE, (14, 36))
            if shapes.overlap(box, boxes) <= 0.35:
                boxes.append(box)
        kinds = rng.integers(3, size=number)
        image[:] = shapes.picture(rng, SIZE, kinds, boxes, test) / 255
        for place, (kind, box) in enumerate(zip(kinds, boxes)):
            rows[place, :5] = [*(box / (shapes.FINE * SIZE)), kind]
            shown = coverage(kind, box, SIZE) >= 0.5
            masks_of_it[:place] &= ~shown  # those behind
            masks_of_it[place] = shown
    return images, things, masks


x, things, masks = scenes(TRAIN, 29, False)
x_test, things_test, masks_test = scenes(TEST, 30, True)
truths = [Truth(each[each[:, 4] >= 0, :4], each[each[:, 4] >= 0, 4].astype(int)) for each in things_test]
drawn = [coloured(*each) for each in zip(x_test[:4], masks_test, things_test[..., 4])]
lesson.plot(plots.gallery([[*x_test[:4]], drawn]), "scenes")

# %% [markdown]
# ## From a box to maps of one size
# Dense layers want an input of one size, and proposals have all sizes. **RoIPool** (Fast R-CNN; RoI stands for region
# of interest) lays a grid of, say, 7 x 7 cells over the box and takes a value for each. For that it rounds twice: the
# box to whole places of the map, then the cells. On a map with a stride of 16 a rounding by half a place is 8 pixels.
# **RoIAlign** (Mask R-CNN) rounds nothing. In each cell it takes some points, interpolates each between the four
# places around it, and the value of the cell is their mean.
#
# Below, a map that rises by 1 from each place to the next, to the right. The value in the middle of a cell should be
# where that middle is.


# %%
def interpolated(values, y, x):
    """Between the four places around a point."""
    top, left = int(np.floor(y)), int(np.floor(x))
    down, right = y - top, x - left
    corner = values[top : top + 2, left : left + 2]
    return np.array([1 - down, down]) @ corner @ np.array([1 - right, right])


def aligned_by_hand(values, box, cells, samples=2):
    left, top, right, bottom = box
    steps = (np.arange(cells * samples) + 0.5) / (cells * samples)
    points = [
        [interpolated(values, top + a * (bottom - top), left + b * (right - left)) for b in steps] for a in steps
    ]
    return np.reshape(points, (cells, samples, cells, samples)).mean((1, 3))


def rounded_by_hand(values, box, cells):
    """RoIPool with the mean in place of the largest value: only the rounding is to differ."""
    left, top, right, bottom = np.round(box).astype(int)
    rows, columns = (np.linspace(start, end, cells + 1) for start, end in ((top, bottom), (left, right)))
    found = np.zeros((cells, cells))
    for i, j in np.ndindex(cells, cells):
        ends = [int(np.floor(rows[i])), int(np.ceil(rows[i + 1])), int(np.floor(columns[j])), int(np.ceil(columns[j + 1]))]
        found[i, j] = values[ends[0] : ends[1], ends[2] : ends[3]].mean()
    return found


rng = np.random.default_rng(0)
any_map, box = rng.normal(size=(12, 16)), (2.3, 1.4, 11.8, 8.9)
found = ops.convert_to_numpy(roi_align(any_map[None, ..., None].astype("float32"), np.float32([[box]]), size=(4, 4)))
gap = np.abs(found[0, 0, ..., 0] - aligned_by_hand(any_map, box, 4)).max()
lesson.claim("RoIAlign by hand less the zoo's", gap, "<=", 1e-5, exact=True)

slope = np.tile(np.arange(16.0), (12, 1))
middles = 2.3 + (np.arange(4) + 0.5) * (11.8 - 2.3) / 4
errors = {
    name: np.abs(read(slope, box, 4)[0] - middles).max()
    for name, read in (("RoIAlign", aligned_by_hand), ("rounded", rounded_by_hand))
}
print("largest error on a slope, in places of the map:", {name: round(float(each), 3) for name, each in errors.items()})
lesson.claim("error of RoIAlign on a slope", errors["RoIAlign"], "<=", 1e-9,
             baseline={"rounded": errors["rounded"]}, exact=True)  # fmt: skip
