"""Writes `tests/recorded/transformers/transformer_xl` and `.../xlnet`: small networks of the package `transformers`,
from random weights, and what they answer to a text that is read segment by segment with their memories handed on.
`tests/models/test_transformer_xl.py` holds ours to it. Transformer-XL left the package with version 5: run in an
environment of its own, with PyTorch and ``transformers==4.36.2``::

    python benchmarks/record_transformer_xl.py
"""

import json
import os
from pathlib import Path
from typing import Any

os.environ["TRUST_REMOTE_CODE"] = "True"  # Transformer-XL is refused without, for its old pickled files: none here

import torch
import transformers
from safetensors.torch import save_file

HERE = Path(__file__).parents[1] / "tests" / "recorded" / "transformers"
SEGMENT, MEMORY = 4, 6
XL = transformers.TransfoXLConfig(
    vocab_size=20, cutoffs=[], div_val=1, d_model=8, d_embed=8, n_head=2, d_head=4, d_inner=12, n_layer=2,
    mem_len=MEMORY, clamp_len=-1, same_length=False, dropout=0.0, dropatt=0.0, pad_token_id=None,
)  # fmt: skip
XLNET = transformers.XLNetConfig(
    vocab_size=20, d_model=8, n_layer=2, n_head=2, d_inner=12, ff_activation="gelu", attn_type="bi", mem_len=MEMORY,
    reuse_len=None, bi_data=False, clamp_len=-1, same_length=False, dropout=0.0,
)  # fmt: skip


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    for key, value in model.named_parameters():
        scale = value.ndim == 1 and key.endswith("weight")
        value.data.copy_(torch.randn(value.shape) * 0.5 + scale)
    return model.eval()


def left_to_right(segment: torch.Tensor) -> dict[str, Any]:
    """Of all the orders that XLNet may read a segment in; its memory is before all of them."""
    later = torch.ones(segment.shape[1], segment.shape[1]).triu(1)
    return {"perm_mask": later.expand(len(segment), -1, -1), "use_mems": True}


def read(model: torch.nn.Module, tokens: torch.Tensor, options: Any = None) -> list[Any]:
    """The last layer's outputs of all segments, each with the memory that the one before left."""
    # Left to itself Transformer-XL begins with a memory of zeros, which it attends to: an empty one, as in the paper.
    empty = [torch.zeros(0, len(tokens), 8)] * 2
    memory, found = None if options else empty, []
    for segment in tokens.split(SEGMENT, dim=1):
        answer = model(segment, mems=memory, **(options(segment) if options else {}))
        memory = answer.mems
        found.append(answer.last_hidden_state)
    return torch.cat(found, dim=1).tolist()


def main() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(0, 20, (2, 15))  # the last segment is cut short
    xl, xlnet = transformers.TransfoXLModel(XL), transformers.XLNetModel(XLNET)
    for name, model, options in (("transformer_xl", xl, None), ("xlnet", xlnet, left_to_right)):
        randomised(model)
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        with torch.no_grad():
            expected = {"tokens": tokens.tolist(), "hidden": read(model, tokens, options)}
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "model.safetensors")
        (folder / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
