"""Signals, closed pipes, full disks: one line, an exit code, and nothing lost."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import zoo
from zoo.cli import _terminal, main
from zoo.training import checkpoint, keeper
from zoo.training.stopping import SIGNALS, Stopped, requests

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(zoo.__file__).parents[1]), "TF_CPP_MIN_LOG_LEVEL": "3"}
TRAIN = ["train", "mlp", "--epochs", "3"]


@pytest.fixture
def at_batch(monkeypatch):
    """Have something happen at the end of a batch (epoch, number)."""

    usual, waiting = keeper.Keeper.on_train_batch_end, {}

    def batch_end(self, number, logs=None):
        if happens := waiting.pop((self.epoch, number), None):
            happens(self)
        usual(self, number, logs)

    monkeypatch.setattr(keeper.Keeper, "on_train_batch_end", batch_end)
    return waiting.__setitem__


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_stops_after_the_batch(number, at_batch, data_dir, tmp_path, capsys):
    at_batch((1, 2), lambda keeper: os.kill(os.getpid(), number))
    run = tmp_path / "run"
    before = signal.getsignal(number)
    assert main([*TRAIN, "--run", str(run), "--data-dir", str(data_dir)]) == 128 + number
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1] == (f"zoo: stopped; {run} keeps 1 epoch and 3 batches: go on with zoo train --resume {run}")
    assert signal.getsignal(number) is before
    assert (run / "model.keras").exists() and not list(run.rglob("*.tmp"))


def test_a_second_signal_stops_at_once(at_batch, data_dir, tmp_path, capsys):
    def twice(keeper):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        raise AssertionError("it went on")

    at_batch((1, 0), twice)
    assert main([*TRAIN, "--run", str(tmp_path / "run"), "--data-dir", str(data_dir)]) == 130
    assert "keeps 1 epoch: go on" in capsys.readouterr().err


def test_an_interrupt_that_is_swallowed_is_made_up_for():
    """As TensorFlow does while it is imported."""
    with requests.watch():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except KeyboardInterrupt:
            pass
        with pytest.raises(Stopped) as stopped:
            requests.check()
    assert stopped.value.code == 130


def test_what_is_ignored_or_handled_otherwise_stays_so():
    """nohup ignores SIGHUP; a program around may have handlers of its own."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with requests.watch():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) == requests.receive
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_folder_that_is_removed_while_it_trains(at_batch, data_dir, tmp_path, capsys):
    run = tmp_path / "run"
    at_batch((1, 0), lambda keeper: shutil.rmtree(run))
    assert main([*TRAIN, "--run", str(run), "--data-dir", str(data_dir)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"there is no folder {run} any more" in line and not run.exists()


def test_a_disk_that_fills_up_while_it_trains(at_batch, data_dir, tmp_path, capsys, monkeypatch):
    def full(file, **arrays):
        raise OSError(28, "No space left on device")

    run = tmp_path / "run"
    at_batch((1, 0), lambda keeper: monkeypatch.setattr("numpy.savez", full))
    assert main([*TRAIN, "--run", str(run), "--data-dir", str(data_dir)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "No space left on device (it needs " in line and f"zoo train --resume {run}" in line
    assert checkpoint.newest(run)[0].epoch == 1


def test_a_loss_that_runs_away_keeps_the_last_finite_checkpoint(at_batch, data_dir, tmp_path, capsys):
    def spoil(keeper):
        bias = keeper.model.layers[-1].bias
        bias.assign([float("nan")] * bias.shape[0])

    run = tmp_path / "run"
    at_batch((1, 2), spoil)
    assert main([*TRAIN, "--run", str(run), "--data-dir", str(data_dir)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("zoo: the loss became nan in batch 4 of epoch 2; expected it to fall")
    assert f"{run} keeps 1 epoch: zoo train --resume {run} --learning-rate " in line
    assert checkpoint.newest(run)[0].where == "1 epoch"


def test_memory_that_runs_out(at_batch, data_dir, tmp_path, capsys):
    def out(keeper):
        raise MemoryError

    at_batch((1, 0), out)
    assert main([*TRAIN, "--run", str(tmp_path / "run"), "--data-dir", str(data_dir)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "the memory ran out" in line and "lower batch_size" in line and "keeps 1 epoch" in line


@pytest.mark.slow
def test_the_same_command_offers_to_go_on(at_batch, data_dir, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(_terminal, "agrees", lambda question: bool(asked.append(question)) or True)
    at_batch((1, 0), lambda keeper: os.kill(os.getpid(), signal.SIGINT))
    assert main([*TRAIN, "--data-dir", str(data_dir)]) == 130 and not asked
    assert main(["train", "mlp", "--epochs", "4", "--data-dir", str(data_dir)]) == 0 and not asked, "another command"
    shutil.rmtree(tmp_path / "runs" / "mlp-demo-0-2")
    assert main([*TRAIN, "--data-dir", str(data_dir)]) == 0
    assert asked == ["runs/mlp-demo-0 holds the same training, stopped after 1 epoch and 1 batch of 3 epochs"]
    assert "going on with runs/mlp-demo-0" in capsys.readouterr().out


def run_python(program, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=ENVIRONMENT, capture_output=True, text=True, **options
    )


def test_a_backend_that_aborts_is_said():
    done = run_python("""
        import os
        from zoo.cli import _terminal
        with _terminal.hidden_stderr():
            os.write(2, b"F0000 this build needs AVX9\\n")
            os.abort()
    """)
    assert done.returncode == -signal.SIGABRT
    assert done.stderr.splitlines()[0].startswith("zoo: Keras or its backend ended this process while it started")
    assert "F0000 this build needs AVX9" in done.stderr


@pytest.mark.parametrize("reason", ["failed to map segment from shared object", "cannot allocate memory"])
def test_a_backend_that_finds_no_memory_is_said(reason, capsys, monkeypatch):
    def load(*arguments):
        raise ImportError(f"/lib/libtensorflow_cc.so.2: {reason}")

    monkeypatch.setattr(_terminal, "import_files", load)
    assert main(["list"]) == 2
    said = "zoo: too little memory to load libtensorflow_cc.so.2; raise this process's limit"
    assert capsys.readouterr().err.startswith(said)


def test_a_backend_that_starts_is_quiet():
    done = run_python("""
        import os
        from zoo.cli import _terminal
        with _terminal.hidden_stderr():
            os.write(2, b"this goes nowhere")
        print("on")
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")


def test_a_pipe_that_is_closed(capfd):
    done = run_python("""
        import os, sys
        from zoo.cli import _terminal
        reader, writer = os.pipe()
        os.dup2(writer, 1)
        os.close(reader)
        with _terminal.unbroken_streams():
            for number in range(10_000):
                print("a line of the training", flush=number == 0)
        print("done", file=sys.stderr)
    """)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "zoo: nobody reads the output any more; the training goes on\ndone\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(closed):
    command = f"{sys.executable} -c 'import sys; from zoo.cli import main; sys.exit(main([\"list\"]))' {closed}"
    done = subprocess.run(command, shell=True, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert ("lenet5" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))
