# %% [markdown]
# # 30 · Self-supervision: a teacher that needs no labels
#
# Images are cheap and labels are dear. In lesson 13 somebody else had labelled a large set; here nobody has. The network
# is asked something about the images that a program can answer: which of two thousand crops show the same image, or
# by how much an image was turned. Such a question is a **pretext task**. Nobody wants the answer. What is wanted is the
# body that had to learn something in order to give it. We take 1,257 handwritten digits without their labels, pretrain
# a LeNet-5 by **SimCLR** (Chen and others 2020, [arXiv:2002.05709](https://arxiv.org/abs/2002.05709)) and by **rotation
# prediction** (Gidaris and others 2018, [arXiv:1803.07728](https://arxiv.org/abs/1803.07728)), and then show it one,
# two and five labelled examples of each digit.
#
# **You will see** pairs of views, the loss that compares them computed by hand, accuracy against labels with and without
# pretraining, and where the digits lie in the features. Then two failures: a question that is beside the point, and a
# network that gives the same answer to everything because nothing pushes apart.
#
# **Claims** PLACEHOLDER
#
# **Beside them** chance, the nearest labelled image (1-nearest-neighbour), the untrained body.
#
# **Takes** PLACEHOLDER

# %%
import keras
import numpy as np
from lesson import Tutorial
from sklearn.metrics import pairwise_distances

import zoo
from zoo import losses
from zoo.data import open_source
from zoo.data.image.unlabelled import RotatedImages, TwoViews
from zoo.metrics.features import knn_accuracy
from zoo.metrics.retrieval import embedding_std
from zoo.plots import INK, SECOND, THIRD, new_figure
from zoo.plots.embeddings import maps
from zoo.records import Recipe

lesson = Tutorial("30_self_supervision")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
SHAPE, TEMPERATURE = (16, 16, 1), 0.1
EPOCHS = 1 if lesson.smoke else 40
LABELS = (1, 2, 5)
WAYS = {"scratch": SECOND, "rotation": THIRD, "SimCLR": INK}

# %% [markdown]
# ## Two views of one image
# Crop a piece of an image by chance, bring it back to full size and move it a little. Do it again, with other chances.
# Whoever looks at the two **views** knows that they show the same thing, without knowing what it is. A mirror is not
# among the changes: it would make something of a 2 that is no digit. Which changes leave an image what it is, is all
# that we tell the network about digits, and we have to know it.
#
# A data module of the zoo makes the views, and one the rotations of further below. The labels are in the data set, but
# no batch shows them.

# %%
digits = open_source("digits:1.0.0").load()
COMMON = dict(dataset=digits.name, epochs=EPOCHS, preprocess={"resize": SHAPE[:2]})
CHANGES = {"crop": (0.6, 1.0), "shift": 1}  # how much of the image is left, and by how many pixels it moves
views = TwoViews.adapt(zoo.info("simclr"), Recipe("views", batch_size=128, augment=CHANGES, **COMMON), digits)
turns = RotatedImages.adapt(zoo.info("rotnet"), Recipe("turns", batch_size=128, augment={"shift": 1}, **COMMON), digits)
x, y = views.labelled("train", 2000)  # for measuring, and to have a few labels
held_out = [views.labelled(split, 2000) for split in ("validation", "test")]
x_test, y_test = (np.concatenate(part) for part in zip(*held_out))

pairs, numbers = next(iter(views.batches("train", training=True).as_numpy_iterator()))
figure = new_figure(9, 2.2)
for column, axes in enumerate(figure.subplots(2, 12).T):
    for row in range(2):
        axes[row].imshow(pairs[2 * column + row, ..., 0], cmap="gray_r")
        axes[row].axis("off")
figure.suptitle("two views each of twelve digits", fontsize=10)
lesson.plot(figure, "views")

# %% [markdown]
# ## Which of the others is mine?
# A batch has $N$ images, so $2N$ views. The network makes a vector $z$ of each. Take view $i$ and the other view $j$ of
# its image. Among all other views of the batch, how easily is $j$ found? As in a softmax over $2N - 1$ classes, with
# the cosine of two vectors for the logit, divided by a **temperature** $\tau$:
#
# $$\ell_{ij} = -\log \frac{\exp(s_{ij} / \tau)}{\sum_{k \neq i} \exp(s_{ik} / \tau)}, \qquad
# s_{ik} = \frac{z_i \cdot z_k}{|z_i|\,|z_k|}$$
#
# The mean over all views is **NT-Xent** (normalised, temperature-scaled cross-entropy). The numerator pulls the two
# views of an image together, the sum pushes all others away: to learn by comparing in this way is **contrastive
# learning**. A view is not compared with itself, for it would always win. In NumPy, and beside it the zoo's own:


# %%
def nt_xent(z, numbers):
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    scores = np.exp(z @ z.T / TEMPERATURE)  # (views, views)
    np.fill_diagonal(scores, 0)  # no view is compared with itself
    mine = numbers[:, None] == numbers[None, :]
    return float(np.mean(-np.log((scores * mine).sum(1) / scores.sum(1))))


z = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
by_hand, by_the_zoo = nt_xent(z, np.arange(8) // 2), float(losses.NTXent(TEMPERATURE)(np.arange(8) // 2, z))
print(f"four pairs of random vectors: {by_hand:.5f} by hand, {by_the_zoo:.5f} by the zoo; a guess costs ln 7 = 1.946")
lesson.claim("NT-Xent by hand less the zoo's", abs(by_hand - by_the_zoo), "<=", 1e-5, exact=True)

# %% [markdown]
# ## Before: 1,257 digits, no labels
# The zoo's `simclr` is a classifier without its head (here LeNet-5, up to its 84 features $h$) and a **projection head**
# of two dense layers behind it, which gives $z$. The loss makes $z$ forget whatever differs between two views; one layer
# earlier, $h$ still has it. So it is $h$ that we keep, and the projection is thrown away.
#
# `rotnet` is the same classifier with another question: four classes, for each image in its four turns.
#
# From the command line this is `zoo train simclr --data IMAGES --option tower=lenet5`, a folder of images and no more.


# %%
def body(model):
    """From images to the 84 features before the head."""
    return keras.Model(model.input, model.get_layer("f6").output)


def pretrain(name, data, loss, seed, epochs=EPOCHS):
    keras.utils.set_random_seed(seed)
    model = zoo.build(name, tower="lenet5", input_shape=SHAPE)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * data.steps)
    jit = False if keras.config.backend() == "tensorflow" else "auto"  # XLA takes longer to compile than this takes
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=jit)
    model.fit(data.batches("train", training=True), epochs=epochs, verbose=0)
    return model


def neighbours(model):
    """The accuracy of the five nearest neighbours, by the features: what they are worth when labels come."""
    features = body(model)
    return knn_accuracy(features.predict(x, verbose=0), y, features.predict(x_test, verbose=0), y_test)


def untrained(seed):
    keras.utils.set_random_seed(seed)
    return zoo.build("lenet5", input_shape=SHAPE)


pretrained, worth = {}, {"untrained": [], "rotation": [], "SimCLR": []}
for seed in lesson.seeds:
    pretrained["SimCLR", seed] = pretrain("simclr", views, losses.NTXent(TEMPERATURE), seed)
    pretrained["rotation", seed] = pretrain("rotnet", turns, CROSS_ENTROPY, seed, max(1, EPOCHS // 2))
    worth["untrained"].append(neighbours(untrained(seed)))
    for way in ("rotation", "SimCLR"):
        worth[way].append(neighbours(pretrained[way, seed]))
    print(f"seed {seed}: nearest neighbours by " + ", ".join(f"{way} {each[-1]:.3f}" for way, each in worth.items()))

# %% [markdown]
# ## After: a few labels
# Now somebody labels one digit of each kind, or two, or five. Three networks learn from them, by the same steps: from
# scratch, from the body that answered the rotations, and from the body that compared views. What SimCLR was called
# "layer f6" moves over bit for bit; the head is new. (On the command line: `zoo train lenet5 --weights RUN`.)

# %%
BODY = ("c1", "c3", "c5", "f6")
classifier = untrained(0)
optimizer = keras.optimizers.Adam(2e-3)
classifier.compile(optimizer, CROSS_ENTROPY, jit_compile=False)


def start(way, seed):
    """The classifier, with fresh weights and the body of a pretext task, if any."""
    classifier.set_weights(untrained(seed + 100).get_weights())
    for name in BODY if way != "scratch" else ():
        classifier.get_layer(name).set_weights(pretrained[way, seed].get_layer(name).get_weights())
    for variable in optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape, "float32").astype(variable.dtype))


def labelled(count, seed):
    """The rows of `count` images of each digit."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(y == digit))[:count] for digit in range(10)])


def learn(rows, seed):
    """A hundred steps of ten images."""
    rng, steps = np.random.default_rng(seed), 2 if lesson.smoke else 100
    order = np.concatenate([rng.permutation(rows) for _ in range(1 + 10 * steps // len(rows))])
    for step in range(steps):
        few = order[10 * step : 10 * step + 10]
        classifier.train_on_batch(x[few], y[few])
    return float(np.mean(classifier.predict(x_test, verbose=0).argmax(1) == y_test))


start("SimCLR", lesson.seed)
differ = sum(
    not np.array_equal(a, b)
    for name in BODY
    for a, b in zip(
        classifier.get_layer(name).get_weights(), pretrained["SimCLR", lesson.seed].get_layer(name).get_weights()
    )
)
lesson.claim("arrays of the body that did not arrive", differ, "==", 0, exact=True)

found = {way: np.zeros((len(LABELS), len(lesson.seeds))) for way in (*WAYS, "nearest")}
for row, count in enumerate(LABELS):
    for column, seed in enumerate(lesson.seeds):
        rows = labelled(count, seed)
        distances = pairwise_distances(x_test.reshape(len(x_test), -1), x[rows].reshape(len(rows), -1))
        found["nearest"][row, column] = np.mean(y[rows][distances.argmin(1)] == y_test)
        for way in WAYS:
            start(way, seed)
            found[way][row, column] = learn(rows, seed)
    print(f"{count} of each: " + ", ".join(f"{way} {each[row].mean():.3f}" for way, each in found.items()))

figure = new_figure(9.5, 3.6)
curves, bars = figure.subplots(1, 2, width_ratios=(1.5, 1))
for way, colour in WAYS.items():
    curves.fill_between(LABELS, found[way].min(1), found[way].max(1), color=colour, alpha=0.2, linewidth=0)
    curves.plot(LABELS, found[way].mean(1), marker="o", color=colour, label=way)
curves.plot(LABELS, found["nearest"].mean(1), color="black", linestyle=":", label="nearest labelled image")
curves.set(xlabel="labelled images of each digit", ylabel="accuracy", xticks=LABELS)
curves.legend(frameon=False, fontsize=8)
for place, (way, values) in enumerate(worth.items()):
    bars.bar(place, np.mean(values), color=WAYS.get(way, "#d9a441"))
    bars.plot([place] * len(values), values, ".", color="black", markersize=4)
bars.set(xticks=range(len(worth)), xticklabels=list(worth), title="5 nearest neighbours", ylim=(0.8, 1))
for axes in (curves, bars):
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "accuracy_against_labels")

# %%
gain = float((found["SimCLR"] - found["scratch"])[0].min())
beside = {"chance": 0.1, **{way: each[0].mean() for way, each in found.items()}}
lesson.claim("SimCLR less scratch, 1 of each, worst seed", gain, ">=", 0.05, baseline=beside)

few = slice(0, 500)
untrained_body, trained_body = (body(each) for each in (untrained(lesson.seed), pretrained["SimCLR", lesson.seed]))
shown = {"untrained": untrained_body, "SimCLR": trained_body}
features = {name: model.predict(x_test[few], verbose=0) for name, model in shown.items()}
lesson.plot(maps(features, y_test[few]), "where_the_digits_lie")

# %% [markdown]
# ## Failure 1: a question beside the point
# Rotations work on photographs: to know which way up a dog stands one must know its legs. A turned 0 is a 0, a turned 1
# is a 1 that lies down, and a 6 turned twice is a 9. To be right about the turn, it helps to see which way the pen ran
# and not what was written. So the rotation's features are worth less than SimCLR's to who wants to tell digits apart,
# and less even than those of a network that has learned nothing at all.
#
# A pretext task is not good or bad by itself. It must ask about what will matter, and whoever chooses it has to know
# what that is. That is the label which self-supervision needs.

# %%
lag = float(np.max(np.subtract(worth["rotation"], worth["SimCLR"])))
beside = {way: np.mean(values) for way, values in worth.items()}
lesson.claim("nearest neighbours, rotation less SimCLR, best seed", lag, "<=", -0.01, baseline=beside)

# %% [markdown]
# ## Failure 2: nothing pushes apart
# Leave the sum out. Then all that is asked of two views is to be alike,
#
# $$L = 1 - s_{ij},$$
#
# and there is an answer that is right for all images at once: the same vector for each. The loss falls to 0, the
# training looks a success, and the embeddings have collapsed into one point (lesson 16). We measure how far they lie
# from their mean: 1 is as far as can be, 0 is one point. Everything but the loss is as it was.


# %%
class PullOnly(keras.Loss):
    """One less the cosine of the two views of each image, which stand one behind the other."""

    def call(self, y_true, y_pred):
        return 1.0 - keras.ops.sum(y_pred[::2] * y_pred[1::2], axis=1)


def spread(model):
    """How far the embeddings of held-out images lie from their mean."""
    return embedding_std(model.predict(x_test, verbose=0))


stds = {"with negatives": [], "without": []}
for seed in lesson.seeds:
    collapsed = pretrain("simclr", views, PullOnly(), seed, max(1, EPOCHS // 4))
    stds["with negatives"].append(spread(pretrained["SimCLR", seed]))
    stds["without"].append(spread(collapsed))
    print(f"seed {seed}: std {stds['with negatives'][-1]:.3f} with negatives, {stds['without'][-1]:.3f} without")
beside = {name: np.mean(values) for name, values in stds.items()}
lesson.claim("std of the embeddings without negatives, worst seed", max(stds["without"]), "<=", 0.1, baseline=beside)

figure = new_figure(8, 3.2)
z = {"with negatives": pretrained["SimCLR", lesson.seeds[-1]], "without": collapsed}
for axes, (name, model) in zip(figure.subplots(1, 2, sharey=True), z.items()):
    embeddings = model.predict(x_test[few], verbose=0)
    cosines = (embeddings @ embeddings.T)[np.triu_indices(len(embeddings), 1)]
    axes.hist(cosines, np.linspace(-1, 1, 41), color=INK if name != "without" else SECOND)
    axes.set(xlabel="cosine of two different images", title=name, yticks=[])
    axes.spines[["top", "right", "left"]].set_visible(False)
lesson.plot(figure, "collapse")

# %% [markdown]
# ## Try it
# * Make the crops smaller, `"crop": (0.1, 0.4)`. The pretext task gets harder; do the features get better?
# * Set `TEMPERATURE = 1.0`. How much is the gain with one label worth then?
# * Let the views be mirrored, `"flip": True` among the `CHANGES`. What is lost?
#
# <details><summary>Solution</summary>
#
# PLACEHOLDER
#
# </details>

# %%
lesson.finish()
