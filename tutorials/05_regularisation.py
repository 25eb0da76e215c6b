# %% [markdown]
# # 05 · Regularisation: learning the rule, not the examples
#
# A network that is large enough can learn its training examples by heart, wrong labels included. What we want is the
# rule behind them. All that moves a model from the first to the second, without looking at the test set, is called
# **regularisation**. This lesson tries the usual means, one at a time, and measures each.
#
# **You will see** a curve that passes through every point and is wrong between them, a straight line that solves XOR
# with one more column, weights that become exactly 0, and a network that believes wrong labels (the failure of this
# lesson) with four cures beside it.
#
# **Claims** One crossed feature lifts a linear model on XOR from at most .65 to at least .95. L1 sets most useless
# weights to 0, L2 none. Weight decay is not L2 under Adam. Dropout keeps the mean. Early stopping, weight decay and
# dropout each win back accuracy that wrong labels cost. Moved digits need moved training digits.
#
# **Beside them** chance, and the same models without the cure.
#
# **Takes** 11 seconds on one core (AMD EPYC).
#
# **Read on** R. Tibshirani, "Regression Shrinkage and Selection via the Lasso", JRSS B 58, 1996. N. Srivastava et al.,
# "Dropout", JMLR 15, 2014 ([jmlr.org](https://jmlr.org/papers/v15/srivastava14a.html)). I. Loshchilov and F. Hutter,
# "Decoupled Weight Decay Regularization", 2019 ([arXiv:1711.05101](https://arxiv.org/abs/1711.05101)). C. Zhang et al.,
# "Understanding deep learning requires rethinking generalization", 2017
# ([arXiv:1611.03530](https://arxiv.org/abs/1611.03530)). Goodfellow, Bengio and Courville, *Deep Learning*, 2016,
# chapter 7.

# %%
import keras
import numpy as np
from keras import layers, ops
from lesson import Tutorial
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, lasso_path
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import zoo
from zoo.backend import gradient
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("05_regularisation")

# %% [markdown]
# ## How many curves can it draw?
# How many different curves can a model draw? That is its **capacity**. A polynomial of degree 3 has four weights and
# turns at most twice; one of degree 12 has thirteen weights. Fifteen points of a sine, with noise: degree 1 is too
# stiff (it underfits); degree 12 passes near every point, and swings between them (it overfits). Its training error is
# the smallest, and its error on new points is not.
#
# Two cures are seen here. **More data**: with 300 points degree 12 has no room to swing. And a penalty on large weights
# (**ridge regression**): swings need huge weights. Instead of the mean squared error alone we minimise
#
# $$\frac1m \sum_i (w \cdot x_i - y_i)^2 + \lambda \|w\|_2^2 \qquad\text{with the solution}\qquad
# w = (X^\top X + m\lambda I)^{-1} X^\top y.$$


# %%
def sine(count, seed):
    random = np.random.default_rng(seed)
    at = np.linspace(-1, 1, count)
    return at, np.sin(3 * at) + 0.2 * random.normal(size=count)


def fit(at, y, degree, penalty=0.0):
    """The weights of a polynomial, by the formula."""
    powers = np.vander(at, degree + 1, increasing=True)
    return np.linalg.solve(powers.T @ powers + len(at) * penalty * np.eye(degree + 1), powers.T @ y)


def error(weights, at, y):
    """Mean squared error."""
    return float(np.mean((np.vander(at, len(weights), increasing=True) @ weights - y) ** 2))


grid = np.linspace(-0.95, 0.95, 400)
cases = {
    "degree 1, 15 points": (15, 1, 0.0), "degree 3, 15 points": (15, 3, 0.0), "degree 12, 15 points": (15, 12, 0.0),
    "degree 12, 300 points": (300, 12, 0.0), "degree 12, 15 points, penalty": (15, 12, 1e-3),
}  # fmt: skip
figure = new_figure(13, 2.9)
on_training, on_new = {}, {}
for axes, (name, (count, degree, penalty)) in zip(figure.subplots(1, 5, sharey=True), cases.items()):
    draws = [sine(count, seed) for seed in range(5)]
    fits = [fit(at, y, degree, penalty) for at, y in draws]
    on_training[name] = np.median([error(w, *draw) for w, draw in zip(fits, draws)])
    on_new[name] = np.median([error(w, grid, np.sin(3 * grid)) for w in fits])  # 0: the sine itself
    axes.plot(*draws[0], "o", color=THIRD, markersize=3)
    axes.plot(grid, np.sin(3 * grid), color="black", linestyle=":")
    axes.plot(grid, np.vander(grid, degree + 1, increasing=True) @ fits[0], color=SECOND if degree == 12 else INK)
    axes.set(ylim=(-2, 2), xlabel="x")
    axes.set_title(f"{name}\ntraining {on_training[name]:.3f}, new {on_new[name]:.3f}", fontsize=8.5)
figure.axes[0].set_ylabel("y (dotted: the sine)")
lesson.plot(figure, "capacity")
three, twelve = on_new["degree 3, 15 points"], on_new["degree 12, 15 points"]
lesson.claim("15 points, error on new points, degree 12 over degree 3", twelve / three, ">=", 3, exact=True)
ratio = on_training["degree 12, 15 points"] / on_training["degree 3, 15 points"]
lesson.claim("15 points, error on training points, degree 12 over degree 3", ratio, "<=", 0.6, exact=True)
more, held = on_new["degree 12, 300 points"] / twelve, on_new["degree 12, 15 points, penalty"] / twelve
lesson.claim("degree 12, error on new points, 300 points over 15", more, "<=", 0.2, exact=True)
lesson.claim("degree 12, error on new points, with the penalty over without", held, "<=", 0.4, exact=True)
at, y = sine(15, 0)
by_sklearn = Ridge(alpha=15 * 1e-3, fit_intercept=False, solver="cholesky").fit(np.vander(at, 13, increasing=True), y)
difference = np.abs(fit(at, y, 12, 1e-3) - by_sklearn.coef_).max()
lesson.claim("ridge regression, ours less scikit-learn", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# A recipe from practice: first make the model so large that it *can* overfit, then hold it back. A model that cannot
# even learn its training set by heart may be too small, or have a mistake in it.
#
# ## A feature more: crosses
# The other direction: a model that is too stiff. Points in a square, class 1 where $x_1$ and $x_2$ have the same sign
# (XOR, turned round). The model is **logistic regression**: one neuron, whose sigmoid is the probability of class 1
# (lesson 06 says more). No straight line splits these points. But give the model one more column, the product
# $x_1 x_2$: a **feature cross** $A \times B$. Now the sign of one column is the answer. Also in use: $A \times A$, the
# square, for circles; and for categories ("Monday", "morning") the pair, a column for each combination (the **Cartesian
# product**). Every cross adds columns, and every column adds capacity.

# %%
random = np.random.default_rng(lesson.seed)
plane = random.uniform(-1, 1, (3000, 2)).astype("float32")
same_sign = (plane[:, 0] * plane[:, 1] > 0).astype(int)
crossed = np.column_stack([plane, plane[:, 0] * plane[:, 1]])
by_sklearn = PolynomialFeatures(2, interaction_only=True, include_bias=False).fit_transform(plane)
difference = np.abs(crossed - by_sklearn).max()
lesson.claim("crossed columns, ours less scikit-learn", difference, "<=", 1e-9, exact=True)
day, hour = np.eye(7)[2], np.eye(4)[1]  # Wednesday; the second quarter of the day
pair = np.outer(day, hour).ravel()  # 28 columns
lesson.claim("category cross of 7 and 4, the column that is 1", int(pair.argmax()), "==", 2 * 4 + 1, exact=True)


def linear_model(columns, seed):
    """Test accuracy of logistic regression of the zoo on 2,000 points and 1,000 new ones."""
    keras.utils.set_random_seed(seed)
    model = zoo.build("logistic_regression", input_shape=(columns.shape[1],))
    model.compile(keras.optimizers.Adam(0.1), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(columns[:2000], same_sign[:2000, None], batch_size=100, epochs=1 if lesson.smoke else 5, verbose=0)
    return float(np.mean((ops.convert_to_numpy(model(columns[2000:]))[:, 0] > 0) == same_sign[2000:]))


plain = [linear_model(plane, seed) for seed in lesson.seeds]
lifted = [linear_model(crossed, seed) for seed in lesson.seeds]
print(f"XOR, test accuracy without the cross {plain}, with it {lifted}")
lesson.claim("XOR, linear model, best seed", max(plain), "<=", 0.65, baseline={"chance": 0.5})
lesson.claim("XOR, linear model with the cross, worst seed", min(lifted), ">=", 0.95, baseline={"without": max(plain)})

# %% [markdown]
# ## L1 makes zeros, L2 makes small
# Fifty features; five matter, forty-five are noise; a hundred examples. Two penalties:
#
# * **L2**: $\lambda \sum w_i^2$. Its derivative is $2 \lambda w_i$: the pull gets weaker as the weight gets smaller,
#   and never brings it to 0.
# * **L1**: $\lambda \sum |w_i|$. Its derivative is $\lambda\,\mathrm{sign}(w_i)$: the pull has the same size down to 0.
#   (At 0 itself there is none.) A weight that helps less than $\lambda$ ends
#   at exactly 0: the model is **sparse**. Linear regression with L1 is called the **lasso**.
#
# One trap: plain gradient descent does not find the zeros. At $w = .001$ it makes its full step of $\eta \lambda$ and
# lands on the other side. (Keras's `regularizers.L1` is used that way.) The **proximal** step finds them: after each
# step of gradient descent shrink every weight by $\eta \lambda$, and where it would change its sign, stop at 0
# (**soft thresholding**).

# %%
random = np.random.default_rng(lesson.seed)
features = random.normal(size=(100, 50))
truth = np.concatenate([[3.0, -2.0, 1.5, -1.5, 1.0], np.zeros(45)])
target = features @ truth + random.normal(size=100)
STRENGTH = 0.2


def descend(steps, proximal):
    """Half the mean squared error and L1, by gradient descent."""
    w, rate = np.zeros(50), 0.1
    for _ in range(steps):
        w = w - rate * features.T @ (features @ w - target) / 100
        if proximal:
            w = np.sign(w) * np.maximum(np.abs(w) - rate * STRENGTH, 0)
        else:
            w = w - rate * STRENGTH * np.sign(w)
    return w


lasso = Lasso(alpha=STRENGTH, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(features, target).coef_
ridge = Ridge(alpha=100 * STRENGTH, fit_intercept=False).fit(features, target).coef_
free = np.linalg.lstsq(features, target)[0]
proximal, subgradient = descend(2000, True), descend(2000, False)
found = {"L1": lasso, "L2": ridge, "L1 by plain steps": subgradient}
zeros = {name: int((w[5:] == 0).sum()) for name, w in found.items()}
print("of 45 useless weights exactly 0:", zeros)

figure = new_figure(10, 3.6)
left, right = figure.subplots(1, 2, sharey=True)
strengths, paths, _ = lasso_path(features, target, alphas=np.logspace(0.5, -2.5, 60))
left.semilogx(strengths, paths[5:].T, color=THIRD, linewidth=0.6)
left.semilogx(strengths, paths[:5].T, color=INK)
alphas = np.logspace(1, -3, 60)
shrunk = np.array([Ridge(alpha=100 * alpha, fit_intercept=False).fit(features, target).coef_ for alpha in alphas])
right.semilogx(alphas, shrunk[:, 5:], color=THIRD, linewidth=0.6)
right.semilogx(alphas, shrunk[:, :5], color=INK)
left.set(xlabel="strength of the penalty", ylabel="weight", title="L1: the useless (grey) become exactly 0")
right.set(xlabel="strength of the penalty", title="L2: all get smaller, none is 0")
lesson.plot(figure, "weight_paths")
lesson.claim("L1, ours less scikit-learn", np.abs(proximal - lasso).max(), "<=", 1e-6, exact=True)
lesson.claim("L1, share of the useless weights that are 0", zeros["L1"] / 45, ">=", 0.7, exact=True)
lesson.claim("L1, useful weights that are 0", int((lasso[:5] == 0).sum()), "==", 0, exact=True)
lesson.claim("L2, useless weights that are 0", zeros["L2"], "==", 0, baseline={"L1": zeros["L1"]}, exact=True)
ratio = np.linalg.norm(ridge) / np.linalg.norm(free)
lesson.claim("L2, norm of the weights over that without", ratio, "<=", 0.95, exact=True)
lesson.claim("L1 by plain gradient descent, weights that are 0", zeros["L1 by plain steps"], "==", 0, exact=True)
point = np.array([0.5, -2.0, 3.0])
slopes = [
    ops.convert_to_numpy(gradient(lambda w, r=r: r(w), ops.convert_to_tensor(point)))
    for r in (keras.regularizers.L1(0.1), keras.regularizers.L2(0.1))
]
difference = max(np.abs(slopes[0] - 0.1 * np.sign(point)).max(), np.abs(slopes[1] - 0.1 * 2 * point).max())
lesson.claim("derivatives of L1 and L2, ours less Keras", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# ## Weight decay is not L2 under Adam
# L2 adds $\lambda w$ to the gradient (with $\frac\lambda2 \|w\|^2$). Weight decay shrinks the weight itself. For plain
# gradient descent that is the same:
#
# $$w - \eta (g + \lambda w) = (1 - \eta\lambda)\, w - \eta g.$$
#
# With $\eta = .01$ and $\lambda = .1$ a weight keeps .999 of its size in each step. (Do not forget the $\eta$: without
# it .9 is left, a hundred times as much decay.)
#
# Adam divides the gradient by its usual size, and so the $\lambda w$ in it as well. Weights with large gradients are
# then hardly held back. AdamW (lesson 03) shrinks them apart from that. We show it with two weights, both 1, whose
# gradients jump between plus and minus 10, and plus and minus .1. Nothing in the data pulls at them: only the penalty
# should.


# %%
def adam_walk(decay_in_gradient, decay_apart, steps=1000, rate=0.01):
    w, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    for t in range(1, steps + 1):
        g = np.array([10.0, 0.1]) * (-1) ** t + decay_in_gradient * w
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        step = rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
        w = w - step - rate * decay_apart * w
    return w


variable = keras.Variable([1.0], dtype="float64")
keras.optimizers.SGD(0.01, weight_decay=0.1).apply([ops.convert_to_tensor(np.array([0.5]))], [variable])
ours = (1 - 0.01 * 0.1) * 1.0 - 0.01 * 0.5
penalised = 1.0 - 0.01 * (0.5 + 0.1 * 1.0)
difference = abs(ours - float(ops.convert_to_numpy(variable)[0]))
lesson.claim("weight decay, one step, ours less Keras", difference, "<=", 1e-6, exact=True)
lesson.claim("gradient descent, weight decay less L2", abs(ours - penalised), "<=", 1e-12, exact=True)
keeps = round(ours + 0.01 * 0.5, 4)
lesson.claim("weight decay, share that a weight keeps in one step", keeps, "==", 0.999, exact=True)
inside, apart = adam_walk(0.05, 0.0), adam_walk(0.0, 0.05)
print(f"after 1,000 steps of Adam with L2: {np.round(inside, 3)}; with weight decay: {np.round(apart, 3)}")
lesson.claim("Adam with L2, large-gradient weight less the other", inside[0] - inside[1], ">=", 0.3, exact=True)
lesson.claim("AdamW, difference of the two weights", abs(apart[0] - apart[1]), "<=", 0.05, exact=True)

# %% [markdown]
# ## Dropout
# In each training step, **dropout** sets each unit to 0 with probability $p$. No unit can lean on another one being
# there. The others are divided by $1 - p$, so that the mean stays: $(1 - p) \cdot \frac{h}{1 - p} = h$. In testing
# nothing is dropped, and nothing has to be changed.


# %%
def dropout(h, p, random):
    return h * (random.random(h.shape) >= p) / (1 - p)


signal = np.linspace(0.5, 2, 4)
many = np.broadcast_to(signal, (200_000, 4))
ours = dropout(many, 0.3, np.random.default_rng(lesson.seed))
by_keras = ops.convert_to_numpy(layers.Dropout(0.3, seed=lesson.seed)(many.astype("float32"), training=True))
values = [np.unique(np.round(each[:, 0], 5)) for each in (ours, by_keras)]
against_signal, against_keras = (np.abs(ours.mean(0) / mean - 1).max() for mean in (signal, by_keras.mean(0)))
lesson.claim("dropout, mean against the signal, relative", against_signal, "<=", 0.01, exact=True)
lesson.claim("dropout, mean against Keras's, relative", against_keras, "<=", 0.02, exact=True)
difference = np.abs(values[0] - values[1]).max()
lesson.claim("dropout, the two values that a unit takes, ours less Keras", difference, "<=", 1e-5, exact=True)
untouched = ops.convert_to_numpy(layers.Dropout(0.3)(many[:5].astype("float32"), training=False))
lesson.claim("dropout in testing, change of the signal", np.abs(untouched - many[:5]).max(), "<=", 1e-6, exact=True)

# %% [markdown]
# ## A network that believes wrong labels
# 300 small digits for training, and 30 % of their labels are drawn anew (one in ten of those comes out right). One
# hidden layer of 100 ReLUs (the network `mlp` with weights of its own; its gradient is that of lesson 02), 2,000 steps.
# Expected: it learns all 300 labels by heart, the wrong ones too, and pays for it on the test set. Three cures, each
# alone:
#
# * **early stopping**: look at the loss on the validation set, and keep the weights of the step where it was lowest;
# * weight decay;
# * dropout of one half.
#
# A fourth one needs no new idea: more data.

# %%
digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.data))
images, labels = (digits.data[order] / 16).astype("float32"), digits.target[order]
VALIDATION, TEST = slice(1000, 1300), slice(1300, None)
RATE, BATCH = 0.05, 32


def logits_of(weights, x):
    return np.maximum(x @ weights[0] + weights[1], 0) @ weights[2] + weights[3]


def scores(weights, x, y):
    """Cross-entropy and accuracy."""
    z = logits_of(weights, x)
    logs = z - z.max(1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(1, keepdims=True))
    return float(-logs[np.arange(len(y)), y].mean()), float(np.mean(z.argmax(1) == y))


def gradients(weights, x, y, keep=1.0):
    """Of the mean cross-entropy; `keep` multiplies the hidden units (dropout)."""
    hidden = np.maximum(x @ weights[0] + weights[1], 0) * keep
    z = hidden @ weights[2] + weights[3]
    powers = np.exp(z - z.max(1, keepdims=True))
    at_z = (powers / powers.sum(1, keepdims=True) - np.eye(10, dtype=x.dtype)[y]) / len(y)  # p - y
    at_hidden = (at_z @ weights[2].T) * keep * (hidden > 0)
    return [x.T @ at_hidden, at_hidden.sum(0), hidden.T @ at_z, at_z.sum(0)]


def moved(x, random):
    """Each 8 x 8 image moved by up to one pixel in each direction."""
    padded = np.pad(x.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    shifts = random.integers(0, 3, (len(x), 2))
    return np.stack([image[a : a + 8, b : b + 8] for image, (a, b) in zip(padded, shifts)]).reshape(-1, 64)


def train(count, seed, steps, wrong=0.0, decay=0.0, drop=0.0, augment=False):
    """Momentum; returns the training labels, and the weights every 20 steps."""
    random = np.random.default_rng(seed)
    chosen = random.permutation(1000)[:count]
    x, y = images[chosen], labels[chosen].copy()
    changed = random.random(count) < wrong
    y[changed] = random.integers(10, size=changed.sum())
    kernels = [random.normal(0, np.sqrt(2 / n), (n, m)).astype("float32") for n, m in ((64, 100), (100, 10))]
    weights = [kernels[0], np.zeros(100, "float32"), kernels[1], np.zeros(10, "float32")]
    speeds, kept = [np.zeros_like(weight) for weight in weights], []
    for step in range(20 if lesson.smoke else steps):
        batch = random.integers(count, size=BATCH)
        inputs = moved(x[batch], random) if augment else x[batch]
        keep = dropout(np.ones((BATCH, 100), "float32"), drop, random).astype("float32") if drop else np.float32(1)
        for weight, speed, g in zip(weights, speeds, gradients(weights, inputs, y[batch], keep)):
            speed *= 0.9
            speed -= RATE * g
            # Momentum of .9 makes the steps ten times as long in the end; the decay, which has none, is to match.
            weight += speed - (10 * RATE * decay * weight if weight.ndim == 2 else 0)
        if step % 20 == 19:
            kept.append([weight.copy() for weight in weights])
    return (x, y), kept


keras.utils.set_random_seed(lesson.seed)
model = zoo.build("mlp", input_shape=(64,), hidden=(100,))
before = model.get_weights()
model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.train_on_batch(images[:32], labels[:32])
by_keras = [old - new for old, new in zip(before, model.get_weights())]
difference = max(np.abs(a - b).max() for a, b in zip(gradients(before, images[:32], labels[:32]), by_keras))
lesson.claim("mlp, gradient, ours less Keras", difference, "<=", 1e-6, exact=True)

CURES = {"nothing": {}, "weight decay": {"decay": 0.01}, "dropout": {"drop": 0.5}}
tested, learnt, curves = {name: [] for name in (*CURES, "early stopping")}, [], []
for seed in lesson.seeds:
    for name, options in CURES.items():
        training, kept = train(300, seed, 2000, wrong=0.3, **options)
        tested[name].append(scores(kept[-1], images[TEST], labels[TEST])[1])
        if name == "nothing":
            learnt.append(scores(kept[-1], *training)[1])
            curve = np.array([scores(weights, images[VALIDATION], labels[VALIDATION])[0] for weights in kept])
            curves.append((curve, [scores(weights, *training)[0] for weights in kept]))
            tested["early stopping"].append(scores(kept[curve.argmin()], images[TEST], labels[TEST])[1])
more = [scores(train(1000, seed, 2000, wrong=0.3)[1][-1], images[TEST], labels[TEST])[1] for seed in lesson.seeds]

figure = new_figure(10, 3.5)
left, right = figure.subplots(1, 2)
curve, on_training = curves[0]
steps = 20 * np.arange(1, len(curve) + 1)
left.plot(steps, on_training, color=THIRD, label="training, 30 % of the labels drawn anew")
left.plot(steps, curve, color=INK, label="validation")
left.axvline(steps[curve.argmin()], color=SECOND, linestyle="--", label="stop here")
left.set(xlabel="step", ylabel="cross-entropy", title="it learns the wrong labels by heart")
left.legend(frameon=False, fontsize=8)
for place, (name, each) in enumerate({**tested, "1,000 digits": more}.items()):
    right.bar(place, np.mean(each), color=SECOND if name == "nothing" else INK)
    right.plot([place] * len(each), each, "o", color="black", markersize=3)
right.set(xticks=range(len(tested) + 1), ylim=(0, 1), ylabel="test accuracy (dots: seeds)", title="each cure alone")
right.set_xticklabels([*tested, "1,000 digits"], fontsize=7.5)
lesson.plot(figure, "wrong_labels")
print("training accuracy on wrong labels", np.round(learnt, 3))
for name, each in {**tested, "1,000 digits": more}.items():
    print(f"{name:15} test accuracy {np.round(each, 3).tolist()}")
nothing = {"nothing": max(tested["nothing"])}
lesson.claim("wrong labels, training accuracy without a cure, worst seed", min(learnt), ">=", 0.98)
for name in ("weight decay", "dropout", "early stopping"):
    gain = min(np.array(tested[name]) - tested["nothing"])
    lesson.claim(f"wrong labels, {name}, gain in test accuracy, worst seed", gain, ">=", 0.02, baseline=nothing)

# %% [markdown]
# In practice one does not wait until the end: stop when the validation loss has not improved for some epochs (the
# **patience**). Our rule in three lines, and Keras's `EarlyStopping` on the same curve, must stop at the same epoch.


# %%
def stop_at(losses, patience):
    best, best_at = np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, best_at = loss, epoch
        elif epoch - best_at >= patience:
            return epoch
    return len(losses) - 1


made_up = [1.0, 0.8, 0.7, 0.72, 0.69, 0.75, 0.71, 0.70, 0.9]
callback = keras.callbacks.EarlyStopping("val_loss", patience=3)
callback.set_model(model)
callback.on_train_begin()
model.stop_training = False
for epoch, loss in enumerate(made_up):
    callback.on_epoch_end(epoch, {"val_loss": loss})
    if model.stop_training:
        break
difference = stop_at(made_up, 3) - callback.stopped_epoch
lesson.claim("early stopping, epoch, ours less Keras", difference, "==", 0, exact=True)

# %% [markdown]
# ## Augmentation
# **Data augmentation** makes new training examples out of old ones by changes that do not change the class: moving,
# turning, cropping, other colours, a little noise. (Flipping is right for cats and wrong for letters.) Here the digits
# will be used by people who do not centre them: the test digits are moved by up to one pixel. We train on 300 digits,
# as they are, and moved anew at each step.

# %%
off_centre = moved(images[TEST], np.random.default_rng(1000))
centred, shifted = [], []
for seed in lesson.seeds:
    for found, augment in ((centred, False), (shifted, True)):
        found.append(scores(train(300, seed, 1000, augment=augment)[1][-1], off_centre, labels[TEST])[1])
print(f"moved test digits: trained on centred ones {np.round(centred, 3)}, on moved ones {np.round(shifted, 3)}")
lesson.claim("moved digits, accuracy with augmentation, worst seed", min(shifted), ">=", 0.8, baseline={"chance": 0.1})
lesson.claim("moved digits, gain by augmentation, worst seed", min(np.array(shifted) - centred), ">=", 0.3)

# %% [markdown]
# ## Is it better, or was it luck? K folds
# With few examples a single split into training and test may be lucky. **K-fold cross-validation** makes $K$ parts;
# each is the test set once, and the other $K - 1$ train. Each example is tested exactly once, by a model that did not
# see it. The mean is the estimate, and the spread says how much to trust it. What is fitted to the data (such as
# standardising) must be fitted inside each fold, or the test part leaks in (**data leakage**).
#
# Data: 569 tumours with 30 measurements; model: logistic regression with three strengths of L2 (scikit-learn's `C` is
# the *inverse* of the strength).


# %%
def k_fold(count, k):
    """The test parts: k runs of numbers, as equal as can be."""
    return np.array_split(np.arange(count), k)


parts = [test for _, test in KFold(10).split(np.zeros((569, 1)))]
same = all(np.array_equal(a, b) for a, b in zip(k_fold(569, 10), parts))
lesson.claim("ten folds of 569, ours are scikit-learn's", int(same), "==", 1, exact=True)
tumours, malignant = load_breast_cancer(return_X_y=True)
folds = KFold(10, shuffle=True, random_state=lesson.seed)
boxes = {
    f"C = {c:g}": cross_val_score(make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000)),
                                  tumours, malignant, cv=folds)
    for c in (1e-4, 1.0, 1e4)
}  # fmt: skip
splits = []
for seed in range(10):
    x, x_test, y, y_test = train_test_split(tumours, malignant, test_size=0.1, random_state=seed)
    splits.append(make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y).score(x_test, y_test))
figure = new_figure(6.5, 3.4)
axes = figure.subplots()
axes.boxplot([*boxes.values(), splits], tick_labels=[*boxes, "C = 1, ten\nsingle splits"])
commonest = float(np.mean(malignant))
axes.axhline(commonest, color="black", linestyle=":", label="commonest class")
axes.set(ylabel="test accuracy", title="ten folds: too strong a penalty, a good one, a weak one")
axes.legend(frameon=False)
lesson.plot(figure, "k_folds")
print({name: f"{each.mean():.3f} +- {each.std():.3f}" for name, each in boxes.items()})
mean, baseline = boxes["C = 1"].mean(), {"commonest class": commonest}
lesson.claim("ten folds, C = 1, mean accuracy", mean, ">=", 0.96, baseline=baseline, exact=True)
gain = boxes["C = 1"].mean() - boxes["C = 0.0001"].mean()
lesson.claim("ten folds, C = 1 less C = 0.0001", gain, ">=", 0.05, exact=True)
lesson.claim("ten single splits, best less worst", max(splits) - min(splits), ">=", 0.03, exact=True)

# %% [markdown]
# ## Try it
# * Replace all labels of the 300 digits by chance. What is the training accuracy after 2,000 steps, and what the test
#   accuracy?
#
# <details><summary>Solution</summary>
#
# Put `wrong=1.0` into the call of `train` in the loop. The network learns nearly all of them by heart all the same, and
# is right on about one test digit in ten: there is no rule to find. Zhang et al., 2017, showed this for large networks.
# </details>
#
# * Which cross solves "inside a circle"? Let `same_sign` be `((plane**2).sum(1) < 0.6).astype(int)`.
#
# <details><summary>Solution</summary>
#
# The squares: write `columns = np.column_stack([plane, plane**2])` and train `linear_model(columns, seed)`. Then
# $x_1^2 + x_2^2$ is a weighted sum, and the bias is the square of the radius. The product $x_1 x_2$ does not help:
# `crossed` gets about what `plane` gets. (The claim about XOR with the cross fails, of course.)
# </details>
#
# * Combine weight decay and dropout. Do the gains add up?
#
# <details><summary>Solution</summary>
#
# Add `"both": {"decay": 0.01, "drop": 0.5}` to `CURES`. They do not add up: both take the same fault away, and together
# they reach about what weight decay reaches alone.
# </details>

# %%
lesson.finish()
