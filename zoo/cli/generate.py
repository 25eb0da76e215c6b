"""`zoo generate`: text from a trained language model."""

import argparse

from zoo.checks import check_whole
from zoo.cli import _terminal

HELP = "generate text with a trained language model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, or the name of a network, with --weights")
    parser.add_argument(
        "--weights", help="for a name: a GPT-2 with its tokenizer, hf://openai-community/gpt2 or a folder of files"
    )
    parser.add_argument("--prompt", required=True, help="the beginning of the text, or a file of it")
    parser.add_argument("--length", type=int, default=400, help="tokens to generate (default: 400)")
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.8,
        help="divides the logits: above 1 bolder, 0 takes the likeliest token always (default: 0.8)",
    )
    parser.add_argument(
        "--top-k", type=int, default=0, help="sample from so many of the likeliest tokens only (default: all)"
    )
    parser.add_argument(
        "--top-p", type=float, default=1.0, help="sample from the likeliest that have this probability together"
    )
    parser.add_argument(
        "--stop", metavar="TEXT", action="append", default=[], help="end before this text; may be repeated"
    )
    parser.add_argument("--samples", type=int, default=1, help="texts to write, of as many seeds (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the sampling (default: 0)")


def run(arguments: argparse.Namespace) -> None:
    _terminal.show_log()
    run_or_name = _terminal.open_run_or_name(arguments.run, arguments.debug)
    from zoo.data.text.inputs import read_texts
    from zoo.inference import api

    check_whole("samples", arguments.samples)
    settings = {
        name: getattr(arguments, name) for name in ("weights", "length", "temperature", "top_k", "top_p", "stop")
    }
    ((_, prompt),) = read_texts([arguments.prompt])
    for number in range(arguments.samples):
        if number:
            print(f"--- sample {number + 1}, seed {arguments.seed + number}")
        tokens = api.generate(run_or_name, prompt, seed=arguments.seed + number, **settings)
        print(prompt, end="")
        for token in tokens:
            print(token, end="", flush=True)
        print()
