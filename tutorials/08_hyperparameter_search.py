# %% [markdown]
# # 08 · Hyperparameter search: which settings, and how to look for them
#
# The learning rate, the batch size, the number of units: training does not find these numbers. Somebody has to choose
# them, and most of the time somebody tries. This lesson is about trying well. On which scale do we draw a number? Is a
# tidy grid better than chance? When may we give up a trial?
#
# **You will see** two ways to draw a learning rate, and how many trials each of them wastes (the failure of this
# lesson); why chance beats the grid; successive halving, which gives up early, and what it overlooks; and `zoo tune`,
# which searches over a recipe with the library Optuna.
#
# **Claims** Of uniform draws from .0001 to 1, 10 % lie below .1; of draws by the logarithm 75 %. For a momentum up to
# .999 it is 9 % and 50 % above .99. With equally many trials the draws by logarithm find the better network. Random
# search tries nine rates where a grid tries three. Successive halving finds nearly the best of 27 with a fraction of
# the epochs. A search that was interrupted goes on as if nothing had happened.
#
# **Beside them** uniform draws, the grid, random search with as many epochs.
#
# **Takes** one minute on one core (Intel Xeon). The last part wants `pip install '.[tune]'` and is skipped without.
#
# **Read on** J. Bergstra and Y. Bengio, "Random Search for Hyper-Parameter Optimization", Journal of Machine Learning
# Research 13, 2012 ([jmlr.org](https://www.jmlr.org/papers/v13/bergstra12a.html)). K. Jamieson and A. Talwalkar,
# "Non-stochastic Best Arm Identification and Hyperparameter Optimization", 2016
# ([arXiv:1502.07943](https://arxiv.org/abs/1502.07943)). T. Akiba et al., "Optuna", 2019
# ([arXiv:1907.10902](https://arxiv.org/abs/1907.10902)). Goodfellow, Bengio and Courville, *Deep Learning*, 2016,
# section 11.4.

# %%
import importlib.util
import tempfile
from pathlib import Path

import keras
import numpy as np
from lesson import Tutorial
from matplotlib import colormaps
from scipy import stats
from sklearn.datasets import load_digits

import zoo
from zoo.plots import INK, SECOND, THIRD, new_figure
from zoo.training.tuning import tune

lesson = Tutorial("08_hyperparameter_search")
random = np.random.default_rng(lesson.seed)

# %% [markdown]
# ## What is worth a search
# **Hyperparameter search** takes time, so begin with what matters most. A. Ng's list:
#
# | first | second | third |
# |---|---|---|
# | learning rate | momentum and Adam's numbers; units of a layer; batch size | number of layers; decay of the rate |
#
# The set of all values that we allow is the **search space**. One choice of all of them is a **configuration**, and
# training with it is a **trial**. Trials are compared on the validation set. The test set is used once, for the winner.
#
# ## On which scale?
# Layers from 2 to 6, units from 50 to 100: here every value is as good a guess as any other, so we draw evenly. That is
# **uniform sampling**. But take a learning rate between .0001 and 1. Drawn evenly, nine of ten draws are above .1! All
# the small rates, of which we expect the most, share the tenth draw.
#
# What we mean is: the *size* is unknown. Is it tenths, hundredths, thousandths? So draw the exponent evenly,
# $r \in [-4, 0]$, and take $\alpha = 10^r$. That is **log sampling**, and its distribution is called log-uniform. Each
# power of ten gets a quarter of the draws.
#
# A momentum $\beta$ from .9 to .999 is near 1; there the difference to 1 matters. It is an average over about
# $1/(1-\beta)$ steps, 10 for .9 and 1,000 for .999. So draw $1 - \beta = 10^r$ with $r \in [-3, -1]$.


# %%
def uniform(low, high, count):
    return low + (high - low) * random.random(count)


def by_logarithm(low, high, count):
    return 10 ** uniform(np.log10(low), np.log10(high), count)


DRAWS = 100_000
rates = {"uniform": uniform(1e-4, 1, DRAWS), "by logarithm": by_logarithm(1e-4, 1, DRAWS)}
momenta = {"uniform": 1 - uniform(1e-3, 1e-1, DRAWS), "by logarithm": 1 - by_logarithm(1e-3, 1e-1, DRAWS)}
below = {scale: float(np.mean(drawn < 0.1)) for scale, drawn in rates.items()}
above = {scale: float(np.mean(drawn > 0.99)) for scale, drawn in momenta.items()}
print("rates below .1:", below)
print("momenta above .99:", above)

figure = new_figure(9, 3.4)
left, right = figure.subplots(1, 2)
bins = np.linspace(-4, 0, 41)
for axes, drawn, label in ((left, rates, "rate"), (right, {k: 1 - v for k, v in momenta.items()}, "1 - momentum")):
    edges = bins if label == "rate" else np.linspace(-3, -1, 41)
    for (scale, values), colour in zip(drawn.items(), (SECOND, INK)):
        axes.hist(np.log10(values), edges, color=colour, alpha=0.75, label=scale)
    axes.set(xlabel=f"logarithm (base 10) of the {label}", ylabel="draws of 100,000")
    axes.legend(frameon=False)
lesson.plot(figure, "scales")
for name, shares, expected in (("rates below .1", below, (0.10, 0.75)), ("momenta above .99", above, (0.09, 0.50))):
    for (scale, share), bound in zip(shares.items(), expected):
        lesson.claim(f"{name}, {scale}, distance from {bound}", abs(share - bound), "<=", 0.01, exact=True)

evenly = np.linspace(0.001, 0.999, 999)
distance = np.abs(10 ** (-4 + 4 * evenly) / stats.loguniform(1e-4, 1).ppf(evenly) - 1).max()
lesson.claim("log sampling by hand less SciPy's loguniform, relative", float(distance), "<=", 1e-6, exact=True)

# %% [markdown]
# ## A table to search in
# To compare ways of searching we need thousands of trainings. But there is a trick: train *once* with each of many
# configurations, keep the validation error after each epoch, and let the searches look it up. (Such a **tabular
# benchmark** is common in papers on search.)
#
# The table: a small `mlp` of the zoo, one hidden layer of 32 units, Adam, on 450 handwritten digits; 1,347 others are
# for validation. 41 learning rates from .0001 to 1, evenly by logarithm, for each of three seeds; 27 epochs. All 123
# networks learn at the same time, in NumPy: a weight matrix becomes a stack of 123 matrices, and Adam (lesson 03) has a
# rate for each. First we check that ten steps of ours are ten steps of Keras.

# %%
digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
images, labels = (digits.images[order] / 16).reshape(-1, 64), digits.target[order]
LEARN = 450
(x, y), (x_val, y_val) = (images[:LEARN], labels[:LEARN]), (images[LEARN:], labels[LEARN:])
RATES = np.logspace(-4, 0, 41)
SEEDS = range(lesson.seed, lesson.seed + 3)
EPOCHS = 1 if lesson.smoke else 27


def fresh(seed):
    keras.utils.set_random_seed(seed)
    return zoo.build("mlp", input_shape=(64,), hidden=(32,))


class Networks:
    """Many networks of the same form, each with weights and a rate of its own; weights (networks, inputs, units)."""

    def __init__(self, weights, rates):
        self.weights = [np.stack(each).astype("float64") for each in zip(*weights)]
        self.weights[1], self.weights[3] = self.weights[1][:, None], self.weights[3][:, None]  # biases
        self.rates = np.asarray(rates)[:, None, None]
        self.moments = [(np.zeros_like(each), np.zeros_like(each)) for each in self.weights]
        self.steps = 0

    def __call__(self, x):
        w1, b1, w2, b2 = self.weights
        self.hidden = np.maximum(x @ w1 + b1, 0)  # (networks, examples, 32)
        return self.hidden @ w2 + b2  # logits

    def learn(self, x, y):
        """One step of Adam on the cross-entropy."""
        logits = self(x)
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        error = (powers / powers.sum(-1, keepdims=True) - np.eye(10)[y]) / len(x)  # p - y
        back = error @ self.weights[2].swapaxes(1, 2) * (self.hidden > 0)
        gradients = [x.T @ back, back.sum(1, keepdims=True)]
        gradients += [self.hidden.swapaxes(1, 2) @ error, error.sum(1, keepdims=True)]
        self.steps += 1
        rate = self.rates * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for weight, gradient, (first, second) in zip(self.weights, gradients, self.moments):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            weight -= rate * first / (np.sqrt(second) + 1e-7)


model = fresh(lesson.seed)
model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
ours = Networks([model.get_weights()], [0.01])
for step in range(10):
    rows = slice(32 * step, 32 * step + 32)
    ours.learn(x[rows], y[rows])
    model.train_on_batch(x[rows].astype("float32"), y[rows])
theirs = keras.ops.convert_to_numpy(keras.ops.softmax(model(x_val.astype("float32"))))
powers = np.exp(ours(x_val)[0])
distance = np.sqrt(np.mean((powers / powers.sum(-1, keepdims=True) - theirs) ** 2))  # Keras keeps seven digits, we more
lesson.claim("probabilities after ten steps, ours less Keras", float(distance), "<=", 1e-6, exact=True)

starts = [fresh(seed).get_weights() for seed in SEEDS]
networks = Networks([start for start in starts for _ in RATES], np.tile(RATES, len(SEEDS)))
shuffle = np.random.default_rng(lesson.seed)
history = []
for _ in range(EPOCHS):
    for rows in np.array_split(shuffle.permutation(LEARN), 14):
        networks.learn(x[rows], y[rows])
    history.append((networks(x_val).argmax(-1) != y_val).mean(-1))
table = np.stack(history, axis=-1).reshape(len(SEEDS), len(RATES), EPOCHS)  # errors (seeds, rates, epochs)
final = table[:, :, -1]
best_rate = RATES[final.mean(0).argmin()]
print(f"best rate {best_rate:.4f}: error {final.mean(0).min():.3f}; at 1: {final[:, -1].mean():.3f}; ", end="")
print(f"at .0001: {final[:, 0].mean():.3f}")

figure = new_figure(7, 3.6)
axes = figure.subplots()
for number, each in enumerate(final):
    axes.plot(RATES, each, "o-", color=(INK, SECOND, THIRD)[number], markersize=3, label=f"seed {SEEDS[number]}")
axes.set(xscale="log", xlabel="learning rate", ylabel=f"validation error after {EPOCHS} epochs", ylim=(0, 1))
axes.axvspan(0.1, 1, color=THIRD, alpha=0.2)
axes.set_title("grey: where nine of ten uniform draws fall", fontsize=10)
axes.legend(frameon=False)
lesson.plot(figure, "rates")
error_at_large = float(final[:, RATES >= 0.1].mean())
lesson.claim(
    "mean error of rates from .1 on", error_at_large, ">=", 0.3, baseline={"the best rate": float(final.mean(0).min())}
)
lesson.claim("the best rate lies below those", float(best_rate), "<=", 0.09)

# %% [markdown]
# ## The failure: drawing the rate evenly
# Eight trials for each search, and 2,000 searches of either kind. What is drawn is looked up at the nearest rate of the
# table. The curves show the mean error of the best network so far.


# %%
def nearest(drawn):
    """The place in the table of rates (...)."""
    return np.abs(np.log10(np.clip(drawn, 1e-4, 1))[..., None] - np.log10(RATES)).argmin(-1)


def looked_up(drawn):
    """The final error for rates (...), each of a network with a seed by chance."""
    rate = nearest(drawn)
    return final[random.integers(len(SEEDS), size=rate.shape), rate]


SEARCHES, TRIALS = 2000, 8
so_far = {
    "uniform": np.minimum.accumulate(looked_up(uniform(1e-4, 1, (SEARCHES, TRIALS))), axis=1),
    "by logarithm": np.minimum.accumulate(looked_up(by_logarithm(1e-4, 1, (SEARCHES, TRIALS))), axis=1),
}
figure = new_figure(6, 3.6)
axes = figure.subplots()
for (scale, best), colour in zip(so_far.items(), (SECOND, INK)):
    axes.plot(range(1, TRIALS + 1), best.mean(0), "o-", color=colour, label=scale)
    print(f"{scale}: error of the best after {TRIALS} trials {best[:, -1].mean():.3f}")
axes.axhline(final.mean(0).min(), color=THIRD, linestyle=":", label="the best rate of the table")
axes.set(xlabel="trials", ylabel="error of the best so far", ylim=(0, None))
axes.legend(frameon=False)
lesson.plot(figure, "so_far")
last = {scale: best[:, -1] for scale, best in so_far.items()}
wins = float(np.mean(last["by logarithm"] < last["uniform"]))
lesson.claim(
    "searches in which the logarithm found the better network, share", wins, ">=", 0.6, baseline={"chance": 0.5}
)
ratio = last["uniform"].mean() / last["by logarithm"].mean()
lesson.claim("error of uniform search over that of log search", float(ratio), ">=", 1.5)

# %% [markdown]
# ## Grid or chance?
# Two numbers, nine trials. **Grid search** takes three values of one and three of the other, and all nine pairs.
# **Random search** draws both anew for each trial. The grid looks tidier. But mostly one of the two numbers matters and
# the other does not, and we do not know which. Then the grid has tried only *three* values of the one that matters,
# each three times. Random search has tried nine.
#
# In our search the second number is one that does not matter at all; we take the mean of the three seeds for each rate.
# A grid of three rates (at a random place, a third of the four powers of ten apart); nine rates at random; 2,000
# searches each. How many find one of the best tenth of the rates? To be fair, also nine rates on a line, evenly. One
# can have that only if one knows beforehand what does not matter.

# %%
offset = random.random((SEARCHES, 1))
three = 10 ** (-4 + 4 * (np.arange(3) + offset) / 3)
grid = np.repeat(three, 3, axis=1)  # each rate with three values of the other number
chance = by_logarithm(1e-4, 1, (SEARCHES, 9))
nine = 10 ** (-4 + 4 * (np.arange(9) + offset) / 9)
goal = np.sort(final.mean(0))[3]  # 4 of 41 rates


def finds(drawn):
    """The share of searches that find one of the best rates."""
    return float(np.mean((final.mean(0)[nearest(drawn)] <= goal).any(1)))


reached = {name: finds(each) for name, each in {"grid": grid, "random": chance, "nine on a line": nine}.items()}
print(f"searches that find one of the best four of {len(RATES)} rates:", reached)

figure = new_figure(7, 3.2)
for axes, (name, rates_of), colour in zip(
    figure.subplots(1, 2), {"grid": grid, "random": chance}.items(), (SECOND, INK)
):
    other = np.tile([1, 2, 3], 3) if name == "grid" else random.uniform(0.7, 3.3, 9)
    axes.plot(rates_of[0], other, "o", color=colour)
    axes.plot(rates_of[0], np.full(9, 0.4), "|", color=colour, markersize=14)
    axes.set(xscale="log", xlim=(1e-4, 1), ylim=(0.2, 3.6), xlabel="learning rate (matters)", yticks=[])
    axes.set_title(f"{name}: {len(np.unique(rates_of[0]))} different rates", fontsize=10)
    axes.set_ylabel("what does not matter")
lesson.plot(figure, "grid_and_random")
lesson.claim("different rates in a grid of nine trials", len(np.unique(grid[0])), "==", 3, exact=True)
lesson.claim("different rates in nine random trials", len(np.unique(chance[0])), "==", 9, exact=True)
lesson.claim(
    "random search finds the best tenth, share of searches",
    reached["random"],
    ">=",
    0.5,
    baseline={"grid": reached["grid"]},
)
lesson.claim("random less grid, share of searches", reached["random"] - reached["grid"], ">=", 0.1)

# %% [markdown]
# How many random trials are enough? Call the best 5 % of the search space good. One trial misses it with probability
# .95, and $n$ trials with $.95^n$. Sixty trials find it with a probability of 95 %, however many numbers there are to
# set. A grid has no such promise.

# %%
promise = 1 - 0.95**60
tried = float(np.mean(random.random((20_000, 60)).min(1) < 0.05))
print(f"by the formula {promise:.3f}, in 20,000 searches {tried:.3f}")
lesson.claim("sixty trials find the best 5 %", round(promise, 3), "==", 0.954, exact=True)
lesson.claim("the formula less 20,000 searches", abs(promise - tried), "<=", 0.01, exact=True)

# %% [markdown]
# ## Give up early: successive halving
# Most trials look bad from the start. **Successive halving** spends little on them: train 27 configurations for one
# epoch each; keep the best third; train these to three epochs; keep the best third; to nine; and the last ones to
# twenty-seven. Here it costs 27 + 9·2 + 3·6 + 1·18 = 81 epochs. (The name says halving; a third is usual.) Random
# search gets three full trials for that: 3·27 = 81.


# %%
def halving(curves):
    """The row that is left of curves (configurations, epochs), and the epochs that were spent."""
    rows, spent, done = np.arange(len(curves)), 0, 0
    until = 1
    while True:
        spent += len(rows) * (min(until, curves.shape[1]) - done)
        done = min(until, curves.shape[1])
        rows = rows[np.argsort(curves[rows, done - 1], kind="stable")]
        if len(rows) == 1:
            return rows[0], spent
        rows, until = rows[: len(rows) // 3], 3 * until


curves = table.reshape(-1, table.shape[-1])  # (seeds x rates, epochs)
halved, randoms, perfect, spent = [], [], [], 0
for _ in range(500):
    chosen = curves[random.permutation(len(curves))[:27]]
    row, spent = halving(chosen)
    halved.append(chosen[row, -1])
    randoms.append(chosen[:3, -1].min())
    perfect.append(chosen[:, -1].min())
means = {
    name: float(np.mean(each))
    for name, each in {"halving, 27 begun": halved, "random, 3 trials": randoms, "27 trials in full": perfect}.items()
}
print({name: round(mean, 4) for name, mean in means.items()})
lesson.claim("epochs of 27 configurations by the formula", 27 + 9 * 2 + 3 * 6 + 1 * 18, "==", 81, exact=True)
lesson.claim("epochs that were spent, less the formula's", abs(halving(np.ones((27, 27)))[1] - 81), "==", 0, exact=True)
lesson.claim(
    "error of halving over that of random search with as many epochs",
    means["halving, 27 begun"] / means["random, 3 trials"],
    "<=",
    0.8,
)
lesson.claim(
    "error of halving above that of 27 full trials", means["halving, 27 begun"] - means["27 trials in full"], "<=", 0.02
)

# %% [markdown]
# **What it overlooks.** The race is decided in the first epochs, and then large rates are ahead. Small ones come late:
# in the figure, the rate .001 is far behind .2 after one epoch and far ahead of it at the end. How good is the order
# after one epoch as a forecast of the order at the end? The **rank correlation** says: 1 if both orders are the same, 0
# if they have nothing to do with each other.

# %%
LATE, EARLY = (np.abs(np.log10(RATES / rate)).argmin() for rate in (0.001, 0.2))
figure = new_figure(8, 3.6)
axes = figure.subplots()
shown = [0, LATE, 16, 23, 29, EARLY]
for place, row in enumerate(shown):
    colour = colormaps["viridis"](place / 5.5)
    axes.plot(range(1, EPOCHS + 1), table[0, row], "o-", markersize=3, color=colour, label=f"{RATES[row]:.2g}")
for epoch in (1, 3, 9):
    axes.axvline(epoch, color=THIRD, linewidth=0.6, linestyle=":")
axes.set(xlabel="epochs", ylabel="validation error", ylim=(0, 1))
axes.legend(frameon=False, title="rate", fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
lesson.plot(figure, "curves")
behind = table[:, LATE].mean(0) - table[:, EARLY].mean(0)  # of the small rate, after each epoch
lesson.claim("after one epoch the rate .001 is worse than .2, by", float(behind[0]), ">=", 0.05)
lesson.claim("at the end it is better, by", float(-behind[-1]), ">=", 0.2)
early = {
    epoch: float(stats.spearmanr(curves[:, epoch - 1], curves[:, -1]).statistic)
    for epoch in (1, 3, 9)
    if epoch <= EPOCHS
}
after = {f"after {epoch}": round(value, 3) for epoch, value in early.items()}
print("rank correlation with the end, by epochs:", after)
improves = early[9] - early[1] if 9 in early else 0.0
lesson.claim("rank correlation with the end, after one epoch", early[1], ">=", 0.3, baseline={"no relation": 0.0})
lesson.claim("it grows from one epoch to nine, by", improves, ">=", 0.05)

# %% [markdown]
# ## The winner is too good
# The winner was chosen by the validation set, so its error there is a little too small (lesson 07: over-tuning). We
# choose the best of the 123 networks by 100 of the 1,347 examples, 500 times, and look at its error on the others. That
# is why `zoo tune` measures its trials on the validation set and leaves the test set alone.

# %%
wrong = networks(x_val).argmax(-1) != y_val  # (networks, examples)
optimism = []
for _ in range(500):
    rows = random.permutation(len(y_val))
    winner = wrong[:, rows[:100]].mean(1).argmin()
    optimism.append(wrong[winner, rows[100:]].mean() - wrong[winner, rows[:100]].mean())
print(f"the winner's error is {np.mean(optimism):.3f} higher on fresh examples than on the 100 that chose it")
lesson.claim("winner by 100 examples, error on fresh ones above that, mean", float(np.mean(optimism)), ">=", 0.005)

# %% [markdown]
# ## With a library: `zoo tune`
# `zoo tune NAME --trials 20` draws the learning rate, the weight decay and the batch size by the logarithm, the dropout
# evenly, trains by the recipe and measures on the validation set. What it draws comes from **Optuna**: ten trials at
# random, and then more often where the good ones were. (The method is the **tree-structured Parzen estimator**, TPE. It
# models how good and bad settings are distributed and draws where the ratio is best.) Its table can be read by people,
# and from it a search that was stopped goes on. We check that: three trials in one go, and two and one.

# %%
if importlib.util.find_spec("optuna") is None:
    lesson.skip("a search with Optuna; to see this part: pip install '.[tune]'")
else:
    with tempfile.TemporaryDirectory() as folder:
        same = dict(epochs=1 if lesson.smoke else 5, seed=lesson.seed, search={"learning_rate": "1e-4:1"})
        whole = tune("mlp", trials=3, run=Path(folder) / "whole", **same)
        for trials in (2, 3):
            parts = tune("mlp", trials=trials, run=Path(folder) / "parts", **same)
        for trial in whole.ranked:
            print(f"trial {trial.number}: validation accuracy {trial.score:.4f},", dict(trial.settings))
        print("to repeat the best:", whole.command)
        unequal = sum(a.settings != b.settings or a.score != b.score for a, b in zip(whole.trials, parts.trials))
        lesson.claim("trials that differ after an interruption", unequal, "==", 0, exact=True)

# %% [markdown]
# ## Try it
# 1. Draw the rate by logarithm from .001 to .1 only. Does uniform sampling then lose as much?
# 2. Let successive halving keep a half, not a third, in each round.
#
# <details><summary>Solution</summary>
#
# 1. In "The failure", `uniform(1e-3, 1e-1, ...)` and `by_logarithm(1e-3, 1e-1, ...)`. No: now even draws are as good,
#    and the claims about the two fail, as they should. All rates in there are good, and most even draws fall on the
#    best of them. A search space in the right place forgives the wrong scale. But to know the place, somebody has
#    searched already.
# 2. `rows[: len(rows) // 2]` and `2 * until`. There are more rounds, with smaller steps, and the last one is trained
#    for fewer epochs. The claim about the epochs that were spent fails, as it should: count anew.
# </details>

# %%
lesson.finish()
