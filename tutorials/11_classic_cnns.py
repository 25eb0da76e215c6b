# %% [markdown]
# # 11 · The classic networks: AlexNet, VGG, Inception, ResNet
#
# Between 2012 and 2015 networks for images went from 8 layers to 152, and the error on ImageNet fell by half. They
# did not simply grow. Each of them is an answer to one question: what does a layer cost, and what does it buy?
#
# **You will see** the parameters and the work (**multiply-adds**) of thirteen networks, where in the network they sit,
# why small filters beat large ones, what a 1x1 convolution saves, small versions of three of them learning digits, and
# VGG-16 just as it was published failing to learn them at all (the failure of this lesson).
#
# **Claims** The parameters to the last one: AlexNet 60,965,224 in two groups and 62,378,344 in one, VGG-16 138,357,544.
# A 1x1 convolution cuts 120,422,400 multiplications to 12,443,648. From the same short training a small AlexNet and
# Inception v1 reach an accuracy of at least .90 on the test digits, and VGG-16 for small images .95.
#
# **Beside them** chance, and the nearest training example (on the small digits it is hard to beat).
#
# **Takes** three minutes on two cores. `--data full` trains VGG-16 for small images on Fashion-MNIST by its recipe,
# a job for a GPU. Follows S2:756-758, S3:723-820.

# %%
import keras
import numpy as np
from keras import layers, ops
from lesson import Tutorial
from sklearn.neighbors import KNeighborsClassifier

import zoo
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("11_classic_cnns", full_data="fashion_mnist")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# %% [markdown]
# ## Parameters and work
# A convolution of $f \times f$ pixels (the **kernel size**) from $c$ to $d$ **feature maps** (or **channels**) has
# $f f c d$ weights. Each of them works once at every pixel of the result, in one multiplication and one addition:
# $f f c d \cdot h w$ multiply-adds (MACs; whoever counts **FLOPs** counts each as two). So memory is what the weights
# cost, time is what the pixels cost, and the two need not go together. Which of these networks has the most weights,
# and which does the most work? Guess before you look. (Published accuracies are not all measured alike: the cards say
# how.)

# %%
FAMILIES = {
    "AlexNet": (THIRD, ("alexnet", "alexnet_owt")),
    "VGG": (SECOND, ("vgg11", "vgg13", "vgg16", "vgg19")),
    "Inception": ("#e0a030", ("inception_v1", "inception_v3")),
    "ResNet": (INK, ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")),
}


def outline(name, **options):
    """The network with its shapes and without values: nobody waits for 143 million random numbers."""
    with keras.StatelessScope(initialize_variables=False):
        model = zoo.build(name, **options)
    keras.utils.clear_session(free_memory=False)  # forget that those variables wait for values
    return model


def parameters(model):
    return sum(int(np.prod(weights.shape)) for weights in model.trainable_weights)


def work(model):
    return sum(row.multiply_adds for row in zoo.costs(model))


networks = {name: outline(name) for _, names in FAMILIES.values() for name in names}
for name, model in networks.items():
    print(f"{name:>12}: {parameters(model):>11,} parameters, {work(model) / 1e9:5.2f} G multiply-adds")
one_group = outline("alexnet", groups=1)
lesson.claim("AlexNet in two groups, parameters", parameters(networks["alexnet"]), "==", 60_965_224, exact=True)
lesson.claim("AlexNet in one group, parameters", parameters(one_group), "==", 62_378_344, exact=True)
lesson.claim("VGG-16, parameters", parameters(networks["vgg16"]), "==", 138_357_544, exact=True)
wrong = sum(parameters(model) != zoo.info(name).params for name, model in networks.items())
lesson.claim("networks whose parameters are not those on the card", wrong, "==", 0, exact=True)

# %%
figure = new_figure(9, 5)
axes = figure.subplots()
for family, (colour, names) in FAMILIES.items():
    across, up = zip(*[(work(networks[name]) / 1e9, parameters(networks[name]) / 1e6) for name in names])
    axes.plot(across, up, "o-", color=colour, label=family)
    for number, (name, *point) in enumerate(zip(names, across, up)):
        published = zoo.info(name).recipe("imagenet2012").expected.bound
        side, shift = ("right", (-8, 2)) if family == "ResNet" else ("center", (0, 8 if number % 2 else -16))
        axes.annotate(f"{name} {published:.2f}", point, shift, textcoords="offset points", fontsize=8, ha=side)
axes.set(xscale="log", yscale="log", xlim=(0.5, 45), ylim=(5, 250))
axes.set(xlabel="multiply-adds of one image, in billions", ylabel="parameters, in millions")
axes.set_title("beside each name its published accuracy on ImageNet (not measured here)", fontsize=10)
axes.legend(frameon=False, loc="lower right")
axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "cost")

# %% [markdown]
# Inception v1 has a ninth of AlexNet's weights, does twice its work, and is better. ResNet-50 does a quarter of
# VGG-16's work with a fifth of its weights.
#
# ## Where they sit
# A dense (**fully connected**) layer uses each of its weights once. A convolution uses it at every pixel. So dense
# layers are rich in weights and poor in work. VGG-16's first dense layer alone, from 7 x 7 x 512 values to 4,096, has
# 102,764,544 weights. Inception and ResNet take the mean of each map instead (**global average pooling**), and one
# small dense layer is left.


# %%
def dense_fraction(name, column):
    amounts = [(getattr(row, column), row.type == "Dense") for row in zoo.costs(networks[name])]
    return sum(amount for amount, dense in amounts if dense) / sum(amount for amount, _ in amounts)


figure = new_figure(10, 3)
shown = ("alexnet", "vgg16", "inception_v1", "resnet50")
columns = {"params": "parameters", "multiply_adds": "multiply-adds"}
for axes, (column, meaning) in zip(figure.subplots(1, 2, sharey=True), columns.items()):
    fractions = np.array([dense_fraction(name, column) for name in shown])
    axes.barh(shown, fractions, color=SECOND, label="dense layers")
    axes.barh(shown, 1 - fractions, left=fractions, color=INK, label="convolutions")
    for row, fraction in enumerate(fractions):
        axes.text(1.02, row, f"dense {fraction:.1%}", va="center", fontsize=9)
    axes.set(title=f"fraction of the {meaning}", xlim=(0, 1.25), xticks=(0, 0.5, 1))
    axes.spines[["top", "right"]].set_visible(False)
axes.invert_yaxis()
figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
lesson.plot(figure, "dense_fractions")
lesson.claim("dense layers' fraction of VGG-16's parameters", dense_fraction("vgg16", "params"), ">=", 0.89, exact=True)
lesson.claim("their fraction of its multiply-adds", dense_fraction("vgg16", "multiply_adds"), "<=", 0.01, exact=True)

# %% [markdown]
# ## VGG: small filters, more of them
# Three 3x3 convolutions on top of each other see as far as one of 7x7 (the same **receptive field**): with filters of
# ones, a single bright pixel spreads over the same square. They have 27 weights for each pair of maps in place of 49,
# and two more ReLUs (**activation functions**) between them. What they see they weigh differently: the middle is in
# many of their windows, a corner in one.
#
# ## Inception: thin out first
# A 5x5 convolution from 192 to 32 maps of 28 x 28 pixels takes $28^2 \cdot 32 \cdot 5^2 \cdot 192$ multiplications. A
# 1x1 convolution (**pointwise**) in front, a **bottleneck** which mixes the 192 maps into 16, costs something itself
# and saves a lot more.


# %%
def chain(shape, *filters):
    """Convolutions (maps, side of the filter), without biases, all weights 1."""
    x = image = keras.Input(shape)
    for maps, side in filters:
        x = layers.Conv2D(maps, side, padding="same", use_bias=False, kernel_initializer="ones")(x)
    return keras.Model(image, x)


pixel = np.zeros((1, 15, 15, 1), "float32")
pixel[0, 7, 7] = 1
responses = {"one 7x7": chain((15, 15, 1), (1, 7))(pixel), "three 3x3": chain((15, 15, 1), *[(1, 3)] * 3)(pixel)}
responses = {name: ops.convert_to_numpy(response)[0, :, :, 0] for name, response in responses.items()}
seven, three = chain((28, 28, 64), (64, 7)), chain((28, 28, 64), *[(64, 3)] * 3)
direct, thinned = chain((28, 28, 192), (32, 5)), chain((28, 28, 192), (16, 1), (32, 5))
parts = [row.multiply_adds for row in zoo.costs(thinned) if row.multiply_adds]

figure = new_figure(10, 3)
left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.8))
for axes, (name, response), model in zip((left, middle), responses.items(), (seven, three)):
    axes.imshow(response, cmap="Blues", vmax=response.max() * 1.3)
    axes.set(xticks=[], yticks=[], title=name, xlabel=f"64 to 64 maps:\n{parameters(model):,} weights")
right.barh(0, work(direct) / 1e6, color=SECOND)
right.barh(1, parts[0] / 1e6, color=THIRD)
right.barh(1, parts[1] / 1e6, left=parts[0] / 1e6, color=INK)
right.text(5, 0, f"{work(direct):,}", va="center", color="white")
right.text(sum(parts) / 1e6 + 2, 1, f"{parts[0]:,} + {parts[1]:,}", va="center")
right.set_yticks((0, 1), ("5x5", "1x1, then 5x5"))
right.set(xlabel="millions of multiplications", title="what a 1x1 convolution saves")
right.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "filters")

fields = {name: int((response.max(0) > 0).sum()) for name, response in responses.items()}
lesson.claim("pixels across that three 3x3 see", fields["three 3x3"], "==", 7, baseline=fields, exact=True)
beside = {"one 7x7": parameters(seven)}
lesson.claim("weights of three 3x3, 64 to 64 maps", parameters(three), "==", 110_592, baseline=beside, exact=True)
lesson.claim("multiplications, 5x5 alone", work(direct), "==", 120_422_400, exact=True)
lesson.claim("multiplications, 1x1 and then 5x5", work(thinned), "==", 12_443_648, exact=True)
module = {row.layer: row.multiply_adds for row in zoo.costs(networks["inception_v1"])}
tower = module["inception_3a_5x5_reduce"] + module["inception_3a_5x5"]
lesson.claim("the same two layers in Inception v1, module 3a", tower, "==", 12_443_648, exact=True)

# %% [markdown]
# ## Three of them on digits
# An eighth or a quarter of the channels is plenty for ten digits. Each network gets the same twelve epochs (passes
# through the training set), learning rates and seeds, and the smallest images that suit it. VGG-16 comes twice: for
# small images (Liu and Deng, 2015), with **batch normalisation** after each convolution (each map scaled to mean 0 and
# standard deviation 1 over the batch, then by a scale and a shift that are learned); and as published in 2014, when
# that was not known. Its authors first trained VGG-11 and grew it, because the deeper ones did not start by themselves.

# %%
NETWORKS = {  # side of the images, options, colour
    "alexnet": (67, {"width": 0.25}, THIRD),
    "vgg16_small": (32, {"width": 0.125, "dropout": 0.0}, INK),
    "inception_v1": (32, {"width": 0.25, "batch_norm": True, "dropout": 0.0}, "#e0a030"),
    "vgg16": (32, {"width": 0.125}, SECOND),
}
EPOCHS, BATCH = (1 if lesson.smoke else 12), 64
# XLA, which Keras asks of TensorFlow, takes longer to compile deep networks than this training takes without.
COMPILE = {"jit_compile": False if keras.config.backend() == "tensorflow" else "auto"}


def fresh(name, seed):
    side, options, _ = NETWORKS[name]
    keras.utils.set_random_seed(seed)
    return zoo.build(name, input_shape=(side, side, 1), num_classes=10, **options)


def digits(side, split, **options):
    return zoo.load_data("digits", split=split, batch_size=BATCH, preprocess={"resize": (side, side)}, **options)


def arrays(side, split):
    return [np.concatenate(part) for part in zip(*digits(side, split).as_numpy_iterator())]


def train(name):
    """For each seed the losses by epoch, and the test accuracy."""
    side = NETWORKS[name][0]
    x_test, y_test = arrays(side, "test")
    model = fresh(name, lesson.seed)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(digits(side, "train")))
    model.compile(keras.optimizers.Adam(rate), loss=CROSS_ENTROPY, **COMPILE)
    losses, scores = [], []
    for seed in lesson.seeds:  # the graph is traced once: a new start means new values
        model.set_weights(fresh(name, seed).get_weights())
        for variable in model.optimizer.variables:
            variable.assign(ops.zeros(variable.shape, variable.dtype))
        batches = digits(side, "train", shuffle=True, seed=seed, augment={"shift": side // 10})
        losses.append(model.fit(batches, epochs=EPOCHS, verbose=0, shuffle=False).history["loss"])
        logits = ops.convert_to_numpy(model(x_test, training=False))
        scores.append(float(np.mean(logits.argmax(1) == y_test)))
    print(f"{name:>12}: {parameters(model):>9,} parameters, test accuracy", *[f"{score:.3f}" for score in scores])
    return np.array(losses), scores


results = {name: train(name) for name in NETWORKS}
(x, y), (x_test, y_test) = arrays(32, "train"), arrays(32, "test")
nearest = KNeighborsClassifier(1).fit(x.reshape(len(x), -1), y).score(x_test.reshape(len(x_test), -1), y_test)
baseline = {"chance": float(np.mean(y_test == np.bincount(y).argmax())), "nearest example": nearest}
for name, bound in (("alexnet", 0.90), ("vgg16_small", 0.95), ("inception_v1", 0.90)):
    lesson.claim(f"digits, {name}, worst seed", min(results[name][1]), ">=", bound, baseline=baseline)
lesson.claim("digits, vgg16 as published, best seed", max(results["vgg16"][1]), "<=", 0.5, baseline=baseline)

# %% [markdown]
# ## Why VGG-16 does not start
# The loss is the **cross-entropy**; the logarithmic axis shows one network stuck at $\ln 10$. We look at how much the
# maps of each layer differ from one digit to the next, before any training. Each layer of the published network about
# halves the differences: thirteen layers later all digits look the same, the **logits** (the outputs before the
# softmax) are the same for all, and hardly any step improves them. Normalisation restores the differences after each
# layer. (The other cure came later too: an **initialisation** whose random weights are large enough for ReLUs, He et
# al. 2015.)


# %%
def differences(batch_norm):
    """Standard deviation over the digits of the maps of each convolution, after its ReLU."""
    keras.utils.set_random_seed(lesson.seed)
    model = zoo.build("vgg16", input_shape=(32, 32, 1), num_classes=10, width=0.125, batch_norm=batch_norm)
    ending = "_relu" if batch_norm else ("_conv1", "_conv2", "_conv3")
    maps = [layer.output for layer in model.layers if layer.name.startswith("block") and layer.name.endswith(ending)]
    outputs = keras.Model(model.input, maps)(x[:256], training=True)  # normalised by this batch
    return np.array([ops.convert_to_numpy(output).std(0).mean() for output in outputs])


published, normalised = differences(False), differences(True)
figure = new_figure(10.5, 4)
left, right = figure.subplots(1, 2)
for name, (_, _, colour) in NETWORKS.items():
    rows = results[name][0]
    left.plot(range(1, EPOCHS + 1), rows.mean(0), color=colour, marker=".", label=name)
    left.fill_between(range(1, EPOCHS + 1), rows.min(0), rows.max(0), color=colour, alpha=0.2, linewidth=0)
left.axhline(np.log(10), color="black", linestyle=":", label="knows nothing: ln 10")
left.set(xlabel="epoch", ylabel="training loss", title="mean and range of the seeds")
right.plot(range(1, 14), normalised, color=INK, marker="o", label="normalised")
right.plot(range(1, 14), published, color=SECOND, marker="o", label="as published")
right.set(xlabel="convolution", title="VGG-16 at the start: how much its maps\ndiffer between digits")
for axes in (left, right):
    axes.set_yscale("log")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "training")
kept = published[-1] / published[0]
beside = {"normalised": normalised[-1] / normalised[0]}
lesson.claim(
    "differences after VGG-16's last convolution over its first", kept, "<=", 0.05, baseline=beside, exact=True
)

# %% [markdown]
# ## Fashion-MNIST (`--data full`)
# Fashion-MNIST's README reports .935 for a VGG-16. The bound here is .93; it is not measured here.

# %%
if lesson.full:
    budget = {"epochs": 1} if lesson.smoke else {}
    run = zoo.train("vgg16_small", "fashion_mnist", seed=lesson.seed, data_dir=lesson.data_dir, **budget)
    lesson.claim("Fashion-MNIST, vgg16_small", run.metrics["accuracy"], ">=", 0.93, baseline=run.results["baselines"])

# %% [markdown]
# ## Try it
# * Train `vgg16` at a **learning rate** of 1e-3, or `vgg11` at 2e-3: does it start?
# * How many weights has `zoo.build("vgg16", top=False)`? What would a mean over its maps save?
# * Build Inception v1 with `auxiliary=True`. How many weights serve the training alone?

# %%
lesson.finish()
