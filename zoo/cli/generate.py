"""`zoo generate`: text from a trained language model, images from a network that draws."""

import argparse
from typing import Any

from zoo.checks import check_whole
from zoo.cli import _terminal
from zoo.errors import UsageError

HELP = "generate with a trained network: text after a prompt, or images from noise"
TEXT = ("weights", "length", "temperature", "top_k", "top_p", "stop")
IMAGES = ("count", "between")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, or the name of a network, with --weights")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    text = parser.add_argument_group("text")
    text.add_argument(
        "--weights", help="for a name: a GPT-2 with its tokenizer, hf://openai-community/gpt2 or a folder of files"
    )
    text.add_argument("--prompt", help="the beginning of the text, or a file of it")
    text.add_argument("--length", type=int, help="tokens to generate (default: 400)")
    text.add_argument(
        "--temperature",
        type=float,
        help="divides the logits: above 1 bolder, 0 takes the likeliest token always (default: 0.8)",
    )
    text.add_argument("--top-k", type=int, help="sample from so many of the likeliest tokens only (default: all)")
    text.add_argument("--top-p", type=float, help="sample from the likeliest that have this probability together")
    text.add_argument("--stop", metavar="TEXT", action="append", help="end before this text; may be repeated")
    text.add_argument("--samples", type=int, help="texts to write, of as many seeds (default: 1)")
    images = parser.add_argument_group("images, and vectors")
    images.add_argument("-o", "--out", metavar="FILE", help="to draw into: .png, .jpg, .gif; .csv of vectors")
    images.add_argument("--count", type=int, help="how many are drawn on the sheet (default: 64)")
    images.add_argument(
        "--between", metavar="SEED,SEED", help="the way from the drawing of one seed to that of the next, 3,8"
    )


def run(arguments: argparse.Namespace) -> None:
    _terminal.show_log()
    run_or_name = _terminal.open_run_or_name(arguments.run, arguments.debug)
    from zoo.inference import api, drawing

    draws = drawing.draws(run_or_name)
    for word in (*TEXT, "prompt", "samples") if draws else (*IMAGES, "out"):
        if getattr(arguments, word) is not None:
            kind = "draws images or vectors" if draws else "writes text"
            raise UsageError(f"{arguments.run} {kind}; --{word.replace('_', '-')} is not for it: leave it out")
    if draws:
        if arguments.out is None:
            raise UsageError(f"{arguments.run} draws images or vectors; name a file for them: -o grid.png")
        _terminal.show(drawing.draw(run_or_name, arguments.out, seed=arguments.seed, **given(arguments, IMAGES)))
        return
    if arguments.prompt is None:
        raise UsageError(f"{arguments.run} writes text; expected its beginning: --prompt TEXT")
    from zoo.data.text.inputs import read_texts

    samples = 1 if arguments.samples is None else arguments.samples
    check_whole("samples", samples)
    ((_, prompt),) = read_texts([arguments.prompt])
    for number in range(samples):
        if number:
            print(f"--- sample {number + 1}, seed {arguments.seed + number}")
        tokens = api.generate(run_or_name, prompt, seed=arguments.seed + number, **given(arguments, TEXT))
        print(prompt, end="")
        for token in tokens:
            print(token, end="", flush=True)
        print()


def given(arguments: argparse.Namespace, words: tuple[str, ...]) -> dict[str, Any]:
    """Those of the words that were said."""
    found = {word: getattr(arguments, word) for word in words}
    if isinstance(found.get("between"), str):
        found["between"] = seeds(found["between"])
    return {word: value for word, value in found.items() if value is not None}


def seeds(text: str) -> list[int]:
    """ "3,8" as numbers.

    >>> seeds("3, 8")
    [3, 8]
    """
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"between is {text!r}; expected seeds with commas between them, as in 3,8")
    return [int(part) for part in parts]
