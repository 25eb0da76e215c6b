"""What pretrained weights are worth where labels are few: Fashion-MNIST with a handful of images for each class.

    python benchmarks/transfer.py resnet50 --weights FILE.h5 --preprocessing caffe --record FILE.csv

Three ways to train one network on the same images, in the same number of steps: from scratch, with a frozen backbone
(the head alone learns), and fine-tuned by the card's recipe (the head, then all of it, with layer-wise learning rates).
Each is measured once on all 10,000 test images, beside the nearest labelled image. Which images are labelled depends on
the seed. There is no validation: nothing is chosen.
"""

import argparse
import dataclasses
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import zoo
from zoo import results
from zoo.data import open_source
from zoo.optimizers import finetuning
from zoo.training.run_folder import Run
from zoo.training.run_plan import prepare
from zoo.training.trainer import fit


def arrays(source, split):
    """All of a split: images (n, 28, 28) and labels."""
    x, y = zip(*source.split(split).batch(1000).as_numpy_iterator())
    return np.concatenate(x)[..., 0], np.concatenate(y)


def labelled(y, count, seed):
    """The rows of `count` images of each class, twice: to train on, and others to draw learning curves from."""
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(np.flatnonzero(y == label))[: 2 * count] for label in np.unique(y)])
    return rows[:, :count].ravel(), rows[:, count:].ravel()


def recipes(recipe, epochs):
    """How each way of training changes the card's recipe."""
    same = dataclasses.replace(recipe, epochs=epochs, patience=0, batch_size=20, decay_kernels_only=False)
    return {
        "scratch": dataclasses.replace(
            same,
            weights="",
            head_epochs=0,
            layer_decay=1.0,
            learning_rate=1e-3,
            optimizer_options={"weight_decay": 0.05},
        ),
        "frozen": dataclasses.replace(same, head_epochs=epochs),
        "finetuned": dataclasses.replace(same, head_epochs=epochs // 4),
    }


def unchanged(run, name, options, weights, preprocessing):
    """Whether these are bit for bit those of the weights: (the backbone, the batch-normalisation statistics)."""
    before = zoo.build(name, **options)
    zoo.load_weights(before, weights, preprocessing=preprocessing)
    after = {variable.path: np.asarray(variable) for variable in run.model().variables}
    layers = [layer for block in finetuning.trainable_blocks(before)[:-1] for layer in block]

    def equal(chosen):
        return all(np.array_equal(np.asarray(v), after[v.path]) for layer in chosen for v in layer.variables)

    return equal(layers), equal(layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization))


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("name", help="a network with a recipe finetune")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--preprocessing")
    parser.add_argument("--data-dir")
    parser.add_argument("--labels", type=int, default=10, help="images of each class")
    parser.add_argument("--size", type=int, default=64, help="images are stretched to it")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    arguments = parser.parse_args()
    source = open_source("fashion_mnist:3.0.1", data_dir=arguments.data_dir).load()
    (x, y), (x_test, y_test) = arrays(source, "train"), arrays(source, "test")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in arguments.seeds:
            train, validation = labelled(y, arguments.labels, seed)
            file = Path(folder) / f"{seed}.npz"
            np.savez(
                file,
                x_train=x[train],
                y_train=y[train],
                x_val=x[validation],
                y_val=y[validation],
                x_test=x_test,
                y_test=y_test,
            )
            plan = prepare(
                arguments.name,
                weights=arguments.weights,
                preprocessing=arguments.preprocessing,
                data=file,
                seed=seed,
                run=Path(folder) / f"{seed}",
                verbose=0,
            )
            recipe = dataclasses.replace(plan.recipe, preprocess={"cover": (arguments.size, arguments.size)})
            for way, changed in recipes(recipe, arguments.epochs).items():
                run = Run.create(Path(folder) / f"{way}-{seed}", "")
                run = fit(dataclasses.replace(plan, recipe=changed, run=run))
                backbone, statistics = (
                    unchanged(
                        run, arguments.name, run.config["options"], arguments.weights, arguments.preprocessing or ""
                    )
                    if changed.weights
                    else ("", "")
                )
                assert way != "frozen" or backbone, "the frozen backbone has changed"
                assert way != "finetuned" or statistics, "the frozen statistics have changed"
                accuracy = run.metrics["accuracy"]
                found.setdefault(way, []).append(accuracy)
                print(f"seed {seed}, {way}: accuracy {accuracy:.4f}", flush=True)
                if arguments.record:
                    results.append(arguments.record, {
                        "model": arguments.name,
                        "way": way,
                        "labels_per_class": arguments.labels,
                        "pixels": arguments.size,
                        "epochs": arguments.epochs,
                        "seed": seed,
                        "accuracy": f"{accuracy:.4f}",
                        "nearest_neighbour": f"{run.results['baselines']['1-nearest-neighbour']:.4f}",
                        "body_unchanged": backbone,
                        "statistics_unchanged": statistics,
                        "fit_seconds": run.results["fit_seconds"],
                    })  # fmt: skip
    gain = min(b - a for a, b in zip(found["scratch"], found["finetuned"]))
    print(f"fine-tuning less scratch, worst of {len(arguments.seeds)} seeds: {gain:+.4f}")


if __name__ == "__main__":
    main()
