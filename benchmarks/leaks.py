"""Networks that are built, trained and asked again and again in one process: does it grow?

    python benchmarks/leaks.py softmax_regression --rounds 50 --into results/benchmarks/leaks.csv

A round builds a network, trains it by its demo for one epoch with all that a run writes, opens the run and has the
network predict. Printed are the memory (of the process, in the machine), threads, descriptors and objects of Python
after each; the last line says by how much they grow from round to round behind the first ones, by least squares.
"""

import argparse
import csv
import gc
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

MEASURED = ("MiB", "threads", "descriptors", "objects")


def held() -> tuple[float, int, int, int]:
    """What the process holds: MiB of memory, threads, open files, objects of Python."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    threads, descriptors = (len(os.listdir(f"/proc/self/{kind}")) for kind in ("task", "fd"))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, threads, descriptors, len(gc.get_objects())


def play(name: str, folder: Path) -> None:
    """A round."""
    import zoo

    zoo.build(name, **zoo.info(name).tiny)
    model = zoo.train(name, run=folder, epochs=1, verbose=0).model()
    inputs = {each.name: np.zeros((2, *(size or 8 for size in each.shape[1:])), each.dtype) for each in model.inputs}
    model.predict(inputs if len(inputs) > 1 else next(iter(inputs.values())), verbose=0)
    shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--rounds", type=int, default=50, help="behind the first ones")
    parser.add_argument("--first", type=int, default=5, help="rounds that warm up")
    parser.add_argument("--into", help="a CSV file that a row for each name is appended to")
    arguments = parser.parse_args()
    os.environ.setdefault("MPLBACKEND", "Agg")
    from zoo.training.run_folder import commit

    rows = []
    for name in arguments.names:
        with tempfile.TemporaryDirectory() as place:
            taken = []
            for number in range(arguments.first + arguments.rounds):
                play(name, Path(place) / "run")
                taken.append(held())
                print(
                    f"{number:3} {name}: " + "  ".join(f"{x:,.0f} {of}" for x, of in zip(taken[-1], MEASURED)),
                    flush=True,
                )
        kept = np.array(taken[arguments.first :])
        slopes = np.polyfit(np.arange(len(kept)), kept, 1)[0]
        print(f"{name}: a round adds " + ", ".join(f"{x:+.3f} {of}" for x, of in zip(slopes, MEASURED)), flush=True)
        grown = {f"{of}_a_round": round(x, 4) for x, of in zip(slopes, MEASURED)}
        rows.append({"model": name, "rounds": len(kept), **grown, "MiB_at_the_end": round(kept[-1, 0], 1),
                     "commit": commit()})  # fmt: skip
    if arguments.into:
        path = Path(arguments.into)
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            if fresh:
                table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
