# %% [markdown]
# # 00 · Tensors and pipelines: what goes into a network
#
# A network eats numbers. Images, words and sounds all become blocks of numbers with a certain shape, and most first
# mistakes are mistakes of shape. This lesson shows the shapes that occur, three operations on them that every later
# lesson uses, how numbers get from a disk to the network quickly enough, and how to get the same result twice.
#
# **You will see** tensors from rank 0 to rank 5, a line that cannot be learned because of one missing pair of brackets
# (the failure of this lesson), the speed of four ways to read the same images, and two trainings that agree to the last
# bit.
#
# **Claims** Sixteen shapes are what we say. An image of 28 x 28 has 784 numbers. Our flattening, one-hot, broadcasting
# and dense layer equal Keras's. To read eight images at a time is at least twice as fast as one by one, a cache reads
# nothing twice, and prefetching reads ahead. The same seed gives the same network, bit by bit.
#
# **Beside them** the line learned with the right shapes, and how many images a second LeNet-5 can take, a small network
# that lesson 10 builds.
#
# **Takes** 12 seconds on one core (AMD EPYC).
#
# **Read on** C. Harris et al., "Array programming with NumPy", Nature 585, 2020
# ([doi:10.1038/s41586-020-2649-2](https://doi.org/10.1038/s41586-020-2649-2)). *Dive into Deep Learning*, section 2.1
# ([d2l.ai](https://d2l.ai/chapter_preliminaries/ndarray.html)).

# %%
import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from lesson import Tutorial
from sklearn.datasets import load_digits

import zoo
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("00_tensors_and_pipelines")

# %% [markdown]
# ## Six ranks
# A **tensor** is a block of numbers. Its **rank** (also: its number of dimensions) says how many numbers you need to
# point at one entry. Its **shape** says how long it is in each direction (along each **axis**), from the outermost to
# the innermost. Its **size** is how many entries there are in all: the product of the shape.
#
# | rank | called | example | shape |
# |---|---|---|---|
# | 0 | **scalar** | how wrong a network is, one number | `()` |
# | 1 | **vector** | the ten numbers that a network adds to its ten outputs | `(10,)` |
# | 2 | **matrix** | many images, each laid out in one row | `(b, 784)` |
# | 3 | tensor | 25,000 texts of 80 words, each word 200 numbers | `(25000, 80, 200)` |
# | 4 | tensor | 60,000 grey images | `(60000, 28, 28, 1)` |
# | 5 | tensor | several tasks, each with its images; or films | `(tasks, b, h, w, 3)` |
#
# The first axis usually counts the examples. A network takes some of them at a time, a **batch**; so `b` above is the
# size of the batch. In images, the last axis holds the **channels**: 1 for grey, 3 for red, green and blue. (MNIST, a
# set of 70,000 handwritten digits, is grey: 1 channel.)
#
# Count the brackets: `[1, 2, 3, 4]` has shape `(4,)`, `[[1], [2], [3]]` has `(3, 1)`. `[]` is no scalar: it is a vector
# without entries, `(0,)`.

# %%
SHAPES = {
    "1.1": (1.1, ()),
    "[]": ([], (0,)),
    "[1.1, 2.2, 3.3]": ([1.1, 2.2, 3.3], (3,)),
    "[1, 2, 3, 4]": ([1, 2, 3, 4], (4,)),
    "[1, 2]": ([1, 2], (2,)),
    "[[1], [2], [3]]": ([[1], [2], [3]], (3, 1)),
    "[[1, 2], [3, 4]]": ([[1, 2], [3, 4]], (2, 2)),
    "the identity matrix": (np.eye(3), (3, 3)),
    "the same, as the only one of its kind": (np.eye(3)[None], (1, 3, 3)),
    "three blocks of 2 x 2": ([[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]]], (3, 2, 2)),
    "one image in a row": (np.zeros((28, 28)).reshape(1, -1), (1, 784)),
    "32 images in rows": (np.zeros((32, 28, 28)).reshape(32, -1), (32, 784)),
    "25,000 texts": (np.broadcast_to(0, (25_000, 80, 200)), (25_000, 80, 200)),
    "60,000 grey images": (np.broadcast_to(0, (60_000, 28, 28, 1)), (60_000, 28, 28, 1)),
    "four tasks of eight colour images": (np.zeros((4, 8, 28, 28, 3)), (4, 8, 28, 28, 3)),
    "a batch of films": (np.zeros((2, 16, 28, 28, 3)), (2, 16, 28, 28, 3)),
}
for name, (tensor, _) in SHAPES.items():
    print(f"{name:40} rank {np.ndim(tensor)}, shape {np.shape(tensor)}, size {np.size(tensor):,}")
wrong = sum(np.shape(tensor) != shape for tensor, shape in SHAPES.values())
lesson.claim("of sixteen shapes, those that are not as said", wrong, "==", 0, exact=True)
wrong = sum(np.size(tensor) != int(np.prod(shape)) for tensor, shape in SHAPES.values())
lesson.claim("sizes that are not the product of the shape", wrong, "==", 0, exact=True)

digits = load_digits()
images, classes = digits.images.astype("float32") / 16, digits.target  # (1797, 8, 8) and (1797,)
figure = new_figure(12, 2.6)
panels = figure.subplots(1, 6)
blocks = (
    np.array([[0.6]]), images[0][3:4], images[0], np.concatenate(images[:3], 1),
    np.concatenate([np.concatenate(images[k : k + 3], 1) for k in (0, 3, 6)]),
    np.concatenate([np.concatenate(images[k : k + 6], 1) for k in range(0, 36, 6)]),
)  # fmt: skip
shapes = ("()", "(8,)", "(8, 8)", "(3, 8, 8)", "(9, 8, 8, 1)", "(4, 9, 8, 8, 1)")
called = ("a number", "a row", "an image", "three images", "a batch", "four batches")
for rank, (axes, block) in enumerate(zip(panels, blocks)):
    axes.imshow(block, cmap="gray_r", vmin=0, vmax=1)
    for line in range(8, max(block.shape), 8):
        if line < block.shape[1]:
            axes.axvline(line - 0.5, color=SECOND, linewidth=3 if rank == 5 and line == 24 else 0.7)
        if line < block.shape[0]:
            axes.axhline(line - 0.5, color=SECOND, linewidth=3 if rank == 5 and line == 24 else 0.7)
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"rank {rank}: {called[rank]}\n{shapes[rank]}", fontsize=9)
panels[0].text(0, 0, "0.6", ha="center", va="center", color="white")
lesson.plot(figure, "ranks")

# %% [markdown]
# ## Flattening
# Some layers want each example as one row of numbers. **Flattening** puts the second row of the image behind the first,
# the third behind that, and so on: $28 \cdot 28 = 784$ numbers. The pixel in row $r$ and column $c$ (counted from 0)
# lands at $28 r + c$. No number is lost: whoever knows the shape can go back. But the layer no longer knows which
# pixels were neighbours.

# %%
image = np.arange(784, dtype="float32").reshape(28, 28)
row = np.concatenate(list(image))
by_keras = ops.convert_to_numpy(layers.Flatten()(image[None]))[0]
lesson.claim("numbers in an image of 28 x 28", len(row), "==", 784, exact=True)
lesson.claim("flattening, ours less Keras, largest difference", np.abs(row - by_keras).max(), "<=", 1e-6, exact=True)
lesson.claim("place of the pixel in row 2, column 3", int(np.flatnonzero(row == image[2, 3])[0]), "==", 59, exact=True)

# %% [markdown]
# ## One-hot
# A network should say "dog", "cat" or "fish". As numbers 0, 1 and 2 they would have an order, and the mean of a dog and
# a fish would be a cat. So each **class** gets a place of its own: a vector with a 1 there and 0 elsewhere, its
# **one-hot** code. A network answers in the same form, with numbers between 0 and 1 that sum to 1, such as `[.9, .1,
# 0]`. The place of the largest (**argmax**) is its answer; of a one-hot code, it is the class again.

# %%
one_hot = np.zeros((len(classes), 10), "float32")
one_hot[np.arange(len(classes)), classes] = 1
by_keras = ops.convert_to_numpy(ops.one_hot(classes, 10))
lesson.claim("one-hot, ours less Keras, largest difference", np.abs(one_hot - by_keras).max(), "<=", 1e-6, exact=True)
wrong = int((one_hot.argmax(1) != classes).sum())
lesson.claim("classes that argmax of their one-hot code does not give back", wrong, "==", 0, exact=True)

# %% [markdown]
# ## Broadcasting
# What is a `(3, 1)` plus a `(4,)`? NumPy and Keras line the shapes up **from the right**. Where one has a 1 or nothing
# at all, it is repeated as often as the other is long: **broadcasting**.
#
# $$(3, 1) + (4,) \;\rightarrow\; (3, 1) + (1, 4) \;\rightarrow\; (3, 4).$$
#
# Two lengths that differ, with neither of them 1, are an error.
#
# A **dense layer** makes each of its outputs from all of its inputs: it multiplies each input by a number, adds up, and
# adds one more number. In Keras that is $x W + b$, with the examples in the rows of $x$. For 4 examples of 8 numbers
# and 10 outputs, $W$ (`kernel`) has the shape `(8, 10)`, and $x W$ has `(4, 10)`. Then $b$ (`bias`) of shape `(10,)` is
# added to every row: by broadcasting.


# %%
def repeated(tensor, shape):
    """Broadcast by hand: ones in front, then every axis of length 1 repeated."""
    tensor = tensor.reshape((1,) * (len(shape) - tensor.ndim) + tensor.shape)
    for axis, length in enumerate(shape):
        if tensor.shape[axis] == 1:
            tensor = np.repeat(tensor, length, axis)
    return tensor


column, line = np.array([[0.0], [10.0], [20.0]]), np.array([1.0, 2.0, 3.0, 4.0])
total = repeated(column, (3, 4)) + repeated(line, (3, 4))
print(total)
by_keras = ops.convert_to_numpy(ops.add(column, line))
difference = np.abs(total - by_keras).max() if total.shape == by_keras.shape else np.inf
lesson.claim("broadcasting, ours less Keras, largest difference", difference, "<=", 1e-6, exact=True)

random = np.random.default_rng(lesson.seed)
dense = layers.Dense(10)
dense.build((4, 8))
kernel, bias = random.normal(size=(8, 10)).astype("float32"), random.normal(size=10).astype("float32")
dense.set_weights([kernel, bias])
x = (random.normal(size=(4, 8)) / 8).astype("float32")
ours = np.array([[sum(x[i, k] * kernel[k, j] for k in range(8)) + bias[j] for j in range(10)] for i in range(4)])
difference = np.abs(ours - ops.convert_to_numpy(dense(x))).max()
lesson.claim("dense layer, entry by entry, ours less Keras", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# ## The failure: one missing pair of brackets
# Broadcasting never asks. Let the answers of a network have the shape `(n, 1)` and the true values `(n,)`. Their
# difference should be $n$ numbers. It is an $n \times n$ matrix: *every* answer less *every* true value. No error is
# raised, and the mean of its squares is a number like any other.
#
# We let a line $y = w x + b$ find its $w$ and $b$ in 500 small steps, each against the error (lesson 01 explains how).
# The points lie on $y = 2 x + 1$, with a little noise. Expected with the wrong shape: each answer is pulled towards
# *all* true values alike, so the best that it can say is their mean, and $w$ ends near 0.

# %%
def learn(y, seed):
    """w and b of a line through 100 points, by gradient descent on the mean square of `answers - y`."""
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (100, 1))
    y = (2 * x + 1 + 0.1 * random.normal(size=x.shape)).reshape(y)
    w, b = 0.0, 0.0
    for _ in range(3 if lesson.smoke else 500):
        error = w * x + b - y  # (100, 1), or (100, 100)
        w, b = w - 0.2 * np.mean(error * x), b - 0.2 * np.mean(error)
    return w, b, x, y


right, wrong = ([learn(shape, seed) for seed in lesson.seeds] for shape in ((100, 1), (100,)))
figure = new_figure(5.5, 3.4)
axes = figure.subplots()
(w, b, x, y), (w_wrong, b_wrong, _, _) = right[0], wrong[0]
axes.plot(x.ravel(), y.ravel(), "o", color=THIRD, markersize=3)
ends = np.array([-1.0, 1.0])
axes.plot(ends, w * ends + b, color=INK, label="(100, 1) less (100, 1)")
axes.plot(ends, w_wrong * ends + b_wrong, color=SECOND, label="(100, 1) less (100,)")
axes.set(xlabel="x", ylabel="y", title="no error message, and a flat line")
axes.legend(frameon=False)
lesson.plot(figure, "broadcasting_mistake")
steepest, least = max(abs(run[0]) for run in wrong), min(run[0] for run in right)
lesson.claim("line of slope 2, learned with wrong shapes, steepest of the seeds", steepest, "<=", 0.3,
             baseline={"right shapes": least})  # fmt: skip
off = max(abs(run[0] - 2) for run in right)
lesson.claim("line of slope 2, learned with right shapes, distance from 2, worst seed", off, "<=", 0.1)

# %% [markdown]
# (What Keras has for this brings `(n, 1)` and `(n,)` to one shape first. Your own may not. Print shapes.)
#
# ## From the disk to the network
# A network on a fast machine often has to wait for its data. The images come from a disk, are decoded, and are put
# together into batches: a **pipeline**. So measure two numbers before a long run: how many images per second the
# pipeline gives, and how many the network takes. If the first is smaller, a faster machine does not help.
#
# So that every machine shows the same, our disk is made up: it needs five milliseconds for each image. Four ways:
#
# * **raw**: one image after the other;
# * **parallel**: eight are being read at the same time (by eight threads, which spend their time waiting for the disk,
#   so one core is enough for them);
# * **cached**: what was read once stays in memory; we measure the second pass;
# * raw with **prefetching**: while the network works on one batch, the next are already being read. This does not make
#   the disk faster; it lets disk and network work at the same time. So we count what is read while a made-up network
#   works for a second on its first batch. (One batch TensorFlow may read ahead by itself; we ask for two more.)

# %%
READ, BATCH = 0.005, 32
been_read = []
COUNT = 96 if lesson.smoke else 128


def read(number):
    time.sleep(READ)
    been_read.append(number)
    return images[number]


def pipeline(parallel=None, cache=False, prefetch=0):
    data = tf.data.Dataset.range(COUNT)
    data = data.map(lambda k: tf.numpy_function(read, [k], tf.float32), num_parallel_calls=parallel)
    if cache:
        data = data.cache()
    options = tf.data.Options()
    options.threading.private_threadpool_size = 8  # else there are as many threads as cores
    data = data.batch(BATCH).with_options(options)
    return data.prefetch(prefetch) if prefetch else data


def images_per_second(data):
    """One pass over the data."""
    begin = time.perf_counter()
    for _ in data:
        pass
    return COUNT / (time.perf_counter() - begin)


def read_meanwhile(data):
    """How many images are read while the network works for a second on the first batch."""
    batches = iter(data)
    next(batches)
    before = len(been_read)
    time.sleep(1.0)
    return len(been_read) - before


cached = pipeline(cache=True)
images_per_second(cached)  # the first pass fills the cache
rates = {
    "raw": images_per_second(pipeline()), "parallel": images_per_second(pipeline(parallel=8)),
    "cached": images_per_second(cached),
}  # fmt: skip
before = len(been_read)
images_per_second(cached)
read_again = len(been_read) - before
in_turn, ahead = read_meanwhile(pipeline()), read_meanwhile(pipeline(prefetch=2))

keras.utils.set_random_seed(lesson.seed)
network = zoo.build("lenet5", input_shape=(28, 28, 1))
network.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
batch = np.repeat(np.repeat(images[:BATCH], 4, 1), 4, 2)[:, 2:30, 2:30, None], classes[:BATCH]
network.train_on_batch(*batch)  # the first step prepares everything
begin = time.perf_counter()
for _ in range(2 if lesson.smoke else 20):
    network.train_on_batch(*batch)
appetite = (2 if lesson.smoke else 20) * BATCH / (time.perf_counter() - begin)

figure = new_figure(8, 3.2)
left, right = figure.subplots(1, 2, width_ratios=(1.4, 1))
left.bar(list(rates), rates.values(), color=INK)
left.axhline(appetite, color=SECOND, linestyle="--", label="what LeNet-5 takes here")
left.set(yscale="log", ylabel="images per second", title="three ways to read", ylim=(50, 4 * appetite))
left.legend(frameon=False, loc="upper left")
right.bar(["raw", "prefetched"], [in_turn, ahead], color=INK)
right.set(ylabel="images", title="read while the network works")
lesson.plot(figure, "pipelines")
print({name: f"{rate:,.0f} images/s" for name, rate in rates.items()}, f"LeNet-5 takes {appetite:,.0f} images/s")
faster = rates["parallel"] / rates["raw"]
lesson.claim("parallel over raw, images per second", faster, ">=", 2, baseline={"raw": rates["raw"]})
every_time = {"raw": COUNT}
lesson.claim("cached, images read from the disk in a later pass", read_again, "==", 0, baseline=every_time, exact=True)
more, without = ahead - in_turn, {"read without": in_turn}
lesson.claim("prefetching, more images read while the network works", more, ">=", 32, baseline=without)

# %% [markdown]
# ## The same result twice
# Networks start from random numbers, and the examples come in random order. The numbers are not really random: they
# come from a formula that starts at a **seed**. The same seed gives the same numbers. So two runs on a CPU agree to the
# last bit, and that is how one finds out what a change did.
#
# On a GPU they may not. Thousands of numbers are added there in whatever order they are ready, and in a computer the
# order of a sum matters: $(a + b) + c$ is rounded elsewhere than $a + (b + c)$. The results then differ a little in the
# last digits, and later in more. `tf.config.experimental.enable_op_determinism()` forbids it, and costs some speed.


# %%
def trained(seed):
    keras.utils.set_random_seed(seed)
    network = zoo.build("mlp", input_shape=(8, 8), hidden=(16,))
    network.compile(keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(images[:256], classes[:256], batch_size=32, epochs=1, verbose=0)
    return np.concatenate([each.ravel() for each in network.get_weights()])


first, second, other = trained(lesson.seed), trained(lesson.seed), trained(lesson.seed + 1)
same, changed = np.abs(first - second).max(), np.abs(first - other).max()
beside = {"another seed": changed}
lesson.claim("two trainings, the same seed, largest difference", same, "==", 0.0, baseline=beside, exact=True)
lesson.claim("two trainings, two seeds, largest difference", changed, ">=", 0.01, exact=True)
a, b, c = np.float32(1e8), np.float32(-1e8), np.float32(1)
print(f"(a + b) + c = {(a + b) + c}, a + (b + c) = {a + (b + c)}")
lesson.claim("one sum in two orders, difference", float(abs(((a + b) + c) - (a + (b + c)))), ">=", 0.5, exact=True)

# %% [markdown]
# ## Try it
# * What is the shape of `np.zeros((5, 1, 3)) + np.zeros((4, 1))`? And of `np.zeros((5, 3)) + np.zeros(5)`?
#
# <details><summary>Solution</summary>
#
# From the right: 3 and 1 give 3; 1 and 4 give 4; 5 and nothing give 5: `(5, 4, 3)`. The second is an error: 3 and 5
# differ, and neither is 1. `np.zeros(5)[:, None]`, of shape `(5, 1)`, would do.
# </details>
#
# * Shuffle the pixels of all images by the same permutation and train `mlp` on them. Does it care?
#
# <details><summary>Solution</summary>
#
# `images = images.reshape(-1, 64)[:, np.random.default_rng(0).permutation(64)].reshape(-1, 8, 8)`. It does not: a dense
# layer sees a row of numbers and does not know who was whose neighbour. Lesson 10 is about a layer that does.
# </details>
#
# * Put `cache` behind `batch`. Does it matter? And a random change of the images, before or behind the cache?
#
# <details><summary>Solution</summary>
#
# Batches are cached as well as images. But what is random must stand behind the cache (`data.cache().map(change)`):
# before it, it would be drawn once, and be the same in every pass.
# </details>

# %%
lesson.finish()
