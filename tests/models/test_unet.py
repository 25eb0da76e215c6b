"""U-Net: the published table of sizes, its parameters by hand, and beside an implementation in PyTorch."""

from itertools import pairwise

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from zoo.models.unet import unet

PADDED = dict(input_shape=(16, 16, 3), num_classes=3, filters=(4, 6, 8), padding="same")


def test_the_sizes_of_figure_1():
    with keras.StatelessScope(initialize_variables=False):
        model = unet()
    keras.utils.clear_session(free_memory=False)
    across = {name: model.get_layer(name).output.shape[1] for name in (f"down{n}_conv2" for n in range(1, 6))}
    assert [*across.values()] == [568, 280, 136, 64, 28]
    assert [model.get_layer(f"up{n}_conv2").output.shape[1] for n in (4, 3, 2, 1)] == [52, 100, 196, 388]
    assert model.output_shape == (None, 388, 388, 2)


def test_parameters_by_hand():
    maps = (64, 128, 256, 512, 1024)
    down = sum(9 * c * d + d for c, d in pairwise((1, *maps))) + sum(9 * d * d + d for d in maps)
    up = sum(4 * c * d + d + 9 * 2 * d * d + d + 9 * d * d + d for d, c in pairwise(maps))
    assert zoo.info("unet").params == down + up + 64 * 2 + 2 == 31_030_658


def peer(model):
    """The same network in PyTorch, from the description in the paper, with our weights."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    weights = {layer.name: [torch.tensor(w) for w in layer.get_weights()] for layer in model.layers}

    def convolve(x, name):
        kernel, bias = weights[name]
        return functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias)

    def twice(x, name):
        return convolve(convolve(x, f"{name}_conv1").relu(), f"{name}_conv2").relu()

    def run(image):
        x, beside = torch.tensor(image).permute(0, 3, 1, 2), []
        for level in (1, 2):
            x = twice(x, f"down{level}")
            beside.append(x)
            x = functional.max_pool2d(x, 2)
        x = twice(x, "down3")
        for level in (2, 1):
            kernel, bias = weights[f"up{level}"]  # (2, 2, out, in)
            x = functional.conv_transpose2d(x, kernel.permute(3, 2, 0, 1), bias, stride=2)
            skip = beside.pop()
            margin = (skip.shape[-1] - x.shape[-1]) // 2
            skip = skip[..., margin : margin + x.shape[-1], margin : margin + x.shape[-1]]
            x = twice(torch.cat([skip, x], dim=1), f"up{level}")
        return convolve(x, "logits").permute(0, 2, 3, 1).numpy()

    return run


def test_logits_are_those_of_an_independent_network():
    model = unet(input_shape=(60, 60, 2), num_classes=3, filters=(4, 6, 8))
    image = np.random.default_rng(0).normal(size=(2, 60, 60, 2)).astype("float32")
    wanted = peer(model)(image)
    assert wanted.shape == (2, 20, 20, 3) and wanted.std() > 0.05
    np.testing.assert_allclose(ops.convert_to_numpy(model(image)), wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


def test_an_image_moved_by_the_stride_gives_logits_moved_as_far():
    """Away from the border: four pixels, of three levels."""
    model = unet(**{**PADDED, "input_shape": (64, 64, 3)})
    image = np.random.default_rng(0).normal(size=(1, 68, 68, 3)).astype("float32")
    here, there = (ops.convert_to_numpy(model(image[:, o : o + 64, o : o + 64])) for o in (0, 4))
    np.testing.assert_allclose(here[:, 28:36, 28:36], there[:, 24:32, 24:32], atol=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"input_shape": (18, 16, 3)}, "images of 18 pixels cannot be halved 2 times; expected a multiple of 4"),
        ({"padding": "reflect"}, "padding is 'reflect'"),
        ({"padding": "valid", "input_shape": (61, 60, 3)}, "images of 61 pixels cannot be halved"),
        ({"padding": "valid", "input_shape": (None, None, 3)}, "expected fixed sizes, or padding='same'"),
        ({"filters": (4, 0)}, "filters is 0"),
        ({"skips": 3}, "skips is 3; expected 0 to 2"),
    ],
)
def test_what_cannot_be_built(options, said):
    with pytest.raises(zoo.errors.UsageError, match=said):
        unet(**{**PADDED, **options})


def test_skips_from_the_lowest_up():
    concatenations = [
        [layer.name for layer in unet(**PADDED, skips=skips).layers if layer.name.endswith("_concat")]
        for skips in (0, 1, 2)
    ]
    assert concatenations == [[], ["up2_concat"], ["up2_concat", "up1_concat"]]


def test_any_size_where_padded():
    model = unet(**{**PADDED, "input_shape": (None, None, 3)})
    assert model(np.zeros((1, 20, 32, 3), "float32")).shape == (1, 20, 32, 3)
