"""Two generators and two discriminators: losses by hand, whose gradient goes where, and what the pools return."""

import keras
import numpy as np
import pytest
from keras import ops
from subjects import gradients

import zoo
from zoo.losses import CycleAdversarial
from zoo.trainers.unpaired import ImagePool, UnpairedTrainer


def array(x):
    return ops.convert_to_numpy(ops.stop_gradient(ops.convert_to_tensor(x)))


def numbered(first, count):
    """Images that are told by their one pixel."""
    return np.arange(first, first + count, dtype="float32").reshape(-1, 1, 1, 1)


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return {side: rng.uniform(-1, 1, (3, 16, 16, 1)).astype("float32") for side in "ab"}


def trainer_of(loss=None, optimizer=None, **options):
    keras.utils.set_random_seed(1)
    trainer = UnpairedTrainer(zoo.build("cyclegan", **zoo.info("cyclegan").tiny), **options)
    trainer.compile(optimizer or keras.optimizers.SGD(0.1), loss=loss or CycleAdversarial(), run_eagerly=True)
    return trainer


# Losses


def test_the_losses_are_those_of_the_paper(x):
    trainer = trainer_of(CycleAdversarial(cycle_weight=10.0, identity_weight=5.0))
    found = {name: array(each) for name, each in trainer(x, training=True).items()}
    total = float(array(trainer.compute_loss(x, y_pred=found)))
    real, fake = (
        sum(np.square(found[f"{kind}_{s}"] - goal).mean() for s in "ab") for kind, goal in (("real", 1), ("fake", 0))
    )
    deceiving = sum(np.square(found[f"deceiving_{s}"] - 1).mean() for s in "ab")
    back, same = (sum(np.abs(found[f"{kind}_{s}"] - x[s]).mean() for s in "ab") for kind in ("cycle", "same"))
    assert total == pytest.approx(0.5 * (real + fake) + deceiving + 10 * back + 5 * same, rel=1e-4)
    means = {word: float(array(each.result())) for word, each in trainer.means.items()}
    assert means["cycle_loss"] == pytest.approx(back, rel=1e-4)
    assert means["discriminator_loss"] == pytest.approx(0.5 * (real + fake), rel=1e-4)
    right = [(found[f"real_{s}"] > 0.5).mean() for s in "ab"] + [(found[f"fake_{s}"] <= 0.5).mean() for s in "ab"]
    assert means["discriminator_accuracy"] == pytest.approx(np.mean(right), abs=1e-5)


def test_a_cycle_that_comes_back_costs_nothing():
    loss = CycleAdversarial()
    image = np.float32([[[[0.5], [-1.0]], [[0.0], [1.0]]]])
    assert float(array(loss.distance(image, image))) == 0
    assert float(array(loss.distance(image, image + np.float32([0.25])))) == 0.25
    assert float(array(loss.distance(image, -image))) == pytest.approx(2 * (0.5 + 1 + 0 + 1) / 4)


def test_the_loss_is_made_again_from_its_config():
    loss = CycleAdversarial("hinge", cycle_weight=3.0, identity_weight=1.0, label_smoothing=0.1)
    again = CycleAdversarial.from_config(loss.get_config())
    assert again.get_config() == loss.get_config()


def test_other_losses_and_weights_are_refused():
    with pytest.raises(zoo.UsageError, match=r"expected a zoo\.losses\.CycleAdversarial"):
        trainer_of(zoo.losses.Adversarial("least_squares"))
    with pytest.raises(zoo.UsageError, match="cycle_weight is -1; expected a number of at least 0"):
        CycleAdversarial(cycle_weight=-1)


# Whose gradient goes where


@pytest.mark.parametrize("side", ["generators", "discriminators"])
def test_the_loss_of_one_side_does_not_reach_the_other(x, side):
    trainer = trainer_of()
    loss = trainer.objective

    def objective(model):
        found = model(x, training=True)
        if side == "generators":
            return sum(
                loss.of_generator(found[f"deceiving_{s}"]) + loss.distance(x[s], found[f"cycle_{s}"]) for s in "ab"
            )
        return sum(
            loss(ops.zeros_like(found[f"fake_{s}"]), found[f"fake_{s}"])
            + loss(ops.ones_like(found[f"real_{s}"]), found[f"real_{s}"])
            for s in "ab"
        )

    slopes = gradients(trainer, objective)
    reached = {path for path, slope in slopes.items() if slope is not None and np.abs(slope).max() > 0}
    of_discriminators = {path for path in slopes if path.startswith("patch_")}
    assert of_discriminators and reached == (
        set(slopes) - of_discriminators if side == "generators" else of_discriminators
    )


def test_a_step_of_all_is_a_step_of_each_by_itself(x):
    """The generators' gradient is the one through fixed discriminators, and the other way round."""
    trainer = trainer_of()
    to_a, to_b, doubt_b = trainer.to_a, trainer.to_b, trainer.doubt_b
    a, b, loss = x["a"], x["b"], trainer.objective

    def of_generator(model):  # to_b, the other one being fixed
        there = model(a, training=True)
        back = loss.distance(a, to_a(there)) + loss.distance(b, model(to_a(b)))
        return loss.of_generator(doubt_b(there)) + 10.0 * back

    def of_discriminator(model):
        real, fake = model(b), model(ops.stop_gradient(to_b(a)))
        return 0.5 * (loss(ops.ones_like(real), real) + loss(ops.zeros_like(fake), fake))

    wanted = []
    for part, objective in ((to_b, of_generator), (doubt_b, of_discriminator)):
        slopes = list(gradients(part, objective).values())
        wanted.append([array(each) - 0.1 * slope for each, slope in zip(part.trainable_variables, slopes)])
    trainer.train_on_batch(x)
    for part, values in zip((to_b, doubt_b), wanted):
        for now, value in zip(part.trainable_variables, values):
            np.testing.assert_allclose(array(now), value, rtol=2e-3, atol=2e-5)


def test_the_history_holds_every_loss(x):
    batches = {side: np.concatenate([images] * 2) for side, images in x.items()}
    trainer = trainer_of(optimizer=keras.optimizers.Adam(1e-3))
    history = trainer.fit(batches, epochs=2, batch_size=3, verbose=0).history
    assert {"generator_loss", "discriminator_loss", "cycle_loss", "discriminator_accuracy", "loss"} <= set(history)
    total = history["discriminator_loss"][1] + history["generator_loss"][1] + 10 * history["cycle_loss"][1]
    assert history["loss"][1] == pytest.approx(total, rel=1e-3)
    assert int(array(trainer.pool_a.count)) == 12, "what was translated has entered the pool"


# The pool


def test_a_pool_fills_and_then_gives_back_half_old_ones():
    pool = ImagePool((1, 1, 1), size=50, seed=3)
    for start in range(0, 50, 10):
        np.testing.assert_array_equal(array(pool(numbered(start, 10))), numbered(start, 10))
    held = set(array(pool.images).ravel())
    assert held == set(range(50))
    old = 0
    for start in range(50, 1050, 10):
        images = numbered(start, 10)
        returned = array(pool(images)).ravel()
        swapped = returned != images.ravel()
        old += swapped.sum()
        assert set(returned[swapped]) <= held, "only what is in the pool comes back for another"
        held = held - set(returned[swapped]) | set(images.ravel()[swapped])
        assert set(array(pool.images).ravel()) == held and len(held) == 50
    assert 400 < old < 600, "half of 1,000; 6 standard deviations"


@pytest.mark.parametrize("count", [1, 7, 60])
def test_a_pool_takes_any_batch(count):
    pool = ImagePool((1, 1, 1), size=50, seed=0)
    given = set()
    for start in range(1, 1 + 20 * count, count):
        given |= set(range(start, start + count))
        returned = array(pool(numbered(start, count))).ravel()
        assert len(returned) == count and set(returned) <= given
        assert len(set(returned)) == count, "none is returned twice at once"
        assert int(array(pool.count)) == min(50, len(given))
    assert len(set(array(pool.images).ravel()) - {0.0}) == min(50, len(given))


def test_pools_are_part_of_what_a_checkpoint_keeps(x):
    from zoo.training.state import optimizers_of, variables_of

    trainer = trainer_of(optimizer=keras.optimizers.Adam(1e-3))
    kept = variables_of(trainer.network, trainer)
    ids = {id(each) for section in kept.values() for each in section}
    assert {id(each) for pool in (trainer.pool_a, trainer.pool_b) for each in pool.variables} <= ids
    moments = [each for optimizer in optimizers_of(trainer) for each in optimizer.variables]
    of_weights = sum(np.prod(each.shape) for each in trainer.trainable_variables)
    assert sum(np.prod(each.shape) for each in moments) >= 2 * of_weights, "Adam's two moments of all four networks"
    assert {id(each) for each in moments} <= ids


def test_a_training_that_is_put_back_goes_on_as_the_undisturbed_one(x):
    """Weights, both optimizers' moments of all four networks, pools and random states."""
    from types import SimpleNamespace

    from zoo.training.state import put_variables, take_variables, variables_of

    one, other = (trainer_of(optimizer=keras.optimizers.Adam(1e-2, beta_1=0.5)) for _ in "12")
    one.train_on_batch(x)
    kept = take_variables(variables_of(one.network, one))
    one.train_on_batch(x)
    put_variables(variables_of(other.network, other), SimpleNamespace(arrays=kept), of="a run")
    other.train_on_batch(x)
    for sides in zip(one.trainable_variables, other.trainable_variables):
        np.testing.assert_array_equal(*map(array, sides))
    for pool, again in ((one.pool_a, other.pool_a), (one.pool_b, other.pool_b)):
        np.testing.assert_array_equal(array(pool.images), array(again.images))
        assert int(array(again.count)) == 6
