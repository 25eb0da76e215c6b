"""The autoencoder: equal to principal component analysis where it is linear, better than it where it is not."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import zoo
from zoo import cli


@pytest.fixture(scope="module")
def digits():
    return (load_digits().images[..., None] / 8 - 1).astype("float32")


def test_a_linear_one_can_be_principal_component_analysis(digits):
    axes = PCA(5).fit(digits.reshape(-1, 64))
    model = zoo.build("autoencoder", input_shape=(8, 8, 1), units=(), code_size=5)
    to_code, back = axes.components_.T, axes.components_  # (64, 5), (5, 64)
    model.get_layer("code").set_weights([to_code, -axes.mean_ @ to_code])
    model.get_layer("pixels").set_weights([back, axes.mean_])
    expected = axes.inverse_transform(axes.transform(digits[:50].reshape(-1, 64))).reshape(-1, 8, 8, 1)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(digits[:50])), expected, atol=1e-5)


def test_the_code_is_all_that_the_decoder_sees(digits):
    model = zoo.build("autoencoder", input_shape=(8, 8, 1), units=(16,), code_size=3)
    code = keras.Model(model.input, model.get_layer("code").output)
    rest = keras.Model(model.get_layer("code").output, model.output)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(rest(code(digits[:9]))), keras.ops.convert_to_numpy(model(digits[:9])), atol=1e-6
    )
    assert code.output_shape == (None, 3)


def test_free_sizes_are_refused():
    with pytest.raises(zoo.UsageError, match=r"input_shape is \(None, 8, 1\); expected fixed sizes"):
        zoo.build("autoencoder", input_shape=(None, 8, 1))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return zoo.train("autoencoder", run=tmp_path_factory.mktemp("runs") / "run", epochs=12, verbose=0)


def test_a_run_is_measured_beside_the_mean_image_and_principal_components(run):
    baselines = run.results["baselines"]
    assert run.metrics["mse"] < baselines["mean image"]
    assert baselines["PCA, 8 components"] < baselines["mean image"]
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-6)
    assert (run.path / "reconstructions.png").exists() and not (run.path / "confusion.png").exists()


def test_it_is_trained_on_its_inputs_and_not_on_labels(run):
    with (run.path / "history.csv").open() as file:
        first, *_, last = [float(line.split(",")[1]) for line in list(file)[1:]]
    assert last < 0.75 * first < 1.0, "the loss is the error of standardised pixels, of variance 1"


def test_predicting_tells_the_error_of_an_image(run, tmp_path, capsys):
    from matplotlib.image import imsave

    imsave(tmp_path / "zero.png", load_digits().images[0], cmap="gray")
    assert cli.main(["predict", str(run.path), str(tmp_path / "zero.png"), "--out", str(tmp_path / "out")]) == 0
    assert "zero.png: mean squared error " in capsys.readouterr().out
    assert (tmp_path / "out" / "zero-reconstruction.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_demo_does_better_than_as_many_principal_components(seed, tmp_path):
    run = zoo.train("autoencoder", seed=seed, run=tmp_path / "run", verbose=0)
    assert run.metrics["mse"] < 0.9 * run.results["baselines"]["PCA, 8 components"]


# By convolutions, and from damaged images


def test_convolutions_halve_and_double():
    model = zoo.build("conv_autoencoder", input_shape=(16, 8, 3), filters=(4, 8), code_size=5)
    assert model.output_shape == (None, 16, 8, 3) and model.get_layer("maps").output.shape == (None, 4, 2, 8)
    assert model.get_layer("code").output.shape == (None, 5)
    with pytest.raises(zoo.UsageError, match=r"input_shape is \(10, 8, 1\).*multiples of 4"):
        zoo.build("conv_autoencoder", input_shape=(10, 8, 1), filters=(4, 8))


@pytest.mark.parametrize("corruption, value", [("gaussian", 0.5), ("masking", 0.25)])
def test_the_input_is_damaged_in_training_only(corruption, value, digits):
    model = zoo.build("denoising_autoencoder", input_shape=(8, 8, 1), corruption=corruption, damage=value)
    damaging = model.get_layer("corruption")
    damaged = keras.ops.convert_to_numpy(damaging(digits, training=True))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(damaging(digits, training=False)), digits)
    if corruption == "gaussian":
        assert (damaged - digits).std() == pytest.approx(value, rel=0.02)
    else:
        assert (damaged == 0).mean() == pytest.approx(value + (1 - value) * (digits == 0).mean(), abs=0.01)
    with pytest.raises(zoo.UsageError, match="corruption is 'salt'; expected gaussian or masking"):
        zoo.build("denoising_autoencoder", corruption="salt")


@pytest.mark.slow
def test_a_denoising_run_is_measured_on_damaged_images(tmp_path):
    run = zoo.train("denoising_autoencoder", run=tmp_path / "run", epochs=8, verbose=0)
    assert run.metrics["damaged_mse"] == pytest.approx(0.25, rel=0.03), "noise of half a deviation"
    assert run.metrics["denoised_mse"] < 0.8 * run.metrics["damaged_mse"]
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-6)
    assert (run.path / "latent_map.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_demos_of_convolutions_and_of_damaged_images(seed, tmp_path):
    conv = zoo.train("conv_autoencoder", seed=seed, run=tmp_path / "conv", verbose=0)
    assert conv.metrics["mse"] < 0.65 * conv.results["baselines"]["PCA, 8 components"]
    denoising = zoo.train("denoising_autoencoder", seed=seed, run=tmp_path / "denoising", verbose=0)
    assert denoising.metrics["denoised_mse"] < 0.5 * denoising.metrics["damaged_mse"]
