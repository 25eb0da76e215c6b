# %% [markdown]
# # 16 · Face verification: networks that compare
#
# A door that knows ten people must not be trained anew when the eleventh is hired. One image has to do. So the network
# does not learn *who* somebody is. It learns a distance (**metric learning**): small between two images of one person,
# large between images of two. Whoever comes later is compared, not classified. To say whether two images show one
# person is **verification**; that one image of a person is enough is **one-shot learning**.
#
# Faces need a download, so the lesson writes its own "people": 300 invented characters, drawn twenty times each by an
# unsteady hand. 200 are the training set, 50 the validation set, which serves to choose a threshold, and 50 that no
# network has seen the test set.
#
# **You will see** the triplet loss and four ways to choose triplets, three heads that decide "same or different", and
# three failures: triplets so hard that everything becomes one point (**embedding collapse**), a margin with the wrong
# sign, and too few people to learn from.
#
# **Claims** On unseen characters the nearest image is of the same character at least 85 times in a hundred, where raw
# pixels manage less than 70. The hardest triplets end in a loss that is the margin, and in one point; with semi-hard
# ones the same network learns. With a margin below zero a network that sees nothing has the loss 0. With five
# characters to learn from it does worse than raw pixels. The accuracy of each of the three heads on pairs is at least
# .04 above that of raw pixels.
#
# **Beside them** chance, raw pixels, and the network before it has learned anything.
#
# **Takes** 3 minutes on one core (AMD EPYC). `--data full` trains on Omniglot, which needs a download. To read on:
# Schroff and others 2015 (FaceNet), [arXiv:1503.03832](https://arxiv.org/abs/1503.03832).

# %%
import keras
import numpy as np
from keras import ops
from lesson import Tutorial

import zoo
from zoo import losses
from zoo.data.image.identities import identity_rows
from zoo.metrics.retrieval import best_threshold, embedding_std, euclidean, neighbours, pairs, retrieval, verification
from zoo.models.siamese import DIFFERENCES
from zoo.plots import INK, SECOND, THIRD, embeddings, new_figure
from zoo.tasks.metric_learning import encoder_of

lesson = Tutorial("16_face_verification", full_data="omniglot")
PER_CLASS, BATCH = 4, 64  # 16 characters, 4 images of each
EPOCHS, FEW, STEPS = (1, 1, 3) if lesson.smoke else (10, 5, 4000 // BATCH)
TOWER = {"tower": "resnet20", "tower_options": {"blocks": (1, 1, 1), "width": 8}}
# XLA, which Keras asks of TensorFlow, takes longer to compile than it saves in trainings this short.
COMPILE = {"jit_compile": False if keras.config.backend() == "tensorflow" else "auto"}

# %% [markdown]
# ## The characters
# Each row is one character. You have never seen them, and still you could sort them. That is what we want.


# %%
def load(split):
    return next(zoo.load_data("glyphs", split=split, batch_size=5000).as_numpy_iterator())


(x, y), (x_known, y_known), (x_new, y_new) = (load(split) for split in ("train", "validation", "test"))
figure = new_figure(6.4, 4.2)
for row, label in zip(figure.subplots(5, 8), np.unique(y_new)):
    for axes, image in zip(row, x_new[y_new == label]):
        axes.imshow(image[..., 0], cmap="gray_r")
        axes.axis("off")
lesson.plot(figure, "characters")
shared = len(set(y) & set(y_new)) + len(set(y) & set(y_known)) + len(set(y_known) & set(y_new))
lesson.claim("characters that two splits share", shared, "==", 0, exact=True)

# %% [markdown]
# ## The loss
# A network $f$, the encoder, turns an image into a point, its **embedding**: a vector, scaled to length 1
# (**L2 normalisation**). The distance is the squared Euclidean one, $d(A, B) = |f(A) - f(B)|^2$. To ask only that
# images of one person be close is not enough: put everybody onto one point, and they are. So we look at three images, a
# **triplet**: an **anchor example** $A$, a **positive example** $P$ of the same person, a **negative example** $N$
# of another. We ask for
#
# $$d(A, P) + \alpha \le d(A, N),$$
#
# and the **triplet loss** is what is missing,
#
# $$L = \max\bigl(d(A, P) - d(A, N) + \alpha,\; 0\bigr), \qquad \alpha > 0.$$
#
# The **margin of the loss**, $\alpha$, is what makes the trivial answer costly. With all points in one place both
# distances are 0 and the loss is $\alpha$. With a slip of the sign, a margin below 0, the trivial answer costs nothing.

# %%
one_point = np.ones((6, 2), "float32") / np.sqrt(2)
people = np.array([0, 0, 1, 1, 2, 2])
loss = losses.Triplet(margin=0.2)
lesson.claim(
    "loss of one point for everybody, margin .2", float(loss(people, one_point)), "==", np.float32(0.2), exact=True
)
wrong_sign = losses.Triplet(margin=0.2)
wrong_sign.margin = -0.2  # behind its back: the class refuses such a margin
lesson.claim("the same with -.2", float(wrong_sign(people, one_point)), "==", 0, exact=True)
by_hand = np.array([[[0.0], [1.0], [2.0]]], "float32")  # d(A, P) = 1, d(A, N) = 4
given = float(losses.ExplicitTriplet(margin=4.0)(np.zeros(1), by_hand))
lesson.claim("anchor 0, positive 1, negative 2, margin 4", given, "==", 1 - 4 + 4, exact=True)

# %% [markdown]
# ## Before learning
# Search for each new image among all other new images (**retrieval**). **Recall@1** is how often the nearest one is of
# the same character. Pixels can be compared as they are; so can the points of a network that has learned nothing yet.


# %%
def network(name="siamese", seed=lesson.seed, **options):
    keras.utils.set_random_seed(seed)
    return zoo.build(name, input_shape=(28, 28, 1), dimensions=64, **{**TOWER, **options})


pixels = x_new.reshape(len(x_new), -1)
raw = retrieval(pixels, y_new)["recall@1"]
untrained = encoder_of(network()).embed(x_new)
before = retrieval(untrained, y_new)["recall@1"]
chance = 19 / 999
print(f"recall@1 on 50 unseen characters: raw pixels {raw:.3f}, untrained network {before:.3f}, chance {chance:.3f}")
beside = {"chance": chance, "raw pixels": raw, "untrained": before}

# %% [markdown]
# ## Learning
# Triplets are found inside the batch (**online mining**), so a batch must hold several people and several images of
# each: here 16 characters and 4 drawings of each ("P x K"). There are far more triplets than images, and most of them
# soon teach nothing: the negative is far away already. With $n$ running over the negatives of the batch,
#
# * **hard mining** takes for each anchor the farthest positive, $\max_p d(A, p)$, and the nearest negative,
#   $\min_n d(A, n)$ (Hermans and others 2017, [arXiv:1703.07737](https://arxiv.org/abs/1703.07737));
# * **semi-hard mining** takes for each pair $A, P$ the nearest of the negatives that are farther than the positive:
#   $\min_n d(A, n)$ where $d(A, n) > d(A, P)$ (FaceNet, section 3.2).


# %%
def train(loss, *, seed=lesson.seed, classes=200, epochs=EPOCHS, rate=3e-3, **options):
    """A network after so many epochs, its losses, and after each epoch the std of the unseen embeddings."""
    model = network(seed=seed, **options)
    chosen = np.flatnonzero(y < classes)
    at_once = min(BATCH // PER_CLASS, classes)
    rows = identity_rows(y[chosen], classes=at_once, per_class=PER_CLASS, batches=STEPS, seed=seed)
    schedule = keras.optimizers.schedules.CosineDecay(rate, STEPS * epochs)
    model.compile(keras.optimizers.Adam(schedule), loss, **COMPILE)
    history, stds = [], [embedding_std(encoder_of(model).embed(x_new))]
    for _ in range(epochs):
        order = chosen[np.concatenate(list(rows.as_numpy_iterator()))]  # the rows of another P x K draw
        fitted = model.fit(x[order], y[order], batch_size=at_once * PER_CLASS, shuffle=False, verbose=0)
        history += fitted.history["loss"]
        stds.append(embedding_std(encoder_of(model).embed(x_new)))
    return model, history, stds


def recall(model, decimals=6):
    return retrieval(encoder_of(model).embed(x_new).round(decimals), y_new)["recall@1"]


runs = {seed: train(losses.Triplet(mining="semi_hard"), seed=seed) for seed in lesson.seeds}
found = [recall(model) for model, _, _ in runs.values()]
print("semi-hard triplets, recall@1 for each seed: " + ", ".join(f"{value:.3f}" for value in found))
lesson.claim("recall@1 of raw pixels", raw, "<=", 0.70, baseline={"chance": chance}, exact=True)
lesson.claim("recall@1, worst seed", min(found), ">=", 0.85, baseline=beside)

# %% [markdown]
# Left of each row an image that is looked for, then what was found; a red frame is a mistake. The second figure draws
# the embeddings of ten characters in a plane, a colour for each, before and after training: above along the two
# directions in which they differ most (**principal component analysis**, PCA), below by **t-SNE** (van der Maaten and
# Hinton 2008), which puts near together what is near and says little of what is far.

# %%
model, history, stds = runs[lesson.seed]
trained = encoder_of(model).embed(x_new)
queries = np.random.default_rng(lesson.seed).permutation(len(y_new))[:8]
ranked = neighbours(trained, queries)[:, :7]
shown = x_new[np.concatenate([queries[:, None], ranked], axis=1)]
lesson.plot(embeddings.nearest(shown, y_new[ranked] == y_new[queries, None]), "neighbours")
lesson.plot(embeddings.maps({"untrained": untrained, "trained": trained}, y_new), "map")

# %% [markdown]
# ## Which triplets?
# Random ones, all that still cost something, semi-hard ones; and a loss that asks for the right one among all others at
# once, **N-pair** (Sohn 2016), or **InfoNCE** (van den Oord and others 2018,
# [arXiv:1807.03748](https://arxiv.org/abs/1807.03748)): the cross-entropy of a softmax over the similarities,
#
# $$L = -\log \frac{e^{f(A) \cdot f(P) / \tau}}{e^{f(A) \cdot f(P) / \tau} + \sum_n e^{f(A) \cdot f(n) / \tau}},$$
#
# where $\tau$ is a small number that makes the softmax sharper. All of them learn; compare them with raw pixels, above.
# Half the epochs, one seed: a tendency, no claim.

# %%
few = {}
for name in ("triplet_random", "triplet_all", "triplet_semi_hard", "n_pair"):
    few[name] = train(losses.get(name), epochs=FEW)
    print(f"{name:>18}: recall@1 {recall(few[name][0]):.3f}")

# %% [markdown]
# ## Failure 1: the hardest triplets. Failure 2: the wrong sign
# If semi-hard is good, is hardest better? At the start the nearest negative is *nearer* than the farthest positive. The
# quickest way to make such triplets cheaper is to pull everything together, down to one point, where each costs exactly
# the margin. There the distances are so small that their gradients are too, and it stays: the network has collapsed.
# The loss looks like one that "does not learn yet". What tells is the standard deviation of the embeddings, their root
# mean square distance from their mean.
#
# To see what is to blame we change the mining alone: the same LeNet-5, the same batches, learning rate and seed, once
# with the hardest triplets, once with semi-hard ones. Recall@1 by itself is no good witness. It asks for the order of
# the distances, and an order is left among points that differ in the third decimal. So we ask again with the embeddings
# rounded to one decimal: of an honest embedding hardly anything is lost.
#
# And with a margin below 0 the loss is 0 as soon as the right order is there, or no order at all.

# %%
COLLAPSING = {"tower": "lenet5", "tower_options": {}, "rate": 1e-2}
hard, hard_losses, hard_stds = train(losses.Triplet(mining="hard"), epochs=FEW, **COLLAPSING)
cured, cured_losses, cured_stds = train(losses.Triplet(mining="semi_hard"), epochs=FEW, **COLLAPSING)
negative = losses.Triplet(mining="semi_hard")
negative.margin = -0.2
wrong, wrong_losses, wrong_stds = train(negative, epochs=FEW)

figure = new_figure(10, 3.6)
left, right = figure.subplots(1, 2)
lines = {
    "LeNet-5, semi-hard": (cured_losses, cured_stds, INK),
    "LeNet-5, hardest": (hard_losses, hard_stds, SECOND),
    "margin -.2": (wrong_losses, wrong_stds, THIRD),
}
for name, (losses_of, stds_of, colour) in lines.items():
    left.plot(range(1, len(losses_of) + 1), losses_of, marker="o", color=colour, label=name)
    right.plot(range(len(stds_of)), stds_of, marker="o", color=colour, label=name)
left.axhline(0.2, color="black", linestyle=":", linewidth=1, label="the margin")
left.set(xlabel="epoch", ylabel="training loss", title="which of these is in trouble?")
right.set(
    xlabel="epoch", ylabel="std of unseen embeddings", yscale="log", title="the one whose embeddings are one point"
)
left.set(xticks=range(1, FEW + 1))
left.legend(frameon=False, fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.92))
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "collapse")

collapsed, rounded = recall(hard, decimals=1), recall(cured, decimals=1)
print(
    f"recall@1: hardest {recall(hard):.3f}, the same with semi-hard {recall(cured):.3f}, margin -.2 {recall(wrong):.3f}"
)
print(f"recall@1 at one decimal: hardest {collapsed:.3f}, semi-hard {rounded:.3f}, chance {chance:.3f}")
lesson.claim(
    "hardest triplets: |loss - margin| at the end",
    abs(hard_losses[-1] - 0.2),
    "<=",
    1e-3,
    baseline={"semi-hard": abs(cured_losses[-1] - 0.2)},
)
lesson.claim("hardest triplets: standard deviation", hard_stds[-1], "<=", 0.01, baseline={"semi-hard": cured_stds[-1]})
beside_it = {"semi-hard": rounded, "chance": chance}
lesson.claim("hardest triplets: recall@1 at one decimal", collapsed, "<=", 0.10, baseline=beside_it)
lesson.claim("margin -.2: loss at the end", wrong_losses[-1], "<=", 0.02, baseline={"semi-hard": history[-1]})
lesson.claim("margin -.2: recall@1", recall(wrong), "<=", raw, baseline=beside)

# %% [markdown]
# `zoo train` watches this standard deviation after each epoch and says so in one line if everything has become one
# point.
#
# ## Failure 3: too few people
# The loss falls to nothing with five characters too. What was learned is what tells *these five* apart: the network
# overfits, and does not generalise to new characters.

# %%
COUNTS = (5, 200) if lesson.smoke else (5, 20, 60, 200)
by_count = {count: train(losses.Triplet(mining="semi_hard"), classes=count, epochs=FEW) for count in COUNTS[:-1]}
by_count[200] = few["triplet_semi_hard"]
recalls = [recall(fitted) for fitted, _, _ in by_count.values()]
for (count, (_, last, _)), value in zip(by_count.items(), recalls):
    print(f"{count:>4} characters to learn from: training loss {last[-1]:.4f}, recall@1 on unseen ones {value:.3f}")
figure = new_figure(5.6, 3.6)
axes = figure.subplots()
axes.plot(COUNTS, recalls, marker="o", color=INK, label="recall@1 on unseen characters")
axes.axhline(raw, color=SECOND, linestyle="--", linewidth=1, label="raw pixels")
axes.set(xscale="log", xlabel="characters in the training set", ylim=(0, 1), xticks=COUNTS, xticklabels=COUNTS)
axes.minorticks_off()
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "how_many_people")
lesson.claim("recall@1 after five characters", recalls[0], "<=", raw, baseline=beside)

# %% [markdown]
# ## Same or different: three heads
# A door needs a yes or a no. `siamese_pairs` sends two images through one tower (the encoder again; to use it twice,
# with the same weights, makes a **siamese network**, Bromley and others 1993) and puts a head on the two embeddings $f$
# and $f'$:
#
# * `absolute`: a sigmoid of $b + \sum_k w_k |f_k - f'_k|$;
# * `chi_square`: the same with $(f_k - f'_k)^2 / (|f_k| + |f'_k|)$;
# * `distance`: $d = |f - f'|$ with nothing to learn.
#
# The first two are those of DeepFace (Taigman and others 2014,
# [doi:10.1109/CVPR.2014.220](https://doi.org/10.1109/CVPR.2014.220)). There the second divides by
# $f_k + f'_k$, which is right for features that are never negative, as DeepFace's are. Ours have both signs: the
# difference of 0.5 and -0.5 would be divided by 0. With $|f_k| + |f'_k|$ nothing changes for DeepFace's features, and
# the result is finite for all.
#
# The third is trained with the **contrastive loss** (Hadsell, Chopra and LeCun 2006,
# [doi:10.1109/CVPR.2006.100](https://doi.org/10.1109/CVPR.2006.100)). With $s = 1$ for a pair of one person, $s = 0$
# for two, and a margin $m$,
#
# $$L = s \, d^2 + (1 - s) \max(m - d,\; 0)^2.$$
#
# **Look at the labels** before you use any program for it. Here 1 means *same*. In the paper $Y = 0$ means same and 1
# means different, and the two terms change places (there is a factor 1/2, too). With the labels of the one and the
# formula of the other, alike images are pushed apart, and no error is raised.
#
# The threshold is chosen on the 50 validation characters and judged on the 50 test characters, in equally many pairs of
# both kinds: a guess is right half of the time. (The area under the **ROC curve**, AUC, judges all thresholds at once:
# lesson 06.)

# %%
distances = np.array([0.3, 0.5, 2.0])
by_hand = np.mean([0.3**2, (1 - 0.5) ** 2, 0])  # the same, two that are too near, two that are far enough
given = float(losses.Contrastive(margin=1.0)([[1], [0], [0]], -(distances[:, None] ** 2).astype("float32")))
lesson.claim("contrastive loss less the equation", abs(given - by_hand), "<=", 1e-6, exact=True)
opposite = np.array([[0.5, 1e-4]], "float32"), np.array([[-0.5, -1e-4]], "float32")
safe = ops.convert_to_numpy(DIFFERENCES["chi_square"](*map(ops.convert_to_tensor, opposite)))
lesson.claim("chi-square of opposite features, safe", float(safe.max()), "<=", 1.0, exact=True)


def train_pairs(head, loss):
    """`siamese_pairs` after training: half of the pairs are of one character."""
    model = network("siamese_pairs", head=head)
    rows = identity_rows(y, classes=BATCH // PER_CLASS, per_class=PER_CLASS, batches=STEPS, seed=lesson.seed)
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, STEPS * EPOCHS)
    model.compile(keras.optimizers.Adam(schedule), loss, **COMPILE)
    for _ in range(EPOCHS):
        grid = np.stack(list(rows.as_numpy_iterator())).reshape(STEPS, -1, PER_CLASS)  # (STEPS, characters, 4)
        one, other = grid[..., :2].reshape(STEPS, -1), grid[..., 2:].reshape(STEPS, -1)
        another = np.roll(other, PER_CLASS // 2, axis=1)  # of the next character
        first = np.concatenate([one, one], axis=1).ravel()
        second = np.concatenate([other, another], axis=1).ravel()
        same = np.tile(np.repeat([1.0, 0.0], one.shape[1]), STEPS)[:, None]
        inputs = {"first": x[first], "second": x[second]}
        model.fit(inputs, same, batch_size=2 * one.shape[1], shuffle=False, verbose=0)
    return model


def verify(model):
    """Accuracy and area under the ROC curve on pairs of unseen characters."""
    encoder = encoder_of(model)
    rows, same = pairs(y_known)
    threshold = best_threshold(encoder.between(encoder.embed(x_known), rows), same)
    rows, same = pairs(y_new)
    return verification(encoder.between(encoder.embed(x_new), rows), same, threshold)


rows, same = pairs(y_known)
at = best_threshold(np.linalg.norm(x_known[rows[:, 0]] - x_known[rows[:, 1]], axis=(1, 2))[:, 0], same)
rows, same = pairs(y_new)
of_pixels = verification(np.linalg.norm(x_new[rows[:, 0]] - x_new[rows[:, 1]], axis=(1, 2))[:, 0], same, at)
HEADS = {
    "absolute": losses.get("binary_crossentropy"),
    "chi_square": losses.get("binary_crossentropy"),
    "distance": losses.Contrastive(margin=1.0),
}
verified = {head: verify(train_pairs(head, loss)) for head, loss in HEADS.items()}
verified["triplets"] = verify(model)
for name, metrics in {"raw pixels": of_pixels, **verified}.items():
    print(f"{name:>12}: {metrics['accuracy']:.1%} of the pairs correct, area under the ROC curve {metrics['auc']:.3f}")
worst = min(verified[head]["accuracy"] for head in HEADS)
baseline = {"worst head": worst, "raw pixels": of_pixels["accuracy"], "a guess": 0.5}
lesson.claim(
    "accuracy on pairs, worst head less raw pixels", worst - of_pixels["accuracy"], ">=", 0.04, baseline=baseline
)

# %%
rows, same = pairs(y_new)
figure = new_figure(10, 3.2)
for axes, (name, vectors) in zip(
    figure.subplots(1, 3), {"raw pixels": pixels, "untrained": untrained, "trained": trained}.items()
):
    lengths = np.linalg.norm(vectors[rows[:, 0]] - vectors[rows[:, 1]], axis=1)
    bins = np.linspace(*np.percentile(lengths, [0.2, 99.8]), 40)
    axes.hist(lengths[same], bins, color=INK, alpha=0.6, label="same")
    axes.hist(lengths[~same], bins, color=SECOND, alpha=0.5, label="different")
    axes.set(title=name, xlabel="distance", yticks=[])
    axes.margins(y=0.3)  # for the legend
    axes.spines[["top", "right", "left"]].set_visible(False)
axes.legend(frameon=False)
lesson.plot(figure, "distances")

# %% [markdown]
# ## Where the data brings the triplets
# Somebody may know which mix-ups matter. `triplet_inputs` takes anchor, positive and negative as three inputs. It is
# the same tower: with the weights of the network above it gives the same embeddings.

# %%
explicit = network("triplet_inputs")
for layer in model.layers:
    if layer.weights:
        explicit.get_layer(layer.name).set_weights(layer.get_weights())
alike, unlike = np.flatnonzero(y_new == y_new[0]), np.flatnonzero(y_new != y_new[0])
rows = [alike[0], alike[1], unlike[0]]  # picked by their labels: the images are in no order
chosen = {name: x_new[[row]] for name, row in zip(("anchor", "positive", "negative"), rows)}
embedded = ops.convert_to_numpy(explicit(chosen, training=False))[0]
difference = np.abs(embedded - trained[rows]).max()
lesson.claim("embeddings of the three-input network, largest difference", float(difference), "<=", 1e-4, exact=True)
print("distance to the positive {:.3f}, to the negative {:.3f}".format(*euclidean(embedded[:1], embedded[1:])[0]))

# %% [markdown]
# ## Omniglot (`--data full`)
# 964 real characters of 30 alphabets to learn from, 659 of 20 others to test on; not measured here.

# %%
if lesson.full:
    budget = {"epochs": 1} if lesson.smoke else {}
    run = zoo.train("siamese", "omniglot", seed=lesson.seed, data_dir=lesson.data_dir, **budget)
    print(f"Omniglot: recall@1 {run.metrics['recall@1']:.3f}; beside {run.results['baselines']}")

# %% [markdown]
# ## Try it
# * Start the LeNet-5 with semi-hard triplets and go on with the hardest. Does it still collapse?
# * How small may the embeddings be? 64 dimensions, 16, 4, 2?
# * `zoo train siamese --data FACES` learns from a folder with a sub-folder for each person; then
#   `zoo compare RUN a.jpg b.jpg` and `zoo search RUN a.jpg FACES`. How many people does it take?
#
# <details><summary>Solution</summary>
#
# * Give `train` an argument `model=None` and its first line `model = model or network(seed=seed, **options)`; then
#   `train(losses.Triplet(mining="hard"), epochs=FEW, rate=1e-2, model=cured)`. The standard deviations that it returns
#   fall from nearly 1 to nearly 0: a good start does not help at this learning rate. At a
#   tenth of it the points draw together, but do not become one.
# * `dimensions=2` in `network`: 50 characters must find room on a circle, and recall@1 falls to .04 (seed 0). Try 16
#   and 4 in between.
# * A batch holds 16 people with four images of each, and some people are kept apart to validate and to test on. If
#   there are too few, the command says so in one line, and which smaller batch would do. But the figure of failure 3
#   shows what few people are worth: the network learns these few.
#
# </details>

# %%
lesson.finish()
