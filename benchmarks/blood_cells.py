"""Blood cells under the microscope: Faster R-CNN, its ResNet-50 from ImageNet, within an hour of one core.

    python benchmarks/blood_cells.py FOLDER --weights resnet50.h5 --record results/benchmarks/blood_cells.csv

FOLDER holds BCCD (github.com/Shenggan/BCCD_Dataset): 364 photographs of 640 x 480 pixels with Pascal VOC's XML, of red
and white cells and platelets, and lists of those to train on, to validate and to test on. What costs time is left out:
images have .3 of their sides, a level of the pyramid 64 channels, the ResNet stays as it is, and 64 places are looked
at. Cells of a class are much alike in size, which are the sizes of the anchors. There is no up and
no down under a microscope: images are mirrored both ways. The rate stays as it is and the weights are averaged, so that
a training may be stopped after any epoch, and go on.

`--on validation` measures there, to choose settings by; the row that counts is of the test images, and of a run whose
settings were chosen without them. `--resume` goes on with a run that was stopped, up to `--epochs`; the row that is
recorded is of one that was stopped after 3 of them, looked at on the validation images (.854) and brought to 8.
"""

import argparse
import csv
import dataclasses
import time
from pathlib import Path

import zoo
from zoo import results

SIZE = (160, 192)
SETTINGS = dict(
    preprocess={"letterbox": SIZE},
    augment={"flip": "both"},
    batch_size=2,
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.01, "clipnorm": 10.0},
    learning_rate=5e-4,
    schedule="constant",
    schedule_options={},
    ema_momentum=0.99,
    freeze="conv5_block3_out",
    model={
        "stride_in": "1x1",
        "use_bias": True,
        "channels": 64,
        "units": 512,
        "sides": (12, 31, 56, 90, 130),  # of platelets, red and white cells, and two that are not needed
        "proposals": 64,
    },
)


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", required=True, help="of ResNet-50, as Caffe had them")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--on", default="test", choices=("test", "validation"))
    parser.add_argument("--run", type=Path, help="the folder of the run (default: runs/blood_cells-SEED)")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    arguments = parser.parse_args()
    finetune = zoo.info("faster_rcnn_resnet50_fpn").recipe("finetune")
    run = zoo.train(
        "faster_rcnn_resnet50_fpn",
        dataclasses.replace(finetune, test=arguments.on, **SETTINGS),
        weights=arguments.weights,
        preprocessing="caffe",
        data=arguments.folder,
        epochs=arguments.epochs,
        seed=arguments.seed,
        run=arguments.run or Path("runs") / f"blood_cells-{arguments.seed}",
        resume=arguments.resume,
        verbose=2,
    )
    with (run.path / "classes.csv").open(newline="") as file:
        by_class = {f"ap50 {row['class']}": row["ap50"] for row in csv.DictReader(file)}
    row = {
        "model": "faster_rcnn_resnet50_fpn", "on": arguments.on, "pixels": "x".join(map(str, SIZE)),
        "epochs": arguments.epochs, "seed": arguments.seed,
        **{name: f"{run.metrics[name]:.4f}" for name in ("map50", "map75", "map", "map_voc2007")}, **by_class,
        "mean boxes": f"{run.results['baselines']['mean boxes']:.4f}",
        "cpu_seconds": "" if arguments.resume else round(time.process_time()),
    }  # fmt: skip
    print(row)
    if arguments.record:
        results.append(arguments.record, row)


if __name__ == "__main__":
    main()
