"""Files of images: whole or not by their markers, read at a fraction of their size, and by TensorFlow as by Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.data.checks import sums
from zoo.data.image import files, jpeg, reading
from zoo.data.image.folder import ImageFolder
from zoo.data.image.transforms import cover

SIZES = [(375, 500), (448, 447), (900, 1203), (97, 300), (1793, 1800)]


def photograph(size, seed=0):
    """Smooth, in colour, no two alike."""
    rng = np.random.default_rng(seed)
    few = rng.integers(0, 256, (6, 7, 3), "uint8")
    return Image.fromarray(few).resize(size[::-1], Image.Resampling.BICUBIC)


def written(size=(80, 100), mode="RGB", **options):
    """The bytes of a JPEG."""
    file = io.BytesIO()
    photograph(size).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 20}, {"subsampling": 0}, {"comment": b"!"}])
def test_the_markers_of_a_jpeg_by_hand(options):
    content = written((80, 100), **options)
    assert jpeg.parsed(content) == jpeg.Jpeg(80, 100, 3, plain=True)
    assert jpeg.parsed(content, header=True) == jpeg.parsed(content)
    assert jpeg.parsed(content + b"what some cameras add") == jpeg.parsed(content)
    for length in range(0, len(content), max(1, len(content) // 200)):  # cut off anywhere
        assert jpeg.parsed(content[:length]) is None
    assert jpeg.parsed(content[:-1]) is None and jpeg.parsed(content[:-2] + b"\xff\xc1") is None
    middle = content.index(b"\xff\xda") + 300
    assert jpeg.parsed(content[:middle] + b"\xff\xc0" + content[middle:]) is None, "a second frame in the pixels"


def test_what_is_not_plain():
    assert jpeg.parsed(written(mode="L")) == jpeg.Jpeg(80, 100, 1, plain=True)
    assert not jpeg.parsed(written(mode="CMYK")).plain
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = orientation, "a camera"
        assert jpeg.parsed(written(exif=exif)).plain == (orientation == 1)
    assert not jpeg.parsed(written(xmp=b'<rdf tiff:Orientation="6"/>')).plain
    several = io.BytesIO()
    photograph((80, 100)).save(several, "MPO", save_all=True, append_images=[photograph((80, 100), 1)])
    assert not jpeg.parsed(several.getvalue()).plain
    assert jpeg.parsed(b"") is jpeg.parsed(b"\xff\xd8") is jpeg.parsed(b"\x89PNG") is None


def test_to_look_decodes_no_pixel(tmp_path, monkeypatch):
    whole = {"a.jpg": written(), "b.jpg": written(progressive=True), "c.jpeg": written(mode="CMYK")}
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    photograph((80, 100)).save(tmp_path / "d.png")
    (tmp_path / "cut.jpg").write_bytes(written()[:-300])
    (tmp_path / "cut.png").write_bytes((tmp_path / "d.png").read_bytes()[:-300])
    (tmp_path / "damaged.png").write_bytes((tmp_path / "d.png").read_bytes().replace(b"IDAT", b"IDAT!", 1))
    for name in ("cut.jpg", "cut.png", "damaged.png"):
        with pytest.raises(zoo.UsageError, match=f"{name} is (cut off or damaged|not an image)"):
            reading.look(tmp_path / name)
    monkeypatch.setattr(reading, "decoded", None)
    assert {reading.look(tmp_path / name) for name in (*whole, "d.png")} == {()}


def test_to_look_says_what_decoding_says(tmp_path):
    photograph((80, 100)).save(tmp_path / "two.jpg", "MPO", save_all=True, append_images=[photograph((80, 100), 1)])
    Image.fromarray(np.zeros((9, 9, 4), "uint8")).save(tmp_path / "clear.png")
    Image.fromarray(np.zeros((9, 9), "uint16")).save(tmp_path / "deep.png")
    photograph((80, 100)).save(tmp_path / "several.png", save_all=True, append_images=[photograph((80, 100), 1)])
    for path in tmp_path.iterdir():
        assert reading.look(path) == files.decoded(path)[1] != ()


def test_a_reduction_is_no_smaller_than_what_is_wanted():
    assert [jpeg.reduction(size, (224, 224)) for size in [(447, 900), (448, 448), (1792, 1791), (1792, 1792)]] == [
        1, 2, 4, 8
    ]  # fmt: skip
    assert jpeg.reduction((100, 5000), (224, 224)) == jpeg.reduction((5000, 5000), None) == 1


@pytest.mark.parametrize("options", [{}, {"mode": "L"}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
@pytest.mark.parametrize("size", SIZES)
def test_tensorflow_reads_what_pillow_reads(size, options, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(written(size, **options))
    for at_least in (None, (224, 224), (100, 60)):
        assert reading.way_to_read(path, at_least, 0) != reading.BY_PILLOW
        ((found, label),) = reading.opened([path], [7], 3, at_least).as_numpy_iterator()
        expected = files.pixels(path, 3, at_least)
        np.testing.assert_array_equal(found, expected)
        by = jpeg.reduction(size, at_least)
        assert label == 7 and found.shape == (-(-size[0] // by), -(-size[1] // by), 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_that_lies_is_reduced_as_it_stands(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    path.write_bytes(written((300, 800), exif=exif))
    whole, reduced = files.pixels(path, 3), files.pixels(path, 3, (140, 300))
    upright = whole.shape[:2]
    assert upright == ((300, 800) if orientation < 5 else (800, 300))
    by = jpeg.reduction(upright, (140, 300))
    assert by == (2 if orientation < 5 else 1) and reduced.shape[:2] == (upright[0] // by, upright[1] // by)
    ((found, _),) = reading.opened([path], [0], 3, (140, 300)).as_numpy_iterator()
    np.testing.assert_array_equal(found, reduced)
    assert reading.upright_size(path) == files.decoded(path)[0].size == upright[::-1]


def test_a_file_that_has_changed_is_looked_at_again(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(written((300, 300)))
    ((before, _),) = reading.opened([path], [0], 3).as_numpy_iterator()
    photograph((200, 200)).save(path, "PNG")
    ((after, _),) = reading.opened([path], [0], 3).as_numpy_iterator()
    assert before.shape == (300, 300, 3) and after.shape == (200, 200, 3)


def test_a_folder_of_large_photographs_trains_as_it_is_predicted(tmp_path):
    for number in range(20):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph((200, 300), number).save(path)
    run = zoo.train(
        "softmax_regression", data=tmp_path / "photos", image_size=32, epochs=1, run=tmp_path / "run", verbose=0
    )
    data = zoo.load(run).trained.data
    assert data.at_least == (32, 32)
    source = ImageFolder(tmp_path / "photos", cover=(32, 32)).load()
    assert all(image.shape == (50, 75, 3) for image, _ in source.split("test").as_numpy_iterator()), "a quarter"
    paths = [tmp_path / "photos" / each.file for each in source.examples if each.split == "test"]
    inputs = data.encode([str(path) for path in paths])
    expected = [cover(image, 0, (32, 32))[0] for image, _ in source.split("test").as_numpy_iterator()]
    np.testing.assert_allclose(inputs, data.scaled(expected), atol=1e-6)


def test_cover_is_the_middle_of_the_whole_image_resized():
    import tensorflow as tf

    for size, wanted in (((375, 500), (224, 224)), ((90, 70), (64, 32)), ((20, 31), (40, 40)), ((1, 9), (4, 4))):
        x = np.asarray(photograph(size))
        scale = max(want / side for want, side in zip(wanted, size))
        larger = [max(int(np.ceil(side * scale - 1e-3)), want) for side, want in zip(size, wanted)]
        whole = tf.image.resize(x, larger, antialias=True)
        expected = tf.image.resize_with_crop_or_pad(whole, *wanted).numpy()
        found = cover(tf.constant(x), 0, wanted)[0]
        assert found.dtype == tf.uint8 and np.abs(found.numpy() - expected).max() < 0.51


@pytest.mark.parametrize("shape", [(5, 8, 9, 3), (7, 4, 4, 1), (3, 2, 6, 6, 3), (20, 4)])
def test_sums_of_bytes_are_those_of_real_numbers(shape):
    x = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    exact, axes = x.astype("float64"), tuple(range(x.ndim - 1))
    for found, expected in zip(sums(x), (exact.sum(axes), np.square(exact).sum(axes))):
        np.testing.assert_array_equal(found, expected)


def test_an_image_that_only_a_decoder_finds_broken_is_named(tmp_path):
    """Its markers are sound, and a table behind one of them is not: so rare that no other file is decoded for it."""
    for number in range(20):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph((60, 60), number).save(path)
    source = ImageFolder(tmp_path / "photos").load()
    path = next(tmp_path / "photos" / each.file for each in source.examples if each.split == "train")
    content = path.read_bytes()
    table = content.index(b"\xff\xc4") + 4
    path.write_bytes(content[:table] + b"\x99" * 17 + content[table + 17 :])
    assert jpeg.parsed(path.read_bytes())
    with pytest.raises(zoo.UsageError, match=rf"1 images of .*photos \(train\) cannot be read; remove .*{path.name}$"):
        zoo.train("softmax_regression", data=tmp_path / "photos", image_size=32, verbose=0, run=tmp_path / "run")
