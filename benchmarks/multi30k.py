"""Multi30k (D. Elliott et al. 2016), German and English: BLEU on the Flickr test of 2016, and the speed of training.

    pip install tokenizers sacrebleu torch
    python benchmarks/multi30k.py zoo FOLDER --direction de-en --record results/benchmarks/multi30k.csv
    python benchmarks/multi30k.py torch FOLDER --direction de-en --record results/benchmarks/multi30k.csv
    python benchmarks/multi30k.py speed FOLDER --record results/benchmarks/multi30k_speed.csv

FOLDER holds train.de.gz, val.de.gz, test_2016_flickr.de.gz and the same in English. The goals are 35 (de-en) and 33
(en-de) by a small Transformer on a GPU; no TensorFlow is needed (KERAS_BACKEND=jax). Processors are too slow for the
recipe; what one core manages in three quarters of an hour is

    ... --epochs 18 --option num_layers=3 --option dim=128 --option num_heads=4 --option mlp_dim=256 \\
        --option dropout=0.1

The peer is PyTorch's own `nn.Transformer` of the same sizes. `torch` trains it on the same batches by the same
schedule for as many epochs; it decodes greedily (it has nothing else), so our greedy BLEU stands beside it. `speed`
are target tokens a second of training, by turns on the same batches, in float32 (on a GPU with TF32 products).
--split validation is for choosing sizes: the test set is for the end.
"""

import argparse
import dataclasses
import gzip
import json
import math
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import zoo
from zoo import results, tasks
from zoo.cli.train import option_values
from zoo.data.batching import Batches
from zoo.data.text.parallel_folder import ParallelFolder
from zoo.data.text.special_tokens import END, START
from zoo.data.text.translation import TranslationDataModule
from zoo.decoding.beam_search import Translator
from zoo.errors import UsageError
from zoo.inference import api
from zoo.metrics.translation import bleu
from zoo.optimizers import schedules

FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
RECIPES = {"de-en": "translate_folder", "en-de": "translate_folder_back"}
SIZES = ("num_layers", "dim", "num_heads", "mlp_dim", "dropout", "norm")
COLUMNS = ("blocks", "dim", "heads", "hidden", "dropout", "norm")  # of the record, which has these words since 0.1


def unpacked(folder, target):
    """The files as `zoo.data.text.parallel_folder` wants them."""
    for split, stem in FILES.items():
        for language in ("de", "en"):
            packed = folder / f"{stem}.{language}.gz"
            if not packed.is_file():
                raise UsageError(f"there is no {packed}; expected the files of Multi30k's task 1")
            with gzip.open(packed, "rt", encoding="utf-8") as file:
                (target / f"{language}.{split}.txt").write_text(file.read(), encoding="utf-8")
    return target


def scored(data, split, translate):
    """Detokenised BLEU, and sacrebleu's signature; `translate` makes targets of sources, (batch, time) tokens both."""
    batches = data.batches(split)
    predictions = [data.tokenizer.decode(row) for inputs, _ in batches for row in translate(inputs["source"])]
    return bleu(predictions, data.texts(split)[1])


class Peer:
    """`torch.nn.Transformer` with what it lacks to be one: embeddings, positions, logits by the embedding's matrix."""

    def __init__(self, data, chosen, steps):
        import torch
        from torch import nn

        torch.manual_seed(chosen.seed)
        torch.backends.cuda.matmul.allow_tf32 = True
        self.torch, self.device = torch, "cuda" if torch.cuda.is_available() else "cpu"
        num_layers, dim, num_heads, mlp_dim, dropout, norm = (chosen.model[name] for name in SIZES)
        self.table = nn.Embedding(len(data.tokenizer), dim, padding_idx=0)
        nn.init.normal_(self.table.weight, std=dim**-0.5)
        self.network = nn.Transformer(
            dim, num_heads, num_layers, num_layers, mlp_dim, dropout, batch_first=True, norm_first=norm == "pre"
        )
        self.network.encoder.use_nested_tensor = False  # it would cut what nobody fills
        for part in self.network.modules():  # the same work: ours drops what comes out of a sublayer, and no more
            if isinstance(part, nn.MultiheadAttention):
                part.dropout = 0.0
            elif isinstance(part, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
                part.dropout.p = 0.0  # of the units inside the MLP
        self.dropout = nn.Dropout(dropout)
        self.parts = nn.ModuleList([self.table, self.network, self.dropout]).to(self.device)
        angles = np.arange(data.length)[:, None] / 10_000 ** (np.arange(0, dim, 2) / dim)
        encoding = np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("float32")
        self.positions, self.scale = torch.tensor(encoding, device=self.device), math.sqrt(dim)
        self.optimizer = torch.optim.Adam(self.parts.parameters(), 1.0, betas=(0.9, 0.98), eps=1e-9)
        rate = schedules.SCHEDULES[chosen.schedule](
            chosen.learning_rate, steps, epochs=chosen.epochs, **chosen.schedule_options
        )
        rates = np.asarray(keras.ops.convert_to_numpy(rate(np.arange(steps + 1)))).tolist()
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: rates[min(step, steps)])
        self.parameters = sum(each.numel() for each in self.parts.parameters())

    def embedded(self, tokens):
        return self.dropout(self.table(tokens) * self.scale + self.positions[: tokens.shape[1]])

    def encoded(self, source):
        return self.network.encoder(self.embedded(source), src_key_padding_mask=source == 0)

    def logits(self, memory, source, shifted):
        mask = self.torch.nn.Transformer.generate_square_subsequent_mask(shifted.shape[1], device=self.device)
        x = self.network.decoder(
            self.embedded(shifted), memory, tgt_mask=mask, memory_key_padding_mask=source == 0, tgt_is_causal=True
        )
        return x @ self.table.weight.T

    def step(self, inputs, target):
        arrays = (inputs["source"], inputs["target"], target)
        source, shifted, target = (self.torch.as_tensor(each).to(self.device).long() for each in arrays)
        logits = self.logits(self.encoded(source), source, shifted)
        loss = self.torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), target.flatten(), ignore_index=0, label_smoothing=0.1
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return loss.detach()

    def epoch(self, batches):
        self.parts.train()
        loss = [self.step(*batch) for batch in batches][-1]
        return float(loss)  # waits until the GPU is done

    def translate(self, source):
        """By greedy search."""
        torch = self.torch
        self.parts.eval()
        with torch.no_grad():
            source = torch.as_tensor(source).to(self.device).long()
            memory = self.encoded(source)
            target = torch.full((len(source), 1), START, device=self.device)
            finished = torch.zeros(len(source), dtype=torch.bool, device=self.device)
            while target.shape[1] < len(self.positions) and not finished.all():
                logits = self.logits(memory, source, target)[:, -1]
                logits[:, : START + 1] = -1e9  # no target has padding, the unknown or the start
                tokens = logits.argmax(-1).masked_fill(finished, 0)
                target, finished = torch.cat([target, tokens[:, None]], 1), finished | (tokens == END)
        return target[:, 1:].cpu().numpy()


def learned(folder, recipe, changed, seed):
    """The data of the training, and the recipe with what was changed."""
    card = zoo.info("transformer")
    chosen = card.recipe(recipe)
    to_data = {name: value for name, value in changed.items() if name in chosen.preprocess}
    model = {**chosen.model, **{name: value for name, value in changed.items() if name not in to_data}}
    chosen = dataclasses.replace(chosen, preprocess={**chosen.preprocess, **to_data}, model=model, seed=seed)
    return TranslationDataModule.adapt(card, chosen, ParallelFolder(folder.absolute()).load()), chosen


def speeds(arguments, folder, recipe, changed, data, chosen):
    """Target tokens a second of both, round by round; each first sees a batch of every shape."""
    given = list(data.batches("train", training=True))[: arguments.batches]
    shapes = list({inputs["source"].shape: (inputs, target) for inputs, target in given}.values())
    tokens = sum(int((target > 0).sum()) for _, target in given)

    def fixed(batches):
        return Batches(lambda number: batches[number], lambda: list(range(len(batches))))

    keras.utils.set_random_seed(chosen.seed)
    model = zoo.build("transformer", **{**data.model_options(), **chosen.model})
    model.compile(keras.optimizers.Adam(1e-4), loss=tasks.get("translation").loss())
    peer = Peer(data, chosen, 1000)
    runs = {
        "zoo": lambda batches: model.fit(fixed(batches), verbose=0, shuffle=False),
        "torch": lambda batches: peer.epoch(batches),
    }
    for run in runs.values():
        run(shapes)
        run(given)
    found = {name: [] for name in runs}
    for _ in range(arguments.rounds):
        for name in random.sample(list(runs), len(runs)):
            started = time.perf_counter()
            runs[name](given)
            found[name].append(tokens / (time.perf_counter() - started))
    ratios = [ours / theirs for ours, theirs in zip(*found.values())]
    return {
        "parameters": model.count_params(), "torch_parameters": peer.parameters,
        "tokens_per_second": round(statistics.median(found["zoo"])),
        "torch_tokens_per_second": round(statistics.median(found["torch"])),
        "ratio": f"{statistics.median(ratios):.2f}", "ratio_range": f"{min(ratios):.2f}-{max(ratios):.2f}",
    }  # fmt: skip


def trained(arguments, folder, recipe, changed, data, chosen):
    """BLEU of the recipe's run, by beam search and greedily."""
    settings = dict(data=folder, run=folder.parent / "run", epochs=arguments.epochs, seed=arguments.seed, verbose=2)
    run = zoo.train("transformer", recipe, **settings, **changed)
    metrics = json.loads((run.path / "metrics.json").read_text())
    finished = api.reopen(run, with_source=True)
    family = (finished.network.model, "transformer", finished.data.length)
    greedy, searched = (
        scored(finished.data, arguments.split, Translator(*family, beams=beams)) for beams in (1, arguments.beams)
    )
    return {
        "network": "zoo", "epochs": run.config["recipe"]["epochs"], "fit_seconds": round(metrics["fit_seconds"]),
        "bleu_greedy": f"{greedy[0]:.2f}", "beams": arguments.beams, "bleu": f"{searched[0]:.2f}",
        "signature": searched[1],
    }  # fmt: skip


def peer_trained(arguments, folder, recipe, changed, data, chosen):
    """The same of PyTorch's, which decodes greedily alone."""
    epochs = arguments.epochs or chosen.epochs
    peer = Peer(data, dataclasses.replace(chosen, epochs=epochs), data.steps * epochs)
    batches, started = data.batches("train", training=True), time.perf_counter()
    for epoch in range(epochs):
        loss = peer.epoch(batches)
        print(f"epoch {epoch + 1}/{epochs}: loss of the last batch {loss:.3f}", flush=True)
    seconds = time.perf_counter() - started
    score, signature = scored(data, arguments.split, peer.translate)
    return {
        "network": "torch.nn.Transformer", "epochs": epochs, "fit_seconds": round(seconds),
        "bleu_greedy": f"{score:.2f}", "beams": "", "bleu": "", "signature": signature,
    }  # fmt: skip


MEASURES = {"zoo": trained, "torch": peer_trained, "speed": speeds}


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=MEASURES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--direction", choices=list(RECIPES), default="de-en")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    parser.add_argument("--batches", type=int, default=10, help="for the speed")
    parser.add_argument("--rounds", type=int, default=3, help="for the speed")
    parser.add_argument("--option", metavar="NAME=VALUE", action="append", default=[], help="another size: dim=128")
    parser.add_argument("--beams", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "multi30k"
        folder.mkdir()
        unpacked(arguments.folder, folder)
        recipe, changed = RECIPES[arguments.direction], option_values(arguments.option)
        data, chosen = learned(folder, recipe, changed, arguments.seed)
        row = {"direction": arguments.direction, **{column: chosen.model[name] for column, name in zip(COLUMNS, SIZES)}}
        row["batch_tokens"] = chosen.preprocess["batch_tokens"]
        row["split"] = arguments.split
        row |= MEASURES[arguments.what](arguments, folder, recipe, changed, data, chosen)
        row["seed"] = arguments.seed
    print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    if arguments.record:
        results.append(arguments.record, row)


if __name__ == "__main__":
    main()
