"""Two networks against each other: each side's gradient is its own, equal to that of two separate steps."""

import keras
import numpy as np
import pytest
from keras import ops
from subjects import gradients

import zoo
from zoo.losses import Adversarial
from zoo.trainers.adversarial import AdversarialTrainer


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(8, 2)).astype("float32")


def trainer_of(loss=None, rate=0.1, normalise=True, **options):
    keras.utils.set_random_seed(1)
    trainer = AdversarialTrainer(zoo.build("gan", units=(6,), latent_size=3, normalise=normalise), **options)
    trainer.compile(keras.optimizers.SGD(rate), loss=loss or Adversarial(), jit_compile=False)
    return trainer


def values(model):
    return [ops.convert_to_numpy(each) for each in model.trainable_variables]


@pytest.mark.parametrize("objective", ["non_saturating", "hinge"])
def test_a_step_is_one_of_each_side_by_itself(x, objective):
    loss = Adversarial(objective)
    trainer = trainer_of(loss, rate=0.1, discriminator_rate=3.0)
    generator, discriminator = trainer.generator, trainer.discriminator
    noise = keras.random.normal((8, 3), seed=keras.random.SeedGenerator(7))
    state = trainer.noise_seed.state
    again = keras.random.SeedGenerator(7)
    state.assign(again.state)  # the trainer draws the same
    before = values(generator), values(discriminator)

    def of_discriminator(model):
        real, fake = model(x, training=True), model(ops.stop_gradient(generator(noise, training=True)), training=True)
        return loss(ops.ones((8, 1)), real) + loss(ops.zeros((8, 1)), fake)

    by_discriminator = list(gradients(discriminator, of_discriminator).values())
    by_generator = list(
        gradients(
            generator, lambda model: loss.of_generator(discriminator(model(noise, training=True), training=True))
        ).values()
    )
    trainer.train_on_batch(x)
    for half, old, slopes, rate in (
        (generator, before[0], by_generator, 0.1),
        (discriminator, before[1], by_discriminator, 0.3),
    ):
        for now, was, slope in zip(values(half), old, slopes):
            np.testing.assert_allclose(now, was - rate * slope, rtol=2e-4, atol=2e-6)


def test_both_losses_and_the_accuracy_are_in_the_history(x):
    history = trainer_of().fit(x, epochs=2, verbose=0).history
    assert {"discriminator_loss", "generator_loss", "discriminator_accuracy", "loss"} <= set(history)
    assert history["loss"][0] == pytest.approx(
        history["discriminator_loss"][0] + history["generator_loss"][0], rel=1e-4
    )
    assert 0 <= history["discriminator_accuracy"][0] <= 1


def test_a_gradient_penalty_trains_both_halves(x):
    trainer = trainer_of(Adversarial("wasserstein", gradient_penalty=10.0), rate=0.01)
    before = values(trainer.generator), values(trainer.discriminator)
    trainer.fit(x, epochs=1, verbose=0)
    for half, old in zip((trainer.generator, trainer.discriminator), before):
        assert all(np.isfinite(each).all() for each in values(half))
        assert not all(np.array_equal(a, b) for a, b in zip(values(half), old))


def test_another_loss_is_refused():
    with pytest.raises(zoo.UsageError, match=r"expected a zoo.losses.Adversarial"):
        AdversarialTrainer(zoo.build("gan")).compile("adam", loss=keras.losses.MeanSquaredError())
