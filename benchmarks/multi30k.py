"""Multi30k (D. Elliott et al. 2016), German and English: BLEU on the Flickr test of 2016, and the speed of training.

    pip install tokenizers sacrebleu
    python benchmarks/multi30k.py FOLDER --direction de-en --record results/benchmarks/multi30k.csv

FOLDER holds train.de.gz, val.de.gz, test_2016_flickr.de.gz and the same in English. The goals are 35 (de-en) and 33
(en-de) by a small Transformer on a GPU. The peer is PyTorch's own `nn.Transformer` of the same sizes, on the same
batches: target tokens a second in training. Two cores are too few for the recipe; what they manage in 20 minutes is

    ... --epochs 15 --option blocks=3 --option dim=128 --option heads=4 --option hidden=256 --option dropout=0.1
"""

import argparse
import dataclasses
import gzip
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

import zoo
from zoo import inference, results, tasks
from zoo.commands import option_values
from zoo.data import open_source
from zoo.data.translation import TranslationFeed
from zoo.decoding import Translator
from zoo.errors import UsageError

FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
RECIPES = {"de-en": "translate_folder", "en-de": "translate_folder_back"}
STEPS = 10


def unpacked(folder, target):
    """The files as `zoo.data.parallel_folder` wants them."""
    for split, stem in FILES.items():
        for language in ("de", "en"):
            packed = folder / f"{stem}.{language}.gz"
            if not packed.is_file():
                raise UsageError(f"there is no {packed}; expected the files of Multi30k's task 1")
            with gzip.open(packed, "rt", encoding="utf-8") as file:
                (target / f"{language}.{split}.txt").write_text(file.read(), encoding="utf-8")
    return target


def score(run, beams):
    """Detokenised BLEU of beam search on the test set, and sacrebleu's signature."""
    from sacrebleu.metrics import BLEU

    finished = inference.reopen(run, data=True)
    feed = finished.feed
    say = Translator(finished.network.model, "transformer", feed.length, beams=beams)
    said = [
        feed.tokenizer.decode(row)
        for inputs, _ in feed.batches("test").as_numpy_iterator()
        for row in say(inputs["source"])
    ]
    metric = BLEU()
    return metric.corpus_score(said, [feed.texts("test")[1]]).score, str(metric.get_signature())


def batches(folder, recipe, changed):
    """The first batches of training, the size of the vocabulary, and the recipe with its sizes changed."""
    card, plan = zoo.info("transformer"), zoo.info("transformer").recipe(recipe)
    plan = dataclasses.replace(plan, model={**plan.model, **changed})
    feed = TranslationFeed.learn(card, plan, open_source(str(folder), task="translation").load())
    return list(feed.batches("train", training=True).take(STEPS + 2).as_numpy_iterator()), len(feed.tokenizer), plan


def clocked(step, given):
    """Target tokens a second, without the first two batches."""
    for batch in given[:2]:
        step(*batch)
    started = time.perf_counter()
    for batch in given[2:]:
        step(*batch)
    return sum(int((target > 0).sum()) for _, target in given[2:]) / (time.perf_counter() - started)


def ours(given, size, plan):
    options = dict(input_shape=(None,), target_shape=(None,), vocabulary_size=size, **plan.model)
    model = zoo.build("transformer", **options)
    model.compile(keras.optimizers.Adam(1e-4), loss=tasks.TASKS["translation"].loss())
    return clocked(model.train_on_batch, given)


def theirs(given, size, plan):
    """`torch.nn.Transformer`, eager; embeddings and logits share one matrix, as ours do."""
    import torch
    from torch import nn

    sizes, device = plan.model, "cuda" if torch.cuda.is_available() else "cpu"
    dim = sizes["dim"]
    table = nn.Embedding(size, dim).to(device)
    network = nn.Transformer(
        dim, sizes["heads"], sizes["blocks"], sizes["blocks"], sizes["hidden"], sizes["dropout"], batch_first=True
    ).to(device)
    optimizer = torch.optim.Adam([*table.parameters(), *network.parameters()], 1e-4)

    def step(inputs, target):
        source, shifted, target = (
            torch.tensor(each, device=device).long() for each in (inputs["source"], inputs["target"], target)
        )
        mask = nn.Transformer.generate_square_subsequent_mask(shifted.shape[1], device=device)
        padding = source == 0
        found = network(
            table(source), table(shifted), tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding
        )
        loss = nn.functional.cross_entropy((found @ table.weight.T).flatten(0, 1), target.flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return clocked(step, given)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--direction", choices=list(RECIPES), default="de-en")
    parser.add_argument("--epochs", type=int, help="fewer than the recipe's; 0: the speed alone")
    parser.add_argument("--option", metavar="NAME=VALUE", action="append", default=[], help="another size: dim=128")
    parser.add_argument("--beams", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    arguments = parser.parse_args()

    scratch = Path(tempfile.mkdtemp())
    folder = unpacked(arguments.folder, scratch)
    recipe = RECIPES[arguments.direction]
    changed = option_values(arguments.option)
    given, size, plan = batches(folder, recipe, changed)
    sizes = {name: plan.model[name] for name in ("blocks", "dim", "heads", "hidden", "dropout")}
    row = {"direction": arguments.direction, **sizes, "zoo tokens/s": round(ours(given, size, plan))}
    row["torch tokens/s"] = round(theirs(given, size, plan))
    row |= {"epochs": 0, "bleu": "", "signature": ""}
    if arguments.epochs != 0:
        settings = dict(data=folder, run=scratch / "run", epochs=arguments.epochs, seed=arguments.seed, verbose=2)
        run = zoo.train("transformer", recipe, **settings, **changed)
        bleu, signature = score(run, arguments.beams)
        row |= {"epochs": run.config["recipe"]["epochs"], "bleu": f"{bleu:.2f}", "signature": signature}
    row |= {"beams": arguments.beams, "seed": arguments.seed}
    print(", ".join(f"{name} {value}" for name, value in row.items()))
    if arguments.record:
        results.append(arguments.record, row)


if __name__ == "__main__":
    main()
