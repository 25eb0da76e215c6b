"""What each `zoo` command does and prints. Keras is not imported before it is needed."""

import ast
import contextlib
import dataclasses
import math
import os
import sys
import tempfile
from pathlib import Path

from zoo import records, registry
from zoo.errors import UsageError, unknown


def list_command(arguments) -> None:
    names = registry.list_models(arguments.pattern, task=arguments.task, pretrained=arguments.pretrained)
    if not names:
        raise UsageError(f"no name matches {arguments.pattern!r}; `zoo list` shows all {len(registry.list_models())}")
    width = max(map(len, names))
    for name in names:
        card = registry.info(name)
        print(f"{name:<{width}}  {card.params:>13,}  {card.summary}")


def info_command(arguments) -> None:
    card = registry.info(arguments.name)  # a wrong name is said before Keras is imported
    if arguments.verbose:
        start_keras(arguments.debug)
        card = registry.info(arguments.name, verbose=True)
    fixed = f" trainable, {card.non_trainable_params:,} fixed or running" if card.non_trainable_params else " trainable"
    rows = [
        ("family", card.family),
        ("task", card.task),
        ("parameters", f"{card.params:,}{fixed}"),
        ("paper", card.paper),
        *[("departs" if number == 0 else "", text) for number, text in enumerate(card.deviations)],
        *[("input", f"{each.name} {each.shape} {each.dtype}: {each.holds}") for each in card.inputs],
        ("preprocessing", card.preprocessing),
        *[("note" if number == 0 else "", text) for number, text in enumerate(card.notes)],
        *([("weights", describe_weights(each)) for each in card.weights] or [("weights", "none published")]),
        *[("recipe", describe(recipe)) for recipe in card.recipes],
    ]
    print(f"{card.name}: {card.summary}")
    for label, text in rows:
        print(f"  {label:<14}{text}")
    if card.layers:
        print_layers(card.layers)


def print_layers(layers) -> None:
    """A row for each layer, and the sums."""
    total = sum(layer.multiply_adds for layer in layers), sum(layer.params for layer in layers)
    rows = [("layer", "type", "output", "parameters", "multiply-adds")]
    rows += [
        (each.layer, each.type, "x".join(map(str, each.output_shape)), f"{each.params:,}", f"{each.multiply_adds:,}")
        for each in layers
    ]
    rows.append(("total", "", "", f"{total[1]:,}", f"{total[0]:,}"))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        words = [f"{cell:<{width}}" for cell, width in zip(row[:3], widths)]
        numbers = [f"{cell:>{width}}" for cell, width in zip(row[3:], widths[3:])]
        print("  " + "  ".join([*words, *numbers]))


def describe(recipe: records.Recipe) -> str:
    """A recipe in one line."""
    line = (
        f"{recipe.name}: {recipe.dataset or 'data of your own'}, {recipe.epochs} epochs of batches of "
        f"{recipe.batch_size}, {recipe.optimizer} at {recipe.learning_rate:g} ({recipe.schedule})"
    )
    if recipe.loss:
        line += f", loss {recipe.loss}"
    if recipe.expected is not None:
        line += f"; expects {describe_expected(recipe.expected)}"
    return line


def describe_weights(weights: records.Weights) -> str:
    """A file of pretrained weights in one line."""
    words = [
        f"{weights.classes:,} classes" if weights.top else "without the top",
        f"{weights.preprocessing} preprocessing",
        f"{weights.size / 1e6:,.0f} MB" if weights.size else "",
        weights.licence,
        *[f"for {option}={value!r}" for option, value in weights.options.items()],
        *map(describe_expected, weights.published),
    ]
    return f"{weights.tag}: {', '.join(filter(None, words))}; {weights.url} ({weights.hash})"


def describe_expected(figure: records.Expected) -> str:
    return f"{figure.metric} {figure.bound:g} [{figure.source}{'' if figure.measured else '; not measured here'}]"


def option_values(pairs: list[str]) -> dict[str, object]:
    """``["dropout=0.5", "pooling=average"]`` as keyword arguments."""
    options = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"--option {pair!r} has no value; expected NAME=VALUE, as in dropout=0.5")
        try:
            options[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            options[name] = text
    return options


def train_command(arguments) -> None:
    options = option_values(arguments.option)
    if arguments.record:
        from zoo import results

        results.check_table(Path(arguments.record))
    from zoo.training.run_plan import prepare

    show_log()
    if arguments.weights:  # a file is held against the network before anything else
        start_keras(arguments.debug)
    job = prepare(
        arguments.name,
        arguments.recipe,
        weights=arguments.weights,
        preprocessing=arguments.preprocessing,
        run=arguments.run,
        data=arguments.data,
        data_dir=arguments.data_dir,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        precision=arguments.precision,
        loop=arguments.loop,
        tensorboard=arguments.tensorboard,
        **options,
    )
    try:
        start_keras(arguments.debug)
        from zoo.training.trainer import carry_out

        run = carry_out(job)
    except BaseException as error:
        job.run.discard_if_untrained()
        if isinstance(error, KeyboardInterrupt) and job.run.path.exists():
            raise KeyboardInterrupt(f"; {job.run.path} keeps the finished epochs") from None
        raise
    print(summary(run, job))
    if arguments.record:
        print(f"recorded in {results.record(run, Path(arguments.record))}")


def summary(run, job) -> str:
    """The end of a run in a few lines."""
    from zoo.tasks import TASKS

    results, card, recipe = run.results, job.card, job.card.recipe(job.plan.name)
    examples = run.config["examples"]["test"]
    task = TASKS[card.task]
    figure = task.metric if math.isfinite(results["metrics"][task.metric]) else "loss"  # no question could be asked
    beside = [f"{name} {value:.4f}" for name, value in results["baselines"].items() if math.isfinite(value)]
    lines = [
        f"{card.name}, recipe {recipe.name}, seed {results['seed']}: "
        f"test {figure} {results['metrics'][figure]:.4f} on {examples:,} examples",
        "  beside " + (", ".join(beside) or "no baseline: the set is too large to compute one"),
    ]
    if recipe.expected is not None and job.unchanged:
        bound = recipe.expected.bound
        value = results["metrics"].get(recipe.expected.metric, math.nan)  # BLEU, where sacrebleu is not installed
        reached = value <= bound if task.minimise else value >= bound
        lines.append(f"  expected {describe_expected(recipe.expected)}: {'reached' if reached else 'not reached'}")
    files = ", ".join(sorted(file.name for file in run.path.iterdir()))
    lines.append(f"  {results['seconds']:.0f} s; in {run.path}: {files}")
    return "\n".join(lines)


def evaluate_command(arguments) -> None:
    from zoo.training.run_folder import Run

    show_log()
    run = Run.open(arguments.run)
    start_keras(arguments.debug)
    from zoo.inference import api

    measured = api.measure(run, files=arguments.files, data_dir=arguments.data_dir)
    figures = measured.figures
    early = "" if (run.path / "metrics.json").exists() else " (stopped early: after the epochs in history.csv)"
    known = [f"test {name} {value:.4f}" for name, value in figures.items() if math.isfinite(value)]
    print(f"{run.path}: " + ", ".join(known) + early)
    for note in measured.notes:
        print(f"  {note}")


def export_command(arguments) -> None:
    from zoo.training.run_folder import Run

    run = Run.open(arguments.run)
    start_keras(arguments.debug)
    from zoo.inference import api

    print(f"{api.export(run, arguments.format, arguments.out)}: {arguments.format}")


def predict_command(arguments) -> None:
    from zoo.training.run_folder import Run

    show_log()
    names = registry.list_models()
    if not Path(arguments.run).exists() and "/" not in arguments.run and arguments.run not in names:
        raise unknown("run folder or network", arguments.run, names, hint="`zoo list`; runs lie in runs/")
    run = arguments.run if arguments.run in names and not Path(arguments.run).exists() else Run.open(arguments.run)
    start_keras(arguments.debug)
    from zoo.inference import api

    settings = {name: getattr(arguments, name) for name in ("weights", "preprocessing", "loop")}
    print("\n".join(api.predict(run, arguments.inputs, folder=arguments.out, **settings)))


def generate_command(arguments) -> None:
    from zoo.training.run_folder import Run

    run = Run.open(arguments.run)
    start_keras(arguments.debug)
    from zoo.inference import api

    settings = {name: getattr(arguments, name) for name in ("length", "temperature", "top_k", "seed")}
    pieces = api.generate(run, arguments.prompt, **settings)
    print(arguments.prompt, end="")
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def translate_command(arguments) -> None:
    from zoo.training.run_folder import Run

    run = Run.open(arguments.run)
    start_keras(arguments.debug)
    from zoo.inference import api

    # An empty line stays one, so that what comes out stands in the lines of what went in.
    texts = arguments.texts or [line.strip() for line in sys.stdin]
    asked = [text for text in texts if text or arguments.texts]
    said = iter(api.translate(run, asked, beams=arguments.beams, length_penalty=arguments.length_penalty))
    for text in texts:
        print(next(said) if text or arguments.texts else "", flush=True)


def compare_command(arguments) -> None:
    print("\n".join(ask_run(arguments, "compare", *arguments.pictures)))


def search_command(arguments) -> None:
    if arguments.top < 1:
        raise UsageError(f"--top is {arguments.top}; expected a whole number of at least 1")
    print("\n".join(ask_run(arguments, "search", arguments.query, arguments.folder)[: arguments.top]))


def ask_run(arguments, verb: str, *words: str) -> list[str]:
    from zoo.training.run_folder import Run

    show_log()
    run = Run.open(arguments.run)
    start_keras(arguments.debug)
    from zoo.inference import api

    return getattr(api, verb)(run, *words)


def stylize_command(arguments) -> None:
    from zoo.inference import stylize

    fields = {field.name for field in dataclasses.fields(stylize.Plan)}
    chosen = {name: value for name, value in vars(arguments).items() if name in fields and value is not None}
    if arguments.shares:
        try:
            chosen["shares"] = tuple(float(share) for share in arguments.shares.split(","))
        except ValueError:
            raise UsageError(f"--shares is {arguments.shares!r}; expected numbers, as in 0.7,0.3") from None
    show_log()
    job = stylize.prepare(arguments.content, arguments.styles, arguments.output, arguments.overwrite, **chosen)
    start_keras(arguments.debug)
    stylize.paint(job)
    print(f"{arguments.output}: {job.size[0]}x{job.size[1]} pixels")


def results_command(arguments) -> None:
    from zoo import results

    for table in arguments.tables:
        results.read(Path(table))  # what is wrong with a table is said before Keras is imported
    start_keras(arguments.debug)
    text = results.table([Path(table) for table in arguments.tables])
    if arguments.into:
        results.write_into(Path(arguments.into), text)
    else:
        print(text)


def doctor_command(arguments) -> None:
    start_keras(arguments.debug)
    from zoo.cli import doctor

    for label, text in doctor.report():
        print(f"{label:<14}{text}")


def show_log() -> None:
    """What the library has to say goes to the terminal as it is."""
    import logging

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("zoo")
    log.handlers = [handler]  # one, however often a process asks
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # of retracing: a network is compiled once a phase
    with contextlib.suppress(ImportError):
        from absl import logging as absl_logging  # tfds speaks through it

        absl_logging.set_verbosity(absl_logging.ERROR)


def start_keras(debug: bool) -> None:
    """Import Keras and its backend. Their page of greetings on stderr is kept back, unless the start fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what goes wrong comes as an exception as well
    logging_off = contextlib.nullcontext() if debug else held_back()
    with logging_off:
        import keras

        keras.ops.zeros(())  # the backend looks for its devices here
        with contextlib.suppress(UsageError):  # most data needs it, whatever the backend
            from zoo.data.sources import tensorflow

            tensorflow().zeros(())


@contextlib.contextmanager
def held_back():
    """Keep what is written to the file descriptor of stderr; show it only if an error escapes."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
