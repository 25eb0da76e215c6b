"""Vectors of sentences from a pretrained BERT, whose cosine tells how much alike two of them are.

N. Reimers and I. Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", EMNLP 2019,
arXiv:1908.10084, section 3: the mean of what the network makes of all tokens.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo import factory
from zoo.checks import as_strings, check_whole
from zoo.data.batching import padded
from zoo.data.text.vocabulary import PretrainedVocabulary
from zoo.errors import UsageError
from zoo.weights import model_folder

BATCH_SIZE = 32


def sentence_vectors(
    texts: Sequence[str], weights: str | Path, *, name: str = "bert_base", length: int = 256, normalized: bool = True
) -> np.ndarray:
    """One vector for each text.

    Args:
        texts: sentences or short texts.
        weights: of a BERT that was trained for this, with its tokenizer: a folder, or an address as
            ``"hf://sentence-transformers/all-MiniLM-L6-v2"``.
        name: of the network; its sizes come with the weights.
        length: tokens of a text that are read, at most.
        normalized: to length 1, so that the product of two is their cosine.

    Returns:
        (texts, dim) float32.

    Raises:
        UsageError: for no texts, one without any token, or weights without a tokenizer.
    """
    texts = as_strings(texts, "a text")
    check_whole("length", length)
    folder = model_folder.find(weights)
    if folder is None or folder.tokenizer is None:
        raise UsageError(
            f"{weights} comes without a tokenizer; expected a folder with config.json, model.safetensors and "
            "tokenizer.json, or hf://owner/name"
        )
    vocabulary = PretrainedVocabulary.open(folder.tokenizer)
    rows = [vocabulary.encode_within(text, min(length, folder.options["max_length"])) for text in texts]
    if (empty := next((number for number, row in enumerate(rows) if not len(row)), None)) is not None:
        raise UsageError(f"text {empty + 1} ({texts[empty]!r}) holds no tokens; expected at least one")
    model = factory.build(name, weights=folder.weights, pool="avg", input_shape=(None,), num_classes=0)
    vectors = np.empty((len(rows), model.output.shape[-1]), "float32")
    by_length = np.argsort([len(row) for row in rows], kind="stable")  # little padding in each batch
    for start in range(0, len(rows), BATCH_SIZE):
        chosen = by_length[start : start + BATCH_SIZE]
        found = [rows[row] for row in chosen]
        vectors[chosen] = model.predict_on_batch(padded(found, max(map(len, found))))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if normalized else vectors
