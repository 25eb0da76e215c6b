"""A model as the package `transformers` keeps it, in a folder or on the hub of Hugging Face: sizes, weights, tokenizer.

    config.json          the sizes, among them the number of heads, which no array tells
    model.safetensors    the weights (`zoo.weights.transformers_names`)
    tokenizer.json       how texts become token ids

``hf://openai-community/gpt2`` is fetched by the hub's own client, the package `huggingface_hub`, into its own cache;
``hf://owner/name@revision`` names a branch, a tag or a commit.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, first_line, some

SCHEME = "hf://"
ADDRESS = re.compile(r"hf://(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
OPTIONS: Mapping[str, Mapping[str, str]] = {  # of the builders here, by what they are called there
    "gpt2": {
        "vocab_size": "vocabulary_size",
        "n_layer": "num_layers",
        "n_embd": "dim",
        "n_head": "num_heads",
        "n_positions": "max_length",
    },
    "bert": {
        "vocab_size": "vocabulary_size",
        "num_hidden_layers": "num_layers",
        "hidden_size": "dim",
        "num_attention_heads": "num_heads",
        "max_position_embeddings": "max_length",
    },
}
FAMILIES = {"gpt2": "gpt", "bert": "bert"}  # the file of the builder here
FIXED: Mapping[str, Mapping[str, tuple[Any, ...]]] = {  # what is always so here; the first is what a missing one means
    "gpt2": {
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
        "layer_norm_epsilon": (1e-5,),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
    },
    "bert": {
        "hidden_act": ("gelu",),
        "layer_norm_eps": (1e-12,),
        "position_embedding_type": ("absolute",),
        "is_decoder": (False,),
    },
}


@dataclass(frozen=True)
class ModelFolder:
    """What lies in such a folder."""

    kind: str  # as transformers calls it
    weights: Path
    options: Mapping[str, Any]  # of the builder
    tokenizer: Path | None


def find(weights: str | Path) -> ModelFolder | None:
    """The folder that is meant: an address, a folder, or its file of weights; None for anything else.

    Raises:
        UsageError: for one that cannot be fetched, or holds another kind of model.
    """
    if str(weights).startswith(SCHEME):
        return opened(fetched(str(weights)))
    path = Path(weights).expanduser()
    if path.is_dir() and (path / CONFIG).is_file():
        return opened(path)
    if path.name == WEIGHTS and path.is_file() and (path.parent / CONFIG).is_file():
        return opened(path.parent)
    return None


def opened(folder: Path) -> ModelFolder:
    """The folder's model, its config checked."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = config["model_type"]
        options = {option: config[word] for word, option in OPTIONS.get(kind, {}).items()}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{path} is not the config of a model of transformers ({first_line(error)}); expected model_type and sizes"
        ) from None
    if kind not in OPTIONS:
        raise UsageError(f"{path} is of the kind {kind!r}; expected one of {some(tuple(OPTIONS))}")
    for option, value in options.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError(f"{path} has {option} {value!r}; expected a whole number of at least 1")
    for word, known in FIXED[kind].items():
        if (found := config.get(word, known[0])) not in known:
            raise UsageError(
                f"{path} has {word} {found!r}; the network here has {known[0]!r}: it would answer otherwise"
            )
    inner = config.get("n_inner" if kind == "gpt2" else "intermediate_size") or 4 * options["dim"]
    if inner != 4 * options["dim"]:
        raise UsageError(f"{path} has an MLP of {inner}; the network here has one of 4 x {options['dim']}")
    if not (folder / WEIGHTS).is_file():
        raise UsageError(f"there is no {WEIGHTS} in {folder}; expected the weights in one file of safetensors")
    tokenizer = folder / TOKENIZER
    return ModelFolder(
        kind, folder / WEIGHTS, {"input_shape": (None,), **options}, tokenizer if tokenizer.is_file() else None
    )


def check_family(folder: ModelFolder, name: str, module: str) -> None:
    """Raise where a network is of another family than the weights.

    Args:
        folder: with the weights.
        name, module: of the network's builder.
    """
    family = FAMILIES[folder.kind]
    if module.rpartition(".")[2] != family:
        raise UsageError(
            f"{folder.weights} is of a {folder.kind}; {name} is none: take a name of `zoo list '{family}*'`"
        )


def fetched(address: str) -> Path:
    """The folder of an address ``hf://owner/name``, fetched if it is not in the hub's cache."""
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise UsageError(f"the address is {address!r}; expected hf://owner/name, as in hf://openai-community/gpt2")
    try:
        import huggingface_hub
    except ImportError:
        raise UsageError(
            f"{address} needs the hub's client, which is not installed: pip install huggingface_hub"
        ) from None
    from zoo.weights.fetching import offline

    how: dict[str, Any] = dict(revision=match["revision"], etag_timeout=10)
    how |= dict(allow_patterns=[CONFIG, WEIGHTS, TOKENIZER], local_files_only=offline())
    try:
        return Path(huggingface_hub.snapshot_download(match["repository"], **how))
    except Exception as error:  # of the client, of its HTTP library, of the disk
        raise UsageError(f"{address} cannot be fetched: {first_line(error)}") from None
