# %% [markdown]
# # 25 · Networks that draw: a code with noise, and two that play against each other
#
# A **generative model** learns from examples to make new ones. This lesson has two of them. The **variational
# autoencoder** (VAE; Kingma and Welling 2014, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114)) turns an image into a
# code with noise on it, and noise into images. In the **generative adversarial network** (GAN; Goodfellow et al. 2014,
# [arXiv:1406.2661](https://arxiv.org/abs/1406.2661)) a **generator network** draws examples, a **discriminator** tells
# drawn examples from real ones, and each gets better by playing against the other.
#
# **You will see** digits that nobody wrote, what a plain autoencoder makes of the same noise, and a cloud of points
# that learns to lie on eight places in the plane. Then a danger: a loss from which the player who plays worst learns
# least.
#
# **Claims** A denoising autoencoder leaves at most .3 of the noise, less than the best linear map does. The VAE's bound
# is at least 2 nats above pixels one by one, and what it draws from noise is nearer to digits than what a plain
# autoencoder makes of the same noise. In the worst of three seeds the GAN finds at least 7 of 8 places, with at least
# .85 of its points. Where the discriminator is sure, the loss of the game itself has less than a hundredth of the
# gradient.
#
# **Beside them** an untrained generator, a plain autoencoder, independent pixels, the best linear map, and the noise
# itself.
#
# **Takes** about 3 minutes on one core. To read on: Foster, *Generative Deep Learning*, 2nd edition 2023.

# %%
import keras
import numpy as np
from keras import ops
from lesson import Tutorial
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge

import zoo
from zoo import losses, plots
from zoo.baselines.bernoulli import BernoulliMixture
from zoo.metrics.generation import coverage, frechet_distance
from zoo.trainers.adversarial import AdversarialTrainer

lesson = Tutorial("25_gan")
digits = load_digits()
x = (digits.images[..., np.newaxis] / 16).astype("float32")  # grey from 0 to 1
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order], digits.target[order]
train, test = x[:1400], x[1400:]
rng = np.random.default_rng(25)

# %% [markdown]
# ## Mending what is damaged
# An **autoencoder** learns to give its input back: an encoder turns it into a code, a few numbers, and a decoder turns
# the code into the input again. A **denoising autoencoder** (Vincent et al. 2010,
# [JMLR 11](https://www.jmlr.org/papers/v11/vincent10a.html)) reads an image with noise on it and must give the image
# without. Its code need not be short, as it would be wrong to give back what comes in. So it has to learn what images
# look like.
#
# How much of that could a linear map do, in which each pixel is a weighted sum of all pixels? The best one is a ridge
# regression (lesson 05) of the digits on themselves, with the noise's variance times the number of digits as its
# penalty: on average, noise does to a linear map just what that penalty does (Bishop 1995,
# [doi:10.1162/neco.1995.7.1.108](https://doi.org/10.1162/neco.1995.7.1.108)).

# %%
def fitted(model, inputs, targets, *, loss, epochs, rate=2e-3):
    """The model after some epochs of Adam."""
    epochs = 1 if lesson.smoke else epochs
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(inputs) // 32))
    model.compile(keras.optimizers.Adam(schedule), loss=loss)
    model.fit(inputs, targets, batch_size=32, epochs=epochs, verbose=0)
    return model


NOISE = 0.25  # on pixels from 0 to 1


def trained_mender(seed):
    """A denoising autoencoder: its own layer adds the noise, in training only."""
    keras.utils.set_random_seed(seed)
    model = zoo.build("denoising_autoencoder", input_shape=(8, 8, 1), units=(128,), code_size=128, damage=NOISE)
    return fitted(model, train, train, loss="mean_squared_error", epochs=25)


damaged = test + rng.normal(scale=NOISE, size=test.shape).astype("float32")


def left_over(images):
    """The squared error of mended images, as a fraction of that of the damaged ones."""
    return np.square(images - test).mean() / np.square(damaged - test).mean()


mended = [trained_mender(seed).predict(damaged, verbose=0) for seed in lesson.seeds]
flat = train.reshape(len(train), -1)
linear = Ridge(alpha=len(train) * NOISE**2).fit(flat, flat)
by_linear = linear.predict(damaged.reshape(len(test), -1)).reshape(test.shape)
beside = {"the noise itself": 1.0, "the best linear map": left_over(by_linear)}
lesson.claim("noise that is left, worst seed", max(map(left_over, mended)), "<=", 0.30, baseline=beside)
rows = [test[:12], damaged[:12], by_linear[:12], mended[0][:12]]
titles = ["digits", "damaged", "mended by the best linear map", "mended by the denoising autoencoder"]
lesson.plot(plots.sheets(rows, titles), "mended")

# %% [markdown]
# ## A code that can be drawn from
# What if we draw a code at random and decode it? Nobody has told the autoencoder where to put its codes, and between
# them its decoder has never been trained. So the encoder of a VAE gives a distribution $q(z|x)$ over codes $z$ in place
# of one code: a mean $\mu$ and a variance $\sigma^2$ for each number of the code. Each $q(z|x)$ is pulled towards the
# same distribution, $N(0, 1)$, the normal distribution with mean 0 and variance 1, and from that we shall draw.
#
# The loss is minus a lower bound of the log-likelihood of the data, the **evidence lower bound** (ELBO):
#
# $$\log p(x) \ge E_{q(z|x)}[\log p(x|z)] - KL(q(z|x) \,\|\, N(0, 1)).$$
#
# The first term wants the image back: a pixel is on (above one half) or off here, and $-\log p(x|z)$ is the binary
# cross-entropy of all pixels together. The second term is a **Kullback-Leibler divergence**, which says how far one
# distribution is from another: 0 where they are the same. Here it is
#
# $$KL(q(z|x) \,\|\, N(0, 1)) = E_{q(z|x)}[\log q(z|x) - \log p(z)]
# = \tfrac12 \sum (\mu^2 + \sigma^2 - \log \sigma^2 - 1),$$
#
# where $p(z)$ is $N(0, 1)$. It keeps the code from holding more than it must. Below we hold the formula against the
# average over a million $z$. All of these are measured in nats (lesson 18).
#
# The gradient has to pass through $z$, which is drawn at random. So we draw noise $\epsilon$ from $N(0, 1)$, which no
# weight touches, and take $z = \mu + \sigma \epsilon$: the **reparameterisation trick**.

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
pixels, mixture = (BernoulliMixture(on[0], components=size).log_likelihood(on[1]).mean() for size in (1, 10))
lower = min(bound(model) for model in vaes)
print(f"ELBO {lower:.2f}, log p of pixels one by one {pixels:.2f}, of a mixture of ten such models {mixture:.2f}")
lesson.claim("ELBO less log p of pixels one by one, worst seed", lower - pixels, ">=", 2.0,
             baseline={"pixels one by one": 0.0, "a mixture of ten such models": mixture - pixels})  # fmt: skip

# %% [markdown]
# The bound is above what pixels one by one have, each on with a probability of its own. It is below a mixture of ten
# such models (one for each kind of digit, as it were): for 1,400 small digits that is the better model. And the bound
# says only that $\log p(x)$ is no smaller.
#
# Now draw $z$ from $N(0, 1)$ and decode it. Beside the VAE stands a plain autoencoder with as many numbers in its code,
# which decodes the same $z$. The **Fréchet distance** (Heusel et al. 2017,
# [arXiv:1706.08500](https://arxiv.org/abs/1706.08500)) compares two sets of examples by the means of their features
# and by their covariances (how any two of them vary together). Here the features are simply the pixels. It is 0 where
# both are alike.
#
# The plain autoencoder fails, but why? Is its code no good to draw from, or does nobody know where in it to draw? So we
# also fit a normal distribution to its codes of the training digits and draw from that.

# %%
keras.utils.set_random_seed(lesson.seed)
plain = zoo.build("autoencoder", input_shape=(8, 8, 1), units=(200,), code_size=8)
fitted(plain, train, train, loss="mean_squared_error", epochs=40)
z = np.random.default_rng(1).normal(size=(400, 8)).astype("float32")
decoder = keras.Model(plain.get_layer("code").output, plain.output)
by_plain = decoder.predict(z, verbose=0)
codes = keras.Model(plain.input, plain.get_layer("code").output).predict(train, verbose=0)
z_plain = codes.mean(0) + z @ np.linalg.cholesky(np.cov(codes, rowvar=False)).T  # mean and covariance of its codes
by_plain_fitted = decoder.predict(z_plain.astype("float32"), verbose=0)


def drawn_by(model):
    decoder = keras.Model(model.get_layer("z").output, model.output["pixels"])
    return ops.convert_to_numpy(ops.sigmoid(decoder.predict(z, verbose=0)))


def distance(images):
    return frechet_distance(images.reshape(len(images), -1), test.reshape(len(test), -1))


by_vae = [drawn_by(model) for model in vaes]
beside = {"training digits": distance(train[:400]), "a plain autoencoder": distance(by_plain)}
print("Fréchet distance of a plain autoencoder from its own codes:", round(distance(by_plain_fitted), 2))
print("of the VAEs from N(0, 1):", [round(distance(images), 2) for images in by_vae])
farthest = max(distance(images) for images in by_vae) / beside["a plain autoencoder"]
lesson.claim("distance of the VAE's drawings, of the plain one's", farthest, "<=", 0.7, baseline=beside)
rows = [test[:12], by_vae[0][:12], by_plain[:12], by_plain_fitted[:12]]
titles = ["real", "drawn by the VAE", "by an autoencoder from N(0, 1)", "by an autoencoder from its own codes"]
lesson.plot(plots.sheets(rows, titles), "drawn")
means = vaes[0].predict(test, verbose=0)["latent"][:, :8]
lesson.plot(plots.latent_map(means, y[1400:], [str(number) for number in range(10)]), "codes")

# %% [markdown]
# So a plain code can be drawn from, too, once one has looked where the codes lie; those drawings are even nearer to the
# digits than the VAE's. With a VAE nobody has to look: it was trained for $N(0, 1)$. (Its pixels are probabilities of
# being on, while the test digits are grey. That is a part of its distance.) The last figure shows the two main
# directions of the VAE's codes, with a colour for each digit, although no label was used to train it.

# %% [markdown]
# ## Two against each other
# The generator $G$ of a GAN turns noise $z$ into an example $G(z)$. The discriminator $D$ turns an example into a
# logit, high for real. With $\ell(t) = \log(1 + e^t)$ it minimises $\ell(-D(x)) + \ell(D(G(z)))$, the cross-entropy
# of telling real from drawn. The generator minimises $\ell(-D(G(z)))$, the **non-saturating loss**; its gradient is
# largest where the discriminator is sure that a drawing is none of the real ones. Nobody gives the generator an example
# to copy: all that it learns, it learns through the discriminator. A discriminator that cannot tell, $D = 0$, has a
# loss of $2 \ln 2 = 1.386$. If its loss comes back to that, it cannot tell any more.
#
# The data are points in eight small heaps on a ring. A GAN that has learned should draw from all eight. One that draws
# from few of them, whatever the noise, has had a **mode collapse** (a mode is a place where points are dense).
#
# The discriminator learns at twice the generator's rate (Heusel et al. 2017,
# [arXiv:1706.08500](https://arxiv.org/abs/1706.08500), give each a rate of its own): a generator can only be as good as
# the one who judges it.

# %%
angles = 2 * np.pi * np.arange(8) / 8
heap = np.repeat(np.arange(8), 1000)
ring = np.sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], axis=1)[heap]
ring = (ring + rng.normal(scale=0.035, size=ring.shape)).astype("float32")
order = rng.permutation(len(ring))
noise = np.random.default_rng(2).normal(size=(2000, 2)).astype("float32")


def played(seed, objective="non_saturating"):
    """A GAN after 220 epochs, and its history."""
    keras.utils.set_random_seed(seed)
    trainer = AdversarialTrainer(zoo.build("gan", latent_size=2), discriminator_rate=2.0)
    epochs = 1 if lesson.smoke else 220
    rate = keras.optimizers.schedules.CosineDecay(1e-3, epochs * -(-len(ring) // 256))
    trainer.compile(keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9), loss=losses.Adversarial(objective))
    history = trainer.fit(ring[order], batch_size=256, epochs=epochs, verbose=0).history
    return ops.convert_to_numpy(trainer.generator(noise, training=False)), history


games = [played(seed) for seed in lesson.seeds]
found = [coverage(points, ring, heap) for points, _ in games]
print("places, and points within five deviations:", [(places, round(float(part), 3)) for places, part in found])
keras.utils.set_random_seed(lesson.seed)
untrained = ops.convert_to_numpy(AdversarialTrainer(zoo.build("gan", latent_size=2)).generator(noise))
chance = coverage(untrained, ring, heap)
beside = {"untrained": chance[0]}
lesson.claim("places that are found, worst seed", min(places for places, _ in found), ">=", 7, baseline=beside)
beside = {"untrained": chance[1]}
lesson.claim("points within five deviations, worst seed", min(part for _, part in found), ">=", 0.85, baseline=beside)

# %% [markdown]
# For images both halves have convolutions: `dcgan` (Radford et al. 2016,
# [arXiv:1511.06434](https://arxiv.org/abs/1511.06434)) has the published layers for 64x64 pixels, and `zoo train dcgan`
# draws digits of 16x16. It is measured in the features of a LeNet-5, by the Fréchet distance, by precision (the
# fraction of the drawings that lie among real digits) and by recall (the fraction of the real digits that lie among
# drawings). Beside each drawing stands the training image nearest to it: does the network copy? `conv_autoencoder` is
# an autoencoder with convolutions.
#
# No input of a GAN has a target of its own. `cyclegan` (Zhu et al. 2017,
# [arXiv:1703.10593](https://arxiv.org/abs/1703.10593)) turns images of one set into another's, horses into zebras,
# where nobody has paired them: two generators, each against a discriminator of its own. Looking right is not enough,
# since a generator could draw any zebra for any horse. So what one has translated the other must bring back (**cycle
# consistency**). Even that does not *find the pairs*: whoever swaps all threes and fives on the way there and swaps
# them again on the way back loses nothing.

# %%
for name in ("conv_autoencoder", "vae", "gan", "dcgan", "cyclegan"):
    print(f"{name:>16}: {zoo.info(name).params:>10,} parameters, {zoo.info(name).summary}")

# %% [markdown]
# ## A player who always loses
# The game itself is one number, which the discriminator makes small and the generator makes large. So the generator's
# loss would be $-\ell(D(G(z)))$, the *saturating* loss. Its derivative with respect to the logit $D(G(z))$ is
# $-\sigma(D(G(z)))$. Where the discriminator is sure that a drawing is none of the real ones, say at a logit of -6,
# that is next to nothing: who plays worst learns least. The non-saturating loss has its largest gradient there.


# %%
def slope(objective, logit, step=1e-2):
    """The derivative of the generator's loss with respect to the logit of its drawing."""
    loss = losses.Adversarial(objective)
    above, below = (float(loss.of_generator(np.float32([[logit + each]]))) for each in (step, -step))
    return (above - below) / (2 * step)


sure = {name: abs(slope(name, -6.0)) for name in ("saturating", "non_saturating")}
doubt = {name: abs(slope(name, 0.0)) for name in sure}
print("gradients where the discriminator is sure:", sure, "and where it is in doubt:", doubt)
ratio = sure["saturating"] / sure["non_saturating"]
beside = {"where it is in doubt": doubt["saturating"] / doubt["non_saturating"]}
lesson.claim("gradient of the game, of the other, where D is sure", ratio, "<=", 0.01, baseline=beside, exact=True)

# %% [markdown]
# Does the generator stop learning, then? We train the GAN of above with the saturating loss, and change nothing else.

# %%
points, history = played(lesson.seed, "saturating")
places, part = coverage(points, ring, heap)
print(f"saturating: {places} places, {part:.3f} of the points; not: {found[0][0]} places, {found[0][1]:.3f}")
print(f"the discriminator's best accuracy in any epoch: {max(history['discriminator_accuracy']):.2f}")
clouds = {"real": ring[order][:2000], "untrained": untrained, "non-saturating": games[0][0], "saturating": points}
lesson.plot(plots.clouds(clouds), "ring")
print("the discriminator's loss at the end:", round(games[0][1]["discriminator_loss"][-1], 2), "of 1.39 for a guess")

# %% [markdown]
# It learns all the same, and finds all eight places, with fewer of its points. Both halves start together, and
# the discriminator is never sure here. Adam may help, too: it divides each step by the size of the gradients (lesson
# 03), so small ones still move the weights. A small gradient is a warning, not yet a failure: train, and look. (One
# seed: a tendency, no claim.)

# %% [markdown]
# ## Try it
# * Walk from one drawing to another: `zoo.draw(run, "way.gif", between=[3, 8])` with a run of `zoo train vae`. Why does
#   the way not go straight from one noise to the other?
# * Can a GAN find out which x belongs to which y, where the two were never paired?
#
# <details><summary>Solutions</summary>
#
# * Half way on the straight line the noise would be too short: here 2.9, where its ends have the lengths 3.9 and 3.7.
#   (Two draws from $N(0, 1)$ are at right angles on average, and half way between them the length is about .7 of
#   theirs.) So the way goes along a great circle, on which the length goes evenly from one to the other.
# * No. It learns to draw from the same distribution, and nothing ties a drawing to an input. That takes a loss of its
#   own (CycleGAN, [arXiv:1703.10593](https://arxiv.org/abs/1703.10593): there and back must give the same).
#
# </details>

# %%
lesson.finish()
