"""Style transfer: the losses by hand and by their laws, what learns, and weights that somebody published."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import zoo
from zoo import losses
from zoo.data.builtin.photographs import photographs
from zoo.errors import UsageError
from zoo.layers.normalization import AdaptiveInstanceNormalization
from zoo.losses.feature_extractor import extractor
from zoo.optimizers.schedules import GradientRecorder

ADAIN_FILES = os.environ.get("ZOO_TEST_ADAIN", "")  # a folder with vgg_normalized.pth and decoder.pth


def array(x):
    return ops.convert_to_numpy(ops.stop_gradient(ops.convert_to_tensor(x)))


def small_pair(size=(48, 32)):
    """A temple and a flower, (height, width, 3) of 0 to 1."""
    return tuple(np.asarray(Image.fromarray(each).resize(size), "float32") / 255 for each in photographs())


# The losses


def test_gram_matrix_against_loops():
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    wanted = np.zeros((2, 5, 5))
    for b, i, j in np.ndindex(wanted.shape):
        wanted[b, i, j] = sum(maps[b, y, x, i] * maps[b, y, x, j] for y in range(3) for x in range(4)) / 12
    np.testing.assert_allclose(array(losses.gram_matrix(maps)), wanted, rtol=1e-5, atol=1e-6)


def test_gram_matrix_is_symmetric_and_positive_semi_definite():
    maps = np.random.default_rng(1).normal(size=(1, 4, 4, 30)).astype("float32")  # of rank 16 at most
    gram = array(losses.gram_matrix(maps))[0]
    np.testing.assert_array_equal(gram, gram.T)
    values = np.linalg.eigvalsh(gram.astype("float64"))
    assert values.min() > -1e-5 and np.sum(values > 1e-3) == 16


def test_style_does_not_know_where_things_are():
    rng = np.random.default_rng(2)
    maps = rng.normal(size=(1, 6, 8, 7)).astype("float32")
    shuffled = rng.permutation(maps.reshape(48, 7)).reshape(maps.shape)
    grams = losses.gram_matrix(maps), losses.gram_matrix(shuffled)
    assert float(losses.relative_error(*grams)[0]) < 1e-10
    assert float(losses.relative_error(maps, shuffled)[0]) > 1, "the content does"


def test_terms_by_hand():
    """Against a statement of its own: NumPy's sums over the extractor's maps."""
    content, style = small_pair()
    image = 0.5 * content + 0.1
    loss = losses.Perceptual(style_weight=3.0, content_weight=2.0, variation_weight=0.5)
    maps = {name: [array(each)[0] for each in loss.maps(x[None])] for name, x in
            (("content", content), ("style", style), ("picture", image))}  # fmt: skip

    def gram(f):
        rows = f.reshape(-1, f.shape[-1]).astype("float64")
        return rows.T @ rows / len(rows)

    def relative(wanted, found):
        return np.sum((wanted - found) ** 2) / np.sum(wanted**2)

    by_content = relative(maps["content"][0], maps["picture"][0])
    by_style = np.mean([relative(gram(a), gram(b)) for a, b in zip(maps["style"][1:], maps["picture"][1:])])
    variation = np.mean(np.diff(image, axis=0) ** 2) + np.mean(np.diff(image, axis=1) ** 2)
    both = np.stack([content, style])[None]
    found = loss.terms(both, image[None])
    for term, wanted in (("content", by_content), ("style", by_style), ("variation", variation)):
        np.testing.assert_allclose(array(found[term])[0], wanted, rtol=1e-4)
    total = 2.0 * by_content + 3.0 * by_style + 0.5 * variation
    np.testing.assert_allclose(float(array(loss(both, image[None]))), total, rtol=1e-4)


def test_held_images_are_compared_as_given_ones_are():
    content, style = small_pair()
    both, image = np.stack([content, style])[None], 0.7 * content[None]
    given, held = losses.Perceptual(), losses.Perceptual().hold(content, [style])
    np.testing.assert_allclose(array(held(image, image)), array(given(both, image)), rtol=1e-5)


def test_shares_blend_the_styles():
    content, style = small_pair()
    zero, one = style, content[::-1].copy()
    wanted = [array(each) for each in losses.Perceptual().hold(content, [zero]).held]
    for a, b in zip(losses.Perceptual().hold(content, [zero, one], fractions=(2.0, 0.0)).held, wanted):
        np.testing.assert_allclose(array(a), b, rtol=1e-6)
    other = [array(each) for each in losses.Perceptual().hold(content, [one]).held]
    for a, b, c in zip(losses.Perceptual().hold(content, [zero, one]).held[1:], wanted[1:], other[1:]):
        np.testing.assert_allclose(array(a), (b + c) / 2, rtol=1e-5)


def test_total_variation_is_zero_on_a_plain_image_only():
    plain = np.full((2, 5, 6, 3), 0.3, "float32")
    assert array(losses.total_variation(plain)).tolist() == [0.0, 0.0]
    plain[1, 2, 3, 0] = 0.8  # one of 30 pixels, one channel: two differences of 0.5 down and two across
    np.testing.assert_allclose(
        array(losses.total_variation(plain))[1], 0.5 / (4 * 6 * 3) + 0.5 / (5 * 5 * 3), rtol=1e-5
    )


def test_a_perceptual_loss_is_saved_and_loaded():
    loss = losses.Perceptual(style_weight=2.5, style_layers=("block1_conv1",), width=0.125, filter_seed=3)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    x = np.random.default_rng(0).uniform(size=(1, 2, 16, 16, 3)).astype("float32")
    assert float(array(again(x, x[:, 0]))) == float(array(loss(x, x[:, 0])))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"style_weight": -1.0}, "style_weight is -1.0; expected a number of at least 0"),
        ({"content_weight": float("nan")}, "content_weight is nan"),
        ({"content_layer": "block4_conv9"}, "there is no convolution of vgg16 'block4_conv9'; did you mean"),
        ({"extractor": "vgg15"}, "there is no model 'vgg15'; did you mean vgg1"),
        ({"pooling": "mean"}, "there is no pooling 'mean'; there are average, max"),
    ],
)
def test_a_loss_that_cannot_be_is_one_line(options, says):
    with pytest.raises(UsageError, match=says) as error:
        losses.Perceptual(**options)
    assert "\n" not in str(error.value)


# The extractor


def test_untrained_filters_do_not_depend_on_who_drew_before():
    keras.utils.set_random_seed(1)
    first = extractor(layers=("block1_conv2",), width=0.125, seed=7).get_weights()
    extractor.cache_clear()
    keras.utils.set_random_seed(2)
    keras.random.normal((3,))
    again = extractor(layers=("block1_conv2",), width=0.125, seed=7).get_weights()
    extractor.cache_clear()
    other = extractor(layers=("block1_conv2",), width=0.125, seed=8).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("preprocessing", ["torch", "caffe"])
def test_the_extractor_is_the_vgg_with_its_own_preprocessing(preprocessing, tmp_path):
    """A file of weights in; the same maps as the network itself gives of prepared pixels."""
    vgg = zoo.build("vgg16", top=False, input_shape=(32, 32, 3), width=0.125)
    vgg.save_weights(tmp_path / "vgg.weights.h5")
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    prepared = pixels.copy()
    if preprocessing == "caffe":
        prepared = prepared[..., ::-1] - np.float32([103.939, 116.779, 123.68])
    else:
        prepared = (prepared / 255 - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    front = extractor(
        layers=("block3_conv2",), width=0.125, pooling="max",
        weights=str(tmp_path / "vgg.weights.h5"), preprocessing=preprocessing,
    )  # fmt: skip
    assert not front.trainable_weights
    wanted = keras.Model(vgg.input, vgg.get_layer("block3_conv2").output)(prepared)
    found = front(pixels / 255)
    found = found[0] if isinstance(found, (list, tuple)) else found
    np.testing.assert_allclose(array(found), array(wanted), rtol=1e-3, atol=1e-4 * np.abs(array(wanted)).max())


def test_a_file_of_weights_must_say_its_preprocessing(tmp_path):
    zoo.build("vgg11", top=False, input_shape=(32, 32, 3), width=0.125).save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(UsageError, match="does not say what its weights were trained on"):
        losses.Perceptual(extractor="vgg11", width=0.125, weights=tmp_path / "a.weights.h5")


# What learns


def painted(content, style, steps, *, start=None, **options):
    """The image after `steps` of Adam through compile and fit, the losses on the way, and the loss itself."""
    keras.utils.set_random_seed(0)
    model = zoo.build("style_transfer", image_shape=content.shape)
    if start is not None:
        model.get_layer("picture").set_weights([start.reshape(1, -1)])
    loss = losses.Perceptual(**options).hold(content, [style])
    model.compile(keras.optimizers.Adam(0.1), loss=loss, jit_compile=False)
    nothing = np.zeros((1, 1), "float32")  # the loss holds what it compares with
    history = model.fit(np.zeros(1, "int32"), nothing, epochs=steps, verbose=0, shuffle=False)
    return array(model(np.zeros(1, "int32")))[0], history.history["loss"], loss


def test_the_one_trainable_weight_is_the_image():
    model = zoo.build("style_transfer", image_shape=(16, 24, 3))
    image = np.random.default_rng(0).uniform(size=(16, 24, 3)).astype("float32")
    assert [tuple(weight.shape) for weight in model.weights] == [(1, 16 * 24 * 3)]
    model.get_layer("picture").set_weights([image.reshape(1, -1)])
    np.testing.assert_array_equal(array(model(np.zeros(2, "int32"))), [image, image])


@pytest.mark.slow
def test_content_alone_brings_a_photograph_back_from_noise():
    content, style = small_pair()
    found, *_ = painted(
        content, style, 60, style_weight=0.0, variation_weight=0.0, content_layer="block2_conv1", width=0.5
    )
    psnr = -10 * np.log10(np.mean((found - content) ** 2))
    assert psnr >= 20, "noise itself has 8"
    assert found.min() >= 0 and found.max() <= 1


def test_style_falls_and_content_stays():
    content, style = small_pair()
    found, history, loss = painted(content, style, 30, start=content, width=0.125)
    before, after = (
        {term: float(array(value)[0]) for term, value in loss.terms(None, x[None]).items()} for x in (content, found)
    )
    assert history[-1] < history[0]
    assert after["style"] < 0.2 * before["style"]
    assert after["content"] < 1, "a grey image has 1"


def test_the_recorder_keeps_the_gradient_and_changes_nothing():
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(1, use_bias=False, name="dense")
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(inputs))
    recorder = GradientRecorder()
    model.compile(recorder, loss="mse", jit_compile=False)
    x, y = np.float32([[1, 2, 3], [0, 1, -1]]), np.float32([[1], [2]])
    before = layer.get_weights()[0]
    model.train_on_batch(x, y)
    np.testing.assert_array_equal(layer.get_weights()[0], before)
    np.testing.assert_allclose(recorder.gradients()[0], 2 * x.T @ (x @ before - y) / 2, rtol=1e-4, atol=1e-6)


def test_fast_style_keeps_sizes_that_are_multiples_of_four():
    model = zoo.build("fast_style", input_shape=(None, None, 3), width=0.25, blocks=1)
    for height, width in ((16, 40), (20, 16)):
        image = array(model(np.random.default_rng(0).uniform(size=(1, height, width, 3))))
        assert image.shape == (1, height, width, 3)
        assert image.min() >= 0 and image.max() <= 1


def test_adain_gives_the_styles_statistics():
    layer = AdaptiveInstanceNormalization(epsilon=0.0)
    maps = np.random.default_rng(0).normal(2.0, 3.0, size=(4, 5, 6, 7)).astype("float32")
    maps[2:] *= 4
    found = array(layer(maps))
    np.testing.assert_allclose(found.mean((1, 2)), maps[2:].mean((1, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.std((1, 2)), maps[2:].std((1, 2)), rtol=1e-3)
    kept = array(AdaptiveInstanceNormalization(strength=0.0)(maps))
    np.testing.assert_allclose(kept, maps[:2], rtol=1e-5)


def test_adain_of_a_image_with_itself_is_its_own_code():
    model = zoo.build("adain", input_shape=(32, 32, 3), width=0.125)
    image = np.random.default_rng(0).uniform(size=(1, 32, 32, 3)).astype("float32")
    codes = keras.Model(model.input, [model.get_layer("block4_conv1").output, model.get_layer("adain").output])
    before, after = codes({"image": image, "style": image})
    np.testing.assert_allclose(array(after), array(before)[:1], rtol=1e-2, atol=1e-3)


@pytest.mark.skipif(not ADAIN_FILES, reason="ZOO_TEST_ADAIN names no folder with the published files")
def test_adain_with_published_weights_equals_pytorch():
    torch = pytest.importorskip("torch")
    from torch.nn import functional as f

    from zoo.weights.adain import load_adain

    files = [Path(ADAIN_FILES) / name for name in ("vgg_normalized.pth", "decoder.pth")]
    model = load_adain(zoo.build("adain", input_shape=(None, None, 3)), *files)
    encoder, decoder = (torch.load(file, weights_only=True) for file in files)
    content, style = small_pair()

    def conv(x, weights, key, pad=1):
        x = f.pad(x, (pad,) * 4, mode="reflect") if pad else x
        return f.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"])

    def encode(x):
        x = conv(torch.tensor(x).permute(2, 0, 1)[None], encoder, 0, pad=0)
        for key in (2, 5, "pool", 9, 12, "pool", 16, 19, 22, 25, "pool", 29):
            x = f.max_pool2d(x, 2, ceil_mode=True) if key == "pool" else f.relu(conv(x, encoder, key))
        return x

    def statistics(x):
        return x.mean((2, 3), keepdim=True), (x.var((2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()

    x, y = encode(content), encode(style)
    (mean, spread), (style_mean, style_spread) = statistics(x), statistics(y)
    x = (x - mean) / spread * style_spread + style_mean
    for key in (1, "up", 5, 8, 11, 14, "up", 18, 21, "up", 25):
        x = f.interpolate(x, scale_factor=2) if key == "up" else f.relu(conv(x, decoder, key))
    wanted = conv(x, decoder, 28)[0].permute(1, 2, 0).numpy()
    found = array(model({"image": content[None], "style": style[None]}))[0]
    np.testing.assert_allclose(found, wanted, atol=1e-3)


# The task


def test_the_task_is_judged_by_the_share_of_the_style_that_is_missing(tmp_path):
    run = zoo.train("style_transfer", run=tmp_path / "run", data_dir=tmp_path / "data", epochs=30, verbose=0)
    assert run.metrics["style_ratio"] < 0.5 and run.metrics["content_error"] < 1
    assert list(run.results["baselines"]) == ["the style's colours alone"]
    assert (run.path / "styled.png").exists() and (run.path / "curves.png").exists()
    assert zoo.evaluate(run) == pytest.approx(run.metrics, rel=1e-3)
    with pytest.raises(UsageError, match="answers no others: zoo stylize"):
        zoo.predict(run, ["a.jpg"], folder=tmp_path / "answers")


@pytest.mark.slow
def test_a_trained_fast_style_paints_files(tmp_path):
    run = zoo.train(
        "fast_style", run=tmp_path / "run", data_dir=tmp_path / "data", epochs=1, width=0.25, blocks=1, verbose=0
    )
    Image.fromarray(photographs()[0][:50, :71]).save(tmp_path / "temple.jpg")
    for number in ("", "-2"):
        lines = zoo.predict(run, [tmp_path / "temple.jpg"], folder=tmp_path)
        assert lines == [f"{tmp_path / 'temple.jpg'}: {tmp_path / f'temple-styled{number}.png'}"]
    assert Image.open(tmp_path / "temple-styled.png").size == (68, 48)
