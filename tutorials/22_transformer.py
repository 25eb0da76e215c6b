# %% [markdown]
# # 22 · The Transformer: attention and nothing else
#
# A recurrent network reads one token after another, and what was read first has the longest way to what is written
# last. In 2017 Vaswani and colleagues left the recurrence out. Every token looks at every other, in one step
# (*self-attention*), and how much it takes from each is what the network learns.
#
# **You will see** attention in four lines of NumPy, why a Transformer needs to be told where its tokens stand
# (*positional encoding*), what the heads are (*multi-head attention*), a leak that makes a useless network look perfect
# (the failure of this lesson), the warm-up of the learning rate, and a small Transformer that learns to read dates.
#
# **Claims** Our layer is those four lines. Without positions, attention cannot tell one order of its tokens from
# another. Eight heads have as many weights as one. No token's logits depend on a later token, to the bit. A leaky
# network predicts its next token nearly always and gets at most one date in ten right when it must write them itself.
# The whole one gets at least 98 of a hundred unseen dates right. Decoding with a cache gives the same, token for token.
#
# **Beside them** copying, and the date of the most similar training example.
#
# **Takes** seven minutes on two cores. `--data full` trains on TED talks, a job for a GPU.
# Follows S1:147,209-304; S0:386.

# %%
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from keras import ops
from lesson import Tutorial

import zoo
from zoo import plots
from zoo.decoding.beam_search import Translator
from zoo.inference import api
from zoo.layers.attention import Attention, attention_weights, sinusoids
from zoo.optimizers.schedules import InverseSquareRoot
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("22_transformer", full_data="ted_hrlr_translate/pt_to_en")
rng = np.random.default_rng(lesson.seed)
keras.utils.set_random_seed(lesson.seed)
scratch = Path(tempfile.mkdtemp())


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


# %% [markdown]
# ## Attention in four lines
# Each token asks a question (its *query* $q$), and each has a label (its *key* $k$) and something to say (its *value*
# $v$). How well question and label agree is a score, their product (*scaled dot-product attention*). The *softmax*
# turns scores into *attention weights*, which sum to one, and the answer is the sum of the values, each by its weight,
# the token's own among them:
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\left(\frac{Q K^T}{\sqrt{d_k}}\right) V$$
#
# Why the root? The score of two random vectors of $d_k$ numbers has a standard deviation of $\sqrt{d_k}$. Undivided,
# the softmax of such scores is nearly 0 or 1 at the start of training, and its gradient is nearly 0.


# %%
def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def attend(q, k, v):
    return softmax(q @ k.T / np.sqrt(k.shape[-1])) @ v


x = rng.normal(size=(5, 16)).astype("float32")  # five tokens
layer = Attention(1, 16)
layer(x[None], x[None])  # makes the weights
kernel = {part: numpy(getattr(layer, f"{part}_dense").kernel).reshape(16, 16) for part in ("query", "key", "value")}
answer = attend(x @ kernel["query"], x @ kernel["key"], x @ kernel["value"])
answer = answer @ numpy(layer.output_dense.kernel).reshape(16, 16)
difference = np.abs(answer - numpy(layer(x[None], x[None]))[0]).max()
lesson.claim("largest difference between the formula and the layer", difference, "<=", 1e-5, exact=True)

widths = (4, 16, 64, 256)
pairs = {width: rng.normal(size=(2, 20_000, width)) for width in widths}
for width, (q, k) in pairs.items():
    scores = (q * k).sum(-1)
    divided = scores / width**0.5
    print(f"d_k {width:3}: standard deviation of the scores {scores.std():5.2f}, divided {divided.std():.2f}")

# %% [markdown]
# ## Order is not in it
# Shuffle the tokens: every question meets the same labels as before, and the answers are the same, shuffled likewise.
# To attention a sentence is a set. So something must be added to each token's vector (its *embedding*) that says where
# it stands: a *positional encoding*. The paper adds sines and cosines of the position, from a wave of 6 positions to
# one of 63,000: a clock with many hands.

# %%
order = rng.permutation(5)
shuffled = numpy(layer(x[order][None], x[order][None]))[0]
difference = np.abs(shuffled - numpy(layer(x[None], x[None]))[0][order]).max()
lesson.claim("answers to shuffled tokens, difference to the answers shuffled", difference, "<=", 1e-5, exact=True)
table = sinusoids(100, 64)
placed = numpy(layer((x + table[:5, :16])[None], (x + table[:5, :16])[None]))[0]
moved = numpy(layer((x[order] + table[:5, :16])[None], (x[order] + table[:5, :16])[None]))[0]
lesson.claim("the same with positions", np.abs(moved - placed[order]).max(), ">=", 0.01, exact=True)

figure = new_figure(10.5, 3.8)
waves, near = figure.subplots(1, 2, width_ratios=(1.5, 1))
waves.imshow(table.T, aspect="auto", cmap="RdBu", vmin=-1, vmax=1)
waves.set(xlabel="position", ylabel="number of the vector", title="positional encoding")
for position, colour in ((20, INK), (50, SECOND), (80, THIRD)):
    near.plot(table @ table[position], color=colour, label=f"with position {position}")
near.set(xlabel="position", ylabel="product of two encodings", title="near positions are alike")
near.spines[["top", "right"]].set_visible(False)
near.set_ylim(top=38)
near.legend(frameon=False, fontsize=8, ncols=3, loc="upper center")
lesson.plot(figure, "positions")

# %% [markdown]
# ## Heads
# A token may have more than one question. Eight *heads* ask eight, each in a space of its own, and their answers are
# put side by side. Each works in $d / 8$ dimensions, so together they have the weights of one. (In Keras that is
# `key_dim=d // heads`. TensorFlow's own tutorial passed `key_dim=d`: eight times the weights, unnoticed for years.)

# %%
counts = {}
for num_heads in (1, 8):
    counts[num_heads] = Attention(num_heads, 128)
    counts[num_heads].build((None, 5, 128), (None, 5, 128))
wide = keras.layers.MultiHeadAttention(8, 128)
wide.build((None, 5, 128), (None, 5, 128))
lesson.claim(
    "weights of 8 heads, 128 wide in all", counts[8].count_params(), "==", 66_048,
    baseline={"one head": counts[1].count_params(), "key_dim=128": wide.count_params()}, exact=True,
)  # fmt: skip

# %% [markdown]
# ## The mask, and a leak
# The network learns to predict the next token of the target from those before, at all positions at once, each after the
# right beginning (*teacher forcing*). So a position must not see the positions after it: its next token is among them.
# A mask of the scores sees to that (the *causal mask*). Change token $t$, and the *logits*, the scores of the next
# token before the softmax, must stay as they are before $t$. Not nearly: to the bit.

# %%
SMALL = dict(
    input_shape=(None,), target_shape=(None,), vocabulary_size=60, num_layers=2, dim=64, num_heads=4, mlp_dim=128
)


def change_before(model):
    """The largest change of any logit before the position where the target changes."""
    source, target = (rng.integers(4, 60, (8, 12)).astype("int32") for _ in range(2))
    before, worst = numpy(model({"source": source, "target": target})), 0.0
    for position in range(1, 12):
        changed = target.copy()
        changed[:, position] = (changed[:, position] - 3) % 56 + 4
        after = numpy(model({"source": source, "target": changed}))
        worst = max(worst, float(np.abs(after[:, :position] - before[:, :position]).max()))
    return worst


whole, leaky = (zoo.build("transformer", **SMALL) for _ in range(2))
for attention in leaky.layers:
    if isinstance(attention, Attention):
        attention.causal = False
lesson.claim(
    "change of the logits before a changed token", change_before(whole), "==", 0.0,
    baseline={"with a leak": change_before(leaky)}, exact=True,
)  # fmt: skip

# %% [markdown]
# ## Twelve thousand dates
# The task: read a date in any of twenty written forms, and write it as ISO 8601 has it. The dates of the test set occur
# nowhere else, in no form. The recipe of `zoo train transformer` trains a small Transformer: two blocks on each side
# (`num_layers`), 64 numbers for a token (`dim`), four heads (`num_heads`). A block of the encoder is self-attention and
# an MLP (a *feed-forward network*); one of the decoder has *cross-attention* to the encoder's output besides. Around
# each of these is a *residual connection*, and with it a *layer normalisation*. The loss is the *cross-entropy* of the
# next token, with *label smoothing*.
#
# The learning rate rises for 400 steps (*warm-up*) and then falls with the root of the step. The paper normalises after
# each sum (*post-norm*); then the gradients of the upper blocks are large at the start, and the rise keeps them from
# doing harm. The recipe normalises before each sublayer (*pre-norm*), as nearly everybody does since, and learns this
# task in fewer steps.

# %%
recipe = zoo.info("transformer").recipe("demo")
schedule = InverseSquareRoot(recipe.learning_rate, **recipe.schedule_options)
paper = InverseSquareRoot((512 * 4000) ** -0.5, 4000)
figure = new_figure(8, 3)
for axes, (rates, steps, title) in zip(
    figure.subplots(1, 2), ((schedule, 18 * 157, "the dates"), (paper, 100_000, "the paper's base model"))
):
    at = np.linspace(0, steps, 400)
    axes.plot(at, [float(rates(step)) for step in at], color=INK)
    axes.set(xlabel="step", ylabel="learning rate", title=title)
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "learning_rate")

budget = dict(epochs=1, batch_size=1000, num_layers=1, dim=16, num_heads=2) if lesson.smoke else {}
settings = dict(data_dir=lesson.data_dir, verbose=0, **budget)
runs = [zoo.train("transformer", run=scratch / str(seed), seed=seed, **settings) for seed in lesson.seeds]
exact = [run.metrics["exact_match"] for run in runs]
with (runs[0].path / "translations.csv").open() as file:
    print("".join(file.readlines()[:8]))
lesson.claim(
    "dates that were never seen and come out right, worst seed", min(exact), ">=", 0.98,
    baseline=runs[0].results["baselines"],
)  # fmt: skip

# %% [markdown]
# What do the heads look at? While the network writes a date, each head of the last block weighs the letters of the
# source. Some heads look for the year, some for the month, and some wait at the edge while they have nothing to do.

# %%
finished = api.reopen(runs[0])
text = "Sunday, 21 March 2021"
translate = Translator(finished.network.model, "transformer", finished.data.length)
prediction = translate(finished.data.encode([text]))[0]
prediction = prediction[prediction > 3][: finished.data.length - 1]
inputs = {"source": finished.data.encode([text]), "target": np.array([[2, *prediction]], "int32")}
maps = attention_weights(finished.network.model, inputs)
name = [each for each in maps if "cross" in each][-1]
pieces = [*finished.data.tokenizer.decode(prediction), "end"]
lesson.plot(plots.attention(f"{name}: {text}", maps[name][0], pieces, list(text)), "heads")

# %% [markdown]
# ## What the leak does
# Now the same training with the mask taken away. While it trains, the network is shown the right beginning *and the
# token it has to predict* (*data leakage*). It copies. Its accuracy looks better than any honest network's. Then it has
# to write by itself, and what it used to look at is not there.

# %%
data = finished.data
data.source = zoo.data.open_source("written_dates:1.0.0", data_dir=lesson.data_dir).load()
leaky = zoo.build("transformer", **{**SMALL, "vocabulary_size": len(data.tokenizer)})
for attention in leaky.layers:
    if isinstance(attention, Attention):
        attention.causal = False
task = finished.network.task
network = type(finished.network).of(leaky, finished.network.card, task)
network.compile(keras.optimizers.Adam(1e-3), task.keras_metrics())
few = dict(epochs=1, steps_per_epoch=5) if lesson.smoke else dict(epochs=3)
leaky.fit(data.batches("train", training=True), **few, verbose=0)
shown = leaky.evaluate(data.batches("test"), verbose=0, return_dict=True)
_, truth = data.texts("test")
translate = Translator(leaky, "transformer", data.length)
sources = [inputs["source"] for inputs, _ in data.batches("test").as_numpy_iterator()]
predictions = [data.tokenizer.decode(row) for batch in sources for row in translate(batch)]
correct = float(np.mean([a == b for a, b in zip(predictions, truth)]))
lesson.claim("fraction of next tokens that the leaky network predicts", shown["token_accuracy"], ">=", 0.98)
lesson.claim("dates that it gets right by itself", correct, "<=", 0.1, baseline={"worst honest seed": min(exact)})

figure = new_figure(6.4, 3.4)
axes = figure.subplots()
bars = {"honest": (runs[0].metrics["token_accuracy"], exact[0]), "leaky": (shown["token_accuracy"], correct)}
for number, (tokens, dates) in enumerate(bars.values()):
    axes.bar([number - 0.2, number + 0.2], [tokens, dates], width=0.38, color=[THIRD, INK])
    for x_bar, height in ((number - 0.2, tokens), (number + 0.2, dates)):
        axes.text(x_bar, height + 0.01, f"{height:.2f}", ha="center", fontsize=8)
axes.set(xticks=[0, 1], xticklabels=list(bars), ylim=(0, 1.1), ylabel="fraction correct")
axes.set_title("grey: next token, blue: whole date", fontsize=10)
axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "leak")

# %% [markdown]
# ## Decoding, one token at a time
# To predict a token the decoder needs the keys and values of those before, which it has computed already. Kept in a
# cache (the *KV cache*), they make a step cost what one token costs. Without it, every step reads everything again.
# Here the likeliest token is taken each time (*greedy decoding*); `zoo translate` keeps the four likeliest beginnings
# (*beam search*). (The times below flatter
# the cache: with it the whole loop is one compiled program, without it Python calls the network for each token.)

# %%
source = finished.data.encode([text])
model, max_length = finished.network.model, finished.data.length
translate = Translator(model, "transformer", max_length)


def without_cache(source):
    """The whole target so far, read again for each token."""
    target = [2]
    while len(target) <= max_length and target[-1] != 3:
        logits = numpy(model({"source": source, "target": np.array([target], "int32")}))[0, -1]
        target.append(int(np.argmax(np.where(np.arange(len(logits)) < 3, -np.inf, logits))))
    return target[1:]


def with_cache(source):
    return [int(token) for token in translate(source)[0] if token]


clocks = {}
for name, function in (("no cache", without_cache), ("cache", with_cache)):
    function(source)
    started = time.perf_counter()
    answer = function(source)
    clocks[name] = answer, time.perf_counter() - started
    print(f"{name:>9}: {clocks[name][1] * 1000:6.1f} ms for {len(answer)} tokens")
differing = sum(a != b for a, b in zip(clocks["cache"][0], clocks["no cache"][0], strict=True))
lesson.claim("tokens that differ with a cache", differing, "==", 0, exact=True)

# %% [markdown]
# ## One half is enough
# GPT is the decoder alone, without a source: it continues a text (an *autoregressive language model*). BERT is the
# encoder alone, and reads both ways (*bidirectional*).
# A block of width $d$ has four $d \times d$ matrices of attention and two of $d \times 4d$ behind it, so $12 d^2$
# weights, and $13 d$ biases and scales. Before you run it: how many parameters do 12 such blocks of width 768 have,
# with 50,257 tokens and 1,024 positions in front?


# %%
def parameters(vocabulary, positions, num_layers, width, more=0):
    """Of the tokens and positions, of the blocks, of the last normalisation; and of what else a network has."""
    return (vocabulary + positions) * width + num_layers * (12 * width**2 + 13 * width) + 2 * width + more


def reader(width):
    """Behind BERT's blocks: two kinds of sentence, a pooler, two classes."""
    return 2 * width + (width**2 + width) + (2 * width + 2)


halves = {
    "gpt2": parameters(50_257, 1_024, 12, 768),
    "gpt2_medium": parameters(50_257, 1_024, 24, 1_024),
    "gpt2_large": parameters(50_257, 1_024, 36, 1_280),
    "gpt2_xl": parameters(50_257, 1_024, 48, 1_600),
    "bert_base": parameters(30_522, 512, 12, 768, reader(768)),
    "bert_large": parameters(30_522, 512, 24, 1_024, reader(1_024)),
}
for name, count in halves.items():
    print(f"{name:>12} {count:>13,}")
off = max(abs(count - zoo.info(name).params) for name, count in halves.items())
lesson.claim("parameters that the formula is off by", off, "==", 0, exact=True)
for name in ("gpt", "transformer_classifier"):  # the sizes for a machine like yours
    print(f"{name:>12} {zoo.info(name).params:>13,}")

# %% [markdown]
# ## Translation (`--data full`)
# 52,000 pairs of sentences from TED talks, Portuguese to English, in parts of words (*subwords*). The measure
# is *BLEU*, the runs of words that a translation shares with a human's. Not measured here.

# %%
if lesson.full:
    budget = {"epochs": 1} if lesson.smoke else {}
    run = zoo.train("transformer", "ted_hrlr_translate", seed=lesson.seed, data_dir=lesson.data_dir, **budget)
    lesson.claim("BLEU, Portuguese to English", run.metrics["bleu"], ">=", 25, baseline=run.results["baselines"])

# %% [markdown]
# ## Try it
# * `zoo train transformer --option norm=post`, as in the paper: what does it get right after as many epochs?
# * `zoo train fasttext_classifier` only averages vectors of words and of pairs of neighbours. What does
#   `transformer_classifier` gain on the same texts, and on which?
# * Train with learned positions and a shorter `max_length`. What does it make of a longer date?
# * Take the division by the root of $d_k$ out of `attend` and plot the softmax of random scores for `d_k` 256.

# %%
lesson.finish()
