# %% [markdown]
# # 01 · How many people will watch tomorrow?
#
# Machine learning looks for a function. Here the function takes the views a web site had on the last days (in
# thousands) and returns the views of tomorrow. What comes out is a number, so the task is called **regression**. Three
# steps do it, and every later lesson repeats them: write down a function with unknown numbers in it (a **model** and
# its **parameters**), say how bad a choice of these numbers is (a **loss function**), and turn the numbers until the
# loss is small (**optimisation**, or **training**).
#
# **You will see** a loss drawn over its two parameters, gradient descent crawling along a valley (the failure of this
# lesson, and its cure), a week's rhythm found by seven weights, and straight lines bent into curves.
#
# **Claims** Seven days as input leave at most 0.56 of the error that one day leaves. A sum of sigmoids, as many as the
# validation days ask for, leaves at most 0.95 of the error of the best straight line. Two ReLUs are one hard sigmoid.
# 10,000 examples in batches of 10 are 1,000 updates.
#
# **Beside them**, as **baselines** (forecasts that need no learning), the mean of all days, yesterday's number again,
# and the same weekday of last week.
#
# **Takes** 110 seconds on one core (AMD EPYC).
#
# **To read on** Goodfellow, Bengio and Courville, *Deep Learning* (2016),
# [chapter 5](https://www.deeplearningbook.org/contents/ml.html); *Dive into Deep Learning*,
# [section 3.1](https://d2l.ai/chapter_linear-regression/linear-regression.html).

# %%
import keras
import numpy as np
from lesson import Tutorial

import zoo
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("01_views_regression")
BATCH = 64

# %% [markdown]
# ## The data
# An example is seven days (`week`, the latest last), its **input** or **features**, and the day that follows, its
# **target** or **label**. The numbers are generated: a weekly rhythm, a yearly one, a slow rise, and noise. They come
# in three parts:
#
# * the **training set** (2017 to September 2020), from which the parameters are learned;
# * the **validation set** (the last 100 days of 2020), by which we choose between models;
# * the **test set** (2021), on which the chosen model is judged, once, at the end.
#
# Why three? Only examples that were not learned from tell whether a model **generalises**, that is, whether it is good
# on what it has not seen (**generalisation**). One that is good on its training set alone has learned its noise by
# heart: **overfitting**. And whoever tries ten models and keeps the one that is best on the test set has learned from
# the test set. Time is not shuffled between the parts: we learn from the past and are tested on the future.


# %%
def arrays(split):
    """All examples of a split in thousands of views: weeks (days, 7) and next days (days,)."""
    weeks, days = zip(*zoo.load_data("daily_views", split=split, batch_size=512, scaling="none").as_numpy_iterator())
    return np.concatenate(weeks), np.concatenate(days)


def outputs(model, x):
    """What a model returns, as a NumPy array, whatever the backend."""
    return keras.ops.convert_to_numpy(model(x))


def mean_absolute_error(truth, prediction):
    return float(np.mean(np.abs(truth - prediction)))


weeks, days = arrays("train")
validation_weeks, validation_days = arrays("validation")
test_weeks, test_days = arrays("test")
baselines = {
    "mean": mean_absolute_error(test_days, days.mean()),
    "yesterday": mean_absolute_error(test_days, test_weeks[:, -1]),
    "a week ago": mean_absolute_error(test_days, test_weeks[:, 0]),
}
print({name: round(error, 3) for name, error in baselines.items()})

figure = new_figure(10, 3.2)
whole, part = figure.subplots(1, 2, width_ratios=(2, 1))
whole.plot(days, color=INK, linewidth=0.6, label="training")
whole.plot(
    len(days) + len(validation_days) + np.arange(len(test_days)), test_days, color=SECOND, linewidth=0.6, label="test"
)
whole.set(xlabel="day (the 100 between the colours are for validation)", ylabel="views, thousands")
whole.legend(frameon=False)
part.plot(test_days[:28], color=SECOND, marker="o", markersize=3)
part.set(xlabel="day of 2021", xticks=range(0, 29, 7), title="four weeks")
part.grid(axis="x")
lesson.plot(figure, "series")

# %% [markdown]
# ## Step 1: a function with unknown numbers
# The simplest guess is a **linear model**: tomorrow is today times $w$ (a **weight**), plus $b$ (the **bias**):
# $y = b + w x$.
#
# Here $y$ is tomorrow and $x$ is today. With $b = 0.5$ and $w = 1$, a day of 4.8 thousand views promises 5.3 thousand.
# If 4.9 thousand came, the error is 0.4.

# %%
one_day = zoo.build("lagged_linear", input_shape=(1,))
one_day.set_weights([np.array([[1.0]]), np.array([0.5])])  # w, b
promised = float(outputs(one_day, np.array([[4.8]]))[0, 0])
print(f"4.8 -> {promised:.1f}, label 4.9, error {abs(promised - 4.9):.1f}")
lesson.claim("worked example: distance from 5.3", abs(promised - 5.3), "<=", 1e-6, exact=True)

# %% [markdown]
# ## Step 2: how bad is a choice of b and w?
# The **loss** is a function too: parameters in, badness out. We take the mean of the squared errors over the $n$
# training days (the **mean squared error**, MSE):
#
# $$L(b, w) = \frac{1}{n} \sum_{i=1}^{n} (b + w x_i - y_i)^2$$
#
# The baselines above are judged by another number, the mean of the errors' sizes (the **mean absolute error**, MAE):
# $\frac{1}{n} \sum |b + w x_i - y_i|$. Why train with one and judge by the other? The square is smooth: near its
# minimum its slope goes to 0, so the steps get shorter by themselves; the slope of $|e|$ jumps from -1 to 1. But the
# MSE is in squared views, and a few very bad days can make most of it. The MAE is in views, as the question is. The two
# also ask for different things. Of all constant forecasts, the MSE is least for the **mean** of the days, the MAE for
# their **median** (half of the days are above it). We try 2,001 constants and look:

# %%
constants = np.linspace(days.min(), days.max(), 2001)
errors_of_constants = days[:, None] - constants
best_by_square = constants[np.mean(errors_of_constants**2, axis=0).argmin()]
best_by_size = constants[np.mean(np.abs(errors_of_constants), axis=0).argmin()]
print(f"best constant by MSE {best_by_square:.3f}, mean {days.mean():.3f}")
print(f"best constant by MAE {best_by_size:.3f}, median {np.median(days):.3f}")
spacing = constants[1] - constants[0]
lesson.claim("best constant by MSE less the mean", abs(best_by_square - days.mean()), "<=", spacing, exact=True)
lesson.claim("best constant by MAE less the median", abs(best_by_size - np.median(days)), "<=", spacing, exact=True)

# %% [markdown]
# ## Step 3: make it less bad
# With two parameters the loss can be drawn, as an **error surface** (or **loss landscape**). **Gradient descent**:
# stand at some $(b, w)$ and compute in which direction the loss rises fastest (the **gradient**, the vector of its
# partial derivatives). Then take a step the other way:
#
# $$w \leftarrow w - \eta\,\frac{\partial L}{\partial w}, \qquad b \leftarrow b - \eta\,\frac{\partial L}{\partial b}$$
#
# The factor $\eta$, the **learning rate**, sets how long the step is. The examples that a step looks at are its
# **batch**, and once through the training set is an **epoch**. We let Keras do it with all days in one batch, so one
# epoch is one step.
#
# What we expect is a walk to the minimum. What we get with raw numbers is a jump into a narrow valley and then a crawl.
# All $x$ lie near 5, so a larger $w$ can be paid back by a smaller $b$, and along that direction the loss hardly
# changes (the problem is **ill-conditioned**). A longer step does not help: it bounces between the walls.
# **Standardisation** of the input (subtract the mean, divide by the standard deviation) makes the valley round.


# %%
def walk(x, learning_rate, steps):
    """Gradient descent for y = b + w x from (0, 0). Returns (steps + 1, 2): b and w after each step."""
    model = zoo.build("lagged_linear", input_shape=(1,))
    model.set_weights([np.zeros((1, 1)), np.zeros(1)])
    path = [(0.0, 0.0)]

    def note(epoch, logs):
        w, b = model.get_weights()
        path.append((b.item(), w.item()))

    model.compile(keras.optimizers.SGD(learning_rate), loss="mse")
    notebook = keras.callbacks.LambdaCallback(on_epoch_end=note)
    model.fit(x[:, None], days, batch_size=len(x), epochs=steps, shuffle=False, verbose=0, callbacks=[notebook])
    return np.array(path)


x1 = weeks[:, -1]
mean, deviation = x1.mean(), x1.std()
steps = 3 if lesson.smoke else 60
raw = walk(x1, 0.03, steps)
standard = walk((x1 - mean) / deviation, 0.15, steps)
round_b, round_w = standard.T
standard = np.stack([round_b - round_w * mean / deviation, round_w / deviation], axis=1)  # the same lines, for raw x
w_best, b_best = np.polyfit(x1, days, 1)  # least squares, in closed form


def squared_error(b, w):
    """The loss over grids of b and w, from the moments of the data."""
    residual = [days.var() + days.mean() ** 2, (x1 * x1).mean(), (x1 * days).mean()]
    return residual[0] + b * b + w * w * residual[1] - 2 * b * days.mean() - 2 * w * residual[2] + 2 * b * w * x1.mean()


b_grid, w_grid = np.meshgrid(np.linspace(-1.5, 6, 240), np.linspace(-0.4, 1.5, 240))
figure = new_figure(7.5, 5)
axes = figure.subplots()
shades = axes.contourf(
    b_grid, w_grid, squared_error(b_grid, w_grid), levels=np.geomspace(0.45, 60, 22), cmap="YlGnBu_r", extend="both"
)
figure.colorbar(shades, label="mean squared error", format="%.2g")
axes.plot(*raw.T, color=SECOND, marker="o", markersize=3, label=f"raw input, {steps} steps: crawling along the valley")
axes.plot(*standard.T, color="white", marker="o", markersize=3, label=f"standardised input, {steps} steps")
axes.plot(b_best, w_best, "*", color="gold", markersize=16, markeredgecolor="black", label="the minimum")
axes.set(xlabel="b", ylabel="w", xlim=(-1.5, 6), ylim=(-0.4, 1.5), title="The loss over (b, w) of  y = b + w x")
axes.legend(loc="lower right", facecolor="#9fb8c8")
lesson.plot(figure, "loss_contour")


def distance(path):
    return float(np.hypot(path[-1, 0] - b_best, path[-1, 1] - w_best))


print(f"after {steps} steps: raw {distance(raw):.3f} from the minimum, standardised {distance(standard):.2g}")
lesson.claim(
    "distance to the minimum, standardised input", distance(standard), "<=", 1e-3, baseline={"raw input": distance(raw)}
)

# %% [markdown]
# ## Seven days in place of one
# The site has a weekly rhythm, and yesterday alone does not say which weekday it is. Knowledge of the field enters as a
# better function: $y = b + \sum_{j=1}^{7} w_j x_j$. `zoo.load_data` standardises the input by the training set. A
# batch is now 64 examples (a **mini-batch**), and the steps are those of **Adam**
# ([Kingma and Ba, 2014](https://arxiv.org/abs/1412.6980)): gradient descent that follows a running mean of the last
# gradients and has a step length of its own for each parameter. Its learning rate falls to 0 along a cosine (a
# **learning rate schedule**): long steps first, to get near, and short ones in the end, to settle.


# %%
def train(name, seed, epochs=60, days_seen=7, loss="mse", **options):
    """A trained model, its forecasts of the test year, and its MAE in thousands of views by part of the data."""

    def data(split, **shuffling):
        batches = zoo.load_data("daily_views", split=split, batch_size=BATCH, **shuffling)
        return batches.map(lambda week, day: (week[:, -days_seen:], day))

    keras.utils.set_random_seed(seed)
    epochs = 1 if lesson.smoke else epochs
    model = zoo.build(name, input_shape=(days_seen,), **options)
    updates = epochs * -(-len(days) // BATCH)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.03, updates)), loss=loss)
    model.fit(data("train", shuffle=True, seed=seed), epochs=epochs, verbose=0, shuffle=False)  # the data shuffles
    found = {}
    for split, truth in (("train", days), ("validation", validation_days), ("test", test_days)):
        prediction = outputs(model, np.concatenate([week for week, _ in data(split)]))[:, 0]
        found[split] = mean_absolute_error(truth, prediction)
    return model, prediction, found


_, late, one_day_errors = train("lagged_linear", lesson.seed, days_seen=1)
linear, prediction, seven_day_errors = train("lagged_linear", lesson.seed)
one_error, seven_error = one_day_errors["test"], seven_day_errors["test"]
print(f"one day {one_error:.3f}, seven days {seven_error:.3f} thousand views of error")
by_size = train("lagged_linear", lesson.seed, loss="mae")[2]["test"]
print(f"seven days, trained with the MAE as its loss: {by_size:.3f}")

figure = new_figure(10, 5.6)
above, below = figure.subplots(2, 1, sharex=True, sharey=True)
for axes, forecast, title in (
    (above, late, f"one day as input: the forecast is late and flat (error {one_error:.2f})"),
    (below, prediction, f"seven days as input: the rhythm is found (error {seven_error:.2f})"),
):
    axes.plot(test_days[:42], color=THIRD, marker="o", markersize=3, label="truth")
    axes.plot(forecast[:42], color=INK if axes is below else SECOND, marker="o", markersize=3, label="forecast")
    axes.set(title=title, ylabel="views, thousands")
    axes.grid(axis="x")
    axes.legend(frameon=False, loc="upper right", ncols=2)
below.set(xlabel="day of 2021", xticks=range(0, 43, 7))
lesson.plot(figure, "fit")

# %% [markdown]
# How much further could anyone get? Every day brings news that no past day knows: the generator multiplies each day by
# about $1 \pm 0.05$ (0.25 x 0.2 in `zoo.data.builtin.tables.DailyViews`). The mean size of that is the error of
# somebody who knows everything else (the **irreducible error**).

# %%
floor = 0.25 * 0.2 * np.sqrt(2 / np.pi) * test_days.mean()
lesson.claim(
    "error with 7 days / error with 1 day",
    seven_error / one_error,
    "<=",
    0.56,
    baseline={"a week ago": baselines["a week ago"] / one_error, "nobody is below": floor / one_error},
)

# %% [markdown]
# ## Lines are too stiff: bend them
# A straight line cannot follow a curve, whatever its parameters: it **underfits** (it is bad on the training set
# already). A curve of straight pieces (it is **piecewise linear**) is a constant plus some **hard sigmoids**: functions
# that are flat, rise (or fall), and are flat again. A **ReLU** (rectified linear unit), $c\max(0, b + w x)$, has one
# bend, at $x = -b / w$, and is 0 on one side of it: to the left where $w > 0$, to the right where $w < 0$. On the other
# side it is a line that goes on for ever, above 0 where $c > 0$ and below where $c < 0$. Two of them with $w > 0$, the
# second with the opposite $c$, make one hard sigmoid. `relu_sum` with weights set by hand:


# %%
def steps_of_relus(starts, ends, heights, constant):
    """A constant plus hard sigmoids from `starts` to `ends` of `heights`, as a `relu_sum` of twice as many hinges."""
    count = len(starts)
    model = zoo.build("relu_sum", input_shape=(1,), units=2 * count)
    slopes = heights / (ends - starts)
    kernel, output = np.ones((1, 2 * count)), np.concatenate([slopes, -slopes])[:, None]
    model.set_weights([kernel, -np.concatenate([starts, ends]), output, np.array([constant])])
    return model


x = np.arange(-512, 513, dtype="float32")[:, None] / 128  # -4 to 4
one_step = outputs(steps_of_relus(np.array([-2.0]), np.array([2.0]), np.array([1.0]), 0.0), x)
hard_sigmoid = np.clip((x + 2) / 4, 0, 1)
difference = np.abs(one_step - hard_sigmoid).max()
lesson.claim("two ReLUs less one hard sigmoid, largest difference", difference, "<=", 1e-7, exact=True)

starts, ends = np.array([-4.0, -1.0, 1.5]), np.array([-1.0, 1.5, 4.0])
heights, constant = np.array([2.5, -1.5, 2.0]), 0.5
pieces = outputs(steps_of_relus(starts, ends, heights, constant), x)
soft = zoo.build("sigmoid_sum", input_shape=(1,), units=3)
slope = 4 / (ends - starts)  # a sigmoid is steepest in its middle: 1/4 of its weight
soft.set_weights([slope[None], -slope * (starts + ends) / 2, heights[:, None], np.array([constant])])

figure = new_figure(10, 3.6)
left, right = figure.subplots(1, 2)
left.plot(x, np.maximum(0, x + 2) / 4, color=THIRD, label="ReLU that rises from -2 on")
left.plot(x, -np.maximum(0, x - 2) / 4, color=THIRD, linestyle="--", label="ReLU that falls from 2 on")
left.plot(x, one_step, color=INK, linewidth=2.5, label="their sum: a hard sigmoid")
left.legend(frameon=False)
for start, end, height in zip(starts, ends, heights):
    right.plot(x, height * np.clip((x - start) / (end - start), 0, 1), color=THIRD, linewidth=1)
right.axhline(constant, color=THIRD, linewidth=1, label="a constant and three hard sigmoids")
right.plot(x, pieces, color=SECOND, linewidth=2.5, label="their sum: a curve of straight pieces")
right.plot(x, outputs(soft, x), color=INK, label="with soft sigmoids: smooth")
right.set(ylim=(-2, 5.5), xlabel="x", ylabel="y")
right.legend(frameon=False, loc="upper left")
left.set(xlabel="x", ylabel="y")
lesson.plot(figure, "bent_lines")

# %% [markdown]
# ## A sum of sigmoids over seven days
# A **sigmoid** is a hard sigmoid with its corners rounded: $\sigma(z) = 1 / (1 + e^{-z})$. A sum of them over the week,
# $y = b + \sum_i c_i\,\sigma(b_i + \sum_j w_{ij} x_j)$, or $y = b + c^\top \sigma(b' + W x)$, has many unknowns, and
# each is found by the same three steps. This is a **neural network**: each sigmoid is a **neuron**, and $\sigma$ its
# **activation function**, which bends what would be a line. With enough of them the sum comes as near as you like to
# any continuous function on a bounded region. How many are needed here? Their number is chosen, not learned: a
# **hyperparameter**. The validation set chooses it. We train each size from three random beginnings (each from a
# **random seed** of its own) and take the size whose mean error on the validation days is least.

# %%
sizes = (1, 100) if lesson.smoke else (1, 3, 10, 30, 100)
errors = {size: [train("sigmoid_sum", seed, units=size)[2] for seed in lesson.seeds] for size in sizes}
relu_errors = [train("relu_sum", seed, units=100)[2]["test"] for seed in lesson.seeds]
means = {split: [np.mean([run[split] for run in errors[size]]) for size in sizes] for split in errors[1][0]}
chosen = sizes[int(np.argmin(means["validation"]))]
for size, *row in zip(sizes, *means.values()):
    print(f"{size:>3} sigmoids: " + ", ".join(f"{split} {error:.3f}" for split, error in zip(means, row)))
print(f"the validation days choose {chosen}")

figure = new_figure(7.5, 4.6)
axes = figure.subplots()
for split, style in (("train", "s--"), ("validation", "^:"), ("test", "o-")):
    axes.plot(sizes, means[split], style, color=INK, linewidth=1, label=f"sigmoids, {split} days (mean of the seeds)")
axes.plot([chosen], [means["test"][sizes.index(chosen)]], "o", markersize=12, color="gold", zorder=0, label="chosen")
levels = {"one day, linear": one_error, "seven days, linear": seven_error, "a week ago": baselines["a week ago"]}
for (name, level), style in zip(levels.items(), (":", "-", "-.")):
    axes.axhline(level, color=SECOND, linestyle=style, label=f"{name}, test days")
axes.axhline(floor, color=THIRD, linestyle="--", label="the day's own news, test days: nobody is below")
axes.set(xscale="log", xlabel="number of sigmoids", ylabel="mean absolute error, thousands of views", ylim=(0.2, 0.72))
axes.set_xticks(sizes, sizes)
axes.legend(frameon=False, fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.8))
lesson.plot(figure, "error_by_sigmoids")

worst = max(run["test"] for run in errors[chosen])
beside = {"100 ReLUs (worst)": max(relu_errors), "nobody is below": floor}
lesson.claim(
    "error of the chosen sigmoids / error of seven days, linear, worst seed", worst / seven_error, "<=", 0.95,
    baseline={name: error / seven_error for name, error in {**baselines, **beside}.items()},
)  # fmt: skip

# %% [markdown]
# ## Batches, updates, epochs
# The gradient over all days at once costs a look at all days. A mini-batch gives an estimate of it for much less
# (**stochastic gradient descent**, SGD). Each batch gives one **update** (or step, or **iteration**). So 10,000
# examples in batches of 10 make 1,000 updates per epoch. The optimizer counts them:

# %%
model = zoo.build("lagged_linear")
model.compile("sgd", loss="mse")
model.fit(np.zeros((10_000, 7)), np.zeros(10_000), batch_size=10, epochs=1, verbose=0)
lesson.claim("updates in one epoch", int(model.optimizer.iterations), "==", 1_000, exact=True)

# %% [markdown]
# ## Try it
# 1. Give `walk` a learning rate of 0.05 for the raw input. What happens, and in which direction?
# 2. Look at `linear.get_weights()[0]`: which of the seven days count most? Why the first?
# 3. Do the errors fall on the training days by as much as on the test days when there are more sigmoids?
#
# <details><summary>Solution</summary>
#
# 1. `raw = walk(x1, 0.05, steps)`: each step overshoots the valley by more than the last one, and the numbers grow
#    without end (they **diverge**), across the valley, where it is steep.
# 2. The first weight is the largest, the last comes next: seven days ago was the same weekday as tomorrow, and
#    yesterday tells what is unusual now.
# 3. The table above has both. They fall together: from 1 sigmoid to 30 (seed 0) by .066 on the training days and by
#    .119 on the test days. So there is no overfitting here: it shows where the training error goes on falling while the
#    test error rises. (The test errors are larger throughout, as the views themselves have grown; the validation days
#    lie in autumn, the season of the fewest.)
# </details>

# %%
lesson.finish()
