"""What a run of the zoo has learned, as weights to start from: ``--weights runs/NAME``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, first_line

NETWORK, CONFIG = "model.keras", "config.json"


@dataclass(frozen=True)
class RunWeights:
    """The network of a finished run."""

    path: Path
    name: str
    options: Mapping[str, Any]  # of its builder
    preprocessing: str  # of its images; "": as its card says
    tokens: str = ""  # what kind they are, where it learned from texts: their vocabulary lies in its folder


def find(weights: str | Path) -> RunWeights | None:
    """The run whose folder that is; None for anything else.

    Raises:
        UsageError: if the folder is damaged.
    """
    folder = Path(weights).expanduser()
    if not (folder / NETWORK).is_file() or not (folder / CONFIG).is_file():
        return None
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        name, options = config["model"], as_tuples(dict(config["options"]))
        preprocessing = config["recipe"].get("preprocessing", "")
        tokens = (config.get("data") or {}).get("tokens", "")
        if not all(isinstance(each, str) for each in (name, preprocessing, tokens)):
            raise ValueError("the name of its network, of its preprocessing or of its tokens is no text")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{folder / CONFIG} was not written by this zoo ({first_line(error)}); restore it or train again"
        ) from None
    return RunWeights(folder / NETWORK, name, options, preprocessing, tokens)


def as_tuples(value: Any) -> Any:
    """What JSON has made lists of, as tuples again.

    >>> as_tuples({"input_shape": [28, 28, 1], "filters": [[6, 5], [16, 5]]})
    {'input_shape': (28, 28, 1), 'filters': ((6, 5), (16, 5))}
    """
    if isinstance(value, dict):
        return {key: as_tuples(each) for key, each in value.items()}
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value
