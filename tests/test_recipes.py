"""Recipes whose data cannot be had without a network, run for an epoch on data that tfds makes up."""

import pytest
import tensorflow_datasets as tfds

import zoo
from zoo import tasks
from zoo.data import sources
from zoo.data.builtin.embedded import embedded

NARROW = {"width": 0.125}
EXAMPLES = {"image_classification": 24, "text_classification": 24, "language_modelling": 400}
EXAMPLES |= {"video_classification": 24, "translation": 24, "contrastive_pretraining": 24, "rotation_prediction": 24}
SMALL = {"num_layers": 1, "dim": 16, "num_heads": 2, "mlp_dim": 32}  # of a Transformer


def recipes():
    """One name of each family and task that has them, with every recipe of its own that needs a download."""
    families = {(zoo.info(name).family, task): name for task in EXAMPLES for name in zoo.list_models(task=task)}
    for name in sorted(families.values()):
        for recipe in zoo.info(name).recipes:
            if recipe.dataset and recipe.dataset.partition(":")[0] not in embedded():
                yield pytest.param(name, recipe.name, id=f"{name}-{recipe.name}")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "recipe"), list(recipes()))
def test_the_recipe_runs_on_made_up_data(name, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda host: True)
    width = {"width": 8} if zoo.info(name).family in ("resnet", "conv3d") else NARROW
    narrow = width if "width" in zoo.info(name).options else {}
    narrow |= {"units": (8,)} if "units" in zoo.info(name).options else {}
    narrow |= {word: size for word, size in SMALL.items() if {word, "num_heads"} <= set(zoo.info(name).options)}
    if zoo.info(name).recipe(recipe).preprocess.get("tokens") == "subwords":
        pytest.importorskip("tokenizers")
    with tfds.testing.mock_data(num_examples=EXAMPLES[zoo.info(name).task]):
        settings = dict(run=tmp_path / "run", data_dir=tmp_path, epochs=1, batch_size=8, precision="float32", verbose=0)
        run = zoo.train(name, recipe, **settings, **narrow)
    assert run.results["recipe"] == recipe
    assert run.metrics["loss"] > 0
    figure = tasks.get(zoo.info(name).task).metric
    assert run.metrics[figure] > 1 if figure == "perplexity" else 0 <= run.metrics[figure] <= 1


def made_up_identities(builder, split, **_):
    """Images in the form of the data set, sixteen times six: six images of each of sixteen classes."""
    import numpy as np
    import tensorflow as tf

    shape = tuple(builder.info.features["image"].shape)
    images = np.random.default_rng(0).integers(0, 256, (96, *shape), "uint8")
    numbers = np.arange(96) % 16 + (100 if split.startswith("test") else 0)
    named = isinstance(builder.info.features["label"], tfds.features.Text)
    labels = [f"person {number}" for number in numbers] if named else numbers
    return tf.data.Dataset.from_tensor_slices({"image": images, "label": labels})


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["omniglot", "lfw"])
def test_an_identity_recipe_runs_on_made_up_data(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda host: True)
    with tfds.testing.mock_data(num_examples=96, as_dataset_fn=made_up_identities):
        run = zoo.train(
            "siamese", recipe, run=tmp_path / "run", data_dir=tmp_path, epochs=1, batch_size=16, verbose=0
        )  # fmt: skip
    examples = run.config["examples"]
    assert min(examples.values()) >= 12 and run.config["data"]["shape"] == [*IMAGE_SIZES[recipe], 3]
    assert 0 <= run.metrics["recall@1"] <= 1


IMAGE_SIZES = {"omniglot": (28, 28), "lfw": (56, 46)}
