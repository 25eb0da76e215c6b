# %% [markdown]
# # 17 · Style transfer: training the image
#
# So far the weights of a network were trained and the images stayed as they were. Gatys, Ecker and Bethge
# ([2016](https://doi.org/10.1109/CVPR.2016.265), [arXiv:1508.06576](https://arxiv.org/abs/1508.06576)) turned that
# round. In **neural style transfer** the network stays as it is (frozen, lesson 13), and the pixels are trained by
# gradient descent, until the network sees the objects of one image, the **content**, in the texture of another, the
# **style**.
#
# **You will see** what each layer of a VGG still knows of a photograph, what a Gram matrix keeps and forgets, a temple
# that takes the style of a flower while its content loss rises, and what comes out if pixels are compared in place of
# feature maps (the failure of this lesson). Then the two networks that do in one pass what takes hundreds of steps
# here.
#
# **Claims** Gram matrices are symmetric and have no negative eigenvalues; the order of the positions does not matter.
# From the maps of the second block alone a photograph comes back from noise, to 20 dB. After 150 steps at most a
# hundredth of the style error is left, and the content error, 0 at the start, has risen. Pixels that are compared end
# as the mean of the two images. In one pass a small network paints tiles it never saw.
#
# **Beside them** noise, the mean colour, the photograph as it is, and the photograph in the style's colours.
#
# **Takes** 80 seconds on one core (Intel Xeon), with untrained filters: to learn texture, random ones will do (He, Wang
# and Hopcroft 2016, [arXiv:1606.04801](https://arxiv.org/abs/1606.04801)). With filters trained on ImageNet:
# `zoo stylize photograph.jpg painting.jpg -o out.png`.

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
from zoo.plots import INK, SECOND, THIRD, gallery, new_figure
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
# The model below has one input, the number of an image, and one trainable weight: the pixels. It looks the image up in
# a table, by its number (Keras's layer for that is called `Embedding`). All that is interesting is in the loss. A
# **perceptual loss** does not compare pixels. It shows the image to a VGG whose weights do not move and compares
# feature maps; the gradient goes back through that network down to the pixels.
#
# Let $F$ be the maps of one layer for our image and $P$ those of the photograph. The **content loss** is
#
# $$L_\text{content} = \frac{\sum (F - P)^2}{\sum P^2},$$
#
# which is 0 for the photograph itself, and 1 for an image in which the layer sees nothing. (Gatys has
# $\frac12 \sum (F - P)^2$. Divided by $\sum P^2$, one weight serves for every layer.) We start from noise, follow the
# content loss of one layer alone, and see what comes back. How near it is to the photograph is told by the **peak
# signal-to-noise ratio** (PSNR): $-10 \log_{10}$ of the mean squared error of the pixels, in decibels (dB). At 20 dB
# the typical error is a tenth of the range from black to white. Before you run it: which layer will give the sharper
# image, one of the first block or one of the fourth?


# %%
def paint(steps, start=None, each_step=None, **options):
    """The image after `steps` of Adam. The loss is `zoo.losses.Perceptual`; `each_step` sees the image at each step."""
    keras.utils.set_random_seed(lesson.seed)
    model = zoo.build("style_transfer", image_shape=temple.shape)
    if start is not None:
        model.get_layer("picture").set_weights([start.reshape(1, -1)])
    loss = losses.Perceptual(**options).hold(temple, [flower])  # compares with these two, whatever the targets say
    model.compile(keras.optimizers.Adam(0.05), loss=loss, **COMPILE)
    index, target = np.zeros(1, "int32"), np.zeros((1, 1), "float32")

    def watch(step, _logs):
        if each_step is not None:
            each_step(step, to_numpy(model(index))[0])

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=watch)
    model.fit(index, target, epochs=2 if lesson.smoke else steps, verbose=0, shuffle=False, callbacks=[callback])
    return to_numpy(model(index))[0]


def psnr(image):
    """Peak signal-to-noise ratio against the temple, in dB."""
    return float(-10 * np.log10(np.mean((image - temple) ** 2)))


noise = np.random.default_rng(lesson.seed).uniform(size=temple.shape).astype("float32")
grey = np.broadcast_to(temple.mean((0, 1)), temple.shape)
CONTENT_ONLY = {"content_weight": 1.0, "style_weight": 0.0, "variation_weight": 0.0}
found = {}
for layer in ("block1_conv2", "block2_conv1", "block4_conv2"):
    found[layer] = paint(100, width=0.5, content_layer=layer, style_layers=(layer,), **CONTENT_ONLY)
    print(f"{layer}: {psnr(found[layer]):5.1f} dB (noise {psnr(noise):.1f}, mean colour {psnr(grey):.1f})")
images = (temple, noise, *found.values())
titles = ("photograph", "noise", *(f"{layer}\n{psnr(image):.1f} dB" for layer, image in found.items()))
lesson.plot(gallery([images], titles, width=1.9), "content_by_layer")
value, beside = psnr(found["block2_conv1"]), {"noise": psnr(noise), "mean colour": psnr(grey)}
lesson.claim("photograph from the maps of block2_conv1, dB", value, ">=", 20, baseline=beside)
deep = psnr(found["block1_conv2"]) - psnr(found["block4_conv2"])
lesson.claim("block1_conv2 less block4_conv2, dB", deep, ">=", 20, baseline=beside)

# %% [markdown]
# The deeper the layer, the less comes back of single pixels. Before the fourth block stand three poolings, each of
# which leaves one position in place of four: where exactly something was is lost on the way. (These filters are
# untrained. Trained ones lose more, and keep what matters for objects.)
#
# ## Style: which maps are active together
# The **Gram matrix** of a layer with maps $F_{ki}$, map $i$ at position $k$ of $M$ positions, is
#
# $$G_{ij} = \frac{1}{M} \sum_{k=1}^{M} F_{ki} F_{kj}.$$
#
# It says how much map $i$ and map $j$ are active at the same position, wherever that is. A petal's edge beside a
# petal's red leaves its mark; in which corner of the image it was does not. So $G$ is symmetric, its eigenvalues are
# not negative, and nothing changes when the positions are shuffled. The **style loss** compares the Gram matrices of
# our image with those $A$ of the style, the mean over some layers $l$:
#
# $$L_\text{style} = \frac{1}{\#l} \sum_l \frac{\sum_{ij} (G^l_{ij} - A^l_{ij})^2}{\sum_{ij} (A^l_{ij})^2}.$$

# %%
loss = losses.Perceptual()
maps = to_numpy(loss.maps(flower[None])[3])  # block3_conv1: (1, 16, 24, 64)
gram = to_numpy(losses.gram_matrix(maps))[0]
rows = maps.reshape(-1, maps.shape[-1])  # (positions, maps)
by_hand = sum(np.outer(row, row) for row in rows) / len(rows)
apart = float(np.abs(gram - by_hand).max() / np.abs(by_hand).max())
lesson.claim("Gram matrix less the equation, by its largest entry", apart, "<=", 1e-6, exact=True)
lesson.claim("Gram matrix less its transpose, largest", np.abs(gram - gram.T).max(), "<=", 1e-6, exact=True)
smallest = float(np.linalg.eigvalsh(gram.astype("float64")).min() / np.trace(gram))
lesson.claim("smallest eigenvalue over their sum", smallest, ">=", -1e-6, exact=True)
shuffled = np.random.default_rng(lesson.seed).permutation(rows).reshape(maps.shape)
moved = float(to_numpy(losses.relative_error(gram[None], losses.gram_matrix(shuffled)))[0])
content = float(to_numpy(losses.relative_error(maps, shuffled))[0])
lesson.claim("style error of shuffled positions", moved, "<=", 1e-9, baseline={"content error": content}, exact=True)

# %% [markdown]
# ## The temple takes the flower's style
# The whole loss is $L = L_\text{content} + \beta L_\text{style} + \gamma L_\text{tv}$. The last term is the **total
# variation**, the squared differences of neighbouring pixels: a regularisation against specks.
#
# We start from the photograph, where the content loss is 0. It cannot fall; **it must rise**, for no image has the
# flower's texture and every edge of the temple. What falls is the sum: a little content is paid for much style. So
# do not stop when the content loss rises, and do not look for a bug. Look at the sum. (Gatys
# starts from noise, whose content loss is printed below.)

# %%
weights = {"content_weight": 1.0, "style_weight": 10.0, "variation_weight": 1.0}
held = losses.Perceptual(**weights).hold(temple, [flower])


def terms(image):
    """The three terms of an image, and the loss."""
    found = held.terms(None, ops.convert_to_tensor(image[None]))
    found = {name: float(to_numpy(value)[0]) for name, value in found.items()}
    return found | {"loss": sum(weight * found[name] for name, weight in held.term_weights.items())}


steps, course = [], []


def remember(step, image):
    if step in (0, 1, 2, 5) or step % 10 == 0:
        steps.append(step)
        course.append(terms(image))


image = paint(150, start=temple, each_step=remember, **weights)
last = terms(image)
colours = np.clip(in_the_colours(temple, flower), 0, 1).astype("float32")
first = {"at the start": course[0]["content"]}
lesson.claim("content error at the start", course[0]["content"], "==", 0, exact=True)
lesson.claim("content error at the end", last["content"], ">=", 0.1, baseline=first)
ratio = last["style"] / terms(temple)["style"]
beside = {"photograph": 1.0, "in the style's colours": terms(colours)["style"] / terms(temple)["style"]}
lesson.claim("fraction of the style error that is left", ratio, "<=", 0.01, baseline=beside)

figure = new_figure(6.4, 3.6)
axes = figure.subplots()
for name, colour in (("loss", "black"), ("content", INK), ("style", SECOND)):
    label = {"loss": "content + 10 style + variation"}.get(name, name)
    axes.plot(steps, [each[name] for each in course], color=colour, label=label)
axes.axhline(terms(colours)["loss"], color=THIRD, linestyle="--", label="loss of the photograph in the style's colours")
axes.set(xlabel="step", ylabel="error", yscale="log", title="the content error must rise, so that the sum can fall")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "loss")

# %% [markdown]
# ## Style alone, and the failure: comparing pixels
# With style alone, from noise (**texture synthesis**), the temple is gone. The Gram matrices do not know where anything
# is, and any arrangement of the flower's texture is as good as another.
#
# Why maps, and not the pixels themselves? We change that alone: the same noise, the same optimizer and the same steps,
# but each of the two images is compared pixel by pixel. The sum $(p - a)^2 + \beta (p - b)^2$ of a pixel $p$ has its
# minimum at $(a + \beta b) / (1 + \beta)$. So what comes out is a mean of the two images, a double exposure. No weight
# $\beta$ makes it more than that.

# %%
texture = paint(100, start=noise, **weights | {"content_weight": 0.0})
keras.utils.set_random_seed(lesson.seed)
model = zoo.build("style_transfer", image_shape=temple.shape)
model.compile(keras.optimizers.Adam(0.05), loss="mean_squared_error", **COMPILE)
model.fit(np.zeros(2, "int32"), np.stack([temple, flower]), epochs=3 if lesson.smoke else 150, verbose=0)
blend = to_numpy(model(np.zeros(1, "int32")))[0]
shown = {
    "photograph": temple, "style": flower, "its colours alone": colours, "content and style": image,
    "style alone": texture, "pixels compared": blend,
}  # fmt: skip
for name, each in {"noise": noise, "style upside down": flower[::-1].copy(), **shown}.items():
    print("{:>18}: content {content:.3f}, style {style:.4f}".format(name, **terms(each)))
names, each = list(shown), list(shown.values())
lesson.plot(gallery([each[:3], each[3:]], labels=[names[:3], names[3:]]), "style")
beside = {"style alone": terms(texture)["content"]}
lesson.claim(
    "content error, of that of style alone", last["content"] / beside["style alone"], "<=", 0.8, baseline=beside
)
apart, beside = np.abs(blend - (temple + flower) / 2).max(), {"the photograph": np.abs(temple - flower).max() / 2}
lesson.claim("pixels compared: largest difference from the mean", apart, "<=", 0.02, baseline=beside)

# %% [markdown]
# ## One pass in place of 150 steps
# Johnson, Alahi and Fei-Fei (2016, [arXiv:1603.08155](https://arxiv.org/abs/1603.08155)) train a network on many
# photographs with the *same loss*, for one style. Then a new photograph takes one pass. Ours is small, and has twelve
# tiles of the temple to learn from; it is tried on tiles that it never saw. (`zoo train fast_style` is the same,
# longer.) After so few steps it has learned colours and patches. Its style error is far below that of the same network
# untrained; but to give a photograph the style's colours by arithmetic is still better, as the line below says.


# %%
def tiles(split):
    """Photographs and styles, (tiles, 64, 64, 3) each."""
    both = next(open_source("photo_tiles").load().split(split).batch(20).as_numpy_iterator())
    return (each[:, ::2, ::2].astype("float32") / 255 for each in both)


(train, style), (test, _) = tiles("train"), tiles("test")
keras.utils.set_random_seed(lesson.seed)
fast = zoo.build("fast_style", input_shape=(None, None, 3), width=0.25, blocks=2)
untrained = to_numpy(fast(test))
rate = keras.optimizers.schedules.CosineDecay(1e-2, 60 * 3)
fast.compile(keras.optimizers.Adam(rate), loss=losses.Perceptual(**weights), **COMPILE)
pairs = np.stack([train, style], axis=1)
fast.fit(train, pairs, batch_size=4, epochs=1 if lesson.smoke else 60, verbose=0)
painted = to_numpy(fast(test))
judge = losses.Perceptual()
both = np.stack([test, style[: len(test)]], axis=1)
in_colours = np.clip(in_the_colours(test, style[: len(test)]), 0, 1)
as_it_is, before, after, simple = (
    float(to_numpy(judge.terms(both, each)["style"]).mean()) for each in (test, untrained, painted, in_colours)
)
rows = [(photograph, style[0], result) for photograph, result in zip(test, painted)]
lesson.plot(gallery(rows, ("unseen tile", "style", "in one pass"), width=1.8), "fast_style")
beside = {"the tiles as they are": as_it_is / before, "in the style's colours": simple / before}
lesson.claim("style error on unseen tiles, of the untrained network's", after / before, "<=", 0.2, baseline=beside)

# %% [markdown]
# ## Any style
# That network has a normalisation behind each convolution: **instance normalisation** (Ulyanov, Vedaldi and Lempitsky
# 2016, [arXiv:1607.08022](https://arxiv.org/abs/1607.08022)). Batch normalisation (lesson 11) takes the mean and the
# standard deviation of a map over all images of a batch; instance normalisation takes them from each image by itself,
# so a photograph and a pale copy of it look the same behind the first layer.

# %%
layer = keras.layers.GroupNormalization(-1, epsilon=1e-6)  # a group for each map: instance normalisation
images = np.stack([temple, 0.5 * temple + 0.25])  # the second with half the contrast
normalised = ops.convert_to_numpy(layer(images))
by_hand = (images - images.mean((1, 2), keepdims=True)) / images.std((1, 2), keepdims=True)
apart = np.abs(normalised - by_hand).max()
lesson.claim("instance normalisation less the equation, largest", apart, "<=", 1e-3, exact=True)
apart, beside = np.abs(normalised[0] - normalised[1]).max(), {"before": np.abs(images[0] - images[1]).max()}
lesson.claim("photograph less its pale copy, both normalised", apart, "<=", 1e-3, baseline=beside, exact=True)

# %% [markdown]
# Huang and Belongie (2017, [arXiv:1703.06868](https://arxiv.org/abs/1703.06868)) noticed that these means and standard
# deviations already say much about a style. **Adaptive instance normalisation** (AdaIN) gives each map $x$ of the
# photograph the mean and the standard deviation of the style's map $y$, and a decoder paints what the maps then show:
#
# $$\text{AdaIN}(x, y) = \sigma(y) \, \frac{x - \mu(x)}{\sigma(x)} + \mu(y).$$
#
# The layer has nothing to learn, so we can hold the untrained network to the equation.

# %%
model = zoo.build("adain", input_shape=(None, None, 3), width=0.25)
code = keras.Model(model.input, [model.get_layer(name).output for name in ("block4_conv1", "adain")])
before, after = (to_numpy(each) for each in code({"image": temple[None], "style": flower[None]}))
of_photograph, of_style, of_both = before[0], before[1], after[0]  # (height / 8, width / 8, channels) each
# 1e-5 keeps a map that is the same everywhere from a division by 0.
(mean, std), (new_mean, new_std) = ((x.mean((0, 1)), np.sqrt(x.var((0, 1)) + 1e-5)) for x in (of_photograph, of_style))
by_hand = (of_photograph - mean) / std * new_std + new_mean
apart = np.abs(of_both - by_hand).max() / np.abs(by_hand).max()
lesson.claim("AdaIN less the equation, by its largest entry", apart, "<=", 1e-5, exact=True)
apart = np.abs(of_both.mean((0, 1)) - of_style.mean((0, 1))).max()
lesson.claim("means of the maps, largest difference from the style's", apart, "<=", 1e-3, exact=True)

# %% [markdown]
# ## Try it
# * Which `style_weight` makes the temple just disappear? Try 10, 100 and 1,000.
# * Take `style_layers=("block1_conv1",)` alone for the texture, then `("block4_conv1",)` alone. What is fine, what is
#   coarse?
# * Turn the flower upside down (`flower[::-1]`) for the style. Does the result change?
# * `zoo stylize` with images of your own; `--start noise --optimizer lbfgs` is the paper's way.
#
# <details><summary>Solution</summary>
#
# * In `weights`: the larger the weight, the higher the curve of the content error ends and the lower that of the style
#   error. Where the temple is lost is a matter of taste; the two curves only say what was paid for what.
# * In the line of `texture`, add `"style_layers": ("block1_conv1",)` to the dictionary behind `|`. The first layer sees
#   3 x 3 pixels: colours and specks, without any form. A unit of the fourth block has a far larger
#   receptive field and brings back larger patches, with colours less true.
# * `.hold(temple, [flower[::-1]])`: a Gram matrix forgets where things are, so a petal that has only moved changes
#   nothing. But an edge that is dark above and light below has become one that is light above and dark below, and
#   another filter answers to it. So the style error between the flower and itself upside down is not 0, but small: see
#   the line "style upside down" beside the line "photograph".
# * `--start noise` begins without the temple, and both errors are far from 0 at first (the line "noise" above).
#
# </details>

# %%
lesson.finish()
