# %% [markdown]
# # 31 · Segmentation: what is in each pixel
#
# Lesson 15 drew a box around each thing. Here every pixel gets a class: this one is road, that one is sky. It is called
# **semantic segmentation**, and its answer, an image of class numbers, is a **segmentation mask**. A network must see
# far to know *what* it looks at, and finely to know *where* it ends. We climb down and up again with the **U-Net**
# (Ronneberger et al. 2015, [arXiv:1505.04597](https://arxiv.org/abs/1505.04597)), and look at **FCN**, the fully
# convolutional network that came before it (Long et al. 2015, [arXiv:1411.4038](https://arxiv.org/abs/1411.4038)).
#
# **You will see** masks and how they are compared, how far a network sees, what is lost by seeing it coarsely, and
# what U-Nets with and without their skip connections draw. Two failures are among it: a measure that praises the one
# who has not looked, and a network that finds a thing and not where it ends.
#
# **Claims** Intersection over union and Dice by hand are Keras's. Pixels that do not count change nothing. A receptive
# field computed by hand is the one measured. A transposed convolution in NumPy is Keras's, and three of them make
# FCN's answer. Masks follow their images. In the worst of three seeds a U-Net that tells shapes from their background
# has a mean intersection over union of at least .85; without skips it loses at least .03, and .10 at the edges.
#
# **Beside them** nothing but background, and a logistic regression on the colour of each pixel.
#
# **Takes** 2 minutes of one core's time (AMD EPYC).

# %%
import keras
import numpy as np
from lesson import Tutorial
from scipy.ndimage import maximum_filter, minimum_filter
from sklearn.linear_model import LogisticRegression

import zoo
from zoo import losses
from zoo.data.builtin import shapes
from zoo.data.builtin.shape_masks import coverage
from zoo.data.image import transforms
from zoo.metrics.segmentation import IGNORED, confusion, intersection_over_union, scores
from zoo.plots import INK, SECOND, new_figure
from zoo.plots.segmentation import tinted

lesson = Tutorial("31_segmentation")
SIZE, CLASSES = 32, ("background", "disc", "bar", "wedge")
TRAIN, TEST = (64, 32) if lesson.smoke else (800, 300)

# %% [markdown]
# ## A class for each pixel
# Our images are parts of photographs with one to three shapes upon them. A pixel belongs to a shape if that covers at
# least half of it, and of two that overlap, to the one in front. The test images show parts of the photographs that no
# training image shows.


# %%
def scenes(count, seed, test):
    """Images (count, SIZE, SIZE, 3) of 0 to 1, and their masks (count, SIZE, SIZE)."""
    rng = np.random.default_rng(seed)
    images, masks = np.zeros((count, SIZE, SIZE, 3), "float32"), np.zeros((count, SIZE, SIZE), "int32")
    for image, mask in zip(images, masks):
        image[:] = shapes.texture(rng, SIZE, test)
        boxes = []
        for kind in rng.integers(1, 4, size=rng.integers(1, 4)):
            box = shapes.random_box(rng, SIZE, (8, 20))
            if shapes.overlap(box, boxes) <= 0.4:
                boxes.append(box)
                part = coverage(kind - 1, box, SIZE)  # of each pixel, 0 to 1
                image += part[..., None] * (shapes.colour_upon(rng, image[part > 0]) - image)
                mask[part >= 0.5] = kind
    return (images + rng.normal(scale=4, size=images.shape).astype("float32")) / 255, masks


def shown(image, mask):
    """A mask in colours over its image in grey."""
    return np.clip(tinted(np.repeat(image.mean(-1, keepdims=True), 3, axis=-1), mask), 0, 1)


x, y = scenes(TRAIN, 31, False)
x_test, y_test = scenes(TEST, 32, True)

figure = new_figure(9, 2.6)
for axes, image, mask in zip(figure.subplots(2, 8).T, x_test, y_test):
    axes[0].imshow(np.clip(image, 0, 1))
    axes[1].imshow(shown(image, mask))
    for each in axes:
        each.axis("off")
figure.suptitle("images, and their masks over them: disc orange, bar blue, wedge green", fontsize=10)
lesson.plot(figure, "masks")

# %% [markdown]
# ## How masks are compared
# Take one class, the pixels $A$ that are of it and the pixels $B$ that are said to be. **IoU** (lesson 15) and the
# **Dice coefficient** are
#
# $$\mathrm{IoU} = \frac{|A \cap B|}{|A \cup B|}, \qquad
# \mathrm{Dice} = \frac{2\,|A \cap B|}{|A| + |B|} = \frac{2\,\mathrm{IoU}}{1 + \mathrm{IoU}}.$$
#
# The mean of the IoU over all classes, background included, is the **mean IoU** (mIoU). All pixels of the test set are
# counted together, so that a class is not lost for being absent from one image. By hand, for eight pixels:

# %%
truth = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
found = np.array([[0, 1, 1, 1], [0, 0, 1, 1]])
by_hand = {"background": 3 / 4, "thing": 4 / 5}  # shared pixels over those of either
metric = keras.metrics.MeanIoU(num_classes=2)
metric.update_state(truth, found)
gap = abs(float(metric.result()) - np.mean([*by_hand.values()]))
lesson.claim("mean IoU by hand less Keras's", gap, "<=", 1e-6, exact=True)
surely = 50 * np.eye(2, dtype="float32")[found]  # logits: a probability of 1 for what was found
dice_by_hand = np.mean([2 * 3 / (4 + 3), 2 * 4 / (4 + 5)])
gap = abs(1 - float(losses.get("dice")(truth[None], surely[None])) - dice_by_hand)
lesson.claim("Dice by hand less that of the zoo's loss", gap, "<=", 1e-6, exact=True)

# %% [markdown]
# **Pixel accuracy**, the fraction of pixels that are right, is what one would measure first. It is mostly about the
# background. Here is somebody who has not looked and says background everywhere:

# %%
nothing = np.zeros_like(y_test)
table = confusion(y_test, nothing, 4)  # how many pixels of each class (row) were taken for each (column)
of_nothing = scores(table)
print("nothing but background:", {name: round(value, 3) for name, value in of_nothing.items()})
print("of each class:", dict(zip(CLASSES, intersection_over_union(table).round(3).tolist())))
gap = of_nothing["pixel_accuracy"] - of_nothing["mean_iou"]
lesson.claim("nothing but background: pixel accuracy less mean IoU", gap, ">=", 0.5, baseline=of_nothing, exact=True)

# %% [markdown]
# ## Pixels that do not count
# Where a leaf ends is a matter of opinion. So masks have an **ignored class**, by custom 255: such pixels add nothing
# to the loss, nor to what it is divided by, nor to any measure. Below, the logits of the ignored pixels are replaced by
# wild ones. The loss stays, and it is the mean over the others.

# %%
rng = np.random.default_rng(0)
partly = np.where(rng.random((2, 8, 8)) < 0.3, IGNORED, rng.integers(0, 4, (2, 8, 8)))
logits = rng.normal(size=(2, 8, 8, 4)).astype("float32")
wild = np.where((partly == IGNORED)[..., None], 100 * rng.normal(size=logits.shape), logits).astype("float32")
cross_entropy = losses.get("pixel_crossentropy")
counted = partly != IGNORED
log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
mean = -np.take_along_axis(log_p[counted], partly[counted][:, None], 1).mean()
gap = abs(float(cross_entropy(partly, logits)) - mean)
lesson.claim("loss, less the mean over the pixels that count", gap, "<=", 1e-6, exact=True)
gap = abs(float(cross_entropy(partly, logits)) - float(cross_entropy(partly, wild)))
lesson.claim("loss, less that with wild logits where none count", gap, "<=", 1e-6, exact=True)

# %% [markdown]
# ## Down, to see far
# A pixel in the middle of a disc looks like one in the middle of a bar. To tell them apart the network must see their
# ends: its receptive field (lesson 10) must be wide enough. Two 3x3 convolutions see 5 pixels, and each more adds 2.
# But after a 2x2 pool each pixel stands for 2, so the same convolutions reach twice as far, and after two pools four
# times. A U-Net goes down its levels by pools and up again. To follow a logit back to the pixels it depends on, walk
# the other way: each pair of convolutions widens by 2 on both sides, up-sampling halves the numbers, a pool doubles
# them.
#
# We hold it to a network whose weights are all made positive, so that nothing cancels: one row of a black image lights
# up, and either the logit in the middle does, or the row is out of sight.


# %%
def rows_seen(at, levels):
    """The first and the last row on which the logit in row `at` of a U-Net depends."""
    low = high = at
    for _ in range(levels - 1):  # the way up, backwards
        low, high = (low - 2) // 2, (high + 2) // 2
    low, high = low - 2, high + 2
    for _ in range(levels - 1):  # the way down
        low, high = 2 * low - 2, 2 * high + 1 + 2
    return low, high


def rows_that_light_up(at, levels, size=128):
    shape = (size, 16, 1)
    model = zoo.build("unet", input_shape=shape, filters=(2,) * levels, padding="same")
    model.set_weights([np.abs(each) for each in model.get_weights()])
    images = np.zeros((size, *shape), "float32")
    images[np.arange(size), np.arange(size)] = 1  # in image i, row i
    lit = np.flatnonzero(model.predict(images, verbose=0)[:, at, 8].sum(-1) > 0)
    return int(lit[0]), int(lit[-1])


by_hand, measured = ([f(64, levels) for levels in (1, 2, 3, 4)] for f in (rows_seen, rows_that_light_up))
widths = {f"{levels} levels": high - low + 1 for levels, (low, high) in enumerate(by_hand, start=1)}
print("pixels across that a logit depends on:", widths)
apart = int(np.abs(np.subtract(by_hand, measured)).sum())
lesson.claim("rows seen, by hand and measured: apart by", apart, "==", 0, baseline=widths, exact=True)

# %% [markdown]
# ## What coarse answers cost
# From here on we ask less of a pixel: is it of a shape, whichever? That is learned in seconds. (To tell the shapes
# apart takes minutes: `zoo train unet`.)
#
# The lowest of four levels has one pixel for 8 x 8 of the image: its stride is 8. Suppose that it knows everything, and
# gives each of its cells the class that most of the cell's pixels have. What is lost is lost at the edges: we take the
# pixels that have one of another class among their eight neighbours, ignore all others, and ask for the mean IoU there.


# %%
y, y_test = (y > 0).astype("int32"), (y_test > 0).astype("int32")


def at_edges(masks):
    """Masks whose pixels do not count, but for those beside another class."""
    window = (1, 3, 3)
    return np.where(maximum_filter(masks, window) != minimum_filter(masks, window), masks, IGNORED)


def in_cells(masks, stride):
    """The best masks with one class for each cell of stride x stride pixels."""
    count, side = len(masks), SIZE // stride
    cells = np.eye(2)[masks].reshape(count, side, stride, side, stride, 2).sum((2, 4))
    return cells.argmax(-1).repeat(stride, 1).repeat(stride, 2)


def mean_iou(found, truth=y_test):
    return scores(confusion(truth, found, 2))["mean_iou"]


edges = at_edges(y_test)
ideal = {}
for stride in (1, 2, 4, 8, 16):
    cells = in_cells(y_test, stride)
    ideal[stride] = mean_iou(cells), mean_iou(cells, edges)
for stride, (all_pixels, edge) in ideal.items():
    print(f"stride {stride:>2}, all-knowing: mean IoU {all_pixels:.3f}, at the edges {edge:.3f}")
beside = {f"stride {stride}": pair[0] for stride, pair in ideal.items()}
lesson.claim("the best mean IoU at a stride of 8", ideal[8][0], "<=", 0.75, baseline=beside, exact=True)

# %% [markdown]
# ## Up again
# A convolution with a stride of 2 makes maps half as large. The **transposed convolution**, or up-convolution, makes
# them twice as large: each pixel of its input stamps the kernel, times its value, onto the output, `stride` pixels
# further than its neighbour, and where stamps overlap they add up. (The matrix of the one linear map is the transpose
# of the other's. Hence the name.)


# %%
def transposed(x, kernel, stride):
    """x (height, width, inputs), kernel (side, side, outputs, inputs), as Keras has it, to (..., outputs)."""
    side = len(kernel)
    out = np.zeros([(each - 1) * stride + side for each in x.shape[:2]] + [kernel.shape[2]])
    for row, column in np.ndindex(x.shape[:2]):
        top, left = stride * row, stride * column
        out[top : top + side, left : left + side] += kernel @ x[row, column]
    return out


small = rng.normal(size=(5, 6, 3)).astype("float32")
layer = keras.layers.Conv2DTranspose(2, 3, strides=2, use_bias=False)
up = keras.ops.convert_to_numpy(layer(small[None]))[0]
kernel = keras.ops.convert_to_numpy(layer.kernel)
gap = np.abs(transposed(small, kernel, 2) - up).max()
lesson.claim("transposed convolution in NumPy less Keras's", gap, "<=", 1e-6, exact=True)
for side in (2, 3):
    stamped = transposed(np.ones((4, 4, 1)), np.ones((side, side, 1, 1)), 2)[..., 0]
    print(f"ones stamped by ones, side {side}, stride 2, a row in the middle: {stamped[4].astype(int).tolist()}")

# %% [markdown]
# A side of 3 with a stride of 2 overlaps unevenly, and the answer shows it as a **checkerboard** (Odena et al. 2016,
# [doi:10.23915/distill.00003](https://doi.org/10.23915/distill.00003)). U-Net takes a side of 2, where nothing
# overlaps; FCN takes twice the stride and starts from a kernel that interpolates.
#
# **FCN-8s** is VGG-16 made fully convolutional (lesson 15). Its last map has a stride of 32. A 1x1 convolution turns it
# into logits, and then it goes up: twice as large, plus logits from the maps with a stride of 16; twice as large, plus
# those with a stride of 8; and eight times as large. The finer logits start at zero, so a fresh network answers at a
# stride of 32, and learns to be finer. With the weights of a small fresh one, three of our transposed convolutions give
# all its logits:

# %%
keras.utils.set_random_seed(lesson.seed)
fcn = zoo.build("fcn8_vgg16", input_shape=(64, 64, 3), num_classes=4, width=0.0625, batch_norm=True)
coarse = keras.Model(fcn.input, [fcn.get_layer("score32").output, fcn.output])
image = rng.normal(size=(1, 64, 64, 3)).astype("float32")
score, wanted = (keras.ops.convert_to_numpy(each)[0] for each in coarse(image))
print("score32", score.shape, "to logits", wanted.shape)
for name, stride in (("up16", 2), ("up8", 2), ("logits", 8)):
    kernel = keras.ops.convert_to_numpy(fcn.get_layer(name).kernel)  # (2 stride, 2 stride, 4, 4)
    margin = stride // 2
    score = transposed(score, kernel, stride)[margin:-margin, margin:-margin]
gap = np.abs(score - wanted).max() / np.abs(wanted).max()
lesson.claim("FCN-8s at its start less score32, enlarged by hand", gap, "<=", 1e-5, exact=True)

# %% [markdown]
# ## Augmentation must move the mask
# A mirrored photograph of a cat shows a cat: for a classifier, augmentation (lesson 05) leaves the label alone. Here
# the label is an image, and has to be mirrored too, with the same draw of chance. The zoo's transformations take images
# and targets together. To see that, paint each mask as an image: whatever is done, the two must agree.

# %%
painted = y[:32, ..., None].astype("float32")  # the colour of a pixel is its class
images, targets = transforms.flip(painted, {"masks": y[:32]}, (lesson.seed, 0), True)
differ = int((np.asarray(images)[..., 0] != np.asarray(targets["masks"])).sum())
beside = {"mask left behind": int((np.asarray(images)[..., 0] != y[:32]).sum())}
lesson.claim("pixels where image and mask disagree", differ, "==", 0, baseline=beside, exact=True)

# %% [markdown]
# ## With and without skips
# Now the U-Net. On the way down it keeps the maps of each level; on the way up it lays them beside those from below,
# and two convolutions make one of both. What comes from below knows what it is, what comes from the side knows where it
# ends. These skip connections (lesson 12) are all that differs between our two networks, apart from the weights of the
# convolutions that read them: `skips=0` has none, and the lowest maps, with a stride of 8, must carry everything.
#
# The loss is the cross-entropy of the pixels plus one minus Dice, computed with probabilities in place of yes and no,
# so that a rare class weighs as much as the background. Each training image is there twice, the second time mirrored.

# %%
EPOCHS, BATCH = (1 if lesson.smoke else 4), 16
both_x = np.concatenate([x, x[:, :, ::-1]])
both_y = np.concatenate([y, y[:, :, ::-1]])


def trained(seed, skips):
    """A U-Net of four levels that hands across the maps of so many of them, and the masks that it finds."""
    keras.utils.set_random_seed(seed)
    model = zoo.build(
        "unet", input_shape=(SIZE, SIZE, 3), num_classes=2, filters=(8, 16, 32, 64), padding="same", batch_norm=True,
        dropout=0.0, skips=skips,
    )  # fmt: skip
    rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * -(-len(both_x) // BATCH))
    model.compile(keras.optimizers.Adam(rate), losses.get("dice", crossentropy=1.0))
    model.fit(both_x, both_y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model.predict(x_test, verbose=0).argmax(-1)


with_skips = [trained(seed, skips=3) for seed in lesson.seeds]
without = [trained(seed, skips=0) for seed in lesson.seeds]

colours = LogisticRegression(max_iter=200).fit(x[::4].reshape(-1, 3), y[::4].ravel())
by_colour = colours.predict(x_test.reshape(-1, 3)).reshape(y_test.shape)
beside = {"nothing but background": mean_iou(np.zeros_like(y_test)), "by colour": mean_iou(by_colour)}
whole, whole_without = ([mean_iou(found) for found in each] for each in (with_skips, without))
edge, edge_without = ([mean_iou(found, edges) for found in each] for each in (with_skips, without))
for name, all_pixels, there in (("with skips", whole, edge), ("without", whole_without, edge_without)):
    print(f"{name}, each seed: mean IoU {np.round(all_pixels, 3)}, at the edges {np.round(there, 3)}")
lesson.claim("mean IoU of the U-Net, worst seed", min(whole), ">=", 0.85, baseline=beside)
beside = {"with": min(whole), "without": max(whole_without)}
lost = min(np.subtract(whole, whole_without))
lesson.claim("mean IoU, with skips less without, worst seed", lost, ">=", 0.03, baseline=beside)
beside = {"with": min(edge), "without": max(edge_without), "all-knowing, stride 8": ideal[8][1]}
lost = min(np.subtract(edge, edge_without))
lesson.claim("mean IoU at the edges, with skips less without, worst seed", lost, ">=", 0.1, baseline=beside)

figure = new_figure(9, 5)
rows = {"image": None, "mask": y_test, "with skips": with_skips[0], "without": without[0]}
for axes_row, (name, masks) in zip(figure.subplots(4, 8), rows.items()):
    axes_row[0].set_ylabel(name)
    for number, axes in enumerate(axes_row):
        axes.imshow(np.clip(x_test[number], 0, 1) if masks is None else shown(x_test[number], masks[number]))
        axes.set(xticks=[], yticks=[])
lesson.plot(figure, "with_and_without_skips")

figure = new_figure(8, 3.2)
strides = [*ideal]
for axes, title, column in zip(figure.subplots(1, 2, sharey=True), ("all pixels", "at the edges"), (0, 1)):
    axes.plot(range(5), [ideal[stride][column] for stride in strides], "--", color=SECOND, label="all-knowing")
    for place, values, name in ((0, (whole, edge), "with skips"), (3, (whole_without, edge_without), "without")):
        axes.plot([place] * len(lesson.seeds), values[column], "o" if place == 0 else "s", color=INK, label=name)
    axes.set(title=title, xlabel="stride of the finest maps", xticks=range(5), xticklabels=strides, ylim=(0, 1.03))
    axes.spines[["top", "right"]].set_visible(False)
figure.axes[0].set_ylabel("mean IoU")
figure.axes[0].legend(frameon=False, fontsize=8, loc="lower left")
lesson.plot(figure, "edges")

# %% [markdown]
# The judge of colours says background everywhere: a shape may have any colour. Both networks find the shapes. The one
# without skips rounds the corners, swallows the tips of the wedges and joins neighbours: of its lowest maps 4 x 4 are
# left for the whole image. It does better than the all-knowing whose answers are whole cells, for the many channels
# of a cell may also say *where* in it an edge lies. But that has to be learned and carried up through every level,
# where a skip simply hands it across. Over all pixels the two are .05 apart, which is easily overlooked; at the edges
# it is .14. Where edges matter, measure there.
#
# Skips have a price, too: a network that finds edges without its lowest maps may be slow to listen to them. `zoo train
# unet` must tell discs, bars and wedges apart, and only the lowest maps see enough of a shape for that. It learns in
# its first epochs to tell shapes from the background, and the classes some epochs later. So it does without the dropout
# that the paper has at the lowest level.

# %% [markdown]
# ## Your own images
# A folder with `images/NAME.jpg` and `masks/NAME.png`; a mask has the size of its image and holds a class number for
# each pixel, 255 where it does not count. Black and white masks are background and object.
#
# ```
# zoo train unet --data FOLDER/
# zoo predict runs/unet-folder-0 new.jpg
# ```
#
# The run folder has the IoU of each class and the pixels that are wrong. `zoo train unet` alone trains on images like
# those above, of 64 x 64 pixels.

# %% [markdown]
# ## Try it
# * Forget to mirror the masks: `both_y = np.concatenate([y, y])`. What does the network draw, and what does it reach?
# * How many levels must a U-Net have to see 160 pixels across? Ask `rows_seen`.
# * A class has a Dice of one half. What is its IoU? And may a mask have the better mean IoU of two, and the worse mean
#   Dice?
#
# <details><summary>Solution</summary>
#
# * Half of the images teach that a shape lies where it is, half that it lies where its mirror image would be. The
#   network draws the shape smeared towards its mirror image, and reaches a mean IoU of .72 to .74 in place of .90.
# * Five: `rows_seen(256, 5)` spans 188 pixels, and four levels span 92.
# * With $D$ for Dice, $\mathrm{IoU} = D / (2 - D)$: one third. It may: of two classes, IoUs of 1 and 0 have the mean .5
#   in both measures. IoUs of .45 and .45 have a mean IoU of .45, which is worse, and a mean Dice of .62, the better.
#
# </details>

# %%
lesson.finish()
