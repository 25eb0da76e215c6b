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
# | Fast R-CNN ([Girshick 2015](https://arxiv.org/abs/1504.08083)) | are given | a few layers, on shared maps |
# | Faster R-CNN ([Ren 2015](https://arxiv.org/abs/1506.01497)) | are learned | the same |
# | Mask R-CNN ([He 2017](https://arxiv.org/abs/1703.06870)) | are learned | the same, and it draws a mask |
#
# **You will see** how a box is read from a map without rounding, how long each of the four takes on the same scene, how
# many things their proposals cover, and masks. The failure: what nobody proposes, nobody finds.
#
# **Claims** RoIAlign by hand is the zoo's, and reads a slope exactly where rounding does not. The second stage gives
# for proposals that are handed to it what it gives inside of the whole network. The proposals that were learned cover
# at least .9 of the things; a single one for each image at most .6. Shared maps are at least 5 times as fast as crops,
# and with learned proposals a detector is at least twice as fast as with given ones. Boxes are no masks: the true ones,
# filled, have a mean average precision of at most .5 at an IoU of .75. The loss of the masks that are learned falls
# below .25.
#
# **Beside them** boxes around regions of one colour; boxes at random; the mean boxes of the training set.
#
# **Takes** 3 to 4 minutes of one core's time (AMD EPYC).

# %%
import time

import keras
import numpy as np
from keras import ops
from lesson import Tutorial
from scipy import ndimage

import zoo
from zoo import losses, plots
from zoo.boxes.masks import masks_within
from zoo.boxes.overlap import pairwise_iou
from zoo.boxes.roi_align import roi_align
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
    whole = np.round(box)
    columns, rows = (np.linspace(start, end, cells + 1) for start, end in zip(whole[:2], whole[2:]))
    found = np.zeros((cells, cells))
    for i, j in np.ndindex(cells, cells):
        top, left = int(rows[i]), int(columns[j])
        bottom, right = int(np.ceil(rows[i + 1])), int(np.ceil(columns[j + 1]))
        found[i, j] = values[top:bottom, left:right].mean()
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

# %% [markdown]
# ## A network that proposes
# The first stage is a small network on the maps, the **region proposal network** (RPN). For each anchor it says whether
# there is something, whatever it is, and how the anchor must move to fit. The best ones, without doubles, are the
# **region proposals**. The maps come from a **feature pyramid** (Lin 2016,
# [arXiv:1612.03144](https://arxiv.org/abs/1612.03144)): what the coarse maps know is enlarged and added to the fine
# ones, so that small things are looked for in fine maps and large ones in coarse maps, and all of them mean the same.
#
# The second stage reads each proposal from the maps by RoIAlign, 7 x 7, and says what it is and how the box must move
# once more. The third, Mask R-CNN's, reads 14 x 14 and draws a mask of 28 x 28 for each class. All learn at once:
#
# * the first stage from anchors that overlap a thing by .7, or nothing by .3, half of each;
# * the second from proposals that overlap a thing by .5, and from others, which are background;
# * the third from proposals that hold a thing, and only on the map of its true class. So the maps need not compete, and
#   what is in the box is left to the second stage.

# %%
EPOCHS, BATCH, PROPOSALS, MASKS = (1 if lesson.smoke else 8), 16, 24, 12
mean, std = x.mean((0, 1, 2)), x.std((0, 1, 2))


def packed(things, masks):
    """Things with their masks, SIDE x SIDE over the whole of their boxes: (images, MOST, 6 + SIDE * SIDE)."""
    whole = np.broadcast_to(np.float32([0, 0, 1, 1]), (*masks.shape[:2], 4))
    inside = ops.convert_to_numpy(masks_within(masks.astype("float32"), whole, things[..., :4], SIDE))
    return np.concatenate([things, inside.round().reshape(*things.shape[:2], -1)], axis=-1)


def built(proposals=PROPOSALS, masks=MASKS):
    """A small Mask R-CNN; it holds the Faster R-CNN of `zoo.build("faster_rcnn_resnet50_fpn")`."""
    return zoo.build(
        "mask_rcnn_resnet50_fpn", input_shape=(SIZE, SIZE, 3), num_classes=3, blocks=(1, 1, 1, 1), width=16,
        channels=32, units=64, sides=(16, 22, 28, 36, 50), proposals=proposals, masks=masks, frozen_norm=False,
    )  # fmt: skip


keras.utils.set_random_seed(lesson.seed)
model = built()
steps = EPOCHS * -(-TRAIN // BATCH)
rate = keras.optimizers.schedules.CosineDecay(3e-4, steps - steps // 10, warmup_target=3e-3, warmup_steps=steps // 10)
model.compile(
    keras.optimizers.Adam(rate, clipnorm=10.0),
    loss={
        "masks": losses.RegionMasks(),
        "detections": losses.RegionBoxes(samples=PROPOSALS),
        "proposals": losses.RegionProposals(samples=64),
    },
    jit_compile=False,
)
targets = {"masks": packed(things, masks), "detections": things, "proposals": things}
history = model.fit((x - mean) / std, targets, batch_size=BATCH, epochs=EPOCHS, verbose=0)
for name in ("proposals_loss", "detections_loss", "masks_loss"):
    print(name, np.round(history.history[name], 3).tolist())
outputs = model.predict((x_test - mean) / std, batch_size=50, verbose=0)

# %% [markdown]
# ## Who proposes?
# R-CNN took its proposals from *selective search*, a program that joins neighbouring regions of like colours and
# textures: about 2,000 boxes for an image, in 2 seconds (Ren 2015, section 1). In that spirit, here is a program that
# reduces an image to few colours, coarsely and finely, and puts a box around each connected region.
#
# Proposals are measured by their **recall**: the fraction of the things that have an IoU of at least .5 with one of
# them. It is a ceiling: what no proposal covers, no second stage finds.


# %%
def by_colour(image, most):
    """Boxes (most, 4) around connected regions of one colour, those that fill their box best first."""
    smooth, found = ndimage.median_filter(image, (3, 3, 1)), []
    for levels in (2, 3, 4, 6, 8):
        codes = np.minimum(smooth * levels, levels - 1).astype(int) @ [1, levels, levels**2]
        for code in np.unique(codes):
            regions, _ = ndimage.label(codes == code)
            for number, (down, across) in enumerate(ndimage.find_objects(regions), start=1):
                box = [across.start, down.start, across.stop, down.stop]
                if 8 <= min(box[2] - box[0], box[3] - box[1]) and max(box[2] - box[0], box[3] - box[1]) <= 48:
                    fill = (regions[down, across] == number).mean()
                    found.append((fill, box))
    best = [box for _, box in sorted(found, reverse=True)[:most]]
    return np.float32(best + [[0, 0, 0, 0]] * (most - len(best))) / SIZE


def recall(proposals):
    """The fraction of the test set's things that a proposal covers."""
    there = things_test[..., 4] >= 0
    overlaps = ops.convert_to_numpy(pairwise_iou(proposals, things_test[..., :4]))  # (images, proposals, MOST)
    return float((overlaps.max(1) >= 0.5)[there].mean())


scaled = (x_test - mean) / std
learned = keras.Model(model.input, model.get_layer("regions").output).predict(scaled, batch_size=50, verbose=0)
coloured_regions = np.stack([by_colour(image, PROPOSALS) for image in x_test])
at_random = [[shapes.random_box(rng, SIZE, (14, 36)) for _ in range(PROPOSALS)] for _ in range(TEST)]
at_random = np.float32(at_random) / (shapes.FINE * SIZE)
recalls = {"learned": recall(learned), "by colour": recall(coloured_regions), "at random": recall(at_random)}
print(f"recall of {PROPOSALS} proposals:", {name: round(value, 3) for name, value in recalls.items()})
others = {name: value for name, value in recalls.items() if name != "learned"}
lesson.claim("recall of the proposals that were learned", recalls["learned"], ">=", 0.9, baseline=others)

# %% [markdown]
# The program by colour does well here, for each of our shapes has one colour, the very thing that it looks for. What
# tells a dog from a sofa is not its colour. And it takes its time, as we shall see.

# %% [markdown]
# ## The second stage by itself
# R-CNN and Fast R-CNN are this second stage with proposals that are handed to it. Below it is taken out of the network
# and given the network's own proposals: it must say the same.

# %%
LEVELS = (2, 3, 4, 5)
features = keras.Model(model.input, [model.get_layer(f"pyramid{level}").output for level in LEVELS])
image, boxes = keras.Input((SIZE, SIZE, 3)), keras.Input((None, 4))
inside = RegionAlign((SIZE, SIZE))([boxes, *features(image)])  # (batch, boxes, 7, 7, channels)
for name in ("roi_flat", "fc6", "fc7"):
    inside = model.get_layer(name)(inside)
second_stage = keras.Model([image, boxes], [model.get_layer(name)(inside) for name in ("classes", "offsets")])

logits, _ = second_stage.predict([scaled[:8], learned[:8]], verbose=0)
known = (learned[:8, :, 2:] > learned[:8, :, :2]).all(-1)  # fewer may have been left than there is room for
gap = np.abs(logits - outputs["detections"][:8, ..., 8])[known].max()
lesson.claim("logits of the second stage alone, less those inside", gap, "<=", 1e-4, exact=True)

# %% [markdown]
# ## What it costs
# The same scenes, boxes and weights. R-CNN cuts each box out of the image, enlarges it to the size of an image, and
# sends each crop through the whole network. Fast R-CNN computes the maps once. Both wait for the program that proposes.
# Faster R-CNN adds the first stage in its place, and Mask R-CNN the third. (Of so small a network a single call costs
# more than what it computes; so all take eight scenes at a time.)

# %%
def seconds(task, times=9):
    """The least of several runs, after one that compiles: what else the machine does only adds to it."""
    task()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        task()
        taken.append(time.perf_counter() - start)
    return min(taken)


some, given = scaled[:8], learned[:8]
everything = np.broadcast_to(np.float32([0, 0, 1, 1]), (8 * PROPOSALS, 1, 4))  # of each crop
faster = keras.Model(model.input, model.output["detections"])


def r_cnn():
    """Each proposal is an image of its own."""
    crops = ops.convert_to_numpy(roi_align(some, given * SIZE, size=(SIZE, SIZE), samples=1, aligned=True))
    second_stage.predict_on_batch([crops.reshape(-1, SIZE, SIZE, 3), everything])


times = {
    "R-CNN": seconds(r_cnn),
    "Fast R-CNN": seconds(lambda: second_stage.predict_on_batch([some, given])),
    "Faster R-CNN": seconds(lambda: faster.predict_on_batch(some)),
    "Mask R-CNN": seconds(lambda: model.predict_on_batch(some)),
    "proposals by colour": seconds(lambda: [by_colour(image, PROPOSALS) for image in x_test[:8]]),
}
print("milliseconds a scene:", {name: round(1000 * value / 8, 1) for name, value in times.items()})
lesson.claim("seconds of R-CNN by those of Fast R-CNN", times["R-CNN"] / times["Fast R-CNN"], ">=", 5.0, baseline=times)
with_proposals = times["Fast R-CNN"] + times["proposals by colour"]
lesson.claim("seconds of Fast R-CNN with its proposals by those of Faster R-CNN",
             with_proposals / times["Faster R-CNN"], ">=", 2.0, baseline=times)  # fmt: skip

# %% [markdown]
# The papers' numbers, in seconds for an image on their GPUs: R-CNN 47 and Fast R-CNN .32, both without their proposals
# (Girshick 2015, table 4); with them Fast R-CNN 1.8 and Faster R-CNN .2 (Ren 2015, table 5). The reason is the same
# here: of R-CNN's work nearly all is done again and again, for boxes that overlap.

# %% [markdown]
# ## What it finds
# Is a mask more than its box, filled? A disc covers $\pi / 4 = .79$ of its box, a wedge half of it. So even the true
# boxes, filled, have an IoU of .75 with no wedge, and with few shapes that stand behind another one.
#
# How much a network has learned of masks alone is seen in its loss: the mean over the places of the boxes that hold a
# thing. Knowing nothing it is $\ln 2 = .69$.

# %%
found = detections(outputs["detections"][..., :-1], score=0.01)
seen = instances(outputs["masks"])
true_masks = [each[: len(truth.classes)] for each, truth in zip(masks_test, truths)]


def precision(found, overlaps=None):
    """mAP at an IoU of .5 and of .75."""
    by_overlap = np.nanmean(detection.average_precision(truths, found, 3, given=overlaps), axis=0)
    return float(by_overlap[0]), float(by_overlap[5])


def drawn_in(masks_of_each):
    """IoU of the masks of each image with the true ones."""
    size = (SIZE, SIZE)
    return [
        mask_overlaps(in_image(masks, each.boxes, size), true)
        for masks, (each, _), true in zip(masks_of_each, seen, true_masks)
    ]


by_masks = precision([each for each, _ in seen], drawn_in([masks for _, masks in seen]))
filled = precision([each for each, _ in seen], drawn_in([np.ones_like(masks) for _, masks in seen]))
always = [mean_boxes(things, 3)] * TEST
true_boxes = [Detections(each.boxes, each.classes, np.ones(len(each.classes))) for each in truths]
full = [
    mask_overlaps(in_image(np.ones((len(each.boxes), SIDE, SIDE)), each.boxes, (SIZE, SIZE)), true)
    for each, true in zip(truths, true_masks)
]
of_filled = precision(true_boxes, full)
lesson.claim("mAP at .75 of the true boxes, filled", of_filled[1], "<=", 0.5,
             baseline={"the same at .5": of_filled[0]}, exact=True)  # fmt: skip
last = history.history["masks_loss"][-1]
lesson.claim("loss of the masks in the last epoch", last, "<=", 0.25, baseline={"knowing nothing": np.log(2)})
by_boxes, by_mean = precision(found), precision(always)
print(f"mAP at .5 and .75: boxes {by_boxes[0]:.3f} {by_boxes[1]:.3f}, masks {by_masks[0]:.3f} {by_masks[1]:.3f}, "
      f"boxes filled {filled[0]:.3f} {filled[1]:.3f}")  # fmt: skip
print(f"beside the mean boxes of the training set, always: {by_mean[0]:.3f} {by_mean[1]:.3f}")

sure = [(each.scores > 0.4, each, masks) for each, masks in seen[:8]]
pictures = [
    coloured(image, in_image(masks[good], each.boxes[good], (SIZE, SIZE)), each.classes[good])
    for image, (good, each, masks) in zip(x_test, sure)
]
kept = [Detections(each.boxes[good], each.classes[good], each.scores[good]) for good, each, _ in sure]
lesson.plot(plots.boxes_on(pictures, kept, shapes.CLASSES, truths[:8], title="boxes and masks"), "masks")

# %% [markdown]
# ## Failure: what nobody proposes, nobody finds
# The same weights with fewer proposals, the likeliest ones. A second stage that is as good as before can say nothing
# about a place where it is not sent: mAP cannot exceed what recall allows. (The mAPs are of one seed and of eight short
# epochs: a tendency, no claim.)

# %%
curve = {}
for count in (1, 2, 4, 8, PROPOSALS):
    fewer = built(count, min(count, MASKS))
    fewer.set_weights(model.get_weights())
    rows = keras.Model(fewer.input, fewer.output["detections"]).predict(scaled, batch_size=50, verbose=0)
    curve[count] = recall(learned[:, :count]), precision(detections(rows[..., :-1], score=0.01))[0]
for count, (covered, of_boxes) in curve.items():
    print(f"{count:>2} proposals: recall {covered:.3f}, mAP at .5 {of_boxes:.3f}")
few = {f"of {count}": covered for count, (covered, _) in curve.items()}
lesson.claim("recall of one proposal for each image", curve[1][0], "<=", 0.6, baseline=few)

figure = plots.new_figure(4.6, 3.2)
axes = figure.subplots()
for label, place, colour in (("recall of the proposals", 0, plots.SECOND), ("mAP at .5", 1, plots.INK)):
    axes.plot([*curve], [pair[place] for pair in curve.values()], "o-", color=colour, label=label)
axes.set(xlabel="proposals for an image", ylim=(0, 1.03), xscale="log", xticks=[*curve], xticklabels=[*curve])
axes.minorticks_off()
axes.legend(frameon=False, fontsize=8)
axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "proposals")

# %% [markdown]
# The other way round, more proposals cost time and gain little: the papers take 300 to 1,000 for images with many
# things. A single look (lesson 15) has no such ceiling; it has a grid instead.

# %% [markdown]
# ## Your own images
# A folder with COCO's JSON, whose annotations have a `segmentation` (polygons or run lengths), beside the images:
#
# ```
# zoo train mask_rcnn_resnet50_fpn --data FOLDER/
# zoo predict runs/mask_rcnn_resnet50_fpn-folder-0 new.jpg
# ```
#
# Boxes alone are enough for `zoo train faster_rcnn_resnet50_fpn`. Both can start from a ResNet-50 that has learned
# ImageNet: `--recipe finetune`.

# %% [markdown]
# ## Try it
# 1. How many anchors has an image of 800 x 800 with maps of 200, 100, 50, 25 and 13 places a side and 3 anchors in
#    each? And how many multiplications does the second stage need for all of them, in place of 1,000 proposals?
# 2. Why does the third stage have a map for each class, when the second stage says which class it is?
# 3. `RegionMasks` looks only at proposals that hold a thing. What would masks learn from the others?
#
# <details><summary>Solutions</summary>
#
# 1. 3 · (200² + 100² + 50² + 25² + 13²) = 159,882. The dense layers alone take 7 · 7 · 256 · 1,024 + 1,024² = 13.9
#    million for a box: 13.9 billion for 1,000 proposals, 160 times as much for all anchors.
# 2. With one map for all classes each place would have to say what is there as well as where it ends. He 2017, table
#    2b: sigmoids that do not compete are 5.5 points of mask AP better than a softmax over the classes.
# 3. That nothing is there: an empty mask. But where nothing is there the second stage says so, and nobody asks for a
#    mask.
# </details>

# %%
lesson.finish()
