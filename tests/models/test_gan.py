"""Generative adversarial networks: the published layers, the ring, what is drawn and how it is measured."""

import logging
import signal

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import zoo
from zoo.data.builtin.ring import DEVIATION, HEAPS, RADIUS
from zoo.metrics import generation as metrics
from zoo.tasks import adversarial_generation as task
from zoo.trainers.adversarial import halves
from zoo.training.stopping import Stopped, requests

TABLE = {  # Radford 2016, Figure 1, and the authors' discriminator
    "maps": (4, 4, 1024), "up1": (8, 8, 512), "up2": (16, 16, 256), "up3": (32, 32, 128), "generated": (64, 64, 3),
    "down1": (32, 32, 64), "down2": (16, 16, 128), "down3": (8, 8, 256), "down4": (4, 4, 512),
}  # fmt: skip


def test_dcgan_has_the_published_layers():
    import keras

    with keras.StatelessScope(initialize_variables=False):
        model = zoo.builder("dcgan")()
    keras.utils.clear_session(free_memory=False)
    for name, shape in TABLE.items():
        layer = model.get_layer(name)
        assert tuple(layer._inbound_nodes[0].outputs[0].shape[1:]) == shape, name
        if name.startswith("down"):
            assert len(layer._inbound_nodes) == 2, "real and generated images go through the same layers"
    normalised = {layer.name for layer in model.layers if layer.name.endswith("_bn")}
    assert "down1_bn" not in normalised and {"up1_bn", "down2_bn", "down4_bn"} <= normalised


def test_a_size_that_cannot_be_halved_is_refused():
    with pytest.raises(zoo.UsageError, match=r"input_shape is \(28, 28, 1\).*multiples of 16: .*filters=\(128, 64\)"):
        zoo.build("dcgan", input_shape=(28, 28, 1))
    with pytest.raises(zoo.UsageError, match="for images take dcgan"):
        zoo.build("gan", input_shape=(8, 8, 1))


# The measures


def test_the_frechet_distance_is_that_of_matrices():
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)), rng.normal(1, 2, size=(150, 4))
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    wanted = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert metrics.frechet_distance(a, b) == pytest.approx(wanted, rel=1e-8)


def test_precision_and_recall_are_those_of_a_loop():
    rng = np.random.default_rng(1)
    real, drawn = rng.normal(size=(60, 3)), rng.normal(0.7, 0.6, size=(40, 3))

    def share(examples, others):
        radii = NearestNeighbors(n_neighbors=4).fit(others).kneighbors(others)[0][:, 3]
        hits = [any(np.linalg.norm(x - o) <= r for o, r in zip(others, radii)) for x in examples]
        return np.mean(hits)

    found = metrics.precision_recall(real, drawn)
    assert found == pytest.approx((share(drawn, real), share(real, drawn)))
    assert 0 < found[1] < found[0] < 1, "drawn too narrowly: good, and not varied"


def test_a_collapsed_generator_has_precision_and_no_recall():
    rng = np.random.default_rng(2)
    real = rng.normal(size=(200, 2))
    precision, recall = metrics.precision_recall(real, 0.01 * rng.normal(size=(200, 2)))
    assert precision > 0.95 and recall < 0.05


# A run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return zoo.train("gan", run=tmp_path_factory.mktemp("runs") / "run", epochs=4, verbose=0)


def test_a_run_is_measured_beside_real_examples_and_an_untrained_generator(run):
    metrics = run.metrics
    assert metrics["real_distance"] < 0.01 < metrics["frechet_distance"]
    assert run.results["baselines"]["untrained"] > 1
    assert {"precision", "recall", "nearest_ratio", "modes", "within"} <= set(metrics)
    assert zoo.evaluate(run) == pytest.approx(metrics, abs=1e-4)
    header = (run.path / "history.csv").read_text().splitlines()[0]
    assert all(word in header for word in ("discriminator_accuracy", "generator_loss", "spread"))
    assert (run.path / "drawn.png").exists()


def test_vectors_are_drawn_into_a_table(run, tmp_path):
    for name, seed in (("a.csv", 3), ("b.csv", 3), ("c.csv", 4)):
        zoo.draw(run, tmp_path / name, count=5, seed=seed)
    a, b, c = (np.loadtxt(tmp_path / f"{name}.csv", delimiter=",") for name in "abc")
    assert a.shape == (5, 2) and np.array_equal(a, b) and not np.array_equal(a, c)
    with pytest.raises(zoo.UsageError, match=r"ends in '.png'; expected .csv: vectors are drawn"):
        zoo.draw(run, tmp_path / "a.png")


@pytest.mark.slow
def test_a_resumed_run_is_the_undisturbed_one(tmp_path, monkeypatch):
    settings = {"epochs": 2, "units": (8,), "batch_size": 1024, "verbose": 0}
    whole = zoo.train("gan", run=tmp_path / "whole", **settings)
    usual = task.CollapseWatch.on_epoch_end

    def stop(self, epoch, logs=None):
        usual(self, epoch, logs)
        requests.pending = signal.SIGTERM

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(task.CollapseWatch, "on_epoch_end", stop)
        zoo.train("gan", run=tmp_path / "part", **settings)
    part = zoo.train(resume=tmp_path / "part", verbose=0)
    for a, b in zip(whole.model().get_weights(), part.model().get_weights()):
        np.testing.assert_array_equal(a, b)
    assert whole.metrics == part.metrics


def test_a_collapse_is_said_once(caplog, run):
    watch = task.CollapseWatch(None)
    watch.usual, watch.steps = 100.0, task.COLLAPSE_STEPS

    class Model:
        noise_size = 2

        @staticmethod
        def generator(noise, training):
            return 0.1 * noise

    watch.set_model(Model())
    with caplog.at_level(logging.WARNING, "zoo"):
        for epoch in range(3):
            logs = {}
            watch.on_epoch_end(epoch, logs)
    assert len(caplog.records) == 1 and "mode collapse; train with another seed" in caplog.text
    assert logs["spread"] < task.COLLAPSED


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_demo_finds_the_heaps_of_the_ring(seed, tmp_path):
    run = zoo.train("gan", seed=seed, run=tmp_path / "run", verbose=0)
    assert run.metrics["modes"] >= 7 and run.metrics["within"] >= 0.85
    drawn = tmp_path / "drawn.csv"
    zoo.draw(run, drawn, count=2000, seed=9)
    angles = 2 * np.pi * np.arange(HEAPS) / HEAPS
    centres = RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    distances = np.linalg.norm(np.loadtxt(drawn, delimiter=",")[:, None] - centres, axis=2)
    near = distances.min(1) < 5 * DEVIATION
    assert near.mean() >= 0.83 and len(np.unique(distances.argmin(1)[near])) >= 7


@pytest.mark.slow
def test_the_demo_of_convolutions_draws_digits(tmp_path):
    run = zoo.train("dcgan", run=tmp_path / "run", verbose=0)
    assert run.metrics["frechet_distance"] < 0.1 * run.results["baselines"]["untrained"]
    assert run.metrics["classes"] >= 7
    zoo.draw(run, tmp_path / "grid.png", count=16)
    assert halves(run.model())[0].output_shape == (None, 16, 16, 1)
