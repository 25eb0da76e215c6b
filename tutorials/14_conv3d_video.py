# %% [markdown]
# # 14 · Convolutions in time: what moves
#
# An image shows where things are. To see where they go, a network needs more than one image, and a kernel that reaches
# from one to the next. Nothing new is needed: a convolution slides a window along (height, width), and it can slide
# along (time, height, width) as well (a **3-D convolution**, for video), or along (time,) alone (a **1-D convolution**,
# for a series of numbers). A **video clip** is a short piece of film: a row of images, each a **frame of the clip**.
# What lies along the axis of time is called **temporal**, what lies along height and width spatial.
#
# **You will see** the shapes of a 3-D network counted by hand, a motion detector of eight numbers, clips of which no
# single frame says what the label is, a network that reads them and one that cannot, where and when it looks, and how a
# split at random makes a worthless network look perfect (**data leakage**, the failure of this lesson).
#
# **Claims** A chain of 3-D convolutions has the shapes and the parameters that a count by hand gives. A clip that
# stands still, seen with inflated kernels, is the image. On held-out digits and trajectories every 3-D network reaches
# an accuracy of at least .95, every network of single frames at most .20; reversed clips are classified as the opposite
# direction, and with the frames shuffled the same network falls below one half.
#
# **Beside them** chance (1/8) and the nearest training clip (1-nearest-neighbour).
#
# **Takes** 70 seconds on one core (AMD EPYC). `--data full` moves the digits of MNIST, which takes longer. To read on:
# Tran and others 2015, [arXiv:1412.0767](https://arxiv.org/abs/1412.0767), and Karpathy and others 2014,
# [doi:10.1109/CVPR.2014.223](https://doi.org/10.1109/CVPR.2014.223).

# %%
import keras
import numpy as np
from keras import ops
from lesson import Tutorial
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

import zoo
from zoo.data.builtin.moving_digits import DIRECTIONS, moving
from zoo.introspection.grad_cam import grad_cam, stretch
from zoo.models.conv3d import inflate
from zoo.plots import INK, SECOND, THIRD, films, new_figure

lesson = Tutorial("14_conv3d_video", full_data="moving_pictures/mnist")


def run(model, x):
    return ops.convert_to_numpy(model(x, training=False))


# %% [markdown]
# ## One operation, one to three axes
# With a kernel $W$ of $a \times b \times c$ (time, height, width) over $m$ channels, one map of a 3-D convolution is
#
# $$y_{tij} = \beta + \sum_{u=1}^{a} \sum_{v=1}^{b} \sum_{s=1}^{c} \sum_{n=1}^{m} W_{uvsn} \,
# x_{t+u-1,\; i+v-1,\; j+s-1,\; n}.$$
#
# It is the equation of lesson 10 with one sum more. First the equation as loops, on a small clip, beside Keras.

# %%
clip = np.random.default_rng(lesson.seed).normal(size=(4, 5, 6, 2)).astype("float32")
layer = keras.layers.Conv3D(3, (2, 3, 2))
by_keras = ops.convert_to_numpy(layer(clip[None]))[0]  # (3, 3, 5, 3)
kernel, bias = (ops.convert_to_numpy(weight) for weight in layer.weights)  # (2, 3, 2, 2 channels, 3 maps), (3,)
by_hand = np.zeros_like(by_keras)
for t, i, j in np.ndindex(by_hand.shape[:3]):
    window = clip[t : t + 2, i : i + 3, j : j + 2]
    by_hand[t, i, j] = bias + sum(window[u, v, w] @ kernel[u, v, w] for u, v, w in np.ndindex(2, 3, 2))
difference = np.abs(by_keras - by_hand).max()
lesson.claim("Conv3D less the equation, largest difference", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# A window of $k$ steps fits at $n - k + 1$ positions along an axis of $n$, whatever the axis is (without padding, at a
# stride of 1), and a kernel has one weight for each place in the window and each channel, and a bias. Count with it:
# clips of 22 frames, 160 x 100 pixels, three colours; 10 kernels of 9 x 9 x 9; max pooling over 4 x 4 pixels; 30
# kernels of 7 x 5 x 5 (time first); 50 kernels of 5 x 9 x 8. Before you run it: what shape comes out, and how many
# parameters does the first layer have?

# %%
chain = zoo.build("conv3d_demo", top=False)
for row in zoo.costs(chain)[1:]:
    frames, height, width, channels = row.output_shape
    size = f"{frames} frames of {height} x {width}"
    cost = f"{row.params:>8,} parameters {row.multiply_adds:>14,} multiply-adds"
    print(f"{row.layer:>6}  {size:<22}{channels:>3} maps {cost}")
size, channels, counted = np.array([22, 160, 100]), 3, 0
for kernel, maps in zip(((9, 9, 9), (7, 5, 5), (5, 9, 8)), (10, 30, 50)):
    counted += maps * (np.prod(kernel) * channels + 1)
    size, channels = size - kernel + 1, maps
    if kernel == (9, 9, 9):
        size = size // (1, 4, 4)
lesson.claim(
    "sizes of the last maps less the count by hand", sum(abs(size - chain.output.shape[1:4])), "==", 0, exact=True
)
lesson.claim("parameters of the chain less the count", chain.count_params() - int(counted), "==", 0, exact=True)

# %% [markdown]
# Along a single axis it is the forecast of lesson 01 again: seven days, and one filter as long as the week (its bias
# lifted so that the ReLU lets everything pass, and taken off again at the end).

# %%
days = np.random.default_rng(lesson.seed).normal(size=(20, 7)).astype("float32")
line, filtered = zoo.build("lagged_linear"), zoo.build("conv1d", filters=(1,), kernel_size=7)
weights, bias = line.get_weights()
filtered.set_weights([weights[:, :, None], bias + 100, np.ones((1, 1)), np.float32([-100])])
difference = np.abs(run(filtered, days) - run(line, days)).max()
lesson.claim("a filter of seven days less the linear model, largest difference", difference, "<=", 1e-4, exact=True)

# %% [markdown]
# ## A motion detector of eight numbers
# Two kernels over two frames and two positions. One has a 1 at (now, here) and at (next frame, one to the right), the
# other is its mirror image. With a bias of -1, each answers only where both of its ones meet something bright: where a
# dot has moved by one. Their means over the clip (global average pooling) are the two logits, one for each
# direction.

# %%
detector = zoo.build(
    "conv3d_demo", input_shape=(6, 1, 8, 1), filters=(2,), kernels=((2, 1, 2),), pool=(1, 1, 1), num_classes=2
)
to_the_right = np.float32([[1, 0], [0, 1]])  # (time, position)
kernels = np.stack([to_the_right, to_the_right[:, ::-1]], axis=-1)[:, None, :, None, :]
detector.set_weights([kernels, np.float32([-1, -1]), np.eye(2), np.zeros(2)])
dot = np.zeros((1, 6, 1, 8, 1), "float32")
dot[0, range(6), 0, range(1, 7)] = 1
order = np.random.default_rng(3).permutation(6)
for name, clip in {"forwards": dot, "backwards": dot[:, ::-1], "shuffled": dot[:, order]}.items():
    print(f"{name:>9}: right {run(detector, clip)[0, 0]:.3f}, left {run(detector, clip)[0, 1]:.3f}")
flipped = np.abs(run(detector, dot)[0] - run(detector, dot[:, ::-1])[0, ::-1]).max()
lesson.claim("forwards less backwards with right and left exchanged", flipped, "<=", 1e-6, exact=True)

# %% [markdown]
# ## Images are clips that stand still
# Take a network of images: kernels of depth 1, clips of one frame. Make each an **inflated kernel**: repeat it along
# time and divide by the depth. On a clip that stands still the new network says what the old one said, so a network for
# clips can start from what another has learned about images (Carreira and Zisserman 2017,
# [arXiv:1705.07750](https://arxiv.org/abs/1705.07750)).

# %%
small = {"filters": (8, 8, 8), "pool": (1, 2, 2), "num_classes": 10}
keras.utils.set_random_seed(lesson.seed)
of_images = zoo.build("conv3d_demo", input_shape=(1, 16, 16, 1), kernels=((1, 3, 3),) * 3, **small)
of_clips = zoo.build("conv3d_demo", input_shape=(9, 16, 16, 1), kernels=((5, 3, 3), (3, 3, 3), (3, 3, 3)), **small)
for ours, theirs in zip(of_clips.weights, of_images.weights):
    value = ops.convert_to_numpy(theirs)
    ours.assign(inflate(value[0], ours.shape[0]) if value.ndim == 5 else value)
image = np.random.default_rng(lesson.seed).normal(size=(4, 1, 16, 16, 1)).astype("float32")
standing = np.repeat(image, 9, axis=1)
difference = np.abs(run(of_clips, standing) - run(of_images, image)).max()
lesson.claim("inflated on a still clip less the image, largest difference", difference, "<=", 1e-5, exact=True)

# %% [markdown]
# ## What the label is, and what it is not
# The clips are composed from real handwritten digits. One digit moves in one of eight directions and comes in again at
# the other side; another stands still. The direction is the label. The digits of the test clips are held out, and
# so are their trajectories (a position in the middle frame, with a velocity). Cover all frames but one: can you tell?

# %%
NAME = "moving_pictures/mnist" if lesson.full else "moving_digits"
PART = "[:200]" if lesson.smoke else "[:20%]" if lesson.full else ""


def arrays(split):
    return next(zoo.load_data(NAME, split=split, batch_size=20_000, data_dir=lesson.data_dir).as_numpy_iterator())


(x, y), (x_test, y_test) = arrays(f"train{PART}"), arrays(f"test{PART if lesson.smoke else ''}")
names = list(DIRECTIONS)
shown = [int(np.flatnonzero(y == number)[0]) for number in range(0, 8, 2)]
lesson.plot(films(x[shown], [names[y[row]] for row in shown]), "clips")

# %% [markdown]
# ## Two networks
# `conv3d_demo`, here with kernels of 3 x 3 x 3, and `frame_cnn`, a network of images that gets the middle frame.
# Where the moving digit is in the middle frame was drawn without regard to the direction, so the second one has nothing
# to go by, however large it is.

# %%
CUBES = {"kernels": ((3, 3, 3),) * 3, "pool": (1, 2, 2), "filters": (16, 24, 32)}
NETWORKS = {"conv3d_demo": CUBES, "frame_cnn": {"filters": (32, 64, 128)}}
EPOCHS, BATCH = (1 if lesson.smoke else 10), 64


def train(name, seed):
    keras.utils.set_random_seed(seed)
    model = zoo.build(name, input_shape=x.shape[1:], num_classes=8, **NETWORKS[name])
    rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * -(-len(x) // BATCH))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
    return model, model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0).history


def accuracy(model, clips, labels):
    return float(np.mean(model.predict(clips, batch_size=256, verbose=0).argmax(1) == labels))


models = {(name, seed): train(name, seed) for name in NETWORKS for seed in lesson.seeds}
accuracies = {key: accuracy(model, x_test, y_test) for key, (model, _) in models.items()}
worst = min(accuracies["conv3d_demo", seed] for seed in lesson.seeds)
best = max(accuracies["frame_cnn", seed] for seed in lesson.seeds)
few = slice(None, 5000)
nearest = KNeighborsClassifier(1).fit(x[few].reshape(len(x[few]), -1), y[few])
nearest = nearest.score(x_test[few].reshape(len(x_test[few]), -1), y_test[few])
beside = {"chance": 1 / 8, "nearest training clip": nearest, "best frame_cnn": best}
lesson.claim("test accuracy, worst conv3d_demo", worst, ">=", 0.95, baseline=beside)
lesson.claim("test accuracy, best frame_cnn", best, "<=", 0.20, baseline={"chance": 1 / 8})

# %% [markdown]
# The nearest training clip has the right class more often than chance would: now and then a training digit of much the
# same shape has walked much the same way. It compares pixels; the network has found what the examples of a class share,
# so it generalises to clips it never saw. Nothing was chosen by the test clips: kernels, epochs and rate were set
# beforehand.
#
# ## Is it the motion?
# A high accuracy by itself does not say so: on many sets of real clips a single frame (a pool, a piano) tells the
# class. So ask the trained network three questions more. Each is a **control experiment**: it takes away one thing
# alone. Shuffle the frames: everything is there but the order. Repeat the middle frame: all but the motion. Turn the
# clip round: by construction, that is a clip of the opposite direction.

# %%
rng = np.random.default_rng(lesson.seed)
orders = rng.permuted(np.tile(np.arange(x.shape[1]), (len(x_test), 1)), axis=1)  # (clips, time)
controls = {
    "as it is": (x_test, y_test),
    "shuffled in time": (np.take_along_axis(x_test, orders[..., None, None, None], axis=1), y_test),
    "middle frame only": (np.repeat(x_test[:, x.shape[1] // 2, None], x.shape[1], axis=1), y_test),
    "backwards, same label": (x_test[:, ::-1], y_test),
    "backwards, opposite label": (x_test[:, ::-1], (y_test + 4) % 8),
}
cubes = [models["conv3d_demo", seed][0] for seed in lesson.seeds]
found = {name: [accuracy(model, *clips) for model in cubes] for name, clips in controls.items()}
clips, labels = controls["shuffled in time"]
axis = [np.mean(model.predict(clips, batch_size=256, verbose=0).argmax(1) % 4 == labels % 4) for model in cubes]
print(f"shuffled in time: direction right {np.mean(found['shuffled in time']):.3f}, axis right {np.mean(axis):.3f}")
figure = new_figure(9, 3)
axes = figure.subplots()
for row, values in enumerate(found.values()):
    axes.barh(row, np.mean(values), color=INK if row in (0, 4) else SECOND, height=0.6)
    axes.plot(values, [row] * len(values), ".", color="black", markersize=4)
axes.axvline(1 / 8, color=THIRD, linestyle=":", label="chance")
axes.set(yticks=range(len(found)), yticklabels=list(found), xlim=(0, 1), xlabel="test accuracy of conv3d_demo")
axes.invert_yaxis()
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "controls")
beside = {"as it is": worst, "chance": 1 / 8}
lesson.claim("shuffled in time, best of the seeds", max(found["shuffled in time"]), "<=", 0.5, baseline=beside)
lesson.claim("middle frame only, best of the seeds", max(found["middle frame only"]), "<=", 0.2, baseline=beside)
turned = min(found["backwards, opposite label"])
lesson.claim("backwards classified as the opposite, worst of the seeds", turned, ">=", 0.9, baseline=beside)

# %% [markdown]
# ## Where and when it looks
# **Grad-CAM** (gradient-weighted class activation map, Selvaraju and others 2017,
# [arXiv:1610.02391](https://arxiv.org/abs/1610.02391)) asks by how much each map $A^c$ of a layer moves the logit $z$
# of a class, on the mean over its positions $p$, and adds up the maps with those weights:
#
# $$a_c = \frac{1}{\#p} \sum_p \frac{\partial z}{\partial A^c_p}, \qquad
# \text{heat}_p = \max\Bigl(0, \sum_c a_c A^c_p\Bigr).$$
#
# It does not care how many axes a map has. Drawn over the input it is a **heat map**: warm is what spoke for the class.
# The maps of the second convolution have 4 x 5 x 5 positions, so the heat is a blur in space and in time; still it
# should lie on the digit that moves more than on the one that stands. To see whether it does, compare its mean on the
# ink that comes and goes with that on the ink that is there in every frame.

# %%
model = cubes[0]
predicted = model.predict(x_test, batch_size=256, verbose=0).argmax(1)
shown = [int(np.flatnonzero(y_test == number)[0]) for number in (0, 3, 6)]
heats = stretch(grad_cam(model, x_test[shown], predicted[shown], layer="conv2"), x_test.shape[1:4])
titles = [f"is {names[y_test[row]]}, predicted {names[predicted[row]]}" for row in shown]
lesson.plot(films(x_test[shown], titles, heats), "grad_cam")

figure = new_figure(7.2, 2.8)
panels = figure.subplots(1, 3)


def draw(time):
    """Frame `time` of the three clips, with its heat."""
    for axes, row, heat, title in zip(panels, shown, heats, titles):
        axes.clear()
        axes.imshow(x_test[row, time, ..., 0], cmap="gray", vmin=x_test.min(), vmax=x_test.max())
        axes.imshow(heat[time], cmap="inferno", vmin=0, vmax=max(heat.max(), 1e-9), alpha=0.5)
        axes.set_title(title, fontsize=8)
        axes.axis("off")
    figure.suptitle(f"frame {time + 1} of {x_test.shape[1]}", fontsize=9)


lesson.animate(figure, draw, range(x_test.shape[1]), "grad_cam_in_time", per_second=3)

first = slice(0, 400)
ratios = []
for each in cubes:
    predicted = each.predict(x_test[first], batch_size=256, verbose=0).argmax(1)
    heat = stretch(grad_cam(each, x_test[first], predicted, layer="conv2"), x_test.shape[1:4])
    ink = x_test[first, ..., 0] > 0.5
    stands = ink & ink.all(axis=1, keepdims=True)
    ratios.append(heat[ink & ~stands].mean() / heat[stands].mean())
lesson.claim(
    "heat on what moves over heat on what stands, worst", min(ratios), ">=", 1.3, baseline={"evenly spread": 1}
)

# %% [markdown]
# ## What goes wrong: clips of one recording on both sides
# Real sets hold few recordings, each cut into many clips. Here are 40 recordings of a speck that wanders before a scene
# of its own (a frame of our clips), cut into 10 clips each. A coin is tossed for the label of each recording: there is
# nothing to learn. Split the clips at random, and then split by recording (a **grouped split**, here with
# cross-validation in four folds). We toss all coins twenty times, for one toss may be lucky.

# %%
recordings, cuts, size, tosses = 40, 10, x.shape[2], 20
speck = np.full((2, 2, 1), x.max())
clips, sources = [], np.repeat(np.arange(recordings), cuts)
for number in range(recordings):
    wander = moving(speck, size, (number % size, 0), (0, 1), frames=8 * cuts)
    for cut in range(cuts):
        scene = x_test[number, :1]
        clips.append(np.maximum(scene, wander[8 * cut : 8 * cut + 8]).ravel())
clips = np.array(clips)


def neighbour_accuracy(labels, train, test):
    return KNeighborsClassifier(1).fit(clips[train], labels[train]).score(clips[test], labels[test])


rng = np.random.default_rng(lesson.seed)
at_random, by_recording = [], []
for toss in range(tosses):
    labels = rng.permutation(np.arange(recordings) % 2)[sources]
    at_random.append(
        neighbour_accuracy(labels, *train_test_split(np.arange(len(clips)), test_size=0.3, random_state=toss))
    )
    by_recording += [neighbour_accuracy(labels, sources % 4 != part, sources % 4 == part) for part in range(4)]
at_random, by_recording = np.mean(at_random), np.mean(by_recording)
lesson.claim("accuracy on coins, split at random", at_random, ">=", 0.9, baseline={"a guess": 0.5}, exact=True)
lesson.claim("accuracy on coins, split by recording", by_recording, "<=", 0.6, baseline={"a guess": 0.5}, exact=True)

# %% [markdown]
# The clips of a recording share a scene, and the scene gives the coin away. That is why the recipes `ucf101` take the
# official split, in which whole recordings are on one side, and why a folder of your own clips should come with folders
# `train` and `test` (`zoo train r3d_18 --recipe folder --data VIDEOS`).
#
# ## Larger networks
# All of them read 16 frames of 112 x 112 pixels. The kernels differ in how they reach along time: C3D is VGG with
# cubes; R3D is ResNet-18 with cubes; MC3 looks at motion in its first stage only; R(2+1)D has **factorised
# convolutions**: in place of a cube a square and then a line along time, of as many parameters together, with a ReLU
# between (Tran and others 2018, [arXiv:1711.11248](https://arxiv.org/abs/1711.11248)).

# %%
print("             parameters   multiply-adds of a clip")
for name in ("c3d", "r3d_18", "mc3_18", "r2plus1d_18") if not lesson.smoke else ("mc3_18",):
    card = zoo.info(name, verbose=True)
    multiply_adds = sum(layer.multiply_adds for layer in card.layers)
    print(f"{name:>12} {card.params:>11,} {multiply_adds / 1e9:>8.1f} billion")

# %% [markdown]
# ## Try it
# * `zoo train conv3d_demo`, then `zoo predict runs/conv3d_demo-demo-0 clip.gif` with a short film of your own: a strip
#   of frames with the heat on it.
# * Let `frame_cnn` see the mean of all frames in place of the middle one. What can it tell now, and what not?
# * Which directions does the network confuse when the frames are shuffled? Why these?
#
# <details><summary>Solution</summary>
#
# * The command prints the likeliest directions and writes the strip to `predictions/clip-gradcam.png`.
# * After the line that reads the data: `x[:, 4] = x.mean(axis=1)` and the same for `x_test` (copy both arrays first:
#   they are read-only). A mean of all frames is a long exposure: it shows the track of the digit. The track has an
#   axis, but no sense of direction, so of the eight classes four pairs are left. The network gets well above chance,
#   and stays far from the .95 of the one that sees the order.
# * The line "shuffled in time" that the run prints has both figures: a guess has the direction right once in eight
#   times and the axis once in four. The shuffled frames still show along which axis the digit was, so it is right more
#   often than that. For the single pairs make a confusion matrix of `cubes[0]` on `controls["shuffled in time"]`.
#
# </details>

# %%
lesson.finish()
