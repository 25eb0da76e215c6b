# %% [markdown]
# # 10 · LeNet-5: a network that looks
#
# A dense layer treats an image as a list of pixels in any order. A **convolution** brings two ideas: look at small
# neighbourhoods (**locality**), and look for the same thing everywhere (**weight sharing**: one set of weights slides
# over the whole image). LeNet-5 (LeCun et al., 1998), a **convolutional neural network** (CNN), alternates convolutions
# with **pooling** (one number for a small square of them) until a whole digit lies under a single neuron.
#
# **You will see** a convolution as an equation and in NumPy, the arithmetic of sizes, every parameter counted, what a
# neuron at each depth can see, the six filters of the first layer, one digit on its way through the network, and what
# happens when digits move (the failure of this lesson).
#
# **Claims** LeNet-5 written out in NumPy is Keras's to 1e-6. Exactly 61,706 parameters as taught today and 60,000 in
# the network of 1998. Trained with digits moved by up to four pixels, it gets at least .80 of digits moved by up to
# six, and .05 more than the same network without activation. On MNIST-1D a convolutional twin gets at least .90, and
# .22 more than an MLP.
#
# **Beside them** chance, and the nearest training example.
#
# **Takes** 110 seconds on one core (AMD EPYC). `--data full` trains on MNIST, which takes much
# longer.
#
# **To read on** Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, [Gradient-based learning applied to document
# recognition](https://doi.org/10.1109/5.726791), *Proceedings of the IEEE* 86(11), 1998; Goodfellow, Bengio and
# Courville (2016), [chapter 9](https://www.deeplearningbook.org/contents/convnets.html); *Dive into Deep Learning*,
# [chapter 7](https://d2l.ai/chapter_convolutional-neural-networks/index.html).

# %%
import keras
import numpy as np
from keras import layers
from lesson import NO_MNIST1D, Tutorial, mnist1d
from sklearn.neighbors import KNeighborsClassifier

import zoo
from zoo import plots
from zoo.models.lenet import TABLE_I, digit_codes
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("10_lenet", full_data="mnist")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# %% [markdown]
# ## A convolution, by hand
# The input $x$ has a height, a width and $c$ **channels** (a grey image has one, a coloured one three). A **filter**,
# also called **kernel**, is a set of weights $w$ for a square of $f \times f$ pixels and all channels. It is laid on
# the image at each place $(i, j)$; what lies under it is multiplied by its weights and added up:
#
# $$y_{i, j, k} = b_k + \sum_{u=0}^{f-1} \sum_{v=0}^{f-1} \sum_{l=1}^{c} x_{s i + u,\, s j + v,\, l}\; w_{u, v, l, k}$$
#
# There are many filters, one for each $k$, and each gives an image of its own, its **feature map**: large where the
# image looks like the filter. From one place to the next are $s$ pixels, the **stride**. To let the filter reach over
# the border, the image gets a frame of $p$ zeros, the **padding**. (In mathematics a convolution turns the filter
# upside down first, and this is a cross-correlation. Since the weights are learned, it makes no difference here.)
# **Pooling** has no weights: it takes the largest number (**max pooling**) or the mean (**average pooling**) of each
# small square of a map. With a dense layer from lesson 09 that is all of LeNet-5:


# %%
def convolve(x, w, b, stride=1, padding=0):
    """(batch, height, width, c) by filters (f, f, c, d) and biases (d,): (batch, new height, new width, d)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    f = len(w)
    height, width = ((n - f) // stride + 1 for n in x.shape[1:3])
    y = np.zeros((len(x), height, width, w.shape[-1])) + b
    for u in range(f):
        for v in range(f):  # all places at once: what each of them has under weight (u, v)
            under = x[:, u : u + stride * (height - 1) + 1 : stride, v : v + stride * (width - 1) + 1 : stride]
            y += under @ w[u, v]
    return y


def max_pool(x):
    """The largest of each square of 2 x 2: (batch, height, width, c) -> (batch, height / 2, width / 2, c)."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max((2, 4))


def lenet5_by_hand(x, weights):
    """Images (batch, 28, 28, 1) to logits (batch, 10), in float64."""
    w1, b1, w3, b3, w5, b5, w6, b6, w7, b7 = (weight.astype("float64") for weight in weights)
    x = max_pool(relu(convolve(x, w1, b1, padding=2)))  # C1, S2: (batch, 14, 14, 6)
    x = max_pool(relu(convolve(x, w3, b3)))  # C3, S4: (batch, 5, 5, 16)
    x = relu(x.reshape(len(x), -1) @ w5 + b5)  # C5: (batch, 120)
    x = relu(x @ w6 + b6)  # F6: (batch, 84)
    return x @ w7 + b7


def relu(x):
    return np.maximum(x, 0)


keras.utils.set_random_seed(lesson.seed)
lenet5, lenet5_1998 = zoo.build("lenet5"), zoo.build("lenet5_1998")
noise = np.random.default_rng(0).normal(size=(4, 28, 28, 1)).astype("float32")
difference = np.abs(lenet5_by_hand(noise, lenet5.get_weights()) - keras.ops.convert_to_numpy(lenet5(noise))).max()
lesson.claim("LeNet-5 by hand less Keras's, largest difference of the logits", difference, "<=", 1e-6, exact=True)
strided = layers.Conv2D(8, 3, strides=2)
theirs = keras.ops.convert_to_numpy(strided(noise))
difference = np.abs(convolve(noise, *strided.get_weights(), stride=2) - theirs).max()
lesson.claim("a convolution of stride 2 by hand less Keras's", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# ## Sizes
# A filter of $f$ pixels on a side, at a stride of $s$, on $n$ pixels with $p$ pixels of padding at each end gives
# $\lfloor (n + 2p - f) / s \rfloor + 1$ numbers. Say what you expect before you ask the network:


# %%
def size_after(n, f, s=1, p=0):
    return (n + 2 * p - f) // s + 1


expected = [32]
for f, s in ((5, 1), (2, 2), (5, 1), (2, 2), (5, 1)):  # C1, S2, C3, S4, C5
    expected.append(size_after(expected[-1], f, s))
built = [32] + [lenet5_1998.get_layer(name).output.shape[1] for name in ("c1", "s2", "c3", "s4", "c5")]
print("1998: " + " -> ".join(map(str, built)))
wrong = sum(ours != theirs for ours, theirs in zip(expected, built))
lesson.claim("layers whose size is not what the formula says", wrong, "==", 0, exact=True)

# %% [markdown]
# ## Parameters
# A filter over $c$ channels has $f \cdot f \cdot c$ weights and one bias, no matter how large the image is. C1 has six
# filters of 5 x 5: $6 (25 + 1) = 156$. A dense layer from 28 x 28 pixels to C1's 28 x 28 x 6 outputs would have
# 3,692,640. We count LeNet-5 by hand and compare.


# %%
def filters_cost(maps, f, channels):
    """Weights and biases of `maps` filters that each see `channels` channels."""
    return maps * (f * f * channels + 1)


shared = (filters_cost(6, 5, 1), filters_cost(16, 5, 6), filters_cost(120, 5, 16))  # C1, C3, C5
dense = ((120 + 1) * 84, (84 + 1) * 10)  # F6, logits
print("a dense layer in place of C1:", f"{(28 * 28 + 1) * 28 * 28 * 6:,} parameters")
for model in (lenet5, lenet5_1998):
    counts = {layer.name: sum(int(np.prod(w.shape)) for w in layer.trainable_weights) for layer in model.layers}
    print(f"{model.name}: " + ", ".join(f"{layer} {count:,}" for layer, count in counts.items() if count))
by_hand = sum(shared) + sum(dense)
lesson.claim("lenet5: parameters counted by hand", by_hand, "==", zoo.info("lenet5").params, exact=True)

# %% [markdown]
# Two ideas of 1998 are gone today. C3 did not connect every map to every map (**sparse connections**): Table I of the
# paper chooses, which saves parameters and forces the maps to differ. And the output layer had no weights to learn: it
# measured how far the 84 neurons of F6 are from a drawing of each digit, 7 x 12 pixels (**radial basis functions**,
# RBF). (These drawings are the zoo's own.) Pooling layers had a weight and a bias for each map.

# %%
figure = new_figure(10, 4.2)
left, right = figure.subfigures(1, 2, width_ratios=(1, 1.1))
table = np.array([[str(source) in sources for sources in TABLE_I] for source in range(6)])
axes = left.subplots()
axes.imshow(table, cmap="Blues", vmax=1.4)
axes.set(xticks=range(16), yticks=range(6), xlabel="map of C3", ylabel="map of S2")
axes.set_title(f"Table I: {table.sum()} of 96 connections")
right.suptitle("what F6 should look like for each digit")
for axes, code in zip(right.subplots(2, 5).ravel(), digit_codes()):
    axes.imshow(np.pad(code.reshape(12, 7), 1, constant_values=-1), cmap="gray_r")
    axes.axis("off")
lesson.plot(figure, "table_and_codes")
c3 = 5 * 5 * table.sum() + 16  # a 5 x 5 square of weights for each connection, a bias for each map
by_hand_1998 = shared[0] + 2 * 6 + c3 + 2 * 16 + shared[2] + dense[0]
lesson.claim(
    "lenet5_1998: parameters counted by hand", by_hand_1998, "==", zoo.info("lenet5_1998").params,
    baseline={"C3 with all connections": by_hand_1998 - c3 + shared[1]}, exact=True,
)  # fmt: skip

# %% [markdown]
# ## What a neuron sees: the receptive field
# A neuron of C1 sees 5 x 5 pixels: its **receptive field**. One of S2 sees four neurons of C1, which overlap: 6 x 6.
# Each layer adds $f - 1$ times the distance in pixels of the neurons below; each stride of $s$ multiplies that distance
# by $s$. To check it on a real network we change every pixel in turn and see whether the neuron notices. (Average
# pooling and no activation function for this, because max pooling ignores all but the largest.)

# %%
field, step, fields = 1, 1, {}
for name, f, s in (("c1", 5, 1), ("s2", 2, 2), ("c3", 5, 1), ("s4", 2, 2)):
    field, step = field + (f - 1) * step, step * s
    fields[name] = field

probe = zoo.build("lenet5", pooling="average", activation="linear")
maps = keras.Model(probe.input, [probe.get_layer(name).output for name in fields])
background = np.random.default_rng(0).normal(size=(28, 28, 1)).astype("float32")
poked = background + np.eye(784, dtype="float32").reshape(784, 28, 28, 1)  # each with one pixel changed
noticed = {}
for name, before, after in zip(fields, maps(background[None]), maps(poked)):
    before, after = keras.ops.convert_to_numpy(before), keras.ops.convert_to_numpy(after)
    middle = before.shape[1] // 2
    changes = np.abs(after - before)[:, middle, middle].max(-1)  # of the neuron in the middle, in any of the maps
    noticed[name] = (changes > 1e-6).reshape(28, 28)
measured = {name: int(seen.any(0).sum()) for name, seen in noticed.items()}
print("formula", fields, "measured", measured)
wrong = sum(fields[name] != measured[name] for name in fields)
lesson.claim("layers whose receptive field is not what the formula says", wrong, "==", 0, exact=True)

# %% [markdown]
# ## Training
# The digits that come with scikit-learn are 1,797, written by 13 people (they are the test part of the
# [UCI set](https://archive.ics.uci.edu/dataset/80), whose training part is by 30 others), stretched here to 28 x 28
# pixels. They are split at random, 1,257 to train on, 180 for validation, 360 for the test, and who wrote which is not
# recorded: we measure new digits, not new hands. In each epoch every image is moved by up to four pixels in each
# direction, at random: **data augmentation** (lesson 05) makes new examples from old ones, with the same label. The
# loss is the cross-entropy, and Adam takes the steps. Where we have to choose (which of three networks to look into),
# the validation digits decide.

# %%
DATASET, PREPROCESS, EPOCHS = ("mnist", {}, 15) if lesson.full else ("digits", {"resize": (28, 28)}, 25)
BATCH, SHIFT = (128, 2) if lesson.full else (64, 4)
TRAIN, VALIDATION = ("train[:95%]", "train[95%:]") if lesson.full else ("train", "validation")
if lesson.full and lesson.smoke:
    TRAIN = "train[:2%]"


def data(split, **options):
    return zoo.load_data(
        DATASET, split=split, batch_size=BATCH, preprocess=PREPROCESS, data_dir=lesson.data_dir, **options
    )


def arrays(split):
    x, y = zip(*data(split).as_numpy_iterator())
    return np.concatenate(x), np.concatenate(y)


def logits(model, x):
    parts = [model(x[start : start + 1000], training=False) for start in range(0, len(x), 1000)]
    return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])


def accuracy(model, x, y):
    return float(np.mean(logits(model, x).argmax(1) == y))


def train(name, seed, augment, **options):
    keras.utils.set_random_seed(seed)
    model = zoo.build(name, **options)
    batches = data(TRAIN, shuffle=True, seed=seed, augment=augment)
    epochs = 1 if lesson.smoke else EPOCHS
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(batches))
    model.compile(keras.optimizers.Adam(rate), loss=CROSS_ENTROPY)
    model.fit(batches, epochs=epochs, verbose=0, shuffle=False)  # the data shuffles
    return model


def nearest_example(x, y, x_test, y_test):
    """The accuracy of giving each test example the class of the training example that is nearest to it."""
    return KNeighborsClassifier(1).fit(x.reshape(len(x), -1), y).score(x_test.reshape(len(x_test), -1), y_test)


(x, y), (x_test, y_test) = arrays(TRAIN), arrays("test")
commonest = float(np.mean(y_test == np.bincount(y).argmax()))
baseline = {"chance": commonest, "nearest example": nearest_example(x, y, x_test, y_test)}
networks = [train("lenet5", seed, {"shift": SHIFT}) for seed in lesson.seeds]
scores = [accuracy(model, x_test, y_test) for model in networks]
print("LeNet-5, accuracy on the test digits:", *[f"{score:.3f}" for score in scores], "beside", baseline)
if lesson.full:
    lesson.claim("mnist, lenet5, worst seed", min(scores), ">=", 0.990, baseline=baseline)

# %% [markdown]
# On the small digits that proves little: to take the nearest of the 1,257 examples is nearly as good. The digits are
# too much alike. So the claims of this lesson are about digits that move, and about signals that do (at the end).

# %%
x_validation, y_validation = arrays(VALIDATION)
validated = [accuracy(model, x_validation, y_validation) for model in networks]
model = networks[int(np.argmax(validated))]
example = x_test[y_test == 2][:1]
figure = new_figure(10, 3)
for axes, (name, field) in zip(figure.subplots(1, 4), fields.items()):
    axes.imshow(example[0, ..., 0], cmap="gray_r")
    axes.imshow(np.where(noticed[name], 1.0, np.nan), cmap="autumn", vmin=0.5, vmax=2, alpha=0.4)
    axes.set_title(f"a neuron of {name.upper()} sees {field} x {field}", fontsize=10)
    axes.axis("off")
lesson.plot(figure, "receptive_field")

# %% [markdown]
# ## What it has learned to look for
# Left, the six filters of C1: red weighs ink up, blue weighs it down. Nobody told them what to look for. Some answer to
# ink, some to an edge of one direction (**edge detectors**), some to paper. To the right, what they make of a digit,
# the feature maps: they get smaller, more, and harder to name. Where a map is white, its ReLU let nothing through.

# %%
stages = keras.Model(model.input, [model.get_layer(name).output for name in fields])
filters = model.get_layer("c1").get_weights()[0]  # (5, 5, 1, 6)
limit = np.abs(filters).max()
figure = new_figure(11, 7)
first, rest = figure.subfigures(1, 2, width_ratios=(1, 5))
first.suptitle("filters of C1")
for axes, number in zip(first.subplots(6, 1), range(6)):
    axes.imshow(filters[:, :, 0, number], cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.axis("off")
rows = rest.subfigures(4, 1, height_ratios=(1.25, 1.25, 1.7, 1.7))
for row, (name, stage) in zip(rows, zip(fields, stages(example))):
    stage = keras.ops.convert_to_numpy(stage)[0]  # (height, width, maps)
    size, count = stage.shape[1:]
    row.suptitle(f"{name.upper()}: {count} maps of {size} x {size}", fontsize=10)
    for number, axes in enumerate(row.subplots(max(1, count // 8), min(count, 8), squeeze=False).ravel()):
        axes.imshow(stage[..., number], cmap="gray_r", vmin=0, vmax=stage.max())
        axes.axis("off")
lesson.plot(figure, "filters_and_maps")

# %% [markdown]
# ## When digits move
# Weight sharing means that a filter answers to its edge wherever the edge is: the map moves with the digit
# (**translation equivariance**). It does not mean that the whole network gives the same answer (**translation
# invariance**): the dense layers on top have weights of their own for each position. We move each test digit at random,
# further and further, so that they are no longer like those it was trained on (a **distribution shift**), and measure
# again. (From six pixels on, some digits lose a part, so nobody can be right about all.) Beside LeNet-5 stand the same
# network without activation functions, an MLP trained in the same way, and LeNet-5 trained on digits that did not move.


# %%
def moved(images, pixels):
    """Each image moved by up to so many pixels in each direction; what comes in is the paper's own grey."""
    rng, side = np.random.default_rng(0), images.shape[1]
    frame = ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0))
    padded = np.pad(images, frame, constant_values=images.min())
    corners = rng.integers(0, 2 * pixels + 1, (len(images), 2))
    return np.stack([image[top : top + side, left : left + side] for image, (top, left) in zip(padded, corners)])


seeds = lesson.seeds[:1] if lesson.full else lesson.seeds
variants = {
    "LeNet-5": networks,
    "LeNet-5 without activation": [train("lenet5", seed, {"shift": SHIFT}, activation="linear") for seed in seeds],
    "MLP": [train("mlp", seed, {"shift": SHIFT}) for seed in seeds],
    "LeNet-5 that saw no moved digits": [train("lenet5", seed, None) for seed in seeds],
}
distances = range(0, 9, 2)
moved_digits = [moved(x_test, pixels) for pixels in distances]
curves = {
    name: np.array([[accuracy(model, images, y_test) for images in moved_digits] for model in models])
    for name, models in variants.items()
}
nearest = [nearest_example(x, y, images, y_test) for images in moved_digits]
figure = new_figure(10, 3.8)
left, right = figure.subfigures(1, 2, width_ratios=(1.6, 1))
axes = left.subplots()
for (name, curve), colour in zip(curves.items(), (INK, "#e0a030", THIRD, SECOND)):
    axes.plot(distances, curve.mean(0), color=colour, marker="o", label=name)
    axes.fill_between(distances, curve.min(0), curve.max(0), color=colour, alpha=0.2)
axes.plot(distances, nearest, color="black", linestyle="--", label="nearest training example")
axes.axhline(baseline["chance"], color="black", linestyle=":", label="chance")
axes.set(xlabel="moved by up to so many pixels", ylabel="test accuracy", ylim=(0, 1.03))
axes.set_title("mean and range of the seeds")
axes.legend(fontsize=8, loc="lower left")
for axes, images, pixels in zip(right.subplots(1, len(distances)), moved_digits, distances):
    axes.imshow(images[y_test == 2][0, ..., 0], cmap="gray_r")
    axes.set(title=str(pixels), xticks=[], yticks=[])
lesson.plot(figure, "shifts")
six = distances.index(6)
ours, linear, mlp, unmoved = (curve[:, six] for curve in curves.values())
beside = {name: float(curve[:, six].mean()) for name, curve in curves.items()} | {"nearest example": nearest[six]}
print({name: round(score, 3) for name, score in beside.items()})
if not lesson.full:
    lesson.claim("moved by up to 6 pixels, LeNet-5, worst seed", ours.min(), ">=", 0.80, baseline=beside)
    lesson.claim("LeNet-5 less the one without activation, means", ours.mean() - linear.mean(), ">=", 0.05)
    lesson.claim("LeNet-5 less the one that saw no moved digits, means", ours.mean() - unmoved.mean(), ">=", 0.2)

# %% [markdown]
# The most confident mistakes of that network, on digits that did not move:

# %%
names = [str(digit) for digit in range(10)]
lesson.plot(plots.worst_mistakes(x_test.__getitem__, y_test, logits(model, x_test), names), "mistakes")

# %% [markdown]
# ## Where convolution is worth a lot
# In MNIST-1D (lesson 09) the shape sits anywhere, and an MLP is not far above the nearest example. Here is LeNet-5 with
# one axis instead of two, more maps, and dropout (lesson 09), because 4,000 signals are few. How much dropout? The last
# 500 training signals are the validation set; a network of the first seed is trained with each of two values, and the
# better one there is taken. The MLP has as many parameters and the same dropout.

# %%
signals = mnist1d()


def twin(dropout):
    """LeNet-5 for signals: (batch, 40, 1) to (batch, 10) logits."""
    signal = keras.Input((40, 1), name="signal")
    x = layers.Conv1D(16, 5, padding="same", activation="relu", name="c1")(signal)  # 40, 16
    x = layers.MaxPooling1D(2, name="s2")(x)  # 20, 16
    x = layers.Conv1D(32, 5, activation="relu", name="c3")(x)  # 16, 32
    x = layers.MaxPooling1D(2, name="s4")(x)  # 8, 32
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = layers.Dense(120, activation="relu", name="c5")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    x = layers.Dense(84, activation="relu", name="f6")(x)
    return keras.Model(signal, layers.Dense(10, name="logits")(x), name="lenet5_1d")


def same_size_mlp(dropout):
    return zoo.build("mlp", input_shape=(40, 1), hidden=(185, 185), dropout=dropout)


def train_on_signals(build, dropout, seed):
    keras.utils.set_random_seed(seed)
    model = build(dropout)
    epochs = 1 if lesson.smoke else 30
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(x) // 100))
    model.compile(keras.optimizers.Adam(rate), loss=CROSS_ENTROPY)
    model.fit(x, y, batch_size=100, epochs=epochs, verbose=0)
    return model


if signals is None:
    lesson.skip(NO_MNIST1D)
else:
    (x, y), (x_test, y_test) = signals
    (x, x_validation), (y, y_validation) = np.split(x, [3500]), np.split(y, [3500])
    tried = {dropout: train_on_signals(twin, dropout, lesson.seed) for dropout in (0.0, 0.3)}
    validated = {dropout: accuracy(model, x_validation, y_validation) for dropout, model in tried.items()}
    chosen = max(validated, key=validated.get)
    print("validation accuracy by dropout:", validated)
    results = {}
    for name, build in (("LeNet-5 in 1-D", twin), ("MLP", same_size_mlp)):
        models = [train_on_signals(build, chosen, seed) for seed in lesson.seeds]
        results[name] = [accuracy(model, x_test, y_test) for model in models]
        print(f"{name}: {models[0].count_params():,} parameters, test accuracy", *[f"{s:.3f}" for s in results[name]])
    nearest = nearest_example(x, y, x_test, y_test)
    baseline = {"chance": 0.1, "nearest example": nearest, "MLP, best seed": max(results["MLP"])}
    worst = min(results["LeNet-5 in 1-D"])
    lesson.claim("MNIST-1D, LeNet-5 in 1-D, worst seed", worst, ">=", 0.90, baseline=baseline)
    lesson.claim("MNIST-1D, the same less the MLP's best", worst - max(results["MLP"]), ">=", 0.22)

# %% [markdown]
# ## Try it
# 1. Train with `SHIFT = 8` in place of 4. How far does the curve of the moved digits reach now, and what does it
#    cost at 0?
# 2. Replace max pooling by `train("lenet5", seed, {"shift": 4}, pooling="average")`. Does it matter?
# 3. How many parameters has LeNet-5 for 64 x 64 pixels? Which layer has most of them, and why?
#
# <details><summary>Solution</summary>
#
# 1. `BATCH, SHIFT = 64, 8`: the curve falls later, and at 0 it starts a little lower. The
#    same weights now have to know ten digits in more places.
# 2. Not much on these digits: the curves lie near each other. What a square of 2 x 2 is replaced by matters less than
#    that there are fewer numbers after it.
# 3. `zoo.build("lenet5", input_shape=(64, 64, 1)).count_params()`, and `zoo.costs` of it layer by layer: C5, the first
#    dense layer, has nearly all. The filters cost what they did; C5 has weights for each pixel of the maps of S4.
# </details>

# %%
lesson.finish()
