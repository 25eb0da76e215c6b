# %% [markdown]
# # 22 · The Transformer: attention and nothing else
#
# A recurrent network reads one token after another, and what was read first has the longest way to what is written
# last. In 2017 Vaswani and colleagues ([arXiv:1706.03762](https://arxiv.org/abs/1706.03762)) left the recurrence out.
# In their **Transformer** every token looks at every other in one step, **self-attention**, and how much it takes from
# each is what the network learns.
#
# **You will see** attention in four lines of NumPy, why a Transformer needs to be told where its tokens stand, what the
# heads are, the whole network as a picture and in forty lines, a leak that makes a useless network look perfect (the
# failure of this lesson), the warm-up of the learning rate, and a small Transformer that learns to read dates.
#
# **Claims** Our layer is those four lines, and the zoo's Transformer is those forty. Without positions, attention
# cannot tell one order of its tokens from another. Eight heads have as many weights as one. No token's logits depend on
# a later token, to the bit. A whole network gets at least 80 of a hundred unseen dates right after six epochs. A leaky
# one predicts nearly every next token, and hardly any date when it must write them itself. Decoding with a cache gives
# the same logits.
#
# **Beside them** copying, and the date of the most similar training example.
#
# **Takes** 3.5 minutes on one core (Intel Xeon). `--data full` trains on TED talks, a job for a GPU.

# %%
import tempfile
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
from keras import ops
from lesson import Tutorial
from matplotlib.patches import FancyBboxPatch, Rectangle

import zoo
from zoo import plots
from zoo.decoding.beam_search import Translator
from zoo.inference import api
from zoo.layers.attention import Attention, attention_weights, sinusoids
from zoo.models.transformer import Decoder
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
# Each token makes three vectors of its own, by three matrices: its **query, key and value**. The query $q$ is what the
# token asks for, the key $k$ is a label that others compare their query with, the value $v$ is what they get. How well
# a query and a key agree is their product; divided by a root it is the score, hence **scaled dot-product attention**.
# The softmax turns the scores into weights, and the answer is the sum of the values, each by its weight, the token's
# own among them (section 3.2, equation 1):
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\left(\frac{Q K^T}{\sqrt{d_k}}\right) V$$
#
# Why the root? The product of two random vectors of $d_k$ numbers has a standard deviation of $\sqrt{d_k}$. Undivided,
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
# Shuffle the tokens: every query meets the same keys as before, and the answers are the same, shuffled likewise. To
# attention a sentence is a set. So something must be added to each token's embedding that says where it stands: a
# **positional encoding**. The paper adds sines and cosines (section 3.5), to number $2i$ and $2i + 1$ of position $t$
#
# $$\sin(t / 10000^{2i/d}) \quad\text{and}\quad \cos(t / 10000^{2i/d}),$$
#
# from a wave of 6 positions to one of 63,000: a clock with many hands. Why sines? They need no training, they go on for
# as long as the text does, and the encoding of $t + k$ is that of $t$ turned by a fixed rotation, so "three back" looks
# the same everywhere. The other way is to learn a vector for each position; it knows nothing beyond the last position
# that was trained. Vaswani and colleagues tried both (Table 3, row E) and found nearly the same results. The networks
# of lesson 23, which read texts up to a fixed length, learn theirs.

# %%
order = rng.permutation(5)
shuffled = numpy(layer(x[order][None], x[order][None]))[0]
difference = np.abs(shuffled - numpy(layer(x[None], x[None]))[0][order]).max()
lesson.claim("no positions: answers to shuffled tokens, difference", difference, "<=", 1e-5, exact=True)
table = sinusoids(100, 64)
placed = numpy(layer((x + table[:5, :16])[None], (x + table[:5, :16])[None]))[0]
moved = numpy(layer((x[order] + table[:5, :16])[None], (x[order] + table[:5, :16])[None]))[0]
difference = np.abs(moved - placed[order]).max()
lesson.claim("with positions: answers to shuffled tokens, difference", difference, ">=", 0.01, exact=True)
turn = np.array([[np.cos(3), np.sin(3)], [-np.sin(3), np.cos(3)]])  # three positions of the fastest hand
turned = np.abs(table[:97, :2] @ turn.T - table[3:, :2]).max()
lesson.claim("three positions on is one rotation, difference", turned, "<=", 1e-5, exact=True)

figure = new_figure(10.5, 3.8)
waves, near = figure.subplots(1, 2, width_ratios=(1.5, 1))
waves.imshow(table.T, aspect="auto", cmap="RdBu", vmin=-1, vmax=1)
waves.set(xlabel="position", ylabel="number of the vector", title="positional encoding (blue 1, red -1)")
for position, colour in ((20, INK), (50, SECOND), (80, THIRD)):
    near.plot(table @ table[position], color=colour, label=f"with position {position}")
near.set(xlabel="position", ylabel="product of two encodings", title="near positions are alike")
near.spines[["top", "right"]].set_visible(False)
near.set_ylim(top=38)
near.legend(frameon=False, fontsize=7, ncols=3, loc="upper center", columnspacing=1)
lesson.plot(figure, "positions")

# %% [markdown]
# ## Heads
# A token may have more than one question. In **multi-head attention** eight **attention heads** ask eight, each in a
# space of its own, and their answers are put side by side. Each works in $d / 8$ dimensions, so together they have the
# weights of one (section 3.2.2). In Keras that is `key_dim=d // heads`; with `key_dim=d` the layer has eight times the
# weights.

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
# right beginning (teacher forcing, lesson 18). So a position must not see the positions after it: its next token is
# among them. The **causal mask** sees to that: it sets the scores of later positions to minus infinity before the
# softmax. Change token $t$, and the logits before $t$ must stay as they are. Not nearly: to the bit.

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
# ## The whole network
# The encoder reads the source by blocks of self-attention and a small network of two layers that treats each token by
# itself, the **feed-forward** network (an MLP). The decoder has a third part between the two, **cross-attention**: its
# queries come from the target, its keys and values from the encoder's output. That is the attention of lesson 21, and
# the only way from the source to the target.
#
# Around each part there is a residual connection (lesson 12), and with it a **layer normalisation** (Ba, Kiros and
# Hinton 2016, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450)), **add & norm** for short. It takes each token's
# vector by itself, less its mean and over its standard deviation, times a weight plus a bias. Batch normalisation
# (lesson 11) takes its means over the batch; here sentences of other lengths, and padding, would change them.
#
# $$\text{post-norm (the paper): } x \leftarrow \mathrm{norm}(x + f(x)) \qquad
# \text{pre-norm: } x \leftarrow x + f(\mathrm{norm}(x))$$
#
# With **pre-norm** the way through the additions is free from the first block to the last; with **post-norm** each sum
# is normalised, and the gradients of the upper blocks are large at the start of training (Xiong and others 2020,
# [arXiv:2002.04745](https://arxiv.org/abs/2002.04745)). The picture is the paper's, post-norm; the zoo's recipe is
# pre-norm, as nearly everybody's is since, and needs one more normalisation at the end.


# %%
def box(axes, x, y, text, colour, width=2.6):
    axes.add_patch(
        FancyBboxPatch((x - width / 2, y - 0.3), width, 0.6, "round,pad=0.06", fc=colour, ec="black", lw=0.7)
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=8)


def arrow(axes, *points):
    """From point to point, with a head at the last one."""
    for start, end in pairwise(points):
        style = "-|>" if end is points[-1] else "-"
        axes.annotate(
            "", end, start, arrowprops={"arrowstyle": style, "lw": 0.8, "shrinkA": 0, "shrinkB": 0, "fc": "k"}
        )


def column(axes, x, name, parts, shortcut):
    """A stack of parts from the tokens up, each with an add & norm and the shortcut around it; where it ends."""
    box(axes, x, 0, name, "white")
    box(axes, x, 1, "embedding + positions", "#f3d9c9")
    arrow(axes, (x, 0.36), (x, 0.64))
    y = 1.0
    for part, colour in parts:
        box(axes, x, y + 1.1, part, colour)
        box(axes, x, y + 2.0, "add & norm", "#f2efc4")
        arrow(axes, (x, y + 0.36), (x, y + 0.74))
        arrow(axes, (x, y + 1.46), (x, y + 1.64))
        arrow(
            axes,
            (x, y + 0.5),
            (x + shortcut, y + 0.5),
            (x + shortcut, y + 2.0),
            (x + np.sign(shortcut) * 1.36, y + 2.0),
        )
        y += 2.0
    return y


figure = new_figure(7.5, 6.6)
axes = figure.subplots()
attention_colour, mlp_colour = "#cfe0ea", "#dcdcdc"
top = column(
    axes, 0, "source tokens", [("self-attention", attention_colour), ("feed-forward", mlp_colour)], shortcut=-1.8
)
end = column(
    axes, 5, "target tokens so far",
    [("causal self-attention", attention_colour), ("cross-attention", attention_colour), ("feed-forward", mlp_colour)],
    shortcut=1.8,
)  # fmt: skip
arrow(axes, (0, top + 0.36), (0, top + 0.8), (2.4, top + 0.8), (2.4, 4.1), (3.64, 4.1))
axes.text(1.2, top + 0.9, "keys and values", ha="center", fontsize=8)
box(axes, 5, end + 1.1, "dense layer and softmax", "#f3d9c9")
arrow(axes, (5, end + 0.36), (5, end + 0.74))
axes.text(5, end + 1.75, "probabilities of the next token", ha="center", fontsize=8)
axes.add_patch(Rectangle((-2.1, 1.42), 3.7, top - 1.0, fill=False, ls=":", ec=INK))
axes.add_patch(Rectangle((3.4, 1.42), 3.7, end - 1.0, fill=False, ls=":", ec=INK))
axes.text(-2.0, top + 0.45, "encoder block, N times", fontsize=8, color=INK, ha="left", va="bottom")
axes.text(7.1, end + 0.45, "decoder block, N times", fontsize=8, color=INK, ha="right", va="bottom")
axes.set(xlim=(-2.4, 7.4), ylim=(-0.5, end + 2.2))
axes.axis("off")
lesson.plot(figure, "architecture")

# %% [markdown]
# In code, with one sentence and no batch: a block of the encoder, a block of the decoder, and what stands around them.
# `model` is the zoo's, pre-norm; we only take its weights.


# %%
def normalise(x, layer):
    scale, shift = layer.get_weights()
    return scale * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.epsilon) + shift


def multi_head(layer, x, memory, mask=True):
    """Queries of x (T, dim) to keys and values of the memory (S, dim), where the mask (T, S) allows it: (T, dim)."""
    wq, bq, wk, bk, wv, bv, wo, bo = layer.get_weights()  # (dim, heads, width) and (heads, width); (heads, width, dim)
    q, k, v = (
        np.einsum("td,dhw->htw", of, w) + b[:, None] for of, w, b in ((x, wq, bq), (memory, wk, bk), (memory, wv, bv))
    )
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
    return np.einsum("htw,hwd->td", softmax(np.where(mask, scores, -1e9)) @ v, wo) + bo


def mlp(x, model, block):
    (w1, b1), (w2, b2) = (model.get_layer(f"{block}_mlp_{end}").get_weights() for end in ("in", "out"))
    return np.maximum(x @ w1 + b1, 0) @ w2 + b2


def encoder_block(x, model, block):
    layer = {part: model.get_layer(f"{block}_{part}") for part in ("attention", "attention_norm", "mlp_norm")}
    normed = normalise(x, layer["attention_norm"])
    x = x + multi_head(layer["attention"], normed, normed)
    return x + mlp(normalise(x, layer["mlp_norm"]), model, block)


def decoder_block(x, memory, model, block):
    names = ("attention", "attention_norm", "cross", "cross_norm", "mlp_norm")
    layer = {part: model.get_layer(f"{block}_{part}") for part in names}
    normed = normalise(x, layer["attention_norm"])
    x = x + multi_head(layer["attention"], normed, normed, np.tri(len(x), dtype=bool))  # the causal mask
    x = x + multi_head(layer["cross"], normalise(x, layer["cross_norm"]), memory)
    return x + mlp(normalise(x, layer["mlp_norm"]), model, block)


def transform(source, target, model, num_layers):
    """Token ids (S,) and (T,) to the logits of the target's next token, (T, vocabulary)."""
    (embedding,) = model.get_layer("embedding").get_weights()
    dim = embedding.shape[1]
    x, y = (embedding[tokens] * np.sqrt(dim) + sinusoids(len(tokens), dim) for tokens in (source, target))
    for number in range(1, num_layers + 1):
        x = encoder_block(x, model, f"encoder{number}")
    memory = normalise(x, model.get_layer("encoder_norm"))
    for number in range(1, num_layers + 1):
        y = decoder_block(y, memory, model, f"decoder{number}")
    return normalise(y, model.get_layer("decoder_norm")) @ embedding.T  # the same matrix, backwards


model = zoo.build("transformer", **SMALL, norm="pre")
model.set_weights([weight + 0.1 * rng.normal(size=weight.shape) for weight in model.get_weights()])
source, target = (rng.integers(4, 60, length).astype("int32") for length in (12, 9))
logits = transform(source, target, model, 2)
difference = np.abs(logits - numpy(model({"source": source[None], "target": target[None]}))[0]).max()
baseline = {"largest logit": np.abs(logits).max()}
lesson.claim("forty lines and the zoo's Transformer, difference", difference, "<=", 1e-3, baseline=baseline, exact=True)

# %% [markdown]
# ## Twelve thousand dates
# The task of lesson 21: read a date in any of twenty written forms, and write it as ISO 8601 has it. The dates of the
# test set occur nowhere else, in no form. The network has one block on each side (`num_layers`), 64 numbers for a token
# (`dim`) and four heads (`num_heads`). The recipe of `zoo train transformer` has two blocks and trains for eighteen
# epochs; six of the small one are enough to see it work.
#
# The loss is the cross-entropy of the next token, with **label smoothing** (section 5.4): the target is not 1 for the
# true token and 0 for the others, but .9, and the last .1 is shared out among all. So the network is not driven to
# logits without end.
#
# The learning rate rises at first, the **warm-up**, and then falls with the root of the step (section 5.3). While
# Adam's averages are young its steps are of unsure length, and with post-norm the first gradients are large as well;
# small rates keep them from doing harm.

# %%
recipe = zoo.info("transformer").recipe("demo")
schedule = InverseSquareRoot(recipe.learning_rate, **recipe.schedule_options)
paper = InverseSquareRoot((512 * 4000) ** -0.5, 4000)
figure = new_figure(8, 3)
for axes, (rates, steps, title) in zip(
    figure.subplots(1, 2), ((schedule, 6 * 157, "the dates"), (paper, 100_000, "the paper's base model"))
):
    at = np.linspace(0, steps, 400)
    axes.plot(at, [float(rates(step)) for step in at], color=INK)
    axes.set(xlabel="step", ylabel="learning rate", title=title)
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "learning_rate")

EPOCHS = 1 if lesson.smoke else 6
sizes = dict(num_layers=1, dim=16, num_heads=2, batch_size=1000) if lesson.smoke else dict(num_layers=1)
settings = dict(epochs=EPOCHS, data_dir=lesson.data_dir, verbose=0, **sizes)
runs = [zoo.train("transformer", run=scratch / str(seed), seed=seed, **settings) for seed in lesson.seeds]
exact = [run.metrics["exact_match"] for run in runs]
with (runs[0].path / "translations.csv").open() as file:
    print("".join(file.readlines()[:8]))
lesson.claim(
    "unseen dates right, worst seed", min(exact), ">=", 0.80,
    baseline=runs[0].results["baselines"],
)  # fmt: skip

# %% [markdown]
# What do the heads look at? While the network writes a date (down), each head of the cross-attention weighs the
# characters of the source (across). Look for a head that reads the year, and for one that waits at one place while it
# has nothing to do.

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
# Now the same network, the same recipe and the same seed, with the causal mask taken away and nothing else. In training
# it is shown the right beginning *and the token that it has to predict*. It copies. Its token accuracy looks better
# than any honest network's. Then it has to write by itself, and what it used to look at is not there.

# %%
data = finished.data
data.source = zoo.data.open_source("written_dates:1.0.0", data_dir=lesson.data_dir).load()
keras.utils.set_random_seed(lesson.seed)
leaky = zoo.build("transformer", **runs[0].config["options"])
for attention in leaky.layers:
    if isinstance(attention, Attention):
        attention.causal = False
network = type(finished.network).of(leaky, finished.network.card, finished.network.task)
optimizer = keras.optimizers.Adam(schedule, **recipe.optimizer_options)
network.compile(optimizer, finished.network.task.keras_metrics())
leaky.fit(data.batches("train", training=True), epochs=min(EPOCHS, 3), verbose=0)
shown = leaky.evaluate(data.batches("test"), verbose=0, return_dict=True)
_, truth = data.texts("test")
translate = Translator(leaky, "transformer", data.length)
sources = [inputs["source"] for inputs, _ in data.batches("test").as_numpy_iterator()]
predictions = [data.tokenizer.decode(row) for batch in sources for row in translate(batch)]
correct = float(np.mean([a == b for a, b in zip(predictions, truth)]))
lesson.claim(
    "leaky network: next tokens right less dates right", shown["token_accuracy"] - correct, ">=", 0.8,
    baseline={"tokens": shown["token_accuracy"], "dates": correct, "worst honest seed, dates": min(exact)},
)  # fmt: skip

figure = new_figure(6.4, 3.4)
axes = figure.subplots()
bars = {"honest": (runs[0].metrics["token_accuracy"], exact[0]), "leaky": (shown["token_accuracy"], correct)}
for number, (tokens, dates) in enumerate(bars.values()):
    axes.bar([number - 0.2, number + 0.2], [tokens, dates], width=0.38, color=[THIRD, INK])
    for x_bar, height in ((number - 0.2, tokens), (number + 0.2, dates)):
        axes.text(x_bar, height + 0.01, f"{height:.2f}", ha="center", fontsize=8)
axes.set(xticks=[0, 1], xticklabels=list(bars), ylim=(0, 1.1), ylabel="fraction correct")
axes.set_title("grey: next token after the right ones, blue: whole date", fontsize=10)
axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "leak")

# %% [markdown]
# ## Decoding, one token at a time
# To predict a token the decoder needs the keys and values of those before, which it has computed already. Kept in a
# cache (the **KV cache**), they make a step cost what one token costs. Without it, every step reads everything again.
# Here a target is decoded both ways, with the network that was just trained.

# %%
source = finished.data.encode([text])
model, tokens = finished.network.model, [2, *map(int, prediction)]


def without_cache():
    """The whole target so far, read again for each token: logits (tokens, vocabulary)."""
    beginnings = [np.array([tokens[:end]], "int32") for end in range(1, len(tokens) + 1)]
    return np.array([numpy(model({"source": source, "target": each}))[0, -1] for each in beginnings])


def with_cache():
    """Each token alone; the state holds the keys and values of those before it."""
    decoder, rows = Decoder(model), []
    memory, state = decoder.start(ops.convert_to_tensor(source), 1, len(tokens))
    for position, token in enumerate(tokens):
        logits, state = decoder.step(ops.convert_to_tensor([token]), position, memory, state)
        rows.append(numpy(logits)[0])
    return np.array(rows)


every, kept = without_cache(), with_cache()
baseline = {"largest logit": np.abs(every).max()}
lesson.claim("logits with a cache, difference", np.abs(kept - every).max(), "<=", 1e-3, baseline=baseline, exact=True)

# %% [markdown]
# ## One half is enough
# A text can also go to a class, by the encoder alone and a mean over its tokens: `transformer_classifier`. What such a
# network must beat is the mean of word vectors without any attention, `fasttext_classifier` (Joulin and others 2016,
# [arXiv:1607.01759](https://arxiv.org/abs/1607.01759)). Lesson 23 takes the two halves apart.

# %%
for name in ("transformer", "transformer_classifier", "fasttext_classifier"):
    print(f"{name:>22} {zoo.info(name).params:>13,}  {zoo.info(name).summary}")

# %% [markdown]
# ## Translation (`--data full`)
# 52,000 pairs of sentences from TED talks, Portuguese to English, in parts of words. The measure is **BLEU** (Papineni
# and others 2002, [P02-1040](https://aclanthology.org/P02-1040/)): how many runs of one to four words a translation
# shares with a human's. Not measured here.

# %%
if lesson.full:
    budget = {"epochs": 1} if lesson.smoke else {}
    run = zoo.train("transformer", "ted_hrlr_translate", seed=lesson.seed, data_dir=lesson.data_dir, **budget)
    lesson.claim("BLEU, Portuguese to English", run.metrics["bleu"], ">=", 25, baseline=run.results["baselines"])

# %% [markdown]
# ## Try it
# * `zoo train transformer --option norm=post`, as in the paper, and `zoo train transformer`: what does each get right?
# * Learned positions: `zoo train transformer --option positions=learned`. What would it make of a date that is longer
#   than all it has seen?
# * Take the division by the root of $d_k$ out of `attend`, and print `softmax` of the scores of 20 random keys with one
#   random query for $d_k = 256$.
# * `zoo train fasttext_classifier` only averages vectors of words and of pairs of neighbours. What does
#   `zoo train transformer_classifier` gain on the same texts?
# * Make positions useless: `table = np.repeat(sinusoids(1, 64), 100, axis=0)`, so that all tokens stand at position 0.
#   Which claims fail?
#
# <details><summary>Solution</summary>
#
# * Compare `val_exact_match` in the `history.csv` of the two run folders: which rises first, and which ends higher? One
#   seed may be luck: train each once more with `--seed 1` before you believe it.
# * Positions beyond the longest source of the training set were never trained; their vectors are still as they were at
#   the start, noise. Sines go on.
# * `q, k = rng.normal(size=256), rng.normal(size=(20, 256))`, then `softmax(k @ q)`: in most draws one weight is nearly
#   1 and the others nearly 0. With `softmax(k @ q / 16)` many keys get a part.
# * Compare the test accuracies that the two commands print, with the intervals beside them.
# * "with positions: answers to shuffled tokens, difference", for there is none, and "three positions on is one
#   rotation", for nothing turns. The network of the dates takes its positions from its own layer.
#
# </details>

# %%
lesson.finish()
