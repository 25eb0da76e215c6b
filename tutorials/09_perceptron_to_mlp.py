# %% [markdown]
# # 09 · From one neuron to the multilayer perceptron
#
# One neuron (lesson 01) adds its inputs up, each with a weight, and asks whether the sum is above 0: it gives one of
# two answers, the **classes**. That is **classification**. In a plane its **decision boundary** (the border between the
# two answers) is a straight line. Some questions have no such line (they are not **linearly separable**); the smallest
# of them, XOR, has four points. You will see where one neuron stops, why more layers alone change nothing, and what the
# activation function between them is for.
#
# **You will see** decision regions of one neuron and of several, four layers amounting to a single line, steps with and
# without momentum in a narrow valley, and a network that learns its examples by heart, with a cure that helps a little
# (the failures of this lesson).
#
# **Claims** XOR: a perceptron gets at most 3 of 4 right, an MLP all 4. A deep network without activation equals one
# matrix. Gradients worked out by hand are Keras's. MNIST-1D: softmax regression gets between .29 and .35, an MLP at
# least .58 (published: 32 and 68 %).
#
# **Beside them** chance, and the nearest training example (a **1-nearest-neighbour classifier** answers with the class
# of the training example that is most like the new one).
#
# **Takes** 60 seconds on one core (AMD EPYC). `--data full` adds MNIST.
#
# **To read on** F. Rosenblatt, [The perceptron](https://doi.org/10.1037/h0042519), *Psychological Review* 65(6), 1958;
# D. Rumelhart, G. Hinton and R. Williams,
# [Learning representations by back-propagating errors](https://doi.org/10.1038/323533a0), *Nature* 323, 1986;
# Goodfellow, Bengio and Courville (2016), [chapter 6](https://www.deeplearningbook.org/contents/mlp.html); *Dive into
# Deep Learning*, [chapter 5](https://d2l.ai/chapter_multilayer-perceptrons/index.html).

# %%
import keras
import numpy as np
from lesson import NO_MNIST1D, Tutorial, mnist1d
from sklearn.datasets import make_moons
from sklearn.neighbors import KNeighborsClassifier

import zoo
from zoo.losses import Perceptron
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("09_perceptron_to_mlp", full_data="mnist")
TWO_CLASSES = keras.losses.BinaryCrossentropy(from_logits=True)
MANY_CLASSES = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


# %%
def train(model, x, y, loss, seed, epochs, learning_rate, batch_size=100):
    """Fit with Adam, its learning rate falling to 0 along a cosine; return the model."""
    epochs = 1 if lesson.smoke else epochs
    updates = epochs * -(-len(x) // batch_size)
    keras.utils.set_random_seed(seed)  # of the order of the examples
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, updates)), loss=loss)
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0)
    return model


def fresh(name, seed, **options):
    keras.utils.set_random_seed(seed)  # of the first weights
    return zoo.build(name, **options)


def classes(model, x):
    """The class a model predicts for each example: by the sign of one logit, or by the largest of several."""
    logits = keras.ops.convert_to_numpy(model(x))
    return (logits[:, 0] > 0).astype(int) if logits.shape[1] == 1 else logits.argmax(1)


def accuracy(model, x, y):
    """The fraction of the examples whose class is predicted rightly."""
    return float(np.mean(classes(model, x) == y))


def draw_regions(axes, model, x, y, title):
    """The plane coloured by the class that the model predicts for each point, and the examples on it."""
    low, high = x.min(0) - 0.5, x.max(0) + 0.5
    across, up = np.meshgrid(np.linspace(low[0], high[0], 200), np.linspace(low[1], high[1], 200))
    predicted = classes(model, np.stack([across, up], -1).reshape(-1, 2).astype("float32")).reshape(across.shape)
    axes.contourf(across, up, predicted, levels=(-0.5, 0.5, 1.5), colors=("#f3d9d2", "#cfe0ea"))
    for label, colour, marker in ((0, SECOND, "o"), (1, INK, "s")):
        axes.plot(*x[y == label].T, marker, color=colour, markersize=9 if len(x) < 10 else 3)
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.set_title(f"{title}\n{accuracy(model, x, y):.0%} correct", fontsize=10)


# %% [markdown]
# ## One neuron
# $z = b + w_1 x_1 + w_2 x_2$: class 1 where $z > 0$, else class 0. The weights turn the line $z = 0$, the bias $b$
# moves it. Rosenblatt's **perceptron** learns from its mistakes only. With $y$ the right class, $\hat y$ the predicted
# one (both 0 or 1) and $\eta$ the learning rate:
#
# $$w \leftarrow w + \eta\,(y - \hat y)\,x, \qquad b \leftarrow b + \eta\,(y - \hat y)$$
#
# A wrong example of class 1 pulls the weights towards itself, a wrong one of class 0 pushes them away, and a right one
# does nothing. That is gradient descent on a loss, the **perceptron criterion**: $\max(0, -z)$ for class 1 and
# $\max(0, z)$ for class 0. One step by the rule and one by Keras, from the same weights:

# %%
corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
AND, XOR = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 0])


def rosenblatt(w, b, x, y, learning_rate):
    """One step of the perceptron rule over some examples: the mean of what each asks for."""
    wrong = y - (x @ w + b > 0)  # 1 pulls, -1 pushes, 0 rests
    return w + learning_rate * (wrong[:, None] * x).mean(0), b + learning_rate * wrong.mean()


w, b = np.array([0.5, -1.0]), -0.1  # wrong about (1, 0) and about (1, 1), which are of class 0 and of class 1
step = fresh("perceptron", 0, input_shape=(2,))
step.set_weights([w[:, None], np.array([b])])
step.compile(keras.optimizers.SGD(0.1), loss=Perceptron())
step.train_on_batch(corners, AND)
expected_w, expected_b = rosenblatt(w, b, corners, AND, 0.1)
got_w, got_b = step.get_weights()
difference = max(np.abs(got_w[:, 0] - expected_w).max(), np.abs(got_b - expected_b).max())
print(f"weights {w} and bias {b} become {expected_w.round(3)} and {expected_b:.3f}")
lesson.claim("one step by Rosenblatt's rule less Keras's, largest difference", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# ## One neuron is not enough
# AND (1 only if both inputs are 1) can be split by a line. XOR (1 if exactly one is) cannot: the two 1s lie on one
# diagonal, the two 0s on the other. So 3 of 4 is the most that any line gets right. A **multilayer perceptron** (MLP)
# has a **hidden layer** of neurons, here four, between its inputs and its output. With one hidden layer that is wide
# enough, an MLP comes as near as you like to any continuous function on a bounded region (**universal approximation**,
# [Cybenko 1989](https://doi.org/10.1007/BF02551274)); whether training finds the weights is another question. Expected
# before the run: an **accuracy** (the fraction of right answers) of at most 0.75 for one neuron, from every seed.

# %%


def neuron(y, seed):
    model = fresh("perceptron", seed, input_shape=(2,))
    return train(model, corners, y, Perceptron(), seed, epochs=100, learning_rate=0.1, batch_size=4)


def small_mlp(seed):
    model = fresh("mlp", seed, input_shape=(2,), num_classes=2, hidden=(4,), activation="tanh")
    return train(model, corners, XOR, MANY_CLASSES, seed, epochs=200, learning_rate=0.1, batch_size=4)


solves_and, fails_xor = neuron(AND, lesson.seed), [neuron(XOR, seed) for seed in lesson.seeds]
mlps = [small_mlp(seed) for seed in lesson.seeds]

figure = new_figure(10.5, 3.8)
one, two, three = figure.subplots(1, 3)
draw_regions(one, solves_and, corners, AND, "AND, one perceptron")
draw_regions(two, fails_xor[0], corners, XOR, "XOR, one perceptron: no line will do")
draw_regions(three, mlps[0], corners, XOR, "XOR, four hidden neurons")
lesson.plot(figure, "xor")

best_line = max(accuracy(model, corners, XOR) for model in fails_xor)
worst_mlp = min(accuracy(model, corners, XOR) for model in mlps)
lesson.claim("XOR, perceptron, best seed", best_line, "<=", 0.75, baseline={"chance": 0.5}, exact=True)
lesson.claim("XOR, MLP with 4 hidden neurons, worst seed", worst_mlp, ">=", 1.0, baseline={"perceptron": best_line})

# %% [markdown]
# ## More layers, and nothing between them
# A layer in which every neuron sees every input is called **dense** or **fully connected**. Without activation it is
# $x W + b$, a **linear layer**. Two of them are $(x W_1 + b_1) W_2 + b_2 = x (W_1 W_2) + (b_1 W_2 + b_2)$: one layer
# again. However many are stacked, they amount to one matrix. We train four layers without activation on two moons,
# multiply them together and compare. Beside them stands **logistic regression** (lesson 05): one neuron whose sum a
# sigmoid turns into $p$, the probability of class 1. Its loss is $-\ln p$ for an example of class 1 and $-\ln(1 - p)$
# for one of class 0 (the **binary cross-entropy**).

# %%
points, moons = make_moons(300, noise=0.12, random_state=0)
points = points.astype("float32")


def deep(activation):
    """Three hidden layers of 16 units."""
    model = fresh("mlp", lesson.seed, input_shape=(2,), num_classes=2, hidden=(16, 16, 16), activation=activation)
    return train(model, points, moons, MANY_CLASSES, lesson.seed, epochs=60, learning_rate=1e-2, batch_size=50)


single = fresh("logistic_regression", lesson.seed, input_shape=(2,))
single = train(single, points, moons, TWO_CLASSES, lesson.seed, epochs=60, learning_rate=0.1, batch_size=50)
linear, bent = deep("linear"), deep("relu")

weights = linear.get_weights()  # kernel, bias, kernel, bias, ...
matrix, bias = np.eye(2), np.zeros(2)
for kernel, offset in zip(weights[::2], weights[1::2]):
    matrix, bias = matrix @ kernel, bias @ kernel + offset
difference = np.abs(keras.ops.convert_to_numpy(linear(points)) - (points @ matrix + bias)).max()
print(f"{linear.count_params()} parameters in four layers amount to {matrix.size + bias.size} in a matrix and a bias")

figure = new_figure(10.5, 3.8)
one, two, three = figure.subplots(1, 3)
draw_regions(one, single, points, moons, "logistic regression, 3 parameters")
draw_regions(
    two, linear, points, moons, f"four linear layers, {linear.count_params()} parameters:\na straight line again"
)
draw_regions(three, bent, points, moons, "the same four layers with ReLU")
lesson.plot(figure, "collapse")
lesson.claim("four linear layers less their one matrix, largest difference", difference, "<=", 1e-5, exact=True)

# %% [markdown]
# ## Ten classes, and the gradient by hand
# Lesson 02 had softmax, cross-entropy and backpropagation for numbers; here they come for a whole batch, in matrices.
# For ten classes a network has ten outputs $z_k$, the **logits**. **Softmax** turns them into ten probabilities,
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}},$$
#
# and the loss is $-\ln p$ of the true class (the **cross-entropy**), averaged over the batch. A network that knows
# nothing gives each class 1/10, so we expect a loss near $\ln 10 = 2.303$ before the first step.
#
# How does the loss reach the weights of a hidden layer? By the **chain rule**, layer by layer from the output back:
# **backpropagation**. Take $h = \tanh(x W_1 + b_1)$ and $z = h W_2 + b_2$. Let $y$ be 1 at the true class and 0
# elsewhere, $n$ the number of examples, and $\odot$ multiply number by number. Softmax and cross-entropy together have
# a gradient that could not be simpler, and the rest follows:
#
# $$\delta_2 = (p - y) / n, \qquad \delta_1 = (\delta_2 W_2^\top) \odot (1 - h^2)$$
#
# $$\frac{\partial L}{\partial W_2} = h^\top \delta_2, \qquad \frac{\partial L}{\partial W_1} = x^\top \delta_1$$
#
# (and the biases get the sums of $\delta_2$ and $\delta_1$ over the examples). At a learning rate of 1, a step of
# gradient descent changes the weights by exactly the gradient, so we can read Keras's off and compare.


# %%
def gradients_by_hand(x, y, w1, b1, w2, b2):
    """Of the cross-entropy of an MLP with one hidden layer of tanh, in the order of the weights."""
    h = np.tanh(x @ w1 + b1)  # (examples, hidden)
    z = h @ w2 + b2  # (examples, classes)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    delta2 = (p - np.eye(z.shape[1])[y]) / len(x)
    delta1 = (delta2 @ w2.T) * (1 - h**2)
    return x.T @ delta1, delta1.sum(0), h.T @ delta2, delta2.sum(0)


rng = np.random.default_rng(lesson.seed)
x, y = rng.normal(size=(20, 5)).astype("float32"), rng.integers(0, 3, 20)
small = fresh("mlp", lesson.seed, input_shape=(5,), num_classes=3, hidden=(4,), activation="tanh")
before = small.get_weights()
small.compile(keras.optimizers.SGD(1.0), loss=MANY_CLASSES)
small.train_on_batch(x, y)
steps = [old - new for old, new in zip(before, small.get_weights())]
difference = max(np.abs(mine - keras_s).max() for mine, keras_s in zip(gradients_by_hand(x, y, *before), steps))
lesson.claim("gradients by hand less Keras's, largest difference", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# ## Momentum: what a narrow valley needs
# In lesson 01 gradient descent crawled along a narrow valley. A ball would not: it gathers speed where the slope always
# points the same way, and where the slope changes sides at each step, the pushes cancel out. **Momentum** (lesson 03,
# here in the form that Keras uses) gives the steps a velocity $v$ that keeps a part $m$ of itself (often 0.9):
#
# $$v \leftarrow m\,v - \eta\,\nabla L, \qquad w \leftarrow w + v$$
#
# (B. Polyak, 1964.) With $m = 0$ it is gradient descent. Adam has momentum too, and divides each parameter's step by
# the usual size of its gradient. The valley here is $L = \frac{1}{2}(w_1^2 + 50 w_2^2)$, fifty times as steep across as
# along, and both walks have the same learning rate.

# %%
STEEPNESS, RATE, STEPS = np.array([1.0, 50.0]), 0.03, 60


def walk(momentum):
    """The path from (-4, 1.5) by the formulas above: (steps + 1, 2)."""
    place, velocity, path = np.array([-4.0, 1.5]), np.zeros(2), []
    for _ in range(STEPS + 1):
        path.append(place)
        velocity = momentum * velocity - RATE * STEEPNESS * place  # the gradient is steepness times place
        place = place + velocity
    return np.array(path)


def keras_walk(momentum):
    """The same by Keras's SGD."""
    place, path = keras.Variable([-4.0, 1.5]), []
    optimizer = keras.optimizers.SGD(RATE, momentum=momentum)
    for _ in range(STEPS + 1):
        path.append(np.array(keras.ops.convert_to_numpy(place)))  # a copy: PyTorch would share it
        optimizer.apply([keras.ops.convert_to_tensor(STEEPNESS * path[-1], "float32")], [place])
    return np.array(path)


paths = {"without momentum": walk(0.0), "with momentum 0.9": walk(0.9)}
figure = new_figure(8, 3.2)
axes = figure.subplots()
across, up = np.meshgrid(np.linspace(-4.5, 2.5, 200), np.linspace(-1.8, 1.8, 200))
axes.contour(across, up, (across**2 + 50 * up**2) / 2, levels=np.geomspace(0.1, 80, 10), colors="lightgrey")
for (name, path), colour in zip(paths.items(), (SECOND, INK)):
    left = np.linalg.norm(path[-1])
    axes.plot(*path.T, ".-", color=colour, linewidth=0.8, label=f"{name}: {left:.2g} from the minimum in the end")
axes.plot(0, 0, "*", color="gold", markersize=14, markeredgecolor="black")
axes.set(
    xlabel="$w_1$, along the valley", ylabel="$w_2$, across it", title=f"{STEPS} steps at a learning rate of {RATE}"
)
axes.legend(frameon=False, fontsize=8, loc="lower right")
lesson.plot(figure, "momentum")
difference = np.abs(walk(0.9) - keras_walk(0.9)).max()
lesson.claim("momentum by hand less Keras's, largest difference", difference, "<=", 1e-5, exact=True)
without, with_momentum = (float(np.linalg.norm(path[-1])) for path in paths.values())
lesson.claim(
    "distance to the minimum with momentum / without", with_momentum / without, "<=", 0.5,
    baseline={"without": without}, exact=True,
)  # fmt: skip

# %% [markdown]
# ## Signals whose shape may sit anywhere
# MNIST-1D is MNIST's little sister ([Greydanus 2020](https://arxiv.org/abs/2011.14439)): 4,000 training and 1,000 test
# signals of 40 numbers, ten shapes that are shifted, stretched, tilted and made noisy. Because the shape may sit
# anywhere, no single position means much: hard for a weighted sum (**softmax regression** is one dense layer with a
# softmax). Its README gives 32 % for logistic regression and 68 % for an MLP.
#
# The MLP has 15,000 parameters for 4,000 examples: it can learn them by heart. What keeps a network from overfitting is
# called **regularisation** (lesson 05). **Dropout** sets a random part of the hidden neurons to 0 in each training
# step, so that none can lean on another; in use, all of them work. How large a part? We keep the last 500 training
# signals apart as a validation set, train with three values, and take the one that is best there. The test signals are
# looked at once, at the end.

# %%
signals = mnist1d()
if signals is None:
    lesson.skip(NO_MNIST1D)
else:
    (x, y), (x_test, y_test) = signals
    (x, x_validation), (y, y_validation) = np.split(x, [3500]), np.split(y, [3500])
    untrained = fresh("softmax_regression", lesson.seed, input_shape=(40, 1))
    untrained.compile(loss=MANY_CLASSES)
    print(f"loss before training {untrained.evaluate(x_test, y_test, verbose=0):.2f}; ln 10 is {np.log(10):.2f}, "
          "and what random weights say at random adds to it")  # fmt: skip

    def fitted(name, learning_rate, **options):
        """A trained network from each seed."""
        models = [fresh(name, seed, input_shape=(40, 1), **options) for seed in lesson.seeds]
        return [train(model, x, y, MANY_CLASSES, seed, 30, learning_rate) for model, seed in zip(models, lesson.seeds)]

    rates = (0.0, 0.5) if lesson.smoke else (0.0, 0.25, 0.5)
    mlps = {rate: fitted("mlp", 3e-3, hidden=(100, 100), dropout=rate) for rate in rates}
    validated = {rate: np.mean([accuracy(m, x_validation, y_validation) for m in mlps[rate]]) for rate in rates}
    chosen = max(validated, key=validated.get)
    print("validation accuracy by dropout:", {rate: round(float(score), 3) for rate, score in validated.items()})
    rows = {
        "softmax\nregression": fitted("softmax_regression", 1e-2),
        "MLP\n100, 100": mlps[0.0],
        f"the same with\ndropout {chosen}": mlps[chosen],
    }
    flat, flat_test = x[..., 0], x_test[..., 0]
    neighbour = KNeighborsClassifier(1).fit(flat, y).score(flat_test, y_test)

    figure = new_figure(11, 6)
    gallery, scores = figure.subfigures(2, 1, height_ratios=(1, 1.6))
    gallery.suptitle("three test signals of each class: the shape is somewhere")
    for digit, axes in enumerate(gallery.subplots(1, 10)):
        for row, signal in enumerate(flat_test[y_test == digit][:3]):
            axes.plot(signal + 4 * row, range(40), color=INK, linewidth=1)
        axes.set(title=str(digit), xticks=[], yticks=[])
    axes, means = scores.subplots(), {}
    for row, (name, models) in enumerate(rows.items()):
        means[name] = [np.mean([accuracy(m, *part) for m in models]) for part in ((x, y), (x_test, y_test))]
        axes.barh([row + 0.2, row - 0.2], means[name], 0.36, color=[THIRD, INK])
        for part, score, shift in zip(("training", "test"), means[name], (0.2, -0.2)):
            axes.text(score + 0.005, row + shift, f"{part} {score:.2f}", va="center")
    axes.axvline(0.1, color=SECOND, linestyle=":", label="chance")
    axes.axvline(neighbour, color=SECOND, linestyle="--", label="nearest training example")
    axes.set(xlim=(0, 1.12), xlabel="accuracy, mean of the seeds")
    axes.set_title("the MLP knows most of its examples by heart: it overfits")
    axes.set_yticks(range(len(rows)), rows)
    axes.legend(frameon=False, loc="lower right")
    lesson.plot(figure, "mnist1d")

    baseline = {"chance": 0.1, "nearest example": neighbour}
    softmax, plain, dropped = ([accuracy(m, x_test, y_test) for m in models] for models in rows.values())
    lesson.claim("MNIST-1D, softmax regression, worst seed", min(softmax), ">=", 0.29, baseline=baseline)
    lesson.claim("MNIST-1D, softmax regression, best seed", max(softmax), "<=", 0.35, baseline=baseline)
    lesson.claim("MNIST-1D, the chosen MLP, worst seed", min(dropped), ">=", 0.58, baseline=baseline)
    (_, _), (seen, new), (seen_dropped, new_dropped) = means.values()
    lesson.claim(
        "MNIST-1D, generalisation gap with dropout less without", (seen_dropped - new_dropped) - (seen - new), "<=",
        -0.05, baseline={"without": seen - new},
    )  # fmt: skip

# %% [markdown]
# The MLP beats a weighted sum by far and is still near to looking the answer up: on new examples it is much worse than
# on those it was trained on. The distance between the two is the **generalisation gap**. Dropout makes the gap smaller,
# mostly because the network knows less of its training set by heart; on the test signals little changes. What the MLP
# lacks is the idea that a shape is the same wherever it sits. Lesson 10 builds that idea in (what a network takes for
# granted before it sees an example is its **inductive bias**).
#
# ## MNIST (`--data full`)
# In MNIST every digit sits in the middle of its image, and even a weighted sum of pixels does well.

# %%
if lesson.full:
    for name, bound in (("softmax_regression", 0.915), ("mlp", 0.970)):

        def data(split, **shuffling):
            return zoo.load_data("mnist", split=split, batch_size=128, data_dir=lesson.data_dir, **shuffling)

        model = fresh(name, lesson.seed)
        model.compile(keras.optimizers.Adam(1e-3), loss=MANY_CLASSES, metrics=["accuracy"])
        epochs, part = (1, "train[:1%]") if lesson.smoke else (6, "train")
        model.fit(data(part, shuffle=True, seed=lesson.seed), epochs=epochs, verbose=0, shuffle=False)
        score = model.evaluate(data("test"), verbose=0, return_dict=True)["accuracy"]
        lesson.claim(f"MNIST, {name}", score, ">=", bound, baseline={"chance": 0.1135})

# %% [markdown]
# ## Try it
# 1. Give `small_mlp` two hidden neurons. Two are enough to draw XOR, but do all seeds find it?
# 2. Which activation makes the moons' border smooth? Which makes it of straight pieces?
# 3. Give `walk` a momentum of 0.99. Is more always better?
#
# <details><summary>Solution</summary>
#
# 1. `hidden=(2,)` in `small_mlp`, and `[accuracy(small_mlp(seed), corners, XOR) for seed in range(10)]`. Some seeds
#    stop at half of the four: the weights exist, and from these beginnings the steps do not find them.
# 2. `deep("tanh")` draws a smooth border, `deep("relu")` one of straight pieces. A network of ReLUs is piecewise
#    linear, and so is the border where two such functions meet.
# 3. No: `walk(0.99)` swings past the minimum and back for a long time, as it keeps nearly all of its velocity.
# </details>

# %%
lesson.finish()
