"""Writes `tests/recorded/transformers`: small networks of the package `transformers`, from random weights, and what
they answer. `tests/weights/test_model_folder.py` holds ours to it. Run in an environment with transformers, PyTorch and
tokenizers::

    python benchmarks/record_transformers.py
"""

import json
from pathlib import Path

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parents[1] / "tests" / "recorded" / "transformers"
TEXTS = ["The cat sat on the mat.", "A dog!", "cats and dogs, mats and logs: the cat sat on a dog that sat on a mat"]
SIZES = {"vocab_size": 300}


def byte_level() -> tokenizers.Tokenizer:
    """As GPT-2's: bytes, and pairs of them."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=290, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def word_pieces() -> tokenizers.Tokenizer:
    """As BERT's: lower case, parts of words, [CLS] before and [SEP] after."""
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=60, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(mark, tokenizer.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    )
    return tokenizer


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    """Numbers that tell: fresh ones have biases of 0, scales of 1 and matrices near 0."""
    for key, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            scale = value.ndim == 1 and key.endswith("weight")
            value.copy_(torch.randn(value.shape) * 0.7 + scale)
    return model.eval()


def save(name: str, model: torch.nn.Module, tokenizer: tokenizers.Tokenizer, **found: object) -> None:
    folder = HERE / name
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "expected.json").write_text(json.dumps(found) + "\n")


def main() -> None:
    torch.manual_seed(0)
    shape = dict(n_positions=16, n_embd=8, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
    gpt2 = randomised(transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=300, **shape)))
    tokens = torch.tensor([[3, 5, 299, 2, 9]])
    with torch.no_grad():
        save("gpt2", gpt2, byte_level(), tokens=tokens.tolist(), outputs=gpt2(tokens).logits[:, -1].tolist())
    sizes = dict(max_position_embeddings=24, hidden_size=8, num_hidden_layers=2, num_attention_heads=4)
    config = transformers.BertConfig(vocab_size=60, intermediate_size=32, num_labels=3, **sizes)
    bert = randomised(transformers.BertForSequenceClassification(config))
    tokenizer = word_pieces()
    rows = [encoding.ids for encoding in tokenizer.encode_batch(TEXTS)]
    width = max(map(len, rows))
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    with torch.no_grad():
        found = bert(tokens, attention_mask=(tokens > 0).long(), output_hidden_states=True)
    last = found.hidden_states[-1][2]  # of the text that fills the batch
    outputs = dict(outputs=found.logits.tolist(), hidden=last.tolist())
    save("bert", bert, tokenizer, texts=TEXTS, tokens=tokens.tolist(), **outputs)


if __name__ == "__main__":
    main()
