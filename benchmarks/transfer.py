"""What fine-tuning is worth: against training from scratch where labels are few, and against scripts of one's own.

    python benchmarks/transfer.py labels resnet50 --weights FILE.h5 --preprocessing caffe --record FILE.csv

Three ways to train one network on the same images of Fashion-MNIST, in the same number of steps: from scratch, with a
frozen backbone (the head alone learns), and fine-tuned by the card's recipe (the head, then all of it, with layer-wise
learning rates). Each is measured once on all 10,000 test images, beside the nearest labelled image. Which images are
labelled depends on the seed. There is no validation: nothing is chosen.

    python benchmarks/transfer.py scripts FOLDER... --weights FILE.h5 --record FILE.csv

The recipe `finetune` of ResNet-50 beside two scripts on keras.applications, on folders of `photograph_sets.py`, from
the same weights, at the same size, batch and epochs: `guide`, as Keras's guide to transfer learning has it (flips and
rotations, Dropout, Adam at 1e-3 and then at 1e-5), and `careful`, as someone writes who has done it before (flips, zoom
and translation, Adam at 5e-5, batch normalisation frozen, the best epoch kept). `seconds` are those of the processor,
from the folder to the last prediction.
"""

import argparse
import dataclasses
import os
import tempfile
import time
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

BATCH = 16  # of the scripts and the recipe


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


def few_labels(arguments):
    """From scratch, frozen, fine-tuned."""
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


def keras_script(folder, weights, *, size, head_epochs, epochs, seed, careful, until=None):
    """A script on keras.applications: the part of the test images that it gets right. A callback `until` may stop it:
    then nothing is validated, and the last weights are kept."""
    keras.utils.set_random_seed(seed)

    def images(split, shuffle=False):
        return keras.utils.image_dataset_from_directory(
            folder / split, image_size=(size, size), batch_size=BATCH, shuffle=shuffle, seed=seed,
            crop_to_aspect_ratio=True, verbose=False,
        )  # fmt: skip

    train, validation, test = images("train", shuffle=True), images("val"), images("test")
    base = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg")
    base.load_weights(weights, by_name=True)
    base.trainable = False
    inputs = x = keras.Input((size, size, 3))
    layers = keras.layers
    augmentation = [layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)]
    if careful:
        augmentation[1:] = [layers.RandomZoom(0.2), layers.RandomTranslation(0.1, 0.1)]
    for layer in augmentation:
        x = layer(x)
    x = base(keras.applications.resnet50.preprocess_input(x), training=False)
    outputs = layers.Dense(len(train.class_names))(layers.Dropout(0.2)(x))
    model = keras.Model(inputs, outputs)

    def fit(rate, since, last, callbacks=()):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        told, validated = ([until], None) if until else (callbacks, validation)
        model.fit(train, validation_data=validated, initial_epoch=since, epochs=last, callbacks=[*told],
                  verbose=0)  # fmt: skip

    fit(1e-3, 0, head_epochs)
    base.trainable = True
    for layer in base.layers if careful else ():
        layer.trainable = not isinstance(layer, layers.BatchNormalization)
    best = keras.callbacks.EarlyStopping(patience=epochs, restore_best_weights=True)
    fit(5e-5 if careful else 1e-5, head_epochs, epochs, [best] if careful else [])
    return model.evaluate(test, verbose=0, return_dict=True)["accuracy"]


def by_recipe(folder, weights, run, *, size, head_epochs, epochs, seed):
    """The recipe `finetune`, likewise."""
    finished = zoo.train(
        "resnet50", weights=weights, preprocessing="caffe", data=folder, run=run, seed=seed, epochs=epochs,
        batch_size=BATCH, image_size=size, head_epochs=head_epochs, verbose=0,
    )  # fmt: skip
    return finished.metrics["accuracy"]


def scripts(arguments):
    """The recipe and the scripts, on each folder."""
    sizes = dict(size=arguments.size, head_epochs=arguments.head_epochs, epochs=arguments.epochs)
    with tempfile.TemporaryDirectory() as runs:
        for folder in arguments.folders:
            name, _, seed = folder.name.rpartition("-")  # as photograph_sets.py was told to call it
            for way in arguments.ways:
                started = time.process_time()
                how = dict(sizes, seed=int(seed))
                if way == "finetune":
                    accuracy = by_recipe(folder, arguments.weights, Path(runs) / f"{folder.name}", **how)
                else:
                    accuracy = keras_script(folder, arguments.weights, careful=way == "careful", **how)
                seconds = time.process_time() - started
                print(f"{name}, seed {seed}, {way}: accuracy {accuracy:.4f}, {seconds:.0f} s", flush=True)
                if arguments.record:
                    results.append(arguments.record, {
                        "set": name, "way": way, "seed": seed, "pixels": arguments.size,
                        "head_epochs": arguments.head_epochs, "epochs": arguments.epochs,
                        "accuracy": f"{accuracy:.4f}", "seconds": f"{seconds:.1f}",
                    })  # fmt: skip
                keras.utils.clear_session()


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    few = commands.add_parser("labels", help=few_labels.__doc__)
    few.set_defaults(run=few_labels)
    few.add_argument("name", help="a network with a recipe finetune")
    few.add_argument("--weights", required=True)
    few.add_argument("--preprocessing")
    few.add_argument("--data-dir")
    few.add_argument("--labels", type=int, default=10, help="images of each class")
    few.add_argument("--size", type=int, default=64, help="images are stretched to it")
    few.add_argument("--epochs", type=int, default=40)
    few.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    few.add_argument("--record", type=Path, metavar="FILE.csv")
    ways = commands.add_parser("scripts", help=scripts.__doc__)
    ways.set_defaults(run=scripts)
    ways.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="called NAME-SEED")
    ways.add_argument("--weights", required=True)
    ways.add_argument("--ways", nargs="+", default=["finetune", "careful", "guide"])
    ways.add_argument("--size", type=int, default=64)
    ways.add_argument("--head-epochs", type=int, default=3)
    ways.add_argument("--epochs", type=int, default=7)
    ways.add_argument("--record", type=Path, metavar="FILE.csv")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
