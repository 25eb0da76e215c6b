"""`zoo train best` beside a plain fine-tuned ResNet-50, in the same time on two cores.

    python benchmarks/best.py FOLDER... --weights resnet50_FILE.h5 --minutes 2 --record FILE.csv

FOLDER is one of `photograph_sets.py`, called NAME-SEED. `best` has the weights in the file and nothing else to choose a
network from: what it can choose is the size of the images and the schedule. `plain` is a script on keras.applications
with the same weights: ResNet-50 at 224 pixels, batch normalisation frozen, flips, zoom and translation, one epoch of
the head by Adam at 1e-3, then all of it at 5e-5, until the time is up in the middle of an epoch; the weights of its
last step are tested, and its test is not counted.

So that others on the machine do not change the figures, time is that of the processor, two seconds of it to a second:
run with TF_NUM_INTRAOP_THREADS=1.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from transfer import keras_script

import zoo
from zoo import results
from zoo.cli import _terminal

CORES = 2


def clock() -> float:
    """Seconds that this has taken two cores."""
    return time.process_time() / CORES


class Until(keras.callbacks.Callback):
    """Stop where the time is up."""

    def __init__(self, end: float):
        super().__init__()
        self.end = end

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = clock() > self.end


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="called NAME-SEED")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--ways", nargs="+", default=["best", "plain"])
    parser.add_argument("--size", type=int, default=224, help="of the plain one's images")
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    arguments = parser.parse_args()
    _terminal.show_log()
    time.perf_counter = clock  # by which everything is measured
    with tempfile.TemporaryDirectory() as runs:
        for folder in arguments.folders:
            name, _, seed = folder.name.rpartition("-")
            for way in arguments.ways:
                started = clock()
                chosen = {"pixels": arguments.size, "head_epochs": 1, "epochs": ""}
                if way == "best":
                    run = zoo.train(
                        "best", data=folder, budget=arguments.minutes, weights=arguments.weights, seed=int(seed),
                        preprocessing="caffe", run=Path(runs) / folder.name, verbose=0,
                    )  # fmt: skip
                    recipe = run.config["recipe"]
                    chosen = {"pixels": recipe["preprocess"]["cover"][0]} | {
                        key: recipe[key] for key in ("head_epochs", "epochs")
                    }
                    accuracy = run.metrics["accuracy"]
                else:
                    end = started + 60 * arguments.minutes
                    accuracy = keras_script(
                        folder, arguments.weights, size=arguments.size, head_epochs=1, epochs=1000, seed=int(seed),
                        careful=True, until=Until(end),
                    )  # fmt: skip
                seconds = clock() - started
                print(f"{name}, seed {seed}, {way}: accuracy {accuracy:.4f}, {chosen}, {seconds:.0f} s", flush=True)
                if arguments.record:
                    results.append(arguments.record, {
                        "set": name, "way": way, "seed": seed, "budget_minutes": arguments.minutes, **chosen,
                        "accuracy": f"{accuracy:.4f}", "seconds": f"{seconds:.1f}",
                    })  # fmt: skip
                keras.utils.clear_session()


if __name__ == "__main__":
    main()
