"""What is made of what a machine says of itself."""

import pytest

import zoo
from zoo import system


@pytest.mark.parametrize(
    ("flags", "backend", "precision", "why"),
    [
        ({"avx2", "avx512f"}, "tensorflow", "float32", "the processor does not multiply in bfloat16"),
        ({"avx512_bf16"}, "tensorflow", "mixed_bfloat16", "the processor multiplies in bfloat16 (avx512_bf16)"),
        ({"amx_bf16", "avx512_bf16"}, "tensorflow", "mixed_bfloat16", "(amx_bf16, avx512_bf16)"),
        ({"bf16", "asimd"}, "tensorflow", "mixed_bfloat16", "(bf16)"),
        ({"avx512_bf16"}, "jax", "float32", "jax on a processor was not measured"),
    ],
)
def test_the_fastest_precision_of_a_processor(monkeypatch, flags, backend, precision, why):
    monkeypatch.setattr(system, "gpus_used", lambda backend: [])
    monkeypatch.setattr(system, "wanted", lambda: backend)
    monkeypatch.setattr(system, "processor_flags", lambda: flags)
    found, because = system.fastest_precision()
    assert found == precision and because.endswith(why)


@pytest.mark.parametrize(
    ("capability", "precision"), [("9.0", "mixed_bfloat16"), ("10.0", "mixed_bfloat16"), ("7.5", "float32")]
)
def test_the_fastest_precision_of_a_gpu(monkeypatch, capability, precision):
    monkeypatch.setattr(system, "gpus_used", lambda backend: ["GPU:0"])
    monkeypatch.setattr(system, "asked_of_gpus", {"compute_cap": [capability]}.get)
    found, why = system.fastest_precision()
    assert found == precision and capability in why


def test_the_flags_of_a_processor_are_read_as_the_system_writes_them(monkeypatch):
    class Said:
        def __init__(self, _):
            pass

        def read_text(self):
            return "model name\t: X\nflags\t\t: fpu avx2 avx512_bf16\nbugs\t\t: bf16_bug\nFeatures\t: fp asimd\n"

    monkeypatch.setattr(system, "Path", Said)
    assert system.processor_flags() == {"fpu", "avx2", "avx512_bf16", "fp", "asimd"}


def test_a_training_keeps_the_precision_that_was_chosen(monkeypatch, data_dir, tmp_path, caplog):
    from zoo.training import run_plan

    caplog.set_level("INFO", "zoo")
    monkeypatch.setattr(run_plan, "fastest_precision", lambda: ("mixed_bfloat16", "because"))
    run = zoo.train("lenet5", precision="auto", epochs=1, run=tmp_path / "run", data_dir=data_dir, verbose=0)
    assert run.config["recipe"]["precision"] == "mixed_bfloat16" and "auto" not in run.config["command"]
    assert "precision mixed_bfloat16: because" in caplog.messages


@pytest.mark.parametrize(
    ("flags", "backend", "environment", "setting"),
    [
        ({"avx2"}, "tensorflow", {}, "TF_ENABLE_ONEDNN_OPTS=1"),
        ({"avx2", "avx512_vnni"}, "tensorflow", {}, ""),
        ({"avx2", "avx_vnni"}, "tensorflow", {}, ""),
        ({"asimd"}, "tensorflow", {}, ""),
        ({"avx2"}, "jax", {}, ""),
        ({"avx2"}, "tensorflow", {"TF_ENABLE_ONEDNN_OPTS": "0"}, ""),
    ],
)
def test_kernels_that_tensorflow_leaves_off(monkeypatch, flags, backend, environment, setting):
    monkeypatch.setattr(system, "gpus_used", lambda backend: [])
    monkeypatch.setattr(system, "wanted", lambda: backend)
    monkeypatch.setattr(system, "processor_flags", lambda: flags)
    monkeypatch.delenv(system.ONE_DNN, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert system.faster_kernels() == setting
