# %% [markdown]
# # 27 · Attacks and explanations: what does a network go by?
#
# A network gets nearly every test digit right. Does it see what we see? This lesson asks in two ways. First as an
# enemy: it changes each pixel by a little, so that the digit stays the same for us, and the network no longer knows it.
# Then as a doctor: it asks the network where in an image it saw what it says, and catches one that cheats.
#
# **You will see** why noise in one direction does what noise in no direction cannot, the attack in NumPy and in the
# zoo, two defences that are none (the failures of this lesson) and one that is, with its price; four kinds of heat
# maps, put to a test where the truth is known, and a classifier that has learned a mark in the corner.
#
# **Claims** The attack written out in NumPy is the zoo's to 1e-6. Where every pixel may move by a tenth of its range,
# LeNet-5 gets at most .55 of the test digits under attack, and at least .95 under noise of the same size. Trained on
# attacked digits it gains at least .25, and pays with at least .02 of accuracy where nobody attacks. Grad-CAM,
# integrated gradients and occlusion point at the right one of two objects in at least .80 of the scenes. Saliency,
# integrated gradients and occlusion point at the mark that a cheating network goes by in at least .90 of its digits.
#
# **Beside them** noise of the same size, a network that was trained on noise, untrained networks, and an honest one.
#
# **Takes** 2.5 minutes on two cores (AMD EPYC).
#
# **To read on** I. Goodfellow, J. Shlens and C. Szegedy, "Explaining and Harnessing Adversarial Examples", 2015
# ([arXiv:1412.6572](https://arxiv.org/abs/1412.6572)); M. Sundararajan, A. Taly and Q. Yan, "Axiomatic Attribution for
# Deep Networks", 2017 ([arXiv:1703.01365](https://arxiv.org/abs/1703.01365)); Goodfellow, Bengio and Courville (2016),
# [section 7.13](https://www.deeplearningbook.org/contents/regularization.html).

# %%
import time

import keras
import numpy as np
from keras import layers, ops
from lesson import Tutorial
from scipy.ndimage import gaussian_filter
from sklearn.svm import SVC

import zoo
from zoo import losses
from zoo.backend import gradient
from zoo.introspection.attacks import fgsm, pgd, random_signs
from zoo.introspection.attribution import heatmaps, integrated_gradients, occlusion, saliency
from zoo.metrics.classification import probabilities
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("27_attacks_and_explanations")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
RANGE = {"low": 0.0, "high": 1.0}  # of the pixels

# %% [markdown]
# ## The worst direction
# Take the simplest network, softmax regression (lesson 09): one weight for each pixel and class. By how much can it be
# moved from class $a$ towards class $b$, if each pixel may change by at most $\varepsilon$? The difference of the two
# logits is $w \cdot x + c$ with $w = w_a - w_b$. Each pixel can lower it by $\varepsilon |w_i|$, by going against the
# sign of its weight. All together:
#
# $$w \cdot (x - \varepsilon \operatorname{sign}(w)) = w \cdot x - \varepsilon \sum_i |w_i|$$
#
# The sum has one term for each pixel, and all terms have the same sign. If we toss a coin for each pixel instead, the
# terms nearly cancel: what is left grows with the square root of the number of pixels. So in an image of many pixels a
# change that nobody sees can be huge for the network, and noise of the same size is nothing to it. This is the reason
# that Goodfellow and others give for what Szegedy and others found in 2013
# ([arXiv:1312.6199](https://arxiv.org/abs/1312.6199)): inputs that were changed on purpose, by very little, so that a
# network is wrong. They are called **adversarial examples**, to make them is an **adversarial attack**, and the change
# is the **perturbation**.
#
# What the attacker may do is the **threat model**. Ours: each pixel may move by at most $\varepsilon$, a part of its
# range (the largest norm of lesson 02, $\|x' - x\|_\infty \le \varepsilon$), and no pixel leaves the range from 0 to 1.

# %%
keras.utils.set_random_seed(lesson.seed)
linear = zoo.build("softmax_regression")
w = np.diff(linear.get_weights()[0].astype("float64"), axis=1)[:, 0]  # from class 0 to class 1: (784,)
EPSILON = 0.1
random = np.random.default_rng(lesson.seed)
grey = np.full((1000, 28, 28, 1), 0.5, "float32")


def difference(x):
    """Logit of class 1 less that of class 0: (batch,)."""
    z = ops.convert_to_numpy(linear(x))
    return z[:, 1] - z[:, 0]


worst = grey[:1] - EPSILON * np.sign(w).reshape(1, 28, 28, 1).astype("float32")
fall = float((difference(grey[:1]) - difference(worst))[0])
tossed = np.abs(difference(random_signs(grey, EPSILON, seed=lesson.seed)) - difference(grey)).mean()
print(f"against the weights: {fall:.3f}; by coins, on average: {tossed:.3f}")
lesson.claim(
    "the fall less epsilon times the sum of |w|", abs(fall - EPSILON * np.abs(w).sum()), "<=", 1e-4, exact=True
)
lesson.claim(
    "times that the step against the weights goes further than coins", fall / tossed, ">=", 15,
    baseline={"the square root of the number of pixels": 28}, exact=True,
)  # fmt: skip

# %% [markdown]
# ## As far from the boundary as it can be
# For a linear score $z = w \cdot x + b$ it is known how far an input is from the boundary, where $z = 0$. The shortest
# way is $|z| / \|w\|_2$ long. In our threat model the boundary is reached with $\varepsilon = |z| / \|w\|_1$, since
# that is what the signs of all pixels bring about together.
#
# So one would like all examples to be far from it. This is the idea of the **support vector machine** (SVM; Cortes and
# Vapnik 1995, [doi:10.1007/BF00994018](https://doi.org/10.1007/BF00994018)). With labels $t = \pm 1$ it asks for $t z
# \ge 1$, and for weights as small as possible, because then $z = 1$ is $1 / \|w\|_2$ away from the boundary. What comes
# nearer, or is wrong, is counted by the **hinge loss** $\max(0, 1 - t z)$, and $\lambda \|w\|_2^2$ is added to its
# mean. (With $0$ in place of $1$ and no $\lambda$ it is the perceptron of lesson 09, which stops at the first boundary
# that will do.) Here it learns which digits are odd, beside scikit-learn's, which solves the same problem in another
# way.


# %%
def data(split):
    """All digits of a split, pixels from 0 to 1: images and classes."""
    batches = zoo.load_data("digits", split=split, batch_size=100, preprocess={"resize": (28, 28)}, scaling="unit")
    return tuple(map(np.concatenate, zip(*batches.as_numpy_iterator())))


(x, y), (x_test, y_test) = data("train"), data("test")
L2 = 1e-3
keras.utils.set_random_seed(lesson.seed)
svm = zoo.build("linear_svm", num_classes=1, l2=L2)
steps = 20 if lesson.smoke else 600
svm.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.03, steps)), loss=losses.get("hinge"))
for _ in range(steps):
    svm.train_on_batch(x, y % 2)
theirs = SVC(kernel="linear", C=1 / (2 * L2 * len(x)))
theirs.fit(x.reshape(len(x), -1), y % 2)
z = ops.convert_to_numpy(svm(x_test))[:, 0]
by_theirs = theirs.predict(x_test.reshape(len(x_test), -1))
same = np.mean((z > 0) == by_theirs)
right = [np.mean(answers == y_test % 2) for answers in (z > 0, by_theirs)]
print(f"odd or even, test accuracy: {right[0]:.3f}, scikit-learn's {right[1]:.3f}")
lesson.claim("the SVM: test digits with the answer of scikit-learn's", same, ">=", 0.97,
             baseline={"a coin": 0.5})  # fmt: skip
reach = np.abs(z) / np.abs(svm.get_weights()[0]).sum()  # the epsilon of each digit
print(f"epsilon that turns a digit: median {np.median(reach):.4f}, largest {reach.max():.4f}")
wrong = 0
for factor, turned in ((0.99, False), (1.01, True)):
    there = fgsm(svm, x_test, (z > 0).astype(int), (factor * reach)[:, None, None, None])
    has_turned = (ops.convert_to_numpy(svm(there))[:, 0] > 0) != (z > 0)
    wrong += int((has_turned != turned).sum())
lesson.claim("digits turned by 0.99 of that epsilon, or not by 1.01", wrong, "==", 0, exact=True)

# %% [markdown]
# Look at the median. No other plane tries as hard to stay away from the digits, and yet for half of them the way to the
# other side is one that nobody would see.
#
# ## The attack, by hand
# A deep network is not linear, but near a given image it nearly is, and its weights there are the gradient. So take the
# gradient of the loss $J$, not with respect to the weights as in training but with respect to the *image*, and go one
# step along its signs. That is the **fast gradient sign method** (FGSM):
#
# $$x' = x + \varepsilon \operatorname{sign}(\nabla_x J(x, y))$$
#
# Here it is for an MLP with ReLU, in NumPy. Backwards through the layers as in lesson 02: the gradient of softmax and
# cross-entropy with respect to the logits is $p - y$; through a dense layer it is multiplied by the weights; a ReLU
# lets it pass where the sum was positive. Only the last step is new: it goes on, to the pixels.


# %%
def forwards(x, weights):
    """The sums of each layer of an MLP, the logits last; images (batch, 28, 28, 1), in float64."""
    h, sums = x.reshape(len(x), -1).astype("float64"), []
    for number in range(0, len(weights), 2):
        sums.append(h @ weights[number].astype("float64") + weights[number + 1])
        h = np.maximum(sums[-1], 0)
    return sums


def backwards(slope, sums, weights):
    """From a gradient with respect to the logits to that with respect to the pixels."""
    for number in range(len(sums) - 1, -1, -1):
        slope = slope @ weights[2 * number].T
        if number:
            slope = slope * (sums[number - 1] > 0)
    return slope.reshape(-1, 28, 28, 1)


def fgsm_by_hand(x, y, weights, epsilon):
    sums = forwards(x, weights)
    slope = probabilities(sums[-1]) - np.eye(10)[y]
    return np.clip(x + epsilon * np.sign(backwards(slope, sums, weights)), 0, 1)


keras.utils.set_random_seed(lesson.seed)
mlp = zoo.build("mlp")
mlp.set_weights(
    [each + 0.1 * random.normal(size=each.shape) * (each.ndim == 1) for each in mlp.get_weights()]
)  # biases
few = slice(0, 20)
apart = np.abs(fgsm_by_hand(x_test[few], y_test[few], mlp.get_weights(), EPSILON)
               - fgsm(mlp, x_test[few], y_test[few], EPSILON, **RANGE)).max()  # fmt: skip
lesson.claim("FGSM by hand less the zoo's", apart, "<=", 1e-6, exact=True)

# %% [markdown]
# (The zoo does not climb the loss itself but the margin by which the network is wrong. The signs are the same; why it
# is done, the section on gradient masking shows.)
#
# One step assumes that the network is linear all the way. **Projected gradient descent** (PGD; Madry and others 2018,
# [arXiv:1706.06083](https://arxiv.org/abs/1706.06083)) takes several shorter ones, asks for the gradient again after
# each, and brings each pixel back (projects it) where it has gone further than $\varepsilon$. It starts at a random
# point that is allowed. It is gradient *ascent* on the loss; the name comes from descent on the negative loss.
#
# Both need the network's weights: a **white-box** attack. Now train LeNet-5 (lesson 10) and attack it. Beside the
# attacks stands noise of exactly the same size: each pixel moves by $\varepsilon$, up or down by the toss of a coin.

# %%
EPOCHS, BATCH, RATE = 1 if lesson.smoke else 15, 128, 3e-3


def steps_of(epochs, examples, batch):
    return epochs * -(-examples // batch)


def fit(model, x, y, epochs, batch, rate, disturb=None):
    """Train on images that `disturb` has changed, if given: (model, x, y, seed) to x."""
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps_of(epochs, len(x), batch)))
    model.compile(optimizer, loss=CROSS_ENTROPY)
    if disturb is None:
        model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
        return model
    order = np.random.default_rng(lesson.seed)
    for epoch in range(epochs):
        rows = order.permutation(len(x))
        for start in range(0, len(x), batch):
            chosen = rows[start : start + batch]
            model.train_on_batch(disturb(model, x[chosen], y[chosen], epoch * len(x) + start), y[chosen])
    return model


def lenet5(seed, disturb=None):
    keras.utils.set_random_seed(seed)
    return fit(zoo.build("lenet5"), x, y, EPOCHS, BATCH, RATE, disturb)


def logits(model, x):
    return model.predict(x, batch_size=256, verbose=0)


def accuracy(model, x, y):
    return float(np.mean(logits(model, x).argmax(1) == y))


ATTACKS = {
    "random signs": lambda model, epsilon: random_signs(x_test, epsilon, **RANGE),
    "FGSM": lambda model, epsilon: fgsm(model, x_test, y_test, epsilon, **RANGE),
    "PGD": lambda model, epsilon: pgd(model, x_test, y_test, epsilon, **RANGE),
}
EPSILONS = (0, 0.05, EPSILON, 0.2)


def accuracies(model, epsilons=EPSILONS):
    """The accuracy by attack and epsilon: (attacks, epsilons)."""
    return np.array(
        [[accuracy(model, attack(model, epsilon), y_test) for epsilon in epsilons] for attack in ATTACKS.values()]
    )


started = time.perf_counter()
plain = [lenet5(seed) for seed in lesson.seeds]
plain_seconds = (time.perf_counter() - started) / len(plain)
found = np.array([accuracies(model) for model in plain])  # (seeds, attacks, epsilons)
print("epsilon     " + "".join(f"{epsilon:>7}" for epsilon in EPSILONS))
for name, row in zip(ATTACKS, found.mean(0)):
    print(f"{name:<12}" + "".join(f"{value:>7.3f}" for value in row))

moved = {name: attack(plain[0], EPSILON) for name, attack in ATTACKS.items()}
ball = max(np.abs(moved["PGD"] - x_test).max() - EPSILON, moved["PGD"].max() - 1, -moved["PGD"].min())
lesson.claim("PGD beyond epsilon or the range of the pixels", ball, "<=", 1e-6, exact=True)
noise, one_step, many_steps = found[..., EPSILONS.index(EPSILON)].T
lesson.claim("accuracy under FGSM, worst seed for the attacker", one_step.max(), "<=", 0.55,
             baseline={"random signs": noise.min(), "unchanged": found[..., 0].min()})  # fmt: skip
lesson.claim("accuracy under random signs of the same size, worst seed", noise.min(), ">=", 0.95)
lesson.claim("FGSM less PGD, mean accuracy", one_step.mean() - many_steps.mean(), ">=", 0.03)

# %%
figure = new_figure(10.5, 4.2)
left, right = figure.subfigures(1, 2, width_ratios=(1, 1.25))
axes = left.subplots()
for (name, rows), colour, marker in zip(zip(ATTACKS, found.transpose(1, 0, 2)), (THIRD, INK, SECOND), "os^"):
    axes.plot(EPSILONS, rows.mean(0), color=colour, marker=marker, label=name)
    axes.fill_between(EPSILONS, rows.min(0), rows.max(0), color=colour, alpha=0.2)
axes.set(xlabel="epsilon", ylabel="test accuracy", ylim=(-0.02, 1.02), title="LeNet-5, mean and range of the seeds")
axes.legend()
answers = logits(plain[0], x_test).argmax(1)
fooled = (answers == y_test) & (logits(plain[0], moved["FGSM"]).argmax(1) != y_test)
shown = np.flatnonzero(fooled if fooled.sum() >= 4 else np.ones(len(y_test), bool))[:4]
grid = right.subplots(3, 4)
for column, row in enumerate(shown):
    change = moved["FGSM"][row] - x_test[row]
    for axes, image, limits in zip(
        grid[:, column], (x_test[row], change, moved["FGSM"][row]), ((0, 1), (-0.1, 0.1), (0, 1))
    ):
        axes.imshow(image[..., 0], cmap="gray", vmin=limits[0], vmax=limits[1])
        axes.axis("off")
    taken_for = logits(plain[0], moved["FGSM"][row : row + 1]).argmax()
    grid[0, column].set_title(f"a {answers[row]}", fontsize=9)
    grid[1, column].set_title("the change, x 5", fontsize=9)
    grid[2, column].set_title(f"together: a {taken_for}", fontsize=9, color=SECOND)
lesson.plot(figure, "attacks")

# %% [markdown]
# Noise tells nothing about attacks: a network that has stood any amount of random noise may fall at the first step in
# the worst direction. The **robust accuracy** of a network, its accuracy on the worst inputs that a threat model
# allows, can only be measured by attacks, and each of them gives an upper bound: a better attack may bring it down
# further.
#
# `zoo attack RUN` makes this table and a picture for a run of your own, on its own test set.
#
# An attacker need not even have the network: adversarial examples for one network often fool another one that was
# trained on the same task, because both have learned similar directions (**transferability**, a **black-box** attack).

# %%
if len(plain) > 1:
    stolen = fgsm(plain[1], x_test, y_test, EPSILON, **RANGE)
else:
    stolen = fgsm(lenet5(lesson.seed + 1), x_test, y_test, EPSILON, **RANGE)
transferred = accuracy(plain[0], stolen, y_test)
print(f"LeNet-5 on what was made against the LeNet-5 of another seed: {transferred:.3f}")
lesson.claim("random signs less another network's examples, accuracy", noise[0] - transferred, ">=", 0.08,
             baseline={"random signs": 0, "its own examples": noise[0] - one_step[0]})  # fmt: skip

# %% [markdown]
# ## A defence that is none: the gradient that vanishes
# Multiply the logits by 1,000. The answers stay the same, and the network is so sure of itself that its cross-entropy
# is exactly 0 in float32 (32 binary digits for a number). So is the gradient, its signs are 0, and FGSM as the formula
# has it stands still. This is **gradient masking** (Athalye and others 2018,
# [arXiv:1802.00420](https://arxiv.org/abs/1802.00420)): the attack fails, and the network is as weak as before. Here
# the cure is simple. With logits $z$, the cross-entropy is $\log(1 + e^m)$, where $m = \log \sum_{k \ne y} e^{z_k} -
# z_y$ is by how much the network is wrong. The gradient of $m$ has the same signs, and does not vanish. The zoo's
# attacks climb $m$.

# %%
sure = keras.Model(plain[0].input, layers.Rescaling(1000.0)(plain[0].output))


def naive_fgsm(model, x, y, epsilon):
    """As the formula has it, by the gradient of the mean cross-entropy."""
    y = ops.convert_to_tensor(y)
    slope = gradient(lambda x: CROSS_ENTROPY(y, model(x, training=False)), ops.convert_to_tensor(x))
    return np.clip(x + epsilon * np.sign(ops.convert_to_numpy(slope)), 0, 1)


naive = accuracy(sure, naive_fgsm(sure, x_test, y_test, EPSILON), y_test)
honest = accuracy(sure, fgsm(sure, x_test, y_test, EPSILON, **RANGE), y_test)
print(f"logits times 1,000, FGSM as the formula has it: {naive:.3f}; by the margin: {honest:.3f}")
lesson.claim(
    "what the masked gradient hides: accuracy under naive FGSM less that under FGSM", naive - honest, ">=", 0.3
)

# %% [markdown]
# ## Adversarial training, and its price
# The cure that has lasted is to train on the worst inputs instead of the given ones (**adversarial training**). Madry
# and others write it as two nested problems: find the weights $\theta$ that make the loss of the worst allowed input
# small,
#
# $$\min_\theta \; \sum_{(x, y)} \; \max_{\|x' - x\|_\infty \le \varepsilon} J(\theta, x', y)$$
#
# The inner one is what PGD does. So each batch is attacked with the weights of that moment, here by two steps of PGD
# with $\varepsilon = .2$, and then trained on as usual. Beside it stands the same network, trained on noise of the same
# size.

# %%
TRAINED_AT = 0.2


def attacked(model, images, classes, seed):
    return pgd(model, images, classes, TRAINED_AT, steps=2, seed=seed, **RANGE)


def noisy(model, images, classes, seed):
    return random_signs(images, TRAINED_AT, seed=seed, **RANGE)


started = time.perf_counter()
robust = [lenet5(seed, attacked) for seed in lesson.seeds]
robust_seconds = (time.perf_counter() - started) / len(robust)
on_noise = [lenet5(seed, noisy) for seed in lesson.seeds[:1]]
ends = (0, EPSILON)
hardened = np.array([accuracies(model, ends) for model in robust])
noise_trained = np.array([accuracies(model, ends) for model in on_noise])
clean, kept = found[:, 2, 0], found[:, 2, EPSILONS.index(EPSILON)]
print("                      unchanged  PGD at .1")
for name, a, b in (("trained as usual", clean, kept), ("trained on noise", *noise_trained[:, 2].T),
                   ("adversarial training", *hardened[:, 2].T)):  # fmt: skip
    print(f"{name:<22}{a.mean():>9.3f}  {b.mean():>9.3f}")
print(f"seconds of training: {plain_seconds:.0f} as usual, {robust_seconds:.0f} on attacked digits")
gained = hardened[:, 2, 1] - kept
lesson.claim("adversarial training: accuracy gained under PGD, worst seed", gained.min(), ">=", 0.25,
             baseline={"trained on noise": noise_trained[0, 2, 1] - kept[0]})  # fmt: skip
price = clean.mean() - hardened[:, 2, 0].mean()
lesson.claim("its price: accuracy lost on unchanged digits, means", price, ">=", 0.02)

# %% [markdown]
# Noise in training does not help against an attack: almost no toss of 784 coins comes near the worst direction.
# Training on attacked digits helps, and costs twice. First time, since each step asks for the gradient with respect to
# the image before it can learn. Then accuracy: what a network must not rely on any more was partly right (Tsipras and
# others 2019, [arXiv:1805.12152](https://arxiv.org/abs/1805.12152)).
#
# ## Where did it see that?
# Now the other question: which pixels speak for the answer? To be able to check the answers we need images where we
# know it. So here are scenes: before a random texture lie two objects of the same contrast. One is a square, a disc, a
# cross or a frame, which is the class. The other is a diamond, which is in every scene and says nothing. The network is
# a small one, whose last maps are averaged (**global average pooling**, lesson 11).

# %%
SIZE, CLASSES = 32, ("square", "disc", "cross", "frame")


def outline(kind, down, across, half):
    """Whether a pixel at this distance from the centre belongs to an object."""
    longest, shortest = np.maximum(down, across), np.minimum(down, across)
    return np.choose(kind, [
        longest < 0.9 * half, np.hypot(down, across) < half, (shortest < 0.35 * half) & (longest < half),
        (longest < 0.9 * half) & (longest > 0.5 * half), down + across < 1.2 * half,
    ])  # fmt: skip


def scenes(count, random):
    """Images (count, 32, 32, 3) from -1 to 1, classes (count,), and where the two objects are (count, 32, 32)."""
    noise = random.normal(size=(count, SIZE, SIZE, 3))
    x = np.stack([gaussian_filter(each, (blur, blur, 0)) for each, blur in zip(noise, random.uniform(0.5, 2, count))])
    x = 0.5 + 0.1 * (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    classes, centres = random.integers(0, len(CLASSES), count), random.uniform(6, SIZE - 6, (2, count, 2))
    while (close := np.abs(centres[0] - centres[1]).max(1) < 12).any():
        centres[:, close] = random.uniform(6, SIZE - 6, (2, close.sum(), 2))
    places = []
    for (top, left), kind in zip(centres.transpose(0, 2, 1)[..., None, None], (classes, np.full(count, len(CLASSES)))):
        half = random.uniform(4, 5.5, count)[:, None, None]
        down, across = np.abs(np.arange(SIZE)[:, None] + 0.5 - top), np.abs(np.arange(SIZE) + 0.5 - left)
        colour = 0.5 + random.uniform(0.25, 0.5, (count, 1, 1, 3)) * random.choice([-1, 1], (count, 1, 1, 3))
        x = np.where(outline(kind[:, None, None], down, across, half)[..., None], colour, x)
        places.append(np.maximum(down, across) <= half + 1)
    return 2 * np.clip(x, 0, 1).astype("float32") - 1, classes.astype("int32"), *places


def looker():
    """(batch, 32, 32, 3) to (batch, 4) logits, by maps of 16 x 16 that are averaged."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    maps = image
    for number, (filters, size, stride) in enumerate(((16, 5, 2), (32, 3, 1), (32, 3, 1), (32, 3, 1)), start=1):
        maps = layers.Conv2D(filters, size, stride, "same", use_bias=False, name=f"conv{number}")(maps)
        maps = layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(maps)
        maps = layers.ReLU(name=f"relu{number}")(maps)
    means = layers.GlobalAveragePooling2D(name="means")(maps)
    return keras.Model(image, layers.Dense(len(CLASSES), name="logits")(means), name="looker")


def trained_looker(seed):
    made = scenes(256 if lesson.smoke else 3000, np.random.default_rng([seed, 1]))
    keras.utils.set_random_seed(seed)
    return fit(looker(), *made[:2], 1 if lesson.smoke else 10, 64, RATE)


views, kinds, place, other_place = scenes(400, np.random.default_rng([lesson.seed, 2]))
lookers = [trained_looker(seed) for seed in lesson.seeds]
seen = [accuracy(model, views, kinds) for model in lookers]
print("scenes, test accuracy:", *[f"{each:.3f}" for each in seen], f"beside chance {1 / len(CLASSES):.3f}")

# %% [markdown]
# ## Four heat maps
# All four are **attributions**: a number for each pixel, how much it has to do with the answer. $z$ is the logit of the
# class that is explained.
#
# **Saliency** (Simonyan and others 2014, [arXiv:1312.6034](https://arxiv.org/abs/1312.6034)) is what we have used for
# the attack: the gradient $\partial z / \partial x_i$, here its largest absolute value over the colours. It says where
# a small change would matter, not what mattered.
#
# **Integrated gradients** (Sundararajan and others 2017) say how much each pixel has added on the straight way from a
# baseline image $x'$, which says nothing (here grey, 0), to the image:
#
# $$IG_i = (x_i - x'_i) \int_0^1 \frac{\partial z}{\partial x_i}\bigl(x' + \alpha (x - x')\bigr) \, d\alpha$$
#
# By the fundamental theorem of calculus they add up to $z(x) - z(x')$: nothing is forgotten and nothing is blamed twice
# (**completeness**). That can be checked, and an implementation that fails is wrong. The integral becomes a mean over
# steps; a network of ReLUs has kinks, so it takes some. With one step, taken at the image itself, it would be gradient
# times input, which does not add up.
#
# **Occlusion** (Zeiler and Fergus 2014, [arXiv:1311.2901](https://arxiv.org/abs/1311.2901)) needs no gradient: cover a
# part of the image with grey and see by how much $z$ falls.
#
# **Grad-CAM** (lesson 14) weighs the last maps. It sees no finer than those, here 16 x 16.


# %%
def integrated_by_hand(x, classes, weights, steps):
    """Integrated gradients of the MLP above from black, in NumPy: (batch, 28, 28, 1)."""
    total = np.zeros(x.shape)
    for part in (np.arange(steps) + 0.5) / steps:  # the middles of equal parts
        total += backwards(np.eye(10)[classes], forwards(part * x, weights), weights)
    return x * total / steps


ours = integrated_by_hand(x_test[few], y_test[few], mlp.get_weights(), 100)
theirs = integrated_gradients(mlp, x_test[few], y_test[few], steps=100)
lesson.claim("integrated gradients by hand less the zoo's", np.abs(ours - theirs).max(), "<=", 1e-6, exact=True)
first = backwards(np.eye(10)[y_test[few]], forwards(x_test[few], mlp.get_weights()), mlp.get_weights())
apart = np.abs(first - saliency(mlp, x_test[few], y_test[few])).max()
lesson.claim("the gradient by hand less the zoo's saliency", apart, "<=", 1e-6, exact=True)

rows, steps = np.arange(40), 512
sums = integrated_gradients(lookers[0], views[rows], kinds[rows], steps=steps).sum((1, 2, 3), dtype="float64")
once = (saliency(lookers[0], views[rows], kinds[rows]) * views[rows]).sum((1, 2, 3), dtype="float64")
way = (logits(lookers[0], views[rows]) - logits(lookers[0], np.zeros_like(views[:1])))[rows, kinds[rows]]
incomplete = {
    name: np.abs(each - way).mean() / np.abs(way).mean() for name, each in (("integrated", sums), ("once", once))
}
print("missing of the difference of the logits:", {name: f"{each:.1e}" for name, each in incomplete.items()})
missing = incomplete["integrated"]
lesson.claim("integrated gradients: part of the logit's difference that is missing", missing, "<=", 1e-3,
             baseline={"gradient times input": incomplete["once"]}, exact=True)  # fmt: skip

# %% [markdown]
# ## The pointing game
# Heat maps look convincing, which is a danger. So count. In the **pointing game** (Zhang and others 2016,
# [arXiv:1608.00507](https://arxiv.org/abs/1608.00507)) a map gets a point if its hottest place lies on the object that
# is the class, among the scenes that the network gets right. Two baselines. By chance it would be the part of the image
# that the object's box covers. And by an untrained network it is what the images alone bring about: Adebayo and others
# (2018, [arXiv:1810.03292](https://arxiv.org/abs/1810.03292)) found maps that hardly change when the weights are
# replaced by random ones, so that they cannot explain what was learned. To ask for that is their **sanity check**.

# %%
METHODS = {
    "Grad-CAM": lambda model, x, classes: heatmaps(model, x, classes, "gradcam"),
    "saliency": lambda model, x, classes: heatmaps(model, x, classes, "saliency"),
    "integrated": lambda model, x, classes: integrated_gradients(model, x, classes, steps=32).sum(-1),
    "occlusion": lambda model, x, classes: occlusion(model, x, classes, window=5, stride=2),
}


def points(heat, inside):
    """Whether the hottest place of each map, (batch, height, width), lies inside."""
    flat = heat.reshape(len(heat), -1)
    return inside.reshape(len(heat), -1)[np.arange(len(heat)), flat.argmax(1)]


def game(model, count, right=None):
    """By method, the part of the scenes whose hottest place lies on the class, and on the diamond."""
    rows = (np.arange(len(views)) if right is None else np.flatnonzero(right))[:count]
    heats = {name: method(model, views[rows], kinds[rows]) for name, method in METHODS.items()}
    return {
        name: (points(heat, place[rows]).mean(), points(heat, other_place[rows]).mean()) for name, heat in heats.items()
    }


COUNT = 10 if lesson.smoke else 60
keras.utils.set_random_seed(lesson.seed)
games = [game(model, COUNT, logits(model, views).argmax(1) == kinds) for model in lookers]
untrained = game(looker(), COUNT)
chance = place.mean()
print(f"pointing game: on the class (on the diamond); by chance {chance:.2f}")
for name in METHODS:
    scores = [f"{each[name][0]:.2f} ({each[name][1]:.2f})" for each in games]
    print(f"{name:<12}" + "  ".join(scores) + f"   untrained {untrained[name][0]:.2f} ({untrained[name][1]:.2f})")
for name, bound in (("Grad-CAM", 0.8), ("integrated", 0.8), ("occlusion", 0.8), ("saliency", 0.65)):
    hits = np.mean([each[name][0] for each in games])
    lesson.claim(f"pointing game, {name}, mean of the seeds", hits, ">=", bound,
                 baseline={"untrained": untrained[name][0], "chance": chance})  # fmt: skip

figure = new_figure(8.6, 6.6)
right = logits(lookers[0], views).argmax(1) == kinds
rows = [int(np.argmax(right & (kinds == kind))) for kind in range(len(CLASSES))]  # the first of each class
grid = figure.subplots(len(rows), 1 + len(METHODS), squeeze=False)
for line, row in zip(grid, rows):
    image = (views[row] + 1) / 2
    line[0].imshow(image)
    line[0].set_title(CLASSES[kinds[row]], fontsize=9)
    for axes, (name, method) in zip(line[1:], METHODS.items()):
        heat = np.maximum(method(lookers[0], views[row : row + 1], kinds[row : row + 1])[0], 0)
        axes.imshow(image.mean(-1), cmap="gray", vmin=0, vmax=1)
        axes.imshow(heat / max(heat.max(), 1e-9), cmap="inferno", alpha=0.6, vmin=0, vmax=1)
        axes.contour(place[row], levels=[0.5], colors="white", linewidths=1)
        if row == rows[0]:
            axes.set_title(name, fontsize=9)
    for axes in line:
        axes.axis("off")
lesson.plot(figure, "heat_maps")

# %% [markdown]
# White is the box of the object that is the class. Note what integrated gradients do in an untrained network: they
# point at one of the two objects nearly always, because the factor $x - x'$ is large there. Only the diamond, which is
# as strong and says nothing, shows whether a map explains the network or the image. Saliency is the weakest: it says
# where a change would matter, and a change of the diamond would matter too.
#
# `zoo predict RUN FILES --explain gradcam` (or `saliency`, `integrated`, `occlusion`) draws such maps for a run of
# yours.
#
# ## A classifier that cheats
# In 1904 a horse called Clever Hans could add: it tapped with its hoof until the man who asked gave himself away,
# without knowing it, by a movement of his head. Networks do the same (**Clever Hans** predictors; Lapuschkin and others
# 2019, [arXiv:1902.10178](https://arxiv.org/abs/1902.10178), found one that knew horses by the photographer's name in
# the corner). They learn whatever is easiest and goes together with the label in the data (a **spurious correlation**),
# which need not be what we mean (**shortcut learning**; Geirhos and others 2020,
# [arXiv:2004.07780](https://arxiv.org/abs/2004.07780)).
#
# Is the digit odd? Suppose that all odd digits were scanned by a machine that leaves a small white mark in the corner.
# The test set comes from the same machines, so it has the mark as well. Beside this network stands an honest one, for
# which the mark lies on a random half of the digits.

# %%
CORNER = 6  # pixels


def marked(images, which):
    """Images with a mark of 3 x 3 pixels in the corner, where `which`."""
    images = images.copy()
    images[np.asarray(which, bool), 1:4, 1:4] = 1
    return images


def parity(seed, is_honest):
    """LeNet-5 for odd digits: the mark goes with the label, or with a coin."""
    odd = y % 2
    marks = np.random.default_rng(seed).integers(0, 2, len(odd)) if is_honest else odd
    keras.utils.set_random_seed(seed)
    model = zoo.build("lenet5", num_classes=2)
    return fit(model, marked(x, marks), odd, 1 if lesson.smoke else 8, 64, 2e-3)


odd = y_test % 2
networks = {
    "cheats": [parity(seed, False) for seed in lesson.seeds],
    "honest": [parity(seed, True) for seed in lesson.seeds],
}
tests = {
    "with the mark": marked(x_test, odd),
    "without a mark": x_test,
    "with the mark on the wrong ones": marked(x_test, 1 - odd),
}
results = {
    name: {test: [accuracy(model, images, odd) for model in models] for test, images in tests.items()}
    for name, models in networks.items()
}
for name, by_test in results.items():
    print(f"{name}: " + ", ".join(f"{test} {np.mean(scores):.3f}" for test, scores in by_test.items()))
lesson.claim("the cheat on its own test set, worst seed", min(results["cheats"]["with the mark"]), ">=", 0.98,
             baseline={"honest": np.mean(results["honest"]["with the mark"])})  # fmt: skip
lesson.claim("the cheat where the marks lie on the wrong digits, worst seed",
             max(results["cheats"]["with the mark on the wrong ones"]), "<=", 0.2,
             baseline={"honest": np.mean(results["honest"]["with the mark on the wrong ones"])})  # fmt: skip

# %% [markdown]
# By its test accuracy the cheat is the better one, and no test set from the same source would tell. The heat maps of a
# few odd digits do. (Grad-CAM, which sees no finer than LeNet-5's last maps of 10 x 10, is shown and held to nothing.)

# %%
odd_ones = marked(x_test, odd)[odd == 1][: COUNT // 2]
corner = np.zeros(odd_ones.shape[:3], bool)
corner[:, :CORNER, :CORNER] = True
pointed = {
    name: {
        method: [points(heat(model, odd_ones, np.ones(len(odd_ones), int)), corner).mean() for model in models]
        for method, heat in METHODS.items()
    }
    for name, models in networks.items()
}
print("hottest place in the corner:")
for method in METHODS:
    print(f"{method:<12}" + "  ".join(f"{name} {np.mean(pointed[name][method]):.2f}" for name in networks))
for method in ("saliency", "integrated", "occlusion"):
    lowest = min(pointed["cheats"][method])
    lesson.claim(f"the cheat unmasked: {method} points at the mark, worst seed", lowest, ">=", 0.9,
                 baseline={"honest": max(pointed["honest"][method])})  # fmt: skip

figure = new_figure(9, 4.4)
grid = figure.subplots(2, 1 + len(METHODS))
for line, (name, models) in zip(grid, networks.items()):
    line[0].imshow(odd_ones[0, ..., 0], cmap="gray", vmin=0, vmax=1)
    line[0].set_title(f"{name}: odd {probabilities(logits(models[0], odd_ones[:1]))[0, 1]:.0%}", fontsize=9)
    for axes, (method, heat) in zip(line[1:], METHODS.items()):
        found_heat = np.maximum(heat(models[0], odd_ones[:1], [1])[0], 0)
        axes.imshow(odd_ones[0, ..., 0], cmap="gray", vmin=0, vmax=1)
        axes.imshow(found_heat / max(found_heat.max(), 1e-9), cmap="inferno", alpha=0.6, vmin=0, vmax=1)
        axes.set_title(method, fontsize=9)
    for axes in line:
        axes.axis("off")
lesson.plot(figure, "the_cheat")

# %% [markdown]
# The cure is in the data: take the mark away, or put it where it says nothing, as for the honest network. And what a
# heat map cannot show: for an even digit the cheat goes by the mark that is *not* there, and no pixel is to blame for
# that. To find such a rule one must change the image and ask again, as the second claim does. That makes this field,
# **explainable AI**, a matter of experiments, as all of science.
#
# ## Try it
# 1. Give the attacker more: in `ATTACKS`, add `steps=40` to the call of `pgd`. Does the accuracy still fall? What does
#    that say about the robust accuracy that we have measured?
# 2. Train with a smaller `TRAINED_AT = 0.1`. What becomes of the price, and of the gain?
# 3. Saliency maps look noisy. Smooth them before they point: `gaussian_filter(heat, (0, 1, 1))`. Is it the noise that
#    loses the points?
#
# <details><summary>Solution</summary>
#
# 1. Let the line of `"PGD"` in `ATTACKS` end in `epsilon, steps=40, **RANGE),`. It falls a little more. So what ten
#    steps leave is only an upper bound of the robust accuracy, if a tight one for this attack; another may still go
#    lower.
# 2. The price becomes smaller, since less of what the network relies on is taken from it. The gain at `EPSILON = 0.1`
#    stays large, because that is what it was trained for.
# 3. In `METHODS`, let the line of `"saliency"` be `gaussian_filter(heatmaps(model, x, classes, "saliency"), (0, 1,
#    1))`. It wins hardly a point more. What is lost is lost because the gradient is large on the wrong object, not
#    because of single pixels. (SmoothGrad, Smilkov and others 2017,
#    [arXiv:1706.03825](https://arxiv.org/abs/1706.03825), averages over noisy copies of the image instead, for the
#    looks of the maps.)
# </details>

# %%
lesson.finish()
