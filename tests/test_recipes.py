"""Recipes whose data cannot be had without a network, run for an epoch on data that tfds makes up."""

import pytest
import tensorflow_datasets as tfds

import zoo
from zoo.data import sources
from zoo.data.embedded import Embedded

EMBEDDED = {builder.name for builder in Embedded.__subclasses__()}
NARROW = {"width": 0.125}
EXAMPLES = {"image_classification": 24, "text_classification": 24, "language_modelling": 400}
EXAMPLES |= {"video_classification": 24}


def recipes():
    """One name of each family and task that has them, with every recipe of its own that needs a download."""
    families = {(zoo.info(name).family, task): name for task in EXAMPLES for name in zoo.list_models(task=task)}
    for name in sorted(families.values()):
        for recipe in zoo.info(name).recipes:
            if recipe.dataset and recipe.dataset.partition(":")[0] not in EMBEDDED:
                yield pytest.param(name, recipe.name, id=f"{name}-{recipe.name}")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "recipe"), list(recipes()))
def test_the_recipe_runs_on_made_up_data(name, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda host: True)
    width = {"width": 8} if zoo.info(name).family in ("resnet", "conv3d") else NARROW
    narrow = width if "width" in zoo.info(name).options else {}
    narrow |= {"units": (8,)} if "units" in zoo.info(name).options else {}
    with tfds.testing.mock_data(num_examples=EXAMPLES[zoo.info(name).task]):
        settings = dict(run=tmp_path / "run", data_dir=tmp_path, epochs=1, batch_size=8, precision="float32", verbose=0)
        run = zoo.train(name, recipe, **settings, **narrow)
    assert run.results["recipe"] == recipe
    assert run.metrics["loss"] > 0
    assert 0 <= run.metrics["accuracy"] <= 1 if "accuracy" in run.metrics else run.metrics["perplexity"] > 1
