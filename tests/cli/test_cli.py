"""The command line: what it prints, what it imports, and one line for every mistake."""

import json
import logging
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import zoo
from zoo import cli, registry, results
from zoo.cli import _terminal, doctor
from zoo.training.run_folder import Run

HEAVY = {"keras", "tensorflow", "jax", "torch", "numpy", "tensorflow_datasets", "sklearn", "matplotlib"}
HEAVY |= {"ssl", "urllib.request"}  # what speaks to the network


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    return zoo.train("softmax_regression", run=folder / "run", data_dir=folder / "data", epochs=1, verbose=0)


def zoo_command(capsys, *words):
    code = cli.main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    "words", [["--help"], ["list"], ["info", "lenet5"], ["train", "--help"], ["lits"], ["info", "lenet"]]
)
def test_names_and_help_import_nothing_heavy(words):
    program = f"""
        import sys
        from zoo import cli
        try:
            cli.main({words!r})
        except SystemExit:
            pass
        print(sorted({HEAVY!r} & set(sys.modules)), len(sys.modules))
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    loaded, count = answer.stdout.splitlines()[-1].rsplit(" ", 1)
    assert loaded == "[]"
    assert int(count) < 300, "the standard library alone is enough"


def test_list(capsys):
    code, out, _ = zoo_command(capsys, "list", "lenet*")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == zoo.list_models("lenet*")
    assert "61,706" in out


@pytest.mark.parametrize(
    "by, order",
    [("params", ["resnet18", "resnet34", "resnet50"]), ("multiply-adds", ["resnet18", "resnet34", "resnet50"])],
)
def test_list_sorts(by, order, capsys):
    code, out, _ = zoo_command(capsys, "list", "resnet[135]?", "--sort", by)
    sizes = {line.split()[0]: int(line.split()[1].replace(",", "")) for line in out.splitlines()}
    assert code == 0 and list(sizes.values()) == sorted(sizes.values())
    assert [name for name in sizes if name in order] == order
    assert sizes["resnet18"] == {"params": 11_689_512, "multiply-adds": 1_814_073_344}[by]


def test_list_sorts_by_what_is_published(capsys):
    """The best first; what nobody published comes last."""
    _, out, _ = zoo_command(capsys, "list", "resnet*", "--sort", "accuracy")
    shown = [tuple(line.split()[:2]) for line in out.splitlines()]
    known = [float(number) for _, number in shown if number != "unknown"]
    assert known == sorted(known, reverse=True) and ("resnet18", "0.698") in shown
    assert {number for _, number in shown[len(known) :]} == {"unknown"} and ("resnet20", "unknown") in shown
    _, out, _ = zoo_command(capsys, "list", "resnet*", "--sort", "accuracy", "--json")
    assert [row["published_accuracy"] is None for row in json.loads(out)] == [
        number == "unknown" for _, number in shown
    ]


@pytest.mark.slow  # it imports Keras in a process of its own
@pytest.mark.parametrize("name, megabytes", [("gpt2_xl", 500), ("vgg19", 500)])
def test_info_makes_no_numbers(name, megabytes):
    program = f"""
        import resource
        from zoo import cli
        cli.main(["info", {name!r}, "-v"])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    """
    pytest.importorskip("jax")  # on which Keras's NumPy leans: TensorFlow alone takes as much
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert f"{zoo.info(name).params:,}" in done.stdout
    assert int(done.stdout.split()[-1]) < megabytes


def test_list_says_what_is_left_out(capsys, monkeypatch):
    monkeypatch.setitem(registry.broken(), "nin", zoo.UsageError("nin.py:3: the card of nin cannot be read: ..."))
    left_out = "zoo: left out: nin.py:3: the card of nin cannot be read: ..."
    assert zoo_command(capsys, "list", "lenet*")[2].splitlines() == [left_out]
    code, _, err = zoo_command(capsys, "list", "nin")
    assert code == 2 and err.splitlines() == [
        left_out,
        f"zoo: no name matches 'nin'; `zoo list` shows all {len(zoo.list_models())}",
    ]


def test_info_shows_the_card(capsys):
    code, out, _ = zoo_command(capsys, "info", "lenet5_1998")
    card = zoo.info("lenet5_1998")
    assert code == 0
    for text in (card.summary, card.paper, "60,000 trainable, 840 fixed", *card.deviations, "demo: digits:1.0.0"):
        assert text in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trian", "lenet5"], "there is no command 'trian'; did you mean train?"),
        (["train", "lenet"], "there is no model 'lenet'; did you mean lenet5"),
        (["info", "lenet"], "there is no model 'lenet'; did you mean lenet5"),
        (["train", "lenet5", "--recipe", "mnits"], "there is no recipe of lenet5 'mnits'; did you mean mnist?"),
        (["train", "lenet5", "--epohcs", "3"], "there is no option of `zoo train` '--epohcs'; did you mean --epochs"),
        (["train", "lenet5", "--epoch", "3"], "there is no option of `zoo train` '--epoch'; did you mean --epochs"),
        (["list", "--pre"], "there is no option of `zoo list` '--pre'"),
        (["--vers", "list"], "there is no option of `zoo` '--vers'; did you mean --version?"),
        (["--imp", "mine.py", "list"], "there is no option of `zoo` '--imp'; did you mean --import?"),
        (["evaluate", "RUN", "--dat", "x"], "there is no option of `zoo evaluate` '--dat'; did you mean --data"),
        (["train", "lenet5", "--data", ""], "data is ''; expected the path"),
        (["train", "lenet5", "--data", "none/"], "data is 'none/', which is not there; expected the path"),
        (["train", "resnet50", "--weights", "imagenett"], "did you mean imagenet"),
        (["train", "resnet50", "--weights", "nope.h5"], "there is no file nope.h5; expected a file of weights"),
        (["predict", "resnet50", "x.png", "--weights", "nope.h5"], "x.png is not there; expected the file of an image"),
        (["info", "lenet5", "mlp"], "`zoo info` takes no 'mlp'; leave it out"),
        (["train", "lenet5", "--epochs", "many"], "invalid int value: 'many'"),
        (["train", "lenet5", "--epochs", "0"], "epochs is 0; expected"),
        (["train", "lenet5", "--option", "dropout"], "--option 'dropout' has no value; expected NAME=VALUE"),
        (["train", "lenet5", "--option", "droput=0.5"], "did you mean dropout?"),
        (["train", "lenet5", "--record", "nowhere/table.csv"], "there is no folder nowhere"),
        (["train", "--import", "mine.py", "lenet5"], "`--import FILE` stands before the command: zoo --import FILE tr"),
        (["info", "lenet5", "--import=mine.py"], "`--import FILE` stands before the command"),
        (["train"], "no network is named; expected one of `zoo list`, or the folder of a run to resume"),
        (["evaluate", "nowhere"], "nowhere is no finished run"),
        (["list", "zzz*"], "no name matches 'zzz*'"),
        (["list", "--task", "image_clasification"], "did you mean image_classification"),
        (["results", "nowhere.csv"], "nowhere.csv cannot be read"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(words, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = zoo_command(capsys, *words)
    assert code == 2
    assert out == ""
    assert err.startswith("zoo: ") and err.count("\n") == 1
    assert says in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no file"),
        ("def (", "cannot be imported: SyntaxError"),
        ("import nowhere_at_all", "cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
    ],
)
def test_a_file_that_cannot_be_imported_is_one_line(content, says, capsys, tmp_path):
    if content is not None:
        (tmp_path / "own.py").write_text(content)
    code, out, err = zoo_command(capsys, "--import", str(tmp_path / "own.py"), "list")
    assert (code, out) == (2, "")
    assert err.startswith("zoo: ") and err.count("\n") == 1
    assert says in err


def test_an_option_of_a_command_may_not_be_abbreviated():
    with pytest.raises(zoo.UsageError, match="there is no option of `zoo results` '--int'"):
        cli.parse(["results", "table.csv", "--int", "page.md"])


def test_debug_shows_the_traceback():
    with pytest.raises(zoo.UsageError):
        cli.main(["--debug", "info", "lenet"])


def test_an_unexpected_error_is_one_line_too(capsys, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(zoo.registry, "list_models", broken)
    code, _, err = zoo_command(capsys, "list")
    assert (code, err) == (2, "zoo: RuntimeError: first line (--debug shows where)\n")


def test_train_and_evaluate_as_a_new_user_does(tmp_path, capsys, monkeypatch):
    """The installed entry point, in a process of its own: progress on stdout, nothing on stderr."""
    program = "import sys; from zoo.cli import main; sys.exit(main())"
    words = ["train", "mlp", "--epochs", "1", "--option", "hidden=(16,)", "--data-dir", "data", "--record", "t.csv"]
    trained = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr == ""
    for text in (
        "the pipeline alone supplies",
        "val_accuracy",
        "test accuracy",
        "beside chance",
        "runs/mlp-demo-0",
        "recorded in t.csv",
    ):
        assert text in trained.stdout
    monkeypatch.chdir(tmp_path)  # what follows needs no process of its own
    run = Run(tmp_path / "runs" / "mlp-demo-0")
    code, out, err = zoo_command(capsys, "evaluate", "runs/mlp-demo-0")
    assert code == 0 and err == "" and f"test accuracy {run.metrics['accuracy']:.4f}" in out
    code, _, err = zoo_command(capsys, *shlex.split(run.config["command"])[1:], "--run", "again", "--data-dir", "data")
    assert code == 0, err
    assert Run(tmp_path / "again").metrics == run.metrics


def test_doctor(capsys):
    code, out, _ = zoo_command(capsys, "doctor")
    assert code == 0
    for label in ("Python", "Keras", "tensorflow", "GPUs there", "GPUs used", "data sets", "run folders", "network"):
        assert label in out


def test_doctor_and_results_speak_to_programs(capsys):
    code, out, _ = zoo_command(capsys, "doctor", "--json")
    assert code == 0 and json.loads(out)["zoo"].startswith(zoo.__version__)
    root = Path(__file__).parents[2]
    code, out, _ = zoo_command(capsys, "results", str(root / "results" / "demo.csv"), "--json")
    found = {(each["model"], each["recipe"]): each for each in json.loads(out)}
    lenet = found["lenet5", "demo"]
    assert code == 0 and lenet["seeds"] >= 3 and lenet["worst"] <= lenet["mean"] and lenet["metric"] == "accuracy"


def test_doctor_says_how_to_use_an_idle_gpu(monkeypatch):
    monkeypatch.setattr(doctor, "gpus_present", lambda: ["NVIDIA H200"])
    monkeypatch.setattr(doctor, "gpus_used", lambda backend: [])
    found = dict(doctor.report())
    assert found["GPUs there"] == "NVIDIA H200"
    assert found["to use it"].startswith("pip install ")
    monkeypatch.setattr(doctor, "gpus_used", lambda backend: ["GPU:0"])
    assert "to use it" not in dict(doctor.report())


# Tables of results.


def test_recorded_rows_become_a_table(run, tmp_path):
    table = tmp_path / "table.csv"
    results.record(run, table)
    results.record(run, table)
    rows = results.read(table)
    assert len(rows) == 2
    assert rows[0]["value"] == f"{run.metrics['accuracy']:.4f}"
    commands = rows[0]["command"], run.config["command"]  # files of names of one's own are there without their folder
    assert commands[0].partition(" train ")[2] == commands[1].partition(" train ")[2] != ""
    text = results.table([table])
    assert f"| demo | `softmax_regression` | accuracy {run.metrics['accuracy']:.4f} ± 0.0000 |" in text


def test_a_row_finds_its_columns(tmp_path):
    table = tmp_path / "table.csv"
    results.append(table, {"a": 1, "b": 2})
    results.append(table, {"b": 4, "a": 3})
    assert [line.split(",")[:2] for line in table.read_text().splitlines()] == [["a", "b"], ["1", "2"], ["3", "4"]]
    with pytest.raises(zoo.UsageError, match="has the columns a,b,"):
        results.append(table, {"a": 1})


def test_a_foreign_table_is_left_alone(run, tmp_path):
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    with pytest.raises(zoo.UsageError, match="is no table of results"):
        results.record(run, tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text() == "a,b\n1,2\n"


def test_a_table_goes_between_the_marks_of_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"above\n{results.BEGIN}old\n{results.END}\nbelow\n")
    results.write_into(page, "| new |")
    assert page.read_text() == f"above\n{results.BEGIN}| new |\n{results.END}\nbelow\n"
    page.write_text("no marks")
    with pytest.raises(zoo.UsageError, match="cannot be filled"):
        results.write_into(page, "| new |")
    assert page.read_text() == "no marks"


def recorded(tmp_path, values, **changes):
    row = dict.fromkeys(results.COLUMNS, "") | {"model": "mlp", "recipe": "demo", "metric": "accuracy"}
    for seed, value in enumerate(values):
        command = f"zoo train mlp --recipe demo --epochs 1 --seed {seed}"
        results.write(tmp_path / "rows.csv", row | {"value": value, "seed": seed, "command": command} | changes)
    return str(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("values", "value", "inside"),
    [
        ((0.98, 0.99, 1.0), 0.95, True),
        ((0.98, 0.99, 1.0), 0.93, False),
        ((0.5, 0.5), 0.50004, True),
        ((0.5,), 0.5, None),
    ],
)
def test_a_value_falls_inside_the_spread_of_the_seeds_or_not(values, value, inside, tmp_path):
    rows = results.rows_of(Path(recorded(tmp_path, values)), "mlp")
    assert results.compared(rows, value)["inside"] is inside


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nlp"], "there is no row in .*rows.csv for the network 'nlp'; did you mean mlp?"),
        (["mlp", "--recipe", "dema"], "for mlp by the recipe 'dema'; did you mean demo?"),
        (["mlp", "--seed", "7"], "there is no row with the seed 7"),
    ],
)
def test_a_row_that_is_not_there_is_said(words, told, tmp_path, capsys):
    code, _, err = zoo_command(capsys, "reproduce", recorded(tmp_path, (0.9, 0.8)), *words)
    assert code == 2 and re.search(told, err)


def test_data_of_ones_own_must_be_here(tmp_path, capsys):
    table = recorded(tmp_path, (0.9,), command="zoo train mlp --data photos")
    code, _, err = zoo_command(capsys, "reproduce", table, "mlp")
    assert code == 2 and "the row was measured on photos, which is not here" in err


@pytest.mark.slow
def test_a_row_is_measured_again(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = recorded(tmp_path, (0.5, 0.9))
    code, out, err = zoo_command(capsys, "reproduce", table, "mlp", "--seed", "1", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["run"] == "runs/mlp-demo-1-again" and found["inside"] is True
    assert found["value"] == Run.open(found["run"]).metrics["accuracy"] and Run.open(found["run"]).results["seed"] == 1


def test_the_readme_shows_what_was_recorded():
    """README.md holds the table that `zoo results results/*.csv` prints."""
    root = Path(__file__).parents[2]
    assert results.table(sorted((root / "results").glob("*.csv"))) in (root / "README.md").read_text(encoding="utf-8")


def test_every_command_of_the_readme_is_one():
    """As far as its words and options go, and the recipes that it names."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("zoo ")]
    for line in lines:
        arguments = cli.parse([word for word in shlex.split(line.partition(" > ")[0], comments=True)[1:] if word])
        if getattr(arguments, "recipe", None):
            zoo.info(arguments.name).recipe(arguments.recipe)
    assert len(lines) > 40


def test_names_of_somebody_elses_do_not_write_on_the_terminal(capsys):
    _terminal.show(["cat\x1b[2J: 90%", "a\nb"])
    _terminal.show_log()
    logging.getLogger("zoo").info("left out \x1b[31mred\u202e")
    with pytest.raises(zoo.UsageError) as error:
        raise zoo.UsageError("the class \x1b[31mred is unknown")
    shown = capsys.readouterr().out + str(error.value)
    assert "\x1b" not in shown and "\u202e" not in shown and shown.count("\n") == 3
    assert r"cat\x1b[2J: 90%" in shown


def test_completion_knows_commands_options_and_names(capsys):
    pytest.importorskip("shtab")
    assert cli.main(["completion", "bash"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("generate", "--learning-rate", "resnet18"))


def test_completion_without_its_package(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert cli.main(["completion", "zsh"]) == 2
    assert "pip install shtab" in capsys.readouterr().err
