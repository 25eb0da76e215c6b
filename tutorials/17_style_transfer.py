# %% [markdown]
# # 17 · Style transfer: training the image
#
# So far the weights of a network were trained and the images stayed as they were. Gatys, Ecker and Bethge turned that
# round: the network stays as it is (its weights are **frozen**), and the pixels are trained by **gradient descent**,
# until the network sees one image's objects in another image's texture.
#
# **You will see** what each layer of a VGG still knows of a photograph, what a Gram matrix keeps and forgets, a temple
# that takes the style of a flower, and what comes out if pixels are compared in place of **feature maps** (the failure
# of this lesson). Then the two networks that do in one pass what takes hundreds of steps here.
#
# **Claims** Gram matrices are symmetric and have no negative eigenvalues; the order of the positions does not matter.
# From the maps of the second block alone a photograph comes back from noise, to 20 dB (the **peak signal-to-noise
# ratio**, PSNR). After 150 steps at most a hundredth of the style error is left. A small network, trained on tiles,
# paints a tile it never saw.
#
# **Beside them** noise, the photograph as it is, and the photograph in the style's colours.
#
# **Takes** three minutes on two cores, with untrained filters: to learn texture, random ones will do (He, Wang and
# Hopcroft 2016). With filters trained on ImageNet: `zoo stylize photograph.jpg painting.jpg -o out.png`.
# Follows S3:1110-1221.

# %%
import keras
import numpy as np
from keras import ops
from lesson import Tutorial
from PIL import Image

import zoo
from zoo import losses
from zoo.data import open_source
from zoo.data.builtin.photographs import photographs
from zoo.plots import INK, SECOND, gallery, new_figure
from zoo.tasks.style_transfer import in_the_colours

lesson = Tutorial("17_style_transfer")
SIZE = (48, 32) if lesson.smoke else (96, 64)  # width, height
# XLA, which Keras asks of TensorFlow, takes longer on a processor than TensorFlow's own convolutions.
COMPILE = {"jit_compile": False if keras.config.backend() == "tensorflow" else "auto"}
temple, flower = (np.asarray(Image.fromarray(each).resize(SIZE), "float32") / 255 for each in photographs())


def to_numpy(tensor):
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


# %% [markdown]
# ## A model that is an image
# The model below has one input, the number of an image, and one trainable weight: the pixels. It looks the image up, as
# a language model looks up the vector of a word (Keras's layer for both is called **Embedding**). All that is
# interesting is in the **loss function**, a **perceptual loss**: it shows the image to a VGG whose weights do not move,
# and **backpropagation** goes through that network down to the pixels. Let $F$ be the maps of one layer (its
# **activations**) for our image and $P$ those of the photograph. The **content** error, or content loss, is
#
# $$\frac{\sum (F - P)^2}{\sum P^2}$$
#
# 0 for the photograph itself, 1 for an image in which the layer sees nothing. We start from noise, follow the content
# error of one layer alone, and see what comes back. Before you run it: which layer will give the sharper image, one
# of the first block or one of the fourth?


# %%
def paint(steps, start=None, seed=None, **options):
    """The image after `steps` of Adam, and the loss after each. The loss is `zoo.losses.Perceptual`."""
    keras.utils.set_random_seed(lesson.seed if seed is None else seed)
    model = zoo.build("style_transfer", image_shape=temple.shape)
    if start is not None:
        model.get_layer("picture").set_weights([start.reshape(1, -1)])
    loss = losses.Perceptual(**options).hold(temple, [flower])  # compares with these two, whatever the targets say
    model.compile(keras.optimizers.Adam(0.05), loss=loss, **COMPILE)
    index, target = np.zeros(1, "int32"), np.zeros((1, 1), "float32")
    history = model.fit(index, target, epochs=2 if lesson.smoke else steps, verbose=0, shuffle=False)
    return to_numpy(model(index))[0], history.history["loss"]


def psnr(image):
    """Peak signal-to-noise ratio: 20 dB mean that the root mean square error is a tenth of the range."""
    return float(-10 * np.log10(np.mean((image - temple) ** 2)))


noise = np.random.default_rng(lesson.seed).uniform(size=temple.shape).astype("float32")
found = {}
for layer in ("block1_conv2", "block2_conv1", "block3_conv1", "block4_conv2"):
    only = {"style_weight": 0.0, "variation_weight": 0.0, "content_layer": layer, "style_layers": (layer,)}
    found[layer], _ = paint(120, width=0.5, **only)
    print(f"{layer}: {psnr(found[layer]):5.1f} dB (noise {psnr(noise):.1f})")
images = (temple, noise, *found.values())
titles = ("photograph", "noise", *(f"{layer}\n{psnr(image):.1f} dB" for layer, image in found.items()))
lesson.plot(gallery([images], titles, width=1.9), "content_by_layer")
value = psnr(found["block2_conv1"])
lesson.claim("photograph from the maps of block2_conv1, dB", value, ">=", 20, baseline={"noise": psnr(noise)})

# %% [markdown]
# The deeper the layer, the less it knows of single pixels: **pooling** has thrown away where exactly things are. (These
# filters are untrained. Trained ones throw away more, and keep what matters for objects.)
#
# ## Style: which maps are active together
# A layer's **Gram matrix** is $G_{ij} = \frac{1}{M} \sum_k F_{ki} F_{kj}$, over the $M$ positions $k$: how much map $i$
# and map $j$ are active at the same position (their uncentred **correlation**), wherever that is. A petal's edge beside
# a petal's red leaves its mark; at which corner of the image it was does not. So $G$ is symmetric, its eigenvalues are
# not negative, and nothing changes when the positions are shuffled. The **style** error, or style loss, compares the
# Gram matrices of our image with those of the style.

# %%
loss = losses.Perceptual()
maps = to_numpy(loss.maps(flower[None])[3])  # block3_conv1: (1, 16, 24, 64)
gram = to_numpy(losses.gram_matrix(maps))[0]
order = np.random.default_rng(lesson.seed).permutation(maps.shape[1] * maps.shape[2])
shuffled = maps.reshape(1, -1, maps.shape[-1])[:, order].reshape(maps.shape)
lesson.claim("Gram matrix less its transpose, largest", np.abs(gram - gram.T).max(), "<=", 1e-6, exact=True)
smallest = float(np.linalg.eigvalsh(gram.astype("float64")).min() / np.trace(gram))
lesson.claim("smallest eigenvalue over their sum", smallest, ">=", -1e-6, exact=True)
moved = float(to_numpy(losses.relative_error(gram[None], losses.gram_matrix(shuffled)))[0])
content = float(to_numpy(losses.relative_error(maps, shuffled))[0])
lesson.claim("style error of shuffled positions", moved, "<=", 1e-9, baseline={"content error": content}, exact=True)

# %% [markdown]
# ## The temple takes the flower's style
# The loss is content + `style_weight` x style + total variation (the squared differences of neighbouring pixels, a
# **regularisation** against specks). We start from the photograph.

# %%
weights = {"style_weight": 10.0, "variation_weight": 1.0}
image, history = paint(150, start=temple, **weights)
texture, _ = paint(150, start=noise, content_weight=0.0, **weights)
blend = (temple + flower) / 2  # what is left of the two if pixels are compared: see below


def terms(image):
    found = held.terms(None, ops.convert_to_tensor(image[None]))
    found = {name: float(to_numpy(value)[0]) for name, value in found.items()}
    return found | {"loss": sum(weight * found[name] for name, weight in held.term_weights.items())}


held = losses.Perceptual(**weights).hold(temple, [flower])
coloured = np.clip(in_the_colours(temple, flower), 0, 1).astype("float32")
shown = {
    "photograph": temple, "style": flower, "its colours alone": coloured, "content and style": image,
    "style alone": texture, "pixels compared": blend,
}  # fmt: skip
for name, each in shown.items():
    print("{:>18}: content {content:.3f}, style {style:.4f}".format(name, **terms(each)))
names, each = list(shown), list(shown.values())
lesson.plot(gallery([each[:3], each[3:]], labels=[names[:3], names[3:]]), "style")

figure = new_figure(6, 3.6)
axes = figure.subplots()
axes.plot(range(1, len(history) + 1), history, color=INK, label="content + 10 style + variation")
for name, each, style in (("the photograph", temple, ":"), ("in the style's colours", coloured, "--")):
    axes.axhline(terms(each)["loss"], color=SECOND, linestyle=style, label=name)
axes.set(xlabel="step", ylabel="loss", yscale="log")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "loss")

ratio = terms(image)["style"] / terms(temple)["style"]
baseline = {"photograph": 1.0, "in the style's colours": terms(coloured)["style"] / terms(temple)["style"]}
lesson.claim("fraction of the style error that is left", ratio, "<=", 0.01, baseline=baseline)
lesson.claim("content error", terms(image)["content"], "<=", 0.8, baseline={"style alone": terms(texture)["content"]})

# %% [markdown]
# With style alone the temple is gone: the Gram matrices do not know where anything is, and any arrangement of the
# flower's texture is as good as another.
#
# ## The failure: comparing pixels
# Why maps, and not the pixels themselves? The image that is nearest to two others, pixel by pixel, is their mean: a
# double exposure, last of the six above. No weight between the two makes it more than that.
#
# ## One pass in place of 150 steps
# Johnson, Alahi and Fei-Fei train a network on many photographs with the *same loss*, for one style. Then a new
# photograph takes one pass (**feed-forward** style transfer). Ours is small, and has twelve tiles of the temple to
# learn from; it is tried on tiles that it never saw. (`zoo train fast_style` is the same, longer.)


# %%
def tiles(split):
    """Photographs and styles, (tiles, 64, 64, 3) each."""
    both = next(open_source("photo_tiles").load().split(split).batch(20).as_numpy_iterator())
    return (each[:, ::2, ::2].astype("float32") / 255 for each in both)


(train, style), (test, _) = tiles("train"), tiles("test")
keras.utils.set_random_seed(lesson.seed)
fast = zoo.build("fast_style", input_shape=(None, None, 3), width=0.25, blocks=2)
fast.compile(keras.optimizers.Adam(3e-3), loss=losses.Perceptual(**weights), **COMPILE)
pairs = np.stack([train, style], axis=1)
fast.fit(train, pairs, batch_size=4, epochs=1 if lesson.smoke else 60, verbose=0)
painted = to_numpy(fast(test))
judge = losses.Perceptual()
both = np.stack([test, style[: len(test)]], axis=1)
before, after = (to_numpy(judge.terms(both, each)["style"]) for each in (test, painted))
rows = [(photograph, style[0], result) for photograph, result in zip(test, painted)]
lesson.plot(gallery(rows, ("unseen tile", "style", "in one pass"), width=1.8), "fast_style")
left = float((after / before).max())
lesson.claim("style error left on the worst unseen tile", left, "<=", 0.5, baseline={"the tile as it is": 1.0})

# %% [markdown]
# ## Any style
# Huang and Belongie noticed that means and standard deviations of maps already say much about a style. AdaIN
# (**adaptive instance normalisation**) gives the photograph's maps the style's means and standard deviations, channel
# by channel, and a **decoder** paints what they show. The layer has nothing to learn, and what it promises can be
# checked on the untrained network.

# %%
model = zoo.build("adain", input_shape=(None, None, 3), width=0.25)
code = keras.Model(model.input, [model.get_layer(name).output for name in ("block4_conv1", "adain")])
before, after = (to_numpy(each) for each in code({"image": temple[None], "style": flower[None]}))
of_style, of_both = before[1], after[0]  # (height / 8, width / 8, channels)
apart = np.abs(of_both.mean((0, 1)) - of_style.mean((0, 1))).max()
lesson.claim("means of the maps, largest difference from the style's", apart, "<=", 1e-3, exact=True)

# %% [markdown]
# ## Try it
# * Which `style_weight` makes the temple just disappear?
# * Take `style_layers=("block1_conv1",)` alone, then `("block4_conv1",)` alone. What is fine, what is coarse?
# * Change the order of the flower's rows. Does the result change?
# * `zoo stylize` with images of your own; `--start noise --optimizer lbfgs` is the paper's way.

# %%
lesson.finish()
