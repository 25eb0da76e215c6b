"""What a token and a prompt cost a language model, beside Hugging Face's transformers on PyTorch.

    pip install transformers torch
    taskset -c 0 python benchmarks/generation.py --record results/benchmarks/generation.csv
    taskset -c 0 python benchmarks/generation.py --names gpt --prompt 10

Random weights of the same sizes, one text, always the likeliest token. Both live in one process, on one thread each,
and take turns; of the processor seconds of each the least of the rounds is taken. `prompt` is a whole first token after
the prompt, with what is compiled when a text is begun and without it; `token` each one after it.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import zoo
from zoo import results
from zoo.decoding import sampling
from zoo.decoding.base import decoder_of

SIZES = {
    "gpt": dict(vocab_size=96, n_positions=256, n_embd=384, n_layer=6, n_head=6),
    "gpt2": {},
}


def hugging_face(name: str, prompt: np.ndarray) -> Callable[[], Callable[[int], None]]:
    """Begins a text, and gives what writes so many tokens after the prompt."""
    model = GPT2LMHeadModel(GPT2Config(**SIZES[name], eos_token_id=None)).eval()
    tokens = torch.tensor(prompt).long()
    settings: dict[str, Any] = dict(attention_mask=torch.ones_like(tokens), do_sample=False, pad_token_id=0)

    def write(length: int) -> None:
        with torch.no_grad():
            model.generate(tokens, max_new_tokens=length, min_new_tokens=length, **settings)

    return lambda: write


def ours(name: str, prompt: np.ndarray, longest: int) -> Callable[[], Callable[[int], None]]:
    decoder = decoder_of(zoo.build(name, input_shape=(None,)), name)

    def begin() -> Callable[[int], None]:
        writer = sampling.Writer(decoder, max_length=prompt.shape[1] + longest, temperature=0)

        def write(length: int) -> None:
            text, rng = sampling.Text(writer, prompt), np.random.default_rng(0)
            while (left := prompt.shape[1] + length - text.tokens.shape[1]) > 0:
                text.write(left, rng)

        return write

    return begin


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    started = time.process_time()
    function(*arguments)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.partition("\n")[0])
    parser.add_argument("--names", nargs="+", choices=SIZES, default=[*SIZES])
    parser.add_argument("--prompt", type=int, default=101, help="its tokens")
    parser.add_argument("--length", type=int, default=49, help="tokens to write")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.names:
        size = GPT2Config(**SIZES[name]).vocab_size
        prompt = np.random.default_rng(0).integers(4, size, (1, arguments.prompt)).astype("int32")
        begins = {
            "transformers on PyTorch": hugging_face(name, prompt),
            "zoo": ours(name, prompt, arguments.length),
        }
        writes = {who: begin() for who, begin in begins.items()}
        first = {who: seconds(write, 1) for who, write in writes.items()}
        best = {who: (np.inf, np.inf) for who in writes}
        for _ in range(arguments.rounds):
            for who, write in writes.items():
                short, long = seconds(write, 1), seconds(write, arguments.length)
                token = (long - short) / (arguments.length - 1)
                best[who] = (min(best[who][0], short), min(best[who][1], token))
        for who, (short, token) in best.items():
            row = {
                "name": name,
                "who": who,
                "prompt_tokens": arguments.prompt,
                "first_text_s": f"{first[who]:.2f}",
                "prompt_s": f"{short:.3f}",
                "token_ms": f"{1000 * token:.2f}",
                "token_ratio": f"{best['transformers on PyTorch'][1] / token:.2f}",
                "prompt_ratio": f"{best['transformers on PyTorch'][0] / short:.2f}",
            }
            print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            if arguments.record:
                results.append(arguments.record, row)


if __name__ == "__main__":
    main()
