"""Programs that watch trainings: TensorBoard, MLflow and Weights & Biases, each by its own callback for Keras.

A run of MLflow's or W&B's that the caller has begun is used, and left open.
"""

import importlib.util
import os
from collections.abc import Mapping
from typing import Any

from zoo.errors import UsageError, unknown
from zoo.training.run_folder import Run

PROJECT = "zoo"


class Tracker:
    """None; and what each of them can do."""

    package = ""

    def callbacks(self, run: Run) -> list[Any]:
        """For a phase of a training; the first one begins the tracker's own run."""
        return []

    def finish(self, metrics: Mapping[str, float]) -> None:
        """After the training: what was measured on the test set; nothing if it did not come so far."""


class TensorBoard(Tracker):
    """Logs in the run folder: ``tensorboard --logdir RUN``."""

    package = "tensorboard"

    def callbacks(self, run: Run) -> list[Any]:
        import keras

        return [keras.callbacks.TensorBoard(run.path / "tensorboard")]


class MLflow(Tracker):
    """Where ``MLFLOW_TRACKING_URI`` says; without it in ./mlruns."""

    package = "mlflow"

    def __init__(self) -> None:
        self.begun = False

    def callbacks(self, run: Run) -> list[Any]:
        import mlflow
        from mlflow.keras import MlflowCallback

        if mlflow.active_run() is None:
            mlflow.start_run(run_name=called(run), tags={"command": run.read_json("config.json")["command"]})
            self.begun = True
        return [MlflowCallback()]

    def finish(self, metrics: Mapping[str, float]) -> None:
        import mlflow

        if mlflow.active_run() is not None:  # it would begin one by itself
            mlflow.log_metrics({f"test_{name}": value for name, value in metrics.items()})
        if self.begun:
            mlflow.end_run("FINISHED" if metrics else "FAILED")


class WandB(Tracker):
    """In the project "zoo", or where W&B's own settings say (``WANDB_PROJECT``, ``WANDB_MODE=offline``)."""

    package = "wandb"

    def __init__(self) -> None:
        self.begun = False

    def callbacks(self, run: Run) -> list[Any]:
        import wandb
        from wandb.integration.keras import WandbMetricsLogger

        if wandb.run is None:
            project = os.environ.get("WANDB_PROJECT", PROJECT)
            wandb.init(project=project, name=called(run), config=run.read_json("config.json"), dir=str(run.path))
            self.begun = True
        return [WandbMetricsLogger()]

    def finish(self, metrics: Mapping[str, float]) -> None:
        import wandb

        if wandb.run is not None:
            wandb.run.summary.update({f"test/{name}": value for name, value in metrics.items()})
            if self.begun:
                wandb.finish(exit_code=0 if metrics else 1)


def called(run: Run) -> str:
    """The name of its folder; of a fold or a trial with that of the folder they are in.

    >>> from pathlib import Path
    >>> called(Run(Path("runs/mlp-demo-0"))), called(Run(Path("runs/mlp-5-folds/fold-1")))
    ('mlp-demo-0', 'mlp-5-folds/fold-1')
    """
    path = run.path.absolute()
    return f"{path.parent.name}/{path.name}" if path.name.startswith(("fold-", "trial-")) else path.name


TRACKERS: Mapping[str, type[Tracker]] = {"tensorboard": TensorBoard, "mlflow": MLflow, "wandb": WandB}


def tracker_of(name: str) -> Tracker:
    """By its name; "" is none.

    Raises:
        UsageError: for another name, or where it is not installed.

    >>> tracker_of("tensorflow")
    Traceback (most recent call last):
    zoo.errors.UsageError: there is no tracker 'tensorflow'; did you mean tensorboard?
    """
    if not name:
        return Tracker()
    if name not in TRACKERS:
        raise unknown("tracker", name, TRACKERS)
    chosen = TRACKERS[name]()
    if importlib.util.find_spec(chosen.package) is None:
        raise UsageError(f"{name} is not installed, which was to watch: pip install {chosen.package}, or leave it out")
    return chosen
