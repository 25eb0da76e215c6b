"""What `weights=` can say: a tag of a card, a file, an address."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo import records, registry
from zoo.checks import check_weights
from zoo.errors import UsageError
from zoo.preprocessing import check
from zoo.weights import model_folder, run_weights
from zoo.weights.checksums import vouches


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights on this machine, and what is known of it."""

    path: Path
    hash: str = ""  # still to be checked
    preprocessing: str = ""
    checked: bool = False  # against a whole hash, while it was fetched
    options: Mapping[str, Any] = field(default_factory=dict)  # of the builder, where the file comes with them
    tokens: str = ""  # what kind they are: "" where it comes without a tokenizer
    tokenizer: Path | None = None  # that comes with it: a file, or a run that has one
    body: bool = False  # whether it is to give the body alone: its head answered another question

    @property
    def trusted(self) -> bool:
        return self.checked or vouches(self.hash)


def find(
    weights: str | Path, name: str | None, options: Mapping[str, Any], *, hash: str = "", preprocessing: str = ""
) -> WeightsFile:
    """The file that `weights` means, fetched if it is not here.

    Args:
        weights: a tag, a path, an https address, a model of `transformers` (its folder, or ``hf://owner/name``), or
            the folder of a run: of this network, or of one that has this network for its `tower`.
        name: the network's name in the zoo, whose card knows the tags; None for any other network.
        options: those it is built with.
        hash, preprocessing: of a file or address, where they are known.

    Raises:
        UsageError: if there is no such tag, file, address or preprocessing, or the card's weights want other options.
    """
    check(preprocessing)
    text = str(weights)
    card = registry.info(name) if name else None
    tags = {record.tag: record for record in card.weights} if card else {}
    if card is not None and text in tags:
        return tagged(tags, text, card, options)
    if text not in tags and (run := run_weights.find(text)):
        tokenizer = run.path.parent if run.tokens else None
        file = WeightsFile(run.path, hash, preprocessing, options=run.options, tokens=run.tokens, tokenizer=tokenizer)
        return file if name == run.name else of_tower(file, run, text, name)
    if text not in tags and (folder := model_folder.find(text)):
        if name:
            model_folder.check_family(folder, name, registry.builder(name).__module__)
        tokens = "pretrained" if folder.tokenizer else ""
        return WeightsFile(
            folder.weights, hash, preprocessing, options=folder.options, tokens=tokens, tokenizer=folder.tokenizer
        )
    if "://" in text:
        from zoo.weights import fetching  # and with it what speaks to the network

        return WeightsFile(fetching.fetch(text, hash=hash), preprocessing=preprocessing, checked=vouches(hash))
    check_weights(weights, tags, name or "a network that zoo.build did not make")
    return WeightsFile(Path(text).expanduser(), hash, preprocessing)


def of_tower(file: WeightsFile, run: run_weights.RunWeights, text: str, name: str | None) -> WeightsFile:
    """The weights of the network that a run of another name has for its `tower`, without those that are not its body's.

    Raises:
        UsageError: if it has none, or one of another name.
    """
    known = run.name in registry.cards() and "tower" in registry.info(run.name).options
    options = {**defaults(run.name), **run.options} if known else {}
    tower = options.get("tower")
    if tower is None:
        raise UsageError(f"{text} is a run of {run.name}; expected one of {name or 'what zoo.build made'}")
    if tower != name:
        raise UsageError(
            f"{text} is a run of {run.name} with the tower {tower}; expected one of {name}, or one with tower={name}"
        )
    return replace(file, options={"input_shape": options["input_shape"], **(options["tower_options"] or {})}, body=True)


def tagged(
    tags: Mapping[str, records.Weights], tag: str, card: records.Card, options: Mapping[str, Any]
) -> WeightsFile:
    """The published file behind a tag: without its top where the network has none."""
    if not options.get("top", True):
        tag = f"{tag}_notop" if f"{tag}_notop" in tags else tag
    record = tags[tag]
    for option, wanted in record.options.items():
        given = options.get(option, defaults(card.name).get(option))
        if given != wanted:
            raise UsageError(
                f"the weights {tag!r} of {card.name} are for {option}={wanted!r} and {option} is {given!r}; "
                f"build with {option}={wanted!r}"
            )
    from zoo.weights import fetching

    path = fetching.fetch(record.url, hash=record.hash, size=record.size)
    return WeightsFile(path, preprocessing=record.preprocessing, checked=vouches(record.hash))


FREE = ("input_shape", "num_classes", "dropout")  # which differ from a file's without making it another network


def check_options(name: str, options: Mapping[str, Any], file: WeightsFile) -> None:
    """Raise where a network has other sizes than its file says, also those that no array tells: the number of heads.

    Args:
        name: of the network.
        options: those it was built with; the others are the builder's.
        file: of weights.
    """
    here = {**defaults(name), **options}
    for option, wanted in file.options.items():
        if option not in FREE and here.get(option, wanted) != wanted:
            raise UsageError(
                f"{file.path} is for {option}={wanted!r} and {option} is {here[option]!r}; build with "
                f"{option}={wanted!r}"
            )


def defaults(name: str) -> dict[str, Any]:
    """The options of a builder that need not be given, and what they are then."""
    return dict(registry.builder(name).__kwdefaults__ or {})
