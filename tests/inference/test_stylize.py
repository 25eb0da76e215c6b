"""`zoo stylize`: images in and out, what is said beforehand, one line for every mistake, and nothing lost."""

import numpy as np
import pytest
from PIL import Image

from zoo import cli
from zoo.data.builtin.photographs import photographs
from zoo.data.image import files as image_files
from zoo.errors import UsageError
from zoo.inference import stylize

QUICK = ("--weights", "none", "--steps", "2", "--size", "32")


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """content.jpg and style.png in the current folder."""
    monkeypatch.chdir(tmp_path)
    china, flower = (Image.fromarray(each).resize((64, 43)) for each in photographs())
    china.save("content.jpg")
    flower.save("style.png")
    return "content.jpg", "style.png"


def zoo_command(capsys, *words):
    code = cli.main(["stylize", *words])
    out, err = capsys.readouterr()
    return code, out, err


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"), "float32")


# Files


def test_images_come_upright(tmp_path):
    """A camera held on its side notes so; the bytes lie."""
    image = Image.fromarray(photographs()[0]).resize((60, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save(tmp_path / "a.jpg", exif=exif)
    assert image_files.read(tmp_path / "a.jpg").size == (40, 60)


def test_transparency_becomes_white_and_is_said(tmp_path, caplog):
    caplog.set_level("INFO", "zoo")
    image = np.zeros((20, 20, 4), "uint8")  # black, and not there
    image[:10, :, 3] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    found = np.asarray(image_files.read(tmp_path / "a.png"))
    assert found.shape == (20, 20, 3) and (found[:10] == 0).all() and (found[10:] == 255).all()
    assert "transparent in places; they are taken as white" in caplog.text


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "1", "I;16"])
def test_every_kind_of_image_becomes_rgb(mode, tmp_path):
    image = Image.fromarray(photographs()[0]).resize((30, 20))
    path = tmp_path / ("a.tif" if mode in ("CMYK", "I;16") else "a.png")
    if mode == "I;16":
        Image.fromarray(np.asarray(image.convert("L"), "uint16") * 257).save(path)
    else:
        image.convert(mode).save(path)
    found = image_files.read(path)
    assert found.mode == "RGB" and found.size == (30, 20) and np.ptp(np.asarray(found)) > 100


@pytest.mark.parametrize(("size", "longest", "wanted"), [((640, 427), 256, (256, 171)), ((30, 40), 512, (30, 40))])
def test_a_limit_keeps_the_proportion_and_never_enlarges(size, longest, wanted):
    assert image_files.limited(size, longest, "it") == wanted


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG"])
def test_what_is_written_is_read_again(suffix, tmp_path):
    image = np.linspace(0, 1, 24 * 32 * 3, dtype="float32").reshape(24, 32, 3)
    image_files.write(image, tmp_path / f"a.{suffix}")
    assert np.abs(pixels(tmp_path / f"a.{suffix}") / 255 - image).max() < (0.003 if suffix == "png" else 0.1)
    assert len(list(tmp_path.iterdir())) == 1


def test_free_names_count_upward(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "a-2.png").touch()
    assert image_files.free_name(tmp_path / "a.png").name == "a-3.png"


# Mistakes, before the work


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.jpg", "style.png"], "nowhere.jpg is not there; expected the file of an image"),
        (["text.jpg", "style.png"], "text.jpg is not an image"),
        (["cut.jpg", "style.png"], "cut.jpg is cut off or damaged"),
        (["content.jpg", "dot.png"], "dot.png is 1x1 pixels; expected at least 16 on each side"),
        (["line.png", "style.png"], "line.png is 900x20 pixels, 512x11 at a size of 512; expected at least 16"),
        (["content.jpg", "style.png", "-o", "nowhere/a.png"], "there is no folder nowhere for a.png; make it first"),
        (["content.jpg", "style.png", "-o", "a.gif"], "the output a.gif ends in '.gif'; expected .png, .jpg, .jpeg"),
        (["content.jpg", "style.png", "-o", "style.png"], "style.png is there already and was not touched"),
        (["content.jpg", "style.png", "--steps", "0"], "steps is 0; expected a whole number of at least 1"),
        (["content.jpg", "style.png", "--size", "3"], "size is 3; expected a whole number of at least 16"),
        (["content.jpg", "style.png", "--style-weight", "-1"], "style_weight is -1.0; expected a number of at least 0"),
        (["content.jpg", "style.png", "--optimizer", "adm"], "there is no optimizer 'adm'; did you mean adam?"),
        (["content.jpg", "style.png", "--start", "white"], "there is no start 'white'; there are content, noise"),
        (["content.jpg", "style.png", "--shares", "1,x"], "--fractions is '1,x'; expected numbers, as in 0.7,0.3"),
        (["content.jpg", "style.png", "--shares", "1,2"], "there are 1 styles and the fractions (1.0, 2.0)"),
        (["content.jpg", "style.png", "--extractor", "resnet50"], "extractor is 'resnet50'; expected vgg11"),
        (["content.jpg", "style.png", "--weights", "nowhere.h5"], "nowhere.h5"),
        (["content.jpg"], "the following arguments are required"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(words, says, pair, tmp_path, capsys):
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "content.jpg").read_bytes()[:400])
    Image.new("RGB", (1, 1)).save("dot.png")
    Image.new("RGB", (900, 20)).save("line.png")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    code, _, err = zoo_command(capsys, *words, *(() if "-o" in words else ("-o", "out.png")))
    assert code == 2
    assert says in err and err.startswith("zoo: ") and err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_takes_no_file_is_said_before_the_work(pair, capsys, monkeypatch):
    code, _, err = zoo_command(capsys, *pair, "-o", "x" * 251 + ".png")  # its temporary file has too long a name
    assert code == 2 and ".png cannot be written (File name too long); choose another" in err


def test_nothing_of_the_users_is_written_over(pair, tmp_path, capsys):
    small = ("--weights", "none", "--size", "32", "--steps", "4")
    (tmp_path / "out-0002.png").write_bytes(b"mine")
    code, _, err = zoo_command(capsys, *pair, "-o", "out.png", *small, "--preview", "2")
    assert code == 2 and "out-0002.png is there already" in err and (tmp_path / "out-0002.png").read_bytes() == b"mine"
    before = (tmp_path / pair[0]).read_bytes()
    code, _, err = zoo_command(capsys, *pair, "-o", pair[0], "--overwrite", *small)
    assert code == 2 and "is one of the images to be read" in err and (tmp_path / pair[0]).read_bytes() == before


def test_a_style_counts_in_the_memory_too(pair, capsys, monkeypatch):
    Image.new("RGB", (640, 480)).save("large.png")
    monkeypatch.setattr(stylize, "available_memory", lambda: 100 * 2**20)
    code, _, err = zoo_command(capsys, pair[0], "large.png", "-o", "out.png", "--style-size", "640", *QUICK)
    assert code == 2 and "a style of 640x480 pixels takes about" in err and "choose a smaller --style-size" in err


def test_without_a_style_the_photograph_stays(pair, tmp_path):
    options = dict(weights="none", size=32, steps=5, verbose=0, variation_weight=1.0)
    found = np.asarray(stylize.stylize(pair[0], [pair[1]], style_weight=0.0, **options), "float32")
    shown = np.asarray(Image.open(pair[0]).resize(found.shape[1::-1], Image.Resampling.LANCZOS), "float32")
    assert np.abs(found - shown).max() <= 1


def test_a_image_too_large_for_the_memory_is_said_before_the_work(pair, capsys, monkeypatch):
    monkeypatch.setattr(stylize, "available_memory", lambda: 2**20)
    code, _, err = zoo_command(capsys, *pair, "-o", "out.png")
    assert code == 2 and "MiB of memory and 1 MiB are free; choose a smaller --size" in err


# The work


def test_a_image_comes_out_of_the_size_of_the_photograph(pair, capsys):
    code, out, err = zoo_command(capsys, *pair, "-o", "out.png", *QUICK, "--preview", "1")
    assert code == 0, err
    assert Image.open("out.png").size == Image.open("out-0001.png").size == (32, 22)
    for said in ("64x43 becomes 32x22 pixels, about", "MiB of memory", "untrained filters", "content:", "style:"):
        assert said in out
    assert not np.array_equal(pixels("out.png"), pixels("out-0001.png"))


def test_the_same_seed_gives_the_same_image(pair):
    settings = dict(weights="none", steps=3, size=32, start="noise", verbose=0)
    first, again, other = (np.asarray(stylize.stylize(pair[0], pair[1:], seed=seed, **settings)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.slow
def test_lbfgs_goes_further_than_adam_in_as_many_steps(pair, monkeypatch):
    ends = {}
    for optimizer in ("adam", "lbfgs"):
        run = stylize.OPTIMIZERS[optimizer]

        def watched(optimization, progress, run=run, optimizer=optimizer):
            run(optimization, progress)
            terms = optimization.terms()
            ends[optimizer] = sum(weight * terms[term] for term, weight in optimization.loss.term_weights.items())
            assert progress.step == 15

        monkeypatch.setitem(stylize.OPTIMIZERS, optimizer, watched)
        stylize.stylize(pair[0], pair[1:], weights="none", steps=15, size=32, optimizer=optimizer, verbose=0)
    assert ends["lbfgs"] < ends["adam"]


@pytest.mark.slow
def test_no_style_leaves_the_photograph_as_it_is(pair):
    image = stylize.stylize(
        *pair[:1], pair[1:], weights="none", steps=2, size=32, style_weight=0.0, variation_weight=0.0, verbose=0
    )
    content = image_files.read(pair[0]).resize((32, 22), Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(image, "float32") - np.asarray(content, "float32")).max() <= 12  # two of Adam's steps


def test_colours_are_kept_if_they_are_to_be(pair):
    image = stylize.stylize(pair[0], pair[1:], weights="none", steps=4, size=32, keep_colours=True, verbose=0)
    content = image_files.read(pair[0]).resize((32, 22), Image.Resampling.LANCZOS)
    (light, *colours), (content_light, *content_colours) = (
        [np.asarray(plane, "float32") for plane in each.convert("YCbCr").split()] for each in (image, content)
    )
    assert max(np.abs(a - b).mean() for a, b in zip(colours, content_colours)) < 2
    assert np.abs(light - content_light).mean() > 2


def test_ctrl_c_writes_what_there_is(pair, capsys, monkeypatch):
    def stopped(optimization, progress):
        optimization.set_image(np.full(optimization.content.shape, 0.5))
        progress.step = 37
        raise KeyboardInterrupt

    monkeypatch.setitem(stylize.OPTIMIZERS, "adam", stopped)
    code, _, err = zoo_command(capsys, *pair, "-o", "out.png", *QUICK)
    assert code == 130
    assert "zoo: stopped after 37 steps; out.png holds the image so far" in err
    assert (pixels("out.png") == 128).all()


def test_trained_filters_that_cannot_be_had_are_said(pair, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    code, out, _ = zoo_command(capsys, *pair, "-o", "out.png", "--steps", "1", "--size", "32")
    assert code == 0 and "no trained filters: " in out and "untrained filters" in out
    code, _, err = zoo_command(capsys, *pair, "-o", "b.png", "--weights", "imagenet")
    assert code == 2 and err.count("\n") == 1, "asked for by name, they are not replaced"


def test_memory_grows_with_the_pixels():
    assert stylize.memory(512, 512) == 4 * stylize.memory(256, 256) > 100 * 2**20


def test_a_plan_is_checked_in_python_as_well():
    with pytest.raises(UsageError, match=r"preview is 2\.5; expected a whole number"):
        stylize.StyleSettings(preview=2.5).check(1)


def test_the_old_name_of_fractions_warns(pair):
    with pytest.warns(FutureWarning, match=r"is now stylize\(fractions=\.\.\.\)"):
        request = stylize.prepare(pair[0], [pair[1]], shares=(2.0,), weights="none", size=32)
    assert request.settings.fractions == (2.0,)
