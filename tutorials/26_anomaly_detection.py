# %% [markdown]
# # 26 · A code of eight numbers, and the digit that does not fit it
#
# An **autoencoder** (Hinton & Salakhutdinov, 2006) must reproduce its input, but on the way there is a **bottleneck**:
# a **code** of few numbers. Nobody tells it what matters (no labels: **unsupervised learning**); it keeps what most
# images need. So it reproduces badly what it has never met, and that makes it a detector: the **reconstruction error**
# of a strange image is large (**anomaly detection**).
#
# **You will see** digits beside what eight numbers keep of them, the same from principal components, and a network that
# knows nine digits judging the tenth; and where that fails: a 1 lies within reach of the others.
#
# **Claims** The error with eight numbers is at most .65 of that of eight principal components, worst of three seeds.
# The detector finds the digit that was held out with an area under the ROC curve (AUROC) of at least .93, the mean over
# the ten digits.
#
# **Beside them** the mean image and principal component analysis (PCA), which also detects; a guess has an AUROC of .5.
#
# **Takes** two minutes on two cores. Follows S4:50-54.

# %%
import keras
import numpy as np
from lesson import Tutorial
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

import zoo
from zoo import plots
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("26_anomaly_detection")
CODE = 8
digits = load_digits()
x, y = (digits.images[..., np.newaxis] / 8 - 1).astype("float32"), digits.target  # pixels from -1 to 1
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order], y[order]
train, test = slice(0, 1200), slice(1200, None)

# %% [markdown]
# ## Through the bottleneck
# The network is trained on its own input: the image is both question and answer, and the loss is the mean squared
# error of the pixels.


# %%
def trained(images, seed):
    keras.utils.set_random_seed(seed)
    model = zoo.build("autoencoder", input_shape=(8, 8, 1), units=(128, 64), code_size=CODE)
    epochs = 1 if lesson.smoke else 60
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(images) // 32))
    model.compile(keras.optimizers.Adam(rate), loss="mean_squared_error")
    model.fit(images, images, batch_size=32, epochs=epochs, verbose=0)
    return model


def errors(images, again):
    """Of each image, the mean squared error."""
    return np.square(np.reshape(again - images, (len(images), -1))).mean(1)


def principal(images):
    """What PCA with as many numbers makes of any images."""
    axes = PCA(CODE).fit(images.reshape(-1, 64))
    return lambda images: axes.inverse_transform(axes.transform(images.reshape(-1, 64))).reshape(images.shape)


pca = principal(x[train])
mean_image = x[train].mean(0)
models = [trained(x[train], seed) for seed in lesson.seeds]
found = [errors(x[test], model.predict(x[test], verbose=0)).mean() for model in models]
beside = {"mean image": errors(x[test], mean_image).mean(), "PCA": errors(x[test], pca(x[test])).mean()}
lesson.claim("error of the autoencoder, of PCA's, worst seed", max(found) / beside["PCA"], "<=", 0.65, baseline=beside)

again = models[0].predict(x[test][:10], verbose=0)
rows = [x[test][:10], again, pca(x[test][:10])]
figure = plots.gallery([np.repeat((np.clip(row, -1, 1) + 1) / 2, 3, axis=-1) for row in rows], width=1)
figure.suptitle("digits (above), eight numbers of the autoencoder, eight principal components", fontsize=10)
lesson.plot(figure, "reconstructions")

# %% [markdown]
# Is the bottleneck needed? A network without one can hand its input on and learn nothing. With linear layers only, the
# best it can do is PCA itself (Baldi & Hornik, 1989): it is the **nonlinearity** that makes the difference here.

# %%
linear = zoo.build("autoencoder", input_shape=(8, 8, 1), units=(), code_size=CODE)
axes = PCA(CODE).fit(x[train].reshape(-1, 64))
linear.get_layer("code").set_weights([axes.components_.T, -axes.mean_ @ axes.components_.T])
linear.get_layer("pixels").set_weights([axes.components_, axes.mean_])
gap = np.abs(linear.predict(x[test], verbose=0) - pca(x[test])).max()
lesson.claim("a linear autoencoder with PCA's weights, less PCA", gap, "<=", 1e-4, exact=True)

# %% [markdown]
# ## The tenth digit
# Train on nine digits; then let test images of all ten come. The **anomaly score** is the reconstruction error. A
# threshold on it trades false alarms for misses; the area under the ROC curve (AUROC) is the probability that a strange
# digit scores higher than a known one.

# %%
held_out = (0, 4, 8) if not lesson.smoke else (0,)
scores = {}
for digit in range(10) if not lesson.smoke else held_out:
    known = x[train][y[train] != digit]
    model, components = trained(known, lesson.seed), principal(known)
    strange = y[test] == digit
    scores[digit] = {
        "autoencoder": errors(x[test], model.predict(x[test], verbose=0)),
        "PCA": errors(x[test], components(x[test])),
        "strange": strange,
    }
auroc = {
    name: {digit: roc_auc_score(each["strange"], each[name]) for digit, each in scores.items()}
    for name in ("autoencoder", "PCA")
}
for name, areas in auroc.items():
    print(f"{name}: " + ", ".join(f"{digit} {area:.3f}" for digit, area in areas.items()))
mean = np.mean(list(auroc["autoencoder"].values()))
beside = {"a guess": 0.5, "PCA, mean": np.mean(list(auroc["PCA"].values()))}
lesson.claim("AUROC of the held-out digit, mean", mean, ">=", 0.93, baseline=beside)

figure = new_figure(3.4 * len(held_out), 2.8)
for axes, digit in zip(np.atleast_1d(figure.subplots(1, len(held_out))), held_out):
    each = scores[digit]
    bins = np.linspace(0, np.percentile(each["autoencoder"], 99.5), 30)
    axes.hist(each["autoencoder"][~each["strange"]], bins, color=INK, alpha=0.6, density=True, label="nine digits")
    axes.hist(each["autoencoder"][each["strange"]], bins, color=SECOND, alpha=0.6, density=True, label=f"the {digit}")
    axes.set(title=f"never met: {digit} (AUROC {auroc['autoencoder'][digit]:.2f})", xlabel="error", yticks=[])
    axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "scores")

# %% [markdown]
# ## Where it fails
# A simple digit is reproduced well by a network that never met it: whoever can draw a 4, a 7 and a 9 can draw a 1. The
# error asks whether an image *can be reproduced*, not whether it is one of the known kind (**generalisation** to what
# it should not know).

# %%
if lesson.smoke:
    lesson.skip("all ten digits, held out one by one")
else:
    worst = min(auroc["autoencoder"], key=auroc["autoencoder"].get)
    figure = new_figure(6, 2.8)
    axes = figure.subplots()
    for offset, (name, colour) in enumerate((("autoencoder", INK), ("PCA", THIRD))):
        axes.bar(np.arange(10) + 0.4 * offset, auroc[name].values(), 0.4, color=colour, label=name)
    axes.axhline(0.5, color=SECOND, linewidth=1, linestyle=":", label="a guess")
    axes.set(xticks=np.arange(10) + 0.2, xticklabels=range(10), xlabel="held out", ylabel="AUROC", ylim=(0, 1.25))
    axes.legend(frameon=False, fontsize=8, loc="upper center", ncols=3)
    lesson.plot(figure, "held_out")
    print(f"hardest: {worst}")
    lesson.claim("AUROC of the hardest digit less the mean", auroc["autoencoder"][worst] - mean, "<=", -0.05)

# %% [markdown]
# ## Try it
# * Give the code 32 numbers. The reconstructions get better; what happens to the detector?
# * Train on all ten digits and show it letters, or noise. Which noise has a small error?
# * Take the largest softmax probability of a classifier of nine digits as the score. Is it better?

# %%
lesson.finish()
