"""Clips: files, frames, folders, the composed data sets, and what a run on clips measures and answers."""

import dataclasses
import logging
import math
import time
import wave

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo
from zoo import plots, registry, tasks
from zoo.cli import main
from zoo.data import open_source
from zoo.data.builtin import moving_digits
from zoo.data.video import frames
from zoo.data.video.clips import VideoDataModule
from zoo.data.video.files import frame_indices, probe, read_clip
from zoo.data.video.folder import ClipFolder
from zoo.errors import UsageError
from zoo.inference import api
from zoo.introspection import grad_cam
from zoo.tasks import video_classification


def scene(frames, height=24, width=32, seed=0):
    """A bright square that walks from left to right over a dim ground: uint8 (frames, height, width, 3)."""
    clip = np.full((frames, height, width, 3), 40, "uint8")
    clip[:, 0] += np.random.default_rng(seed).integers(0, 16, (width, 3), "uint8")  # no two seeds alike
    for number in range(frames):
        left = round(number * (width - 8) / max(frames - 1, 1))
        clip[number, 8:16, left : left + 8] = 220
    return clip


def write(path, clip, codec="mpeg4"):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gif":
        images = [Image.fromarray(frame) for frame in clip]
        images[0].save(path, save_all=True, append_images=images[1:], duration=40, loop=0)
        return path
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.bit_rate = 4_000_000
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def square_at(frame):
    """The column of the square's middle."""
    bright = frame.astype(float).mean(-1) > 130
    return np.flatnonzero(bright.any(0)).mean()


# Files

FORMATS = [("clip.gif", ""), ("clip.mp4", "mpeg4"), ("clip.avi", "mjpeg")]


@pytest.mark.parametrize("name, codec", FORMATS)
def test_every_frame_is_read_in_its_order(name, codec, tmp_path):
    clip = scene(12)
    path = write(tmp_path / name, clip, codec)
    found = read_clip(path)
    assert found.shape == clip.shape and found.dtype == "uint8"
    assert np.abs(found.astype(int) - clip).mean() < 8, "compression costs a little"
    assert np.allclose([square_at(f) for f in found], [square_at(f) for f in clip], atol=1)
    assert dataclasses.astuple(probe(path)) == (12, 24, 32)


@pytest.mark.parametrize("name, codec", FORMATS)
def test_a_few_frames_of_many_in_another_size(name, codec, tmp_path):
    path = write(tmp_path / name, scene(22), codec)
    found = read_clip(path, frames=3, size=(12, 16))
    assert found.shape == (3, 12, 16, 3)
    whole = read_clip(path)
    expected = [square_at(whole[number]) / 2 for number in (3, 11, 18)]
    assert np.allclose([square_at(f) for f in found], expected, atol=1)


def test_a_short_clip_is_refused_or_repeated(tmp_path):
    path = write(tmp_path / "short.gif", scene(3))
    with pytest.raises(UsageError, match=r"short.gif has 3 frames; expected at least 8: .*--loop"):
        read_clip(path, frames=8)
    found, whole = read_clip(path, frames=8, loop=True), read_clip(path)
    np.testing.assert_array_equal(found, whole[[0, 1, 2, 0, 1, 2, 0, 1]])


def test_a_gif_whose_frames_say_only_what_changed(tmp_path):
    """Pillow writes differences; the reader puts them together again."""
    clip = scene(6)
    path = write(tmp_path / "clip.gif", clip)
    assert np.abs(read_clip(path).astype(int) - clip).max() < 40


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_film_that_a_telephone_laid_down_is_read_upright(turns, tmp_path):
    clip = scene(6, height=16, width=48)
    path = write(tmp_path / "clip.mp4", np.rot90(clip, -turns, axes=(1, 2)), "mpeg4")
    cosine, sine = ((0, 1), (-1, 0), (0, -1))[turns - 1]  # of the turn that brings it back
    matrix = [cosine, -sine, 0, sine, cosine, 0, 0, 0, 0x4000]
    content = bytearray(path.read_bytes())
    place = content.find(b"tkhd") + 44  # behind version, times, track, duration, layer, group and volume
    content[place : place + 36] = b"".join(int(each * 0x10000).to_bytes(4, "big", signed=True) for each in matrix)
    path.write_bytes(content)
    found = read_clip(path)
    assert dataclasses.astuple(probe(path)) == (6, 16, 48) and found.shape == clip.shape
    assert np.abs(found.astype(int) - clip).mean() < 10
    assert read_clip(path, frames=2, size=(8, 24)).shape == (2, 8, 24, 3)


def test_clips_in_an_array_are_not_repeated_in_silence():
    with pytest.raises(UsageError, match="the clips have 2 frames; expected at least 8"):
        frames.frames(tf.zeros((2, 4, 4, 1)), 0, 8)
    assert frames.frames(tf.zeros((9, 4, 4, 1)), 0, 8)[0].shape[0] == 8


def test_a_header_that_does_not_tell_the_number_of_frames(tmp_path):
    path = write(tmp_path / "clip.mkv", scene(9))
    assert probe(path).frames == 9
    assert read_clip(path, frames=4).shape[0] == 4


def test_frame_indices_take_one_frame_of_each_part():
    chance = np.random.default_rng(0)
    for count, parts in ((30, 8), (8, 8), (100, 16), (5, 8)):
        middle = frame_indices(count, parts)
        assert len(middle) == parts and (np.diff(middle) >= 0).all()
        ends = np.arange(parts + 1) * count / parts
        for _ in range(20):
            drawn = frame_indices(count, parts, draw=chance.random(parts))
            assert (drawn >= np.floor(ends[:-1])).all() and (drawn < np.ceil(ends[1:])).all()
        if count >= parts:
            np.testing.assert_array_equal(middle, frames.frames(tf.range(count), 0, parts)[0])
    assert frame_indices(8, 8).tolist() == list(range(8))


def broken(path, kind):
    if kind == "no file":
        return path
    if kind == "no video":
        path.write_bytes(b"this is no video at all" * 100)
    elif kind == "cut":
        whole = write(path, scene(60, seed=3)).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "sound only":
        with wave.open(str(path), "wb") as sound:
            sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(8000)
            sound.writeframes(b"\0\1" * 8000)
    return path


@pytest.mark.parametrize(
    "name, kind, message",
    [
        ("a.mp4", "no file", "there is no file"),
        ("a.gif", "no video", "cannot be read as a video"),
        ("a.mp4", "no video", "cannot be read as a video"),
        ("a.mp4", "cut", "expected a whole file"),
        ("a.gif", "cut", "expected a whole file"),
        ("a.wav", "sound only", "has no video stream, only audio; expected a video"),
    ],
)
def test_a_bad_file_is_one_line(name, kind, message, tmp_path):
    pytest.importorskip("av")
    with pytest.raises(UsageError, match=message) as caught:
        read_clip(broken(tmp_path / name, kind))
    assert "\n" not in str(caught.value) and name in str(caught.value)


def test_without_pyav_the_line_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"x")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(UsageError, match=r"PyAV is not installed; .*pip install av"):
        read_clip(tmp_path / "a.mp4")


# Choosing and changing frames in the pipeline


def test_jitter_takes_a_random_one_of_each_few():
    x = np.broadcast_to(np.arange(12, dtype="float32")[None, :, None, None, None], (64, 12, 2, 2, 1))
    found = frames.jitter(x, 0, [1, 2], 3)[0].numpy()[..., 0, 0, 0]
    assert found.shape == (64, 4)
    parts = found - 3 * np.arange(4)
    assert set(np.unique(parts)) == {0, 1, 2}
    assert len(np.unique(parts, axis=0)) > 20, "each clip draws by itself"
    np.testing.assert_array_equal(found, frames.jitter(x, 0, [1, 2], 3)[0].numpy()[..., 0, 0, 0])


@pytest.mark.parametrize("name, option", [("flip", True), ("shift", 2), ("crop", (0.5, 0.9))])
def test_augmentations_of_images_do_the_same_to_every_frame(name, option):
    frame = np.random.default_rng(0).random((16, 1, 12, 12, 3)).astype("float32")
    x = tf.constant(np.repeat(frame, 5, axis=1))
    found = zoo.data.AUGMENT[name](x, 0, [3, 4], option)[0].numpy()
    assert found.shape == x.shape
    np.testing.assert_array_equal(found, np.repeat(found[:, :1], 5, axis=1))
    assert not np.array_equal(found, x)
    as_images = zoo.data.AUGMENT[name](tf.constant(frame[:, 0]), 0, [3, 4], option)[0].numpy()
    np.testing.assert_allclose(found[:, 2], as_images, atol=1e-6)


# The composed data sets


def drawn(split, count=1600):
    chance = np.random.default_rng(1)
    images = chance.integers(1, 255, (count, 8, 8, 1)).astype("uint8")
    rows = [example for _, example in moving_digits.clips(images, split, 16, (1, 2), each=1)]
    return np.stack([row["clip"] for row in rows]), np.array([row["label"] for row in rows])


def test_trajectories_are_shared_by_no_two_splits_and_none_is_lost():
    rows = [set(map(tuple, moving_digits.trajectories(split, 16, (1, 2)))) for split in moving_digits.SPLIT_FRACTIONS]
    assert [len(each) for each in rows] == [358, 52, 102]
    assert len(set.union(*rows)) == 16 * 16 * 2 == sum(map(len, rows))


def test_a_image_moves_where_its_label_says():
    image = np.zeros((2, 2, 1), "uint8")
    image[0, 0] = 255
    for name, step in moving_digits.DIRECTIONS.items():
        clip = moving_digits.moving(image, 8, (3, 4), np.multiply(step, 2), frames=3)
        places = [np.argwhere(frame[..., 0])[0].tolist() for frame in clip]
        assert places[1] == [3, 4]
        assert ("north" in name) == (places[2][0] == 1) and ("south" in name) == (places[2][0] == 5)
        assert ("east" in name) == (places[2][1] == 6) and ("west" in name) == (places[2][1] == 2)


def test_backwards_is_the_opposite_direction():
    names = list(moving_digits.DIRECTIONS)
    for number, name in enumerate(names):
        opposite = moving_digits.DIRECTIONS[names[(number + 4) % 8]]
        assert np.add(moving_digits.DIRECTIONS[name], opposite).tolist() == [0, 0]
        image = np.random.default_rng(number).integers(0, 255, (4, 4, 1))
        clip = moving_digits.moving(image, 9, (2, 7), moving_digits.DIRECTIONS[name], frames=5)
        np.testing.assert_array_equal(clip[::-1], moving_digits.moving(image, 9, (2, 7), opposite, frames=5))


def test_a_single_frame_says_nothing_of_the_direction():
    """Of 8 classes with 200 clips each, where the image is in the middle frame: a chi-square test finds nothing."""
    from scipy.stats import chi2_contingency

    for split in moving_digits.SPLIT_FRACTIONS:
        clip, labels = drawn(split)
        assert np.bincount(labels).tolist() == [200] * 8
        place = clip[:, 4].astype(float).sum((2, 3)).argmax(1) // 4  # the brightest rows, in quarters
        table = np.histogram2d(labels, place, bins=(8, 4))[0]
        assert chi2_contingency(table).pvalue > 1e-3


def test_moving_digits_is_a_tfds_builder_of_digits_that_are_held_out():
    source = open_source("moving_digits:1.0.0").load()
    assert source.class_names == tuple(moving_digits.DIRECTIONS)
    counts = {split: int(source.split(split).cardinality()) for split in ("train", "validation", "test")}
    assert counts == {"train": 4 * 1257, "validation": 4 * 180, "test": 4 * 360}
    clip, label = next(iter(source.split("test")))
    assert clip.shape == (8, 16, 16, 1) and clip.dtype == tf.uint8 and 0 <= int(label) < 8


def test_moving_images_wants_what_it_is_composed_of(tmp_path):
    started = time.perf_counter()
    with pytest.raises(UsageError, match="mnist is not in"):
        open_source("moving_pictures/fashion_mnist:1.0.0", data_dir=tmp_path)
    assert time.perf_counter() - started < 5


# The data module, on files of a user's own


@pytest.fixture
def videos(tmp_path):
    """Squares that go right and squares that go left, 7 GIFs each of 10 to 16 frames."""
    for number in range(7):
        clip = scene(10 + number, seed=number)
        write(tmp_path / "videos" / "right" / f"{number}.gif", clip)
        write(tmp_path / "videos" / "left" / f"{number}.gif", clip[::-1])
    return tmp_path / "videos"


def data_module(path, **changes):
    card = registry.info("conv3d_demo")
    recipe = dataclasses.replace(
        card.recipe("demo"),
        **{"dataset": str(path), "preprocess": {"frames": 8, "resize": (16, 16)}, "batch_size": 4, **changes},
    )
    source = open_source(path.absolute(), folder=ClipFolder).load()
    return VideoDataModule.adapt(card, recipe, source)


def test_a_folder_of_clips_is_split_by_class_and_read_in_one_size(videos):
    data = data_module(videos)
    assert data.examples == {"train": 10, "validation": 2, "test": 2}
    assert data.model_options() == {"input_shape": (8, 16, 16, 3), "num_classes": 2}
    assert data.class_names == ("left", "right")
    for x, y in data.batches("test"):
        for clip, label in zip(data.scaling.undo(x.numpy()), y.numpy()):
            ends = square_at(clip[0]), square_at(clip[-1])
            assert (ends[1] > ends[0]) == (data.class_names[label] == "right")


def test_a_run_reads_new_files_as_it_read_its_own(videos):
    data = data_module(videos, augment={"jitter": 2}, preprocess={"frames": 16, "resize": (16, 16), "loop": 8})
    assert data.shape == (8, 16, 16, 3)
    training = next(iter(data.batches("train", training=True)))[0]
    assert training.shape[1:] == data.shape
    again = VideoDataModule.from_config(data.card, data.recipe, None, data.get_config())
    x = again.encode([str(videos / "right" / "6.gif")])
    assert x.shape == (1, 8, 16, 16, 3) and x.dtype == "float32"
    places = [square_at(frame) for frame in data.scaling.undo(x[0])]
    assert places == sorted(places) and places[0] < 5 and places[-1] > 10


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"preprocess": {"frames": 16, "resize": (16, 16)}}, r"has 1\d frames; expected at least 16: .*--loop"),
        ({"preprocess": {"frames": 8}}, r"differ in size: .* is 24x32, .* 12x32; expected one size"),
    ],
)
def test_what_a_folder_cannot_be_is_one_line(videos, changes, message):
    write(videos / "left" / "odd.gif", scene(12)[:, :12])
    with pytest.raises(UsageError, match=message) as caught:
        data_module(videos, **changes)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_clips_are_named_and_left_out(videos, caplog):
    (videos / "left" / "notes.gif").write_bytes(b"no image")
    with caplog.at_level(logging.WARNING, logger="zoo"):
        open_source(videos.absolute(), folder=ClipFolder).load()
    assert "left out 1 clips" in caplog.text and "left/notes.gif" in caplog.text


def test_clips_of_another_rank_are_refused(tmp_path):
    images = np.zeros((30, 8, 8, 1), "uint8")
    file = tmp_path / "pictures.npz"
    y = np.arange(30) % 3
    np.savez(file, x_train=images, y_train=y, x_test=images, y_test=y)
    with pytest.raises(UsageError, match=r"has shape \(8, 8, 1\); expected 4 axes for conv3d_demo's clip"):
        zoo.train("conv3d_demo", data=file, run=tmp_path / "run", batch_size=4)


def test_videos_of_a_tfds_set_that_names_no_supervised_keys():
    """As ucf101: dictionaries with a video of any length and a label."""
    import tensorflow_datasets as tfds

    rows = [{"video": scene(5 + n), "label": n % 2} for n in range(12)]
    spec = {"video": tf.TensorSpec((None, 24, 32, 3), tf.uint8), "label": tf.TensorSpec((), tf.int64)}
    dataset = tf.data.Dataset.from_generator(lambda: iter(rows), output_signature=spec)
    source = zoo.data.Source(
        "videos", ("a", "b"), lambda text: dataset.apply(tf.data.experimental.assert_cardinality(12))
    )
    card = registry.info("r3d_18")
    preprocess = {"loop": 8, "frames": 16, "resize": (16, 16)}
    recipe = dataclasses.replace(card.recipe("ucf101"), preprocess=preprocess, augment={"jitter": 2}, batch_size=4)
    data = VideoDataModule.adapt(card, recipe, source)
    assert data.shape == (8, 16, 16, 3) and data.examples["train"] == 12
    assert data.summaries["train"].high > 1, "bytes stay bytes"
    assert tfds.builder("ucf101/ucf101_1_256").info.features["label"].num_classes == 101


# What is measured, and answered


def test_controls_take_the_motion_and_leave_the_frames():
    x = np.random.default_rng(0).normal(size=(6, 8, 4, 4, 1)).astype("float32")
    batches = tf.data.Dataset.from_tensor_slices((x, np.arange(6))).batch(4)
    for control in (frames.shuffled_in_time, frames.still):
        found, labels = (np.concatenate(part) for part in zip(*control(batches).as_numpy_iterator()))
        assert labels.tolist() == list(range(6)) and found.shape == x.shape
        again = np.concatenate([part for part, _ in control(batches).as_numpy_iterator()])
        np.testing.assert_array_equal(found, again)
        if control is frames.still:
            np.testing.assert_array_equal(found, np.repeat(x[:, 4:5], 8, axis=1))
        else:
            assert not np.array_equal(found, x)
            np.testing.assert_array_equal(np.sort(found, axis=1), np.sort(x, axis=1))
            orders = [tuple(np.argwhere((a == b).all((1, 2, 3)))[0, 0] for b in one) for a, one in zip(x, found)]
            assert len(set(orders)) > 1, "each clip has an order of its own"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run of the demo, on a few hundred of its clips."""
    folder, source = tmp_path_factory.mktemp("runs"), open_source("moving_digits:1.0.0").load()
    arrays = {}
    for split, part in {"train": "train[:400]", "val": "validation[:80]", "test": "test[:400]"}.items():
        x, y = zip(*source.split(part).as_numpy_iterator())
        arrays |= {f"x_{split}": np.stack(x), f"y_{split}": np.array(y)}
    np.savez(folder / "clips.npz", **arrays)
    return zoo.train("conv3d_demo", data=folder / "clips.npz", run=folder / "run", epochs=1, verbose=0)


def test_a_run_is_measured_beside_what_has_no_motion(run):
    assert set(video_classification.CONTROLS) <= set(run.metrics)
    assert set(run.results["baselines"]) == {"chance", "1-nearest-neighbour", "frame_cnn"}
    assert run.results["baselines"]["frame_cnn"] <= 0.2 and run.metrics["accuracy_still"] <= 0.2
    again = zoo.evaluate(run)
    assert again == pytest.approx(run.metrics)


def test_predict_names_the_likeliest_and_draws_where_and_when(run, tmp_path, capsys):
    clip = next(iter(open_source("moving_digits:1.0.0").load().split("test")))[0].numpy()
    path = write(tmp_path / "digit.gif", np.repeat(clip, 3, axis=-1))
    assert main(["predict", str(run.path), str(path), "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}: ") and lines[0].count("%") == 5
    shares = [float(word.rstrip("%,")) for word in lines[0].split() if "%" in word]
    assert shares == sorted(shares, reverse=True) and sum(shares) <= 100.5
    (image,) = (tmp_path / "out").glob("*.png")
    assert str(image) in lines[1] and Image.open(image).width > 600
    short = write(tmp_path / "short.gif", np.repeat(clip[:3], 3, axis=-1))
    assert main(["predict", str(run.path), str(short)]) == 2
    assert "short.gif has 3 frames; expected at least 8" in capsys.readouterr().err
    assert main(["predict", str(run.path), str(short), "--loop", "--out", str(tmp_path / "out")]) == 0


@pytest.mark.slow
def test_clips_are_explained_and_attacked_too(run, tmp_path):
    clip = next(iter(open_source("moving_digits:1.0.0").load().split("test")))[0].numpy()
    path = write(tmp_path / "digit.gif", np.repeat(clip, 3, axis=-1))
    for explain in ("saliency", "occlusion"):
        _, line = zoo.predict(run, path, folder=tmp_path, explain=explain)
        assert line.endswith(f"digit-{explain}.png") and Image.open(tmp_path / f"digit-{explain}.png").width > 600
    rows = zoo.attack(run, [0.3], methods=["fgsm"], examples=50, folder=tmp_path)
    assert rows[1]["fgsm"] < rows[0]["fgsm"] and (tmp_path / f"{run.path.name}-attack.png").is_file()


def test_a_clip_of_the_test_set_is_answered_as_it_was_measured(run, tmp_path):
    """Through a GIF (grey levels survive it) and back: the same frames, the same logits."""
    finished = api.reopen(run)
    clip = next(iter(open_source("moving_digits:1.0.0").load().split("test")))[0].numpy()
    path = write(tmp_path / "digit.gif", np.repeat(clip, 3, axis=-1))
    x = finished.data.encode([str(path)])
    expected = np.asarray(finished.data.scaling(clip[None]))
    assert np.abs(x - expected).max() < 0.05
    heat = grad_cam.grad_cam(finished.network.model, x, 0)
    assert heat.ndim == 4 and grad_cam.stretch(heat, (8, 16, 16)).shape == (1, 8, 16, 16)


def test_a_long_clip_is_drawn_with_a_frame_of_every_few():
    clip = scene(64)
    figure = plots.films([clip], ["64 frames"], [np.ones((64, 24, 32))], max_frames=10)
    assert len(figure.axes) == 20


def test_the_task_has_every_part():
    task = tasks.get("video_classification")
    assert (
        task.data_module is VideoDataModule
        and task.commands == ["attack", "diagnose", "predict"]
        and task.metric == "accuracy"
    )
    assert math.isclose(float(task.loss()(np.array([0]), np.zeros((1, 8)))), math.log(8), rel_tol=1e-5)
