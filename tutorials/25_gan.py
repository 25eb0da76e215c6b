# %% [markdown]
# # 25 · Networks that draw: a code with noise, and two that play against each other
#
# A **generative model** learns from examples to make new ones. Two ways: the **variational autoencoder** (VAE; Kingma
# and Welling 2014, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114)) has a code that is a distribution, and draws
# from it. The **generative adversarial network** (GAN; Goodfellow et al. 2014,
# [arXiv:1406.2661](https://arxiv.org/abs/1406.2661)) has no idea of how likely anything is: a **generator** draws, a
# **discriminator** says what looks drawn, and both get better.
#
# **You will see** why codes of a plain autoencoder cannot be drawn from, digits that nobody wrote, and points that find
# eight places in the plane. Then a failure: a loss from which the one who plays worst learns least.
#
# **Claims** In the worst of three seeds the GAN finds at least 7 of 8 places, with at least .85 of its points. The
# VAE's bound is at least 2 nats above pixels one by one, and what it draws is nearer to digits than what a plain
# autoencoder does. A denoising autoencoder takes away more than half of the noise. Where the discriminator is sure, the
# loss of the game itself has less than a hundredth of the gradient.
#
# **Beside them** an untrained generator, a plain autoencoder, independent pixels, and the noise itself.
#
# **Takes** 2.5 minutes on one core (Intel Xeon). To read on: Foster, *Generative Deep Learning*, 2nd edition 2023.

# %%
import keras
import numpy as np
from keras import ops
from lesson import Tutorial
from sklearn.datasets import load_digits

import zoo
from zoo import losses, plots
from zoo.baselines.bernoulli import BernoulliMixture
from zoo.metrics.generation import coverage, frechet_distance
from zoo.trainers.adversarial import AdversarialTrainer

lesson = Tutorial("25_gan")
digits = load_digits()
x = (digits.images[..., np.newaxis] / 16).astype("float32")  # grey from 0 to 1
x = x[np.random.default_rng(0).permutation(len(x))]
train, test = x[:1400], x[1400:]
rng = np.random.default_rng(25)

# %% [markdown]
# ## Mending what is damaged
# An **autoencoder** must say its input again. A **denoising autoencoder** (`denoising_autoencoder`; Vincent et al.
# 2010) reads an image with noise on it and must say the image without. It needs no short code: to hand on what comes in
# would be wrong. What it has learned is where images lie, and noise leads away from there. With convolutions, and a
# short code, it is `conv_autoencoder`, which damages nothing.


# %%
def fitted(model, inputs, targets, *, loss, epochs, rate=2e-3):
    """The model after some epochs of Adam."""
    epochs = 1 if lesson.smoke else epochs
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(inputs) // 32))
    model.compile(keras.optimizers.Adam(schedule), loss=loss)
    model.fit(inputs, targets, batch_size=32, epochs=epochs, verbose=0)
    return model


keras.utils.set_random_seed(lesson.seed)
NOISE = 0.25  # on pixels from 0 to 1
mender = zoo.build("denoising_autoencoder", input_shape=(8, 8, 1), units=(128,), code_size=128, damage=NOISE)
fitted(mender, train, train, loss="mean_squared_error", epochs=25)
damaged = test + rng.normal(scale=NOISE, size=test.shape).astype("float32")
mended = mender.predict(damaged, verbose=0)
before, after = (np.square(each - test).mean() for each in (damaged, mended))
lesson.claim("error of mended digits, of damaged ones'", after / before, "<=", 0.5, baseline={"the noise itself": 1.0})
lesson.plot(plots.sheets([test[:12], damaged[:12], mended[:12]], ["digits", "damaged", "mended"]), "mended")

# %% [markdown]
# ## A code that can be drawn from
# An autoencoder's codes lie somewhere; where nothing lies, its decoder has never been. The VAE's encoder says a
# distribution $q(z|x)$, a mean and a variance for each number of the code, and all of them together shall look like
# $N(0, 1)$. What is learned is a lower bound of the likelihood of the data, the **evidence lower bound** (ELBO):
#
# $$\log p(x) \ge E_{q(z|x)}[\log p(x|z)] - KL(q(z|x) \,\|\, N(0, 1)).$$
#
# The first term wants the image back. The second, a **Kullback-Leibler divergence**, keeps the code from saying more
# than it must. It is a plain formula of mean and variance; we hold it against the average of
# $\log q(z|x) - \log p(z)$ over many $z$.
#
# The gradient has to pass through $z$, which is drawn. So the draw is made from noise that no weight touches,
# $z = \mu + \sigma \epsilon$: the **reparameterisation trick**.

# %%
mean, log_variance = np.array([0.7, -1.2]), np.array([0.3, -0.8])
epsilon = np.random.default_rng(lesson.seed).normal(size=(10**6, 2))
z = mean + np.exp(log_variance / 2) * epsilon
average = 0.5 * (z**2 - epsilon**2 - log_variance).sum(1).mean()
formula = float(losses.NormalDivergence()(np.zeros((1, 1)), np.float32([[*mean, *log_variance]])))
lesson.claim("the divergence's formula, less the average", abs(formula - average), "<=", 0.01, exact=True)


def trained_vae(seed):
    """A VAE of 8 numbers, by `compile` and `fit` alone: one output is compared with x, the other has its own loss."""
    keras.utils.set_random_seed(seed)
    model = zoo.build("vae", input_shape=(8, 8, 1), units=(200,), latent_size=8)
    both = {"pixels": losses.BernoulliLikelihood(), "latent": losses.NormalDivergence()}
    return fitted(model, train, {"pixels": train, "latent": train}, loss=both, epochs=40)


def bound(model):
    """The ELBO of the test images in nats, with 20 z for each."""
    decoder = keras.Model(model.get_layer("z").output, model.output["pixels"])
    mean, log_variance = np.split(model.predict(test, verbose=0)["latent"], 2, axis=1)
    draws = np.random.default_rng(0)
    found = []
    for _ in range(20):
        z = mean + np.exp(log_variance / 2) * draws.normal(size=mean.shape)
        found.append(-float(losses.BernoulliLikelihood()(test, decoder.predict(z.astype("float32"), verbose=0))))
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(1).mean()
    return np.mean(found) - divergence


vaes = [trained_vae(seed) for seed in lesson.seeds]
on = [(each > 0.5).reshape(len(each), -1) for each in (train, test)]
pixels = BernoulliMixture(on[0]).log_likelihood(on[1]).mean()
lower = min(bound(model) for model in vaes)
beside = {"pixels one by one": pixels}
lesson.claim("ELBO less log p of pixels one by one, worst seed", lower - pixels, ">=", 2.0, baseline=beside)

# %% [markdown]
# Now draw $z$ from $N(0, 1)$ and decode it. Beside it stands a plain autoencoder with as many numbers, from whose
# decoder we draw in the same way. The **Fréchet distance** (Heusel et al. 2017) compares two sets of examples by the
# means and covariances of their features, here simply the pixels: 0 where both are alike.

# %%
keras.utils.set_random_seed(lesson.seed)
plain = zoo.build("autoencoder", input_shape=(8, 8, 1), units=(200,), code_size=8)
fitted(plain, train, train, loss="mean_squared_error", epochs=40)
z = np.random.default_rng(1).normal(size=(400, 8)).astype("float32")
by_plain = keras.Model(plain.get_layer("code").output, plain.output).predict(z, verbose=0)


def drawn_by(model):
    decoder = keras.Model(model.get_layer("z").output, model.output["pixels"])
    return ops.convert_to_numpy(ops.sigmoid(decoder.predict(z, verbose=0)))


def distance(images):
    return frechet_distance(images.reshape(len(images), -1), test.reshape(len(test), -1))


by_vae = [drawn_by(model) for model in vaes]
beside = {"training digits": distance(train[:400]), "a plain autoencoder": distance(by_plain)}
farthest = max(distance(images) for images in by_vae) / beside["a plain autoencoder"]
lesson.claim("distance of the VAE's drawings, of the plain one's", farthest, "<=", 0.7, baseline=beside)
rows = [test[:12], by_vae[0][:12], np.clip(by_plain[:12], 0, 1)]
lesson.plot(plots.sheets(rows, ["real", "drawn by the VAE", "drawn by a plain autoencoder"]), "drawn")
codes = vaes[0].predict(test, verbose=0)["latent"][:, :8]
lesson.plot(plots.latent_map(codes), "codes")

# %% [markdown]
# ## Two against each other
# The GAN's discriminator $D$ gives a logit, high for real. With $\ell(t) = \log(1 + e^t)$ it minimises
# $\ell(-D(x)) + \ell(D(G(z)))$, the cross-entropy of telling real from drawn, and the generator $G$ minimises
# $\ell(-D(G(z)))$, the **non-saturating loss**: its gradient is largest where the discriminator is sure. Neither is
# given a distance to the data. Knowing nothing, $D = 0$, the discriminator's loss is $2 \ln 2 = 1.386$; that it comes
# back to there means that it cannot tell any more.
#
# The data are eight heaps on a ring. A GAN that has learned should find all eight; one that draws from few of them
# has had a **mode collapse**.

# %%
angles = 2 * np.pi * np.arange(8) / 8
heap = np.repeat(np.arange(8), 1000)
ring = np.sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], axis=1)[heap]
ring = (ring + rng.normal(scale=0.035, size=ring.shape)).astype("float32")
order = rng.permutation(len(ring))
noise = np.random.default_rng(2).normal(size=(2000, 2)).astype("float32")


def played(seed, objective="non_saturating"):
    """A GAN after 140 epochs, and its history."""
    keras.utils.set_random_seed(seed)
    trainer = AdversarialTrainer(zoo.build("gan", latent_size=2))
    epochs = 1 if lesson.smoke else 140
    rate = keras.optimizers.schedules.CosineDecay(1e-3, epochs * -(-len(ring) // 256))
    trainer.compile(keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9), loss=losses.Adversarial(objective))
    history = trainer.fit(ring[order], batch_size=256, epochs=epochs, verbose=0).history
    return ops.convert_to_numpy(trainer.generator(noise, training=False)), history


games = [played(seed) for seed in lesson.seeds]
found = [coverage(points, ring, heap) for points, _ in games]
print("places and points within five deviations:", [(places, round(share, 3)) for places, share in found])
keras.utils.set_random_seed(lesson.seed)
untrained = ops.convert_to_numpy(AdversarialTrainer(zoo.build("gan", latent_size=2)).generator(noise))
chance = coverage(untrained, ring, heap)
beside = {"untrained": chance[0]}
lesson.claim("places that are found, worst seed", min(places for places, _ in found), ">=", 7, baseline=beside)
beside = {"untrained": chance[1]}
lesson.claim("points within five deviations, worst seed", min(s for _, s in found), ">=", 0.85, baseline=beside)

# %% [markdown]
# For images both halves are convolutions: `dcgan` (Radford et al. 2016) has the published layers for 64x64 pixels, and
# `zoo train dcgan` draws digits of 16x16 in a minute. It is measured by the Fréchet distance, precision and recall in
# the features of a LeNet-5, and shows the training image that is nearest to each drawing: does it copy?

# %%
for name in ("conv_autoencoder", "vae", "gan", "dcgan"):
    print(f"{name:>16}: {zoo.info(name).params:>10,} parameters, {zoo.info(name).summary}")

# %% [markdown]
# ## Failure: a player who always loses
# The game itself is one number, which the discriminator makes small and the generator large: the generator's loss would
# be $-\ell(D(G(z)))$. Look at its gradient by the logit $D(G(z))$ where the discriminator is sure that the drawing is
# none of the real ones, as at the start it soon is: at -6 it is $\sigma(-6)$, next to nothing. Who plays worst learns
# least. The non-saturating loss wants the same and has its largest gradient there.


# %%
def slope(objective, logit, step=1e-2):
    """The gradient of the generator's loss by the logit of its drawing."""
    loss = losses.Adversarial(objective)
    above, below = (float(loss.of_generator(np.float32([[logit + each]]))) for each in (step, -step))
    return (above - below) / (2 * step)


sure = {name: abs(slope(name, -6.0)) for name in ("saturating", "non_saturating")}
doubt = {name: abs(slope(name, 0.0)) for name in sure}
print("gradients where the discriminator is sure:", sure, "and where it is in doubt:", doubt)
ratio = sure["saturating"] / sure["non_saturating"]
beside = {"where it is in doubt": doubt["saturating"] / doubt["non_saturating"]}
lesson.claim("gradient of the game, of the other, where D is sure", ratio, "<=", 0.01, baseline=beside, exact=True)
clouds = {"real": ring[order][:2000], "untrained": untrained, "drawn": games[0][0]}
lesson.plot(plots.clouds(clouds), "ring")
print("the discriminator's loss at the end:", round(games[0][1]["discriminator_loss"][-1], 2), "of 1.39 for a guess")

# %% [markdown]
# ## Try it
# * Take the loss of the game itself, `played(0, "saturating")`. Where does the generator stop learning?
# * Walk from one drawing to another: `zoo.draw(run, "way.gif", between=[3, 8])` with a run of `zoo train vae`.
# * Does a GAN find which x belongs to which y, where the two were never paired?
#
# <details><summary>Solution</summary>
#
# * At the start, where the discriminator is sure of everything that is drawn: the gradient of
#   $-\log(1 + e^{D(G(z))})$ is nearly 0 there.
# * The way goes along a great circle, so that the noise has the length that noise has.
# * No. It learns to draw from the same distribution, from noise; nothing ties a drawing to an input. That takes a loss
#   of its own (CycleGAN: there and back must give the same).
#
# </details>

# %%
lesson.finish()
