# %% [markdown]
# # 18 · Recurrent networks: what gates are for
#
# A sentence, a melody, a week of sales: data of any length, where the order matters (**sequences**). A **recurrent
# network** (RNN) reads one step after another and keeps a **hidden state**, its memory of what came before. The plain
# one (Elman 1990, [doi:10.1207/s15516709cog1402_1](https://doi.org/10.1207/s15516709cog1402_1)) computes the state anew
# at each step. The gated ones decide how much of it to replace: the **gated recurrent unit** (**GRU**, Cho and others
# 2014, [arXiv:1406.1078](https://arxiv.org/abs/1406.1078)) and the **long short-term memory** (**LSTM**, Hochreiter and
# Schmidhuber 1997, [doi:10.1162/neco.1997.9.8.1735](https://doi.org/10.1162/neco.1997.9.8.1735)).
#
# **You will see** the equations of the four cells at work and equal to Keras's layers; backpropagation through time by
# hand; a memory task that gates solve and the plain network does not (the failure of this lesson); how the influence of
# a step on a later one fades; the gates as they keep it; and a network that writes Python documentation.
#
# **Claims** The full GRU, as it is usually taught, is Keras's `GRU(reset_after=False)` with its update gate negated, to
# 1e-6.
# A tagger that reads both ways finds names with a span F1 at least .1 above one that reads from the left alone.
# Backpropagation by hand, by finite differences and by Keras agree. Thirty noisy steps after it saw a symbol, an LSTM
# and a GRU name it with an accuracy of at least .80, and a plain network of at most .75. A small character model is at
# least .2 nats better than counting pairs of characters.
#
# **Beside them** chance, and two models that only count.
#
# **Takes** 4.5 minutes of one core's time (AMD EPYC). `--data full` trains on Shakespeare by the recipe, for a GPU.
# Background: Goodfellow, Bengio and Courville 2016, [chapter 10](https://www.deeplearningbook.org/contents/rnn.html).

# %%
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops
from lesson import Tutorial

import zoo
from zoo.layers.recurrent import FullGRUCell, GatedLSTMCell, PlainCell, SimplifiedGRUCell
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("18_recurrent_nets", full_data="tiny_shakespeare")
rng = np.random.default_rng(lesson.seed)
KINDS = {"rnn": ("rnn_classifier", SECOND), "gru": ("gru_classifier", INK), "lstm": ("lstm_classifier", THIRD)}


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


# %% [markdown]
# ## Sequences in, sequences out
# A step of a text is a **token**: a word or a character, given as a number. What is asked of a sequence comes in three
# shapes.
#
# | from | to | for example | what is read |
# |---|---|---|---|
# | N tokens | 1 answer | is this review friendly? | the last hidden state |
# | N tokens | N answers | which word is a noun (**tagging**); the next character | every hidden state |
# | N tokens | M tokens | translation | lesson 21 |
#
# Where the whole sequence is there before the answer is wanted, a second network may read it from its end, and the
# states of both stand side by side (**bidirectional**). A network that must say what comes next may not look ahead: it
# is **causal**.
#
# A name in a text is often several words, and its neighbours tell which kind of name it is. So each word gets a tag:
# `B` and a kind where a name of that kind begins, `I` and the kind inside, `O` outside (**BIO scheme**). What counts
# is the **span F1**: a name is found if its kind and both its ends are right. In the sentences of `named_things` every
# name may be a person, a place or a firm. Often only what follows tells: "lincoln laughed", "lincoln sold its shares".
# `tagger` reads both ways; beside it stands the same network that reads from the left alone, and each word's commonest
# tag. (By default it ends in a **conditional random field**, which scores the tags of a sentence together:
# `zoo/layers/crf.py`. Here each word is tagged by itself.)

# %%
def names_found(bidirectional):
    """The span F1 of a tagger on the test sentences, and of the baselines."""
    brief = {"epochs": 1} if lesson.smoke else {}
    with tempfile.TemporaryDirectory() as folder:
        options = {"seed": lesson.seed, "verbose": 0, **brief}
        run = zoo.train("tagger", "demo_plain", bidirectional=bidirectional, run=Path(folder) / "run", **options)
        return run.metrics["span_f1"], run.results["baselines"]


(both_ends, counted), (from_the_left, _) = names_found(bidirectional=True), names_found(bidirectional=False)
beside = {"from the left alone": from_the_left, **counted}
lesson.claim("names found, both ends less from the left", both_ends - from_the_left, ">=", 0.1, baseline=beside)

# %% [markdown]
# ## Four cells
# Let $x_t$ be the input at step $t$, and $[a_{t-1}, x_t]$ the state before and the input, one after the other. A
# **gate** $\Gamma$ is a vector of numbers between 0 and 1, with weights of its own, that multiplies another vector
# number by number ($\odot$): 0 shuts, 1 lets pass.
#
# Plain:
#
# $$a_t = \tanh(W_a [a_{t-1}, x_t] + b_a)$$
#
# Simplified GRU, with one gate (update, $u$); $\tilde c_t$ is the candidate for the new state $c_t$:
#
# $$\tilde c_t = \tanh(W_c [c_{t-1}, x_t] + b_c), \qquad \Gamma_{u,t} = \sigma(W_u [c_{t-1}, x_t] + b_u)$$
# $$c_t = \Gamma_{u,t} \odot \tilde c_t + (1 - \Gamma_{u,t}) \odot c_{t-1}$$
#
# GRU, with a second gate (reset, $r$); the other two equations stay:
#
# $$\Gamma_{r,t} = \sigma(W_r [c_{t-1}, x_t] + b_r), \qquad
# \tilde c_t = \tanh(W_c [\Gamma_{r,t} \odot c_{t-1}, x_t] + b_c)$$
#
# LSTM, with two states, the memory $c_t$ and what it shows, $a_t$, and three gates (update, forget, output) that are
# all computed as $\Gamma_{\cdot,t} = \sigma(W_\cdot [a_{t-1}, x_t] + b_\cdot)$:
#
# $$\tilde c_t = \tanh(W_c [a_{t-1}, x_t] + b_c), \qquad
# c_t = \Gamma_{u,t} \odot \tilde c_t + \Gamma_{f,t} \odot c_{t-1}, \qquad a_t = \Gamma_{o,t} \odot \tanh(c_t)$$
#
# The same weights serve at every step. (The forget gate came later: Gers, Schmidhuber and Cummins 2000,
# [doi:10.1162/089976600300015015](https://doi.org/10.1162/089976600300015015).) `zoo.layers.recurrent` has the cells,
# an equation a line. Here is one step of each, from a state of zeros.

# %%
FEATURES, UNITS, TIME = 3, 4, 6
step = rng.normal(size=(1, FEATURES)).astype("float32")
for cell in (PlainCell(UNITS), SimplifiedGRUCell(UNITS), FullGRUCell(UNITS), GatedLSTMCell(UNITS)):
    output, states = cell(step, cell.get_initial_state(1))
    weights = sum(int(np.prod(each.shape)) for each in cell.weights)
    print(f"{type(cell).__name__:>17}: {weights:3} weights, {len(states)} state(s), {np.round(numpy(output)[0], 3)}")

# %% [markdown]
# Keras has the GRU too, with two conventions of its own. Its gate $z_t$ keeps the *old* state: $z_t = 1 -
# \Gamma_{u,t}$, and since $1 - \sigma(s) = \sigma(-s)$ that is the update gate with negated weights. And by default
# (`reset_after=True`, which cuDNN needs) it multiplies by $\Gamma_{r,t}$ after the matrix, which is another function.

# %%
mine = layers.RNN(FullGRUCell(UNITS), return_sequences=True)
x = rng.normal(size=(8, TIME, FEATURES)).astype("float32")
mine(x)  # makes the weights
mine.set_weights([rng.normal(size=weight.shape) for weight in mine.weights])
triples = {}
for part in FullGRUCell.parts:
    kernel, bias = (numpy(each) for each in getattr(mine.cell, part))
    triples[part] = kernel[:UNITS], kernel[UNITS:], bias  # for the state, for the input, and the bias


def keras_gru(sign):
    """Keras's GRU with my weights; `sign` of those of the update gate."""
    update = [sign * each for each in triples["update"]]
    state, kernel, bias = (np.concatenate(g, axis=-1) for g in zip(update, triples["reset"], triples["candidate"]))
    twin = layers.GRU(UNITS, reset_after=False, return_sequences=True)
    twin(x)
    twin.set_weights([kernel, state, bias])
    return numpy(twin(x))


difference = float(np.abs(keras_gru(-1) - numpy(mine(x))).max())
upright = float(np.abs(keras_gru(+1) - numpy(mine(x))).max())
baseline = {"gate not negated": upright}
lesson.claim("full GRU less Keras's, largest difference", difference, "<=", 1e-6, baseline=baseline, exact=True)

# %% [markdown]
# ## Backpropagation through time, by hand
# **Unrolled** over its steps, a recurrent network is a deep network whose layers share their weights. Its gradient is
# found by the chain rule from the last step to the first: **backpropagation through time** (BPTT). Take as loss $L$ the
# sum of the last state $a_T$, and write $W_a = [W_{aa}, W_{ax}]$ for the parts that meet the state and the input. The
# gradient with respect to the state, $\delta_t = \partial L / \partial a_t$, starts with ones, and each step hands it
# to the one before through $\tanh'$ and the same matrix; the gradient with respect to the weights is a sum over the
# steps:
#
# $$\delta_{t-1} = W_{aa}^T \left(\delta_t \odot (1 - a_t^2)\right), \qquad
# \frac{\partial L}{\partial W_a} = \sum_{t=1}^{T} \left(\delta_t \odot (1 - a_t^2)\right) [a_{t-1}, x_t]^T.$$
#
# The product of one matrix with itself, once for each step, is what the rest of this lesson is about. To compare the
# result with **finite differences**, the loss after a small change of each weight, is a **gradient check** (lesson 02).

# %%
plain = layers.RNN(PlainCell(UNITS))
plain(x)
kernel, bias = (each.astype("float64") for each in plain.get_weights())


def forward(kernel, bias):
    """The states from the first (zeros) to the last, (TIME + 1, 8, UNITS)."""
    states = [np.zeros((len(x), UNITS))]
    for t in range(TIME):
        states.append(np.tanh(np.concatenate([states[-1], x[:, t]], axis=1) @ kernel + bias))
    return np.array(states)


states, gradient = forward(kernel, bias), np.zeros_like(kernel)
delta = np.ones((len(x), UNITS))  # of the sum of the last state
for t in reversed(range(TIME)):
    before = delta * (1 - states[t + 1] ** 2)  # through tanh
    gradient += np.concatenate([states[t], x[:, t]], axis=1).T @ before  # the same weights at every step
    delta = before @ kernel[:UNITS].T  # to the state before

numeric = np.zeros_like(kernel)
for index in np.ndindex(kernel.shape):
    nudge = np.zeros_like(kernel)
    nudge[index] = 1e-6
    numeric[index] = (forward(kernel + nudge, bias)[-1] - forward(kernel - nudge, bias)[-1]).sum() / 2e-6
given = keras.Input((TIME, FEATURES))
model = keras.Model(given, ops.sum(plain(given), axis=-1, keepdims=True))
model.compile(keras.optimizers.SGD(1.0), loss=lambda _, output: len(x) * output, run_eagerly=True)
model.train_on_batch(x, np.zeros((len(x), 1)))  # one step at rate 1: the weights change by the gradient
by_keras = kernel - plain.get_weights()[0]
worst = float(np.abs(gradient - numeric).max())
lesson.claim("by hand less finite differences, largest", worst, "<=", 1e-6, exact=True)
worst = float(np.abs(gradient - by_keras).max())
baseline = {"the gradient itself": np.abs(gradient).max()}
lesson.claim("by hand less Keras, largest", worst, "<=", 1e-4, baseline=baseline, exact=True)

# %% [markdown]
# ## A memory task
# Forty-one tokens. One of them is one of 8 symbols; all others are noise from 8 other letters. At the end: which symbol
# was it? In training it stands anywhere, so the lag between symbol and answer is 1 to 40. Chance is 1 in 8, a
# cross-entropy of $\ln 8 = 2.08$. The networks are the zoo's text classifiers, made small: an embedding turns each
# token into a vector, the recurrent layer reads the vectors, a dense layer answers. Only the kind of recurrent layer
# differs.
#
# The product of many matrices can grow as well as fade: gradients can explode (lesson 04), and one such step ruins the
# weights. So a gradient that is longer than 1 is shortened to 1 (**gradient clipping**, Pascanu, Mikolov and Bengio
# 2013, [arXiv:1211.5063](https://arxiv.org/abs/1211.5063)).

# %%
SYMBOLS, NOISE, MAX_LAG, SIZE = 8, 8, 40, 32
BATCH, BATCHES = 64, 2 if lesson.smoke else 800
LAGS = (1, 5, 10, 20, 30, 40)


def examples(rng, count, lag=None):
    """Tokens (count, 41): 1-8 are symbols, 9-16 noise. And the number of the symbol, from 0."""
    tokens = rng.integers(SYMBOLS + 1, SYMBOLS + NOISE + 1, (count, MAX_LAG + 1))
    symbol = rng.integers(0, SYMBOLS, count)
    lags = np.full(count, lag) if lag else rng.integers(1, MAX_LAG + 1, count)
    tokens[np.arange(count), MAX_LAG - lags] = symbol + 1
    return tokens.astype("int32"), symbol.astype("int32")


def memory(kind, seed):
    keras.utils.set_random_seed(seed)
    sizes = {"vocabulary_size": 17, "embedding": 16, "units": (SIZE,), "dropout": 0.0}
    return zoo.build(KINDS[kind][0], input_shape=(MAX_LAG + 1,), num_classes=SYMBOLS, **sizes)


def train(kind, seed):
    """The trained network, and its accuracy at each lag."""
    model = memory(kind, seed)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, BATCHES)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss)
    tokens, symbol = examples(np.random.default_rng(seed), BATCH * BATCHES)
    model.fit(tokens, symbol, batch_size=BATCH, verbose=0)
    accuracies = []
    for lag in LAGS:
        tokens, symbol = examples(np.random.default_rng(1000 + lag), 500, lag)
        accuracies.append(float(np.mean(model.predict(tokens, batch_size=500, verbose=0).argmax(1) == symbol)))
    print(f"{kind:>5}, seed {seed}: " + ", ".join(f"lag {lag} {each:.3f}" for lag, each in zip(LAGS, accuracies)))
    return model, accuracies


runs = {(kind, seed): train(kind, seed) for kind in KINDS for seed in lesson.seeds}

# %%
figure = new_figure(6, 4)
axes = figure.subplots()
accuracies = {kind: np.array([runs[kind, seed][1] for seed in lesson.seeds]) for kind in KINDS}
for kind, (_, colour) in KINDS.items():
    axes.fill_between(LAGS, accuracies[kind].min(0), accuracies[kind].max(0), color=colour, alpha=0.25, linewidth=0)
    axes.plot(LAGS, accuracies[kind].mean(0), color=colour, marker="o", label=kind)
axes.axhline(1 / SYMBOLS, color="black", linestyle=":", label="chance")
axes.set(xlabel="steps between symbol and answer", ylabel="accuracy", ylim=(0, 1.03))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "memory")
chance = {"chance": 1 / SYMBOLS}
for kind in ("gru", "lstm"):
    lesson.claim(
        f"accuracy at lag 30, worst {kind}", accuracies[kind][:, LAGS.index(30)].min(), ">=", 0.80, baseline=chance
    )
lesson.claim(
    "accuracy at lag 30, best plain network", accuracies["rnn"][:, LAGS.index(30)].max(), "<=", 0.75, baseline=chance
)

# %% [markdown]
# ## How far back the influence reaches
# Why does the plain network fail? Nudge the state after some step by a little, in a random direction, let the network
# read on to the end, and see how far the last state has moved. That is the gradient of the end with respect to that
# step, in one direction: the product above. Untrained and trained.


# %%
def influence(model, lags, nudge=1e-2):
    """|change of the last state| / |change of the state `lag` steps before it|, mean over 32 texts."""
    embedded = numpy(model.get_layer("embedding")(examples(np.random.default_rng(5), 32)[0]))
    (cell,) = (layer.cell for layer in model.layers if hasattr(layer, "cell"))
    directions, state, trail = np.random.default_rng(6), [numpy(each) for each in cell.get_initial_state(32)], []
    for t in range(MAX_LAG + 1):
        trail.append(state)
        state = [numpy(each) for each in cell(embedded[:, t], state)[1]]
    ratios = []
    for lag in lags:
        moved = list(trail[MAX_LAG + 1 - lag])
        memory = len(moved) - 1  # an LSTM keeps it in c, its second state
        direction = directions.normal(size=moved[memory].shape)
        direction *= nudge / np.linalg.norm(direction, axis=1, keepdims=True)
        moved[memory] = (moved[memory] + direction).astype("float32")
        for t in range(MAX_LAG + 1 - lag, MAX_LAG + 1):
            moved = [numpy(each) for each in cell(embedded[:, t], moved)[1]]
        ratios.append(np.linalg.norm(moved[memory] - state[memory], axis=1).mean() / nudge)
    return np.array(ratios)


steps = (1, 2, 5, 10, 15, 20, 30)
untrained = {kind: influence(memory(kind, lesson.seed), steps) for kind in KINDS}
trained = {kind: np.mean([influence(runs[kind, seed][0], steps) for seed in lesson.seeds], axis=0) for kind in KINDS}
figure = new_figure(10.5, 4)
panels = figure.subplots(1, 2, sharey=True)
for axes, measured, title in zip(panels, (untrained, trained), ("untrained", "trained on the memory task")):
    for kind, (_, colour) in KINDS.items():
        axes.plot(steps, np.maximum(measured[kind], 1e-6), color=colour, marker="o", markersize=3, label=kind)
    axes.set(xlabel="steps back", yscale="log", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
panels[0].set_ylabel("influence on the last state, a ratio")
lesson.plot(figure, "influence")
for when, measured in (("untrained", untrained), ("trained", trained)):
    print(f"{when:>9}, 20 steps back: " + ", ".join(f"{kind} {each[5]:.2g}" for kind, each in measured.items()))
lesson.claim(
    "untrained: influence 20 steps back, plain over the best gated",
    untrained["rnn"][5] / max(untrained["gru"][5], untrained["lstm"][5]), ">=", 10, baseline={"alike": 1},
)  # fmt: skip
lesson.claim(
    "trained: influence 20 steps back, worst gated over plain",
    min(trained["gru"][5], trained["lstm"][5]) / trained["rnn"][5], ">=", 3, baseline={"alike": 1},
)  # fmt: skip

# %% [markdown]
# Left, a surprise: before training it is the plain network that keeps. Its matrix starts orthogonal (Keras's
# initialisation), which changes no length, and its inputs start so small that $\tanh$ hardly bends. The gates start
# about half open (Keras starts an LSTM's forget gates at $\sigma(1) = .73$), and half of a half of a half is soon
# nothing. Right, after training, it is the other way round. To use what
# it reads, the plain network had to let its inputs in, and then $\tanh' < 1$ at every step: whatever it writes, it
# writes over what was there. This is the vanishing gradient (lesson 04), through time (Bengio, Simard and Frasconi
# 1994, [doi:10.1109/72.279181](https://doi.org/10.1109/72.279181)). The gated ones have learned to keep: a gate that
# stands at 1 makes the factor 1.

# %% [markdown]
# ## The gates at work
# The trained LSTM reads a text whose symbol comes tenth. To see its gates we hand its weights to `GatedLSTMCell`,
# which names them, and follow those units whose memory the symbol changed most.

# %%
model = runs["lstm", lesson.seed][0]
parts = dict(zip(("update", "forget", "candidate", "output_gate"), range(4)))  # Keras's order
kernel, state_kernel, bias = model.get_layer("lstm1").get_weights()
cell = GatedLSTMCell(SIZE)
cell.build((None, 16))
for part, number in parts.items():
    columns = slice(SIZE * number, SIZE * number + SIZE)
    getattr(cell, part)[0].assign(np.concatenate([state_kernel[:, columns], kernel[:, columns]]))
    getattr(cell, part)[1].assign(bias[columns])

POSITION = 10
tokens, _ = examples(np.random.default_rng(9), 1, MAX_LAG - POSITION)
embedded = model.get_layer("embedding")(tokens)
state, gates, contents = cell.get_initial_state(1), [], []
for t in range(MAX_LAG + 1):
    gates.append([numpy(ops.sigmoid(cell.affine(part, state[0], embedded[:, t])))[0] for part in ("update", "forget")])
    state = cell(embedded[:, t], state)[1]
    contents.append(numpy(state[1])[0])
gates, contents = np.array(gates), np.array(contents)  # (41, 2, 32), (41, 32)
busiest = np.argsort(-np.abs(contents[POSITION] - contents[POSITION - 1]))[:8]

figure = new_figure(9, 5)
above, below = figure.subplots(2, 1, sharex=True)
above.plot(gates[:, 0, busiest].mean(1), color=SECOND, label="update gate")
above.plot(gates[:, 1, busiest].mean(1), color=INK, label="forget gate (1 keeps)")
above.set(ylabel="mean of 8 units", ylim=(-0.03, 1.03), title="the symbol comes at the dotted line")
above.legend(frameon=False, fontsize=8, loc="center right")
below.plot(contents[:, busiest], color=THIRD, linewidth=1)
below.set(xlabel="step", ylabel="memory c, 8 units")
for axes in (above, below):
    axes.axvline(POSITION, color="black", linestyle=":", linewidth=1)
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "gates")

# %% [markdown]
# When the symbol comes, the update gates of these units write, and from most seeds their forget gates let go of what
# was held. From then on these units forget less than the others do, and their memory is held (or goes on growing the
# same way, where the update gates stay open). Before training all units forget alike.

# %%
kept, of_all = gates[POSITION + 1 :, 1, busiest].mean(), gates[POSITION + 1 :, 1].mean()
baseline = {"these units": kept, "all units": of_all, "untrained": 1 / (1 + np.exp(-1))}
lesson.claim("forget gate after the symbol, these units less all units", kept - of_all, ">=", 0.04, baseline=baseline)

# %% [markdown]
# ## The builders
# What the zoo makes of these layers. Texts of different lengths share a batch; zeros fill the shorter ones up (padding,
# here in time), and the networks leave these out.

# %%
for name in (
    "rnn_classifier", "gru_classifier", "lstm_classifier", "bilstm_classifier", "row_lstm", "lstm_forecaster",
    "gru_lm", "lstm_lm",
):  # fmt: skip
    card = zoo.info(name)
    print(f"{name:>17} {card.params:>9,}  {card.summary}")

# %% [markdown]
# ## Writing
# A **language model** gives a probability to each token that may come next, here a character, from those before it. In
# training each prediction is made from the true characters before it (**teacher forcing**); in writing, from those that
# it wrote itself (it is **autoregressive**). Its text is Python's own documentation, which comes with Python: 300,000
# characters to learn from, other articles to be judged on. The measure is the **perplexity** of $n$ characters, $e$ to
# the mean cross-entropy in **nats** (so logarithms to the base $e$ are called; 1 nat is $1 / \ln 2 = 1.44$ bits):
#
# $$\exp\left(-\frac{1}{n} \sum_{t=1}^{n} \ln p(x_t \mid x_1 \dots x_{t-1})\right).$$
#
# Between how many equally likely characters does it hesitate? Beside it stand models that only count: how often did
# this character follow the one before (**bigram**), or the four before (5-gram)? Such an **n-gram** model must say
# something of what it never met; these two use Kneser-Ney smoothing (Kneser and Ney 1995), which mixes in the shorter
# counts.

# %%
EPOCHS = 1 if lesson.smoke else 3
small = {"units": (16,)} if lesson.smoke else {}
losses = []
for seed in lesson.seeds:
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train("gru_lm", run=Path(folder) / "run", epochs=EPOCHS, seed=seed, verbose=0, **small)
        counted, letters = run.results["baselines"], run.config["options"]["vocabulary_size"]
        losses.append(run.metrics["loss"])
        beside = ", ".join(f"{name} {figure:.3f}" for name, figure in counted.items())
        print(f"seed {seed}: perplexity {run.metrics['perplexity']:.3f} beside {beside}")
        if seed == lesson.seed:
            for temperature in (0.0, 0.7, 1.5):
                pieces = zoo.generate(run, "The ", length=40 if lesson.smoke else 300, temperature=temperature)
                print(f"\n--- temperature {temperature}\nThe " + "".join(pieces))
bigram, fivegram = (float(np.log(counted[f"Kneser-Ney {order}-gram"])) for order in (2, 5))
baseline = {"2-gram": bigram, "5-gram": fivegram, "knows nothing": np.log(letters)}
lesson.claim("nats a character on other articles, worst seed", max(losses), "<=", bigram - 0.2, baseline=baseline)

# %% [markdown]
# The next character is drawn from the softmax of the logits, which are first divided by the **sampling
# temperature**. At temperature 0 it always takes the likeliest character and soon walks in a circle; at 1.5 it babbles.
# Note the 5-gram: on a text this small, with its many set phrases, counting is hard to beat. After these few epochs the
# network has not; the recipe `zoo train gru_lm` goes on for twenty and comes out about even (`results/demo.csv`).
#
# ## Shakespeare (`--data full`)
# The recipe is `tiny_shakespeare`: two layers of 512. Its bound, 1.70 nats, lies between published figures of other
# small networks; not measured here.

# %%
if lesson.full:
    budget = {"epochs": 1, "units": (16,)} if lesson.smoke else {}
    run = zoo.train("lstm_lm", "tiny_shakespeare", seed=lesson.seed, data_dir=lesson.data_dir, **budget)
    name = "Shakespeare, perplexity of lstm_lm"
    lesson.claim(name, run.metrics["perplexity"], "<=", 5.5, baseline=run.results["baselines"])

# %% [markdown]
# ## Try it
# * Train with the symbol at the largest lag only: `examples(np.random.default_rng(seed), BATCH * BATCHES, MAX_LAG)` in
#   `train`. Does the GRU still learn it? What did the short lags teach?
# * In a cell at the end, set `MAX_LAG, LAGS = 10, (1, 5, 10)` and call `train("rnn", 0)`. Is the plain network unable
#   to keep a symbol at all?
# * Start an LSTM's forget gates at $\sigma(4)$, nearly open, and look at the left figure again.
#
# <details><summary>Solution</summary>
#
# * It stays at chance in as many steps. At a short lag the gradient still arrives and the network learns to keep a
#   symbol for a few steps; then it arrives from a little further. Without these stairs there is nothing to climb.
# * It names every symbol. What it cannot do is to keep one for long.
# * The influence does not fade any more, it even grows with the steps:
#
# ```python
# model = memory("lstm", 0)
# kernel, state_kernel, bias = model.get_layer("lstm1").get_weights()
# bias[SIZE : 2 * SIZE] = 4  # Keras's order: update, forget, candidate, output
# model.get_layer("lstm1").set_weights([kernel, state_kernel, bias])
# print(influence(model, steps))
# ```
#
# </details>

# %%
lesson.finish()
