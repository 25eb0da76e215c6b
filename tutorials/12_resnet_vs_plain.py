# %% [markdown]
# # 12 · Residual networks: why shortcuts
#
# If ten layers are good, are fifty better? By 2015 deeper networks had become *worse*, and on their own training
# examples too. That is not **overfitting**: a network that overfits knows its training examples by heart, and fails on
# new ones (it does not **generalise**). These networks could not be trained: it is a problem of **optimisation**, which
# the paper calls **degradation**. He, Zhang, Ren and Sun changed one thing: each pair of layers adds its input to its
# output, through a **shortcut** (or **skip connection**).
#
# **You will see** that a deeper residual network can imitate a shallower one exactly, what depth does to the training
# loss with shortcuts and without, and the gradients that the first step of training sends to each layer: those of the
# deep plain network explode (**exploding gradients**, the failure of this lesson).
#
# **Claims** Shortcuts cost no parameters. After the same number of epochs the training loss of 50 plain layers is at
# least five times that of 8; that of 50 residual layers is no larger than that of 8. At the first step the gradients
# of the plain one differ at least a hundredfold between layers, those of the residual one at most twentyfold.
#
# **Beside them** the loss of a network that knows nothing, chance, and the nearest training example.
#
# **Takes** three minutes on two cores. `--data full` trains ResNet-20 on CIFAR-10 by its recipe, a job for a GPU.
# Follows S3:799-809, S4:322, S2:766-770,963.

# %%
import keras
import numpy as np
from keras import ops
from lesson import Tutorial
from sklearn.neighbors import KNeighborsClassifier

import zoo
from zoo.plots import INK, SECOND, new_figure

lesson = Tutorial("12_resnet_vs_plain", full_data="cifar10")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
FAMILIES = {"plain": ("plain20", SECOND), "residual": ("resnet20", INK)}

# %% [markdown]
# ## Two families
# A plain block computes $y = \mathrm{relu}(F(x))$, where $F$ is two 3x3 convolutions, each followed by **batch
# normalisation**. A residual block computes $y = \mathrm{relu}(F(x) + x)$: $F$ learns what to **add** to $x$. Where a
# stage halves the **feature maps** (its first convolution has a **stride** of 2) and doubles the channels, $x$ is taken
# at every second pixel and filled up with channels of zeros (**zero padding**). So the shortcut has nothing to learn,
# and both families have equally many parameters, to the last one.

# %%
PAIRS = {"resnet20": "plain20", "resnet32": "plain32", "resnet44": "plain44", "resnet56": "plain56"}


def parameters(name):
    return sum(int(np.prod(weights.shape)) for weights in zoo.build(name).trainable_weights)


counts = {name: parameters(name) for pair in PAIRS.items() for name in pair}
for name, count in {**counts, "resnet110": parameters("resnet110")}.items():
    print(f"{name:>9} {count:>9,}")
extra = sum(abs(counts[residual] - counts[plain]) for residual, plain in PAIRS.items())
lesson.claim("parameters that the shortcuts cost", extra, "==", 0, exact=True)

# %% [markdown]
# ## Deeper can do whatever shallower can
# Take a residual network of 8 layers with any weights. Copy them into one of 50 layers, and set the last scale
# ($\gamma$ of its batch normalisation) of each block that is new to 0. Now $F(x) = 0$ there, so
# $y = \mathrm{relu}(0 + x) = x$ and the 50 layers compute what the 8 did. To do nothing (the **identity mapping**) is
# easy for a residual block: it is where it stands if it has nothing to add. A plain block would have to learn two
# convolutions that together copy their input through a normalisation and two ReLUs.


# %%
def network(family, blocks, seed):
    """6 x `blocks` + 2 layers for digits of 8 x 8 pixels; 8 channels in the first stage."""
    keras.utils.set_random_seed(seed)
    return zoo.build(FAMILIES[family][0], input_shape=(8, 8, 1), blocks=(blocks,) * 3, width=8)


x, y = next(zoo.load_data("digits", split="train", batch_size=2000).as_numpy_iterator())
x_test, y_test = next(zoo.load_data("digits", split="test", batch_size=2000).as_numpy_iterator())

shallow, deep = network("residual", 1, lesson.seed), network("residual", 8, lesson.seed + 1)
known = {layer.name: layer for layer in shallow.layers}
for layer in deep.layers:
    if layer.name in known:
        layer.set_weights(known[layer.name].get_weights())
    elif layer.name.endswith("_2_bn"):
        layer.gamma.assign(ops.zeros(layer.gamma.shape))  # with its shift, 0 from the start: F(x) = 0
difference = np.abs(ops.convert_to_numpy(deep(x_test)) - ops.convert_to_numpy(shallow(x_test))).max()
lesson.claim("50 residual layers less the 8 they imitate, largest difference", difference, "<=", 1e-5, exact=True)

# %% [markdown]
# ## Depth and training loss
# Both families at four depths on the same 1,257 digits: same epochs (passes through the training set), same
# **batches**, same **learning rates**. A network that knows nothing has a loss (the **cross-entropy**) of
# $\ln 10 = 2.30$. Before you run it: which of the four corners (plain or residual, 8 or 50 layers) will be highest, and
# which lowest?

# %%
DEPTHS = {6 * blocks + 2: blocks for blocks in ((1, 2) if lesson.smoke else (1, 3, 5, 8))}
EPOCHS, BATCH = (1 if lesson.smoke else 10), 128
DEEPEST, SHALLOWEST = max(DEPTHS), min(DEPTHS)
# XLA, which Keras asks of TensorFlow, takes longer to compile fifty layers than all of this training takes without.
COMPILE = {"jit_compile": False if keras.config.backend() == "tensorflow" else "auto"}


def accuracy(model, x, y):
    return float(np.mean(ops.convert_to_numpy(model(x, training=False)).argmax(1) == y))


def train(family, depth):
    """For each seed the losses by epoch, and the accuracies on the training and on the test digits."""
    model = network(family, DEPTHS[depth], lesson.seed)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * -(-len(x) // BATCH))
    model.compile(keras.optimizers.Adam(rate), loss=CROSS_ENTROPY, **COMPILE)
    losses, accuracies = [], []
    for seed in lesson.seeds:  # the graph is traced once: a new start means new values
        model.set_weights(network(family, DEPTHS[depth], seed).get_weights())
        for variable in model.optimizer.variables:
            variable.assign(ops.zeros(variable.shape, variable.dtype))
        losses.append(model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0).history["loss"])
        accuracies.append((accuracy(model, x, y), accuracy(model, x_test, y_test)))
    print(f"{family:>8} {depth:>2} layers, training loss " + ", ".join(f"{row[-1]:.4f}" for row in losses))
    return np.array(losses), np.array(accuracies)


runs = {(family, depth): train(family, depth) for family in FAMILIES for depth in DEPTHS}
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
# Left: all but one of the four learn the digits in a few epochs. Right: the lines part. What depth takes from the
# plain family, it gives to the residual one.

# %%
ends = {key: rows[:, -1] for key, rows in losses.items()}
worst = float(min(ends["plain", DEEPEST]) / max(ends["plain", SHALLOWEST]))
baseline = {"knows nothing": np.log(10), "best plain-50": min(ends["plain", DEEPEST])}
lesson.claim("training loss, best plain-50 over worst plain-8", worst, ">=", 5, baseline=baseline)
deep, shallow = float(max(ends["residual", DEEPEST])), float(min(ends["residual", SHALLOWEST]))
baseline = {"knows nothing": np.log(10), "best residual-8": shallow, "best plain-50": min(ends["plain", DEEPEST])}
lesson.claim("training loss, worst residual-50", deep, "<=", shallow, baseline=baseline)

# %% [markdown]
# Is the deep plain network overfitting? Then it would be good on what it has seen.

# %%
nearest = KNeighborsClassifier(1).fit(x.reshape(len(x), -1), y).score(x_test.reshape(len(x_test), -1), y_test)
accuracies = {key: found for key, (_, found) in runs.items()}  # (seeds, 2): training, test
for (family, depth), found in accuracies.items():
    print("{:>8} {:>2} layers, mean accuracy: training {:.3f}, test {:.3f}".format(family, depth, *found.mean(0)))
baseline = {"chance": 0.1, "nearest example": nearest, "best plain-50": accuracies["plain", DEEPEST][:, 1].max()}
lesson.claim(
    "test accuracy, worst residual-50", accuracies["residual", DEEPEST][:, 1].min(), ">=", 0.90, baseline=baseline
)

# %% [markdown]
# It has not even learned its training examples. (The deep residual network knows all of those, and does no better on
# new digits than the shallow one: on 1,257 examples depth buys fit, not insight.)
#
# ## What goes wrong: the gradients
# Before the first step we ask each convolution for its gradient, which **backpropagation** computes. Its size means
# nothing by itself, because the normalisation after a convolution undoes any scaling of its weights. So we divide it by
# the size of the weights: a relative gradient of 2 asks for a change twice as large as the weights themselves. (To get
# at the gradients on any backend, we take one step of plain **gradient descent** at learning rate 1: the weights change
# by exactly the gradient.)


# %%
def relative_gradients(family, depth, seed):
    """The size of the gradient of each convolution over the size of its weights, from the first to the last."""
    model = network(family, DEPTHS[depth], seed)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    before = [layer.get_weights()[0] for layer in convolutions]
    model.compile(keras.optimizers.SGD(1.0), loss=CROSS_ENTROPY, run_eagerly=True)
    model.train_on_batch(x[:256], y[:256])
    after = [layer.get_weights()[0] for layer in convolutions]
    return np.array([np.linalg.norm(old - new) / np.linalg.norm(old) for old, new in zip(before, after)])


gradients = {key: relative_gradients(*key, lesson.seed) for key in runs}
ratios = {
    family: [
        sizes.max() / sizes.min() for sizes in (relative_gradients(family, DEEPEST, seed) for seed in lesson.seeds)
    ]
    for family in FAMILIES
}

figure = new_figure(10.5, 4)
by_layer, by_depth = figure.subplots(1, 2)
for family, (_, colour) in FAMILIES.items():
    sizes = gradients[family, DEEPEST]
    by_layer.plot(range(1, len(sizes) + 1), sizes, color=colour, marker=".", label=f"{family}, {DEEPEST} layers")
    largest = [gradients[family, depth].max() / gradients[family, depth].min() for depth in DEPTHS]
    by_depth.plot(list(DEPTHS), largest, color=colour, marker="o", label=family)
by_layer.set(xlabel="convolution, from the image to the logits", ylabel="gradient / weights", title="at the start")
by_depth.set(xlabel="layers", xticks=list(DEPTHS), title="largest over smallest layer of a network")
for axes in (by_layer, by_depth):
    axes.set_yscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "gradients")
baseline = {"plain-8": gradients["plain", SHALLOWEST].max() / gradients["plain", SHALLOWEST].min()}
lesson.claim("gradients of plain-50, largest over smallest", min(ratios["plain"]), ">=", 100, baseline=baseline)
lesson.claim("gradients of residual-50, largest over smallest", max(ratios["residual"]), "<=", 20, baseline=baseline)

# %% [markdown]
# On its way back through a plain network the gradient is multiplied by something at each layer (the **chain rule**).
# The normalisation keeps what goes *forward* at size 1, layer by layer; what comes *back* it does not, and here each
# layer makes it a little larger. A little, forty-nine times, is a lot: a straight line on this scale, an explosion on
# any other. No single learning rate suits layers that differ so much. With a shortcut, the derivative of $F(x) + x$ is
# $F'(x) + 1$: whatever $F$ does, the 1 hands the gradient down as it is.
#
# (**Vanishing gradients** are not to blame, as the paper says too: normalisation prevents those.)
#
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
# * Give plain-50 thirty epochs in place of ten. Does it get there? Where is residual-50 by then?
# * Is it the learning rate? Try 3e-4 and 3e-2 for both families.
# * Set the last scale of *every* block of residual-50 to 0 before training. What do its gradients look like now?

# %%
lesson.finish()
