"""The task of unpaired translation: what is measured beside what, and pictures that are written."""

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.data.image.unpaired import UnpairedImages
from zoo.inference.prediction import answered
from zoo.tasks import unpaired_translation as task
from zoo.tasks.base import Network, Trained
from zoo.trainers.unpaired import parts

SMALL = {"filters": 4, "blocks": 1, "patch_filters": 4, "patch_layers": 1, "verbose": 0}


@pytest.fixture(scope="module")
def trained():
    """A network that has not learned, of grey images of 16x16."""
    card = zoo.info("cyclegan")
    recipe = card.recipe("demo")
    config = {
        "scaling": {"mean": (127.5,), "std": (127.5,)}, "shape": (16, 16, 1), "high": 255.0,
        "classes": [f"{side}/{digit}" for side in "ab" for digit in range(10)],
    }  # fmt: skip
    data = UnpairedImages.from_config(card, recipe, None, config)
    network = Network.of(zoo.build("cyclegan", **card.tiny), card, task.UnpairedTranslation(), recipe)
    return Trained(network, data)


def test_a_picture_is_translated_into_either_set(trained, tmp_path):
    file = tmp_path / "seven.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30), dtype="uint8")).save(file)
    lines = answered(trained, file, folder=tmp_path / "out")
    assert len(lines) == 2 and Image.open(tmp_path / "out" / "seven-to-a.png").size == (16, 16)
    (line,) = answered(trained, file, folder=tmp_path / "only", to="b")
    assert line.endswith("seven-to-b.png")
    assert [each.name for each in (tmp_path / "only").iterdir()] == ["seven-to-b.png"]
    to_a, to_b, *_ = parts(trained.network.model)
    wanted = [to(trained.data.encode([str(file)])) for to in (to_a, to_b)]
    for side, image in zip("ab", wanted):
        written = np.asarray(Image.open(tmp_path / "out" / f"seven-to-{side}.png"), "float32")
        np.testing.assert_allclose(written, 127.5 * (keras.ops.convert_to_numpy(image)[0, ..., 0] + 1), atol=0.51)


def test_what_cannot_be_translated_is_refused_in_a_line(trained, tmp_path):
    with pytest.raises(zoo.UsageError, match="to is 'c'; expected the set that images are translated into, a or b"):
        answered(trained, "a.png", folder=tmp_path / "only", to="c")
    with pytest.raises(zoo.UsageError, match="a translated image needs a place"):
        answered(trained, "a.png")


@pytest.mark.slow
def test_a_run_is_measured_beside_images_as_they_are_and_an_untrained_network(tmp_path):
    run = zoo.train("cyclegan", run=tmp_path / "run", epochs=1, **SMALL)
    found, baselines = run.metrics, run.results["baselines"]
    assert set(baselines) == {"untranslated", "untrained"}
    assert found["label_accuracy"] == pytest.approx((found["label_accuracy_a"] + found["label_accuracy_b"]) / 2)
    assert found["real_accuracy"] > 0.9, "the judges know the digits"
    assert {"frechet_distance", "untranslated_distance", "cycle_error", "change"} <= set(found)
    assert (run.path / "translated.png").exists()
    header = (run.path / "history.csv").read_text().splitlines()[0]
    assert all(word in header for word in ("generator_loss", "discriminator_loss", "cycle_loss"))


@pytest.mark.slow
def test_the_demo_keeps_the_digits_and_with_two_halvings_and_much_of_the_cycle_loss_it_does_not(tmp_path):
    """Its translations come back all the same: benchmarks/unpaired_translation.py."""
    demo = zoo.info("cyclegan").recipe("demo")
    run = zoo.train("cyclegan", run=tmp_path / "run", verbose=0)
    assert run.metrics["label_accuracy"] > 0.8 > 4 * run.results["baselines"]["untranslated"]
    assert run.metrics["frechet_distance"] < 0.1 * run.metrics["untranslated_distance"]
    assert run.metrics["cycle_error"] < 0.15
    halved = zoo.records.replace(
        demo, model={**demo.model, "filters": 16, "halvings": 2}, loss_options={"cycle_weight": 10.0}
    )
    other = zoo.train("cyclegan", recipe=halved, run=tmp_path / "other", verbose=0)
    assert other.metrics["label_accuracy"] < 0.5
