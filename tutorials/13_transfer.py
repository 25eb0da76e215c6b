# %% [markdown]
# # 13 · Transfer learning: learning from a few labels
#
# A network that starts from nothing needs thousands of labelled images. Most people have a few dozen. But edges,
# corners and bends look alike everywhere: who has learned to read one alphabet does not start from nothing with the
# next. To carry over what was learned is **transfer learning**. We teach LeNet-5 two hundred characters
# (**pretraining**), and then a new alphabet of fifty from one, five or ten drawings of each (**few-shot learning**):
# from scratch, with the body frozen (**feature extraction**), and **fine-tuned**.
#
# **You will see** accuracy against labels for the three ways to train, that frozen layers stay bit for bit what they
# were, how slowly the first layers move under layer-wise **learning rates**, and a transfer that hurts (**negative
# transfer**, the failure of this lesson).
#
# **Claims** In the worst of three seeds fine-tuning is at least five points better than training from scratch with one
# drawing of each character, and three with five. The frozen body is unchanged to the last bit.
#
# **Beside them** chance, and the nearest labelled drawing (1-nearest-neighbour).
#
# **Takes** four minutes on two cores. Follows S3:600-621, S4:22-27, S2:126-128.

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
LABELS = (5,) if lesson.smoke else (1, 5, 10)
EPOCHS = 1 if lesson.smoke else 30

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
# LeNet-5 with ReLU and **max pooling** learns to tell them apart, by the **cross-entropy**. What we keep is all but its
# last layer: the body (or **backbone**), which turns an image into **features**. The last layer, the **head**, turns
# those into classes.


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
    losses = fit(bodies[seed], known_x, known_y, keras.optimizers.Adam(2e-3), 1 if lesson.smoke else 12, 64)
    print(f"seed {seed}: loss {losses[-1]:.2f} after two hundred characters; it began near ln 200 = {np.log(200):.2f}")

# %% [markdown]
# ## After: fifty new ones
# The body moves over, the head starts anew: it has fifty outputs now. Then three ways.
#
# * **Scratch**: the whole network from fresh weights.
# * **Frozen**: `zoo.freeze(model)`. The head learns, from features that know nothing of this alphabet.
# * **Fine-tuned**: the head first, alone, so that its first wild gradients do not shake the body. Then `zoo.unfreeze`
#   and `zoo.layerwise`: each layer at 0.7 times the learning rate of the one behind it (**layer-wise learning rate
#   decay**), for the first layers know most that is of use.
#
# Before you run it: with one drawing of each character, how much better than 1 in 50 can the three be?


# %%
def moved(seed, classes):
    """A fresh network with the body of the one that knows two hundred characters."""
    model = network(classes, seed + 100)
    for own, learned in zip(model.layers[:-1], bodies[seed].layers[:-1]):
        own.set_weights(learned.get_weights())
    return model


def train(way, seed, x, y, classes):
    if way == "scratch":
        model = network(classes, seed + 100)
        fit(model, x, y, keras.optimizers.Adam(2e-3), 2 * EPOCHS, 25)
        return model
    model = zoo.freeze(moved(seed, classes))
    fit(model, x, y, keras.optimizers.Adam(5e-3), EPOCHS, 25)
    if way == "fine-tuned":
        zoo.unfreeze(model)
        fit(model, x, y, zoo.layerwise(keras.optimizers.Adam(2e-3), model, decay=0.7), EPOCHS, 25)
    return model


def choose(y, count, seed):
    """`count` rows of each class, and all others."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(np.flatnonzero(y == label))[:count] for label in np.unique(y)])
    return rows, np.setdiff1d(np.arange(len(y)), rows)


def compare(x, y, x_test=None, y_test=None):
    """way -> accuracies (labels, seeds) on drawings without a label; "nearest" for the nearest labelled drawing."""
    found = {way: np.zeros((len(LABELS), len(lesson.seeds))) for way in (*WAYS, "nearest")}
    for row, count in enumerate(LABELS):
        for column, seed in enumerate(lesson.seeds):
            few, rest = choose(y, count, seed)
            test = (x[rest], y[rest]) if x_test is None else (x_test, y_test)
            distances = pairwise_distances(test[0].reshape(len(test[0]), -1), x[few].reshape(len(few), -1))
            found["nearest"][row, column] = np.mean(y[few][distances.argmin(1)] == test[1])
            for way in WAYS:
                model = train(way, seed, x[few], y[few], int(y.max()) + 1)
                found[way][row, column] = accuracy(model, *test)
                if way != "scratch":
                    models[way] = model
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
for count, bound in ((1, 0.05), (5, 0.03)):
    if count in LABELS:
        row = LABELS.index(count)
        gain = float((glyphs["fine-tuned"] - glyphs["scratch"])[row].min())
        baseline = {"chance": 1 / 50, **{way: each[row].mean() for way, each in glyphs.items()}}
        lesson.claim(f"fine-tuned less scratch, {count} of each, worst seed", gain, ">=", bound, baseline=baseline)

# %% [markdown]
# ## A transfer that hurts
# The same bodies, and another problem: the handwritten digits of scikit-learn. White ink on black here as there, and
# yet those are eight pixels wide, drawn by 43 real people, and ten classes are soon told apart from nothing. Features
# that were made for two hundred invented characters are in the way: the data differ too much (**domain shift**). That
# pretrained is better is not a law. It is a measurement, and the only way to know is to train from scratch as well.


# %%
def digits(split):
    """All digits of a split as images of 28 x 28, scaled as the characters were."""
    x, y = next(
        zoo.load_data(
            "digits", split=split, batch_size=2000, preprocess={"resize": (28, 28)}, scaling="none"
        ).as_numpy_iterator()
    )
    return (x - scale[0]) / scale[1], y


hurt = compare(*digits("train"), *digits("test"))
row = LABELS.index(5)
baseline = {"chance": 0.1, **{way: each[row].mean() for way, each in hurt.items()}}
gain = float((hurt["fine-tuned"] - hurt["scratch"])[row].mean())
lesson.claim("digits, 5 of each: fine-tuned less scratch, mean", gain, "<=", 0.0, baseline=baseline)

figure = new_figure(6, 3.6)
axes = figure.subplots()
for way, colour in WAYS.items():
    axes.fill_between(LABELS, hurt[way].min(1), hurt[way].max(1), color=colour, alpha=0.2, linewidth=0)
    axes.plot(LABELS, hurt[way].mean(1), marker="o", color=colour, label=way)
axes.set(
    xlabel="labelled digits of each class", ylabel="test accuracy", xticks=LABELS, title="from characters to digits"
)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "a_transfer_that_hurts")

# %% [markdown]
# ## Your own images
# With published weights of a large network the recipe is the same and the command short:
#
#     zoo train resnet50 --weights imagenet --data PHOTOS/
#
# `python benchmarks/transfer.py` measures the three ways with such weights on Fashion-MNIST.
#
# ## Try it
# * Skip the first phase: unfreeze at once. How much is lost with one drawing of each?
# * Set `decay=1.0`. And 0.3?
# * Freeze only `until="c3"`. Which of the layers carries what moves over to the digits?

# %%
lesson.finish()
