# %% [markdown]
# # 13 · Transfer learning: learning from a few labels
#
# A network that starts from nothing needs thousands of labelled images. Most people have a few dozen. But edges,
# corners and bends look alike everywhere: who has learned to read one alphabet does not start from nothing with the
# next. To carry over what was learned is **transfer learning** (Yosinski and others 2014,
# [arXiv:1411.1792](https://arxiv.org/abs/1411.1792)). We teach LeNet-5 two hundred characters, so that it is a
# **pretrained** network, and then a new alphabet of fifty from one, five or ten drawings of each (**few-shot
# learning**), in three ways: from scratch, with what was learned kept as it is (**freezing**), and with what was
# learned as the start of a second training (**fine-tuning**).
#
# **You will see** accuracy against labels for the three ways to train, that frozen layers stay bit for bit what they
# were, and how slowly the first layers move when each layer has a learning rate of its own. Then two failures: features
# that are in the way of another problem (**negative transfer**), and a network that forgets although none of its
# weights was trained (the batch-norm trap).
#
# **Claims** In the worst of three seeds fine-tuning is at least five points better than training from scratch with one
# drawing of each character, and three with five. The frozen body is unchanged to the last bit. On handwritten digits
# the same frozen body is worse than training from scratch in every seed. A network whose batch statistics are free to
# move loses at least 20 points of its accuracy on the old characters; one that is frozen loses none.
#
# **Beside them** chance, and the nearest labelled drawing (1-nearest-neighbour).
#
# **Takes** 2.5 minutes on one core (AMD EPYC).

# %%
import keras
import numpy as np
from keras import ops
from lesson import Tutorial
from sklearn.metrics import pairwise_distances

import zoo
from zoo.optimizers import finetuning
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("13_transfer")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
WAYS = {"scratch": SECOND, "frozen": THIRD, "fine-tuned": INK}
EPOCHS = {1: 1, 5: 1} if lesson.smoke else {1: 30, 5: 20, 10: 15}  # by the number of labels of each character
LABELS = tuple(EPOCHS)

# %% [markdown]
# ## Two alphabets
# Nobody has seen these characters: a program invented them, and draws each with a hand that is never quite the same.
# Two hundred of them are the large labelled set that somebody else collected. Fifty others are our own problem.


# %%
def images(split, scale=None):
    """Scaled images and labels from 0 on."""
    x, y = next(zoo.load_data("glyphs", split=split, batch_size=4000, scaling="none").as_numpy_iterator())
    scale = scale or (x.mean(), x.std())
    return (x - scale[0]) / scale[1], y - y.min(), scale


known_x, known_y, scale = images("train")
new_x, new_y, _ = images("test", scale)

figure = new_figure(9, 2.2)
for axes, (x, y, number) in zip(
    figure.subplots(2, 12).ravel(), [(known_x, known_y, n) for n in range(12)] + [(new_x, new_y, n) for n in range(12)]
):
    axes.imshow(x[y == number // 2][number % 2, ..., 0], cmap="gray_r")
    axes.axis("off")
figure.suptitle("two drawings each of six known characters (above) and of six new ones (below)", fontsize=9)
lesson.plot(figure, "alphabets")

# %% [markdown]
# ## Before: two hundred known characters
# LeNet-5 with ReLU and max pooling learns to tell them apart, by the cross-entropy. What we keep is all but its last
# layer: the **body** (or **backbone**), which turns an image into features. The last layer, the **head**, turns those
# into classes.


# %%
def network(classes, seed):
    keras.utils.set_random_seed(seed)
    return zoo.build("lenet5", num_classes=classes, activation="relu", pooling="max")


def fit(model, x, y, optimizer, epochs, batch):
    # XLA takes longer to compile than these trainings take without.
    jit = False if keras.config.backend() == "tensorflow" else "auto"
    model.compile(optimizer, CROSS_ENTROPY, jit_compile=jit)
    return model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0).history["loss"]


def accuracy(model, x, y):
    return float(np.mean(ops.convert_to_numpy(model(x)).argmax(1) == y))


bodies = {}
for seed in lesson.seeds:
    bodies[seed] = network(200, seed)
    losses = fit(bodies[seed], known_x, known_y, keras.optimizers.Adam(2e-3), 1 if lesson.smoke else 10, 64)
    print(f"seed {seed}: loss {losses[-1]:.2f} after two hundred characters; it began near ln 200 = {np.log(200):.2f}")

# %% [markdown]
# ## After: fifty new ones
# The body moves over, the head starts anew: it has fifty outputs now. Then three ways.
#
# * **Scratch**: the whole network from fresh weights.
# * **Frozen**: `zoo.freeze(model)`. The body is a **feature extractor** that knows nothing of this alphabet; the head
#   alone learns. A head of one linear layer on frozen features is called a **linear probe**: it tells how much the
#   features are worth.
# * **Fine-tuned**: the head first, alone, so that its first wild gradients do not shake the body. Then `zoo.unfreeze`
#   and `zoo.layerwise`: each layer at 0.7 times the learning rate of the one behind it (**layer-wise learning rate
#   decay**, Howard and Ruder 2018, [arXiv:1801.06146](https://arxiv.org/abs/1801.06146)), for the first layers know
#   most that is of use.
#
# Rates and epochs are set beforehand and the same for all seeds. (In your own work choose them on a validation set.)
# Before you run it: with one drawing of each character, how much better than 1 in 50 can the three be?


# %%
def moved(seed, classes):
    """A fresh network with the body of the one that knows two hundred characters."""
    model = network(classes, seed + 100)
    for own, learned in zip(model.layers[:-1], bodies[seed].layers[:-1]):
        own.set_weights(learned.get_weights())
    return model


def train(way, seed, x, y, classes, epochs):
    if way == "scratch":
        model = network(classes, seed + 100)
        fit(model, x, y, keras.optimizers.Adam(2e-3), 2 * epochs, 25)
        return model
    model = zoo.freeze(moved(seed, classes))
    fit(model, x, y, keras.optimizers.Adam(5e-3), epochs, 25)
    if way == "fine-tuned":
        zoo.unfreeze(model)
        fit(model, x, y, zoo.layerwise(keras.optimizers.Adam(2e-3), model, decay=0.7), epochs, 25)
    return model


def choose(y, count, seed):
    """`count` rows of each class, and all others."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(np.flatnonzero(y == label))[:count] for label in np.unique(y)])
    return rows, np.setdiff1d(np.arange(len(y)), rows)


def compare(x, y, x_test=None, y_test=None, labels=LABELS):
    """way -> accuracies (labels, seeds) on drawings without a label; "nearest" for the nearest labelled drawing."""
    found = {way: np.zeros((len(labels), len(lesson.seeds))) for way in (*WAYS, "nearest")}
    for row, count in enumerate(labels):
        for column, seed in enumerate(lesson.seeds):
            few, rest = choose(y, count, seed)
            test = (x[rest], y[rest]) if x_test is None else (x_test, y_test)
            distances = pairwise_distances(test[0].reshape(len(test[0]), -1), x[few].reshape(len(few), -1))
            found["nearest"][row, column] = np.mean(y[few][distances.argmin(1)] == test[1])
            for way in WAYS:
                models[way] = train(way, seed, x[few], y[few], int(y.max()) + 1, EPOCHS[count])
                found[way][row, column] = accuracy(models[way], *test)
        print(f"{count:>2} of each: " + ", ".join(f"{way} {each[row].mean():.3f}" for way, each in found.items()))
    return found


models = {}
glyphs = compare(new_x, new_y)

# %% [markdown]
# ## What stayed, and what moved
# Frozen means frozen: every bit of every weight. And under layer-wise learning rates the first layer moves least. We
# divide how far each layer went by the size of its weights.

# %%
body = bodies[lesson.seeds[-1]]
same = all(
    np.array_equal(a, b)
    for own, learned in zip(models["frozen"].layers[:-1], body.layers[:-1])
    for a, b in zip(own.get_weights(), learned.get_weights())
)
lesson.claim("layers of the frozen body that changed by a bit", 0 if same else 1, "==", 0, exact=True)

names = [block[0].name for block in finetuning.trainable_blocks(body)[:-1]]
steps = []
for name in names:
    old, new = (model.get_layer(name).get_weights()[0] for model in (body, models["fine-tuned"]))
    steps.append(np.linalg.norm(new - old) / np.linalg.norm(old))
figure = new_figure(9.5, 3.8)
curves, bars = figure.subplots(1, 2, width_ratios=(1.6, 1))
for way, colour in WAYS.items():
    curves.fill_between(LABELS, glyphs[way].min(1), glyphs[way].max(1), color=colour, alpha=0.2, linewidth=0)
    curves.plot(LABELS, glyphs[way].mean(1), marker="o", color=colour, label=way)
curves.plot(LABELS, glyphs["nearest"].mean(1), color="black", linestyle=":", label="nearest labelled drawing")
curves.set(xlabel="labelled drawings of each character", ylabel="accuracy on the others", xticks=LABELS)
curves.legend(frameon=False, fontsize=8)
bars.bar(names, steps, color=INK)
bars.set(ylabel="change / weights", title="how far fine-tuning moves each layer")
for axes in (curves, bars):
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "accuracy_against_labels")

# %%
for row, (count, bound) in enumerate(((1, 0.05), (5, 0.03))):
    gain = float((glyphs["fine-tuned"] - glyphs["scratch"])[row].min())
    baseline = {"chance": 1 / 50, **{way: each[row].mean() for way, each in glyphs.items()}}
    lesson.claim(f"fine-tuned less scratch, {count} of each, worst seed", gain, ">=", bound, baseline=baseline)

# %% [markdown]
# ## Failure 1: a transfer that hurts
# The same bodies, and another problem: the handwritten digits of scikit-learn. Ink is bright here as there, and
# yet those are eight pixels wide, drawn by 13 real people, and ten classes are soon told apart from nothing. Features
# that were made for two hundred invented characters are in the way: the new data differ too much from the old
# (**domain shift**). The bodies, the seeds and the way to train are those of above; what was changed is the problem
# alone. Frozen features were worth about as much as training from scratch there, and are worth less here. Fine-tuning
# repairs most of it, for it may leave what does not fit.
#
# That pretrained is better is not a law. It is a measurement, and the only way to know is to train from scratch as
# well, and to look at the nearest labelled image, which needs no network at all: on these digits it is better still.


# %%
def digits(split):
    """All digits of a split as images of 28 x 28, scaled as the characters were."""
    x, y = next(
        zoo.load_data(
            "digits", split=split, batch_size=2000, preprocess={"resize": (28, 28)}, scaling="none"
        ).as_numpy_iterator()
    )
    return (x - scale[0]) / scale[1], y


(digits_x, digits_y), (digits_x_test, digits_y_test) = digits("train"), digits("test")
hurt = compare(digits_x, digits_y, digits_x_test, digits_y_test, labels=(5,))
baseline = {"chance": 0.1, **{way: each.mean() for way, each in hurt.items()}}
gain = float((hurt["frozen"] - hurt["scratch"]).max())
lesson.claim("digits, 5 of each: frozen less scratch, best seed", gain, "<=", -0.03, baseline=baseline)

figure = new_figure(7.2, 3.2)
problems = {"new characters, 5 of each": glyphs, "digits, 5 of each": hurt}
for axes, (title, results) in zip(figure.subplots(1, 2, sharey=True), problems.items()):
    for place, (way, colour) in enumerate(WAYS.items()):
        values = results[way][LABELS.index(5) if results is glyphs else 0]  # of each seed
        axes.bar(place, values.mean(), color=colour)
        axes.plot([place] * len(values), values, ".", color="black", markersize=4)
    axes.set(xticks=range(len(WAYS)), xticklabels=list(WAYS), title=title, ylim=(0, 1))
    axes.spines[["top", "right"]].set_visible(False)
figure.axes[0].set_ylabel("accuracy (dots: seeds)")
lesson.plot(figure, "a_transfer_that_hurts")

# %% [markdown]
# ## Failure 2: frozen, and changed all the same
# LeNet-5 has no batch normalisation (lesson 11); most networks since have. Such a layer keeps two rows of numbers that
# no optimizer trains: the running mean and variance of each map. In training mode they follow every batch. So a network
# can change although each of its weights is frozen, and it can lose what it knew (**catastrophic forgetting**).
#
# A small ResNet learns our two hundred characters. Its body then serves a new head, for the digits, and nothing but
# that head is trained. Twice: with the statistics frozen, and with the statistics free to move, all else the same. At
# the end the old head is put back, and we ask for the old characters again.


# %%
def residual(classes):
    keras.utils.set_random_seed(lesson.seed)
    return zoo.build("resnet20", input_shape=(28, 28, 1), num_classes=classes, blocks=(1, 1, 1), width=8)


def copy_body(source, target):
    for old, new in zip(source.layers[:-1], target.layers[:-1]):
        new.set_weights(old.get_weights())


def recognised(model):
    return float(np.mean(model.predict(known_x, batch_size=500, verbose=0).argmax(1) == known_y))


def normalisations(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


old = residual(200)
rate = keras.optimizers.schedules.CosineDecay(1e-2, 6 * -(-len(known_x) // 64))
fit(old, known_x, known_y, keras.optimizers.Adam(rate), 1 if lesson.smoke else 6, 64)
known, before = old.get_weights(), recognised(old)
few, _ = choose(digits_y, 5, lesson.seed)
left, changed = {}, {}
for statistics in ("frozen", "moving"):
    old.set_weights(known)
    new = residual(10)
    copy_body(old, new)
    zoo.freeze(new)
    if statistics == "moving":
        for layer in normalisations(new):
            layer.trainable = True  # training mode: its statistics follow the batches
            layer.gamma.trainable = layer.beta.trainable = False  # and yet nothing in it is trained
    fit(new, digits_x[few], digits_y[few], keras.optimizers.Adam(5e-3), 2 if lesson.smoke else 30, 25)
    copy_body(new, old)
    for kind in ("weights", "statistics"):
        pairs = [both for both in zip(old.weights, known) if ("moving_" in both[0].path) == (kind == "statistics")]
        changed[kind, statistics] = sum(not np.array_equal(ops.convert_to_numpy(own), was) for own, was in pairs)
    left[statistics] = recognised(old)
    print(
        f"statistics {statistics}: digits {accuracy(new, digits_x_test, digits_y_test):.3f}, old characters "
        f"{left[statistics]:.3f} (before {before:.3f}); changed: {changed['weights', statistics]} arrays of weights, "
        f"{changed['statistics', statistics]} of statistics"
    )
lesson.claim("statistics of the frozen network that changed", changed["statistics", "frozen"], "==", 0, exact=True)
lesson.claim("weights that changed while statistics moved", changed["weights", "moving"], "==", 0, exact=True)
lesson.claim("old characters lost, statistics frozen", before - left["frozen"], "==", 0, exact=True)
beside = {"before": before, "after, frozen": left["frozen"], "after, moving": left["moving"]}
lesson.claim("old characters lost, statistics moving", before - left["moving"], ">=", 0.2, baseline=beside)

# %% [markdown]
# The statistics have become those of digits (Li and others 2016, [arXiv:1603.04779](https://arxiv.org/abs/1603.04779),
# do so on purpose, to suit a network to other data). Whether the digits gain by it, the two lines above say. The trap
# is to believe that a frozen body is still the one that it was: every other head on it is now wrong.
#
# With Keras the switch is `layer.trainable = False`: a normalisation that is not trainable uses the statistics it has
# and leaves them alone. `zoo.freeze` sets it, and `zoo.unfreeze` leaves normalisations frozen unless you ask. Many
# guides freeze in another way: they call the pretrained network as `base(x, training=False)`. Whether that holds once
# `fit` runs depends on the version of Keras. Ask yours, with a base that is trainable and one that is not:

# %%
for trainable in (True, False):
    base, image = residual(10), keras.Input((28, 28, 1))
    base.trainable = trainable
    nested = keras.Model(image, keras.layers.Dense(10)(base(image, training=False)))
    was = [ops.convert_to_numpy(layer.moving_mean) for layer in normalisations(base)]
    fit(nested, digits_x[few], digits_y[few], keras.optimizers.SGD(0.0), 1, 25)  # at rate 0 no weight moves
    now = [ops.convert_to_numpy(layer.moving_mean) for layer in normalisations(base)]
    moved_by_fit = sum(not np.array_equal(*both) for both in zip(was, now))
    print(
        f"Keras {keras.__version__}, base.trainable = {trainable}, training=False: {moved_by_fit} of {len(was)} moved"
    )
lesson.claim("running means that moved with trainable = False", moved_by_fit, "==", 0, exact=True)

# %% [markdown]
# ## Your own images
# With published weights of a large network the recipe is the same and the command short:
#
#     zoo train resnet50 --weights imagenet --data PHOTOS/
#
# `python benchmarks/transfer.py` measures the three ways with such weights on Fashion-MNIST. More on fine-tuning: Dive
# into Deep Learning, [section 14.2](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
#
# ## Try it
# * Skip the first phase: unfreeze at once. How much is lost with one drawing of each?
# * Set `decay=1.0`. And 0.3?
# * Freeze only the first convolution, `zoo.freeze(model, until="c1")`. How do the digits fare?
#
# <details><summary>Solution</summary>
#
# * In `train`, move `zoo.unfreeze(model)` before the first `fit` of the fine-tuned way and leave out the second. The
#   untrained head now sends its gradients through the body from the first step on. Compare the printed lines of "1 of
#   each", where there is least to repair the damage with.
# * `decay=1.0` gives every layer the same rate: the bars of the figure get more alike. With one drawing of each the
#   first layers, free to move, overfit; with ten there is enough to teach them, and it does better. With 0.3 the first
#   layer hardly moves, and nearly nothing is lost: what the later layers learn is enough here.
# * In `train`, after `moved`, write `zoo.freeze(moved(seed, classes), until="c1")`. The first convolution sees edges,
#   which digits have too; the later layers know the invented alphabet, and are now free to leave it. Compare the line
#   of the digits with "frozen" and "scratch" from before. (The claim about the frozen body fails, of course.)
#
# </details>

# %%
lesson.finish()
