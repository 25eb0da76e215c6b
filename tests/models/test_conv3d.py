"""Convolutions along time: counts by hand, second statements in PyTorch, and what must hold for clips."""

import itertools
import math
from functools import partial

import keras
import numpy as np
import pytest
import samples
from keras import layers
from subjects import outline

import zoo
from zoo.errors import UsageError
from zoo.models.conv3d import factored_channels, inflate

FAMILY = ["c3d", "conv3d_demo", "frame_cnn", "mc3_18", "r2plus1d_18", "r3d_18"]
RESIDUAL = ["r3d_18", "mc3_18", "r2plus1d_18"]


def tiny(name, **options):
    return samples.fill(zoo.build(name, **{**zoo.info(name).tiny, **options}))


def clips(count=2, shape=(8, 16, 16, 1), seed=0):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype("float32")


def run(model, x):
    return samples.arrays(model(x, training=False))


def assert_close(ours, theirs, relative=1e-5):
    """The largest difference, as a fraction of the largest value."""
    assert ours.shape == theirs.shape
    assert np.isfinite(theirs).all() and np.abs(theirs).max() > 1e-3
    assert np.abs(ours - theirs).max() <= relative * np.abs(theirs).max()


# Sizes and counts


def test_the_chain_of_the_course_to_the_last_number():
    model = outline(partial(zoo.builder("conv3d_demo"), top=False))[0]
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers[1:]}
    assert shapes == {
        "conv1": (14, 152, 92, 10),  # 160x100x22 -> 152x92x14, time last
        "pool1": (14, 38, 23, 10),
        "conv2": (8, 34, 19, 30),  # 34x19x8
        "conv3": (4, 26, 12, 50),  # 26x12x4
    }
    counts = [layer.count_params() for layer in model.layers if layer.weights]
    assert counts == [9 * 9 * 9 * 3 * 10 + 10, 7 * 5 * 5 * 10 * 30 + 30, 5 * 9 * 8 * 30 * 50 + 50]
    assert sum(counts) == 614_460


def test_c3d_layer_by_layer():
    channels = [3, 64, 128, 256, 256, 512, 512, 512, 512]
    convolutions = sum(27 * before * after + after for before, after in itertools.pairwise(channels))
    assert convolutions == 27_655_936
    for classes, known in ((101, 78_409_573), (487, 79_991_015)):
        dense = sum(a * b + b for a, b in zip((512 * 4 * 4, 4096, 4096), (4096, 4096, classes)))
        assert convolutions + dense == known
        model = outline(partial(zoo.builder("c3d"), num_classes=classes))[0]
        assert sum(math.prod(weight.shape) for weight in model.weights) == known
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert shapes["pool1"] == (16, 56, 56, 64) and shapes["pool5"] == (1, 4, 4, 512)


PUBLISHED = {"r3d_18": (33_371_472, 40.697), "mc3_18": (11_695_440, 43.343), "r2plus1d_18": (31_505_325, 40.519)}


@pytest.mark.parametrize("name", RESIDUAL)
def test_counts_and_work_are_torchvisions(name):
    params, giga = PUBLISHED[name]  # torchvision's num_params and GFLOPS (multiply-adds), at 16 frames of 112x112
    model = outline(zoo.builder(name))[0]
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == params == zoo.info(name).params
    work = sum(row.multiply_adds for row in zoo.costs(model))
    assert work / 1e9 == pytest.approx(giga, abs=5e-4)


def test_the_middle_of_a_factored_convolution_keeps_the_weights():
    assert [factored_channels(*pair) for pair in ((64, 64), (64, 128), (128, 256))] == [144, 230, 460]
    for before, after in ((64, 64), (128, 256)):
        middle = factored_channels(before, after)
        assert middle * (9 * before + 3 * after) == pytest.approx(27 * before * after, rel=0.01)


# Second statements


class Reference:
    """The three residual networks in PyTorch, with torchvision's names for their weights."""

    def __init__(self, name, width=64, channels=3, classes=400):
        from torch import nn

        self.nn = nn
        net = nn.Module()
        if name == "r2plus1d_18":
            middle = math.floor(45 * width / 64)
            space, time = self.conv(channels, middle, (1, 7, 7), (1, 2, 2)), self.conv(middle, width, (3, 1, 1))
            net.stem = nn.Sequential(*space, *time)
        else:
            net.stem = nn.Sequential(*self.conv(channels, width, (3, 7, 7), (1, 2, 2)))
        before = width
        for stage in range(4):
            after, stride = width * 2**stage, 1 if stage == 0 else 2
            kind = {"r3d_18": "full", "mc3_18": "flat" if stage else "full", "r2plus1d_18": "factored"}[name]
            first, second = self.block(before, after, stride, kind), self.block(after, after, 1, kind)
            setattr(net, f"layer{stage + 1}", nn.ModuleList([first, second]))
            before = after
        net.fc = nn.Linear(before, classes)
        self.net = net.eval()

    def conv(self, before, after, size, stride=(1, 1, 1), relu=True):
        padding = tuple(side // 2 for side in size)
        parts = [self.nn.Conv3d(before, after, size, stride, padding, bias=False), self.nn.BatchNorm3d(after)]
        return [*parts, self.nn.ReLU()] if relu else parts

    def block(self, before, after, stride, kind):
        nn, middle = self.nn, 27 * before * after // (9 * before + 3 * after)

        def unit(before, stride, relu):
            if kind == "factored":
                space = self.conv(before, middle, (1, 3, 3), (1, stride, stride))
                time, *rest = self.conv(middle, after, (3, 1, 1), (stride, 1, 1), relu)
                return nn.Sequential(nn.Sequential(*space, time), *rest)
            size, strides = ((1, 3, 3), (1, stride, stride)) if kind == "flat" else ((3, 3, 3), (stride,) * 3)
            return nn.Sequential(*self.conv(before, after, size, strides, relu))

        block = nn.Module()
        block.conv1, block.conv2 = unit(before, stride, True), unit(after, 1, False)
        if stride > 1:
            strides = (1 if kind == "flat" else stride, stride, stride)
            block.downsample = nn.Sequential(*self.conv(before, after, (1, 1, 1), strides, relu=False))
        return block

    def __call__(self, x):
        import torch

        x = self.net.stem(x)
        for stage in range(1, 5):
            for block in getattr(self.net, f"layer{stage}"):
                y = block.conv2(block.conv1(x))
                x = torch.relu(y + (block.downsample(x) if hasattr(block, "downsample") else x))
        return self.net.fc(x.mean((2, 3, 4)))

    def state_dict(self):
        return self.net.state_dict()


def torch_name(path):
    """ "conv3_block1_2_time_bn/gamma" -> "layer2.0.conv2.1.weight", as torchvision calls it."""
    layer, _, weight = path.rpartition("/")
    part = {"conv": 0, "bn": 1}
    ending = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
    ending |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    words = layer.split("_")
    if words[0] == "logits":
        return f"fc.{ending[weight]}"
    if words[0] == "stem":
        return f"stem.{part[words[-1]] + 3 * ('time' in words)}.{ending[weight]}"
    stage, block, number = int(words[0][4:]) - 1, int(words[1][5:]) - 1, int(words[2])
    inner = {("space", "conv"): ".0.0", ("space", "bn"): ".0.1", ("time", "conv"): ".0.3", (None, "conv"): ".0"}
    unit = "downsample" if number == 0 else f"conv{number}"
    kind = words[3] if len(words) == 5 else None
    place = inner.get((kind, words[-1]), ".1")
    return f"layer{stage}.{block}.{unit}{place}.{ending[weight]}"


def torch_array(path, tensor):
    array = tensor.detach().numpy()
    if path.endswith("kernel"):
        return array.T if array.ndim == 2 else array.transpose(2, 3, 4, 1, 0)
    return array


def same_as(theirs, ours, shape):
    import torch

    torch.manual_seed(0)
    state = theirs.state_dict()
    for key, value in state.items():
        if "running_mean" in key:
            value.normal_(0, 0.3)
        elif value.ndim == 1:
            value.uniform_(0.5, 1.5)
    used = {torch_name(weight.path) for weight in ours.weights}
    assert used == {key for key in state if not key.endswith("num_batches_tracked")}
    for weight in ours.weights:
        weight.assign(torch_array(weight.path, state[torch_name(weight.path)]))
    x = clips(2, shape)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x.transpose(0, 4, 1, 2, 3).copy())).numpy()
    assert_close(run(ours, x), expected, relative=1e-4)


@pytest.mark.parametrize("name", RESIDUAL)
def test_same_numbers_as_a_second_statement_in_pytorch(name):
    pytest.importorskip("torch")
    shape = (5, 18, 22, 3)  # odd sizes on the way: 9, 5, 3 and 11, 6, 3
    ours = zoo.build(name, input_shape=shape, width=16, num_classes=7)
    same_as(Reference(name, width=16, classes=7), ours, shape)


@pytest.mark.slow
@pytest.mark.parametrize("name", RESIDUAL)
def test_same_numbers_as_torchvision(name):
    video = pytest.importorskip("torchvision.models.video")
    shape = (8, 32, 32, 3)
    same_as(getattr(video, name)(weights=None).eval(), zoo.build(name, input_shape=shape), shape)


# Laws


def for_images(model):
    """The twin of a network in two dimensions: every layer loses its first axis, every kernel all but its middle."""

    def twin(layer):
        config, kind = layer.get_config(), type(layer).__name__
        if not kind.endswith("3D"):
            return type(layer).from_config(config)
        for key in ("kernel_size", "strides", "pool_size", "dilation_rate", "cropping"):
            if key in config:
                config[key] = config[key][1:]
        if kind == "ZeroPadding3D":
            config["padding"] = config["padding"][1:]
        return getattr(layers, kind.replace("3D", "2D")).from_config(config)

    image = keras.Input(model.input.shape[2:], name="picture")
    flat = keras.models.clone_model(model, input_tensors=image, clone_function=twin)
    for ours, theirs in zip(flat.weights, model.weights, strict=True):
        value = keras.ops.convert_to_numpy(theirs)
        ours.assign(value[value.shape[0] // 2] if value.ndim == 5 else value)
    return flat


@pytest.mark.parametrize("name", FAMILY)
def test_a_clip_of_one_frame_is_a_image(name):
    """At T = 1 only the middle of a kernel meets anything, and all is as in two dimensions."""
    flat = {"kernels": ((1, 3, 3),) * 3} if name == "conv3d_demo" else {}
    model = tiny(name, input_shape=(1, 16, 16, 3), **flat)
    twin = for_images(model)
    assert not [layer.name for layer in twin.layers if type(layer).__name__.endswith("3D")]
    x = clips(3, (1, 16, 16, 3))
    assert_close(run(model, x), run(twin, x[:, 0]))


def test_inflated_kernels_see_a_still_clip_as_a_image():
    """Without padding in time, exactly so at every depth."""
    image = tiny("conv3d_demo", input_shape=(1, 16, 16, 1), kernels=((1, 3, 3),) * 3)
    for depths in ((3, 3, 3), (5, 2, 1)):
        model = zoo.build(
            "conv3d_demo",
            input_shape=(9, 16, 16, 1),
            kernels=[(depth, 3, 3) for depth in depths],
            pool=(1, 2, 2),
            filters=(8, 8, 8),
        )
        for ours, theirs in zip(model.weights, image.weights, strict=True):
            value = keras.ops.convert_to_numpy(theirs)
            ours.assign(inflate(value[0], ours.shape[0]) if value.ndim == 5 else value)
        frame = clips(3, (1, 16, 16, 1))
        assert_close(run(model, np.repeat(frame, 9, axis=1)), run(image, frame))
        assert np.abs(run(model, clips(3, (9, 16, 16, 1))) - run(image, frame)).max() > 1e-2, "motion tells"


@pytest.mark.parametrize("name", ["r3d_18", "r2plus1d_18", "c3d"])
def test_inflated_kernels_agree_away_from_the_ends_where_time_is_padded(name):
    """The maps of the first layers in the middle of a still clip are those of the image."""
    options = {"input_shape": (1, 16, 16, 1)}
    layer = "pool1" if name == "c3d" else "conv2_block1_out"
    image, model = tiny(name, **options), tiny(name, input_shape=(15, 16, 16, 1))
    for ours, theirs in zip(model.weights, image.weights):
        value = keras.ops.convert_to_numpy(theirs)
        if value.ndim == 5:
            ours.assign(inflate(value[value.shape[0] // 2], value.shape[0]))
    frame = clips(2, (1, 16, 16, 1))
    ours, theirs = (keras.Model(each.input, each.get_layer(layer).output) for each in (model, image))
    maps = run(ours, np.repeat(frame, 15, axis=1))
    assert_close(maps[:, 7:8], run(theirs, frame))
    assert not np.allclose(maps[:, 0], maps[:, 7]), "the first frame meets the padding"


def directions(kernels):
    """Two filters that see a dot move to the right and to the left, written down by hand: logits (right, left)."""
    model = zoo.build(
        "conv3d_demo", input_shape=(5, 1, 8, 1), filters=(2,), kernels=kernels, pool=(1, 1, 1), num_classes=2
    )
    right = np.float32([[1, 0], [0, 1]])  # (time, column): first here, then one further
    kernel = np.stack([right, right[:, ::-1]], axis=-1)[:, None, :, None, :]
    model.set_weights([kernel, np.full(2, -1, "float32"), np.eye(2, dtype="float32"), np.zeros(2, "float32")])
    return model


def test_time_reversed_clips_are_called_the_opposite():
    model = directions(((2, 1, 2),))
    clip = np.zeros((1, 5, 1, 8, 1), "float32")
    clip[0, range(5), 0, range(1, 6)] = 1
    right, left = run(model, clip)[0]
    assert right == pytest.approx(4 / 28) and left == 0  # 4 pairs of frames, 4 x 7 places
    assert run(model, clip[:, ::-1])[0].tolist() == [left, right]
    shuffled = run(model, clip[:, [2, 0, 3, 1, 4]])[0]
    assert shuffled.max() < right


@pytest.mark.parametrize("name", FAMILY)
def test_the_order_of_frames_matters_to_kernels_that_reach_over_time(name):
    model = tiny(name)
    x = clips(2)
    order = [3, 1, 7, 0, 4, 2, 6, 5]  # the middle frame stays
    changed = np.abs(run(model, x[:, order]) - run(model, x)).max()
    assert (changed < 1e-5) == (name == "frame_cnn")


def test_without_depth_and_padding_time_has_no_order():
    model = tiny("conv3d_demo", kernels=((1, 3, 3),) * 3)
    x = clips(2)
    assert_close(run(model, x[:, ::-1]), run(model, x))


def test_frame_cnn_sees_the_middle_frame_alone():
    model, x = tiny("frame_cnn"), clips(2)
    other = clips(2, seed=1)
    other[:, 4] = x[:, 4]
    np.testing.assert_array_equal(run(model, other), run(model, x))
    other[:, 4] = 0
    assert not np.allclose(run(model, other), run(model, x))


def test_a_filter_as_long_as_the_series_is_the_linear_model():
    line, conv = samples.fill(zoo.build("lagged_linear")), zoo.build("conv1d", filters=(1,), kernel_size=7)
    weights, bias = line.get_weights()
    shift = np.float32([100])  # so that the ReLU lets all pass
    conv.set_weights([weights[:, :, None], bias + shift, np.float32([[1]]), -shift])
    x = np.random.default_rng(0).normal(size=(5, 7)).astype("float32")
    np.testing.assert_allclose(run(conv, x), run(line, x), atol=1e-4)


def test_conv1d_is_the_same_everywhere_along_the_series():
    model = samples.fill(zoo.build("conv1d", input_shape=(12, 2)))
    maps = keras.Model(model.input, model.get_layer("conv2").output)
    x = np.random.default_rng(0).normal(size=(1, 12, 2)).astype("float32")
    moved = np.roll(x, 3, axis=1)
    np.testing.assert_allclose(run(maps, moved)[:, 3:], run(maps, x)[:, :-3], atol=1e-5)


# What cannot be


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("r3d_18", {"input_shape": (112, 112, 3)}, "takes clips of (time, height, width, channels)"),
        ("c3d", {"input_shape": (112, 112)}, "takes clips of"),
        ("frame_cnn", {"input_shape": (None, 8, 8, 1)}, "say how many there are"),
        ("conv3d_demo", {"input_shape": (18, 160, 100, 3)}, "clips of 18 frames of 160x100 run out in conv3d_demo"),
        ("conv3d_demo", {"filters": (8, 8)}, "2 filters and 3 kernels"),
        ("conv1d", {"input_shape": (4,)}, "a series of 4 runs out in conv1d; expected at least 5"),
    ],
)
def test_impossible_sizes_are_said_in_one_line(name, options, message):
    with pytest.raises(UsageError) as caught:
        zoo.build(name, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("axis", range(3))
def test_the_smallest_clip_of_conv3d_demo_is_the_smallest(axis):
    size = [11 + 8, 4 * 13 + 8, 4 * 12 + 8]  # conv2 and conv3 need 6 + 4 + 1 frames, 4 + 8 + 1 rows, 4 + 7 + 1 columns
    options = {"filters": (8, 8, 8)}
    assert zoo.build("conv3d_demo", input_shape=(*size, 1), top=False, **options).output_shape[1:4] == (1, 1, 1)
    size[axis] -= 1
    with pytest.raises(UsageError, match="run out"):
        zoo.build("conv3d_demo", input_shape=(*size, 1), **options)
