# %% [markdown]
# # 09 · From one neuron to the multilayer perceptron
#
# One neuron adds its inputs up, each with a weight, and asks whether the sum is positive: it **classifies**. In a plane
# its **decision boundary** is a straight line with class 1 on one side. Some questions have no such line (they are not
# **linearly separable**); the smallest of them, XOR, has four points. You will see where one neuron stops, why more
# layers alone change nothing, and what the function between them (the **activation function**) is for.
#
# **You will see** decision regions of one neuron and of several, four layers collapsing to a single line, and a network
# that learns its examples by heart: **overfitting** (the failures of this lesson).
#
# **Claims** XOR: a perceptron gets at most 3 of 4 right, an MLP all 4. A deep network without activation equals one
# matrix. MNIST-1D: softmax regression .29 to .35, an MLP at least .58 (published: 32 and 68 %).
#
# **Beside them** chance, and the nearest training example (a **1-nearest-neighbour classifier**).
#
# **Takes** about a minute on two cores. `--data full` adds MNIST. Follows S0:263-270, S2:686-808, S3:571-598.

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
    return float(np.mean(classes(model, x) == y))


def draw_regions(axes, model, x, y, title):
    """The plane coloured by the class that the model predicts for each point, and the examples on it."""
    low, high = x.min(0) - 0.5, x.max(0) + 0.5
    across, up = np.meshgrid(np.linspace(low[0], high[0], 200), np.linspace(low[1], high[1], 200))
    predicted = classes(model, np.stack([across, up], -1).reshape(-1, 2).astype("float32")).reshape(across.shape)
    axes.contourf(across, up, predicted, levels=(-0.5, 0.5, 1.5), colors=("#f3d9d2", "#cfe0ea"))
    for label, colour, marker in ((0, SECOND, "o"), (1, INK, "s")):
        axes.plot(*x[y == label].T, marker, color=colour, markersize=9 if len(x) < 10 else 3)
    axes.set_title(f"{title}\n{accuracy(model, x, y):.0%} correct", fontsize=10)


# %% [markdown]
# ## One neuron
# $z = b + w_1 x_1 + w_2 x_2$ (its **pre-activation**): class 1 where $z > 0$. The weights turn the line $z = 0$, the
# bias $b$ moves it. The perceptron learns from its mistakes only: a wrong example pulls the weights towards itself, a
# right one does nothing (the **perceptron criterion**, its **loss function**, is 0 there). AND (1 only if both inputs
# are 1) can be split by a line. XOR (1 if exactly one is) cannot: the two 1s lie on one diagonal, the two 0s on the
# other. So 3 of 4 is the most that any line gets. A **multilayer perceptron** (MLP) has a **hidden layer** of neurons,
# here four, between its inputs and its output. The gradient of each of its weights is found by the chain rule, layer by
# layer from the output back (**backpropagation**). Expected before the run: at most 0.75, from every seed.

# %%
corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
AND, XOR = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 0])


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
draw_regions(three, mlps[0], corners, XOR, "XOR, four hidden units")
lesson.plot(figure, "xor")

best_line = max(accuracy(model, corners, XOR) for model in fails_xor)
worst_mlp = min(accuracy(model, corners, XOR) for model in mlps)
lesson.claim("XOR, perceptron, best seed", best_line, "<=", 0.75, baseline={"chance": 0.5}, exact=True)
lesson.claim("XOR, MLP with 4 hidden units, worst seed", worst_mlp, ">=", 1.0, baseline={"perceptron": best_line})

# %% [markdown]
# ## More layers, and nothing between them
# A layer in which every neuron sees every input is called **dense** or **fully connected**. Without activation it is
# $x W + b$, a **linear layer**. Two of them are $(x W_1 + b_1) W_2 + b_2 = x (W_1 W_2) + (b_1 W_2 + b_2)$: one layer
# again. However many are stacked, the network **collapses** to one matrix. We train four layers without activation on
# two moons, multiply them together and compare. Beside them stands **logistic regression**: one neuron whose sum a
# sigmoid turns into the probability of class 1, with the **binary cross-entropy** as its loss.

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
# ## Ten classes
# **Softmax** turns ten sums, the **logits**, into ten probabilities: $p_k = e^{z_k} / \sum_j e^{z_j}$. The loss is
# $-\ln p$ of the true class, the **cross-entropy**. A network that knows nothing gives each class 1/10, so we expect a
# loss near $\ln 10 = 2.303$ before the first step.
#
# MNIST-1D is MNIST's little sister: 4,000 training and 1,000 test signals of 40 numbers, ten shapes that are shifted,
# stretched, tilted and made noisy. Because the shape may sit anywhere, no single position means much: hard for a
# weighted sum. (S. Greydanus 2020; the README gives 32 % for logistic regression and 68 % for an MLP.)

# %%
signals = mnist1d()
if signals is None:
    lesson.skip(NO_MNIST1D)
else:
    (x, y), (x_test, y_test) = signals
    untrained = fresh("softmax_regression", lesson.seed, input_shape=(40, 1))
    untrained.compile(loss=MANY_CLASSES)
    print(f"loss before training {untrained.evaluate(x_test, y_test, verbose=0):.2f}; ln 10 is {np.log(10):.2f}, "
          "and random weights on standardised numbers add a little")  # fmt: skip
    softmax, mlp = [], []
    for seed in lesson.seeds:
        model = fresh("softmax_regression", seed, input_shape=(40, 1))
        softmax.append(train(model, x, y, MANY_CLASSES, seed, epochs=30, learning_rate=1e-2))
        model = fresh("mlp", seed, input_shape=(40, 1), hidden=(100, 100))
        mlp.append(train(model, x, y, MANY_CLASSES, seed, epochs=30, learning_rate=3e-3))
    flat, flat_test = x[..., 0], x_test[..., 0]
    neighbour = KNeighborsClassifier(1).fit(flat, y).score(flat_test, y_test)

    figure = new_figure(11, 5.4)
    gallery, scores = figure.subfigures(2, 1, height_ratios=(1, 1.5))
    gallery.suptitle("three test signals of each class: the shape is somewhere")
    for digit, axes in enumerate(gallery.subplots(1, 10)):
        for row, signal in enumerate(flat_test[y_test == digit][:3]):
            axes.plot(signal + 4 * row, range(40), color=INK, linewidth=1)
        axes.set(title=str(digit), xticks=[], yticks=[])
    axes = scores.subplots()
    for row, models in enumerate((softmax, mlp)):
        train_accuracy, test_accuracy = (
            np.mean([accuracy(m, *part) for m in models]) for part in ((x, y), (x_test, y_test))
        )
        axes.barh([row + 0.2, row - 0.2], [train_accuracy, test_accuracy], 0.36, color=[THIRD, INK])
        axes.text(train_accuracy + 0.005, row + 0.2, f"training {train_accuracy:.2f}", va="center")
        axes.text(test_accuracy + 0.005, row - 0.2, f"test {test_accuracy:.2f}", va="center")
    axes.axvline(0.1, color=SECOND, linestyle=":", label="chance")
    axes.axvline(neighbour, color=SECOND, linestyle="--", label="nearest training example")
    axes.set(
        xlim=(0, 1.05), xlabel="accuracy, mean of the seeds", title="the MLP knows its examples by heart: it overfits"
    )
    axes.set_yticks((0, 1), ("softmax\nregression", "MLP\n100, 100"))
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0.62, 0.55))
    lesson.plot(figure, "mnist1d")

    baseline = {"chance": 0.1, "nearest example": neighbour}
    scores = {name: [accuracy(m, x_test, y_test) for m in models] for name, models in (("s", softmax), ("m", mlp))}
    lesson.claim("MNIST-1D, softmax regression, worst seed", min(scores["s"]), ">=", 0.29, baseline=baseline)
    lesson.claim("MNIST-1D, softmax regression, best seed", max(scores["s"]), "<=", 0.35, baseline=baseline)
    lesson.claim("MNIST-1D, MLP, worst seed", min(scores["m"]), ">=", 0.58, baseline=baseline)

# %% [markdown]
# The MLP beats a weighted sum by far and is still near to looking the answer up: on new examples it is much worse than
# on those it was trained on. It does not **generalise** well; the distance between the two is the **generalisation
# gap**. What it lacks is the idea that a shape is the same wherever it sits. Lesson 10 builds that idea in (an
# **inductive bias**).
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
# * Give `small_mlp` two hidden units. Two are enough to draw XOR, but do all seeds find it?
# * Which activation makes the moons' border smooth? Which makes it of straight pieces?
# * Silence a random part of the hidden units in each training step (**dropout**, `dropout=0.3`, a kind of
#   **regularisation**): what happens to the gap between training and test?

# %%
lesson.finish()
