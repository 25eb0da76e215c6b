# %% [markdown]
# # 21 · From one sequence to another: attention
#
# To translate, one recurrent network reads (the *encoder*) and another writes (the *decoder*). In between stands one
# vector: the whole source must fit into it. Bahdanau, Cho and Bengio let the decoder look back (*attention*, here
# *cross-attention*, from one sequence to another). Before each token it scores every position of the source, and takes
# from each as much as the score says. Such a network is called *sequence to sequence*, seq2seq for short.
#
# **You will see** the two kinds of scores by hand, what a network without attention learns of dates (their form, and
# not their content: the failure of this lesson), how fast it goes with attention, and where the network looks.
#
# **Claims** The weights of attention sum to one and padding gets none. At most 30 of a hundred unseen dates come out
# right without attention; at least 98 with additive and 90 with dot-product attention, each in the worst of three
# seeds. Without it a network still predicts most of the single characters right. Different sources come out different.
#
# **Beside them** copying, and the date of the most similar training example.
#
# **Takes** ten minutes on two cores. Follows S0:347; S1:209-280.

# %%
import csv
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import ops
from lesson import Tutorial

import zoo
from zoo import plots
from zoo.decoding.beam_search import Translator
from zoo.inference import api
from zoo.layers.attention import attention_weights
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("21_seq2seq_attention")
rng = np.random.default_rng(lesson.seed)
keras.utils.set_random_seed(lesson.seed)
scratch = Path(tempfile.mkdtemp())
RECIPES = {"none": ("demo_plain", SECOND), "additive": ("demo", INK), "dot": ("demo_dot", THIRD)}


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


# %% [markdown]
# ## A score for each position
# The encoder leaves a vector $h_j$ for each position of the source (its *hidden states*, the *memory*). The decoder is
# in a state $s$, the *query*. Two ways to score how much $h_j$ matters now:
#
# $$\text{additive: } v \cdot \tanh(W s + U h_j) \qquad\qquad \text{dot: } s \cdot (W h_j)$$
#
# The *softmax* makes of the scores fractions that sum to one, the *attention weights* $\alpha_j$, and the decoder gets
# $c = \sum_j \alpha_j h_j$, the *context vector*. Here is a memory of four positions, with $W$ and $U$ the identity and
# $v$ all ones.

# %%
memory = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0]])  # (positions, dim)
state = np.array([2.0, 0.0])


def softmax(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


by_hand = {"additive": softmax(np.tanh(state + memory).sum(-1)), "dot": softmax(memory @ state)}
for kind, alpha in by_hand.items():
    print(f"{kind:>8}: weights {alpha.round(3)}, context {(alpha @ memory).round(3)}")

# %% [markdown]
# Keras's layers do the same. They can also leave positions out, by a *mask*: behind the end of a source there is
# *padding*, and it must get nothing.

# %%
keys = memory[None].astype("float32")
for kind, layer in (("additive", keras.layers.AdditiveAttention(use_scale=False)), ("dot", keras.layers.Attention())):
    _, found = layer([state[None, None].astype("float32"), keys], return_attention_scores=True)
    difference = np.abs(numpy(found)[0, 0] - by_hand[kind]).max()
    lesson.claim(f"{kind} attention, difference to the formula", difference, "<=", 1e-6, exact=True)

networks = {
    kind: zoo.build(
        "seq2seq_gru", vocabulary_size=60, embedding=16, units=32, input_shape=(None,), target_shape=(None,),
        attention=kind,
    )
    for kind in RECIPES
}  # fmt: skip
for kind, model in networks.items():
    print(f"{kind:>8}: {model.count_params():,} parameters")
source = np.array([[7, 8, 9, 0, 0], [4, 5, 6, 7, 8]], "int32")
target = np.array([[2, 5], [2, 6]], "int32")
for kind in ("additive", "dot"):
    weights = attention_weights(networks[kind], {"source": source, "target": target})["cross"]
    lesson.claim(f"{kind}: weight that padding gets", weights[0, ..., 3:].max(), "<=", 1e-8, exact=True)

# %% [markdown]
# ## Twelve thousand dates
# Read a date in any of twenty written forms and write it as ISO 8601 has it. The dates of the test set occur nowhere
# else, in no form: who has learned the training dates by heart (*overfitting*) gets none of them right.
#
# Three networks of the same sizes, three seeds each, twelve *epochs*. A token, here a character, enters as a vector
# that is learned (its *embedding*), and the loss is the *cross-entropy* of the next token. While it trains, the decoder
# is given the right beginning of the target, not its own (*teacher forcing*).

# %%
budget = dict(epochs=1, batch_size=1000, embedding=8, units=16) if lesson.smoke else {}
settings = dict(data_dir=lesson.data_dir, verbose=0, **budget)
runs = {
    kind: [
        zoo.train("seq2seq_gru", recipe, run=scratch / f"{kind}{seed}", seed=seed, **settings) for seed in lesson.seeds
    ]
    for kind, (recipe, _) in RECIPES.items()
}


def curve(run, column):
    with (run.path / "history.csv").open() as file:
        return [float(row[column]) for row in csv.DictReader(file)]


figure = new_figure(10, 3.6)
for axes, (column, label) in zip(
    figure.subplots(1, 2), (("val_token_accuracy", "characters right"), ("val_exact_match", "dates right"))
):
    for kind, (_, colour) in RECIPES.items():
        for number, run in enumerate(runs[kind]):
            values = curve(run, column)
            axes.plot(range(1, len(values) + 1), values, color=colour, marker=".", label=kind if number == 0 else None)
    axes.set(xlabel="epoch", ylabel=f"{label} (validation)", ylim=(0, 1.03))
    axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "exact_match")

# %% [markdown]
# Left, the single characters, given the right ones before (*token accuracy*): the network without attention gets more
# than half. Right, whole dates (*exact match*): it has next to none. It has learned what a date looks like. Hundreds of
# the characters are hyphens, zeros and the 19 or 20 of the century, and those it gets. The source it has mostly lost.
# Of the two with attention the dot product has less to learn from at first (its scores are what the two GRUs happen to
# agree on), and some seeds begin late and stay a few dates behind.

# %%
exact = {kind: [run.metrics["exact_match"] for run in runs[kind]] for kind in RECIPES}
characters = [run.metrics["token_accuracy"] for run in runs["none"]]
baseline = runs["none"][0].results["baselines"]
for kind, bound in (("additive", 0.98), ("dot", 0.90)):
    lesson.claim(
        f"unseen dates right with {kind} attention, worst seed", min(exact[kind]), ">=", bound,
        baseline={**baseline, "best without": max(exact["none"])},
    )  # fmt: skip
lesson.claim("unseen dates right without attention, best seed", max(exact["none"]), "<=", 0.30, baseline=baseline)
lesson.claim(
    "characters right without attention, worst seed", min(characters), ">=", 0.5, baseline={"dates": max(exact["none"])}
)

# %% [markdown]
# The score that is shown while training is the share of right *characters after a right beginning*. Many tutorials
# show nothing else, some with the padding counted in. It tells little about what the network writes by itself, where
# each token is the likeliest after its own earlier ones (*greedy decoding*).
#
# ## Where it looks
# One date, and for each character that is written (down) the weight of each character of the source (across): the
# *alignment*.

# %%
text = "the 21st of March, 2021"
opened = {kind: api.reopen(runs[kind][0]) for kind in RECIPES}
for kind in ("additive", "dot"):
    finished = opened[kind]
    translate = Translator(finished.network.model, "seq2seq_gru", finished.data.length)
    prediction = translate(finished.data.encode([text]))[0]
    prediction = prediction[prediction > 3][: finished.data.length - 1]
    inputs = {"source": finished.data.encode([text]), "target": np.array([[2, *prediction]], "int32")}
    weights = attention_weights(finished.network.model, inputs)["cross"][0]
    pieces = [*finished.data.tokenizer.decode(prediction), "end"]
    lesson.plot(plots.attention(kind, weights, pieces, list(text)), f"looks_{kind}")

# %% [markdown]
# ## Does it tell sources apart?
# A well-known translator gave the same answer to everything for a year, and nobody counted. Count.

# %%
texts = ["1 May 1987", "2 May 1987", "3 June 1987", "June 3, 1988", "7.7.2007", "12/24/99"]
for kind, finished in opened.items():
    predictions = list(api.translate(finished.run, texts, beams=1))
    print(f"{kind:>8}: {', '.join(predictions)}")
lesson.claim("different answers to six different dates, dot", len(set(predictions)), "==", 6)

# %% [markdown]
# ## Try it
# * Give the network without attention 256 units. Does it get there? What does each date cost it?
# * `zoo predict RUN "3rd of January 2001"` writes the picture of where it looks.
# * A date in a form that it has never seen: "1987, the 2nd of May". What happens?

# %%
lesson.finish()
