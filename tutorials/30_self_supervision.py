# %% [markdown]
# # 30 · Self-supervision: a teacher that needs no labels
#
# Images are cheap and labels cost work. In lesson 13 somebody else had labelled a large set; here nobody has. The
# network is asked something about the images that a program can answer: which two of five hundred crops show the same
# image, or by how much an image was turned. Such a question is a **pretext task**. Nobody wants the answer. What we
# want is the body that had to learn something in order to give it. We take four thousand drawings of characters
# without saying which is which, and pretrain a LeNet-5 by **SimCLR** (Chen and others 2020,
# [arXiv:2002.05709](https://arxiv.org/abs/2002.05709)) and by **rotation prediction** (Gidaris and others 2018,
# [arXiv:1803.07728](https://arxiv.org/abs/1803.07728)). Then it meets a new alphabet of fifty characters, with one or
# with five labelled drawings of each.
#
# **You will see** pairs of views, the loss that compares them computed by hand, the accuracy with few labels with and
# without pretraining, and where new characters lie in the features. Then two failures: a question that has no answer,
# and a network that gives the same answer to everything, because nothing pushes the images apart.
#
# **Claims** In the worst of three seeds, with one labelled drawing of each new character: the nearest neighbours by
# SimCLR's features are at least ten points better than a network trained from scratch, and than the nearest neighbours
# by pixels. (A point is .01 of the accuracy.) With five, fine-tuning from SimCLR is at least three points better than
# from scratch. About the turns of new characters the rotation's network is no better than a guess, and the neighbours
# in its features are at least ten points behind those in SimCLR's. Without the images that push each other apart, all
# embeddings become one point.
#
# **Beside them** chance, the nearest labelled drawing by its pixels, the untrained body.
#
# **Takes** 2.1 minutes on one core (AMD EPYC).

# %%
import keras
import numpy as np
from lesson import Tutorial
from sklearn.metrics import pairwise_distances

import zoo
from zoo import losses
from zoo.data import open_source
from zoo.data.image.unlabelled import RotatedImages, TwoViews
from zoo.metrics.retrieval import embedding_std
from zoo.plots import INK, SECOND, THIRD, new_figure
from zoo.plots.embeddings import maps
from zoo.records import Recipe

lesson = Tutorial("30_self_supervision")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
SHAPE, TEMPERATURE = (16, 16, 1), 0.1
EPOCHS = 1 if lesson.smoke else 24
LABELS = (1, 5)
UNTRAINED = "#d9a441"
WAYS = {"scratch": UNTRAINED, "rotation": SECOND, "SimCLR": INK}

# %% [markdown]
# ## A drawing, cropped and cropped again
# Crop a piece of an image at random, bring it back to full size and move it a little. Do it again, with other random
# numbers. Whoever looks at the **two views** knows that they show the same thing, without knowing what it is. We do not
# mirror the image, for a mirrored character is another one. Which changes leave a character what it is: that is all we
# tell the network about characters, and we have to know it.
#
# `TwoViews` makes the views, and `RotatedImages` the turned images of further below. The data set has labels, but no
# batch shows them.

# %%
glyphs = open_source("glyphs:1.0.0").load()
COMMON = dict(dataset=glyphs.name, epochs=EPOCHS, preprocess={"resize": SHAPE[:2]})
CHANGES = {"crop": (0.6, 1.0), "shift": 1}  # the part of the area that is left, the pixels that it moves at most
views = TwoViews.adapt(zoo.info("simclr"), Recipe("views", batch_size=250, augment=CHANGES, **COMMON), glyphs)
turns = RotatedImages.adapt(zoo.info("rotnet"), Recipe("turns", batch_size=125, augment={"shift": 1}, **COMMON), glyphs)
x, y = views.labelled("test", 1000)  # the new alphabet, 20 drawings of each character
y = y - y.min()

pairs, numbers = next(iter(views.batches("train", training=True).as_numpy_iterator()))
figure = new_figure(9, 2.2)
for column, axes in enumerate(figure.subplots(2, 12).T):
    for row in range(2):
        axes[row].imshow(pairs[2 * column + row, ..., 0], cmap="gray_r")
        axes[row].axis("off")
figure.suptitle("two views each of twelve drawings", fontsize=10)
lesson.plot(figure, "views")

# %% [markdown]
# ## Which of the others is mine?
# A batch has $N$ images, so $2N$ views. The network makes a vector $z$ of each. Take view $i$ and the other view $j$ of
# its image. Among all other views of the batch, how easily is $j$ found? We take the cross-entropy of a softmax over
# these $2N - 1$ views. The logit of each is the cosine of the two vectors, divided by a small number $\tau$, the
# temperature (as in lesson 06):
#
# $$\ell_{ij} = -\log \frac{\exp(s_{ij} / \tau)}{\sum_{k \neq i} \exp(s_{ik} / \tau)}, \qquad
# s_{ik} = \frac{z_i \cdot z_k}{|z_i|\,|z_k|}$$
#
# The mean over all views is **NT-Xent** (normalised, temperature-scaled cross-entropy). The numerator pulls the two
# views of an image together. The sum pushes the views of all other images away; these are the negatives (lesson 16). To
# learn by comparing in this way is **contrastive learning**. A view is not compared with itself, for it would always
# win. Here is the loss in NumPy, and beside it the zoo's own:


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
# ## Before: four thousand drawings, no labels
# The zoo's `simclr` is a classifier without its head (here LeNet-5, up to its 84 features $h$) and a **projection
# head** of two dense layers behind it, which gives $z$. The loss makes $z$ forget whatever differs between two views;
# before the projection, $h$ still has some of it (Chen and others 2020, section 4.2). So it is $h$ that we keep, and
# the projection is thrown away.
#
# `rotnet` is the same classifier with another question: each image is shown in its four turns (0, 90, 180 and 270
# degrees), and there are four classes, one for each. It gets as many steps as SimCLR, with as many images in each.
#
# From the command line this is `zoo train simclr --data IMAGES --option tower=lenet5`, with a folder of images and
# no labels.


# %%
def pretrain(name, data, loss, seed, epochs=EPOCHS):
    keras.utils.set_random_seed(seed)
    model = zoo.build(name, tower="lenet5", input_shape=SHAPE)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * data.steps)
    jit = False if keras.config.backend() == "tensorflow" else "auto"  # XLA takes longer to compile than this takes
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=jit)
    batches = data.batches("train", training=True)  # which are shuffled already
    history = model.fit(batches, epochs=epochs, verbose=0, shuffle=False).history["loss"]
    print(f"seed {seed}, {name}: the loss went from {history[0]:.3f} to {history[-1]:.3f}")
    return model


pretrained = {}
for seed in lesson.seeds:
    pretrained["SimCLR", seed] = pretrain("simclr", views, losses.NTXent(TEMPERATURE), seed)
    # half the epochs, of twice as many steps each: 125 images in four turns, where SimCLR has 250 in two views
    pretrained["rotation", seed] = pretrain("rotnet", turns, CROSS_ENTROPY, seed, max(1, EPOCHS // 2))

# %% [markdown]
# ## After: a new alphabet, and few labels
# Now somebody labels one drawing of each of fifty new characters, or five. The body is copied weight by weight, and the
# head is new. (From the command line: `zoo train lenet5 --weights RUN --data CHARACTERS`.) We use it in two ways:
#
# * **by neighbours**: nothing more is trained. Each drawing gets the class of the labelled one whose features make the
#   smallest angle with its own. That shows what the features are worth by themselves.
# * **fine-tuned** (lesson 13): the whole network learns from the labelled drawings, as it does from scratch.
#
# Before you run it: with one labelled drawing of each of 50 characters, is it better to fine-tune, or not to train?

# %%
BODY = ("c1", "c3", "c5", "f6")
ALPHABET = int(y.max()) + 1


def fresh(seed):
    keras.utils.set_random_seed(seed + 100)
    return zoo.build("lenet5", input_shape=SHAPE, num_classes=ALPHABET)


classifier = fresh(0)
features = keras.Model(classifier.input, classifier.get_layer("f6").output)  # shares its layers
optimizer = keras.optimizers.Adam(1e-3)
classifier.compile(optimizer, CROSS_ENTROPY, jit_compile=False)


def start(way, seed):
    """The classifier as it is before its first label: fresh, and with the body of a pretext task, if any."""
    classifier.set_weights(fresh(seed).get_weights())
    for name in BODY if way != "scratch" else ():
        classifier.get_layer(name).set_weights(pretrained[way, seed].get_layer(name).get_weights())
    for variable in optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape).astype(variable.dtype))


def labelled(count, seed):
    """The rows of `count` drawings of each character, and all others."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(np.flatnonzero(y == each))[:count] for each in range(ALPHABET)])
    return rows, np.setdiff1d(np.arange(len(y)), rows)


def by_neighbours(vectors, rows, rest):
    """The accuracy of the class of the nearest labelled drawing, by the cosine."""
    return float(np.mean(y[rows][pairwise_distances(vectors[rest], vectors[rows], "cosine").argmin(1)] == y[rest]))


def fine_tuned(rows, rest, seed):
    """The accuracy after 200 steps of 25 drawings."""
    rng, steps = np.random.default_rng(seed), 2 if lesson.smoke else 200
    order = np.concatenate([rng.permutation(rows) for _ in range(1 + 25 * steps // len(rows))])
    for step in range(steps):
        few = order[25 * step : 25 * step + 25]
        classifier.train_on_batch(x[few], y[few])
    return float(np.mean(classifier.predict_on_batch(x[rest]).argmax(1) == y[rest]))


start("SimCLR", lesson.seed)
differ = sum(
    not np.array_equal(a, b)
    for name in BODY
    for a, b in zip(
        classifier.get_layer(name).get_weights(), pretrained["SimCLR", lesson.seed].get_layer(name).get_weights()
    )
)
lesson.claim("arrays of the body that did not arrive", differ, "==", 0, exact=True)

tuned = {way: np.zeros((len(LABELS), len(lesson.seeds))) for way in WAYS}
near = {way: np.zeros((len(LABELS), len(lesson.seeds))) for way in ("pixels", *WAYS)}
bent = np.zeros((len(LABELS), len(lesson.seeds)))  # by neighbours in SimCLR's features after they were fine-tuned
for row, count in enumerate(LABELS):
    for column, seed in enumerate(lesson.seeds):
        rows, rest = labelled(count, seed)
        near["pixels"][row, column] = by_neighbours(x.reshape(len(x), -1), rows, rest)
        for way in WAYS:
            start(way, seed)
            near[way][row, column] = by_neighbours(features.predict_on_batch(x), rows, rest)
            tuned[way][row, column] = fine_tuned(rows, rest, seed)
        bent[row, column] = by_neighbours(features.predict_on_batch(x), rows, rest)  # the last way was SimCLR
    for title, results in (("by neighbours", near), ("fine-tuned", tuned)):
        means = ", ".join(f"{way} {each[row].mean():.3f}" for way, each in results.items())
        print(f"{count} of each, {title}: {means}")
    print(f"{count} of each, by neighbours after SimCLR was fine-tuned: {bent[row].mean():.3f}")

figure = new_figure(9.5, 3.4)
together = {"by neighbours": near, "fine-tuned": tuned}
for axes, (title, results) in zip(figure.subplots(1, 2, sharey=True), together.items()):
    for place, (way, values) in enumerate(results.items()):
        for row, count in enumerate(LABELS):
            at = place + 0.4 * row - 0.2
            axes.bar(at, values[row].mean(), 0.36, color=WAYS.get(way, THIRD), alpha=0.5 + 0.5 * row)
            axes.plot([at] * len(lesson.seeds), values[row], ".", color="black", markersize=4)
    names = ["untrained" if way == "scratch" and results is near else way for way in results]
    axes.set(xticks=range(len(results)), xticklabels=names, title=f"{title}: 1 label (pale), 5 labels", ylim=(0, 0.8))
    axes.spines[["top", "right"]].set_visible(False)
figure.axes[0].set_ylabel("accuracy (dots: seeds)")
lesson.plot(figure, "accuracy_with_few_labels")

# %% [markdown]
# The pretrained body does better where it is left alone. Two hundred steps on fifty drawings bend its features towards
# these fifty, and part of what four thousand others had taught is lost: the last line for each number of labels asks
# for the neighbours once more, in the features that were fine-tuned, and they are worse than before. (This is
# **catastrophic forgetting**, lesson 13.) Even so, fine-tuning is better than starting from scratch, by some points
# with one label and by more with five. On these characters the neighbours stay ahead of both. Which way to take is a
# question for a validation set.

# %%
beside = {"chance": 1 / ALPHABET, **{way: each[0].mean() for way, each in near.items() if way != "scratch"}}
beside |= {"untrained": near["scratch"][0].mean(), "trained from scratch": tuned["scratch"][0].mean()}
gain = float((near["SimCLR"] - tuned["scratch"])[0].min())
lesson.claim("1 of each: SimCLR's neighbours less scratch, worst seed", gain, ">=", 0.1, baseline=beside)
gain = float((near["SimCLR"] - near["pixels"])[0].min())
lesson.claim("1 of each: SimCLR's neighbours less the pixels', worst seed", gain, ">=", 0.1, baseline=beside)
gain = float((tuned["SimCLR"] - tuned["scratch"])[1].min())
beside_5 = {way: each[1].mean() for way, each in tuned.items()}
lesson.claim("5 of each: fine-tuned, SimCLR less scratch, worst seed", gain, ">=", 0.03, baseline=beside_5)

some = y < 10
shown = {"untrained": "scratch", "SimCLR": "SimCLR"}
vectors = {}
for name, way in shown.items():
    start(way, lesson.seed)
    vectors[name] = features.predict_on_batch(x[some])
lesson.plot(maps(vectors, y[some]), "where_new_characters_lie")

# %% [markdown]
# The figure shows the drawings of ten new characters, a colour for each: above by PCA, below by t-SNE (lesson 16). With
# SimCLR's features the drawings of one character lie closer together, although no character had a name in training.
#
# ## Failure 1: a question that has no answer
# Rotations work on photographs: to know which way up a dog stands, one must know its legs. But these characters are
# invented by a program, and their strokes start anywhere and run anywhere. Who can tell which way up they stand? The
# loss stays near ln 4 = 1.386, which is a guess among four. The little that it gains, it gains by heart: it is right
# more often than a guess about the characters of the training set, and no better than a guess about new ones. Here new
# ones are those of the test set and of the validation set, a hundred in all.

# %%
def right_about(seed, *splits):
    """The accuracy of the rotation's network on the turns of all images of some splits."""
    network = pretrained["rotation", seed]
    batches = [batch for split in splits for batch in turns.batches(split).as_numpy_iterator()]
    return float(np.mean(np.concatenate([network.predict_on_batch(x).argmax(1) == turn for x, turn in batches])))


known = [right_about(seed, "train") for seed in lesson.seeds]
new = [right_about(seed, "validation", "test") for seed in lesson.seeds]
print(f"right about the turn, each seed: known characters {np.round(known, 3)}, new ones {np.round(new, 3)}")
beside_turns = {"chance": 0.25, "characters it was trained on": np.mean(known)}
lesson.claim("turns of new characters, best seed", max(new), "<=", 0.3, baseline=beside_turns)
lag = float((near["rotation"] - near["SimCLR"])[0].max())
lesson.claim("1 of each: neighbours, rotation less SimCLR, best seed", lag, "<=", -0.1, baseline=beside)

# %% [markdown]
# What is learned by heart is not worthless. By neighbours, rotation is better than the untrained body, though no better
# than the pixels. Fine-tuned with five labels it is better than from scratch and close to SimCLR. (Look at the figure
# of the accuracies again.) Perhaps one needs features of strokes to know two hundred characters by heart. But nothing
# said which drawings show the same character, and that is what the neighbours need.
#
# So a pretext task is not good or bad by itself. To solve it, the network must have to learn what will matter later.
# Whoever chooses the task has to know that much about the images.
#
# ## Failure 2: nothing pushes apart
# Leave the sum out, and with it the negatives. Then all that is asked of two views is to be alike,
#
# $$L = 1 - s_{ij},$$
#
# and one answer is right for all images at once: the same vector for each. The loss falls to 0, the training looks like
# a success, and the embeddings have collapsed into one point (**embedding collapse**, lesson 16). We measure how far
# they lie from their mean, by the root of the mean square: 1 is as far as can be, 0 is one point. Only the loss is
# changed; four epochs are enough.


# %%
class PullOnly(keras.Loss):
    """1 less the cosine of the two views of each image, which stand one behind the other and have length 1."""

    def call(self, y_true, y_pred):
        return 1.0 - keras.ops.sum(y_pred[::2] * y_pred[1::2], axis=1)


def spread(model):
    """How far the embeddings of new characters lie from their mean."""
    return embedding_std(model.predict_on_batch(x))


stds = {"untrained": [], "with negatives": [], "without": []}
for seed in lesson.seeds:
    keras.utils.set_random_seed(seed)
    stds["untrained"].append(spread(zoo.build("simclr", tower="lenet5", input_shape=SHAPE)))
    collapsed = pretrain("simclr", views, PullOnly(), seed, max(1, EPOCHS // 6))
    stds["with negatives"].append(spread(pretrained["SimCLR", seed]))
    stds["without"].append(spread(collapsed))
    print(f"seed {seed}: std " + ", ".join(f"{name} {values[-1]:.3f}" for name, values in stds.items()))
beside = {name: np.mean(values) for name, values in stds.items()}
lesson.claim("std of the embeddings without negatives, worst seed", max(stds["without"]), "<=", 0.1, baseline=beside)

figure = new_figure(8, 3.2)
both = {"with negatives": pretrained["SimCLR", lesson.seeds[-1]], "without": collapsed}
for axes, (name, model) in zip(figure.subplots(1, 2, sharey=True), both.items()):
    embeddings = model.predict_on_batch(x[some])
    cosines = (embeddings @ embeddings.T)[np.triu_indices(len(embeddings), 1)]
    axes.hist(cosines, np.linspace(-1, 1, 41), color=INK if name != "without" else SECOND)
    axes.set(xlabel="cosine of two different images", title=name, yticks=[], xticks=(-1, 0, 1))
    axes.spines[["top", "right", "left"]].set_visible(False)
lesson.plot(figure, "collapse")

# %% [markdown]
# Negatives are not the only remedy. BYOL (Grill and others 2020, [arXiv:2006.07733](https://arxiv.org/abs/2006.07733))
# and SimSiam (Chen and He 2021, [arXiv:2011.10566](https://arxiv.org/abs/2011.10566)) have none. They treat the two
# views differently: one goes through a further small network, and no gradient flows through the other.
#
# ## Try it
# * What does NT-Xent cost a network whose embeddings are all one point, in a batch of $N$ images? Try
#   `nt_xent(np.ones((8, 3)), np.arange(8) // 2)`. Why does it not collapse, then?
# * And what does a batch of one image cost, two views and no others? What does a network learn from it?
# * `zoo train rotnet --epochs 1` asks about the turns of scikit-learn's handwritten digits. Are they guessed as well?
#   Compare `knn_accuracy` in its `metrics.json` with the baselines there.
#
# <details><summary>Solution</summary>
#
# * All $2N - 1$ other views are equally near, so it costs $\ln(2N - 1)$: 1.946 for four pairs, which is what a guess
#   costs. Where pairs are closer to each other than to the rest, the loss is smaller, so one point is no resting place.
# * Nothing: the only other view is the right one, $-\ln 1 = 0$, whatever the embeddings are. The gradient is 0 and
#   nothing is learned. The fewer images a batch has, the easier the question is; so batches are large.
# * No: after one epoch 65 % of the turns are right (seed 0), for people write upright. And yet, going by the five
#   nearest neighbours, 81 % of the digits are right by its features, 88 % by those of the untrained network, and 97 %
#   by the pixels. This question has an answer, and yet finding it did not teach what tells the digits apart.
#
# </details>

# %%
lesson.finish()
