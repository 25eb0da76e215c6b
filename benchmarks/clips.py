"""What video networks cost: clips a second, forward and in training, and the memory of the process.

    python benchmarks/clips.py --record results/benchmarks/clips.csv

Every network at its own size, 16 frames of 112x112, on random numbers, in a process of its own; then the reading of
clips from a film of 300 frames of 320x240, which is what they wait for. The figures are those of the machine.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import zoo
from zoo import results
from zoo.data.video.files import read_clip
from zoo.training import throughput

NETWORKS = ("c3d", "r3d_18", "mc3_18", "r2plus1d_18", "frame_cnn")
SHAPE = (16, 112, 112, 3)


def network(name, batch, steps):
    """Clips a second of `predict` and of `fit`, and the largest the process has been."""
    import tensorflow as tf

    model = zoo.build(name, input_shape=SHAPE, num_classes=101)
    model.compile(keras.optimizers.SGD(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = np.random.default_rng(0).normal(size=(batch, *SHAPE)).astype("float32")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.predict(x, batch_size=batch, verbose=0)  # compiles
    started = time.perf_counter()
    for _ in range(steps):
        model.predict_on_batch(x)
    forward = batch * steps / (time.perf_counter() - started)
    ready = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    data = tf.data.Dataset.from_tensor_slices((x, np.zeros(batch, "int64"))).batch(batch)
    training = throughput.model_rate(model, data, steps=steps, warmup=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "network": name,
        "batch": batch,
        "parameters": model.count_params(),
        "clips_per_second": f"{forward:.2f}",
        "training_clips_per_second": f"{training:.2f}",
        "model_MiB": round(before / 1024),
        "predict_MiB": round(ready / 1024),
        "training_MiB": round(peak / 1024),
    }


def film(path):
    """300 frames of 320x240 in which something moves."""
    import av

    ground = np.random.default_rng(0).integers(0, 255, (240, 640, 3), "uint8")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(300):
            frame = np.ascontiguousarray(ground[:, number : number + 320])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def reading(times):
    """Clips of 16 frames of 112x112 that are read a second, by one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        film(path)
        started = time.perf_counter()
        for _ in range(times):
            read_clip(path, frames=16, size=SHAPE[1:3])
        return times / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    parser.add_argument("--only", choices=NETWORKS, help=argparse.SUPPRESS)  # in the process of one network
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(network(arguments.only, arguments.batch, arguments.steps)))
        return
    for name in arguments.networks:
        command = [sys.executable, __file__, "--only", name, "--batch", arguments.batch, "--steps", arguments.steps]
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        if arguments.record:
            results.append(arguments.record, row)
    rate = f"{reading(5):.1f}"
    print(f"reading 16 of 300 frames, one thread: {rate} clips/s")
    if arguments.record:
        film_row = {"network": "reading a film", "clips_per_second": rate}
        results.append(arguments.record, dict.fromkeys(row, "") | film_row)


if __name__ == "__main__":
    main()
