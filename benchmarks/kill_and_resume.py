"""Trainings that are killed with ``kill -9``, at any moment and inside the writing of a checkpoint, and resumed: is
what comes out, bit for bit, what comes out undisturbed? And what does writing cost?

    python benchmarks/kill_and_resume.py --kills 52 --inside 20 --into results/benchmarks/kill_and_resume.csv

Compared are all variables (of the network with its seed generators, of the trainer, of the optimizer with its
averages), the state of the callbacks, the random numbers, the history, the network that is kept and the metrics on the
test set.
The children are forked from one process that has imported Keras and computed nothing.
"""

import argparse
import contextlib
import csv
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FAMILIES = {  # a network of each, with what is asked of it: a few epochs, and random numbers of its own
    "lenet5": dict(epochs=4, dropout=0.3),
    "word2vec": dict(epochs=3),
    "siamese": dict(epochs=2),
    "seq2seq_gru": dict(epochs=2),
}
COLUMNS = ("what", "model", "kills", "inside_a_write", "equal", "differs_in", "seed", "cores", "commit")
LIMIT = 600.0  # seconds for a child


def import_all() -> None:
    """What a child needs, without a computation: a process that has begun to compute cannot be forked."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras  # noqa: F401
    import tensorflow  # noqa: F401
    import tensorflow_datasets  # noqa: F401

    import zoo.training.trainer  # noqa: F401


def start(
    folder: Path, name: str, options: dict[str, object], *, tell: tuple[int, int] = (0, 0), **more: object
) -> int:
    """A child that trains. At the write of a checkpoint with the number `tell[1]` it writes a byte to `tell[0]`."""
    if child := os.fork():
        return child
    code = 1
    try:
        quiet = os.open(folder.parent / f"{folder.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        import zoo
        from zoo.training import checkpoint, keeper

        shorten()
        keeper.SHARE = 1e9  # a checkpoint after each epoch, however short it is
        usual, writes = checkpoint.write, itertools.count(1)

        def write(*arguments: object) -> object:
            if next(writes) == tell[1]:
                os.write(tell[0], b".")
            return usual(*arguments)  # type: ignore[arg-type]

        checkpoint.write = write  # type: ignore[assignment]
        zoo.train(name, run=folder, verbose=0, **options, **more)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def shorten() -> None:
    """Leave out what a training does besides: rates, plots, the baselines that other networks are judged for."""
    import functools

    from zoo.tasks.base import Task
    from zoo.tasks.metric_learning import MetricLearning
    from zoo.training import throughput, trainer

    throughput.pipeline_rate = lambda dataset: 0.0  # type: ignore[assignment]
    throughput.model_rate = functools.partial(throughput.model_rate, steps=1, warmup=1)
    trainer.report = lambda *arguments, **settings: None  # type: ignore[assignment]
    MetricLearning.baselines = Task.baselines  # type: ignore[assignment]


def wait(child: int, deadline: float = LIMIT) -> int:
    """The exit code of a child."""
    limit = time.perf_counter() + deadline
    while time.perf_counter() < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise TimeoutError(f"a training took more than {deadline:.0f} s")


def killed(
    folder: Path, name: str, seconds: float, inside: bool, rng: random.Random, **more: object
) -> tuple[bool, bool]:
    """A training that is killed within `seconds` of its start, or in one of its first writes: whether it was still at
    work, and whether it was inside a write."""
    temporary, config = folder / "checkpoint" / ".new.tmp", folder / "config.json"
    reader, writer = os.pipe()
    before = config.stat().st_mtime_ns if config.exists() else 0
    options = FAMILIES[name]
    child = start(folder, name, options, tell=(writer, rng.randint(1, options["epochs"]) if inside else 0), **more)
    os.close(writer)
    if inside:
        told = bool(os.read(reader, 1))  # nothing comes if the training ends before
        time.sleep(rng.random() * 0.008)
    else:
        while not (config.exists() and config.stat().st_mtime_ns != before) and not os.waitpid(child, os.WNOHANG)[0]:
            time.sleep(0.002)
        time.sleep(rng.random() * seconds)
        told = True
    os.close(reader)
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return told and not (folder / "metrics.json").exists(), temporary.exists()


def differences(one: Path, other: Path) -> list[str]:
    """In what two finished runs differ."""
    from zoo.training import checkpoint

    (a, _), (b, _) = checkpoint.newest(one), checkpoint.newest(other)
    if a is None or b is None:
        return ["no checkpoint"]
    found = {name.partition(".")[0] for name in a.arrays.keys() ^ b.arrays.keys()}
    for name in a.arrays.keys() & b.arrays.keys():
        x, y = a.arrays[name], b.arrays[name]
        if x.dtype != y.dtype or x.shape != y.shape or x.tobytes() != y.tobytes():
            found.add(name.partition(".")[0])
    found |= {key for key in ("phase", "epoch", "batch", "stopped", "history", "callbacks", "random")
              if json.dumps(a.state[key], sort_keys=True) != json.dumps(b.state[key], sort_keys=True)}  # fmt: skip
    if (one / "history.csv").read_bytes() != (other / "history.csv").read_bytes():
        found.add("history.csv")
    metrics = [json.loads((run / "metrics.json").read_text())["metrics"] for run in (one, other)]
    if json.dumps(metrics[0], sort_keys=True) != json.dumps(metrics[1], sort_keys=True):
        found.add("metrics")
    if not same_weights(one / "model.keras", other / "model.keras"):
        found.add("model.keras")
    return sorted(found)


def same_weights(one: Path, other: Path) -> bool:
    """Whether two files of networks hold equal weights: their archives have the time of writing in them."""
    import io
    import zipfile

    import h5py

    def content(path: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            found: dict[str, bytes] = {}
            file.visititems(
                lambda name, each: found.update({name: np.asarray(each).tobytes()}) if hasattr(each, "dtype") else None
            )
            return found

    return content(one) == content(other)


def disturbed(folder: Path, name: str, undisturbed: Path, seconds: float, inside: bool, rng: random.Random) -> dict:
    """One training that is killed once or twice, resumed to its end, and compared."""
    kills = within = 0
    more: dict[str, object] = {}
    for _ in range(1 + rng.randrange(2)):
        at_work, hit = killed(folder, name, seconds, inside, rng, **more)
        kills, within, more = kills + at_work, within + hit, {"resume": True}
        if (folder / "metrics.json").exists():
            return {"kills": 0, "inside_a_write": 0, "equal": True, "differs_in": ""}  # it was faster
    child = start(folder, name, FAMILIES[name], resume=True)
    code = wait(child)
    different = differences(undisturbed, folder) if code == 0 else [f"exit code {code}"]
    return {"kills": kills, "inside_a_write": within, "equal": not different, "differs_in": " ".join(different)}


def cost(folder: Path, name: str, options: dict[str, object]) -> dict[str, float]:
    """Seconds of a training, and how many of them its checkpoints took."""
    from zoo.training import keeper

    reader, writer = os.pipe()
    if child := os.fork():
        os.close(writer)
        with os.fdopen(reader) as file:
            text = file.read()
        wait(child)
        return json.loads(text)
    try:
        journals = []
        begin = keeper.Journal.__post_init__
        keeper.Journal.__post_init__ = lambda self: (journals.append(self), begin(self))[1]  # type: ignore
        import zoo

        run = zoo.train(name, run=folder, verbose=0, **options)
        (journal,) = journals
        taken = {"writing": journal.spent, "training": run.results["fit_seconds"]}
        os.write(writer, json.dumps(taken).encode())
    finally:
        os._exit(0)


class Enough(Exception):
    """All is known that was asked."""


def estimated(folder: Path, name: str) -> dict[str, float]:
    """Of a demo: seconds that one checkpoint takes and that an epoch takes at the measured rate, and the share of its
    epochs that writing takes by the rule of `Keeper`."""
    import zoo
    from zoo.training import keeper, trainer

    found: dict[str, float] = {}
    usual = trainer.measure_rates

    def rates(network: object, data: object) -> dict[str, float]:
        taken = usual(network, data)  # type: ignore[arg-type]
        found["epoch"] = data.examples["train"] / min(taken.values())  # type: ignore[attr-defined]
        return taken

    def writes(trained, data, recipe, plan, journal, network):  # type: ignore[no-untyped-def]
        watching = keeper.Keeper(journal, network.model, [], epochs=None, phase=0, until=1)
        watching.set_model(trained.model)
        watching.on_train_begin()
        costs = []
        for number in range(5):
            watching.keep(epoch=number + 1, batch=0)
            costs.append(journal.last_cost)
        found["write"] = float(np.median(costs))
        found["MiB"] = journal.run.checkpoints[0].stat().st_size / 2**20
        found["share"] = share(found["epoch"], found["write"], recipe.epochs, keeper.SHARE)
        raise Enough

    trainer.measure_rates, trainer.fit_by_recipe = rates, writes
    with contextlib.suppress(Enough):
        zoo.train(name, run=folder, verbose=0)
    return found


def share(epoch: float, write: float, epochs: int, limit: float) -> float:
    """Of the time of so many epochs, what goes into writing: after the last one, and where it is due."""
    spent = passed = 0.0
    for number in range(epochs):
        passed += epoch
        if number == epochs - 1 or spent + write <= limit * passed:
            spent, passed = spent + write, passed + write
    return spent / passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=52, help="trainings that are killed, over all families")
    parser.add_argument("--inside", type=int, default=20, help="of them, inside a write")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60.0, help="then stop, with what there is")
    parser.add_argument("--cost", nargs="*", default=[], help="names whose demo is measured for what writing costs")
    parser.add_argument(
        "--estimate", nargs="*", default=[], help="names of which some steps and some checkpoints are measured"
    )
    parser.add_argument("--into", help="a CSV file that rows are appended to")
    arguments = parser.parse_args()
    import_all()
    from zoo.training.run_folder import commit

    began, rng = time.perf_counter(), random.Random(arguments.seed)
    same = {"seed": arguments.seed, "cores": len(os.sched_getaffinity(0)), "commit": commit()}
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for name in arguments.cost:
            taken = cost(Path(place) / f"cost-{name}", name, {})
            share = taken["writing"] / taken["training"]
            print(f"{name}: {taken['writing']:.2f} of {taken['training']:.2f} s are writing, {share:.1%}", flush=True)
            rows.append({"what": f"writing, {share:.1%} of {taken['training']:.1f} s", "model": name, **same})
        for name in arguments.estimate:
            if rows_of := estimated(Path(place) / f"estimate-{name}", name):
                what = (
                    f"a checkpoint of {rows_of['MiB']:.2f} MiB takes {rows_of['write']:.3f} s, an epoch "
                    f"{rows_of['epoch']:.2f} s: {rows_of['share']:.1%} of the demo"
                )
                print(f"{name}: {what}", flush=True)
                rows.append({"what": what, "model": name, **same})
        undisturbed, seconds = {}, {}
        for name in arguments.families if arguments.kills else ():
            undisturbed[name] = Path(place) / f"undisturbed-{name}"
            child = start(undisturbed[name], name, FAMILIES[name])
            while not (undisturbed[name] / "config.json").exists():
                time.sleep(0.01)
            started = time.perf_counter()
            if wait(child):
                sys.exit((Path(place) / f"undisturbed-{name}.log").read_text())
            seconds[name] = time.perf_counter() - started
        total = {"kills": 0, "inside_a_write": 0, "equal": 0}
        for number in range(arguments.kills):
            if time.perf_counter() - began > 60 * arguments.minutes:
                break
            name = arguments.families[number % len(arguments.families)]
            inside = number * arguments.inside // arguments.kills != (number + 1) * arguments.inside // arguments.kills
            folder = Path(place) / f"run-{number}"
            found = disturbed(folder, name, undisturbed[name], seconds[name], inside, rng)
            print(number, name, found, flush=True)
            if not found["equal"]:
                print((Path(place) / f"run-{number}.log").read_text()[-3000:], flush=True)
            if found["kills"] == 0:
                continue
            rows.append({"what": "kill -9 and resume", "model": name, **found, **same})
            total = {key: total[key] + int(found[key]) for key in total}
        trainings = len([row for row in rows if row["what"].startswith("kill")])
        print(f"{trainings} trainings, {total['kills']} kills, {total['inside_a_write']} inside a write: "
              f"{total['equal']} of {trainings} equal")  # fmt: skip
    if arguments.into:
        path = Path(arguments.into)
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if fresh:
                table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
