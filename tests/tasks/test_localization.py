"""One thing, or its landmarks: from a user's own data to a run, and what the run is asked."""

import numpy as np
import pytest
from coco_folders import coco_folder
from PIL import Image

import zoo
from zoo.data.builtin import shapes, turned_wedges
from zoo.errors import UsageError
from zoo.records import replace
from zoo.tasks.localization import ious


def write_folder(root, most=1, count=15):
    """Up to so many shapes in images of 32 x 24 with COCO's JSON; every third shows none."""

    def things(rng, number):
        boxes = [shapes.random_box(rng, 24, (10, 20)) for _ in range(most if number % 3 else 0)]
        return boxes, np.arange(len(boxes)) % 3

    return coco_folder(root, count, 24, 8, things)


def recipe(name):
    one = zoo.info(name).recipe("folder" if name == "localizer" else "demo")
    return replace(one, preprocess={}, epochs=1, min_steps=0, model={"filters": (4, 4)})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data, path = (tmp_path_factory.mktemp(each) for each in ("boxes", "run"))
    how = replace(recipe("localizer"), preprocess={"letterbox": (32, 32)})
    return zoo.train("localizer", how, data=write_folder(data), run=path / "run", verbose=0)


def test_a_run_of_ones_own_boxes(run):
    assert set(run.metrics) == {"loss", "iou90", "mean_iou", "class_accuracy", "presence_accuracy"}
    assert 0 <= run.results["baselines"]["mean box"] <= 1
    assert all((run.path / file).stat().st_size > 50 for file in ("boxes.png", "augmented.png", "classes.csv"))
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-5)


def test_it_predicts_a_box_in_pixels_of_the_file(run, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((50, 90, 3), 200, "uint8")).save(photo)
    lines = zoo.predict(run, photo, folder=tmp_path / "out", score=0.0)
    assert "thing" in lines[0] and " from " in lines[1] and (tmp_path / "out" / "photo-boxes.png").is_file()


def test_images_of_several_things_are_refused(tmp_path):
    write_folder(tmp_path, most=2)
    how = replace(recipe("localizer"), preprocess={"letterbox": (32, 32)})
    with pytest.raises(UsageError, match=r"has 2 boxes; localizer tells of one: take yolo_grid"):
        zoo.train("localizer", how, data=tmp_path, run=tmp_path / "run", verbose=0)


def test_the_overlap_of_a_box_with_its_own_truth():
    truths = np.float32([[0, 0, 0.2, 0.2], [0, 0, 0.4, 0.4]])
    np.testing.assert_allclose(ious(np.float32([[0, 0, 0.2, 0.1], [0.5, 0.5, 1, 1]]), truths), [0.5, 0.0])


def wedges(count, seed):
    maker, rng = turned_wedges.TurnedWedges, np.random.default_rng(seed)
    corners = [maker.corners(maker, rng) for _ in range(count)]
    images = [maker.drawn(maker, rng, each, False) for each in corners]
    return np.stack(images), np.float32(corners) / maker.SIZE


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    path = tmp_path_factory.mktemp("points") / "wedges.npz"
    parts = {split: wedges(count, seed) for seed, (split, count) in enumerate([("train", 24), ("test", 8)])}
    names = {f"{axis}_{split}": part for split, pair in parts.items() for axis, part in zip("xy", pair)}
    np.savez(path, **names)
    return path


@pytest.fixture(scope="module")
def landmarks_run(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("landmarks") / "run"
    return zoo.train("landmarks", recipe("landmarks"), data=arrays, run=path, verbose=0)


def test_a_run_of_ones_own_points(landmarks_run):
    run = landmarks_run
    assert set(run.metrics) == {"loss", "pixel_error"} and 0 < run.metrics["pixel_error"] < 32
    assert 0 < run.results["baselines"]["mean places"] < 16
    assert all((run.path / file).stat().st_size > 20 for file in ("points.png", "landmarks.csv"))
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-4)


def test_it_predicts_points_in_pixels_of_the_file(arrays, tmp_path):
    how = replace(recipe("landmarks"), preprocess={"resize": (32, 32)})
    run = zoo.train("landmarks", how, data=arrays, run=tmp_path / "run", verbose=0)
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 90, 3), "uint8")).save(photo)
    line, drawn = zoo.predict(run, photo, folder=tmp_path / "out")
    places = np.array([each.split(" at ")[1].split(",") for each in line.partition(": ")[2].split("; ")], float)
    assert places.shape == (3, 2) and (places >= 0).all() and (places <= [90, 50]).all()
    assert (tmp_path / "out" / "photo-points.png").is_file() and drawn.startswith("  with its points: ")


@pytest.mark.parametrize(
    ("points", "said"),
    [(np.ones((24, 3)), r"of shape \(3,\); expected points"), (np.full((24, 2, 2), 9.0), "is not in its image")],
)
def test_what_are_no_points_is_refused(points, said, tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (24, 32, 32, 3), "uint8")
    np.savez(tmp_path / "odd.npz", x_train=x, y_train=points, x_test=x[:4], y_test=points[:4])
    with pytest.raises(UsageError, match=said):
        zoo.train("landmarks", recipe("landmarks"), data=tmp_path / "odd.npz", run=tmp_path / "run", verbose=0)


def test_the_corners_lie_on_the_wedge():
    rng = np.random.default_rng(0)
    for _ in range(20):
        corners = turned_wedges.TurnedWedges.corners(turned_wedges.TurnedWedges, rng)
        assert corners.min() >= 0 and corners.max() <= 32
        inner = corners.mean(0) + 0.8 * (corners - corners.mean(0))
        part = turned_wedges.covered(corners, 32)
        assert all(part[int(y), int(x)] > 0.4 for x, y in inner)
