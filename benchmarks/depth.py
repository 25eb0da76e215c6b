"""Depth with shortcuts and without: the training loss of plain and residual networks on MNIST-1D.

    pip install mnist1d
    python benchmarks/depth.py --record results/benchmarks/depth.csv

MNIST-1D (Greydanus 2020) is generated: 4,000 signals of 40 numbers, here images of four equal columns. Both families
are those of He 2015, section 4.2, with 8 channels in the first stage, trained alike with Adam, from three seeds.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from lesson import NO_MNIST1D, mnist1d

import zoo
from zoo import results
from zoo.plots import INK, SECOND, new_figure, save

FAMILIES = {"plain": "plain20", "residual": "resnet20"}
COLOURS = {"plain": SECOND, "residual": INK}
DEPTHS = {10: (2, 1, 1), 20: (3, 3, 3), 32: (5, 5, 5), 50: (8, 8, 8)}  # layers: blocks of each stage
GOAL = 5  # plain-50 over plain-10


def final_loss(family, depth, seed, x, y, epochs):
    """The training loss of the last epoch."""
    keras.utils.set_random_seed(seed)
    model = zoo.build(FAMILIES[family], input_shape=x.shape[1:], blocks=DEPTHS[depth], width=8)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(x) // 100))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    return model.fit(x, y, batch_size=100, epochs=epochs, verbose=0).history["loss"][-1]


def drawn(found, depths, epochs):
    """Training loss against depth: the mean of the seeds, and their range."""
    figure = new_figure(5.6, 3.8)
    axes = figure.subplots()
    for family, colour in COLOURS.items():
        losses = np.array([found[family, depth] for depth in depths])  # (depths, seeds)
        axes.fill_between(depths, losses.min(1), losses.max(1), color=colour, alpha=0.25, linewidth=0)
        axes.plot(depths, losses.mean(1), marker="o", color=colour, label=family)
    axes.axhline(np.log(10), color="black", linestyle=":", label="knows nothing: ln 10")
    axes.set(xlabel="layers", xticks=depths, ylabel="training loss", yscale="log", title=f"MNIST-1D, {epochs} epochs")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depths", type=int, nargs="+", default=[10, 50], choices=list(DEPTHS))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    parser.add_argument("--figure", type=Path, metavar="FILE.png")
    arguments = parser.parse_args()
    signals = mnist1d()
    if signals is None:
        raise SystemExit(f"this benchmark needs {NO_MNIST1D}")
    (x, y), _ = signals
    x = np.repeat(x[:, :, None], 4, axis=2)  # (4000, 40, 4, 1): two halvings leave one column
    found = {}
    for depth in arguments.depths:
        for family in FAMILIES:
            found[family, depth] = []
            for seed in arguments.seeds:
                loss = final_loss(family, depth, seed, x, y, arguments.epochs)
                found[family, depth].append(loss)
                print(f"{family} {depth} layers, seed {seed}: training loss {loss:.4f}", flush=True)
                if arguments.record:
                    row = {"family": family, "layers": depth, "seed": seed, "epochs": arguments.epochs}
                    results.append(arguments.record, row | {"training_loss": f"{loss:.4f}", "data": "MNIST-1D"})
    if arguments.figure:
        save(drawn(found, sorted(arguments.depths), arguments.epochs), arguments.figure)
    shallow, deep = min(arguments.depths), max(arguments.depths)
    ratio = min(found["plain", deep]) / max(found["plain", shallow])
    print(f"best plain-{deep} over worst plain-{shallow}: {ratio:.1f} (goal {GOAL}); knows nothing: {np.log(10):.3f}")
    print(f"worst residual-{deep} {max(found['residual', deep]):.4f}, best residual-{shallow} "
          f"{min(found['residual', shallow]):.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
