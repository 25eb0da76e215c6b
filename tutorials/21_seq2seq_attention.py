# %% [markdown]
# # 21 · From one sequence to another: attention
#
# To translate, one recurrent network reads (the **encoder**) and another writes (the **decoder**): an
# **encoder-decoder** network, also called **sequence to sequence** or **seq2seq** (Sutskever, Vinyals and Le 2014,
# [arXiv:1409.3215](https://arxiv.org/abs/1409.3215)). Between the two stands one vector, and the whole source must fit
# into it. Bahdanau, Cho and Bengio (2014, [arXiv:1409.0473](https://arxiv.org/abs/1409.0473)) let the decoder look
# back at the source. This is **attention**: before each token it gives every position of the source a score, and it
# takes more from a position whose score is higher.
#
# **You will see** two kinds of scores by hand, what a network without attention learns of dates (their form, and not
# their content: the failure of this lesson), how fast it goes with attention, and where the network looks.
#
# **Claims** The weights of attention are the formula's, and padding gets none. Of a hundred dates that were never seen
# at most 30 come out right without attention in the best of three seeds, and at least 80 with additive attention in the
# worst; with dot-product attention, by its own recipe, at least 70. Without attention, many single characters are right
# all the same. The network looks at the year when it writes the year, and elsewhere when it writes the day. Different
# sources get different answers.
#
# **Beside them** copying, the date of the most similar training example, and the commonest character at each place.
#
# **Takes** 7 minutes of one core's time (AMD EPYC).

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
# ## Two networks and one vector
# The encoder is a GRU (lesson 18). It reads the source $x_1 \dots x_S$ and leaves a hidden state for each position,
# $h_j = \mathrm{GRU}(h_{j-1}, x_j)$; here it is bidirectional, so $h_j$ has read from both ends. The decoder is another
# GRU. Its state starts from the encoder's last states, and at each step it reads the token that was written before:
# $s_t = \mathrm{GRU}(s_{t-1}, y_{t-1})$. A dense layer and a softmax give the probability of each next token. The loss
# is the cross-entropy, the sum of the surprises at the true tokens:
#
# $$L = -\sum_t \log p(y_t \mid y_1 \dots y_{t-1}, x_1 \dots x_S).$$
#
# ## A score for each position
# Without attention the decoder has nothing of the source but its start. With attention it sees all $h_j$ at each step.
# There are two usual ways to score how much $h_j$ matters to a decoder that is in the state $s_t$: **additive
# attention** (Bahdanau) and **dot-product attention** (Luong, Pham and Manning 2015,
# [arXiv:1508.04025](https://arxiv.org/abs/1508.04025)).
#
# $$\text{additive: } e_{tj} = v \cdot \tanh(W s_t + U h_j) \qquad\qquad \text{dot: } e_{tj} = s_t \cdot (W h_j)$$
#
# The softmax turns the scores into fractions that sum to one, the **attention weights**, and the decoder gets the
# weighted mean of the states, the **context vector** $c_t$:
#
# $$\alpha_{tj} = \frac{\exp e_{tj}}{\sum_k \exp e_{tk}}, \qquad c_t = \sum_j \alpha_{tj} h_j.$$
#
# Here are four positions, with $W$ and $U$ the identity and $v$ all ones.

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
# Keras's layers do the same. They can also leave positions out, by a **mask**, an array that says which positions
# count: behind the end of a short source there is padding, and it must get nothing.

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
# Read a date in any of twenty written forms and write it as ISO 8601 has it. 10,000 dates are for training, 1,000 for
# validation and 1,000 for the test. Those of the test occur nowhere else, in no form, so a network that has learned the
# training dates by heart gets none of them right.
#
# Three networks of the same sizes. A token, here a character, enters as its embedding. In training the decoder reads
# the true tokens, not its own (teacher forcing, lesson 18). Without attention and with additive attention: six epochs,
# three seeds, and nothing differs but the attention. The dot product is trained once and by its recipe, twelve epochs
# at a lower rate: at a higher one some seeds do not get going.

# %%
fast = dict(epochs=6, batch_size=128, learning_rate=5e-3)
budget = dict(epochs=1, batch_size=1000, embedding=8, units=16) if lesson.smoke else {}


def train(kind, seed, **settings):
    settings = {**settings, **budget, "data_dir": lesson.data_dir, "verbose": 0}
    return zoo.train("seq2seq_gru", RECIPES[kind][0], run=scratch / f"{kind}{seed}", seed=seed, **settings)


runs = {kind: [train(kind, seed, **fast) for seed in lesson.seeds] for kind in ("none", "additive")}
runs["dot"] = [train("dot", lesson.seed)]


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
# Left, the fraction of single characters that are right, each after the true ones before it (**token accuracy**).
# Right, the fraction of dates that are right in every character when the network writes by itself (**exact match**).
# Without attention the left curve is above one half and the right one stays near the floor. The network has learned
# what a date looks like: hyphens at their places, 19 or 20 at the start. What it has mostly lost is the source.
#
# The dot product begins later. Its scores are products of the states of two GRUs that have not yet learned to speak of
# the same things, so at first they say little.

# %%
exact = {kind: [run.metrics["exact_match"] for run in runs[kind]] for kind in RECIPES}
characters = [run.metrics["token_accuracy"] for run in runs["none"]]
baseline = runs["none"][0].results["baselines"]
for name, kind, bound in (("additive attention, worst seed", "additive", 0.80), ("dot-product attention", "dot", 0.70)):
    lesson.claim(
        f"unseen dates right with {name}", min(exact[kind]), ">=", bound,
        baseline={**baseline, "best without": max(exact["none"])},
    )  # fmt: skip
lesson.claim("unseen dates right without attention, best seed", max(exact["none"]), "<=", 0.30, baseline=baseline)

data = api.reopen(runs["none"][0]).data
data.source = zoo.data.open_source("written_dates:1.0.0", data_dir=lesson.data_dir).load()
written = np.array([list(f"{text}$") for text in data.texts("test")[1]])  # (1000, 11): ten characters and an end
commonest = np.mean([np.unique(column, return_counts=True)[1].max() / len(column) for column in written.T])
lesson.claim(
    "without attention: characters right less dates right, worst seed",
    min(each - whole for each, whole in zip(characters, exact["none"])), ">=", 0.52,
    baseline={"characters right": min(characters), "commonest at each place": commonest},
)  # fmt: skip

# %% [markdown]
# The last baseline reads nothing at all: it writes the commonest character at each place, and half of them are right.
# Yet token accuracy is the score that is shown while training, and many tutorials show nothing else, some with the
# padding counted in. It tells little about what a network writes by itself, where each token follows its own earlier
# ones. There it may take the likeliest token each time (**greedy decoding**), or keep the few likeliest beginnings and
# go on with each of them (**beam search**); `zoo translate` keeps four.
#
# ## Where it looks
# One date, and for each character that is written (down) the weight of each character of the source (across). This is
# the **alignment**: which part of the source belongs to which part of the answer. Nobody told the network of it.

# %%
text = "the 21st of March, 2021"
opened = {kind: api.reopen(runs[kind][0]) for kind in RECIPES}
alignments = {}
for kind in ("additive", "dot"):
    finished = opened[kind]
    translate = Translator(finished.network.model, "seq2seq_gru", finished.data.length)
    prediction = translate(finished.data.encode([text]))[0]
    prediction = prediction[prediction > 3][: finished.data.length - 1]
    inputs = {"source": finished.data.encode([text]), "target": np.array([[2, *prediction]], "int32")}
    alignments[kind] = attention_weights(finished.network.model, inputs)["cross"][0]  # (1, written, read)
    pieces = [*finished.data.tokenizer.decode(prediction), "end"]
    lesson.plot(plots.attention(kind, alignments[kind], pieces, list(text)), f"looks_{kind}")
on_year = alignments["additive"][0, :, len(text) - 4 : len(text)].sum(-1)  # for each character that is written
year, day = on_year[:4].mean(), on_year[8:10].mean()
baseline = {"writing the year": year, "writing the day": day, "all alike": 4 / len(text)}
lesson.claim("additive: weight on the year, writing it less writing the day", year - day, ">=", 0.5, baseline=baseline)

# %% [markdown]
# The state $h_j$ has read what stands around position $j$, so the weight may lie one character beside the one that you
# expect.
#
# ## Does it tell sources apart?
# A network can have a fair loss and give the same answer to nearly everything. So look at the answers, and count. Which
# sources share an answer in the first line, the network without attention?

# %%
dates = {
    "1 May 1987": "1987-05-01", "2 May 1987": "1987-05-02", "3 June 1987": "1987-06-03",
    "June 3, 1988": "1988-06-03", "3.12.2007": "2007-12-03", "12 Aug 1999": "1999-08-12",
}  # fmt: skip
answers = {kind: list(api.translate(finished.run, list(dates), beams=1)) for kind, finished in opened.items()}
for kind, written in answers.items():
    print(f"{kind:>8}: {', '.join(written)}")
correct = sum(a == b for a, b in zip(answers["additive"], dates.values(), strict=True))
lesson.claim("right answers to six different dates, additive", correct, ">=", 5)

# %% [markdown]
# ## Try it
# * Give the network without attention 256 units: `zoo train seq2seq_gru --recipe demo_plain --option units=256`. Does
#   it get there? How long does it take?
# * `zoo predict RUN "3rd of January 2001"`, with the folder of a run of your own, writes the picture of where it looks.
#   What does the picture show for a date with slashes?
# * Write a date in a form that it has never seen: "1987, the 2nd of May". What happens?
#
# <details><summary>Solution</summary>
#
# * More units hold more of a date, and each step costs more. Compare `exact_match` and the seconds of the two run
#   folders with those of `zoo train seq2seq_gru`, which has 64 units and attention.
# * "3rd of January 2001" is read from its end: year, month, day. With slashes the month stands before the day, as in
#   ISO 8601, so these two keep their order and only the year comes from the end.
# * Ask all three seeds: `for run in runs["additive"]: print(*api.translate(run, ["1987, the 2nd of May"], beams=1))`.
#   Where they disagree, the training set did not say what to do.
#
# </details>

# %%
lesson.finish()
