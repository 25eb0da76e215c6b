"""A class for each pixel: trained on a folder, evaluated, predicted; refused where it cannot be."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

import zoo
from zoo.data import sources
from zoo.data.builtin.shape_masks import ShapeMasks
from zoo.data.image.mask_folder import MaskFolder
from zoo.data.image.masks import MaskDataModule
from zoo.plots.segmentation import colour_of, tinted
from zoo.tasks.semantic_segmentation import enlarged

SMALL = dict(filters=(8, 16), batch_norm=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bright squares on dark ground, 40 x 32 pixels."""
    folder, rng = tmp_path_factory.mktemp("squares"), np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number in range(40):
        mask = np.zeros((32, 40), "uint8")
        top, left = rng.integers(0, 20, 2)
        mask[top : top + 10, left : left + 10] = 255
        image = np.clip(60 + 120 * (mask > 0)[..., None] + rng.normal(scale=20, size=(32, 40, 3)), 0, 255)
        Image.fromarray(image.astype("uint8")).save(folder / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    return zoo.train(
        "unet", data=folder, run=tmp_path_factory.mktemp("runs") / "squares", epochs=25, batch_size=8,
        resize=(32, 32), verbose=0, **SMALL,
    )  # fmt: skip


def test_it_learns_and_says_where(run, folder, tmp_path):
    assert run.metrics["mean_iou"] > 0.7 > run.results["baselines"]["commonest class"]
    assert zoo.evaluate(run)["mean_iou"] == pytest.approx(run.metrics["mean_iou"], abs=1e-6)
    for name in ("masks.png", "ious.png", "classes.csv", "splits.csv"):
        assert (run.path / name).is_file(), name
    said = "\n".join(zoo.predict(run, folder / "images" / "0.png", folder=tmp_path))
    assert "background" in said and "object" in said and "0-mask.png" in said
    mask = np.asarray(Image.open(tmp_path / "0-mask.png"))
    truth = np.asarray(Image.open(folder / "masks" / "0.png")) > 0
    assert mask.shape == (32, 40) and {*np.unique(mask)} <= {0, 1}
    assert np.logical_and(mask == 1, truth).sum() / np.logical_or(mask == 1, truth).sum() > 0.5


def test_masks_follow_their_images(folder):
    """Whatever augmentation does: where an image is bright, there is its object, and nowhere else."""
    recipe = dataclasses.replace(
        zoo.info("unet").recipe("folder"), preprocess={"resize": (32, 40)}, augment={"flip": True, "shift": 6},
        batch_size=40,
    )  # fmt: skip
    data = MaskDataModule.adapt(zoo.info("unet"), recipe, MaskFolder(folder).load())
    for images, targets in data.batches("train", training=True).as_numpy_iterator():
        bright = data.scaling.undo(images).mean(-1) > 130
        assert (bright == (targets["masks"] == 1)).mean() > 0.999
    assert data.pixels["train"].sum() == data.examples["train"] * 32 * 40
    assert data.pixels["train"][1] < 0.1 * data.pixels["train"][0]


def test_a_network_whose_answer_is_smaller_is_refused(folder):
    with pytest.raises(zoo.errors.UsageError, match="expected 60x60x2, a logit for each pixel and class"):
        zoo.train("unet", data=folder, resize=(60, 60), padding="valid", filters=(4, 8), verbose=0)


def test_a_pixel_is_of_the_shape_that_covers_half_of_it():
    image, mask = ShapeMasks.scene(ShapeMasks, np.random.default_rng(3), False)
    assert image.shape == (64, 64, 3) and mask.shape == (64, 64) and mask.max() <= 3
    assert image.dtype == mask.dtype == np.uint8


def test_an_enlarged_mask_and_its_colours():
    mask = np.array([[0, 1], [2, 255]])
    assert enlarged(mask, (4, 4)).tolist() == np.repeat(np.repeat(mask, 2, 0), 2, 1).tolist()
    image = np.full((2, 2, 3), 0.5)
    shown = tinted(image, mask)
    assert (shown[0, 0] == 0.5).all()
    np.testing.assert_allclose(shown[0, 1], 0.4 * 0.5 + 0.6 * colour_of(1))
    np.testing.assert_allclose(shown[1, 1], 0.4 * 0.5 + 0.6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unet", "fcn8_vgg16"])
def test_the_demo_tells_shapes_from_textures(name, tmp_path):
    """Worst of three seeds, as the recipe expects, or far above what the colour of a pixel tells."""
    runs = [zoo.train(name, seed=seed, run=tmp_path / str(seed), verbose=0) for seed in range(3)]
    found = [run.metrics["mean_iou"] for run in runs]
    print(name, found, runs[0].results["baselines"])
    expected = zoo.info(name).recipe("demo").expected
    assert min(found) >= (expected.bound if expected else runs[0].results["baselines"]["colour alone"] + 0.15)


def made_up_pets(builder, split, **_):
    """Twenty-four images with masks of 1 to 3, in the form of the data set."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    images, masks = rng.integers(0, 256, (24, 40, 48, 3), "uint8"), rng.integers(1, 4, (24, 40, 48, 1), "uint8")
    return tf.data.Dataset.from_tensor_slices({"image": images, "segmentation_mask": masks})


@pytest.mark.slow
def test_the_recipe_of_the_pets_runs_on_made_up_data(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda host: True)
    with tfds.testing.mock_data(num_examples=24, as_dataset_fn=made_up_pets):
        run = zoo.train(
            "unet", "oxford_iiit_pet", run=tmp_path / "run", data_dir=tmp_path, epochs=1, batch_size=8, verbose=0,
            filters=(4, 8), resize=(32, 32),
        )  # fmt: skip
    assert run.config["data"]["classes"] == ["pet", "background", "border"]
    assert 0 <= run.metrics["mean_iou"] <= 1
