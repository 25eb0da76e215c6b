# %% [markdown]
# # 04 · Initialisation and batch normalisation: keeping the signal alive
#
# A deep network multiplies, layer after layer. Halve a number fifty times, and almost nothing is left; double it fifty
# times, and it is a million billion times as large. The same is true for the gradient on its way back. This lesson
# looks at all that decides whether a signal survives: the activation function, the first weights, the length of a step,
# and a layer that puts every signal back to size.
#
# **You will see** the activation functions with their slopes, signals that die and explode on their way through fifty
# layers, and four failures: a network whose first weights are too small, one whose units have died, a step thrown off a
# cliff, and a network with batch normalisation that is used too early.
#
# **Claims** Our derivatives, gradients, clipping and batch normalisation equal Keras's to 1e-6. After 50 layers He's
# weights keep a signal's size within a factor of 3, and weights of .01 leave less than 1e-20 of it. With a rate of 2 at
# least nine in ten ReLUs die, and leaky ReLUs go on learning.
#
# **Beside them** chance, and the same networks with the cause taken away.
#
# **Takes** 10 seconds on one core (AMD EPYC).
#
# **Read on** X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010
# ([PMLR 9](https://proceedings.mlr.press/v9/glorot10a.html)). K. He et al., "Delving Deep into Rectifiers", 2015
# ([arXiv:1502.01852](https://arxiv.org/abs/1502.01852)). S. Ioffe and C. Szegedy, "Batch Normalization", 2015
# ([arXiv:1502.03167](https://arxiv.org/abs/1502.03167)). R. Pascanu et al., "On the difficulty of training recurrent
# neural networks", 2013 ([arXiv:1211.5063](https://arxiv.org/abs/1211.5063)). Goodfellow, Bengio and Courville, *Deep
# Learning*, 2016, sections 8.4 and 8.7.1.

# %%
import keras
import numpy as np
from keras import layers, ops
from lesson import Tutorial
from sklearn.datasets import load_digits

import zoo
from zoo.backend import gradient
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("04_initialisation_and_batch_norm")

# %% [markdown]
# ## Activation functions and their slopes
# In the backward pass each layer multiplies the gradient by the slope of its activation function. Look at the slopes:
#
# | name | $g(z)$ | $g'(z)$ |
# |---|---|---|
# | sigmoid | $1 / (1 + e^{-z})$ | $g(1 - g)$, at most $1/4$ |
# | tanh | $(e^z - e^{-z}) / (e^z + e^{-z})$ | $1 - g^2$, at most 1 |
# | ReLU | $\max(0, z)$ | 1 if $z > 0$, else 0 |
# | **leaky ReLU** | $\max(0.01 z, z)$ | 1 if $z > 0$, else 0.01 |
# | **maxout** | $\max(w_1 z + b_1, w_2 z + b_2)$ | the slope of the larger piece |
#
# Sigmoid and tanh are flat at both ends: there they are saturated (lesson 02), and nothing comes back. ReLU is never
# flat on the right: this helps against gradients that shrink. Against gradients that grow it does nothing.


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def maxout(z, maximum=np.maximum):
    return maximum(0.5 * z + 1.0, -1.0 * z)


SLOPES = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z)), ops.sigmoid),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2, ops.tanh),
    "ReLU": (lambda z: np.maximum(0, z), lambda z: np.where(z > 0, 1.0, 0.0), ops.relu),
    "leaky ReLU": (
        lambda z: np.maximum(0.01 * z, z), lambda z: np.where(z > 0, 1.0, 0.01),
        lambda z: ops.leaky_relu(z, negative_slope=0.01),
    ),
    "maxout": (maxout, lambda z: np.where(0.5 * z + 1 > -z, 0.5, -1.0), lambda z: maxout(z, ops.maximum)),
}  # fmt: skip
z = np.linspace(-5, 5, 1000)  # without 0 itself, where three of them have no slope
figure = new_figure(12, 2.8)
differences = []
for axes, (name, (value, slope, in_keras)) in zip(figure.subplots(1, 5, sharey=True), SLOPES.items()):
    axes.plot(z, value(z), color=INK, label="g")
    axes.plot(z, slope(z), color=SECOND, label="g', its slope")
    axes.set(title=name, xlabel="z", ylim=(-1.3, 2.2))
    axes.grid(alpha=0.3)
    by_keras = gradient(lambda z, f=in_keras: ops.sum(f(z)), ops.convert_to_tensor(z))
    differences.append(np.abs(slope(z) - ops.convert_to_numpy(by_keras)).max())
figure.axes[0].legend(frameon=False, fontsize=8)
lesson.plot(figure, "activations")
lesson.claim("five activations, slope, ours less Keras", max(differences), "<=", 1e-6, exact=True)
steepest = {name: float(SLOPES[name][1](np.array(0.0))) for name in ("sigmoid", "tanh")}
lesson.claim("sigmoid, largest slope", steepest["sigmoid"], "==", 0.25, exact=True)
lesson.claim("tanh, largest slope", steepest["tanh"], "==", 1.0, exact=True)

# %% [markdown]
# ## $1.5^L$
# The simplest deep network: no activation, no bias, and each layer multiplies by $1.5$. After 50 layers the signal is
# $1.5^{50} = 6.4 \cdot 10^8$ times as large. With $0.5$ it is $8.9 \cdot 10^{-16}$ times as large. The gradient makes
# the same way back, through the same matrices. If it grows from layer to layer it is an **exploding gradient**, if it
# shrinks a **vanishing gradient**: the first layers learn nothing.
#
# Computers add a limit of their own. Numbers of 32 bits reach to about $10^{38}$. Numbers of 16 bits
# (**float16**), which graphics cards like, reach from $6 \cdot 10^{-5}$ to 65,504 only. There $1.5^L$ ends at $L = 28$.

# %%
DEPTH = 50


def through(factor, count, dtype="float64"):
    """The sizes of a signal of 1 behind each of the layers."""
    signal, sizes = np.ones(2, dtype), []
    for _ in range(count):
        signal = (np.eye(2) * factor).astype(dtype) @ signal
        sizes.append(signal[0])
    return np.array(sizes)


grown, shrunk = through(1.5, DEPTH)[-1], through(0.5, DEPTH)[-1]
with np.errstate(over="ignore", invalid="ignore"):
    overflow = 1 + int(np.argmax(np.isinf(through(1.5, DEPTH, "float16"))))
lesson.claim("1.5 through 50 layers, in units of 1e8", round(grown / 1e8, 1), "==", 6.4, exact=True)
lesson.claim("0.5 through 50 layers, in units of 1e-16", round(shrunk / 1e-16, 1), "==", 8.9, exact=True)
lesson.claim("1.5 in 16 bits, first layer that overflows", overflow, "==", 28, exact=True)

# %% [markdown]
# ## The first weights
# All 0 would be no start. Then all units of a layer are equal, get equal gradients, and stay equal for ever: a layer of
# a hundred units is worth one. Chance must break the **symmetry**. But how large?
#
# A unit adds up $n$ inputs (its **fan-in**) with random weights of standard deviation $s$. If the inputs have a mean
# square of $q$, the sum has the variance $n s^2 q$. To keep the size we need $n s^2 = 1$. A ReLU throws half away, so
# $n s^2 = 2$:
#
# * **He initialisation**: $s = \sqrt{2 / n_{in}}$, for ReLU;
# * **Glorot initialisation** (or **Xavier**): $s = \sqrt{2 / (n_{in} + n_{out})}$, for tanh. It looks at the way back
#   as well, where the **fan-out** $n_{out}$ counts. $\sqrt{1 / n_{in}}$ is in use too, and is not the same: the program
#   prints all three for $n_{in} = 100$ and $n_{out} = 300$.
# * $s = .01$, "small numbers": the size falls by $.01 \sqrt{n / 2}$ in each layer.
#
# We send a hundred random examples through 50 layers of 256 units, and a random gradient back. Expected: He with ReLU
# stays; Glorot with tanh falls slowly; .01 falls by $.01 \sqrt{128} = .11$ a layer, to $10^{-46}$ or so; sigmoid lets
# the signal through, for it always gives about one half, but multiplies the gradient by 1/4 at most.


# %%
def he(n_in, n_out):
    return np.sqrt(2 / n_in)


def glorot(n_in, n_out):
    return np.sqrt(2 / (n_in + n_out))


def small(n_in, n_out):
    return 0.01


def sizes(deviation, activation, seed, normalise=False):
    """Standard deviation of the signal behind each layer, and of the gradient at each layer, first layer first."""
    random, width = np.random.default_rng(seed), 256
    value, slope, _ = SLOPES[activation]
    signal, kernels, sums, forward = random.normal(size=(100, width)), [], [], []
    for _ in range(DEPTH):
        kernels.append(random.normal(size=(width, width)) * deviation(width, width))
        sums.append(signal @ kernels[-1])
        if normalise:
            sums[-1] = (sums[-1] - sums[-1].mean(0)) / np.sqrt(sums[-1].var(0))
        signal = value(sums[-1])
        forward.append(signal.std())
    back, backward = random.normal(size=signal.shape), []
    for kernel, z in zip(kernels[::-1], sums[::-1]):
        back = back * slope(z)
        backward.append(back.std())
        back = back @ kernel.T
    return np.array(forward), np.array(backward[::-1])


STARTS = {
    "He, ReLU": (he, "ReLU"), "Glorot, tanh": (glorot, "tanh"), ".01, ReLU": (small, "ReLU"),
    "Glorot, sigmoid": (glorot, "sigmoid"),
}  # fmt: skip
paths = {name: [sizes(*start, seed) for seed in (0, 1, 2)] for name, start in STARTS.items()}
figure = new_figure(11, 3.8)
left, right = figure.subplots(1, 2, sharey=True)
for (name, runs), colour in zip(paths.items(), (INK, "#6a994e", SECOND, THIRD)):
    left.semilogy(range(1, DEPTH + 1), runs[0][0], color=colour, label=name)
    right.semilogy(range(1, DEPTH + 1), runs[0][1], color=colour, label=name)
left.set(xlabel="layer", ylabel="standard deviation", ylim=(1e-50, 1e4), title="forward: the signal, to the right")
right.set(xlabel="layer", title="backward: the gradient, to the left")
right.legend(frameon=False)
lesson.plot(figure, "through_50_layers")

ratios = {name: [run[0][-1] / run[0][0] for run in runs] for name, runs in paths.items()}
back = {name: [run[1][0] / run[1][-1] for run in runs] for name, runs in paths.items()}
print("signal, layer 50 over layer 1:", {name: f"{np.mean(each):.2g}" for name, each in ratios.items()})
print("gradient, layer 1 over layer 50:", {name: f"{np.mean(each):.2g}" for name, each in back.items()})
both = ratios["He, ReLU"] + back["He, ReLU"]
lesson.claim("He, ReLU: smallest ratio over 50 layers", min(both), ">=", 0.3, exact=True)
lesson.claim("He, ReLU: largest ratio over 50 layers", max(both), "<=", 3.0, exact=True)
lesson.claim("Glorot, tanh: smallest ratio over 50 layers", min(ratios["Glorot, tanh"]), ">=", 0.05, exact=True)
lesson.claim(".01, ReLU: largest ratio of the signal", max(ratios[".01, ReLU"]), "<=", 1e-20, exact=True)
lesson.claim("Glorot, sigmoid: largest ratio of the gradient", max(back["Glorot, sigmoid"]), "<=", 1e-20, exact=True)

print(f"fan-in 100, fan-out 300: Glorot {glorot(100, 300):.3f}, {(1 / 100) ** 0.5:.3f}, He {he(100, 300):.3f}")
differences = []
for formula, initializer in ((he, keras.initializers.HeNormal(0)), (glorot, keras.initializers.GlorotNormal(0))):
    drawn = ops.convert_to_numpy(initializer((300, 500))).std()
    differences.append(abs(drawn / formula(300, 500) - 1))
lesson.claim("He and Glorot, formula against what Keras draws, relative", max(differences), "<=", 0.01, exact=True)

# %% [markdown]
# ## The first failure: too small a start
# Now train: `mlp` with ten **hidden layers** of 64 ReLUs on 1,400 small digits (8 x 8 pixels), 400 steps of gradient
# descent with a rate of .05. The gradients are our own, by the chain rule of lesson 02, and are first held to Keras's.
# The same network starts once from He's weights and once from .01.

# %%
digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.data))
x, y = (digits.data[order] / 8 - 1).astype("float32"), digits.target[order]
x, y, x_test, y_test = x[:1400], y[:1400], x[1400:], y[1400:]
COMMONEST = float(np.mean(y_test == np.bincount(y).argmax()))


def first_weights(widths, deviation, seed):
    random = np.random.default_rng(seed)
    pairs = [
        (random.normal(0, deviation(n, m), (n, m)).astype("float32"), np.zeros(m, "float32"))
        for n, m in zip(widths, widths[1:])
    ]
    return [array for pair in pairs for array in pair]


def forward(weights, x, activation="ReLU"):
    """All hidden signals, and the logits."""
    signals = [x]
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2]):
        signals.append(SLOPES[activation][0](signals[-1] @ kernel + bias).astype(x.dtype))
    return signals, signals[-1] @ weights[-2] + weights[-1]


def gradients(weights, x, y, activation="ReLU"):
    """Of the mean cross-entropy, with respect to each weight."""
    signals, logits = forward(weights, x, activation)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    back = (powers / powers.sum(1, keepdims=True) - np.eye(10, dtype=x.dtype)[y]) / len(y)  # p - y
    found = []
    for layer in range(len(signals) - 1, -1, -1):
        found = [signals[layer].T @ back, back.sum(0), *found]
        back = (back @ weights[2 * layer].T) * SLOPES[activation][1](signals[layer]).astype(x.dtype)
    return found


def train(widths, deviation, seed, rate, steps, activation="ReLU"):
    weights, random = first_weights(widths, deviation, seed), np.random.default_rng(seed)
    for _ in range(3 if lesson.smoke else steps):
        chosen = random.integers(len(x), size=64)
        for weight, g in zip(weights, gradients(weights, x[chosen], y[chosen], activation)):
            weight -= rate * g
    return weights


def accuracy(weights, activation="ReLU"):
    return float(np.mean(forward(weights, x_test, activation)[1].argmax(1) == y_test))


DEEP = [64] + [64] * 10 + [10]
model = zoo.build("mlp", input_shape=(64,), hidden=(64,) * 10)
model.set_weights(first_weights(DEEP, he, lesson.seed))
before = model.get_weights()
model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.train_on_batch(x[:32], y[:32])
by_keras = [old - new for old, new in zip(before, model.get_weights())]
difference = max(np.abs(a - b).max() for a, b in zip(gradients(before, x[:32], y[:32]), by_keras))
lesson.claim("mlp with ten hidden layers, gradient, ours less Keras", difference, "<=", 1e-6, exact=True)

constant = [np.full_like(array, 0.05) for array in first_weights([64, 20, 10], he, 0)]
for _ in range(20):
    for weight, g in zip(constant, gradients(constant, x[:64], y[:64])):
        weight -= 0.1 * g
spread = float(np.abs(constant[0] - constant[0][:, :1]).max())
lesson.claim("equal first weights, difference between units after 20 steps", spread, "<=", 1e-6, exact=True)

deep = {
    name: [accuracy(train(DEEP, deviation, seed, 0.05, 400)) for seed in lesson.seeds]
    for name, deviation in (("He", he), (".01", small))
}
print("ten hidden layers, test accuracy:", {name: np.round(scores, 3).tolist() for name, scores in deep.items()})
baseline = {"commonest digit": COMMONEST}
lesson.claim("ten hidden layers, He, accuracy, worst seed", min(deep["He"]), ">=", 0.85, baseline=baseline)
lesson.claim("ten hidden layers, .01, accuracy, best seed", max(deep[".01"]), "<=", 0.3, baseline=baseline)

# %% [markdown]
# ## The second failure: units that are never on
# A ReLU whose sum is negative for *every* example gives 0 for every example. Its slope is 0 too, so its weights never
# change again: it is a **dead unit** (the **dying ReLU**). One step that is too long can do that: it pushes a bias far
# below 0. We count dead units: one hidden layer of 100, 300 steps, with a rate of .05, and with a rate of 2. Then with
# a rate of 2 again, but with leaky ReLUs, which keep a slope of .01 on the left and can come back.

# %%
WIDE = [64, 100, 10]


def dead(weights, activation="ReLU"):
    """The share of hidden units that are not above 0 for any training example."""
    return float(np.mean((forward(weights, x, activation)[0][1] <= 0).all(0)))


never_on, scores = {}, {}
for name, rate, kind in (("ReLU, .05", 0.05, "ReLU"), ("ReLU, 2", 2.0, "ReLU"), ("leaky, 2", 2.0, "leaky ReLU")):
    runs = [train(WIDE, he, seed, rate, 300, kind) for seed in lesson.seeds]
    never_on[name], scores[name] = [dead(each, kind) for each in runs], [accuracy(each, kind) for each in runs]
figure = new_figure(10, 3.2)
left, middle, right = figure.subplots(1, 3)
for axes, values, title in (
    (left, deep, "ten layers, by first weights"), (middle, never_on, "share of units that are never on"),
    (right, scores, "their test accuracy"),
):  # fmt: skip
    for place, (name, each) in enumerate(values.items()):
        axes.bar(place, np.mean(each), color=(INK, SECOND, THIRD)[place])
        axes.plot([place] * len(each), each, "o", color="black", markersize=3)
    axes.set(xticks=range(len(values)), xticklabels=values, ylim=(0, 1.05), title=title)
left.set_ylabel("test accuracy (dots: seeds)")
for axes in (left, right):
    axes.axhline(COMMONEST, color="black", linestyle=":")
lesson.plot(figure, "failures")
lesson.claim("ReLU, rate .05, dead units, worst seed", max(never_on["ReLU, .05"]), "<=", 0.1)
lesson.claim("ReLU, rate 2, dead units, best seed", min(never_on["ReLU, 2"]), ">=", 0.9,
             baseline={"rate .05": max(never_on["ReLU, .05"])})  # fmt: skip
gain = min(scores["leaky, 2"]) - max(scores["ReLU, 2"])
lesson.claim("rate 2, accuracy, leaky ReLU less ReLU, worst against best", gain, ">=", 0.4, baseline=baseline)

# %% [markdown]
# Many of the leaky units are below 0 for all examples as well. But they still learn: that is what the .01 is for.
#
# ## The third failure: a cliff
# Ten layers of one weight each, the same in all: $y = w^{10}$. The target is 1, the loss $(w^{10} - 1)^2 / 2$. Between
# $w = 1$ and $w = 1.5$ it rises from 0 to over 1,000: a cliff. At 1.5 the gradient is above 20,000, and a step of rate
# .01 ends below -200. The cure is **gradient clipping**: a gradient with a norm above $c$ is made shorter, and keeps
# its direction,
#
# $$g \leftarrow g \cdot \min(1, c / \|g\|).$$


# %%
def clipped(g, limit):
    return g * min(1.0, limit / max(np.linalg.norm(g), 1e-12))


def cliff(w):
    return 10 * w**9 * (w**10 - 1)  # the gradient


def fall(limit, steps, w=1.5):
    for _ in range(steps):
        w = w - 0.01 * clipped(np.array([cliff(w)]), limit)[0]
    return w


thrown, held = fall(np.inf, 1), fall(1.0, 100)
print(f"one step without clipping ends at {thrown:.0f}; a hundred steps with clipping end at {held:.3f}")
lesson.claim("cliff, without clipping, distance to the minimum after 1 step", abs(thrown - 1), ">=", 100, exact=True)
lesson.claim("cliff, clipped, distance to the minimum after 100 steps", abs(held - 1), "<=", 0.01, exact=True)
variable = keras.Variable([1.0, 2.0, 3.0], dtype="float64")
start, g = ops.convert_to_numpy(variable).copy(), np.array([3.0, -4.0, 12.0])  # a norm of 13
keras.optimizers.SGD(1.0, global_clipnorm=2.0).apply([ops.convert_to_tensor(g)], [variable])
difference = np.abs(start - clipped(g, 2.0) - ops.convert_to_numpy(variable)).max()
lesson.claim("clipping, ours less Keras", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# ## Batch normalisation
# If good sizes are so important, why not force them? **Batch normalisation** takes each unit's sums $z$ over the batch
# and makes their mean 0 and their variance 1. Then it lets the network choose a scale $\gamma$ and a shift $\beta$,
# which are trained:
#
# $$\mu = \frac1n \sum_i z_i, \qquad \sigma^2 = \frac1n \sum_i (z_i - \mu)^2, \qquad
# y_i = \gamma\, \frac{z_i - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta$$
#
# over the $n$ examples of the batch; the small $\epsilon$ keeps from dividing by 0. With it, a signal keeps its size
# through 50 layers even if the first weights are .01.
#
# But what is "the batch" when one single example comes? A batch of one has $z = \mu$, so every example gives the same,
# $\beta$. So there are two modes. In training, the batch's own $\mu$ and $\sigma^2$ are used, and a **running average**
# of them is kept on the side:
#
# $$\bar\mu \leftarrow m\,\bar\mu + (1 - m)\,\mu,$$
#
# with a **momentum of the average** $m$, .99 in Keras. In testing, the running averages are used. It is the moving
# average of lesson 03, which starts at mean 0 and variance 1. There is no bias correction.

# %%
EPSILON = 1e-3


def batch_norm(z, mean, variance, gamma, beta):
    return gamma * (z - mean) / np.sqrt(variance + EPSILON) + beta


random = np.random.default_rng(lesson.seed)
gamma, beta = random.normal(size=5), random.normal(size=5)
layer = layers.BatchNormalization(dtype="float64", momentum=0.99, epsilon=EPSILON)
layer.build((None, 5))
mean, variance = np.zeros(5), np.ones(5)
layer.set_weights([gamma, beta, mean, variance])
differences = []
for _ in range(30):
    z = random.normal(size=(16, 5)) * 3 + 2
    batch_mean, batch_variance = z.mean(0), np.mean((z - z.mean(0)) ** 2, 0)
    ours = batch_norm(z, batch_mean, batch_variance, gamma, beta)
    differences.append(np.abs(ours - ops.convert_to_numpy(layer(z, training=True))).max())
    mean, variance = 0.99 * mean + 0.01 * batch_mean, 0.99 * variance + 0.01 * batch_variance
lesson.claim("batch normalisation, training, ours less Keras", max(differences), "<=", 1e-6, exact=True)
kept = layer.get_weights()[2:]
difference = max(np.abs(mean - kept[0]).max(), np.abs(variance - kept[1]).max())
lesson.claim("batch normalisation, running averages, ours less Keras", difference, "<=", 1e-6, exact=True)
difference = np.abs(batch_norm(z, mean, variance, gamma, beta) - ops.convert_to_numpy(layer(z, training=False))).max()
lesson.claim("batch normalisation, testing, ours less Keras", difference, "<=", 1e-6, exact=True)
alone = np.concatenate([ops.convert_to_numpy(layer(example[None], training=True)) for example in z])
lesson.claim("batches of one in training mode, spread of the outputs", np.ptp(alone, axis=0).max(), "<=", 1e-9,
             baseline={"as one batch": np.ptp(ours, axis=0).max()}, exact=True)  # fmt: skip
normalised = sizes(small, "ReLU", 0, normalise=True)[0]
lesson.claim(".01, ReLU, normalised, ratio of the signal over 50 layers", normalised[-1] / normalised[0], ">=", 0.5,
             baseline={"without": ratios[".01, ReLU"][0]}, exact=True)  # fmt: skip

# %% [markdown]
# ## The fourth failure: used too early
# We train a small network with batch normalisation on digits from a scanner whose white is not 0: their pixels run from
# 32 to 48. We stop after 40 steps. How much have the running averages seen by then? With a momentum of .99,
# $1 - .99^{40} = 33\,\%$; the rest is still the mean 0 and the variance 1 of the start. With .9 it is
# $1 - .9^{40} = 99\,\%$. Nothing else differs: in training mode the two networks are the same. Expected: in testing
# mode, the first does much worse.

# %%
raw, raw_test = 40 + 8 * x, 40 + 8 * x_test


def normalised_network(momentum):
    image = keras.Input((64,), name="image")
    h = layers.BatchNormalization(momentum=momentum, name="norm")(layers.Dense(32, name="hidden")(image))
    model = keras.Model(image, layers.Dense(10, name="logits")(layers.ReLU(name="relu")(h)), name="normalised")
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def share_right(model, training):
    logits = ops.convert_to_numpy(model(raw_test, training=training))
    return float(np.mean(logits.argmax(1) == y_test))


modes = {0.99: [], 0.9: []}
for seed in lesson.seeds:
    for momentum, found in modes.items():
        keras.utils.set_random_seed(seed)
        model = normalised_network(momentum)
        random = np.random.default_rng(seed)
        for _ in range(2 if lesson.smoke else 40):
            chosen = random.integers(len(raw), size=64)
            model.train_on_batch(raw[chosen], y[chosen])
        found.append((share_right(model, False), share_right(model, True)))
modes = {momentum: np.array(found) for momentum, found in modes.items()}
reached = {momentum: 1 - momentum ** np.arange(201) for momentum in modes}
figure = new_figure(9, 3.4)
left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
for (momentum, curve), colour in zip(reached.items(), (SECOND, INK)):
    left.plot(curve, color=colour, label=f"momentum {momentum}")
left.axvline(40, color="black", linestyle=":", label="step 40")
left.set(xlabel="step", ylabel="share that the average has seen", title="the running average needs time")
left.legend(frameon=False)
for place, (momentum, found) in enumerate(modes.items()):
    right.bar([place - 0.2, place + 0.2], found.mean(0), 0.36, color=(SECOND, THIRD))
    right.plot([place - 0.2] * len(found), found[:, 0], "o", color="black", markersize=3)
right.set(xticks=(0, 1), xticklabels=[f"momentum {m}" for m in modes], ylim=(0, 1.05), ylabel="test accuracy")
right.set_title("red: testing mode, grey: training mode")
lesson.plot(figure, "running_average")
means = {momentum: np.round(each.mean(0), 3).tolist() for momentum, each in modes.items()}
print("step 40, accuracy in testing and in training mode:", means)
lost = (modes[0.99][:, 1] - modes[0.99][:, 0]).min()
lesson.claim("momentum .99, step 40, accuracy lost in testing mode, worst seed", lost, ">=", 0.2,
             baseline={"momentum .9": (modes[0.9][:, 1] - modes[0.9][:, 0]).max()})  # fmt: skip
gain = (modes[0.9][:, 0] - modes[0.99][:, 0]).min()
lesson.claim("step 40, testing mode, momentum .9 less .99, worst seed", gain, ">=", 0.2)

# %% [markdown]
# Even .9 loses something: its average looks back about ten steps, and the weights have moved since. So a good training
# loss with a bad validation loss in the first epochs may be no overfitting at all: the averages are not there yet.
# Wait, or take a smaller momentum for a short training, or let the learning rate fall at the end.
#
# ## Try it
# * Give the 50 layers weights 20 % larger than He's. What happens to the signal?
#
# <details><summary>Solution</summary>
#
# `return 1.2 * np.sqrt(2 / n_in)` in `he`. The size grows by 1.2 in each layer, so by $1.2^{49}$, thousands of times,
# from the first to the last. The claim of the factor 3 fails, and so do some after it: from some seeds the network of
# ten layers does not learn any more. A small error in each layer is a large one after fifty.
# </details>
#
# * How many dead units does a rate of 1 leave?
#
# <details><summary>Solution</summary>
#
# Change the 2.0 of `"ReLU, 2"` to 1.0. Some units die, and the network still learns: it has others. Death matters when
# it takes nearly all.
# </details>
#
# * Clip each entry of the gradient to the range from -1 to 1 in place of the norm. What is lost?
#
# <details><summary>Solution</summary>
#
# `return np.clip(g, -limit, limit)` in `clipped` (Keras: `clipvalue`). The direction: with a limit of 1, $(3, -4, 12)$
# becomes $(1, -1, 1)$. The claim about Keras's clipping by norm fails; for the cliff, which has one weight, it is the
# same.
# </details>

# %%
lesson.finish()
