# %% [markdown]
# # 19 · Word vectors: a word is known by the company it keeps
#
# A network cannot read "king". It can read a row of numbers (an **embedding**), and it can find those numbers by
# itself: from which words stand near which, in a text that nobody has labelled. Words that keep the same company get
# similar rows, and the step from *king* to *queen* turns out to be the step from *uncle* to *aunt*.
#
# **You will see** how a text becomes pairs of words, a sampler of wrong answers (**negative sampling**) that is right
# and one that is wrong (the failure of this lesson), five networks that learn vectors from the same text, what they
# know, and a map of it.
#
# **Claims** Drawn words follow frequency to the power 3/4 (chi-square, p above .01), and the true word is never among
# them. The loss starts where a network that knows nothing must be. Trained by blocks, **skip-gram** takes the very step
# that it takes pair by pair. It answers at least 90 of 100 analogies of the small language, from each seed.
#
# **Beside them** a word at random, vectors that were not trained, and linear algebra on the same counts.
#
# **Takes** four minutes on two cores. Nothing to download: for a text of your own, `zoo train word2vec --recipe text
# --data FILE.txt`. Follows S3:409-501.

# %%
import math
import tempfile
from collections import Counter
from pathlib import Path

import keras
import numpy as np
from keras import ops
from lesson import Tutorial
from scipy.stats import chisquare

import zoo
from zoo.data.builtin import tiny_english
from zoo.data.text import skipgram
from zoo.data.text.skipgram import CountedVocabulary, NegativeSampler
from zoo.losses import NegativeSampling
from zoo.metrics.word_vectors import WordVectors, vectors_of
from zoo.plots import INK, SECOND, THIRD, new_figure, word_map
from zoo.trainers.word2vec import BlockTrainer

lesson = Tutorial("19_word_vectors")
rng = np.random.default_rng(lesson.seed)

# %% [markdown]
# ## A small language
# Real text needs millions of words before its vectors are worth looking at. So we make a language whose words mean
# something by construction: forty pairs such as *king* and *queen* or *france* and *paris*. The two words of a pair
# share four invented words that no other pair has. What tells *king* from *queen* (*he, his* or *she, her*) tells
# *uncle* from *aunt* as well. And that is all there is to know.

# %%
text = tiny_english.sentences(12_000)
for line in text[:4]:
    print(line)
counts = Counter(word for line in text for word in line.split())
words = CountedVocabulary.of(counts, min_count=1, source="the language")
token_ids = np.asarray(words.encode(line.split() for line in text))
print(f"{words.tokens:,} words, {len(words) - 1} different ones; the commonest: {', '.join(words.words[1:6])}")

# %% [markdown]
# ## From text to pairs
# Slide a window over each sentence. The word in the middle is the **centre**, the others its **context**. Each centre
# draws a width of its own from 1 to the largest: so near words are in the context more often than far ones.

# %%
sentence = np.append(token_ids[:9], 0)  # 0 ends a sentence
centres, contexts = skipgram.pairs(*skipgram.windows(sentence, window=1, rng=None))
print(", ".join(f"{words.words[c]}-{words.words[t]}" for c, t in zip(centres, contexts)))
lesson.claim("pairs of nine words at a window of 1", len(centres), "==", 16, exact=True)

# %% [markdown]
# ## Wrong answers
# Skip-gram asks: was this word near the centre? It needs words that were not: **negative samples**. Mikolov and
# others draw them in proportion to $f(w)^{3/4}$, between how often words occur ($f$) and all alike ($f^0$). Two
# mistakes are common in tutorials. One is to draw by *rank* (a "log-uniform" sampler), whatever the frequencies are.
# The other is to let the true word be drawn: then the same pair is called right and wrong in one breath. Here are
# both samplers, on the same true words.

# %%
sampler = NegativeSampler(words.counts)
true = rng.choice(len(words), 40_000, p=np.array(words.counts) / words.tokens)
ours = sampler.draw_negatives(rng, true, 1)[:, 0]
by_rank = np.exp(rng.random(true.size) * math.log(len(words))).astype(int)  # P(k) = log((k + 1) / k) / log(n)
expected = np.array(words.counts) ** 0.75
expected /= expected.sum()
free = sampler.draw(rng, 200_000)
fits = chisquare(np.bincount(free, minlength=len(words))[1:], expected[1:] * free.size)
wrong = chisquare(np.bincount(by_rank, minlength=len(words))[1:] + 1e-9, expected[1:] * by_rank.size, sum_check=False)
baseline = {"by rank": wrong.pvalue}
lesson.claim("p of chi-square, drawn words against f^(3/4)", fits.pvalue, ">", 0.01, baseline=baseline, exact=True)
baseline = {"by rank": int((by_rank == true).sum())}
lesson.claim("times the true word was drawn", int((ours == true).sum()), "==", 0, baseline=baseline, exact=True)

figure = new_figure(10, 4)
axes = figure.subplots()
ranks = np.arange(1, len(words))
axes.plot(ranks, expected[1:], color="black", linewidth=1.5, label="$f^{3/4}$")
axes.plot(ranks, np.bincount(free, minlength=len(words))[1:] / free.size, ".", color=INK, label="the zoo's sampler")
axes.plot(ranks, np.bincount(by_rank, minlength=len(words))[1:] / by_rank.size, ".", color=SECOND, label="by rank")
axes.set(xlabel="rank of the word", ylabel="fraction of the draws", xscale="log", yscale="log")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
lesson.plot(figure, "sampler")

# %% [markdown]
# The sampler by rank draws the first word in one of eight draws, though here dozens of words are as frequent. A network
# that is told so often that *the* is wrong everywhere learns that, and little else.
#
# ## The network
# Each word has a row $e$ in one table and a row $\theta$ in another. The score of a centre $c$ and a candidate $t$ is
# $\theta_t \cdot e_c$, and the loss for a true word and $K$ drawn ones
#
# $$-\log \sigma(\theta_t \cdot e_c) - \sum_{k=1}^{K} \log \sigma(-\theta_k \cdot e_c).$$
#
# At the start all scores are near 0 and every answer is a coin toss: $(1 + K) \ln 2$. Before you run it: what is that
# for $K = 5$?

# %%
K, DIM, RATE = 5, 32, 0.05


def new_network(negatives=K, seed=lesson.seed):
    keras.utils.set_random_seed(seed)
    return zoo.build("word2vec", vocabulary_size=len(words), dimension=DIM, negatives=negatives)


network = new_network()
centres, contexts = skipgram.pairs(*skipgram.windows(token_ids[:2000], 4, rng))
candidates = np.concatenate([contexts[:, None], sampler.draw_negatives(rng, contexts, K)], axis=1)
scores = network([centres, candidates])
start = float(NegativeSampling()(np.eye(1, 1 + K).repeat(len(centres), 0), scores))
lesson.claim("loss at the start, less 6 ln 2", abs(start - 6 * math.log(2)), "<=", 0.01, exact=True)

# %% [markdown]
# ## The same step, many times faster
# Pair by pair, a word is read and written some forty times. `zoo.trainers.word2vec` takes many centres at once: their
# windows overlap, they share their drawn words, and all their scores are one product of two matrices. Is it the same
# training? We take one step of plain gradient descent (**stochastic gradient descent**, SGD) with each, on the same
# pairs and drawn words.

# %%
B, WINDOW, SHARED = 16, 4, 5
block_words, left, right = skipgram.windows(token_ids[: 40 * 10], WINDOW, rng)
context, left, right = (each[:8] for each in skipgram.blocks(block_words, left, right, size=B, window=WINDOW))
block = {"words": context, "left": left, "right": right, "negatives": sampler.draw(rng, (8, SHARED))}

pair_centres, pair_candidates, weights = [], [], []
for row in range(8):
    for centre in range(B):
        here = WINDOW + centre
        for other in [*range(here - left[row, centre], here), *range(here + 1, here + 1 + right[row, centre])]:
            pair_centres.append(context[row, here])
            pair_candidates.append([context[row, other], *block["negatives"][row]])
            weights.append([1.0, *(block["negatives"][row] != context[row, other])])  # the true word is rejected
weights = np.array(weights, "float32")

by_pairs, by_blocks = new_network(SHARED), new_network(SHARED)
by_blocks.set_weights(by_pairs.get_weights())
before = by_pairs.get_weights()


class Sum(keras.Loss):
    """Over all pairs: softplus(-s) for the true word, softplus(s) for each drawn one, as weighted."""

    def call(self, weights, scores):
        signs = np.array([1.0] + [-1.0] * SHARED, "float32")
        return weights * ops.softplus(-signs * scores)


by_pairs.compile(keras.optimizers.SGD(RATE), Sum(reduction="sum"))
x = {"centre": np.array(pair_centres), "contexts": np.array(pair_candidates)}
by_pairs.train_on_batch(x, weights)
trainer = BlockTrainer(by_blocks, negatives=SHARED)
trainer.compile(keras.optimizers.SGD(RATE), steps_per_execution=1)
trainer.train_on_batch(block, np.zeros(8))
moved = max(np.abs(a - b).max() for a, b in zip(by_pairs.get_weights(), before))
apart = max(np.abs(a - b).max() for a, b in zip(by_pairs.get_weights(), by_blocks.get_weights()))
lesson.claim("largest difference after a step", apart, "<=", 1e-6, baseline={"largest step": moved}, exact=True)

# %% [markdown]
# ## Training
# By its recipe, which is what `zoo train word2vec` carries out. It asks each trained network all 360 analogies:
# *king* is to *queen* as *uncle* is to ...? The answer is the word nearest to $e_{queen} - e_{king} + e_{uncle}$, those
# three left out: the one with the largest **cosine similarity**, the cosine of the angle between two embeddings.

# %%
folder = Path(tempfile.mkdtemp())
budget = {"epochs": 1} if lesson.smoke else {}


def train(name, seed):
    run = zoo.train(name, seed=seed, run=folder / f"{name}-{seed}", verbose=0, **budget)
    print(f"{name}, seed {seed}: {run.metrics['analogies']:.3f} of the analogies, {run.results['fit_seconds']:.0f} s")
    return run


def analogies(vectors):
    return WordVectors(words.words[1:], vectors[1:]).analogies(tiny_english.QUESTIONS)[""].value


runs = {("word2vec", seed): train("word2vec", seed) for seed in lesson.seeds}
worst = min(run.metrics["analogies"] for run in runs.values())
run = runs["word2vec", lesson.seed]
baseline = {**run.results["baselines"], "untrained": analogies(vectors_of(new_network()))}
lesson.claim("fraction of analogies correct, worst seed", worst, ">=", 0.90, baseline=baseline)

# %%
known = run.config["data"]["words"].split()
vectors = WordVectors(known, vectors_of(run.model())[1:])
for word in ("king", "paris", "cats", "walked"):
    print(f"{word:>8}: " + ", ".join(f"{other} {cosine:.2f}" for other, cosine in vectors.neighbours(word, 6)))
figure = word_map(vectors, [pair for pairs in tiny_english.PAIRS.values() for pair in pairs])
lesson.plot(figure, "map")

# %% [markdown]
# Four bundles of lines, each of lines that are nearly parallel: four relations. Nobody told the network that there are
# any.
#
# Note the baseline of linear algebra: count which words meet, compare with chance, factor the matrix. It does as well
# here. Levy and Goldberg (2014) showed why: skip-gram factors that matrix too, without ever writing it down, and so it
# goes on to texts where the matrix would not fit.
#
# ## Five networks, one text
# * `cbow` turns the question round: from the mean of the words around to the word in the middle.
# * `skipgram_softmax` asks which of *all* words was near. Exact, and dear for a large vocabulary.
# * `glove` fits $\theta_j \cdot e_i + b_i + c_j$ to the logarithm of how often two words meet. Both tables learn
#   the same thing, so the vector of a word is $(e + \theta) / 2$.
# * `window_lm` guesses the next word from the last four. The oldest of them, and the only one for which order matters.

# %%
names = ["word2vec", "cbow", "skipgram_softmax", "glove", "window_lm"]
for name in names[1:]:
    runs[name, lesson.seed] = train(name, lesson.seed)
fractions = {name: runs[name, lesson.seed].metrics["analogies"] for name in names}

figure = new_figure(8, 3.4)
axes = figure.subplots()
axes.barh(names, list(fractions.values()), color=[INK, THIRD, THIRD, THIRD, SECOND])
axes.axvline(baseline["untrained"], color="black", linestyle=":", label="untrained")
axes.set(xlabel="fraction of analogies correct", xlim=(0, 1.02))
axes.invert_yaxis()
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
lesson.plot(figure, "five_networks")

glove = runs["glove", lesson.seed].model()
tables = {name: glove.get_layer(name).get_weights()[0] for name in ("words", "theta")}
for name, table in {**tables, "mean": vectors_of(glove)}.items():
    print(f"glove, {name:>5}: {analogies(table):.3f}")
mean = np.abs(vectors_of(glove) - (tables["words"] + tables["theta"]) / 2).max()
lesson.claim("GloVe's vectors less (e + theta) / 2", float(mean), "==", 0, exact=True)

# %% [markdown]
# The language model comes last, and for a reason: our sentences have no grammar beyond company. Where order means
# nothing, a network that spends its effort on the next word sees four of the eight words that matter.
#
# ## Try it
# * `zoo predict RUN "king - man + woman"`, with a run folder of your own (`zoo train word2vec`).
# * Set `sample=0`, no **subsampling** (`zoo train word2vec --option sample=0`): what do frequent words do to the rest?
# * `zoo export RUN --format projector --out DIR`, and look at the vectors in TensorBoard's projector.
# * Set `negatives=1`, then 20. Which analogies go first?

# %%
lesson.finish()
