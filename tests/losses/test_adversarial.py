"""What discriminator and generator want, and the penalty of a gradient, against values computed by hand."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from zoo.losses import Adversarial
from zoo.trainers.adversarial import AdversarialTrainer

REAL, FAKE = np.float32([[2.0], [-0.5]]), np.float32([[0.5], [-3.0]])


def number(x):
    return float(ops.stop_gradient(ops.convert_to_tensor(x)))


def softplus(x):
    return np.log1p(np.exp(x))


BY_HAND = {  # objective: (on real ones, on generated ones, of the generator on these)
    "non_saturating": (softplus(-REAL).mean(), softplus(FAKE).mean(), softplus(-FAKE).mean()),
    "saturating": (softplus(-REAL).mean(), softplus(FAKE).mean(), -softplus(FAKE).mean()),
    "hinge": ((0 + 1.5) / 2, (1.5 + 0) / 2, (-0.5 + 3.0) / 2),
    "wasserstein": (-(2.0 - 0.5) / 2, (0.5 - 3.0) / 2, (-0.5 + 3.0) / 2),
}


@pytest.mark.parametrize("objective", BY_HAND)
def test_objectives_are_those_of_their_papers(objective):
    loss = Adversarial(objective)
    found = loss(np.ones((2, 1)), REAL), loss(np.zeros((2, 1)), FAKE), loss.of_generator(FAKE)
    np.testing.assert_allclose([number(each) for each in found], BY_HAND[objective], rtol=1e-5)


def test_smoothing_is_for_real_examples_only():
    loss = Adversarial(label_smoothing=0.1)
    wanted = (0.9 * softplus(-REAL) + 0.1 * softplus(REAL)).mean()
    assert number(loss(np.ones((2, 1)), REAL)) == pytest.approx(wanted, rel=1e-5)
    assert number(loss(np.zeros((2, 1)), FAKE)) == pytest.approx(softplus(FAKE).mean(), rel=1e-5)


def test_another_objective_is_refused():
    with pytest.raises(zoo.UsageError, match="did you mean hinge"):
        Adversarial("hinges")


def test_the_penalty_of_a_linear_discriminator_is_known():
    """Where D(x) = 3 x1 + 4 x2 the gradient is (3, 4) everywhere: (5 - 1)^2."""
    example, latent = keras.Input((2,), name="example"), keras.Input((2,), name="latent")
    generated = keras.layers.Dense(2, name="generated")(latent)
    logit = keras.layers.Dense(1, use_bias=False, name="logit")
    model = keras.Model([example, latent], {"real": logit(example), "fake": logit(generated)})
    logit.set_weights([np.float32([[3], [4]])])
    trainer = AdversarialTrainer(model)
    trainer.compile("sgd", loss=Adversarial("wasserstein", gradient_penalty=10.0))
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    found = trainer(x, training=True)
    np.testing.assert_allclose(ops.convert_to_numpy(ops.stop_gradient(found["penalty"])), 16.0, rtol=1e-4)
    loss = number(trainer.compute_loss(x, y_pred=found))
    real, fake = (ops.convert_to_numpy(ops.stop_gradient(found[head])).mean() for head in ("real", "fake"))
    assert loss == pytest.approx(-real + fake + 160.0 - fake, rel=1e-4)
