# %% [markdown]
# # 03 · Optimizers: how to walk downhill
#
# Lesson 02 found the gradient. Now, what do we do with it? The simplest answer is a step against it. Every better
# answer keeps something in memory: a mean of the last gradients, or of their squares. Each is two lines of NumPy, and
# each is held to Keras here. A small slip in such a rule raises no error; you will see what it costs.
#
# **You will see** five optimizers racing through a valley and off a saddle (an animation), Newton's method, which needs
# one step, or walks to the wrong place, five learning rate schedules, and what the size of a batch does and does not
# do. The failures of this lesson: a step too long, a start on a saddle, a batch too large, an epsilon in another place.
#
# **Claims** Gradient descent, momentum, AdaGrad, RMSProp, Adam and AdamW equal Keras to 1e-6. A rate of .2 that falls
# as 1/(1 + epoch) is .1, .0667, .05, .04. A large batch learns less in as many epochs, and as much in as many steps.
#
# **Beside them** gradient descent with nine tenths of the longest step that does not diverge.
#
# **Takes** 12 seconds on one core (AMD EPYC).
#
# **Read on** J. Duchi, E. Hazan and Y. Singer, "Adaptive Subgradient Methods", JMLR 12, 2011 (AdaGrad). T. Tieleman and
# G. Hinton, "Lecture 6.5: RMSProp", Coursera, 2012. D. Kingma and J. Ba, "Adam", 2015
# ([arXiv:1412.6980](https://arxiv.org/abs/1412.6980)). I. Loshchilov and F. Hutter, "Decoupled Weight Decay
# Regularization", 2019 ([arXiv:1711.05101](https://arxiv.org/abs/1711.05101)). Y. Dauphin et al., "Identifying and
# attacking the saddle point problem", 2014 ([arXiv:1406.2572](https://arxiv.org/abs/1406.2572)). Goodfellow, Bengio
# and Courville, *Deep Learning*, 2016, chapter 8.

# %%
import time

import keras
import numpy as np
from keras import ops
from keras.optimizers import schedules
from lesson import NO_MNIST1D, Tutorial, mnist1d

import zoo
from zoo.backend import gradient
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("03_optimizers")
STEPS = 50

# %% [markdown]
# ## One weight
# $J(w) = 0.1 (w - 5)^2$. At $w = 10$ the gradient is $0.2 (10 - 5) = 1$: positive, so $J$ grows to the right, and the
# minimum lies to the left. That is the reason for the minus sign:
#
# $$w \leftarrow w - \eta\, \frac{dJ}{dw}.$$
#
# Each step multiplies the distance to 5 by $1 - 0.2\,\eta$. That number must lie between -1 and 1, or the distance
# grows. So $\eta$ must stay below 10: 2 divided by the **curvature**, the second derivative, 0.2. With many weights the
# largest curvature among all directions sets this limit. Expected: 9.5 gets there, swinging from side to side, and 10.5
# is thrown out.


# %%
def slope(w):
    return 0.2 * (w - 5)


def descend(rate, steps=30):
    w = [10.0]
    for _ in range(steps):
        w.append(w[-1] - rate * slope(w[-1]))
    return np.array(w)


print(f"gradient at 10: {slope(10.0):.0f}")
lesson.claim("J = .1 (w - 5)^2, gradient at 10", slope(10.0), "==", 1.0, exact=True)
ends = {rate: abs(descend(rate)[-1] - 5) for rate in (1.0, 9.5, 10.5)}
lesson.claim("distance after 30 steps of rate 9.5", ends[9.5], "<=", 1.0, baseline={"at first": 5}, exact=True)
lesson.claim("distance after 30 steps of rate 10.5", ends[10.5], ">=", 10.0, baseline={"at first": 5}, exact=True)

figure = new_figure(7, 3.2)
axes = figure.subplots()
for rate, colour in ((1.0, THIRD), (9.5, INK), (10.5, SECOND)):
    axes.plot(descend(rate), color=colour, marker="o", markersize=3, label=f"learning rate {rate:g}")
axes.axhline(5, color="black", linestyle=":")
axes.set(xlabel="step", ylabel="w", ylim=(-30, 42), title="the minimum is at 5; a rate above 10 moves away from it")
axes.legend(frameon=False, loc="upper left")
lesson.plot(figure, "learning_rate")

# %% [markdown]
# ## The rules
# $g$ is the gradient and $\eta$ the learning rate. All operations are by element: each weight on its own.
#
# | name | memory | step |
# |---|---|---|
# | gradient descent | none | $-\eta g$ |
# | **momentum** | $m \leftarrow \beta m + (1 - \beta) g$ | $-\eta m$ |
# | **AdaGrad** | $s \leftarrow s + g^2$ | $-\eta g / \sqrt{s + \epsilon}$ |
# | **RMSProp** | $v \leftarrow \rho v + (1 - \rho) g^2$ | $-\eta g / \sqrt{v + \epsilon}$ |
# | **Adam** | $m$ of momentum, $v$ of RMSProp | $-\eta \hat m / (\sqrt{\hat v} + \hat\epsilon)$ |
# | **AdamW** | as Adam | as Adam, and $-\eta \lambda w$ |
#
# The hats: $\hat m = m / (1 - \beta_1^t)$ and $\hat v = v / (1 - \beta_2^t)$ in step $t$ (why, comes below).
#
# Momentum is a ball that rolls on. $m$ is an **exponential moving average**: each step back counts $\beta$ times as
# much. With $\beta = .9$ the last ten gradients have $1 - .9^{10} = 65\,\%$ of the weight. Where gradients change their
# sign they cancel; where they agree they add up.
#
# AdaGrad divides by the size of all gradients so far: a weight with large gradients takes short steps, one with small
# gradients long ones (an **adaptive learning rate**). But the sum only grows, and the steps only shrink. RMSProp takes
# a moving average instead, which can forget. Adam is momentum and RMSProp together, with a correction that comes below.
# AdamW also shrinks every weight a little in each step (**weight decay**), apart from the gradient (**decoupled**).
#
# Four traps, if you compare with Keras:
#
# * Keras's momentum is $m \leftarrow \beta m - \eta g$, without $(1 - \beta)$. It is the same walk if its learning
#   rate is $\eta (1 - \beta)$.
# * Keras's AdaGrad starts its sum at 0.1, not at 0 (`initial_accumulator_value`).
# * Keras's Adam is the form at the end of section 2 of the paper: $\hat\epsilon = \epsilon / \sqrt{1 - \beta_2^t}$.
# * Keras keeps $\beta_2$ in 32 bits, and there $1 - .999$ is wrong in the fifth digit. For a comparison to 1e-6 we give
#   both sides a $\beta_1$ and a $\beta_2$ that 32 bits hold exactly: 29/32 and 1023/1024.


# %%
def gradient_descent(g, w, memory, rate):
    return -rate * g


def momentum(g, w, memory, rate, beta=0.9):
    m = memory["m"] = beta * memory.get("m", 0.0) + (1 - beta) * g
    return -rate * m


def adagrad(g, w, memory, rate, epsilon=1e-7):
    s = memory["s"] = memory.get("s", 0.0) + g**2
    return -rate * g / np.sqrt(s + epsilon)


def rmsprop(g, w, memory, rate, rho=0.9, epsilon=1e-7):
    v = memory["v"] = rho * memory.get("v", 0.0) + (1 - rho) * g**2
    return -rate * g / np.sqrt(v + epsilon)


def adam(g, w, memory, rate, beta1=0.9, beta2=0.999, epsilon=1e-7):
    t = memory["t"] = memory.get("t", 0) + 1
    m = memory["m"] = beta1 * memory.get("m", 0.0) + (1 - beta1) * g
    v = memory["v"] = beta2 * memory.get("v", 0.0) + (1 - beta2) * g**2
    hat = np.sqrt(1 - beta2**t)
    return -rate * (m / (1 - beta1**t)) / (np.sqrt(v) / hat + epsilon / hat)


def adamw(g, w, memory, rate, decay=0.1, **betas):
    return adam(g, w, memory, rate, **betas) - rate * decay * w


def walk(rule, gradient_at, start, steps, **options):
    """All points of a walk, (steps + 1, coordinates)."""
    path, memory = [np.array(start, float)], {}
    for _ in range(steps):
        path.append(path[-1] + rule(gradient_at(path[-1]), path[-1], memory, **options))
    return np.array(path)


def keras_walk(optimizer, gradient_at, start, steps):
    w = keras.Variable(start, dtype="float64")
    path = [ops.convert_to_numpy(w)]
    for _ in range(steps):
        optimizer.apply([ops.convert_to_tensor(gradient_at(path[-1]))], [w])
        path.append(ops.convert_to_numpy(w).copy())
    return np.array(path)


def valley(x, y):
    """Curvature 1 along x and 200 along y."""
    return 0.5 * (x**2 + 200 * y**2)


def valley_gradient(w):
    return w * [1.0, 200.0]


START = (-4.0, 0.3)
OURS, THEIRS = {"beta1": 29 / 32, "beta2": 1023 / 1024}, {"beta_1": 29 / 32, "beta_2": 1023 / 1024}
pairs = {
    "gradient descent": (gradient_descent, 0.009, {}, keras.optimizers.SGD(0.009)),
    "momentum": (momentum, 0.09, {}, keras.optimizers.SGD(0.09 * (1 - 0.9), momentum=0.9)),
    "AdaGrad": (adagrad, 0.5, {}, keras.optimizers.Adagrad(0.5, initial_accumulator_value=0.0)),
    "RMSProp": (rmsprop, 0.1, {}, keras.optimizers.RMSprop(0.1, rho=0.9)),
    "Adam": (adam, 0.1, OURS, keras.optimizers.Adam(0.1, **THEIRS)),
    "AdamW": (adamw, 0.1, OURS, keras.optimizers.AdamW(0.1, weight_decay=0.1, **THEIRS)),
}
for name, (rule, rate, options, optimizer) in pairs.items():
    own = walk(rule, valley_gradient, START, STEPS, rate=rate, **options)
    difference = np.abs(own - keras_walk(optimizer, valley_gradient, START, STEPS)).max()
    lesson.claim(f"{name}, ours less Keras, {STEPS} steps", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# ## What wrong formulas cost
# **The mean in place of the sum.** Let AdaGrad take the *mean* of the squared gradients, a likely slip. If the gradient
# is always 1, the steps should shrink as $1, 1/\sqrt2, 1/\sqrt3, 1/\sqrt4 = .5$. With the mean they stay 1 for ever.
#
# **Epsilon in another place.** $\epsilon$ only keeps the division from 0, but where it stands matters when gradients
# are tiny. PyTorch's RMSProp is $g / (\sqrt{v} + \epsilon)$, Keras's is $g / \sqrt{v + \epsilon}$. For gradients near 1
# nobody sees a difference. For gradients near 1e-4, $\sqrt{10^{-7}} = 3 \cdot 10^{-4}$ is the larger part of the
# denominator, and Keras's RMSProp walks much more slowly.
#
# **A mean that starts at 0.** It is too small at first: after one gradient of 1 it is $0.1$ ($\beta = .9$). Dividing by
# $1 - \beta^t$ repairs that exactly (**bias correction**): the mean of ones is 1 from the first step on. Adam needs it,
# for its two averages are wrong by different factors, .1 and .001. Without it the first step would be
# $.1 / \sqrt{.001} = 3.2$ times as long as the learning rate.

# %%
ones = np.ones(1)
adagrad_steps = -np.diff(walk(adagrad, lambda w: ones, [0.0], 4, rate=1.0)[:, 0])
print("AdaGrad, gradient always 1, steps:", ", ".join(f"{each:.3f}" for each in adagrad_steps))
fourth = round(adagrad_steps[3], 3)
lesson.claim("AdaGrad, gradient always 1, fourth step, to three digits", fourth, "==", 0.5, exact=True)


def epsilon_outside(g, w, memory, rate, rho=0.9, epsilon=1e-7):
    v = memory["v"] = rho * memory.get("v", 0.0) + (1 - rho) * g**2
    return -rate * g / (np.sqrt(v) + epsilon)


ratios = {}
for size in (1.0, 1e-4):
    ways = [walk(rule, lambda w, size=size: size * ones, [0.0], 20, rate=0.1) for rule in (epsilon_outside, rmsprop)]
    ratios[size] = float(ways[0][-1, 0] / ways[1][-1, 0])
    print(f"RMSProp, gradients of {size:g}: epsilon outside the root goes {ratios[size]:.3f} times as far as inside")
off = abs(ratios[1.0] - 1)
lesson.claim("RMSProp, two places of epsilon, ratio of ways less 1, gradients of 1", off, "<=", 0.001, exact=True)
lesson.claim("RMSProp, two places of epsilon, ratio of ways, gradients of 1e-4", ratios[1e-4], ">=", 1.5, exact=True)

average, raw, corrected = 0.0, [], []
for t in range(1, 31):
    average = 0.9 * average + 0.1 * 1.0
    raw.append(average)
    corrected.append(average / (1 - 0.9**t))
first_step = -walk(adam, lambda w: ones, [0.0], 1, rate=0.1)[-1, 0]
last_ten = sum(0.1 * 0.9**k for k in range(10))
lesson.claim("moving average of ones, corrected, largest error", max(abs(np.array(corrected) - 1)), "<=", 1e-12,
             baseline={"not corrected": 1 - raw[0]}, exact=True)  # fmt: skip
lesson.claim("Adam, first step over the learning rate, less 1", abs(first_step / 0.1 - 1), "<=", 1e-5,
             baseline={"not corrected": 0.1 / np.sqrt(0.001) - 1}, exact=True)  # fmt: skip
lesson.claim("moving average with beta .9, weight of the last ten", round(last_ten, 2), "==", 0.65, exact=True)

# %% [markdown]
# ## The race
# Two landscapes. The **valley** is 200 times as curved across as along. The ratio is its **condition number**; a large
# one makes a problem ill-conditioned. Gradient descent must take steps that are short enough for the steep direction,
# and so it crawls along the flat one. Momentum adds the flat direction up.
#
# The **saddle** is $x^2 - y^2 + y^4/4$. At $(0, 0)$ the gradient is 0 (a **critical point**), but it is no minimum:
# along $y$ it goes down on both sides, to -1. We start very near to the line $y = 0$. Gradient descent first goes to
# the saddle and waits there, because the slope is tiny. RMSProp and Adam, which divide each coordinate by the size of
# its own latest gradients, move in $y$ as fast as in $x$ and never come near the saddle. So does AdaGrad, but it
# forgets nothing, its steps shrink, and it arrives after gradient descent. (RMSProp has a price, too: it never takes
# short steps by itself, and ends by dancing around the minimum of the valley.)


# %%
def saddle(x, y):
    return x**2 - y**2 + y**4 / 4


def saddle_gradient(w):
    return np.array([2 * w[0], -2 * w[1] + w[1] ** 3])


def steps_until(function, path, below):
    """The first step whose value is below a bound; one more than there are if none is."""
    found = np.flatnonzero(function(*path.T) < below)
    return int(found[0]) if len(found) else len(path)


GREEN, YELLOW = "#6a994e", "#e09f3e"
RACERS = {"gradient descent": THIRD, "momentum": INK, "AdaGrad": GREEN, "RMSProp": YELLOW, "Adam": SECOND}
ON_SADDLE = {"gradient descent": 0.1, "momentum": 1.0, "AdaGrad": 0.1, "RMSProp": 0.1, "Adam": 0.1}  # learning rates
in_valley = {name: walk(pairs[name][0], valley_gradient, START, 600, rate=pairs[name][1]) for name in RACERS}
on_saddle = {
    name: walk(pairs[name][0], saddle_gradient, (-1.5, 1e-3), 600, rate=rate) for name, rate in ON_SADDLE.items()
}
arrivals = {
    name: (steps_until(valley, in_valley[name], 0.01), steps_until(saddle, on_saddle[name], -0.9)) for name in RACERS
}
for name, (down, off) in arrivals.items():
    print(f"{name:18}{down:4} steps down the valley, {off:4} off the saddle (601: not in 600)")

figure = new_figure(11, 4.2)
left, right = figure.subplots(1, 2)
for axes, function, paths, x, y, title in (
    (left, valley, in_valley, (-4.5, 1), (-0.45, 0.45), "valley, 200 times as curved across"),
    (right, saddle, on_saddle, (-1.8, 1.8), (-0.6, 2.4), "saddle at (0, 0), minimum at the top"),
):
    across, up = np.meshgrid(np.linspace(*x, 150), np.linspace(*y, 150))
    axes.contour(across, up, function(across, up), 16, colors="#d8d8d8", linewidths=0.8)
    axes.plot([0], [0 if function is valley else 2**0.5], "+", color="black", markersize=10)  # the minimum
    axes.set(xlim=x, ylim=y, title=title, xlabel="x", ylabel="y")
lines = [
    (axes.plot([], [], color=colour, marker="o", markersize=3, linewidth=1, label=name)[0], paths[name])
    for axes, paths in ((left, in_valley), (right, on_saddle))
    for name, colour in RACERS.items()
]
right.legend(frameon=False, fontsize=8, loc="upper left")


def draw(step):
    for line, path in lines:
        line.set_data(*path[: step + 1].T)
    figure.suptitle(f"step {step}")


lesson.animate(figure, draw, range(0, 62, 2), "race", per_second=6)
draw(60)
lesson.plot(figure, "race_at_step_60")
plain, rolling = arrivals["gradient descent"][0], arrivals["momentum"][0]
lesson.claim("valley, steps of momentum over those of gradient descent", rolling / plain, "<=", 0.5,
             baseline={"gradient descent": plain}, exact=True)  # fmt: skip
plain, adaptive = arrivals["gradient descent"][1], arrivals["Adam"][1]
lesson.claim("saddle, steps of Adam over those of gradient descent", adaptive / plain, "<=", 0.7,
             baseline={"gradient descent": plain}, exact=True)  # fmt: skip
shrinking = arrivals["AdaGrad"][1]
lesson.claim("saddle, steps of AdaGrad over those of gradient descent", shrinking / plain, ">=", 1.2,
             baseline={"gradient descent": plain}, exact=True)  # fmt: skip

# %% [markdown]
# ## Second derivatives: the Hessian and Newton's method
# The **Hessian matrix** $H$ holds the second derivatives. Its **eigenvalues** are the curvatures in the directions of
# its **eigenvectors**. At a critical point they say where we are:
#
# * all positive: a **local minimum**; all negative: a **local maximum**;
# * some of each: a **saddle point**. The eigenvector of a negative eigenvalue is a way down.
#
# (A gradient that is 0 at one point is something else than a gradient that shrinks from layer to layer: lesson 04.)
#
# **Newton's method** uses $H$ to say how far to go: $w \leftarrow w - H^{-1} g$. On a **quadratic function**, whose
# $H$ is the same everywhere, it needs one step, whatever the condition number. For linear regression that is **least
# squares**, solved in one go. So why not always? $H$ has as many rows and columns as there are weights: for a million
# weights, $10^{12}$ entries. (**Quasi-Newton methods** such as L-BFGS estimate $H^{-1}$ from gradients.) And Newton's
# method looks for a gradient of 0, any: it walks *to* a saddle.
#
# We let Keras differentiate twice.


# %%
def hessian(function, at):
    """By differentiating each entry of the gradient."""
    at = ops.convert_to_tensor(np.array(at, float))
    rows = [gradient(lambda w, i=i: gradient(function, w)[i], at) for i in range(len(at))]
    return np.stack([ops.convert_to_numpy(row) for row in rows])


def newton(function, gradient_at, start, steps):
    path = [np.array(start, float)]
    for _ in range(steps):
        path.append(path[-1] - np.linalg.solve(hessian(function, path[-1]), gradient_at(path[-1])))
    return np.array(path)


one_step = newton(lambda w: valley(w[0], w[1]), valley_gradient, START, 1)[-1]
lesson.claim("valley, Newton's method, distance to the minimum after 1 step", np.linalg.norm(one_step), "<=", 1e-6,
             baseline={"gradient descent": np.linalg.norm(in_valley["gradient descent"][1])}, exact=True)  # fmt: skip

random = np.random.default_rng(lesson.seed)
inputs = np.column_stack([np.ones(200), random.normal(size=(200, 3)) * (1, 10, 100)])
targets = inputs @ (1, 2, 3, 4) + random.normal(size=200)
squares = ops.convert_to_tensor(inputs), ops.convert_to_tensor(targets)
fitted = newton(
    lambda w: ops.sum((ops.matmul(squares[0], w) - squares[1]) ** 2),
    lambda w: 2 * inputs.T @ (inputs @ w - targets), np.zeros(4), 1,
)[-1]  # fmt: skip
difference = np.abs(fitted - np.linalg.lstsq(inputs, targets)[0]).max()
lesson.claim("linear regression, one step of Newton less least squares", difference, "<=", 1e-6, exact=True)

curvatures, directions = np.linalg.eigh(hessian(lambda w: w[0] ** 2 - w[1] ** 2, (0.0, 0.0)))
print(f"x^2 - y^2: curvatures {curvatures[0]:.0f} and {curvatures[1]:.0f}, way down {np.abs(directions[:, 0])}")
lesson.claim("x^2 - y^2, smallest eigenvalue of the Hessian", curvatures[0], "==", -2.0, exact=True)
lesson.claim("x^2 - y^2, largest eigenvalue of the Hessian", curvatures[1], "==", 2.0, exact=True)

to_saddle = newton(lambda w: saddle(w[0], w[1]), saddle_gradient, (-1.5, 0.3), 8)[-1]
distance = np.linalg.norm(to_saddle)
lesson.claim("Newton's method from (-1.5, 0.3), distance to the saddle", distance, "<=", 1e-6, exact=True)

# %% [markdown]
# ## Off the saddle
# Start exactly on the line: at $(-1.5, 0)$. Gradient descent runs into the saddle and stays: the gradient is 0 there,
# and 0 times any learning rate is 0. One short step along the eigenvector of the negative eigenvalue, and it is free.
# In practice nobody computes eigenvectors for this: the noise of the batches is enough to push it off.
#
# Are saddles rare? Take random symmetric matrices as Hessians. In one dimension half of them are a minimum. With each
# further dimension it gets less likely that *all* curvatures are positive. (The Hessians of real networks are not
# random matrices. But Dauphin et al., 2014, found the same: most critical points with a high loss are saddles.)

# %%
stuck = walk(gradient_descent, saddle_gradient, (-1.5, 0.0), 100, rate=0.1)[-1]
curvatures, directions = np.linalg.eigh(hessian(lambda w: saddle(w[0], w[1]), stuck))
pushed = stuck + 0.1 * directions[:, 0]
freed = walk(gradient_descent, saddle_gradient, pushed, 100, rate=0.1)[-1]
lesson.claim("saddle, loss of gradient descent from the line", saddle(*stuck), ">=", -1e-6, exact=True)
lesson.claim("saddle, loss after a push along the eigenvector", saddle(*freed), "<=", -0.999,
             baseline={"without": saddle(*stuck)}, exact=True)  # fmt: skip

dimensions = range(1, 7)
shares = []
for size in dimensions:
    entries = np.random.default_rng(lesson.seed).normal(size=(20_000, size, size))
    shares.append(np.mean(np.linalg.eigvalsh(entries + entries.transpose(0, 2, 1))[:, 0] > 0))
figure = new_figure(6, 3.4)
axes = figure.subplots()
axes.semilogy(dimensions, np.maximum(shares, 2e-5), color=INK, marker="o")
axes.set(xlabel="number of weights", ylabel="share of minima (0 is drawn at 2e-5)")
axes.set_title("random curvatures: nearly all are saddles")
lesson.plot(figure, "saddles")
one_weight = {"1 weight": shares[0]}
lesson.claim("random Hessians, share of minima, 6 weights", shares[5], "<=", 0.001, baseline=one_weight, exact=True)

# %% [markdown]
# ## Schedules
# At first long steps are good, at the end they jump over the minimum. So the rate falls with time (**learning rate
# decay**). With $\eta_0$ at the start:
#
# * **inverse time decay**: $\eta_0 / (1 + d \cdot \text{epoch})$. For $\eta_0 = .2$ and $d = 1$: .1, .0667, .05, .04.
# * **exponential decay**: $.95^{\text{epoch}}\, \eta_0$;
# * $k / \sqrt{t}\;\eta_0$ in step $t$;
# * **step decay** (a staircase): divided by 10 at chosen epochs;
# * **cosine decay**: $\tfrac12 (1 + \cos(\pi t / T))\, \eta_0$.
#
# Before the fall there may be a rise, the **warm-up**: at first Adam's averages rest on few gradients, and short steps
# do less harm.

# %%
epochs = np.arange(1, 31)
own = {
    "inverse time": 0.2 / (1 + epochs),
    "exponential": 0.2 * 0.95**epochs,
    "step": 0.2 * 0.1 ** ((epochs > 10).astype(int) + (epochs > 20)),
    "cosine": 0.2 * (1 + np.cos(np.pi * epochs / 30)) / 2,
    "warm-up, cosine": np.where(epochs <= 5, 0.2 * epochs / 5, 0.1 * (1 + np.cos(np.pi * (epochs - 5) / 25))),
}
from_keras = {
    "inverse time": schedules.InverseTimeDecay(0.2, decay_steps=1, decay_rate=1.0),
    "exponential": schedules.ExponentialDecay(0.2, decay_steps=1, decay_rate=0.95),
    "step": schedules.PiecewiseConstantDecay([10, 20], [0.2, 0.02, 0.002]),
    "cosine": schedules.CosineDecay(0.2, 30),
    "warm-up, cosine": schedules.CosineDecay(0.0, 25, warmup_target=0.2, warmup_steps=5),
}
figure = new_figure(7, 3.4)
axes = figure.subplots()
for (name, rates), colour in zip(own.items(), (INK, SECOND, THIRD, GREEN, YELLOW)):
    axes.plot(epochs, rates, color=colour, label=name)
    rates_of_keras = np.array([float(from_keras[name](epoch)) for epoch in epochs])
    lesson.claim(f"schedule {name}, ours less Keras", np.abs(rates - rates_of_keras).max(), "<=", 1e-6, exact=True)
axes.set(xlabel="epoch", ylabel="learning rate", ylim=(0, 0.21), title="five ways to slow down")
axes.legend(frameon=False)
lesson.plot(figure, "schedules")
table = [round(float(rate), 4) for rate in own["inverse time"][:4]]
print("inverse time decay, epochs 1 to 4:", table)
wrong = sum(ours != expected for ours, expected in zip(table, (0.1, 0.0667, 0.05, 0.04)))
lesson.claim("entries of the table that are not .1, .0667, .05, .04", wrong, "==", 0, exact=True)

# %% [markdown]
# ## The size of a batch
# One hears: "the larger the batch, the worse the accuracy". And: "large batches make an epoch slower". Let us measure.
# The network is `mlp` with 100 hidden units, on MNIST-1D: 4,000 signals of 40 numbers, which show one of ten shapes
# somewhere (lesson 09 draws them). The gradient is the one of lesson 02, in NumPy, starting from $p - y$. First, does
# our training equal Keras's, batch by batch? Then ten epochs with batches of 10, 100 and 1,000: 4,000, 400 and 40
# steps. Then 400 steps with each. The rate and the momentum stay the same. We measure the **accuracy**: the share of
# the test signals that get their right class.


# %%
def gradients(weights, x, y):
    """Of the mean cross-entropy of a network with one hidden layer of ReLUs, by the chain rule."""
    kernel1, bias1, kernel2, bias2 = weights
    hidden = np.maximum(x @ kernel1 + bias1, 0)
    logits = hidden @ kernel2 + bias2
    powers = np.exp(logits - logits.max(1, keepdims=True))
    at_logits = (powers / powers.sum(1, keepdims=True) - np.eye(10, dtype=x.dtype)[y]) / len(y)  # p - y
    at_hidden = (at_logits @ kernel2.T) * (hidden > 0)
    return [x.T @ at_hidden, at_hidden.sum(0), hidden.T @ at_logits, at_logits.sum(0)]


def train(x, y, batch, updates, seed):
    """Momentum with the rule above; returns the weights and the seconds that the processor worked."""
    keras.utils.set_random_seed(seed)
    weights = zoo.build("mlp", input_shape=(40, 1), hidden=(100,)).get_weights()
    memories, order, begin = [{} for _ in weights], np.random.default_rng(seed), time.process_time()
    places = np.empty(0, int)
    for _ in range(updates):
        if not len(places):
            places = order.permutation(len(x))
        chosen, places = places[:batch], places[batch:]
        for weight, g, memory in zip(weights, gradients(weights, x[chosen], y[chosen]), memories):
            weight += momentum(g, weight, memory, rate=0.1)
    return weights, time.process_time() - begin


def accuracy(weights, x, y):
    hidden = np.maximum(x @ weights[0] + weights[1], 0)
    return float(np.mean((hidden @ weights[2] + weights[3]).argmax(1) == y))


keras.utils.set_random_seed(lesson.seed)
model = zoo.build("mlp", input_shape=(40, 1), hidden=(100,))
weights, memories = [each.astype("float64") for each in model.get_weights()], [{} for _ in range(4)]
model.compile(keras.optimizers.SGD(0.1 * (1 - 0.9), momentum=0.9), keras.losses.SparseCategoricalCrossentropy(True))
random = np.random.default_rng(lesson.seed)
for _ in range(20):
    x, y = random.normal(size=(16, 40)).astype("float32"), random.integers(10, size=16)
    for weight, g, memory in zip(weights, gradients(weights, x, y), memories):
        weight += momentum(g, weight, memory, rate=0.1)
    model.train_on_batch(x[..., None], y)
difference = max(np.abs(ours - theirs).max() for ours, theirs in zip(weights, model.get_weights()))
lesson.claim("mlp, weights after 20 steps, ours less Keras", difference, "<=", 1e-6, exact=True)

signals = mnist1d()
if signals is None:
    lesson.skip(NO_MNIST1D)
else:
    (x, y), (x_test, y_test) = ((x[..., 0], y) for x, y in signals)
    sizes, found, seconds = (10, 100, 1000), {}, {}
    for size in sizes:
        for kind, updates in (("10 epochs", 10 * len(x) // size), ("400 steps", 400)):
            runs = [train(x, y, size, 2 if lesson.smoke else updates, seed) for seed in lesson.seeds]
            found[kind, size] = np.array([accuracy(weights, x_test, y_test) for weights, _ in runs])
            seconds[kind, size] = min(spent for _, spent in runs) / (2 if lesson.smoke else updates)
            print(f"batches of {size:5}, {kind}: {updates:5} steps, test accuracy {found[kind, size].mean():.3f}, "
                  f"{1e6 * seconds[kind, size]:6.0f} us a step")  # fmt: skip
    figure = new_figure(8, 3.4)
    for axes, kind in zip(figure.subplots(1, 2, sharey=True), ("10 epochs", "400 steps")):
        for place, size in enumerate(sizes):
            axes.bar(place, found[kind, size].mean(), color=INK)
            axes.plot([place] * len(lesson.seeds), found[kind, size], "o", color=SECOND, markersize=4)
        axes.axhline(0.1, color="black", linestyle=":")
        axes.set(xticks=range(3), xticklabels=map(str, sizes), xlabel="size of a batch", title=f"{kind} with each size")
    figure.axes[0].set_ylabel("test accuracy (dots: seeds; line: chance)")
    lesson.plot(figure, "batch_size")
    lost = (found["10 epochs", 10] - found["10 epochs", 1000]).min()
    same = np.abs(found["400 steps", 100] - found["400 steps", 1000]).max()
    lesson.claim("10 epochs, accuracy with batches of 10 less that of 1,000, worst seed", lost, ">=", 0.15)
    baseline = {"10 epochs, 10 against 1,000": lost}
    lesson.claim("400 steps, 100 against 1,000, largest difference", same, "<=", 0.04, baseline=baseline)
    per_step = {size: min(seconds[kind, size] for kind in ("10 epochs", "400 steps")) for size in sizes}
    slower, quicker = per_step[100] / per_step[10], 10 * per_step[10] / per_step[100]
    lesson.claim("a step with 100 over a step with 10, seconds", slower, ">=", 1.4)
    lesson.claim("an epoch with batches of 10 over one with 100, seconds", quicker, ">=", 1.5)

# %% [markdown]
# So: with as many epochs the large batch is far behind, because it took a hundredth of the steps. With as many steps it
# is as good. Each step takes longer with a larger batch, but an epoch is over sooner (until the computer is busy
# anyway): it likes large products of matrices. What a small batch gives is many steps for little work. Its gradient is
# noisy, and that hardly hurts: the noise falls only with the root of the size. A batch of 1,000 looks at a hundred
# times as many examples as one of 10, and is ten times less noisy.

# %%
random = np.random.default_rng(lesson.seed)
draws = random.normal(size=(400, 1024))  # the gradients of single examples: mean 0, standard deviation 1
noise = [draws[:, :size].mean(1).std() for size in (1, 4, 16, 64, 256, 1024)]
fall = np.polyfit(np.log((1, 4, 16, 64, 256, 1024)), np.log(noise), 1)[0]
distance = abs(fall + 0.5)
lesson.claim("noise of a batch's mean, exponent of its fall, distance from -1/2", distance, "<=", 0.05, exact=True)

# %% [markdown]
# ## Try it
# * What is the largest learning rate with which gradient descent still comes down the valley?
#
# <details><summary>Solution</summary>
#
# 2 divided by the largest curvature, $2 / 200 = 0.01$. Change the two rates of `"gradient descent"` in `pairs` from
# 0.009 to 0.011: $y$ grows from step to step. (So do the rounding errors, and the claim of 1e-6 against Keras fails.)
# </details>
#
# * Give momentum a $\beta$ of .99. Why does it swing?
#
# <details><summary>Solution</summary>
#
# Change `beta=0.9` in `momentum` to `beta=0.99` (and `0.9` twice in its pair). The ball remembers a hundred steps, and
# rolls on long after the slope has turned. It comes to rest later, not sooner. (The claims about momentum in the valley
# and about the network, which keep to .9, fail.)
# </details>
#
# * Train with batches of 1,000 for 10 epochs with a rate ten times as large. How much of the loss of accuracy is gone?
#
# <details><summary>Solution</summary>
#
# In `train`, `rate=0.1` becomes `rate=1.0`; look at the batches of 1,000 alone (for batches of 10 such a step is too
# long). A part of the distance closes, not all: the large batch can take longer steps, because its gradient is less
# noisy. To make the rate larger by as much as the batch, up to a limit, is the **linear scaling rule** (P. Goyal et
# al., 2017, [arXiv:1706.02677](https://arxiv.org/abs/1706.02677)).
# </details>

# %%
lesson.finish()
