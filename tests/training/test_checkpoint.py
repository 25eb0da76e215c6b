"""Checkpoints: written whole or not at all, known by their hash, and the one before it when one is damaged."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.training import checkpoint
from zoo.training.checkpoint import Checkpoint


def made(epoch, batch=0, size=8):
    rng = np.random.default_rng(epoch)
    return Checkpoint({"epoch": epoch, "batch": batch}, {"network.0": rng.normal(size=size), "b": np.array(epoch)})


def same(one, other):
    assert one.state == other.state and one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        assert array.dtype == other.arrays[name].dtype and array.tobytes() == other.arrays[name].tobytes(), name


def test_what_is_written_is_read(tmp_path):
    import ml_dtypes

    arrays = {
        "f": np.array([[1.5, np.nan]], "float32"),
        "half": np.arange(3).astype(ml_dtypes.bfloat16),
        "scalar": np.float64(0.1)[()] * np.ones(()),
        "seed": np.array([2**32 - 1, 7], "uint32"),
        "none": np.zeros((0, 3)),
        "text": np.array(["ä", "b"]),
    }
    written = Checkpoint({"epoch": 3, "batch": 2, "loss": float("inf"), "history": [{"loss": 0.1}]}, arrays)
    path = checkpoint.write(tmp_path / "checkpoint", written)
    same(checkpoint.read(path), written)
    assert not list(tmp_path.rglob("*.tmp"))


def test_two_are_kept_and_the_newest_comes_first(tmp_path):
    for position in [(0, 5), (1, 0), (1, 12), (2, 0), (10, 0)]:
        checkpoint.write(tmp_path / "checkpoint", made(*position))
    assert [path.stem for path in checkpoint.files(tmp_path / "checkpoint")] == [
        "epoch-000010-batch-00000000",
        "epoch-000002-batch-00000000",
    ]
    found, damaged = checkpoint.newest(tmp_path)
    assert found.where == "10 epochs" and not damaged
    checkpoint.remove(tmp_path, keep=1)
    assert len(checkpoint.files(tmp_path / "checkpoint")) == 1
    checkpoint.remove(tmp_path)
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_one_is_passed_over(seed, tmp_path):
    rng = np.random.default_rng(seed)
    checkpoint.write(tmp_path / "checkpoint", made(1))
    path = checkpoint.write(tmp_path / "checkpoint", made(2))
    whole = path.read_bytes()
    if seed % 2:
        path.write_bytes(whole[: rng.integers(len(whole))])
    else:  # a bit of an array: every other one could be of a name or a date, which nobody reads
        at = whole.index(made(2).arrays["network.0"].tobytes()) + rng.integers(64)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.integers(8)]) + whole[at + 1 :])
    found, damaged = checkpoint.newest(tmp_path)
    same(found, made(1))
    assert len(damaged) == 1 and "the one before it is taken" in damaged[0] and "\n" not in damaged[0]


def test_an_array_of_another_with_a_right_checksum_is_damage(tmp_path):
    """The zip's own checksums hold; the hash does not."""
    path = checkpoint.write(tmp_path / "checkpoint", made(2))
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path.open("wb"), **{**arrays, "network.0": arrays["network.0"] + 1})
    with pytest.raises(ValueError, match="does not have the hash"):
        checkpoint.read(path)


def test_no_pickle_is_read(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "boom"),)

    path = tmp_path / "checkpoint" / "epoch-000001-batch-00000000.npz"
    path.parent.mkdir()
    np.savez(path.open("wb"), **{"state.json": np.array([Bomb()], dtype=object)})
    with pytest.raises(ValueError, match="no checkpoint"):
        checkpoint.read(path)
    assert not (tmp_path / "boom").exists()


def test_a_disk_that_is_full_keeps_the_one_before(tmp_path, monkeypatch):
    checkpoint.write(tmp_path / "checkpoint", made(1))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(zoo.UsageError, match=r"batch-00000000\.npz cannot be written: No space left .*it needs 0\.8 M"):
        checkpoint.write(tmp_path / "checkpoint", made(2, size=100_000))
    same(checkpoint.newest(tmp_path)[0], made(1))
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_folder_that_is_gone(tmp_path):
    with pytest.raises(zoo.UsageError, match=r"there is no folder .*run any more"):
        checkpoint.write(tmp_path / "run" / "checkpoint", made(1))


def test_a_folder_is_trained_in_by_one_process(tmp_path):
    held, refused = checkpoint.alone(tmp_path), pytest.raises(zoo.UsageError, match="another process trains in")
    with held, refused, checkpoint.alone(tmp_path):
        pass
    with checkpoint.alone(tmp_path):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_hundred_kills_inside_a_save_lose_nothing(tmp_path):
    """Each child writes the next checkpoints until it is killed; what it had said to be written is there."""
    program = textwrap.dedent("""
        import json, os, random, signal, sys, time
        from pathlib import Path
        import numpy as np
        from zoo.training import checkpoint
        from zoo.training.checkpoint import Checkpoint

        run, rng, inside = Path(sys.argv[1]), random.Random(0), 0
        for trial in range(100):
            reader, writer = os.pipe()
            last, damaged = checkpoint.newest(run)
            assert not damaged, damaged
            start = last.epoch if last else 0
            if not (child := os.fork()):
                for epoch in range(start + 1, start + 10_000):
                    os.write(writer, b"(")
                    arrays = {"x": np.full(30_000, epoch), "y": np.full((5, 7), epoch, "float32")}
                    checkpoint.write(run / "checkpoint", Checkpoint({"epoch": epoch, "batch": 0}, arrays))
                    os.write(writer, b")")
                    time.sleep(0.001)
            os.close(writer)
            os.read(reader, 1)
            time.sleep(rng.random() * 0.02)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            with os.fdopen(reader, "rb") as rest:
                told = rest.read()
            finished = start + told.count(b")")
            inside += (run / "checkpoint" / ".new.tmp").exists()
            found, damaged = checkpoint.newest(run)
            assert not damaged, damaged
            epoch = found.epoch if found else 0
            assert epoch in (finished, finished + 1), (epoch, finished)
            assert found is None or (found.arrays["x"] == epoch).all()
        print(json.dumps(inside))
    """)
    environment = {**os.environ, "PYTHONPATH": str(Path(zoo.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) >= 20, "the others came between two writes"
