"""The variational autoencoder: its two terms, its gradient through what is drawn, its bounds, and new images."""

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from sklearn.datasets import load_digits
from subjects import gradients

import zoo
from zoo import cli, losses
from zoo.inference.reopening import reopen
from zoo.layers.sampling import NormalSample
from zoo.tasks import _generation as generation
from zoo.tasks import variational_inference as task
from zoo.tasks.base import Network


def as_array(x):
    return ops.convert_to_numpy(ops.stop_gradient(ops.convert_to_tensor(x)))


# The terms


def test_the_divergence_is_that_of_the_integral():
    """KL in closed form against the mean of log q(z) - log p(z) over drawn z."""
    mean, log_variance = np.array([0.7, -1.2]), np.array([0.3, -0.8])
    latent = np.concatenate([mean, log_variance])[None].astype("float32")
    found = float(losses.NormalDivergence()(np.zeros((1, 1)), latent))
    z = mean + np.exp(log_variance / 2) * (noise := np.random.default_rng(0).normal(size=(400_000, 2)))
    drawn = 0.5 * (z**2 - noise**2 - log_variance).sum(1)
    assert found == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(len(z)))
    assert float(losses.NormalDivergence(beta=4.0)(np.zeros((1, 1)), latent)) == pytest.approx(4 * found, rel=1e-5)
    assert float(losses.NormalDivergence()(np.zeros((1, 1)), np.zeros((1, 6)))) == 0


def test_the_likelihood_of_an_image_is_the_product_of_its_pixels():
    rng = np.random.default_rng(0)
    grey, logits = rng.uniform(size=(3, 2, 2, 1)), rng.normal(size=(3, 2, 2, 1)).astype("float32")
    p = 1 / (1 + np.exp(-logits))
    product = np.prod(np.where(grey > 0.5, p, 1 - p), axis=(1, 2, 3))
    assert float(losses.BernoulliLikelihood()(grey, logits)) == pytest.approx(-np.log(product).mean(), rel=1e-5)


# The reparameterisation


def test_what_is_drawn_has_the_mean_and_the_variance():
    layer = NormalSample(seed=0)
    latent = np.tile(np.float32([[2.0, -1.0, np.log(4.0), np.log(0.25)]]), (20_000, 1))
    z = as_array(layer(latent, training=True))
    np.testing.assert_allclose(z.mean(0), [2, -1], atol=0.06)
    np.testing.assert_allclose(z.std(0), [2, 0.5], rtol=0.03)
    assert not np.array_equal(z, as_array(layer(latent, training=True))), "each time another"
    np.testing.assert_array_equal(as_array(layer(latent))[0], [2, -1])


def test_the_gradient_goes_through_the_draw():
    """E[z^2] = mean^2 + variance, so its gradient is 2 mean by the mean, and the variance by its logarithm."""
    given = keras.Input((1,))
    latent = keras.layers.Dense(2, use_bias=False, name="latent")(given)
    model = keras.Model(given, NormalSample(seed=1)(latent))
    mean, log_variance = 0.8, -0.4
    model.get_layer("latent").set_weights([np.float32([[mean, log_variance]])])
    x = np.ones((200_000, 1), "float32")
    (found,) = gradients(model, lambda model: ops.mean(model(x, training=True) ** 2)).values()
    np.testing.assert_allclose(found[0], [2 * mean, np.exp(log_variance)], atol=0.02)


def test_the_gradient_of_a_draw_is_that_of_its_formula():
    """With the same noise: dz / d mean = 1, dz / d log_variance = (z - mean) / 2, of each number by itself."""
    mean, log_variance = np.float32([0.8, -1.5, 0.1]), np.float32([-0.4, 1.2, 0.0])
    weights, x = np.float32([1.0, -2.0, 3.0]), np.ones((1, 1), "float32")

    def model():
        given = keras.Input((1,))
        drawn = keras.Model(given, NormalSample(seed=1)(keras.layers.Dense(6, use_bias=False)(given)))
        drawn.set_weights([np.concatenate([mean, log_variance])[None], *drawn.get_weights()[1:]])
        return drawn

    (z,) = as_array(model()(x, training=True))
    (found,) = gradients(model(), lambda model: ops.sum(weights * model(x, training=True) ** 2)).values()
    by_hand = np.concatenate([2 * weights * z, weights * z * (z - mean)])  # of the sum of w z^2
    assert np.abs(z - mean).min() > 0.01
    np.testing.assert_allclose(found[0], by_hand, rtol=1e-4)


# The bounds


@pytest.fixture(scope="module")
def digits():
    return (load_digits().images[:40, ..., None] / 16).astype("float32")


def network_of(**options):
    keras.utils.set_random_seed(3)
    model = zoo.build("vae", input_shape=(8, 8, 1), **options)
    return Network.of(model, zoo.info("vae"), task.VariationalInference())


def test_the_bounds_are_in_order_and_below_the_integral(digits):
    """With one latent number log p(x) can be integrated: ELBO <= importance weighted bound <= log p(x)."""
    network = network_of(units=(16,), latent_size=1)
    mean, log_variance = task.posterior(network, digits)
    terms = {key: np.concatenate([each[key] for each in task.log_weights(network, digits, mean, log_variance)])
             for key in ("likelihood", "weight")}  # fmt: skip
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(1)
    elbo = terms["likelihood"].mean(1) - divergence
    bound = np.logaddexp.reduce(terms["weight"], axis=1) - np.log(terms["weight"].shape[1])
    z = np.linspace(-7, 7, 2001, dtype="float32")
    logits = as_array(task.decoder_of(network)(z[:, None])).reshape(len(z), 1, -1)
    pixels = task.on(digits).reshape(1, len(digits), -1)
    joint = (pixels * logits - np.logaddexp(0, logits)).sum(-1) - z[:, None] ** 2 / 2 - 0.5 * np.log(2 * np.pi)
    truth = np.logaddexp.reduce(joint, axis=0) + np.log(z[1] - z[0])
    assert elbo.mean() < bound.mean() < truth.mean() + 0.02
    assert truth.mean() - bound.mean() < 0.25 * (truth.mean() - elbo.mean())


# A run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return zoo.train("vae", run=tmp_path_factory.mktemp("runs") / "run", epochs=15, verbose=0)


def test_a_run_is_measured_beside_models_of_the_pixels(run):
    baselines = run.results["baselines"]
    assert run.metrics["elbo"] < run.metrics["log_likelihood"]
    assert run.metrics["log_likelihood"] > baselines["pixels one by one"] + 3
    assert run.metrics["elbo"] == pytest.approx(run.metrics["reconstruction"] - run.metrics["divergence"], abs=1e-4)
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-4)
    assert (run.path / "images.png").exists() and (run.path / "latent_map.png").exists()


def test_beside_each_new_image_is_the_training_image_nearest_to_it(run):
    """Copies would be seen."""
    trained = reopen(run, with_source=True)
    made = trained.network.judge(trained.data, "test").outputs
    train = trained.data.arrays("train")[0]
    gaps = np.square(made.drawn[:, None] - train[None]).sum((2, 3, 4))
    np.testing.assert_array_equal(made.nearest, train[gaps.argmin(1)])


def test_new_images_repeat_with_their_seed(run, tmp_path, capsys):
    command = ["generate", str(run.path), "--count", "6", "-o"]
    for file, seed in (("a.png", "3"), ("b.png", "3"), ("c.png", "4")):
        assert cli.main([*command, str(tmp_path / file), "--seed", seed]) == 0
    a, b, c = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in "abc")
    assert a.shape == (2 * 48 + 2, 3 * 48 + 4, 3) and np.array_equal(a, b) and not np.array_equal(a, c)
    assert "6 images, seed 3" in capsys.readouterr().out
    zoo.draw(run, tmp_path / "way.gif", between=[3, 4])
    assert Image.open(tmp_path / "way.gif").n_frames > generation.STEPS


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name a file for them: -o grid.png"),
        (["-o", "x.txt"], "ends in '.txt'; expected .png, .jpg, .jpeg"),
        (["-o", "x.png", "--prompt", "a"], "draws images or vectors; --prompt is not for it"),
        (["-o", "x.png", "--between", "3"], "expected two seeds or more"),
        (["-o", "x.png", "--between", "a,b"], "expected seeds with commas between them"),
        (["-o", "x.png", "--count", "0"], "count is 0"),
        (["-o", "no/x.png"], "there is no folder"),
    ],
)
def test_what_cannot_be_drawn_is_said(run, tmp_path, monkeypatch, capsys, words, told):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["generate", str(run.path), *words]) == 2
    assert told in capsys.readouterr().err


def test_predicting_tells_the_bound_of_an_image(run, tmp_path, capsys):
    Image.fromarray((load_digits().images[0] * 15.9).astype("uint8")).save(tmp_path / "zero.png")
    assert cli.main(["predict", str(run.path), str(tmp_path / "zero.png"), "--out", str(tmp_path / "out")]) == 0
    assert "zero.png: ELBO -" in capsys.readouterr().out
    assert (tmp_path / "out" / "zero-reconstruction.png").exists()


def test_free_sizes_are_refused():
    with pytest.raises(zoo.UsageError, match=r"input_shape is \(None, 8, 1\); expected fixed sizes"):
        zoo.build("vae", input_shape=(None, 8, 1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_demo_is_likelier_than_a_mixture(seed, tmp_path):
    run = zoo.train("vae", seed=seed, run=tmp_path / "run", verbose=0)
    assert run.metrics["log_likelihood"] > run.results["baselines"]["mixture of 20"] + 0.3
