"""Weights in files: every layout into every kind of place, and nothing at all where something does not fit."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import weight_files
from weight_files import randomise, same, save_keras, save_legacy, save_safetensors, values

import zoo
from zoo import factory, records, registry
from zoo.preprocessing import PIXELS
from zoo.weights import backbone_names, converters, formats, loading

SMALL = {"input_shape": (32, 32, 3), "width": 4, "blocks": (1, 1, 1, 1), "num_classes": 5}  # of resnet18
WRITERS = {"legacy": save_legacy, "keras": save_keras, "safetensors": save_safetensors}
ENDINGS = {"legacy": ".h5", "keras": ".weights.h5", "safetensors": ".safetensors"}


def outputs(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def images(*shape):
    return np.random.default_rng(3).normal(size=shape).astype("float32")


def small(**options):
    return zoo.build("resnet18", **{**SMALL, **options})


@pytest.fixture(scope="module")
def network():
    return randomise(small())


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    """The network in every layout."""
    folder = tmp_path_factory.mktemp("layouts")
    return {layout: write(network, folder / f"net{ENDINGS[layout]}") for layout, write in WRITERS.items()}


def refused(model, path, **options):
    """The one line that a file is refused with; the network keeps every bit."""
    before = values(model)
    with pytest.raises(zoo.UsageError) as caught:
        zoo.load_weights(model, path, **options)
    assert same(values(model), before), "the network was changed"
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    return str(caught.value)


# Every layout, whole


@pytest.mark.parametrize("layout", WRITERS)
def test_round_trip_is_exact(layout, network, files):
    other = small()
    report = zoo.load_weights(other, files[layout])
    assert same(values(other), values(network))
    assert sorted(report.loaded) == sorted(values(network))
    assert not report.adapted and not report.new and not report.unused


def test_whole_models_saved_by_keras_2_are_read(network, tmp_path):
    network.save(tmp_path / "whole.h5")
    other = small()
    zoo.load_weights(other, tmp_path / "whole.h5")
    assert same(values(other), values(network))


@pytest.mark.parametrize("name", ["mlp", "lenet5_1998", "inception_v1", "vgg16_small"])
def test_other_families_round_trip_too(name, tmp_path):
    options = zoo.info(name).tiny
    one, two = (zoo.build(name, **options) for _ in range(2))
    randomise(one)
    zoo.load_weights(two, save_keras(one, tmp_path / "net.weights.h5"))
    assert same(values(one), values(two))


@pytest.mark.slow
def test_an_optimizer_in_the_file_is_not_the_networks(network, tmp_path):
    trained = small()
    trained.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    trained.fit(images(4, 32, 32, 3), np.arange(4), verbose=0)
    other = small()
    report = zoo.load_weights(other, save_keras(trained, tmp_path / "net.weights.h5"))
    assert same(values(other), values(trained))
    assert report.unused and set(report.unused.values()) == {"not of the network"}


def test_float16_is_widened_and_said(network, tmp_path):
    from safetensors.numpy import save_file

    halves = {path: value.astype("float16") for path, value in values(network).items()}
    save_file(halves, tmp_path / "half.safetensors")
    other = small()
    report = zoo.load_weights(other, tmp_path / "half.safetensors")
    assert all(np.array_equal(value, halves[path].astype("float32")) for path, value in values(other).items())
    assert set(report.adapted.values()) == {"from float16 to float32"}
    assert len(report.adapted) == len(report.loaded)


def test_the_graph_does_not_depend_on_weights(files):
    with_, without = small(weights=files["keras"]), small()
    assert with_.to_json() == without.to_json()


# Parity with the files of keras.applications


def same_outputs(ours, theirs, x):
    expected = outputs(theirs, x)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(outputs(ours, x), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_resnet50_of_keras_applications(tmp_path):
    """Its file, from its own layers; the head is called "probs" in the published one."""
    shape = (64, 64, 3)
    theirs = keras.applications.ResNet50(weights=None, input_shape=shape, classes=10, classifier_activation=None)
    randomise(theirs)
    path = save_legacy(theirs, tmp_path / "resnet50.h5", rename=lambda layer: layer.replace("predictions", "probs"))
    ours = zoo.build("resnet50", input_shape=shape, num_classes=10, weights=path)
    same_outputs(ours, theirs, images(2, *shape))
    body = zoo.build("resnet50", input_shape=shape, top=False)
    report = zoo.load_weights(body, path)
    assert set(report.unused) == {"probs/probs/kernel:0", "probs/probs/bias:0"}
    kept = {path: value for path, value in values(ours).items() if not path.startswith("logits")}
    assert same(values(body), kept)
    assert "lacks conv4_block7_1_conv" in refused(zoo.build("resnet101", input_shape=shape, num_classes=10), path)


def test_vgg16_of_keras_applications_without_its_top(tmp_path):
    """Names of weights as in the published file, which are not those of the variables."""
    theirs = randomise(keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3)))
    path = save_legacy(theirs, tmp_path / "vgg16.h5", weight_name="{layer}_{weight}_1:0")
    ours = zoo.build("vgg16", input_shape=(32, 32, 3), top=False, weights=path)
    same_outputs(ours, theirs, images(2, 32, 32, 3))
    assert "lacks block3_conv4, block4_conv4, block5_conv4" in refused(
        zoo.build("vgg19", input_shape=(32, 32, 3), top=False), path
    )


@pytest.mark.slow
def test_inception_v3_of_keras_applications_by_order(tmp_path):
    """Its layers are conv2d_17 and the like: Keras's count in one process, so that only the order can tell."""
    keras.layers.Conv2D(1, 1)  # moves the count on
    shape = (75, 75, 3)
    theirs = keras.applications.InceptionV3(weights=None, input_shape=shape, include_top=False)
    path = save_legacy(randomise(theirs), tmp_path / "v3.h5")
    ours = zoo.build("inception_v3", input_shape=shape, top=False, weights=path)
    same_outputs(ours, theirs, images(1, *shape))
    topped = zoo.build("inception_v3", input_shape=shape, num_classes=3)
    assert set(zoo.load_weights(topped, path).new) == {"predictions/kernel", "predictions/bias"}
    assert "expected the layers of" in refused(zoo.build("lenet5"), path) or "in the order" in refused(
        zoo.build("lenet5"), path
    )


# State dicts of PyTorch

TOWERS = {value: key for key, value in backbone_names.GOOGLENET_TOWERS.items()}


def torch_names(model):
    """The layers of a network by their names in torchvision: the tables of the converters, told backwards."""
    names = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        name = layer.name
        if name.startswith("inception_"):
            module, _, tower = name.removeprefix("inception_").partition("_")
            kind = "bn" if tower.endswith("_bn") else "conv"
            there = f"inception{module}.{TOWERS[tower.removesuffix('_bn')]}.{kind}"
        elif model.name == "inception_v1":
            kind = "bn" if name.endswith("_bn") else "conv"
            stem = {"conv1": "conv1", "conv2_reduce": "conv2", "conv2": "conv3"}
            there = "fc" if name == "logits" else f"{stem[name.removesuffix('_bn')]}.{kind}"
        elif model.name == "alexnet_owt":
            there = next(key for key, value in converters.ALEXNET.items() if value == name)
        elif "_block" in name:
            stage, block, number, kind = name.removeprefix("conv").replace("block", "").split("_")
            part = f"{kind}{number}" if number != "0" else f"downsample.{'01'[kind == 'bn']}"
            there = f"layer{int(stage) - 1}.{int(block) - 1}.{part}"
        else:
            there = {"conv1_conv": "conv1", "conv1_bn": "bn1", "logits": "fc"}[name]
        names[name] = there
    return names


V1_5 = {**SMALL, "stride_in": "3x3", "use_bias": False}
OWT = {"input_shape": (95, 127, 3), "width": 0.0625, "num_classes": 5}
GOOGLENET = {"input_shape": (32, 32, 3), "width": 0.125, "num_classes": 5, "batch_norm": True}


@pytest.mark.parametrize(
    ("name", "options", "ending"),
    [
        ("resnet18", SMALL, ".pth"),
        ("resnet18", SMALL, ".legacy.pth"),
        ("resnet18", SMALL, ".safetensors"),
        ("resnet50", V1_5, ".safetensors"),
        ("alexnet_owt", OWT, ".pth"),
        ("inception_v1", GOOGLENET, ".legacy.pth"),
    ],
)
def test_state_dicts_fit(name, options, ending, tmp_path):
    """From the layout of PyTorch and back; that the layouts compute the same is shown in `tests/models`."""
    if ending.endswith(".pth"):
        pytest.importorskip("torch")
    one, two = (randomise(zoo.build(name, **options), seed) for seed in (1, 2))
    state = weight_files.to_torch(one, torch_names(one))
    if name == "inception_v1":
        state["aux1.fc1.weight"] = np.zeros((16, 8), "float32")
    if ending == ".safetensors":
        path = weight_files.save_state_safetensors(state, tmp_path / "net.safetensors")
    else:
        legacy = {"_use_new_zipfile_serialization": False} if "legacy" in ending else {}
        path = weight_files.save_torch(state, tmp_path / "net.pth", **legacy)
    report = zoo.load_weights(two, path)
    assert same(values(one), values(two))
    counters = {key for key in state if key.endswith("num_batches_tracked")}
    assert set(report.unused) == counters | {key for key in state if key.startswith("aux")}


def test_an_unknown_state_dict_is_refused(tmp_path):
    path = weight_files.save_state_safetensors({"encoder.0.weight": np.zeros((2, 2), "float32")}, tmp_path / "a.st")
    said = refused(small(), path)
    assert "no converter" in said and "ResNet" in said


# Head, top, auxiliary heads


@pytest.mark.parametrize("layout", WRITERS)
def test_another_number_of_classes_replaces_only_the_head(layout, network, files):
    other = small(num_classes=7)
    fresh = values(other)
    report = zoo.load_weights(other, files[layout])
    head = {"logits/kernel", "logits/bias"}
    assert set(report.new) == head and set(report.new.values()) == {"5 classes in the file, 7 here"}
    assert len(report.unused) == 2
    body = {path: value for path, value in values(network).items() if path not in head}
    assert same({path: value for path, value in values(other).items() if path not in head}, body)
    assert all(np.array_equal(values(other)[path], fresh[path]) for path in head)
    assert "newly initialised: logits/kernel, logits/bias (5 classes in the file, 7 here)" in str(report)


def test_class_maps_that_are_averaged_are_the_head(tmp_path):
    """As in SqueezeNet and Network in Network: nothing with weights comes after them."""

    def averaged(classes):
        image = keras.Input((8, 8, 3), name="image")
        maps = keras.layers.Conv2D(6, 3, name="conv")(image)
        maps = keras.layers.Conv2D(classes, 1, name="class_maps")(maps)
        return keras.Model(image, keras.layers.GlobalAveragePooling2D(name="logits")(maps))

    network, other = randomise(averaged(5)), averaged(7)
    report = zoo.load_weights(other, save_safetensors(network, tmp_path / "net.safetensors"))
    assert set(report.new) == {"class_maps/kernel", "class_maps/bias"}
    assert np.array_equal(other.get_layer("conv").kernel, network.get_layer("conv").kernel)


@pytest.mark.parametrize("layout", WRITERS)
def test_a_file_with_a_top_fills_a_network_without(layout, network, files):
    body = small(top=False)
    report = zoo.load_weights(body, files[layout])
    assert not report.new and len(report.unused) == 2
    assert all(np.array_equal(value, values(network)[path]) for path, value in values(body).items())


def test_a_file_without_a_top_leaves_all_of_the_top_fresh(tmp_path):
    options = {"input_shape": (32, 32, 3), "width": 0.125, "num_classes": 5}
    path = save_legacy(randomise(zoo.build("vgg11", top=False, **options)), tmp_path / "body.h5")
    report = zoo.load_weights(zoo.build("vgg11", **options), path)
    assert {key.split("/")[0] for key in report.new} == {"fc1", "fc2", "predictions"}


def test_a_part_of_a_top_is_no_explanation(tmp_path):
    """fc1 alone is missing: that is another network, not one without its top."""
    options = {"input_shape": (32, 32, 3), "width": 0.125, "num_classes": 5}
    path = save_legacy(zoo.build("vgg11", **options), tmp_path / "all.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = np.array([name for name in file.attrs["layer_names"] if name != b"fc1"])
    assert "lacks fc1" in refused(zoo.build("vgg11", **options), path)


def test_dense_layers_that_read_other_maps_are_refused(tmp_path):
    options = {"width": 0.125, "num_classes": 5}
    path = save_legacy(zoo.build("vgg11", input_shape=(32, 32, 3), **options), tmp_path / "32.h5")
    said = refused(zoo.build("vgg11", input_shape=(64, 64, 3), **options), path)
    assert "fc1/kernel is (64, 512) there and (256, 512) here" in said and "input_shape" in said


@pytest.mark.parametrize("layout", WRITERS)
def test_auxiliary_heads_come_and_go(layout, tmp_path):
    options = {"input_shape": (65, 65, 3), "width": 0.125, "num_classes": 5}
    with_, without = (zoo.build("inception_v1", auxiliary=flag, **options) for flag in (True, False))
    randomise(with_), randomise(without)
    report = zoo.load_weights(without, WRITERS[layout](with_, tmp_path / f"with{ENDINGS[layout]}"))
    assert len(report.unused) == 12 and set(report.unused.values()) == {"an auxiliary head"}
    assert all(np.array_equal(value, values(with_)[path]) for path, value in values(without).items())
    report = zoo.load_weights(with_, WRITERS[layout](without, tmp_path / f"without{ENDINGS[layout]}"))
    assert report.new and all(key.startswith("auxiliary") for key in report.new)


def test_names_noted_beside_keras_s_paths_decide(network, tmp_path):
    """Without them, as older Keras wrote, the paths do: kinds of layers and their numbers."""
    path = save_keras(network, tmp_path / "net.weights.h5")
    with h5py.File(path, "r+") as file:
        for layer in file["layers"].values():
            del layer["vars"].attrs["name"]
    other = small()
    zoo.load_weights(other, path)
    assert same(values(other), values(network))


# Input channels


@pytest.mark.parametrize("layout", WRITERS)
def test_a_grey_image_gives_the_logits_of_its_copy_in_three_channels(layout, network, files):
    grey = small(input_shape=(32, 32, 1))
    report = zoo.load_weights(grey, files[layout])
    assert report.adapted == {"conv1_conv/kernel": "3 input channels in the file, 1 here"}
    x = images(2, 32, 32, 1)
    same_outputs_of(grey, x, network, np.repeat(x, 3, axis=-1))


def same_outputs_of(one, x, other, y, tolerance=1e-5):
    expected = outputs(other, y)
    np.testing.assert_allclose(outputs(one, x), expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_repeated_channels_give_what_three_gave(network, files):
    for count in (6, 9):
        wide = small(input_shape=(32, 32, count))
        zoo.load_weights(wide, files["keras"])
        x = images(2, 32, 32, 3)
        same_outputs_of(wide, np.concatenate([x] * (count // 3), axis=-1), network, x)


def test_four_channels_keep_the_size_of_the_sum(network, files):
    wide = small(input_shape=(32, 32, 4))
    zoo.load_weights(wide, files["keras"])
    kernel, there = values(wide)["conv1_conv/kernel"], values(network)["conv1_conv/kernel"]
    np.testing.assert_allclose(kernel, there[:, :, [0, 1, 2, 0]] * 0.75, rtol=1e-6)


def scaled(image, pixels):
    """An image of 0..255 as a network with these weights wants it."""
    image = image[..., ::-1] if pixels.order == "bgr" else image
    return ((image - np.array(pixels.mean)) / np.array(pixels.std)).astype("float32")


@pytest.mark.parametrize(
    ("name", "preprocessing"),
    [  # AlexNet's convolutions have a bias
        pytest.param("inception_v3", "torch", marks=pytest.mark.slow),
        *(("alexnet", each) for each in ("caffe", "torch", "tf")),
    ],
)
def test_grey_equals_colour_where_each_channel_has_its_own_mean(name, preprocessing, tmp_path):
    """Exact where the first convolution has no padding: kernels take the deviations, the bias (or the running mean of
    the normalisation) the means."""
    options = {**zoo.info(name).tiny}
    height, width, _ = options["input_shape"]
    colour = randomise(zoo.build(name, **options))
    grey = zoo.build(name, **{**options, "input_shape": (height, width, 1)})
    path = save_keras(colour, tmp_path / "colour.weights.h5")
    zoo.load_weights(grey, path, preprocessing=preprocessing)
    image = np.random.default_rng(0).uniform(0, 255, (2, height, width, 1))
    pixels = PIXELS[preprocessing]
    same_outputs_of(
        grey, scaled(image, pixels.of(1)), colour, scaled(np.repeat(image, 3, axis=-1), pixels), tolerance=1e-4
    )


@pytest.mark.parametrize("preprocessing", ["caffe", "torch"])
def test_with_padding_only_the_border_differs(preprocessing, network, files):
    """resnet18 pads the image by 3 and has no bias: its first normalised maps are equal where no padding is seen."""
    grey = small(input_shape=(32, 32, 1))
    zoo.load_weights(grey, files["keras"], preprocessing=preprocessing)
    image = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 1))
    pixels = PIXELS[preprocessing]
    maps = [keras.Model(model.input, model.get_layer("conv1_bn").output) for model in (grey, network)]
    ours = outputs(maps[0], scaled(image, pixels.of(1)))
    theirs = outputs(maps[1], scaled(np.repeat(image, 3, axis=-1), pixels))
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours[:, 2:-2, 2:-2], theirs[:, 2:-2, 2:-2], rtol=0, atol=1e-5 * scale)
    assert 1e-4 * scale < np.abs(ours - theirs).max() < 0.2 * scale


def test_a_constant_needs_a_place(tmp_path):
    def build(count):
        image = keras.Input((8, 8, count))
        return keras.Model(image, keras.layers.Conv2D(2, 3, use_bias=False, name="only")(image))

    path = save_legacy(build(3), tmp_path / "a.h5")
    assert "neither a bias nor" in refused(build(1), path, preprocessing="caffe")
    zoo.load_weights(build(1), path, preprocessing="tf")  # one mean for all: nothing is left over


def test_other_preprocessing_is_unknown(files):
    assert "did you mean caffe" in refused(small(), files["keras"], preprocessing="cafe")


# build(weights=...)


def test_build_says_what_is_wrong_before_it_builds(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "builder", lambda name: pytest.fail("built"))
    for weights, says in (
        ("imagenette", "there is no tag of weights for resnet18 'imagenette'; did you mean imagenet?"),
        (tmp_path / "none.h5", "there is no file"),
        ("nowhere/none.h5", "there is no file nowhere/none.h5"),
        ("http://example.org/a.h5", "expected https://"),
        ("ftp://example.org/a.h5", "expected https://"),
    ):
        with pytest.raises(zoo.UsageError) as caught:
            zoo.build("resnet18", weights=weights)
        assert says in str(caught.value)


@pytest.fixture
def cached(monkeypatch, tmp_path):
    """An offline machine whose cache can be filled: `cached(name, file)` puts a file where a tag's is kept."""
    from zoo.weights import fetching

    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")

    def put(url, content):
        path = fetching.cached_path(url)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)

    return put


@pytest.fixture
def published(monkeypatch, files, cached):
    """resnet18's card with the small network's file behind the tag, which is in the cache."""
    import hashlib

    content = files["legacy"].read_bytes()
    weights = zoo.Weights(
        tag="small", url="https://example.org/small.h5", hash=f"sha256:{hashlib.sha256(content).hexdigest()}",
        size=len(content), preprocessing="torch", licence="none", options={"stem": "7x7"},
    )  # fmt: skip
    card = records.replace(zoo.info("resnet18"), weights=(weights,))
    monkeypatch.setitem(registry.cards(), "resnet18", card)
    cached(weights.url, content)
    return weights


def test_a_tag_loads_and_the_same_number_of_classes_keeps_the_head(published, network, caplog):
    with caplog.at_level("INFO", "zoo"):
        model = small(weights="small")
    assert same(values(model), values(network))
    assert "62 weights loaded from" in caplog.text
    other = small()
    assert len(zoo.load_weights(other, "small").loaded) == 62, "what build made knows the tags of its card"
    assert same(values(other), values(network))


def test_a_tag_brings_its_preprocessing(published, network, files):
    by_tag, by_path = small(input_shape=(32, 32, 1), weights="small"), small(input_shape=(32, 32, 1))
    zoo.load_weights(by_path, files["legacy"], preprocessing="torch")
    assert same({k: v for k, v in values(by_tag).items()}, values(by_path))


def test_build_takes_the_preprocessing_of_a_file(files):
    built = small(input_shape=(32, 32, 1), weights=files["legacy"], preprocessing="torch")
    loaded = small(input_shape=(32, 32, 1))
    zoo.load_weights(loaded, files["legacy"], preprocessing="torch")
    assert same(values(built), values(loaded))
    with pytest.raises(zoo.UsageError, match="did you mean torch"):
        small(weights=files["legacy"], preprocessing="troch")


def test_options_that_no_shape_shows_are_compared(published):
    with pytest.raises(zoo.UsageError, match="are for stem='7x7' and stem is '3x3'; build with stem='7x7'"):
        small(weights="small", stem="3x3")
    with pytest.raises(zoo.UsageError, match="'imagenet' of resnet50 are for stride_in='1x1' and stride_in is '3x3'"):
        zoo.build("resnet50", stride_in="3x3", weights="imagenet")
    with pytest.raises(zoo.UsageError, match="are for batch_norm=True and batch_norm is False; build with batch_norm"):
        zoo.build("inception_v1", weights="imagenet")


def test_a_model_that_build_did_not_make_has_no_tags(files):
    model = zoo.builder("resnet18")(**SMALL)
    with pytest.raises(zoo.UsageError, match=r"a network that zoo.build did not make; expected the path or https"):
        zoo.load_weights(model, "imagenet")


def test_offline_says_which_file_to_put_where(cached):
    from zoo.weights import fetching

    record = zoo.info("resnet50").weights[1]
    with pytest.raises(zoo.UsageError) as caught:
        zoo.build("resnet50", top=False, weights="imagenet")
    for text in ("ZOO_OFFLINE", str(fetching.cached_path(record.url)), record.url, "94,765,736 bytes", record.hash):
        assert text in str(caught.value)


def test_a_wrong_file_in_the_place_of_a_published_one_is_named_and_kept(cached):
    from zoo.weights import fetching

    record = zoo.info("resnet152").weights[0]
    cached(record.url, b"a user's own")
    with pytest.raises(zoo.UsageError, match=r"is another file: its md5 is .* move it away, it is not overwritten"):
        zoo.build("resnet152", weights="imagenet")
    assert fetching.cached_path(record.url).read_bytes() == b"a user's own"


def test_every_record_on_a_card_is_complete():
    found = 0
    for name in zoo.list_models(pretrained=True):
        card = zoo.info(name)
        tags = [weights.tag for weights in card.weights]
        classifies = card.task == "image_classification"
        assert len(set(tags)) == len(tags) and ("imagenet" if classifies else "imagenet_notop") in tags
        for weights in card.weights:
            found += 1
            assert weights.url.startswith("https://") and weights.licence
            assert weights.preprocessing in PIXELS
            assert weights.hash or name == "mobilenet_v2", "of that one alone Keras ships no hash"
            algorithm, _, digits = weights.hash.partition(":")
            assert (algorithm, len(digits)) in (("md5", 32), ("sha256", 8), ("sha256", 64), ("", 0))
            assert len(digits) != 8 or weights.url.endswith(f"-{digits}.pth"), "PyTorch puts the hash in the name"
            assert weights.top == (not weights.tag.endswith("_notop")) == bool(weights.published)
            assert all(not figure.measured and figure.source for figure in weights.published)
            factory.checked_options(name, weights.options)
    assert found == 102


KERAS_FILES = {  # the sources, by how the names here begin
    "resnet": "resnet", "densenet": "densenet", "efficientnet_v2": "efficientnet_v2", "efficientnet": "efficientnet",
    "convnext": "convnext", "mobilenet_v2": "mobilenet_v2", "mobilenet_v3": "mobilenet_v3", "vgg16": "vgg16",
    "fcn8_vgg16": "vgg16", "ssd300_vgg16": "vgg16", "faster_rcnn": "resnet", "mask_rcnn": "resnet",
    "vgg19": "vgg19", "inception_v3": "inception_v3", "inception_resnet_v2": "inception_resnet_v2",
    "xception": "xception",
}  # fmt: skip
KERAS_NAMES = {
    "fcn8_vgg16": "vgg16", "ssd300_vgg16": "vgg16", "faster_rcnn_resnet50_fpn": "resnet50",
    "mask_rcnn_resnet50_fpn": "resnet50",
    "mobilenet_v3_small": "mobilenet_v3_small_224_1.0", "mobilenet_v3_large": "mobilenet_v3_large_224_1.0",
    **{f"efficientnet_b{number}": f"efficientnetb{number}" for number in range(8)},
    **{f"efficientnet_v2_{size}": f"efficientnetv2-{size}" for size in ("b0", "b1", "b2", "b3", "s", "m", "l")},
}  # fmt: skip


def test_hashes_and_addresses_are_those_of_keras_applications():
    """Against the sources of the Keras that is installed."""
    sources = Path(keras.applications.__file__).parents[1] / "src" / "applications"
    for name in zoo.list_models(pretrained=True):
        for weights in zoo.info(name).weights:
            if "keras-applications" not in weights.url:
                continue
            file = next(file for prefix, file in KERAS_FILES.items() if name.startswith(prefix))
            text = (sources / f"{file}.py").read_text()
            assert weights.hash.partition(":")[2] in text
            folder, _, last = weights.url.rpartition("/")
            assert f'{folder}/"' in text.replace('"\n    "', "") or f"{folder.rpartition('/')[0]}/" in text
            notop = last.removesuffix(".h5").endswith(("notop", "no_top", "no_top_v2"))
            assert last.endswith(".h5") and notop == (not weights.top)
            assert KERAS_NAMES.get(name, name) in last


def test_info_and_list_show_them(capsys):
    from zoo import cli

    assert cli.main(["info", "resnet50"]) == 0
    out = capsys.readouterr().out
    for text in (
        "imagenet: 1,000 classes, caffe preprocessing, 103 MB, MIT",
        "accuracy 0.749 [keras.io",
        "not measured",
    ):
        assert text in out
    assert cli.main(["list", "--pretrained"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == zoo.list_models(pretrained=True)


# What is no file of weights


def test_the_weights_of_a_whole_network(network, tmp_path):
    network.save(tmp_path / "model.keras")
    other = small()
    zoo.load_weights(other, tmp_path / "model.keras")
    for ours, theirs in zip(other.weights, network.weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (ours, theirs)))


def test_files_of_other_kinds_are_named(tmp_path):
    kinds = {
        "empty": (b"", "is empty"),
        "html": (b"<!DOCTYPE html><html>not found</html>", "is a web page"),
        "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a git-lfs pointer"),
        "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a server's refusal"),
        "gzip": (b"\x1f\x8b\x08\x00", "is compressed"),
        "text": (b"hello, world", "in no layout known here"),
    }
    for name, (content, says) in kinds.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert says in refused(small(), path)
    assert "there is no file" in refused(small(), tmp_path / "nothing.h5")
    assert "there is no file" in refused(small(), tmp_path)


@pytest.mark.parametrize("layout", WRITERS)
def test_a_hash_is_checked_first(layout, files):
    import hashlib

    content = files[layout].read_bytes()
    right = {name: hashlib.new(name, content).hexdigest() for name in ("md5", "sha256")}
    zoo.load_weights(small(), files[layout], hash=f"sha256:{right['sha256'][:8].upper()}")
    zoo.load_weights(small(), files[layout], hash=f"md5:{right['md5']}")
    assert "its sha256 is" in refused(small(), files[layout], hash="sha256:" + "0" * 64)
    for wrong in ("sha256:12", "crc:12345678", right["md5"]):
        assert "expected 'sha256:' or 'md5:'" in refused(small(), files[layout], hash=wrong)


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(layout, value, tmp_path):
    broken = randomise(small())
    variable = broken.get_layer("logits").bias  # the last one: all others fit
    variable.assign(np.where(np.arange(5) == 3, value, 0.0))
    assert "not finite" in refused(small(), WRITERS[layout](broken, tmp_path / f"a{ENDINGS[layout]}"))


def test_swapped_statistics_are_refused(tmp_path):
    """Means are negative as often as not; variances never."""
    broken = randomise(small())
    layer = broken.get_layer("conv1_bn")
    gamma, beta, mean, variance = map(np.copy, layer.get_weights())
    layer.set_weights([gamma, beta, variance, mean])
    assert "negative variances" in refused(small(), save_legacy(broken, tmp_path / "a.h5"))


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.parametrize(
    "options",
    [{"width": 8}, {"blocks": (1, 1, 1, 2)}, {"blocks": (2, 1, 1, 1)}, {"stem": "3x3"}],
    ids=["width", "deeper", "in the middle", "stem"],
)
def test_another_network_is_refused(layout, options, files):
    said = refused(small(**options), files[layout])
    assert "another network" in said


def test_layers_of_other_names_are_refused(tmp_path):
    """Same kinds and shapes in the same order, which Keras itself would load."""

    def build(name):
        x = keras.Input((4,))
        return keras.Model(x, keras.layers.Dense(2, name="out")(keras.layers.Dense(4, name=name)(x)))

    for layout, write in WRITERS.items():
        path = write(build("encoder"), tmp_path / f"a{ENDINGS[layout]}")
        assert "another network" in refused(build("decoder"), path)


# Files made to harm


def attacked(path, kind, tmp_path):
    """A legacy file in which one array is replaced by a trap."""
    with h5py.File(path, "r+") as file:
        group = file["logits/logits"]
        del group["kernel:0"]
        if kind == "external link":
            h5py.File(tmp_path / "secret.h5", "w").create_dataset("kernel", data=np.zeros((32, 5), "float32"))
            group["kernel:0"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "kernel")
        elif kind == "soft link":
            group["kernel:0"] = h5py.SoftLink("/conv1_conv/conv1_conv/kernel:0")
        elif kind == "external storage":
            (tmp_path / "secret").write_bytes(bytes(640))
            group.create_dataset("kernel:0", (32, 5), "float32", external=[(str(tmp_path / "secret"), 0, 640)])
        elif kind == "virtual":
            with h5py.File(tmp_path / "secret.h5", "w") as other:
                other["kernel"] = np.zeros((32, 5), "float32")
            layout = h5py.VirtualLayout((32, 5), "float32")
            layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "kernel", (32, 5))
            group.create_virtual_dataset("kernel:0", layout)
        elif kind == "references":
            group.create_dataset("kernel:0", (32, 5), h5py.ref_dtype)
        elif kind == "strings":
            group.create_dataset("kernel:0", (32, 5), h5py.string_dtype())
        elif kind == "shape bomb":
            group.create_dataset("kernel:0", (2**14, 2**14, 2), "float32", chunks=(64, 64, 1))
        elif kind == "compressed bomb":
            group.create_dataset("kernel:0", (2**10, 2**10), "float32", data=np.zeros((2**10, 2**10)), compression=9)
        elif kind == "a group":
            group.create_group("kernel:0")
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("external link", "a link to elsewhere"),
        ("soft link", "a link to elsewhere"),
        ("external storage", "in another file"),
        ("virtual", "in another file"),
        ("references", "is of object; expected numbers"),
        ("strings", "is of object; expected numbers"),
        ("shape bomb", "declares 2,147,483,648 bytes and stores 0"),
        ("compressed bomb", "uncompressed and whole"),
        ("a group", "is no array"),
    ],
)
def test_traps_in_hdf5_are_refused(kind, says, network, tmp_path):
    path = attacked(save_legacy(network, tmp_path / "net.h5"), kind, tmp_path)
    assert says in refused(small(), path)


def test_groups_inside_themselves_end(network, tmp_path):
    path = save_keras(network, tmp_path / "net.weights.h5")
    with h5py.File(path, "r+") as file:
        file["layers/again"] = file["layers"]
    assert "inside themselves" in refused(small(), path)


def test_a_pickle_that_runs_code_is_not_run(tmp_path):
    torch = pytest.importorskip("torch")

    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harmed"),)

    for legacy in (True, False):
        torch.save({"fc.weight": Harm()}, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
        assert "could run code and are not opened" in refused(small(), tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Harm()))
    assert "in no layout known" in refused(small(), tmp_path / "b.pth")
    assert not (tmp_path / "harmed").exists()


def test_a_failure_while_assigning_puts_everything_back(network, files, monkeypatch):
    model = small()
    real, count = keras.Variable.assign, [0]

    def failing(self, value):
        count[0] += 1
        if count[0] == 20:
            raise MemoryError("no room on the device")
        return real(self, value)

    before = values(model)
    monkeypatch.setattr(type(model.weights[0]), "assign", failing)
    with pytest.raises(MemoryError):
        zoo.load_weights(model, files["keras"])
    assert count[0] > 20 and same(values(model), before)


def test_the_report_accounts_for_everything(network, files):
    model = small(num_classes=7, input_shape=(32, 32, 1))
    report = zoo.load_weights(model, files["legacy"])
    assert set(report.loaded) | set(report.new) == set(values(model)) and not set(report.loaded) & set(report.new)
    assert len(report.loaded) + len(report.unused) == len(values(network))
    lines = str(report).splitlines()
    assert len(lines) == 4 and lines[0] == f"60 weights loaded from {files['legacy']}"
    assert isinstance(report, loading.Report)


# Damaged files by the hundred, and by the ten thousand


def fuzz(layout, count, seed):
    """What became of the mutants of a layout, or of "all": see `weight_fuzz.py`."""
    here = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), str(here)])}
    command = [sys.executable, str(here / "weight_fuzz.py"), layout, str(count), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")
@pytest.mark.slow
def test_damaged_files_are_refused_in_one_line():
    for counts in fuzz("all", 40, seed=0):
        assert counts["refused with the hash"] == counts["mutants"] > 25
        assert counts["refused without"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["legacy", "keras", "safetensors", "torch", "torch_legacy"])
def test_ten_thousand_damaged_files_are_refused_in_one_line(layout):
    if layout.startswith("torch"):
        pytest.importorskip("torch")
    (counts,) = fuzz(layout, 10_700, seed=1)
    assert counts["refused with the hash"] == counts["mutants"] >= 10_000
    print(counts)


# The genuine files

GENUINE = os.environ.get("ZOO_TEST_WEIGHTS", "")
genuine = pytest.mark.skipif(not GENUINE, reason="ZOO_TEST_WEIGHTS names no folder with genuine weights")


def stored(path):
    """Every array of a legacy file, by layer and place, read by h5py alone."""
    found = {}
    with h5py.File(path) as file:
        for layer in file.attrs["layer_names"]:
            names = file[layer].attrs["weight_names"]
            if len(names):
                found[layer if isinstance(layer, str) else layer.decode()] = [file[layer][name][()] for name in names]
    return found


@genuine
def test_every_tensor_of_resnet50_arrives():
    path = Path(GENUINE) / "resnet50_imagenet_caffe.h5"
    model = zoo.build("resnet50", weights=path)
    arrays = stored(path)
    arrays["logits"] = arrays.pop("predictions")
    for layer in model.layers:
        assert all(map(np.array_equal, layer.get_weights(), arrays.pop(layer.name, [])))
    assert not arrays


@genuine
def test_every_tensor_of_vgg16_arrives():
    path = Path(GENUINE) / "vgg16_imagenet_torch_notop.h5"
    model = zoo.build("vgg16", top=False, input_shape=(64, 64, 3), weights=path)
    arrays = stored(path)
    assert sum(bool(layer.weights) for layer in model.layers) == len(arrays) == 13
    for layer in model.layers:
        assert all(map(np.array_equal, layer.get_weights(), arrays.pop(layer.name, [])))


def china():
    """scikit-learn's photograph of the Summer Palace, its middle at 224 x 224."""
    from sklearn.datasets import load_sample_image

    image = load_sample_image("china.jpg")  # (427, 640, 3)
    middle = image[:, 106:533].astype("float32")
    return keras.ops.convert_to_numpy(keras.ops.image.resize(middle[None], (224, 224), antialias=True))


@genuine
def test_resnet50_knows_the_summer_palace():
    model = zoo.build("resnet50", weights=Path(GENUINE) / "resnet50_imagenet_caffe.h5")
    x = keras.applications.imagenet_utils.preprocess_input(china().copy(), mode="caffe")
    np.testing.assert_allclose(x, scaled(china(), PIXELS["caffe"]), atol=1e-4)
    names = json.loads((Path(GENUINE) / "imagenet_class_index.json").read_text())
    best = np.argsort(-outputs(model, x)[0])[:3]
    assert {names[str(i)][1] for i in best} & {"palace", "monastery", "bell_cote"}, [names[str(i)][1] for i in best]


@genuine
def test_resnet50_knows_it_in_grey():
    """The adapted network against the one of three channels: they differ by what the border adds, and agree.

    The largest difference among the 1,000 logits was 3.4 % of the largest logit; without the constant it was 5.8 %.
    """
    path = Path(GENUINE) / "resnet50_imagenet_caffe.h5"
    pixels = PIXELS["caffe"]
    grey = china().mean(axis=-1, keepdims=True)
    colour = zoo.build("resnet50", weights=path)
    one = zoo.build("resnet50", input_shape=(224, 224, 1))
    zoo.load_weights(one, path, preprocessing="caffe")
    expected = outputs(colour, scaled(np.repeat(grey, 3, axis=-1), pixels))[0]
    got = outputs(one, scaled(grey, pixels.of(1)))[0]
    assert list(np.argsort(-got)[:3]) == list(np.argsort(-expected)[:3])
    assert np.abs(got - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("hash", "screened"), [("", True), ("sha256:{:.8}", True), ("sha256:{:.63}", True), ("sha256:{}", False)]
)
def test_only_a_whole_hash_stands_for_a_file(hash, screened, files, monkeypatch):
    """The first digits tell a wrong file, not one that was made to have them."""
    asked = []
    monkeypatch.setattr(formats, "screen", asked.append)
    path = next(path for path in files.values() if path.name.endswith(".weights.h5"))
    zoo.load_weights(small(), path, hash=hash.format(hashlib.sha256(path.read_bytes()).hexdigest()))
    assert bool(asked) == screened


# A head that stays random is said


def test_the_number_of_classes_is_the_file_s_where_none_is_given(tmp_path):
    trained = zoo.build("lenet5", num_classes=7)
    trained.save_weights(tmp_path / "seven.weights.h5")
    built = zoo.build("lenet5", weights=tmp_path / "seven.weights.h5")
    assert built.output_shape == (None, 7)
    for one, two in zip(trained.get_weights(), built.get_weights()):
        np.testing.assert_array_equal(one, two)
    assert registry.origin(built) == ("lenet5", {"num_classes": 7})


def test_a_number_of_classes_that_is_given_is_kept_in_silence(tmp_path):
    zoo.build("lenet5", num_classes=7).save_weights(tmp_path / "seven.weights.h5")
    with warnings.catch_warnings(record=True) as said:
        assert zoo.build("lenet5", num_classes=3, weights=tmp_path / "seven.weights.h5").output_shape == (None, 3)
    assert not [each for each in said if issubclass(each.category, UserWarning)]


def test_a_top_that_nobody_asked_to_be_random_is_said(tmp_path):
    options = {"width": 0.125, "input_shape": (32, 32, 3)}
    zoo.build("vgg11", **options, top=False).save_weights(tmp_path / "body.weights.h5")
    with pytest.warns(UserWarning, match=r"vgg11: fc1/kernel.* keep fresh values \(no top in the file\): give num_cl"):
        zoo.build("vgg11", **options, weights=tmp_path / "body.weights.h5")
    zoo.build("lenet5", num_classes=7).save_weights(tmp_path / "seven.weights.h5")
    with pytest.warns(UserWarning, match=r"lenet5: logits/kernel, logits/bias .*7 classes in the file, 10 here"):
        zoo.load_weights(zoo.build("lenet5"), tmp_path / "seven.weights.h5")
