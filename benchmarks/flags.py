"""What oneDNN is worth to TensorFlow on a processor: a training step of several networks, with it and without.

    python benchmarks/flags.py --record results/benchmarks/flags.csv

TensorFlow takes oneDNN's kernels by itself where a processor has instructions for networks (VNNI, bfloat16), elsewhere
where TF_ENABLE_ONEDNN_OPTS=1 says so. It reads that when it is imported: each measurement is a process of its own, on
one thread, and the two take turns. Of the processor seconds of a step the least of all is taken.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

FLAG = "TF_ENABLE_ONEDNN_OPTS"
WORK: dict[str, tuple[dict[str, object], tuple[int, ...]]] = {  # name -> options, shape of a batch
    "lenet5": ({"input_shape": (28, 28, 1)}, (128, 28, 28, 1)),
    "resnet20": ({"input_shape": (32, 32, 3)}, (32, 32, 32, 3)),
    "resnet50": ({"input_shape": (96, 96, 3), "num_classes": 10}, (4, 96, 96, 3)),
    "mobilenet_v2": ({"input_shape": (96, 96, 3), "num_classes": 10}, (8, 96, 96, 3)),
    "lstm_classifier": ({"input_shape": (100,)}, (16, 100)),
    "gpt": ({"input_shape": (128,)}, (4, 128)),
}


def measure(name: str, steps: int) -> float:
    """The least processor seconds of a training step, in this process."""
    import time

    import keras
    import numpy as np

    import zoo

    options, shape = WORK[name]
    keras.utils.set_random_seed(0)
    model = zoo.build(name, **options)
    rng = np.random.default_rng(0)
    tokens = len(shape) == 2
    x = rng.integers(1, 90, shape).astype("int32") if tokens else rng.normal(size=shape).astype("float32")
    y = np.zeros(shape if name == "gpt" else shape[:1], "int32")
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.build(model.trainable_variables)
    best = float("inf")
    for _ in range(steps + 2):
        started = time.process_time()
        model.train_on_batch(x, y)
        best = min(best, time.process_time() - started)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.partition("\n")[0])
    parser.add_argument("--names", nargs="+", choices=WORK, default=[*WORK])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        print(json.dumps({name: measure(name, arguments.steps) for name in arguments.names}))
        return
    best: dict[str, dict[str, float]] = {name: {} for name in arguments.names}
    for _ in range(arguments.rounds):
        for value in "01":
            how = os.environ | {FLAG: value, "TF_NUM_INTRAOP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
            how["KERAS_BACKEND"] = "tensorflow"
            command = [sys.executable, __file__, "--alone", "--steps", str(arguments.steps), "--names"]
            told = subprocess.run([*command, *arguments.names], env=how, stdout=subprocess.PIPE, text=True, check=True)
            for name, seconds in json.loads(told.stdout.splitlines()[-1]).items():
                best[name][value] = min(best[name].get(value, seconds), seconds)
    from zoo import results

    for name, found in best.items():
        row = {
            "name": name,
            "batch": "x".join(map(str, WORK[name][1])),
            "without_ms": f"{1000 * found['0']:.1f}",
            "with_ms": f"{1000 * found['1']:.1f}",
            "ratio": f"{found['0'] / found['1']:.2f}",
        }
        print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        if arguments.record:
            results.append(arguments.record, row)


if __name__ == "__main__":
    main()
