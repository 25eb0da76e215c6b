# %% [markdown]
# # 18 · Recurrent networks: what gates are for
#
# A sentence, a melody, a week of sales: data of any length, where the order matters. A recurrent network reads one
# step after another and keeps a state, its memory of what came before. The plain one computes the state anew at each
# step. The gated ones (GRU, LSTM) decide how much of it to replace.
#
# **You will see** the equations of the four cells at work and equal to Keras's layers; backpropagation through time
# by hand; how the influence of a step on a later one fades; a memory task that gates solve and the plain network
# does not (the failure of this lesson); the gates as they do it; and a network that writes Python documentation.
#
# **Claims** The full GRU of the courses is Keras's `GRU(reset_after=False)` with its update gate negated, to 1e-6.
# Backpropagation by hand, by differences and by Keras agree. Fifty noisy steps after it saw a symbol, an LSTM and a
# GRU name it at least 95 times in a hundred, and a plain network at most 60. A small character model is at least
# .2 nats better than counting pairs of characters.
#
# **Beside them** chance, and a bigram and a 5-gram model with Kneser-Ney smoothing.
#
# **Takes** seven minutes on two cores. `--data full` trains on Shakespeare by the recipe, a job for a GPU.
# Follows S3:363-407, S0:362.

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
# ## Four cells
# Let $[a, x]$ be the state and the input, one after the other.
#
# | | |
# |---|---|
# | plain | $a = \tanh(W_a [a, x] + b_a)$ |
# | simplified GRU | $c = \Gamma_u \tilde c + (1 - \Gamma_u) c$, $\tilde c = \tanh(W_c [c, x] + b_c)$ |
# | GRU | the same with $\tilde c = \tanh(W_c [\Gamma_r c, x] + b_c)$, $\Gamma_r = \sigma(W_r [c, x] + b_r)$ |
# | LSTM | $c = \Gamma_u \tilde c + \Gamma_f c$, $a = \Gamma_o \tanh(c)$, all four from $[a, x]$ |
#
# Each gate has weights of its own: $\Gamma_u = \sigma(W_u [c, x] + b_u)$.
# `zoo.layers.recurrent` has them, an equation a line. Here is one step of each, from a state of zeros.

# %%
FEATURES, UNITS, TIME = 3, 4, 6
step = rng.normal(size=(1, FEATURES)).astype("float32")
for cell in (PlainCell(UNITS), SimplifiedGRUCell(UNITS), FullGRUCell(UNITS), GatedLSTMCell(UNITS)):
    output, states = cell(step, cell.get_initial_state(1))
    weights = sum(int(np.prod(each.shape)) for each in cell.weights)
    print(f"{type(cell).__name__:>17}: {weights:3} weights, {len(states)} state(s), {np.round(numpy(output)[0], 3)}")

# %% [markdown]
# Keras has the GRU too, with two conventions of its own. Its gate $z$ keeps the *old* state: $z = 1 - \Gamma_u$, and
# since $1 - \sigma(s) = \sigma(-s)$ that is the update gate with negated weights. And by default (`reset_after=True`,
# which cuDNN needs) it multiplies by $\Gamma_r$ after the matrix, which is another function.

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
# The loss here is the sum of the last state. Going back from it, each step passes its gradient to the one before
# through $\tanh'$ and the same matrix: $\delta_{t-1} = W_{aa} (\delta_t (1 - a_t^2))$. That product of one matrix
# with itself, `TIME` times over, is what the rest of this lesson is about.

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
for place in np.ndindex(kernel.shape):
    nudge = np.zeros_like(kernel)
    nudge[place] = 1e-6
    numeric[place] = (forward(kernel + nudge, bias)[-1] - forward(kernel - nudge, bias)[-1]).sum() / 2e-6
given = keras.Input((TIME, FEATURES))
model = keras.Model(given, ops.sum(plain(given), axis=-1, keepdims=True))
model.compile(keras.optimizers.SGD(1.0), loss=lambda _, output: len(x) * output, run_eagerly=True)
model.train_on_batch(x, np.zeros((len(x), 1)))  # one step at rate 1: the weights change by the gradient
by_keras = kernel - plain.get_weights()[0]
worst = float(np.abs(gradient - numeric).max())
lesson.claim("by hand less differences, largest", worst, "<=", 1e-6, exact=True)
worst = float(np.abs(gradient - by_keras).max())
baseline = {"the gradient itself": np.abs(gradient).max()}
lesson.claim("by hand less Keras, largest", worst, "<=", 1e-4, baseline=baseline, exact=True)

# %% [markdown]
# ## A memory task
# Sixty-one tokens. One of them is one of 8 symbols; all others are noise from 8 other letters. At the end: which
# symbol was it? In training it stands anywhere, so the lag between symbol and answer is 1 to 60. Chance is 1 in 8,
# a loss of $\ln 8 = 2.08$. The networks are the zoo's text classifiers, made small; only the kind of layer differs.

# %%
SYMBOLS, NOISE, LONGEST = 8, 8, 60
BATCH, BATCHES = 64, 2 if lesson.smoke else 1800
LAGS = (1, 10, 20, 30, 40, 50, 60)


def examples(rng, count, lag=None):
    """Tokens (count, 61): 1-8 are symbols, 9-16 noise. And the number of the symbol, from 0."""
    tokens = rng.integers(SYMBOLS + 1, SYMBOLS + NOISE + 1, (count, LONGEST + 1))
    symbol = rng.integers(0, SYMBOLS, count)
    lags = np.full(count, lag) if lag else rng.integers(1, LONGEST + 1, count)
    tokens[np.arange(count), LONGEST - lags] = symbol + 1
    return tokens.astype("int32"), symbol.astype("int32")


def memory(kind, seed):
    keras.utils.set_random_seed(seed)
    sizes = {"vocabulary_size": 17, "embedding": 16, "units": (64,), "dropout": 0.0}
    return zoo.build(KINDS[kind][0], input_shape=(LONGEST + 1,), num_classes=SYMBOLS, **sizes)


def train(kind, seed):
    """The trained network, and how often it is right at each lag."""
    model = memory(kind, seed)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, BATCHES)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss)
    tokens, symbol = examples(np.random.default_rng(seed), BATCH * BATCHES)
    model.fit(tokens, symbol, batch_size=BATCH, verbose=0)
    right = []
    for lag in LAGS:
        tokens, symbol = examples(np.random.default_rng(1000 + lag), 500, lag)
        right.append(float(np.mean(model.predict(tokens, batch_size=500, verbose=0).argmax(1) == symbol)))
    print(f"{kind:>5}, seed {seed}: " + ", ".join(f"lag {lag} {share:.3f}" for lag, share in zip(LAGS, right)))
    return model, right


runs = {(kind, seed): train(kind, seed) for kind in KINDS for seed in lesson.seeds}

# %% [markdown]
# ## How far back the influence reaches
# Nudge the state after some step by a little, in a random direction, let the network read on to the end, and see how
# far the last state has moved: that is the gradient of the end by that step, in one direction. Untrained and trained.


# %%
def influence(kind, model, lags, nudge=1e-2):
    """|change of the last state| / |change of the state `lag` steps before it|, mean over 32 texts."""
    embedded = numpy(model.get_layer("embedding")(examples(np.random.default_rng(5), 32)[0]))
    cell, directions = model.get_layer(f"{kind}1").cell, np.random.default_rng(6)
    state, trail = [np.zeros((32, 64), "float32")] * (2 if kind == "lstm" else 1), []
    for t in range(LONGEST + 1):
        trail.append(state)
        state = [numpy(each) for each in cell(embedded[:, t], state)[1]]
    ratios = []
    for lag in lags:
        moved = list(trail[LONGEST + 1 - lag])
        memory = len(moved) - 1  # an LSTM keeps it in c, its second state
        direction = directions.normal(size=moved[memory].shape)
        direction *= nudge / np.linalg.norm(direction, axis=1, keepdims=True)
        moved[memory] = (moved[memory] + direction).astype("float32")
        for t in range(LONGEST + 1 - lag, LONGEST + 1):
            moved = [numpy(each) for each in cell(embedded[:, t], moved)[1]]
        ratios.append(np.linalg.norm(moved[memory] - state[memory], axis=1).mean() / nudge)
    return np.array(ratios)


figure = new_figure(10.5, 4)
untrained, trained = figure.subplots(1, 2, sharey=True)
steps = (1, 2, 5, 10, 15, 20, 30, 40, 50)
reach = {}
for kind, (_, colour) in KINDS.items():
    for axes, model in ((untrained, memory(kind, lesson.seed)), (trained, runs[kind, lesson.seed][0])):
        reach[kind] = influence(kind, model, steps)
        seen = np.maximum(reach[kind], 1e-6)  # below is rounding
        axes.plot(steps, seen, color=colour, marker="o", markersize=3, label=kind)
untrained.set(xlabel="steps back", ylabel="influence on the last state", title="untrained", yscale="log")
trained.set(xlabel="steps back", title="trained on the memory task")
for axes in (untrained, trained):
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
lesson.figure(figure, "influence")

# %% [markdown]
# Left, a surprise: before training it is the plain network that keeps. Its matrix starts orthogonal, which changes no
# length, and its inputs start so small that $\tanh$ hardly bends. The gates start half open, and half of a half of a
# half is soon nothing. Right, after training, it is the other way round. To use what it reads, the plain network had
# to let its inputs in, and then $\tanh' < 1$ at every step: whatever it writes, it writes over what was there. The
# gated ones have learned to keep: a gate that closes makes the factor 1.

# %%
figure = new_figure(6, 4)
axes = figure.subplots()
shares = {kind: np.array([runs[kind, seed][1] for seed in lesson.seeds]) for kind in KINDS}
for kind, (_, colour) in KINDS.items():
    axes.fill_between(LAGS, shares[kind].min(0), shares[kind].max(0), color=colour, alpha=0.25, linewidth=0)
    axes.plot(LAGS, shares[kind].mean(0), color=colour, marker="o", label=kind)
axes.axhline(1 / SYMBOLS, color="black", linestyle=":", label="chance")
axes.set(xlabel="steps between symbol and answer", ylabel="right", ylim=(0, 1.03))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=8)
lesson.figure(figure, "memory")
chance = {"chance": 1 / SYMBOLS}
for kind in ("gru", "lstm"):
    lesson.claim(f"right at lag 50, worst {kind}", shares[kind][:, LAGS.index(50)].min(), ">=", 0.95, baseline=chance)
lesson.claim("right at lag 50, best plain network", shares["rnn"][:, LAGS.index(50)].max(), "<=", 0.60, baseline=chance)

# %% [markdown]
# ## The gates at work
# The trained LSTM reads a text whose symbol comes tenth. To see its gates we hand its weights to `GatedLSTMCell`,
# which names them, and follow those units whose memory the symbol changed most.

# %%
model = runs["lstm", lesson.seed][0]
parts = dict(zip(("update", "forget", "candidate", "output_gate"), range(4)))  # Keras's order
kernel, state_kernel, bias = model.get_layer("lstm1").get_weights()
cell = GatedLSTMCell(64)
cell.build((None, 16))
for part, number in parts.items():
    columns = slice(64 * number, 64 * number + 64)
    getattr(cell, part)[0].assign(np.concatenate([state_kernel[:, columns], kernel[:, columns]]))
    getattr(cell, part)[1].assign(bias[columns])

PLACE = 10
tokens, _ = examples(np.random.default_rng(9), 1, LONGEST - PLACE)
embedded = model.get_layer("embedding")(tokens)
state, gates, contents = cell.get_initial_state(1), [], []
for t in range(LONGEST + 1):
    gates.append([numpy(ops.sigmoid(cell.affine(part, state[0], embedded[:, t])))[0] for part in ("update", "forget")])
    state = cell(embedded[:, t], state)[1]
    contents.append(numpy(state[1])[0])
gates, contents = np.array(gates), np.array(contents)  # (61, 2, 64), (61, 64)
busiest = np.argsort(-np.abs(contents[PLACE] - contents[PLACE - 1]))[:8]

figure = new_figure(9, 5)
above, below = figure.subplots(2, 1, sharex=True)
above.plot(gates[:, 0, busiest].mean(1), color=SECOND, label="update gate")
above.plot(gates[:, 1, busiest].mean(1), color=INK, label="forget gate (1 keeps)")
above.set(ylabel="mean of 8 units", ylim=(-0.03, 1.03), title="the symbol comes at the dotted line")
above.legend(frameon=False, fontsize=8, loc="center right")
below.plot(contents[:, busiest], color=THIRD, linewidth=1)
below.set(xlabel="step", ylabel="memory c, 8 units")
for axes in (above, below):
    axes.axvline(PLACE, color="black", linestyle=":", linewidth=1)
    axes.spines[["top", "right"]].set_visible(False)
lesson.figure(figure, "gates")

# %% [markdown]
# When the symbol comes, the forget gate empties these units and the update gate opens to write. From then on the
# forget gate stays near 1, and the memory is held (or goes on growing the same way, where the update gate stays open).

# %%
kept = gates[PLACE + 1 :, 1, busiest].mean()
lesson.claim("forget gate of those units after the symbol, mean", kept, ">=", 0.8, baseline={"untrained": 0.73})

# %% [markdown]
# ## The builders
# What the zoo makes of these layers. A text's padding is left out without a Keras mask, because a mask would cost
# the fused kernel on two of three backends (`zoo info lstm_classifier` says which).

# %%
for name in (
    "rnn_classifier", "gru_classifier", "lstm_classifier", "bilstm_classifier", "row_lstm", "lstm_forecaster",
    "gru_lm", "lstm_lm",
):  # fmt: skip
    card = zoo.info(name)
    print(f"{name:>17} {card.params:>9,}  {card.summary}")

# %% [markdown]
# ## Writing
# A *language model* gives a probability to each character that may come next; to generate text, one is drawn by these
# probabilities (*sampling*), appended, and so on. Its text here is Python's own documentation, which comes with Python:
# 300,000 characters to learn from, other articles to be judged on. The measure is the *perplexity*, $e$ to the mean
# negative log-likelihood (the *cross-entropy*): between how many equally likely characters does it hesitate? Beside it
# stand models that only count (*n-grams*): how often did this character follow the one before, or the four before?

# %%
EPOCHS = 1 if lesson.smoke else 4
small = {"units": (16,)} if lesson.smoke else {}
losses = []
for seed in lesson.seeds:
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train("gru_lm", run=Path(folder) / "run", epochs=EPOCHS, seed=seed, verbose=0, **small)
        counted, letters = run.results["baselines"], run.config["options"]["vocabulary_size"]
        losses.append(run.metrics["loss"])
        beside = ", ".join(f"{name} {value:.3f}" for name, value in counted.items())
        print(f"seed {seed}: perplexity {run.metrics['perplexity']:.3f} beside {beside}")
        if seed == lesson.seed:
            for temperature in (0.0, 0.7, 1.5):
                pieces = zoo.generate(run, "The ", length=40 if lesson.smoke else 300, temperature=temperature)
                print(f"\n--- temperature {temperature}\nThe " + "".join(pieces))
bigram, fivegram = (float(np.log(counted[f"Kneser-Ney {order}-gram"])) for order in (2, 5))
baseline = {"2-gram": bigram, "5-gram": fivegram, "knows nothing": np.log(letters)}
lesson.claim("nats a character on other articles, worst seed", max(losses), "<=", bigram - 0.2, baseline=baseline)

# %% [markdown]
# The logits are divided by the *temperature*. At 0 it always takes the likeliest character (*greedy decoding*) and soon
# walks in a circle; at 1.5 it babbles. Note the
# 5-gram: on a text this small, with its many set phrases, counting is hard to beat. After these few epochs the network
# has not; the recipe `zoo train gru_lm` goes on for twenty and comes out even (`results/demo.csv`).
#
# ## Shakespeare (`--data full`)
# The recipe is `tiny_shakespeare`: two layers of 512. Its bound, 1.70 nats, lies between published figures of small
# Transformers; not measured here.

# %%
if lesson.full:
    budget = {"epochs": 1, "units": (16,)} if lesson.smoke else {}
    run = zoo.train("lstm_lm", "tiny_shakespeare", seed=lesson.seed, data_dir=lesson.data_dir, **budget)
    name = "Shakespeare, perplexity of lstm_lm"
    lesson.claim(name, run.metrics["perplexity"], "<=", 5.5, baseline=run.results["baselines"])

# %% [markdown]
# ## Try it
# * Train with symbols at lag 60 only (`lag=60`). Do the gated networks still learn? What did the short lags teach?
# * Replace the noise by one letter that never changes. Now the plain network learns faster than the LSTM. Why?
# * Give the LSTM `bias_initializer` so that its forget gates start at $\sigma(4)$. What happens to the left figure?

# %%
lesson.finish()
