"""CycleGAN: the published networks counted by hand; the patch that a logit sees."""

import itertools

import keras
import numpy as np
import pytest

import zoo
from zoo.trainers.unpaired import parts


def convolution(size, before, after):
    """Of a kernel and a bias, or a shift behind the normalisation."""
    return size * size * before * after + after


def generator_by_hand(blocks, channels=3, filters=64):
    return (
        convolution(7, channels, filters)
        + convolution(3, filters, 2 * filters)
        + convolution(3, 2 * filters, 4 * filters)
        + blocks * 2 * convolution(3, 4 * filters, 4 * filters)
        + convolution(3, 4 * filters, 2 * filters)
        + convolution(3, 2 * filters, filters)
        + convolution(7, filters, channels)
    )


def patch_by_hand(channels=3, filters=64):
    widths = (channels, filters, 2 * filters, 4 * filters, 8 * filters, 1)
    return sum(convolution(4, before, after) for before, after in itertools.pairwise(widths))


def outline(**options):
    with keras.StatelessScope(initialize_variables=False):
        model = zoo.builder("cyclegan")(**options)
        found = parts(model)
    keras.utils.clear_session(free_memory=False)
    return model, found


def test_the_networks_have_the_published_sizes():
    assert (generator_by_hand(9), generator_by_hand(6), patch_by_hand()) == (11_378_179, 7_837_699, 2_764_737)
    model, (to_a, to_b, doubt_a, doubt_b) = outline()
    assert [each.count_params() for each in (to_a, to_b)] == [11_378_179] * 2
    assert [each.count_params() for each in (doubt_a, doubt_b)] == [2_764_737] * 2
    assert model.count_params() == 2 * (11_378_179 + 2_764_737) == zoo.info("cyclegan").params
    assert to_a.output_shape == (None, 256, 256, 3) and doubt_a.output_shape == (None, 30, 30, 1)


def test_the_small_one_is_counted_as_well():
    _, (to_a, _, doubt_a, _) = outline(input_shape=(28, 28, 1), filters=16, blocks=2, patch_filters=16, patch_layers=1)
    assert to_a.count_params() == generator_by_hand(2, 1, 16)
    widths = (1, 16, 32, 1)
    assert doubt_a.count_params() == sum(convolution(4, *pair) for pair in itertools.pairwise(widths))


def test_without_halvings_a_generator_stays_at_full_size():
    """Of 16x16 pixels, halved twice, 4x4 places are left; without, every layer has 16x16, and as many maps."""
    for halvings, narrowest in ((0, 16), (2, 4)):
        _, (to_a, *_) = outline(input_shape=(16, 16, 1), filters=4, blocks=1, halvings=halvings, patch_layers=1)
        sides = [layer.output.shape[1] for layer in to_a.layers if isinstance(layer, keras.layers.Conv2D)]
        assert min(sides) == narrowest
    _, (to_a, *_) = outline(input_shape=(18, 22, 1), filters=4, blocks=2, halvings=0, patch_layers=1)
    wanted = convolution(7, 1, 4) + 4 * convolution(3, 4, 4) + convolution(7, 4, 1)
    assert to_a.count_params() == wanted and to_a.output_shape == (None, 18, 22, 1)
    with pytest.raises(zoo.UsageError, match="halvings is -1"):
        zoo.build("cyclegan", halvings=-1)


@pytest.mark.parametrize(("halvings", "patch"), [(1, 16), (2, 34), (3, 70)])
def test_a_logit_sees_a_patch(halvings, patch):
    """Its receptive field: backwards from one logit, each convolution adds to what it sees, and strides stretch it."""
    _, (_, _, doubt, _) = outline(input_shape=(96, 96, 1), filters=4, blocks=1, patch_filters=4, patch_layers=halvings)
    seen = 1
    for layer in reversed(doubt.layers):
        if isinstance(layer, keras.layers.Conv2D):
            seen = (seen - 1) * layer.strides[0] + layer.kernel_size[0]
    assert seen == patch


def test_both_directions_share_no_weight_and_the_way_back_is_the_other_generator():
    model = zoo.build("cyclegan", **zoo.info("cyclegan").tiny)
    to_a, to_b, *_ = parts(model)
    assert not {id(each) for each in to_a.variables} & {id(each) for each in to_b.variables}
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(-1, 1, (2, 16, 16, 1)).astype("float32") for _ in "ab")
    found = model({"a": a, "b": b})
    for wanted, head in ((to_a(to_b(a)), "cycle_a"), (to_b(to_a(b)), "cycle_b")):
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (found[head], wanted)), atol=1e-6)


def test_a_size_that_does_not_fit_is_refused():
    for shape in ((30, 28, 1), (28, 28)):
        with pytest.raises(zoo.UsageError, match=r"input_shape is \(.*multiples of 4 and at least 24"):
            zoo.build("cyclegan", input_shape=shape)
