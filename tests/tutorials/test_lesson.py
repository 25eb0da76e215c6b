"""lesson: arguments, claims, plots."""

import json
import sys
import types

import numpy as np
import pytest
from lesson import Tutorial, in_one_line, is_blank, mnist1d
from PIL import Image

from zoo import UsageError
from zoo.plots import new_figure

pytestmark = pytest.mark.usefixtures("drawn")


@pytest.fixture
def lesson(tmp_path):
    return Tutorial("42_test", arguments=["--out", str(tmp_path)])


def test_arguments(tmp_path, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr("lesson.open_source", lambda name, **_: asked.append(name))
    lesson = Tutorial("42_test", full_data="mnist", arguments=["--out", str(tmp_path), "--data", "full", "--seed", "5"])
    assert (lesson.data, lesson.full, lesson.seeds, lesson.smoke) == ("mnist", True, [5, 6, 7], False)
    assert asked == ["mnist"], "looked for at once, not after the first cells"
    assert Tutorial("42_test", arguments=["--out", str(tmp_path), "--smoke"]).seeds == [0]
    assert capsys.readouterr().out == ""
    Tutorial("42_test", arguments=["--out", str(tmp_path), "--smok"])
    assert "ignored --smok" in capsys.readouterr().out


def test_a_mistake_is_one_line(capsys):
    in_one_line(UsageError, UsageError("seed is -3; expected more"), None)
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(UsageError, match="seed is -3"):
        Tutorial("42_test", arguments=["--seed", "-3"])


def test_full_data_where_there_is_none(tmp_path):
    with pytest.raises(UsageError, match="no full data set"):
        Tutorial("42_test", arguments=["--out", str(tmp_path), "--data", "full"])


@pytest.mark.parametrize(
    "value, relation, bound, holds",
    [
        (1, ">=", 1, True),
        (np.float32(0.5), ">", 0.5, False),
        (np.int64(3), "==", 3, True),
        (0.1, "<=", 0.2, True),
        (0.2, "<", 0.1, False),
        (float("nan"), ">=", 0, False),
    ],
)
def test_claims(lesson, value, relation, bound, holds):
    lesson.claim("it", value, relation, bound, baseline={"chance": np.float64(0.1)})
    assert lesson.claims[0]["holds"] is holds
    assert json.loads(json.dumps(lesson.claims[0]["baseline"])) == {"chance": 0.1}


def test_an_unknown_relation(lesson):
    with pytest.raises(UsageError, match="there is no relation '=>'"):
        lesson.claim("it", 1, "=>", 1)


def test_what_finish_writes(lesson, tmp_path):
    lesson.skip("a part")
    lesson.claim("it", 61706, "==", 61706, exact=True)
    lesson.finish()
    record = json.loads((tmp_path / "42.json").read_text())
    assert record["skipped"] == ["a part"] and record["tutorial"] == "42_test" and record["data"] == "embedded"
    assert record["claims"][0] == {
        "name": "it", "value": 61706, "relation": "==", "bound": 61706, "baseline": {}, "holds": True,
    }  # fmt: skip


def drawn(draw):
    figure = new_figure(4, 2)
    left, right = figure.subplots(1, 2)
    left.plot([1, 2, 3])
    draw(right)
    return figure


BLANK = {
    "an empty frame": lambda axes: None,
    "nothing but NaN": lambda axes: axes.plot([np.nan, np.nan]),
    "an image of one colour": lambda axes: axes.imshow(np.zeros((4, 4))),
    "points outside of the limits": lambda axes: axes.plot([5.0], [5.0], "o") and axes.set(xlim=(0, 1), ylim=(0, 1)),
}
SEEN = {
    "a line": lambda axes: axes.plot([1, 3, 2]),
    "an image": lambda axes: axes.imshow(np.eye(4)),
    "a place left out": lambda axes: axes.axis("off"),
}


@pytest.mark.parametrize("what", BLANK)
def test_a_blank_plot_is_refused(lesson, what, tmp_path):
    with pytest.raises(UsageError, match="'picture' is blank"):
        lesson.plot(drawn(BLANK[what]), "picture")
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("what", SEEN)
def test_a_plot_is_written(lesson, what, tmp_path):
    lesson.plot(drawn(SEEN[what]), "picture")
    assert (tmp_path / "42_picture.png").stat().st_size > 1000 and lesson.plots == ["42_picture.png"]


def test_an_animation_is_written(lesson, tmp_path):
    figure = new_figure(4, 2)
    axes = figure.subplots()
    lesson.animate(figure, lambda end: axes.plot(range(end)), (2, 3, 4), "growing")
    with Image.open(tmp_path / "42_growing.gif") as animation:
        assert animation.n_frames == 3
    assert lesson.plots == ["42_growing.gif"]
    with pytest.raises(UsageError, match="ends blank"):
        lesson.animate(drawn(BLANK["an empty frame"]), lambda frame: None, range(2), "nothing")
    assert not (tmp_path / "42_nothing.gif").exists()


def test_a_notebook_shows_each_figure(lesson, monkeypatch, tmp_path):
    """A cell shows by itself only the value of its last line."""
    shown = []
    display = types.SimpleNamespace(Image=lambda filename: filename, display=shown.append)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    lesson.plot(drawn(SEEN["a line"]), "first")
    lesson.plot(drawn(SEEN["an image"]), "second")
    assert shown == [str(tmp_path / name) for name in ("42_first.png", "42_second.png")]


def test_a_figure_without_anything_is_blank():
    assert is_blank(new_figure(2, 2))


def test_mnist1d_is_the_published_set():
    pytest.importorskip("mnist1d", reason="mnist1d is not installed")
    (x, y), (x_test, y_test) = mnist1d()
    assert x.shape == (4000, 40, 1) and x_test.shape == (1000, 40, 1) and x.dtype == "float32"
    assert set(y) == set(range(10)) and abs(x.std() - 1) < 0.01
    np.testing.assert_array_equal(mnist1d()[1][0], x_test)  # the same each time
    assert len(y_test) == 1000


def test_mnist1d_where_the_package_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert mnist1d() is None
