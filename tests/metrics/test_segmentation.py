"""Areas told apart: metrics as Keras has them, losses by hand and by loops."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo import losses
from zoo.metrics.segmentation import confusion, intersection_over_union, scores


@pytest.mark.parametrize("seed", range(20))
def test_mean_iou_is_that_of_keras(seed):
    """With classes that are nowhere, and pixels that do not count."""
    rng = np.random.default_rng(seed)
    present = rng.choice(6, rng.integers(1, 6), replace=False)
    truth, found = rng.choice(present, (2, 3, 8, 8))
    truth[rng.random(truth.shape) < 0.2] = 255
    metric = keras.metrics.MeanIoU(6, ignore_class=255)
    metric.update_state(truth, found)
    assert scores(confusion(truth, found, 6))["mean_iou"] == pytest.approx(float(metric.result()), abs=1e-6)


def test_what_is_nowhere_has_no_iou():
    assert np.isnan(intersection_over_union(confusion(np.zeros(4, int), np.zeros(4, int), 3))[1:]).all()


@pytest.mark.parametrize("name", ["dice", "soft_iou"])
@pytest.mark.parametrize("crossentropy", [0.0, 2.0])
def test_losses_by_a_loop(name, crossentropy):
    rng = np.random.default_rng(0)
    truth, logits = rng.integers(0, 3, (2, 4, 4)), rng.normal(size=(2, 4, 4, 4)).astype("float32")
    truth[0, :2] = 255
    each, p = [], np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for number in range(3):  # the fourth class is nowhere
        both = true = said = 0.0
        for index in np.ndindex(truth.shape):
            if truth[index] != 255:
                both += p[index][number] * (truth[index] == number)
                true, said = true + (truth[index] == number), said + p[index][number]
        each.append(1 - (2 * both / (true + said) if name == "dice" else both / (true + said - both)))
    pixels = [-np.log(p[index][truth[index]]) for index in np.ndindex(truth.shape) if truth[index] != 255]
    found = float(losses.get(name, crossentropy=crossentropy)(truth, logits))
    assert found == pytest.approx(np.mean(each) + crossentropy * np.mean(pixels), rel=1e-5)


def test_pixels_that_do_not_count_have_no_gradient():
    """What is said of them changes neither loss, whatever it is."""
    rng = np.random.default_rng(0)
    truth, logits = np.array([[[0, 1], [255, 1]]]), rng.normal(size=(1, 2, 2, 2)).astype("float32")
    other = logits.copy()
    other[0, 1, 0] = 7.0, -7.0
    for name in ("dice", "soft_iou", "pixel_crossentropy"):
        loss = losses.get(name)
        assert float(loss(truth, logits)) == pytest.approx(float(loss(truth, other)), abs=1e-7)


def test_all_right_costs_nothing():
    truth = np.array([[[0, 1], [2, 1]]])
    logits = 50 * ops.one_hot(ops.convert_to_tensor(truth), 3)
    for name in ("dice", "soft_iou", "pixel_crossentropy"):
        assert float(losses.get(name)(truth, logits)) == pytest.approx(0, abs=1e-6)
