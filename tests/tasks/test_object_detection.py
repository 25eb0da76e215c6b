"""A detector from a folder to a run, and what the run is asked."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from coco_folders import coco_folder
from PIL import Image
from weight_files import save_legacy

import zoo
from zoo import tasks
from zoo.cli import main
from zoo.data.builtin import shapes
from zoo.errors import UsageError
from zoo.metrics.detection import Detections, Truth
from zoo.records import replace
from zoo.training.image_options import with_size


def write_folder(root, count=12):
    """Two or three shapes in images of 60 x 40 with COCO's JSON."""

    def things(rng, number):
        boxes = [shapes.random_box(rng, 40, (10, 20)) for _ in range(2 + number % 2)]
        return boxes, rng.integers(3, size=len(boxes))

    coco_folder(root, count, 40, 20, things)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("boxes")
    (folder / "data").mkdir()
    write_folder(folder / "data")
    recipe = replace(
        zoo.info("yolo_grid").recipe("demo"),
        preprocess={"letterbox": (32, 32)},
        augment={"flip": True, "crop": (0.6, 1.0)},
        epochs=1,
        model={"filters": (4, 4, 4)},
    )
    return zoo.train("yolo_grid", recipe, data=folder / "data", run=folder / "run", verbose=0)


def test_a_run_of_ones_own_boxes(run):
    assert set(run.metrics) == {"loss", "map50", "map75", "map", "map_voc2007"}
    assert 0 <= run.results["baselines"]["mean boxes"] < 1
    for file in ("precision_recall.png", "errors.png", "boxes.png", "augmented.png", "classes.csv", "errors.csv"):
        assert (run.path / file).stat().st_size > 50, file
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-5, nan_ok=True)


def test_it_predicts_boxes_in_pixels_of_the_file(run, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((50, 90, 3), 200, "uint8")).save(photo)
    lines = zoo.predict(run, photo, folder=tmp_path / "out", score=0.0)
    assert lines[0].startswith(f"{photo}: ") and "thing" in lines[0]
    assert any(" from " in line and " to " in line for line in lines[1:])
    assert lines[-1].startswith("  with its boxes: ") and (tmp_path / "out" / "photo-boxes.png").is_file()
    assert zoo.predict(run, photo, score=1.0) == [f"{photo}: nothing with a score above 100%"]
    with pytest.raises(UsageError, match="score is 30; expected a number from 0 to 1"):
        zoo.predict(run, photo, score=30)


def test_records_of_any_size_hold_what_the_lines_hold(run, tmp_path):
    """Of a file, of PIL and of an array; boxes are those of the letterbox, mapped back by hand."""
    from zoo.decoding.detections import detections

    pixels = np.random.default_rng(0).integers(0, 255, (50, 90, 3), "uint8")
    photo = tmp_path / "photo.png"
    Image.fromarray(pixels).save(photo)
    ready = zoo.load(run)
    of_file, of_pil, of_array = ready([photo, Image.fromarray(pixels), pixels], score=0.0, iou=0.4)
    assert str(of_file).splitlines() == zoo.predict(run, photo, score=0.0, iou=0.4)
    assert [of_pil.input, of_array.input] == ["image 1", "image 2"]
    for each in (of_pil, of_array):
        np.testing.assert_array_equal(each.boxes, of_file.boxes)
    rows = ready.trained.network.predict(ready.trained.data.encode([photo]))
    seen = detections(rows, score=0.0, iou=0.4)[0].boxes * 32  # in 32 x 32: 32 across, 18 of 50 x 32 / 90 down
    by_hand = np.clip((seen - [0, 7, 0, 7]) * np.tile([90 / 32, 50 / 18], 2), 0, [90, 50, 90, 50])
    np.testing.assert_allclose(of_file.boxes, by_hand, atol=1e-3)
    assert (np.diff(of_file.scores) <= 0).all() and of_file.size == (50, 90) and of_file.masks is None
    assert len(ready(photo, score=0.0, top=2)[0].labels) == 2
    assert ready(photo, score=1.0)[0].as_dict() == {"input": str(photo), "height": 50, "width": 90, "things": []}
    assert ready(photo, score=1.0)[0].as_rows() == [
        dict.fromkeys(("input", "label", "score", "left", "top", "right", "bottom"), "") | {"input": str(photo)}
    ]


def test_json_and_csv_from_the_command_line(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in range(9):
        Image.fromarray(np.full((40, 60, 3), 20 * number, "uint8")).save(f"{number}.png")
    Path("page.png").write_text("<html>")
    expected = zoo.load(run)([f"{number}.png" for number in range(9)], score=0.001)
    command = ["predict", str(run.path), *(f"{number}.png" for number in range(9)), "page.png", "--score", "0.001"]
    assert main([*command, "--json"]) == 1
    out, err = capsys.readouterr()
    *found, refused = json.loads(out)
    assert "1 of 10 images could not be read" in err and "is not an image" in refused["error"]
    pictures = [each.pop("picture") for each in found if each["things"]]
    assert found == [each.as_dict() for each in expected]
    assert sorted(pictures) == sorted(str(file) for file in Path("predictions").iterdir()), "all, however many"
    assert {"label", "score", "box"} == {*found[0]["things"][0]} and len(found[0]["things"][0]["box"]) == 4
    assert main([*command, "--csv"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["label"] for row in rows] == [label for each in expected for label in (each.labels or [""])]
    assert main([*command, "--explain", "gradcam"]) == 2 and "has no such explanation" in capsys.readouterr().err


def test_a_letterbox_is_mapped_back_exactly(run):
    """A box of the file, seen through the letterbox and back, of any size and aspect."""
    from zoo.data.image.geometry import letterbox_window, out_of, through

    rng = np.random.default_rng(0)
    for height, width in [(480, 640), (640, 480), (33, 1000), (416, 416), (7, 5)]:
        corner = rng.random((20, 2))
        boxes = np.concatenate([corner, corner + rng.random((20, 2)) * (1 - corner)], axis=1).astype("float32")
        window = letterbox_window([height, width], [416, 416])
        back = out_of(window.numpy(), through(window)(boxes).numpy())
        np.testing.assert_allclose(back, boxes, atol=1e-5)


@pytest.mark.slow
def test_it_is_exported_with_suppression_inside(run, tmp_path):
    tf = pytest.importorskip("tensorflow")
    from zoo.inference import api

    path = api.export(run, "saved_model", tmp_path / "detector")
    exported = tf.saved_model.load(str(path))
    found = exported.serve(np.full((1, 32, 32, 3), 200, "float32"))
    assert found["boxes"].shape == (1, 100, 4) and found["classes"].shape == (1, 100)
    with pytest.raises(UsageError, match="no format of export 'onnx2'"):
        api.export(run, "onnx2", tmp_path / "other")


@pytest.fixture(scope="module")
def ssd_run(tmp_path_factory):
    """SSD on the same folder, its convolutions from a classifier's file, as ``--weights`` gives it."""
    folder = tmp_path_factory.mktemp("ssd")
    (folder / "data").mkdir()
    write_folder(folder / "data")
    small = {"width": 1 / 64}
    weights = save_legacy(zoo.build("vgg16", top=False, input_shape=(32, 32, 3), **small), folder / "vgg16_notop.h5")
    recipe = replace(
        zoo.info("ssd300_vgg16").recipe("finetune"), preprocess={"letterbox": (48, 48)}, epochs=1, model=small
    )
    how = dict(data=folder / "data", run=folder / "run", weights=weights, preprocessing="torch", verbose=0)
    return zoo.train("ssd300_vgg16", recipe, **how)


@pytest.mark.slow
def test_ssd_starts_from_a_classifier_and_is_trained_alike(ssd_run, tmp_path):
    assert set(ssd_run.metrics) == {"loss", "map50", "map75", "map", "map_voc2007"}
    assert ssd_run.config["options"]["num_classes"] == 3 and ssd_run.config["options"]["input_shape"] == [48, 48, 3]
    assert zoo.evaluate(ssd_run) == pytest.approx(ssd_run.metrics, abs=1e-5, nan_ok=True)
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((50, 90, 3), 200, "uint8")).save(photo)
    lines = zoo.predict(ssd_run, photo, folder=tmp_path / "out", score=0.0)
    assert any(" from " in line and " to " in line for line in lines[1:])
    assert (tmp_path / "out" / "photo-boxes.png").is_file()


@pytest.mark.slow
def test_ssd_is_exported_with_suppression_inside(ssd_run, tmp_path):
    tf = pytest.importorskip("tensorflow")
    from zoo.inference import api

    exported = tf.saved_model.load(str(api.export(ssd_run, "saved_model", tmp_path / "detector")))
    found = exported.serve(np.full((1, 48, 48, 3), 200, "float32"))
    assert found["boxes"].shape == (1, 100, 4) and found["classes"].shape == (1, 100)


@pytest.mark.slow
def test_two_stages_start_from_a_classifier_and_are_trained_alike(tmp_path):
    """The metrics and the loss are those of the second stage; the first one's is added in training alone."""
    (tmp_path / "data").mkdir()
    write_folder(tmp_path / "data")
    small = {"blocks": (1, 1, 1, 1), "width": 8, "stride_in": "1x1", "use_bias": True}
    body = zoo.build("resnet50", top=False, input_shape=(32, 32, 3), **{**small, "use_bias": True})
    weights = save_legacy(body, tmp_path / "resnet50_notop.h5")
    recipe = replace(
        zoo.info("faster_rcnn_resnet50_fpn").recipe("finetune"),
        preprocess={"letterbox": (64, 64)},
        epochs=1,
        model={**small, "channels": 8, "units": 16, "proposals": 8, "sides": (8, 12, 16, 24, 32)},
        freeze="conv2_block1_out",
    )
    how = dict(data=tmp_path / "data", run=tmp_path / "run", weights=weights, preprocessing="caffe", verbose=0)
    run = zoo.train("faster_rcnn_resnet50_fpn", recipe, **how)
    assert set(run.metrics) == {"loss", "map50", "map75", "map", "map_voc2007"}
    assert run.config["options"]["num_classes"] == 3 and run.config["options"]["input_shape"] == [64, 64, 3]
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-5, nan_ok=True)
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((50, 90, 3), 200, "uint8")).save(photo)
    lines = zoo.predict(run, photo, folder=tmp_path / "out", score=0.0)
    assert any(" from " in line and " to " in line for line in lines[1:])


def test_a_perfect_detector_has_a_precision_of_1():
    task = tasks.get("object_detection")
    truth = Truth(np.float32([[0.1, 0.1, 0.5, 0.5], [0.5, 0.5, 0.9, 0.9]]), np.array([0, 1]))
    found = Detections(truth.boxes, truth.classes, np.ones(2))

    class Data:
        class_names = ("a", "b")

    class Evaluation:
        targets, outputs = [truth], [found]

    rows = task.tables(Data, Evaluation)["classes.csv"]
    assert [row["ap50"] for row in rows] == ["1.0000", "1.0000"] and [row["boxes"] for row in rows] == [1, 1]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "map50", "map75"), [("yolo_grid", 0.95, 0.70), ("ssd300_vgg16", 0.80, 0.55)])
def test_the_demo_finds_shapes(name, map50, map75, tmp_path):
    run = zoo.train(name, run=tmp_path / "run", verbose=0)
    assert run.metrics["map50"] >= map50 and run.metrics["map75"] >= map75


@pytest.mark.parametrize("name", ["faster_rcnn_resnet50_fpn", "ssd300_vgg16", "yolo_v2"])
def test_another_size_stays_a_letterbox(name):
    """Cut to cover the new size besides, an image would lose what stands at its edges."""
    card = zoo.info(name)
    assert with_size(card.recipe("voc"), card, (320, 480)).preprocess == {"letterbox": (320, 480)}
