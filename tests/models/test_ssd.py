"""SSD: equal to torchvision's, of which `benchmarks/torchvision_detection.py` has recorded one with an eighth of the
channels; the program compares that of full size."""

import gzip
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import state_dicts
from box_scenes import blocks, rows_of_things, truths
from keras import ops
from weight_files import randomise, save_legacy, save_state_safetensors

import zoo
from zoo.boxes.rows import GEOMETRY, corners
from zoo.decoding.detections import detections
from zoo.losses import MultiBox
from zoo.models.ssd import SOURCES, ssd300_vgg16
from zoo.preprocessing import PIXELS

RECORDED = json.loads(
    gzip.decompress((Path(__file__).parents[1] / "recorded" / "torchvision_ssd.json.gz").read_bytes())
)
NARROW = {"num_classes": 4, "width": 0.125}


@pytest.fixture(scope="module")
def state():
    return state_dicts.numbers([(key, tuple(shape)) for key, shape in RECORDED["shapes"]], RECORDED["gain"])


@pytest.fixture(scope="module")
def model(state, tmp_path_factory):
    path = save_state_safetensors(state, tmp_path_factory.mktemp("ssd") / "ssd.safetensors")
    return zoo.build("ssd300_vgg16", weights=path, preprocessing="caffe_rgb", **NARROW)


def scaled(images):
    return (images - np.float32(PIXELS["caffe_rgb"].mean)).astype("float32")


@pytest.fixture(scope="module")
def said(model):
    """Offsets and rows of two images."""
    heads = keras.Model(model.input, [model.get_layer("offsets").output, model.output])
    return [ops.convert_to_numpy(each) for each in heads(scaled(blocks(2)), training=False)]


def close(found, recorded, total):
    """Every so manieth row as recorded, and the sum over all."""
    found = found.astype("float64")
    every = found[..., :: RECORDED["every"], :].reshape(-1, found.shape[-1])
    np.testing.assert_allclose(every, recorded, rtol=0, atol=1e-4)
    assert np.abs(found).sum() == pytest.approx(total, rel=1e-5)


def test_heads_and_default_boxes_are_torchvisions(said):
    offsets, rows = said
    totals = RECORDED["sums"]
    close(offsets, RECORDED["offsets"], totals[0])
    close(rows[..., GEOMETRY:], RECORDED["logits"], totals[1])
    close(300 * ops.convert_to_numpy(corners(rows[0, :, 4:8])), RECORDED["anchors"], totals[2])


def test_what_is_found_is_what_torchvision_finds(said):
    """With its thresholds. The 200 that stay are among the best 4,000 pairs of a box and a class."""
    _, rows = said
    found = detections(rows, score=0.01, iou=0.45, max_boxes=200, candidates=4000)
    assert len(found) == len(RECORDED["found"])
    for ours, theirs in zip(found, RECORDED["found"]):
        assert (ours.classes + 1).tolist() == theirs["labels"] and len(set(theirs["labels"])) > 1
        np.testing.assert_allclose(ours.scores, theirs["scores"], rtol=0, atol=1e-4)
        np.testing.assert_allclose(ours.boxes, np.array(theirs["boxes"]) / 300, rtol=0, atol=1e-4)


@pytest.mark.parametrize("seed", range(len(RECORDED["losses"])))
def test_losses_are_torchvisions(model, seed):
    """Of two images with one to six boxes each, by the number of default boxes that tell of one."""
    things = rows_of_things(*truths(2, seed=seed))
    rows = model(scaled(blocks(2, seed=seed)), training=False)
    kinds, places, count = (ops.convert_to_numpy(each) for each in MultiBox().parts(things, rows))
    theirs = RECORDED["losses"][seed]
    assert count.min() >= 1 and count.sum() == round(count.sum())
    assert kinds.sum() / count.sum() == pytest.approx(theirs["classification"], rel=1e-4)
    assert places.sum() / count.sum() == pytest.approx(theirs["bbox_regression"], rel=1e-4)
    assert float(MultiBox()(things, rows)) == pytest.approx(sum(theirs.values()), rel=1e-4)


def test_maps_boxes_and_parameters_are_those_of_the_paper():
    """Figure 2 and section 2.2; the first map has boxes of four kinds in a place."""
    with keras.StatelessScope(initialize_variables=False):
        full = ssd300_vgg16()
    keras.utils.clear_session(free_memory=False)
    layer = full.get_layer("boxes")
    assert [tuple(each) for each in layer.maps] == [(38, 38), (19, 19), (10, 10), (5, 5), (3, 3), (1, 1)]
    assert [len(each) for each in layer.sizes] == [4, 6, 6, 6, 4, 4]
    assert len(layer.anchors) == 8732 and full.count_params() == 35_641_826
    channels = [full.get_layer(name).output.shape[-1] for name in ("norm4", "fc7", "conv8_2", "conv9_2", "conv11_2")]
    assert channels == [512, 1024, 512, 256, 256]


def test_smaller_images_have_fewer_maps():
    layer = ssd300_vgg16(input_shape=(128, 96, 3), width=1 / 64, num_classes=2).get_layer("boxes")
    assert [tuple(each) for each in layer.maps] == [(16, 12), (8, 6), (4, 3), (2, 2)]
    centres = layer.anchors[: 16 * 12 * 4 : 4, :2].reshape(16, 12, 2)
    np.testing.assert_allclose(centres[2, 3], [3.5 / 12, 2.5 / 16], rtol=1e-6)
    with pytest.raises(zoo.UsageError, match="3 scales and 6 ratios for 4 maps; expected at least 5 and 4"):
        ssd300_vgg16(input_shape=(128, 96, 3), width=1 / 64, scales=(0.1, 0.2, 0.4))
    with pytest.raises(zoo.UsageError, match=r"\(20, 96, 3\); expected sides of at least 32 pixels"):
        ssd300_vgg16(input_shape=(20, 96, 3))


def test_the_backbone_takes_what_a_classifier_has_learned(tmp_path):
    """Weights of VGG-16 without its top: the thirteen convolutions, bit for bit, and the rest is fresh."""
    path = save_legacy(
        randomise(zoo.build("vgg16", top=False, input_shape=(64, 64, 3), width=1 / 64)), tmp_path / "a.h5"
    )
    model = zoo.build("ssd300_vgg16", input_shape=(64, 64, 3), num_classes=2, width=1 / 64)
    report = zoo.load_weights(model, path)
    assert len(report.loaded) == 26 and set(report.new.values()) == {
        "built upon the backbone, which the file has alone"
    }
    assert not [name for name in report.new if "_conv" in name.split("/")[0]]
    with pytest.raises(zoo.UsageError, match="lacks block1_conv1_bn"):
        zoo.build("ssd300_vgg16", input_shape=(64, 64, 3), num_classes=2, width=1 / 64, batch_norm=True, weights=path)


def test_another_number_of_classes_keeps_all_but_the_classes(state, model, tmp_path):
    path = save_state_safetensors(state, tmp_path / "ssd.safetensors")
    other = zoo.build("ssd300_vgg16", num_classes=2, width=0.125)
    report = zoo.load_weights(other, path)
    assert {name.split("/")[0] for name in report.new} == {f"{each}_classes" for each in SOURCES}
    assert report.new["fc7_classes/kernel"] == "30 outputs in the file, 18 here"  # six boxes of five and three kinds
    for name in ("conv11_offsets", "fc6", "norm4"):
        for ours, theirs in zip(other.get_layer(name).get_weights(), model.get_layer(name).get_weights()):
            np.testing.assert_array_equal(ours, theirs)
