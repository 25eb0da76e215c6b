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
