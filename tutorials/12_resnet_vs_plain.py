# %% [markdown]
# # 12 · Residual networks: why shortcuts
#
# If ten layers are good, are fifty better? By 2015 deeper networks had become *worse*, and on their own training
# examples too. That is not overfitting: a network that overfits knows its training examples by heart, and fails on new
# ones. These networks could not be trained, and the paper calls it **degradation**. He, Zhang, Ren and Sun changed one
# thing: every two layers add their input to their output, through a **shortcut** (also **skip connection** or
# **residual connection**).
#
# **You will see** the block as a picture and in code, that a deeper residual network can imitate a shallower one
# exactly, what depth does to the training loss with shortcuts and without, and what the first step of training asks of
# each layer: in a deep network without shortcuts (a **plain network**) two batches ask for different things (the
# failure of this lesson).
#
# **Claims** A network built from the block of this page is the zoo's. Shortcuts cost no parameters. After the same
# number of epochs the training loss of 50 plain layers is at least five times that of 8; that of 50 residual layers is
# no larger than that of 8. At the first step the gradients of two batches agree in the residual network (a cosine of at
# least .2) and not in the plain one (at most .1).
#
# **Beside them** the loss of a network that knows nothing, chance, and the nearest training example.
#
# **Takes** 3 minutes on one core (AMD EPYC). `--data full` trains ResNet-20 on CIFAR-10 by its recipe, a job for a GPU.
#
# **To read on** K. He, X. Zhang, S. Ren and J. Sun, [Deep residual learning for image
# recognition](https://arxiv.org/abs/1512.03385), 2015; D. Balduzzi et al., [The shattered gradients
# problem](https://arxiv.org/abs/1702.08591), 2017; *Dive into Deep Learning*, [section
# 8.6](https://d2l.ai/chapter_convolutional-modern/resnet.html).

# %%
import keras
import numpy as np
from keras import layers, ops
from lesson import Tutorial
from sklearn.neighbors import KNeighborsClassifier

import zoo
from zoo.plots import INK, SECOND, new_figure

lesson = Tutorial("12_resnet_vs_plain", full_data="cifar10")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# %% [markdown]
# ## The block, as a picture and in code
# A plain block computes $y = \mathrm{relu}(F(x))$. $F$ is a 3x3 convolution and batch normalisation (lesson 11), a
# ReLU, and convolution and normalisation once more. A residual block computes
#
# $$y = \mathrm{relu}(F(x) + x)$$
#
# so that $F$ learns what to *add* to $x$. The network is a row of such blocks in three **stages**; from one stage to
# the next the feature maps get half as high and wide (the first convolution has a stride of 2) and twice as many. There
# $x$ and $F(x)$ have different shapes, so $x$ is taken at every second pixel and filled up with channels of zeros. The
# shortcut has nothing to learn, and both families have equally many parameters.


# %%
def block(x, filters, stride, name, shortcut=True):
    """(batch, height, width, c) -> (batch, height / stride, width / stride, filters)."""
    y = convolution(x, filters, stride, f"{name}_1")
    y = layers.ReLU()(y)
    y = convolution(y, filters, 1, f"{name}_2")
    if shortcut:
        x = x[:, ::stride, ::stride]
        x = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])))
        y = y + x
    return layers.ReLU(name=f"{name}_out")(y)


def convolution(x, filters, stride, name):
    """3x3 with a frame of one pixel, then batch normalisation."""
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_conv")(x)
    return layers.BatchNormalization(epsilon=1.001e-5, name=f"{name}_bn")(x)


def from_scratch(blocks, width, shortcut=True):
    """Three stages of so many blocks for images of 8 x 8, as He et al. (section 4.2) put them together."""
    image = keras.Input((8, 8, 1))
    x = layers.ReLU()(convolution(image, width, 1, "conv1"))
    for stage in range(3):
        for number in range(blocks):
            stride = 2 if stage > 0 and number == 0 else 1
            x = block(x, width * 2**stage, stride, f"conv{stage + 2}_block{number + 1}", shortcut)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, name="logits")(x))


def draw_block(axes, title, shortcut):
    """Boxes from the bottom to the top, an arrow from each to the next, and the shortcut around them."""
    boxes = ["x", "3x3 convolution", "batch norm", "ReLU", "3x3 convolution", "batch norm", "ReLU", "y"]
    boxes[6:6] = ["+"] if shortcut else []
    for row, text in enumerate(boxes):
        colour = {"+": "#ffd966", "x": "white", "y": "white"}.get(text, "#cfe0ea")
        axes.text(0, row, text, ha="center", va="center", bbox={"boxstyle": "round", "facecolor": colour})
        if row:
            axes.annotate("", (0, row - 0.28), (0, row - 0.72), arrowprops={"arrowstyle": "->"})
    if shortcut:
        axes.plot([0.16, 1.3, 1.3], [0, 0, 6], color=SECOND, linewidth=2)
        axes.annotate("", (0.16, 6), (1.33, 6), arrowprops={"arrowstyle": "->", "color": SECOND, "linewidth": 2})
        axes.text(1.4, 3, "shortcut:\nx as it is", color=SECOND, ha="left", va="center")
    axes.set(xlim=(-1.6, 3), ylim=(-0.5, 8.5), title=title)
    axes.axis("off")


figure = new_figure(8, 5)
left, right = figure.subplots(1, 2)
draw_block(left, "plain: y = relu(F(x))", shortcut=False)
draw_block(right, "residual: y = relu(F(x) + x)", shortcut=True)
lesson.plot(figure, "block")

# %% [markdown]
# Put together and given the same weights, these blocks must compute what the zoo's network computes. And a shortcut
# must cost no parameter, at any depth.

# %%
PAIRS = {"resnet20": "plain20", "resnet32": "plain32", "resnet44": "plain44", "resnet56": "plain56"}
FAMILIES = {"plain": ("plain20", SECOND), "residual": ("resnet20", INK)}


def network(family, blocks, seed):
    """6 x `blocks` + 2 layers for digits of 8 x 8 pixels; 8 channels in the first stage."""
    keras.utils.set_random_seed(seed)
    return zoo.build(FAMILIES[family][0], input_shape=(8, 8, 1), blocks=(blocks,) * 3, width=8)


def digits(split):
    return next(zoo.load_data("digits", split=split, batch_size=2000).as_numpy_iterator())


def copy_weights(source, target):
    """To each layer of `target` those of the layer of the same name; returns the layers that have no such twin."""
    known = {layer.name: layer for layer in source.layers if layer.weights}
    for layer in target.layers:
        if layer.name in known:
            layer.set_weights(known[layer.name].get_weights())
    return [layer for layer in target.layers if layer.weights and layer.name not in known]


def parameters(model):
    return sum(int(np.prod(weights.shape)) for weights in model.trainable_weights)


def largest_difference(one, other):
    return np.abs(ops.convert_to_numpy(one(x_test)) - ops.convert_to_numpy(other(x_test))).max()


(x, y), (x_validation, y_validation), (x_test, y_test) = map(digits, ("train", "validation", "test"))
theirs, ours = network("residual", 2, lesson.seed), from_scratch(2, 8)
copy_weights(theirs, ours)
difference = largest_difference(ours, theirs)
lesson.claim("14 layers from the block above less the zoo's, largest difference", difference, "<=", 1e-5, exact=True)
extra = parameters(ours) - parameters(from_scratch(2, 8, shortcut=False))
lesson.claim("parameters that the shortcuts cost", extra, "==", 0, exact=True)
for pair in PAIRS.items():
    print(", ".join(f"{name} {parameters(zoo.build(name)):,} parameters" for name in pair))
longest = zoo.build("resnet110")
print(f"{longest.name} {parameters(longest):,} parameters")

# %% [markdown]
# ## Deeper can do whatever shallower can
# Take a residual network of 8 layers with any weights. Copy them into one of 50 layers, and set the last scale
# ($\gamma$ of its batch normalisation) of each block that is new to 0. Now $F(x) = 0$ there, so
# $y = \mathrm{relu}(0 + x) = x$ ($x$ comes out of a ReLU, so nothing of it is below 0), and the 50 layers compute what
# the 8 did. To do nothing (the **identity mapping**) is easy for a residual block: it is where it stands if it has
# nothing to add. A plain block would have to learn two convolutions that together copy their input through
# normalisations and ReLUs.


# %%
shallow, deep = network("residual", 1, lesson.seed), network("residual", 8, lesson.seed + 1)
for layer in copy_weights(shallow, deep):
    if layer.name.endswith("_2_bn"):
        layer.gamma.assign(ops.zeros(layer.gamma.shape))  # with its shift, 0 from the start: F(x) = 0
difference = largest_difference(deep, shallow)
lesson.claim("50 residual layers less the 8 they imitate, largest difference", difference, "<=", 1e-5, exact=True)

# %% [markdown]
# ## Depth and training loss
# Both families at three depths on the same 1,257 digits: same epochs, same batches, same learning rate. A network that
# knows nothing has a cross-entropy of $\ln 10 = 2.30$. Before you run it: which of the four corners (plain or residual,
# 8 or 50 layers) will be highest, and which lowest?

# %%
DEPTHS = {6 * blocks + 2: blocks for blocks in ((1, 2) if lesson.smoke else (1, 3, 8))}
EPOCHS, BATCH = (1 if lesson.smoke else 10), 128
DEEPEST, SHALLOWEST = max(DEPTHS), min(DEPTHS)
# XLA, which Keras asks of TensorFlow, takes longer to compile fifty layers than all of this training takes without.
COMPILE = {"jit_compile": False if keras.config.backend() == "tensorflow" else "auto"}


def accuracy(model, x, y):
    return float(np.mean(ops.convert_to_numpy(model(x, training=False)).argmax(1) == y))


def train(family, depth, seeds, learning_rate=3e-3):
    """For each seed the losses by epoch, and the accuracies on the training, validation and test digits."""
    model = network(family, DEPTHS[depth], lesson.seed)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, EPOCHS * -(-len(x) // BATCH))
    model.compile(keras.optimizers.Adam(rate), loss=CROSS_ENTROPY, **COMPILE)
    losses, accuracies = [], []
    for seed in seeds:  # the graph is traced once: a new start means new values
        model.set_weights(network(family, DEPTHS[depth], seed).get_weights())
        for variable in model.optimizer.variables:
            variable.assign(ops.zeros(variable.shape, variable.dtype))
        losses.append(model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0).history["loss"])
        accuracies.append([accuracy(model, *part) for part in ((x, y), (x_validation, y_validation), (x_test, y_test))])
    ends = ", ".join(f"{row[-1]:.4f}" for row in losses)
    print(f"{family:>8} {depth:>2} layers, learning rate {learning_rate:g}, training loss {ends}")
    return np.array(losses), np.array(accuracies)


runs = {(family, depth): train(family, depth, lesson.seeds) for family in FAMILIES for depth in DEPTHS}
losses = {key: rows for key, (rows, _) in runs.items()}

# %%
figure = new_figure(10.5, 4.2)
by_epoch, by_depth = figure.subplots(1, 2)
for (family, depth), rows in losses.items():
    if depth in (SHALLOWEST, DEEPEST):
        style = {"color": FAMILIES[family][1], "linestyle": "-" if depth == DEEPEST else "--"}
        by_epoch.plot(range(1, EPOCHS + 1), rows.mean(0), **style, marker=".", label=f"{family}, {depth} layers")
for family, (_, colour) in FAMILIES.items():
    last = np.array([losses[family, depth][:, -1] for depth in DEPTHS])  # (depths, seeds)
    by_depth.fill_between(list(DEPTHS), last.min(1), last.max(1), color=colour, alpha=0.25, linewidth=0)
    by_depth.plot(list(DEPTHS), last.mean(1), color=colour, marker="o", label=family)
by_depth.set(xlabel="layers", xticks=list(DEPTHS), title=f"after {EPOCHS} epochs: mean and range of the seeds")
by_epoch.set(xlabel="epoch", ylabel="training loss", title="shallow (dashed) and deep")
for axes in (by_epoch, by_depth):
    axes.axhline(np.log(10), color="black", linestyle=":", label="knows nothing: ln 10")
    axes.set_yscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "loss_against_depth")

# %% [markdown]
# Left: all but one of the four learn the digits in a few epochs. Right: the lines part. The plain network of 50 layers
# has learned hardly anything; the residual family gets better with depth. The two differ in nothing but the shortcuts.

# %%
ends = {key: rows[:, -1] for key, rows in losses.items()}
worst = float(min(ends["plain", DEEPEST]) / max(ends["plain", SHALLOWEST]))
baseline = {"knows nothing": np.log(10), "best plain-50": min(ends["plain", DEEPEST])}
lesson.claim("training loss, best plain-50 over worst plain-8", worst, ">=", 5, baseline=baseline)
deep, shallow = float(max(ends["residual", DEEPEST])), float(min(ends["residual", SHALLOWEST]))
baseline = {"knows nothing": np.log(10), "best residual-8": shallow, "best plain-50": min(ends["plain", DEEPEST])}
lesson.claim("training loss, worst residual-50", deep, "<=", shallow, baseline=baseline)

# %% [markdown]
# Is it overfitting? Then the deep plain network would be good on what it has seen. Is it the learning rate? We try one
# that is smaller and one that is larger for both, and look at the validation digits (the test digits are for the end).

# %%
accuracies = {key: found for key, (_, found) in runs.items()}  # (seeds, 3): training, validation, test
for (family, depth), found in accuracies.items():
    means = "training {:.3f}, validation {:.3f}, test {:.3f}".format(*found.mean(0))
    print(f"{family:>8} {depth:>2} layers, mean accuracy: {means}")
validated = {family: {3e-3: accuracies[family, DEEPEST][0, 1]} for family in FAMILIES}
for family in FAMILIES:
    for rate in () if lesson.smoke else (3e-4, 1e-2):
        _, found = train(family, DEEPEST, lesson.seeds[:1], rate)
        validated[family][rate] = found[0, 1]
for family, scores in validated.items():
    print(
        family,
        DEEPEST,
        "layers, validation accuracy:",
        {rate: round(float(score), 3) for rate, score in scores.items()},
    )
nearest = KNeighborsClassifier(1).fit(x.reshape(len(x), -1), y).score(x_test.reshape(len(x_test), -1), y_test)
baseline = {"chance": 0.1, "residual-50": accuracies["residual", DEEPEST][:, 0].min()}
seen = accuracies["plain", DEEPEST][:, 0].max()
lesson.claim("training accuracy, best plain-50", seen, "<=", 0.9, baseline=baseline)
best = {family: max(rates.values()) for family, rates in validated.items()}
lesson.claim(
    "validation accuracy at the best learning rate, residual-50 less plain-50", best["residual"] - best["plain"], ">=",
    0.3, baseline=best,
)  # fmt: skip
baseline = {"chance": 0.1, "nearest example": nearest, "best plain-50": accuracies["plain", DEEPEST][:, 2].max()}
gain = accuracies["residual", DEEPEST][:, 2].min() - accuracies["plain", DEEPEST][:, 2].max()
lesson.claim("test accuracy, worst residual-50 less best plain-50", gain, ">=", 0.2, baseline=baseline)

# %% [markdown]
# It has not even learned its training examples. (The deep residual network knows all of those, and is no better on new
# digits than the shallow one, nor than the nearest example: on 1,257 examples depth buys fit, not insight.)
#
# ## What goes wrong: the gradients
# Before the first step we ask for the gradient of each convolution's weights, for three batches of digits. Two things
# can be wrong with them.
#
# *Their size.* Size means nothing by itself, because the normalisation after a convolution undoes it when all weights
# are doubled. So we divide it by the size of the weights: a relative gradient of 2 asks for a change twice as large as
# the weights.
#
# *Their direction.* All batches hold the same ten digits, so they should ask for similar changes. We take the cosine of
# the angle between the gradients of two batches: 1 if they point the same way, 0 if they have nothing to do with each
# other.
#
# (To get at the gradients on any backend, we take one step of plain gradient descent at a learning rate of 1: the
# weights change by exactly the gradient.)


# %%
def gradients(family, depth, seed):
    """Of each convolution the gradients of three batches, (3, weights), and its weights before."""
    model = network(family, DEPTHS[depth], seed)
    model.compile(keras.optimizers.SGD(1.0), loss=CROSS_ENTROPY, run_eagerly=True)
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    start = model.get_weights()
    weights = [layer.get_weights()[0].ravel() for layer in convolutions]
    rows = []
    for first in (0, 400, 800):
        model.set_weights(start)
        model.train_on_batch(x[first : first + 128], y[first : first + 128])
        rows.append([old - layer.get_weights()[0].ravel() for old, layer in zip(weights, convolutions)])
    return [np.stack(of_layer) for of_layer in zip(*rows)], weights


def sizes_and_agreement(family, depth, seed):
    """Of each convolution the relative size of its gradient, and the mean cosine between those of two batches."""
    found, weights = gradients(family, depth, seed)
    sizes = [np.linalg.norm(rows[0]) / np.linalg.norm(before) for rows, before in zip(found, weights)]
    directions = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in found]
    cosines = [(rows @ rows.T)[np.triu_indices(3, 1)].mean() for rows in directions]
    return np.array(sizes), np.array(cosines)


at_start = {key: sizes_and_agreement(*key, lesson.seed) for key in runs}
deepest = {
    family: [at_start[family, DEEPEST]] + [sizes_and_agreement(family, DEEPEST, seed) for seed in lesson.seeds[1:]]
    for family in FAMILIES
}

figure = new_figure(11, 4)
by_layer, agreement, by_depth = figure.subplots(1, 3)
for family, (_, colour) in FAMILIES.items():
    sizes, cosines = at_start[family, DEEPEST]
    by_layer.plot(range(1, len(sizes) + 1), sizes, color=colour, marker=".", label=f"{family}, {DEEPEST} layers")
    agreement.plot(range(1, len(cosines) + 1), cosines, color=colour, marker=".", label=f"{family}, {DEEPEST} layers")
    means = [at_start[family, depth][1].mean() for depth in DEPTHS]
    by_depth.plot(list(DEPTHS), means, color=colour, marker="o", label=family)
by_layer.set(xlabel="convolution, from image to logits", ylabel="gradient / weights", title="size", yscale="log")
agreement.set(xlabel="convolution, from image to logits", ylabel="cosine between batches", title="agreement")
by_depth.set(xlabel="layers", xticks=list(DEPTHS), ylabel="mean cosine between batches", title="agreement by depth")
for axes in (by_layer, agreement, by_depth):
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "gradients")
grown = {family: [sizes[0] / sizes[-1] for sizes, _ in found] for family, found in deepest.items()}
agreed = {family: [float(cosines.mean()) for _, cosines in found] for family, found in deepest.items()}
for family in FAMILIES:
    ratios, cosines = (", ".join(f"{number:.3g}" for number in each[family]) for each in (grown, agreed))
    print(f"{family}-{DEEPEST}: size of the gradients, first over last {ratios}; agreement of two batches {cosines}")
sizes, cosines = at_start["plain", SHALLOWEST]
baseline = {"plain-8": sizes[0] / sizes[-1]}
lesson.claim("size of the gradients of plain-50, first over last", min(grown["plain"]), ">=", 50, baseline=baseline)
lesson.claim("the same of residual-50", max(grown["residual"]), "<=", 25, baseline=baseline)
baseline = {"plain-8": cosines.mean(), "nothing in common": 0.0}
lesson.claim("agreement of two batches, plain-50, best seed", max(agreed["plain"]), "<=", 0.1, baseline=baseline)
lesson.claim("agreement of two batches, residual-50, worst seed", min(agreed["residual"]), ">=", 0.2, baseline=baseline)

# %% [markdown]
# On its way back through a plain network the gradient is multiplied by something at each layer (the chain rule). The
# normalisation keeps what goes *forward* at size 1, layer by layer; what comes *back* it does not, and here each layer
# makes it a little larger. A little, forty-nine times, is a lot: it explodes (**exploding gradients**, lesson 04; the
# opposite, **vanishing gradients**, is what the normalisation prevents, as the paper says too). Adam divides each step
# by the gradient's usual size, so it can mend the size. It cannot mend the direction: in the deep plain network two
# batches have nothing in common, so what one step gains, the next one loses. (Balduzzi et al. 2017 call such gradients
# shattered.) With a shortcut the derivative of $F(x) + x$ is $F'(x) + 1$: whatever $F$ does, the 1 hands the gradient
# down as it is.
#
# How sure is that? The two families differ in the shortcuts alone, so these are the cause of all that the figures show.
# That the directions are what stops the training is less sure: at 20 layers the plain network has little agreement
# too, and it still learns.
#
# Skip connections also go past whole networks: where every pixel is given a class, `unet` and `fcn8_vgg16` hand the
# fine maps near the image to the coarse ones at the end, which know what is there but not exactly where.

# %%
for name in ("unet", "fcn8_vgg16"):
    print(f"{name}: {zoo.info(name).summary}, {zoo.info(name).params:,} parameters")

# %% [markdown]
# ## CIFAR-10 (`--data full`)
# The recipe is the paper's: 64,000 steps. Its Table 6 gives .9125 for ResNet-20; not measured here.

# %%
if lesson.full:
    budget = {"epochs": 1} if lesson.smoke else {}
    run = zoo.train("resnet20", "cifar10", seed=lesson.seed, data_dir=lesson.data_dir, **budget)
    name = "CIFAR-10, resnet20 (published .9125)"
    lesson.claim(name, run.metrics["accuracy"], ">=", 0.9125, baseline=run.results["baselines"])

# %% [markdown]
# ## Try it
# 1. Give plain-50 thirty epochs in place of ten. Does it get there? Where is residual-50 by then?
# 2. Put a shortcut around one convolution only, by changing `block`. Can such a network still imitate a shallower one?
#    What would $F$ be?
# 3. Set the last scale of *every* block of residual-50 to 0 before training. What do its gradients look like now?
#
# <details><summary>Solution</summary>
#
# 1. `EPOCHS, BATCH = 30, 128`, and look at the line of plain-50 in the left figure. Whatever it reaches, it takes these
#    extra steps to get there; residual-50 knows its digits after the first ten epochs.
# 2. In `block`, leave out the two lines after the first convolution (the claim that compares with the zoo's block then
#    fails). It can: whatever $F$ is, $F(x) = 0$ leaves $x$. But with one convolution and its normalisation, $F$ has no
#    bend of its own; the bend comes only after the sum.
# 3. After `network` in `gradients`, `layer.gamma.assign(ops.zeros(layer.gamma.shape))` for each layer whose name ends
#    in `_2_bn`. The convolutions inside the blocks get no gradient at all (it is multiplied by the scale, 0), so the
#    figure has no sizes for them, and the first convolution gets that of a network without blocks. Training starts from
#    there and grows. (Goyal et al. 2017, [section 5.1](https://arxiv.org/abs/1706.02677), start so.)
# </details>

# %%
lesson.finish()
