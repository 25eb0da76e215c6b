# %% [markdown]
# # 14 · Convolutions in time: what moves
#
# An image shows where things are. To see where they go, a network needs more than one image, and a kernel that reaches
# from one to the next. Nothing new is needed: a **convolution** slides a window along (height, width), and it can slide
# along (time, height, width) as well (a **3-D convolution**, on **video**), or along (time,) alone (**1-D**, on a
# **time series**).
#
# **You will see** the shapes of a 3-D network counted by hand, a motion detector of eight numbers, clips of which no
# single frame says what the label is, a network that reads them and one that cannot, where and when it looks, and how a
# split at random makes a worthless network look perfect (**data leakage**, the failure of this lesson).
#
# **Claims** The chain of the course has the shapes and the 614,460 parameters of the text. A clip that stands still,
# seen with inflated kernels, is the image. On held-out digits and trajectories every 3-D network reaches an accuracy of
# at least .95, every network of single frames at most .20; reversed clips are classified as the opposite direction, and
# with the frames shuffled the same network falls below one half.
#
# **Beside them** chance (1/8) and the nearest training clip (1-nearest-neighbour).
#
# **Takes** two to four minutes on two cores. `--data full` moves the digits of MNIST, a quarter of an hour.
# Follows S0:314-343, S3:1223-1231.

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
# A window of $k$ steps fits at $n - k + 1$ positions along an axis of $n$, whatever the axis is (without **padding**,
# at a **stride** of 1). A course draws this chain for clips of 22 frames, 160 x 100 pixels, three colours: 10 kernels
# of 9 x 9 x 9, and further on 50 kernels of 9 x 8 x 5 over **feature maps** of 34 x 19 x 8. What lies between is not
# told; **max pooling** over 4 x 4 pixels and 30 kernels of 5 x 5 x 7 fit exactly. Before you run it: how many
# parameters does the first layer have?

# %%
chain = zoo.build("conv3d_demo", top=False)
for row in zoo.costs(chain)[1:]:
    frames, height, width, channels = row.output_shape
    size = f"{height} x {width} x {frames} frames"
    cost = f"{row.params:>8,} parameters {row.multiply_adds:>14,} multiply-adds"
    print(f"{row.layer:>6}  {size:<24}{channels:>3} maps {cost}")
shapes = [tuple(chain.get_layer(name).output.shape[1:4]) for name in ("conv1", "conv3")]
as_drawn = shapes == [(14, 152, 92), (4, 26, 12)]
lesson.claim("shapes of the chain as in the text: 152 x 92 x 14 and 26 x 12 x 4", as_drawn, "==", True, exact=True)
lesson.claim("parameters of the chain", chain.count_params(), "==", 614_460, exact=True)

# %% [markdown]
# Along a single axis it is the forecast of lesson 1 again: seven days, and one filter as long as the week (its bias
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
# dot has moved by one. Their means over the clip (**global average pooling**) are the two **logits**, one for each
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
# Take a network of images: kernels of depth 1, clips of one frame. **Inflate** each kernel: repeat it along time and
# divide by the depth. On a clip that stands still the new network says what the old one said, so a network for clips
# can start from what another has learned about images (Carreira and Zisserman 2017).

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
# the other side; another stands still. The **direction** is the label. The digits of the test clips are held out, and
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
# The nearest training clip has the right class more often than chance: by now and then a training digit of much the
# same shape has walked much the same way. It compares pixels; the network has found what the examples of a class share,
# so it **generalises** to clips it never saw.
#
# ## Is it the motion?
# A high accuracy by itself does not say so: on many sets of real clips a single frame (a pool, a piano) tells the
# class. So ask the trained network three questions more (**control experiments**). Shuffle the frames: everything is
# there but the order. Repeat the middle frame: all but the motion. Turn the clip round: by construction, that is a clip
# of the opposite direction.

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
# **Grad-CAM** (gradient-weighted **class activation maps**, Selvaraju et al. 2017) asks by how much each map of a layer
# moves the logit (its **gradient**), and adds up the maps with those weights. It does not care how many axes a map has.
# Warm is what spoke for the class. The maps of the second convolution have 4 x 5 x 5 positions, so the **heat map** is
# a blur in space and in time; still it should lie on the digit that moves more than on the one that stands. To see
# whether it does, compare its mean on the ink that comes and goes with that on the ink that is there in every frame.

# %%
model = cubes[0]
predicted = model.predict(x_test, batch_size=256, verbose=0).argmax(1)
shown = [int(np.flatnonzero(y_test == number)[0]) for number in (0, 3, 6)]
heats = stretch(grad_cam(model, x_test[shown], predicted[shown], layer="conv2"), x_test.shape[1:4])
titles = [f"is {names[y_test[row]]}, predicted {names[predicted[row]]}" for row in shown]
lesson.plot(films(x_test[shown], titles, heats), "grad_cam")

first = slice(0, 400)
ratios = []
for each in cubes:
    predicted = each.predict(x_test[first], batch_size=256, verbose=0).argmax(1)
    heat = stretch(grad_cam(each, x_test[first], predicted, layer="conv2"), x_test.shape[1:4])
    ink = x_test[first, ..., 0] > 0.5
    stands = ink & ink.all(axis=1, keepdims=True)
    ratios.append(heat[ink & ~stands].mean() / heat[stands].mean())
lesson.claim(
    "heat on what moves over heat on what stands, worst", min(ratios), ">=", 1.2, baseline={"evenly spread": 1}
)

# %% [markdown]
# ## What goes wrong: clips of one recording on both sides
# Real sets hold few recordings, each cut into many clips. Here are 40 recordings of a speck that wanders before a scene
# of its own (a frame of our clips), cut into 10 clips each. Their labels are **coins**, one for each recording: there
# is nothing to learn. Split the clips at random, and then split by recording (a **grouped split**, here with
# **cross-validation** in four folds).

# %%
recordings, cuts, size = 40, 10, x.shape[2]
speck = np.full((2, 2, 1), x.max())
coins = rng.permutation(np.arange(recordings) % 2)
clips, labels, sources = [], [], []
for number in range(recordings):
    film = np.maximum(x_test[number, :1], moving(speck, size, (number % size, 0), (0, 1), frames=8 * cuts))
    for cut in range(cuts):
        clips.append(film[8 * cut : 8 * cut + 8].ravel())
        labels.append(coins[number])
        sources.append(number)
clips, labels, sources = np.array(clips), np.array(labels), np.array(sources)


def neighbour_accuracy(train, test):
    return KNeighborsClassifier(1).fit(clips[train], labels[train]).score(clips[test], labels[test])


at_random = neighbour_accuracy(*train_test_split(np.arange(len(clips)), test_size=0.3, random_state=lesson.seed))
folds = np.array([neighbour_accuracy(sources % 4 != part, sources % 4 == part) for part in range(4)])
print(f"nearest clip on coins: split at random {at_random:.3f}; split by recording {folds.mean():.3f}")
lesson.claim("accuracy on coins, split at random", at_random, ">=", 0.9, baseline={"by recording": folds.mean()})
lesson.claim("accuracy on coins, split by recording", folds.mean(), "<=", 0.7, baseline={"chance": 0.5})

# %% [markdown]
# The clips of a recording share a background, and the background gives the coin away. That is why the recipes
# `ucf101` take the official split, in which whole recordings are on one side, and why a folder of your own clips should
# come with folders `train` and `test` (`zoo train r3d_18 --recipe folder --data VIDEOS`).
#
# ## Larger networks
# All of them read 16 frames of 112 x 112 pixels. The kernels differ in how they reach along time: C3D is VGG with
# cubes; R3D is ResNet-18 with cubes; MC3 looks at motion in its first stage only; R(2+1)D **factorises** a cube into a
# square and a line, of as many parameters together, with a ReLU between.

# %%
print("             parameters   multiply-adds of a clip")
for name in ("c3d", "r3d_18", "mc3_18", "r2plus1d_18") if not lesson.smoke else ("mc3_18",):
    card = zoo.info(name, verbose=True)
    multiply_adds = sum(layer.multiply_adds for layer in card.layers)
    print(f"{name:>12} {card.params:>11,} {multiply_adds / 1e9:>8.1f} billion")

# %% [markdown]
# ## Where to go on
# * `zoo train conv3d_demo`, then `zoo predict runs/conv3d_demo-demo-0 clip.gif`: a strip of frames with the heat on it.
# * Make `frame_cnn` see the mean of all frames in place of the middle one. What can it tell now, and what not?
# * Draw the eight directions from four axes: which pairs does the network confuse when the frames are shuffled? Why?

# %%
lesson.finish()
