"""Which network can be written in which format: every family, every format that this backend writes.

    python benchmarks/exports.py --into results/benchmarks/exports.csv
    KERAS_BACKEND=torch python benchmarks/exports.py --formats torch --into results/benchmarks/exports.csv

Of each family the first name is built in its smallest form, with drawn weights, written, read back by the program that
the format is for, and compared on three examples (`zoo.inference.exporting`). A row holds "equal", or the reason.
"""

import argparse
import tempfile
from pathlib import Path
from types import SimpleNamespace

import keras

import zoo
from zoo import results, tasks
from zoo.inference import exporting
from zoo.tasks.base import Network, Trained


def families() -> dict[str, str]:
    """The first name of each family."""
    found: dict[str, str] = {}
    for name in zoo.list_models():
        found.setdefault(zoo.info(name).family, name)
    return found


def outcome(trained: Trained, format: str, folder: Path) -> str:
    """ "equal", or why there is no file."""
    try:
        exporting.export(trained, format, folder / f"network{exporting.FORMATS[format].suffix}")
    except zoo.UsageError as error:
        return str(error).partition("; another format")[0]
    return "equal"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="by default the first of each family")
    parser.add_argument("--formats", nargs="+", choices=list(exporting.FORMATS), metavar="FORMAT")
    parser.add_argument("--into", type=Path, help="a CSV file that a row for each is appended to")
    arguments = parser.parse_args()
    backend = keras.config.backend()
    able = [name for name, each in exporting.FORMATS.items() if not each.backends or backend in each.backends]
    for name in arguments.names or families().values():
        keras.utils.set_random_seed(0)
        card = zoo.info(name)
        network = Network.of(zoo.build(name, **card.tiny), card, tasks.get(card.task))
        trained = Trained(network, SimpleNamespace(class_names=("a", "b")))
        for format in arguments.formats or able:
            with tempfile.TemporaryDirectory() as folder:
                found = outcome(trained, format, Path(folder))
            print(f"{card.family:20} {name:24} {format:12} {found}", flush=True)
            if arguments.into:
                row = {"family": card.family, "model": name, "format": format, "outcome": found}
                results.append(arguments.into, row)


if __name__ == "__main__":
    main()
