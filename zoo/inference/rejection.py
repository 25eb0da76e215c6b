"""From where on a finished run answers "I don't know": measured on its validation set once, and kept in its folder.

known_softmax.npz, known_energy.npz, known_mahalanobis.npz
    scores      of the validation examples: whatever rate of them may be rejected, the threshold follows
    model       the SHA-256 of the `model.keras` that gave them: a run that was trained on is measured anew
    means, precision    of mahalanobis
"""

import contextlib
import hashlib
import inspect
import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.array_files import stored_arrays
from zoo.errors import UsageError
from zoo.inference.reopening import open_again
from zoo.metrics.novelty import DEFAULT, Gaussians, check_rate, check_score
from zoo.tasks._anomaly import say_if_few
from zoo.tasks._rejection import Known, Rejector, body_of
from zoo.tasks.base import Network, Trained
from zoo.training.own_data import on_own_data
from zoo.training.run_folder import Run

log = logging.getLogger("zoo")


def check_asked(rate: Any, by: Any) -> None:
    """Raise for what no run can be asked."""
    if rate is not None:
        check_rate(rate)
    elif by is not None:
        raise UsageError(f"reject_score is {by!r} without a rate; expected how many known ones to reject: reject=0.05")
    if by is not None:
        check_score(by)


def rejector_of(
    trained: Trained, rate: float, by: str | None = None, *, data: Any = None, data_dir: str | Path | None = None
) -> Rejector:
    """What tells of an opened run whether an input is like none of its classes.

    Args:
        trained: the run.
        rate: which part of known inputs may be rejected.
        by: a score of `novelty.SCORES`.
        data: the arrays that the run was trained on, or where its data are now.
        data_dir: where tfds keeps its data sets, if not where the run found them.

    Raises:
        UsageError: for a network that tells no classes apart, or a run without a validation set of its own or whose
            data cannot be had.
    """
    check_asked(rate, by)
    check_supported(trained)
    by = by or default_of(trained.network)
    known = kept(trained, by)
    if known is None:
        open_again_for(trained, data, data_dir)
        log.info(f"the data of {trained.run.path} are looked at for the {by} score, once")
        known = Known.measure(trained.network, trained.data, by)
        keep(trained.run, known)
    say_if_few(len(known.scores), rate, "known")
    return Rejector(trained.network, known, rate)


def default_of(network: Network) -> str:
    """The score that tells strangers best; of a network that has no features for it, by its logits."""
    try:
        body_of(network)
        return DEFAULT
    except UsageError:
        output = network.model.output[network.main] if network.heads else network.model.output
        return "softmax" if output.shape[-1] == 1 else "energy"


def check_supported(trained: Trained) -> None:
    """Raise unless there are classes, and validation examples that nothing was learned from."""
    name, task = trained.network.card.name, trained.network.task
    if "rejector" not in inspect.signature(task.predict).parameters:  # type: ignore[attr-defined]
        raise UsageError(f"{name} tells no classes apart; reject is for classifiers: leave it out")
    if trained.run is None:
        raise UsageError(
            f"{name} is the name of a network; reject takes a run, whose validation set says what is known: fine-tune "
            "it, or leave reject out"
        )
    if part := trained.run.config.get("part"):
        raise UsageError(
            f"{trained.run.path} is measured on {part}; reject takes a run with a validation set of its own: train one"
        )
    recipe = trained.data.recipe
    if recipe.validation == recipe.train:
        raise UsageError(
            f"{trained.run.path} has no validation set of its own: it is the training set ({recipe.validation!r}); "
            "reject takes one, which nothing was learned from: train with another split as validation"
        )


def open_again_for(trained: Trained, data: Any, data_dir: str | Path | None) -> None:
    """Give the data module of a run its source, where it has none yet."""
    if data is not None:
        trained.data.recipe = on_own_data(trained.data.recipe, data)
    open_again(trained.data, trained.run, given=data, data_dir=data_dir)


def file_of(run: Run, by: str) -> Path:
    return run.path / f"known_{by}.npz"


def sha256_of(run: Run) -> np.ndarray | None:
    """Of the network of a finished run, as bytes; None of a training that was stopped."""
    path = run.path / "model.keras"
    if run.unfinished is not None or not path.is_file():
        return None
    with path.open("rb") as file:
        return np.frombuffer(hashlib.file_digest(file, "sha256").digest(), "uint8")


def is_row(scores: np.ndarray) -> bool:
    return scores.ndim == 1 and len(scores) > 0 and scores.dtype == "float64"


def fits(gaussians: Gaussians, network: Network) -> bool:
    """Whether they are distributions of what the network makes of its inputs."""
    size = body_of(network).model.output.shape[-1]
    shapes = gaussians.means.shape[1:], gaussians.precision.shape
    return shapes == ((size,), (size, size)) and {each.dtype.name for each in vars(gaussians).values()} == {"float64"}


def kept(trained: Trained, by: str) -> Known | None:
    """What was measured before, if it is whole and of this network."""
    run = trained.run
    path = file_of(run, by)
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
                raise ValueError("it is compressed")  # by somebody else: it may be of any size
        arrays = stored_arrays(path)
        scores, model = arrays["scores"], sha256_of(run)
        gaussians = Gaussians(arrays["means"], arrays["precision"]) if by == "mahalanobis" else None
        if not is_row(scores) or (gaussians and not fits(gaussians, trained.network)):
            raise ValueError("its arrays are others")
    except (UsageError, OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        log.warning(f"{path} was not written by the zoo ({error}); the validation set is looked at again")
        return None
    return Known(by, scores, gaussians) if model is not None and np.array_equal(arrays["model"], model) else None


def keep(run: Run, known: Known) -> None:
    """Write what was measured into the folder of its run, whole or not at all; a folder may be somebody else's."""
    model = sha256_of(run)
    if model is None:
        return
    path = file_of(run, known.by)
    temporary = path.with_name(f".{path.name}.tmp")
    more = {} if known.gaussians is None else vars(known.gaussians)
    try:
        with temporary.open("wb") as file:
            np.savez(file, model=model, scores=known.scores.astype("float64"), **more)
        os.replace(temporary, path)
    except OSError as error:
        log.info(f"{path} cannot be written ({error.strerror}): the next call looks at the validation set again")
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
