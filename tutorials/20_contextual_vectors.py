# %% [markdown]
# # 20 · Contextual vectors: a word is known by its sentence
#
# Lesson 19 gave each word one vector. But *bank* is two words: one lends money, one lies along a river. Most common
# words have several meanings (**polysemy**), and a **static vector**, the same in every sentence, can only be their
# mean. A **contextual vector** is made anew for each occurrence, from the sentence around it. **ELMo** (Peters and
# others 2018, [arXiv:1802.05365](https://arxiv.org/abs/1802.05365)) takes it from the hidden states of a language model
# (lesson 18) that has read much text. It improved the best results of six quite different tasks at once.
#
# **You will see** a language in which it is known what each word means; a network that reads words letter by letter, so
# that no word is unknown; two language models, one for each direction, which must not peek; what each of their layers
# knows; how a task mixes the layers; and a network that peeks (the failure of this lesson).
#
# **Claims** Neither direction sees what it must predict. The weighted sum of the layers is the paper's formula, to
# 1e-6. The nearest neighbour of an occurrence, among all occurrences of the same word, has the same meaning in at least
# 97 of 100 cases, at least 40 points more than with static vectors, in the worst of three seeds. Each direction alone
# is lost where the clue stands on its other side. Words that were never seen are read rightly by their endings, by the
# network of the middle seed. A network that peeks has a loss that no honest reader can reach.
#
# **Beside them** chance, skip-gram (lesson 19), the mean of the static vectors of the whole sentence, and the same
# network untrained.
#
# **Takes** two minutes on two cores (AMD EPYC). For a text of your own:
# `zoo train elmo --recipe text_folder --data TEXTS/`.

# %%
import keras
import numpy as np
from keras import layers, ops
from lesson import Tutorial
from sklearn.decomposition import PCA

import zoo
from zoo.data.builtin import two_senses
from zoo.data.text import skipgram
from zoo.data.text.skipgram import CountedVocabulary, NegativeSampler
from zoo.data.text.spelling import spelled
from zoo.layers.highway import ScalarMix
from zoo.metrics.word_vectors import vectors_of
from zoo.models.elmo import read_letters, representations
from zoo.plots import INK, SECOND, THIRD, new_figure
from zoo.trainers.word2vec import BlockTrainer, learning_rate_multipliers

lesson = Tutorial("20_contextual_vectors")


def numpy(tensors):
    return keras.tree.map_structure(ops.convert_to_numpy, tensors)


# %% [markdown]
# ## A language with two senses
# Six fields (money, water, music, ...) have nouns, adjectives and verbs of their own; other words belong to no field. A
# sentence has two clauses, each about one field. Ten nouns, such as *bank*, belong to two fields: each is one spelling
# for two **word senses**. Which one is meant, the other words of its clause tell: before it, behind it, or both. The
# other clause is often about the other sense, so it does not help to throw all words of the sentence together.
#
# The grammar tells us the truth; the networks see the text only. To find out which sense is meant is called **word
# sense disambiguation**.

# %%
read, asked = two_senses.sentences(300 if lesson.smoke else 4000), two_senses.sentences(2000, seed=1)
for sentence in asked[:4]:
    field = two_senses.SENSES[sentence.word][sentence.sense]
    where = "before" * sentence.before + " and " * (sentence.before and sentence.after) + "behind" * sentence.after
    print(f"{sentence.text}\n    {sentence.word}: {field}, told by what stands {where}")
place = np.array([sentence.place for sentence in asked])
word = np.array([sentence.word for sentence in asked])
sense = np.array([sentence.sense for sentence in asked])
only_before = np.array([sentence.before and not sentence.after for sentence in asked])
only_behind = np.array([sentence.after and not sentence.before for sentence in asked])


def alike(vectors, where=slice(None)):
    """How often the nearest other occurrence of a word, by the cosine, has the same sense. Vectors (sentences, dim)."""
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    same = np.zeros(len(asked))
    for each in two_senses.SENSES:
        rows = np.flatnonzero(word == each)
        cosines = directions[rows] @ directions[rows].T
        np.fill_diagonal(cosines, -2)
        same[rows] = sense[rows] == sense[rows[cosines.argmax(1)]]
    return float(same[where].mean())


# %% [markdown]
# ## One vector for each word
# Skip-gram of lesson 19 on the same text. *bank* has the same vector wherever it stands, so all its occurrences are
# equally near and the nearest is any of them: right half of the time. The obvious repair is to take the mean of the
# vectors of the whole sentence. It knows which fields the sentence is about, but not which clause the word stands in.

# %%
WINDOW, DIM, NEGATIVES, B = 4, 32, 5, 16
words = CountedVocabulary.of(
    {word: sum(text.text.split().count(word) for text in read) for word in {w for s in read for w in s.text.split()}},
    min_count=1, source="the language",
)  # fmt: skip
token_ids = np.asarray(words.encode(sentence.text.split() for sentence in read))


def skip_gram(seed):
    """Static vectors, (words, DIM)."""
    keras.utils.set_random_seed(seed)
    rng, network = np.random.default_rng(seed), zoo.build("word2vec", vocabulary_size=len(words), dimension=DIM)
    frequencies, sampler = np.array(words.counts) / words.tokens, NegativeSampler(words.counts)
    rates = learning_rate_multipliers(
        frequencies, sampler.probabilities, learning_rate=0.05, words=8 * B, window=WINDOW, negatives=NEGATIVES
    )
    trainer = BlockTrainer(network, negatives=NEGATIVES, learning_rate_multipliers=rates)
    trainer.compile(keras.optimizers.SGD(0.05), jit_compile=False)
    for _ in range(1 if lesson.smoke else 6):
        texts, left, right = skipgram.blocks(*skipgram.windows(token_ids, WINDOW, rng), size=B, window=WINDOW)
        count = len(texts) // 8 * 8
        x = {"words": texts, "left": left, "right": right, "negatives": sampler.draw(rng, (len(texts), 16))}
        trainer.fit({key: each[:count] for key, each in x.items()}, np.zeros(count), batch_size=8, verbose=0)
    return vectors_of(network)


static = skip_gram(lesson.seed)
vectors = static[np.array([[words.ids.get(w, 0) for w in sentence.text.split()] for sentence in asked])]
of_the_word = vectors[np.arange(len(asked)), place]
flat, thrown_together = alike(of_the_word), alike(vectors.sum(1) - of_the_word)
print(f"same sense: static vector {flat:.3f}, mean of the other words of the sentence {thrown_together:.3f}")

# %% [markdown]
# ## Words by their letters
# ELMo has no table of words at its input. A word is a row of letters, with a mark where it begins and one where it
# ends: a **character convolution** (Kim and others 2016, [arXiv:1508.06615](https://arxiv.org/abs/1508.06615)) slides
# over them as lesson 10's over an image. A filter of width 2 that answers to "s, end" finds plurals. Of each filter the
# largest answer is kept, wherever it was. All of them together go through a **highway layer** (Srivastava and others
# 2015, [arXiv:1505.00387](https://arxiv.org/abs/1505.00387)), an early relative of the residual connection with a
# gate $t$ that decides, number by number, how much is changed:
#
# $$y = t \odot \text{relu}(W x + b) + (1 - t) \odot x, \qquad t = \sigma(W_t x + b_t).$$
#
# ## Two language models that must not peek
# Let $x_k$ be that vector of word $k$. A **bidirectional language model** (biLM) is two language models. One reads from
# the left and predicts each word from those before it, the other reads from the right and predicts it from those
# behind it. Both losses are added:
#
# $$L = -\sum_k \log P(w_k \mid w_1 \dots w_{k-1}; \overrightarrow{\Theta})
#       + \log P(w_k \mid w_{k+1} \dots w_N; \overleftarrow{\Theta}).$$
#
# They share the network of the letters and the last layer, which knows the words; each has its own two LSTMs, and the
# second adds its output to its input. Why not one network that reads both ways? Because then the word to be predicted
# would be among what it reads. This can be tested: change the word at one place, and see which answers move. The
# forward answer at place $k$ predicts word $k+1$; it may move if $k$ is at the change or behind it. The backward answer
# predicts word $k-1$.

# %%
SIZE = dict(embedding=8, filters=((1, 8), (2, 16), (3, 32)), highways=1, dim=48, dropout=0.0)
LETTERS, EDGE = 12, len(words)  # a word of its own: where a sentence begins and ends
table = spelled(["", *words.words[1:]], LETTERS)


def elmo(seed):
    keras.utils.set_random_seed(seed)
    return zoo.build("elmo", input_shape=(None, LETTERS), vocabulary_size=len(words) + 1, **SIZE)


def letters_of(sentences):
    """(sentences, words, LETTERS)"""
    return np.stack([spelled(sentence.text.split(), LETTERS) for sentence in sentences])


def moved(model, sentence, at):
    """Which answers move when another word stands at `at`: two arrays of truth values, one for each direction."""
    letters = letters_of([sentence])
    other = letters.copy()
    other[0, at] = spelled(["zebra"], LETTERS)
    before, after = (numpy(model(each, training=False)) for each in (letters, other))
    return tuple(np.abs(before[way] - after[way]).max(axis=(0, 2)) > 0 for way in ("forward", "backward"))


model, places = elmo(lesson.seed), np.arange(two_senses.LENGTH)
peeks = {"forward": 0, "backward": 0}
for at in places:
    forward, backward = moved(model, asked[0], at)
    peeks["forward"] += int((forward != (places >= at)).sum())
    peeks["backward"] += int((backward != (places <= at)).sum())
for way, count in peeks.items():
    lesson.claim(f"{way} answers that see what they must not, or miss what they may", count, "==", 0, exact=True)
print(f"{model.count_params():,} weights; {len(words) - 1} words and the edge of a sentence to tell apart")

# %% [markdown]
# ## Reading
# A sentence is a row; its edge is a word of its own that the outermost answers must predict. Knowing nothing costs
# $\ln V$ for each word and direction (lesson 23 uses this as a test).

# %%
EPOCHS, BATCH, RATE = (1, 32, 1e-2) if lesson.smoke else (7, 32, 1e-2)
ids = np.array([[words.ids[w] for w in sentence.text.split()] for sentence in read])
edge = np.full((len(ids), 1), EDGE)
targets = {"forward": np.hstack([ids[:, 1:], edge]), "backward": np.hstack([edge, ids[:, :-1]])}


def cross_entropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def fitted(model, targets, epochs=EPOCHS):
    """The model, and its loss after each epoch: the mean over the directions."""
    rate = keras.optimizers.schedules.CosineDecay(RATE, epochs * -(-len(ids) // BATCH))
    model.compile(keras.optimizers.Adam(rate), keras.tree.map_structure(lambda _: cross_entropy(), targets))
    losses = model.fit(table[ids], targets, epochs=epochs, batch_size=BATCH, verbose=0).history["loss"]
    return model, [each / (len(targets) if isinstance(targets, dict) else 1) for each in losses]


def states_of(model):
    """Of the words in question: a vector from each layer, [(sentences, 2 dim), ...]."""
    found = representations(model).predict(letters_of(asked), batch_size=500, verbose=0)
    return [np.asarray(layer)[np.arange(len(asked)), place] for layer in found]


models, states, histories, untrained = [], [], [], []
for seed in lesson.seeds:
    model = elmo(seed)
    untrained.append(alike(states_of(model)[2]))
    model, losses = fitted(model, targets)
    models.append(model)
    states.append(states_of(model))
    histories.append(losses)
    print(f"seed {seed}: loss {losses[0]:.3f} after the first epoch, {losses[-1]:.3f} after the last, "
          f"ln V {np.log(len(words)):.3f}")  # fmt: skip

# %% [markdown]
# ## What each layer knows
# Layer 0 is the word by its letters, the same wherever it stands. Layers 1 and 2 are the states of the LSTMs, of both
# directions side by side. Is the nearest other occurrence of the word one of the same sense? (Of an untrained network
# too the states depend on the sentence; it stands beside the claim.)

# %%
HALF = SIZE["dim"]  # the forward states are the first half of a vector
WAYS = {"both": slice(None), "forward": slice(None, HALF), "backward": slice(HALF, None)}
WHERE = {"all": slice(None), "clue only before": only_before, "clue only behind": only_behind}
found = {
    (layer, way, kind): np.array([alike(each[layer][:, columns], rows) for each in states])
    for layer in range(3)
    for way, columns in WAYS.items()
    for kind, rows in WHERE.items()
}
print(f"{'layer':>6} {'way':>9} | " + " | ".join(f"{kind:>16}" for kind in WHERE))
for layer in range(3):
    for way in WAYS:
        row = " | ".join(f"{found[layer, way, kind].mean():16.3f}" for kind in WHERE)
        print(f"{layer:>6} {way:>9} | {row}")
chance = {"static vector": flat, "mean of the sentence": thrown_together,
          "untrained": max(untrained), "chance": 0.5}  # fmt: skip
top = found[2, "both", "all"]
lesson.claim("same sense by the top layer, worst seed", top.min(), ">=", 0.97, baseline=chance)
lesson.claim("points gained over static vectors, worst seed", top.min() - flat, ">=", 0.40, baseline=chance)
lesson.claim(
    "forward alone, clue only behind: points lost, worst seed",
    (found[2, "both", "clue only behind"] - found[2, "forward", "clue only behind"]).min(), ">=", 0.25,
    baseline={"forward alone": found[2, "forward", "clue only behind"].mean()},
)  # fmt: skip
lesson.claim(
    "backward alone, clue only before: points lost, worst seed",
    (found[2, "both", "clue only before"] - found[2, "backward", "clue only before"]).min(), ">=", 0.20,
    baseline={"backward alone": found[2, "backward", "clue only before"].mean()},
)  # fmt: skip

figure = new_figure(11, 3.4)
panels = figure.subplots(1, 3)
rows = word == "bank"
for layer, axes in enumerate(panels):
    flat_map = PCA(2).fit_transform(states[0][layer][rows])
    for each, colour in ((0, INK), (1, SECOND)):
        points = flat_map[sense[rows] == each]
        axes.scatter(*points.T, s=8, color=colour, alpha=0.7, label=f"bank: {two_senses.SENSES['bank'][each]}")
    axes.set(title=f"layer {layer}", xticks=[], yticks=[])
    axes.margins(0.15)
    axes.set_aspect("equal", adjustable="datalim")
panels[0].legend(frameon=False, fontsize=8)
lesson.plot(figure, "senses")

# %% [markdown]
# Each dot is one sentence with *bank* or *banks*. Layer 0 has two dots, the singular and the plural, for it knows the
# letters alone. What the layers above know of the sentence pulls the senses apart.
#
# ## A mix for each task
# Which layer should a task take? ELMo lets it choose: a weighted sum of all layers $h_j$, whose weights $s$ are a
# softmax of three numbers and are learned with the task, and one factor $\gamma$ for the size (**scalar mix**, equation
# 1 of the paper):
#
# $$\text{ELMo} = \gamma \sum_{j=0}^{2} s_j h_j, \qquad s = \text{softmax}(w).$$
#
# From scratch in two lines, then two tasks on frozen vectors, with nothing but the mix and one dense layer to learn:
# which field is meant, and is the word a plural?

# %%
mix, rng = ScalarMix(), np.random.default_rng(lesson.seed)
h, w, gamma = [rng.normal(size=(4, 5)).astype("float32") for _ in range(3)], rng.normal(size=3), 1.7
mix(h)
mix.set_weights([w, np.array(gamma)])
s = np.exp(w) / np.exp(w).sum()
by_hand = gamma * (s[0] * h[0] + s[1] * h[1] + s[2] * h[2])
difference = float(np.abs(numpy(mix(h)) - by_hand).max())
plain_sum = float(np.abs(sum(h) - by_hand).max())
lesson.claim("scalar mix less the formula, largest difference", difference, "<=", 1e-6,
             baseline={"plain sum": plain_sum}, exact=True)  # fmt: skip

fields = list(two_senses.FIELDS)
QUESTIONS = {
    "field": np.array([fields.index(two_senses.SENSES[w][s]) for w, s in zip(word, sense)]),
    "plural": np.array([sentence.text.split()[sentence.place].endswith("s") for sentence in asked]).astype(int),
}
TAUGHT = slice(0, 1000)  # the rest is for the test


def probe(states, answers, seed):
    """(accuracy, the weights s) of a mix of the layers and one dense layer."""
    keras.utils.set_random_seed(seed)
    inputs = [keras.Input(each.shape[1:]) for each in states]
    mix = ScalarMix()
    logits = layers.Dense(int(answers.max()) + 1)(mix(inputs))
    model = keras.Model(inputs, logits)
    model.compile(keras.optimizers.Adam(2e-2), cross_entropy())
    epochs = 1 if lesson.smoke else 25
    model.fit([each[TAUGHT] for each in states], answers[TAUGHT], epochs=epochs, batch_size=100, verbose=0)
    predicted = model.predict([each[1000:] for each in states], batch_size=500, verbose=0).argmax(1)
    shares = np.exp(numpy(mix.w))
    return float((predicted == answers[1000:]).mean()), shares / shares.sum()


mixed = {name: [probe(each, answers, seed) for seed, each in zip(lesson.seeds, states)]
         for name, answers in QUESTIONS.items()}  # fmt: skip
by_letters = probe([states[0][0]] * 3, QUESTIONS["field"], lesson.seed)[0]  # three times layer 0
shares = {name: np.mean([each[1] for each in rows], axis=0) for name, rows in mixed.items()}
for name, rows in mixed.items():
    print(f"{name:>7}: accuracy {np.mean([each[0] for each in rows]):.3f}, s = {np.round(shares[name], 3)}")
lesson.claim(
    "field meant, by the mix: accuracy, worst seed", min(each[0] for each in mixed["field"]), ">=", 0.90,
    baseline={"letters alone": by_letters},
)  # fmt: skip
top_share = [field[1][2] - plural[1][2] for field, plural in zip(mixed["field"], mixed["plural"])]
lesson.claim(
    "share of the top layer, for the field less for the plural, worst seed", min(top_share), ">=", 0.15,
    baseline={"untrained mix": 0.0},
)  # fmt: skip

figure = new_figure(9.5, 3.2)
left, right = figure.subplots(1, 2)
for number, (way, colour) in enumerate(zip(WAYS, (INK, SECOND, THIRD))):
    left.bar(np.arange(3) + 0.27 * (number - 1), [found[layer, way, "all"].mean() for layer in range(3)], 0.25,
             color=colour, label=way)  # fmt: skip
left.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
left.set(xticks=range(3), xlabel="layer", ylabel="nearest has the same sense", ylim=(0, 1.2))
left.legend(frameon=False, fontsize=8, loc="upper left", ncols=3)
for number, (name, colour) in enumerate(zip(shares, (INK, SECOND))):
    right.bar(np.arange(3) + 0.3 * (number - 0.5), shares[name], 0.28, color=colour, label=f"task: {name}")
right.axhline(1 / 3, color="black", linewidth=0.8, linestyle=":")
right.set(xticks=range(3), xlabel="layer", ylabel="learned share s")
right.legend(frameon=False, fontsize=8)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "layers")

# %% [markdown]
# ## Words that nobody has seen
# Show children a picture of a *wug*, then two: "two ... ?" - "wugs" (J. Berko 1958,
# [doi:10.1080/00437956.1958.11659661](https://doi.org/10.1080/00437956.1958.11659661)). Our verbs agree with their
# subjects: "the wug likes", "the wugs like". The network has read neither. A table of words would have one row,
# *unknown*, for both. By the letters it should give the right form of the verb more probability, all verbs together.
# Nothing in its own text asks for that: it could as well learn each word that it reads by heart, and now and then a
# seed does so. Hence the seed in the middle is held to it, and not the worst.

# %%
INVENTED = "wug blick gorp dax toma fep norble zund kiffer plam trox vimp lurn sket bodge quall fennel mipper drobe"
verbs = " ".join([two_senses.NEUTRAL[2], *(each[2] for each in two_senses.FIELDS.values())]).split()
singular = np.array([words.ids[verb + "s"] for verb in verbs if verb + "s" in words.ids])
plural = np.array([words.ids[verb] for verb in verbs if verb in words.ids])


def agreement(model):
    """How often the right form of the verb is the likelier one, after invented nouns in both numbers."""
    right = []
    for noun in INVENTED.split():
        for many in (False, True):
            letters = spelled(["the", "old", noun + "s" * many], LETTERS)[None]
            logits = numpy(model(letters, training=False))["forward"][0, -1].astype("float64")
            weights = np.exp(logits - logits.max())
            right.append((weights[plural].sum() > weights[singular].sum()) == many)
    return float(np.mean(right))


agreed = [agreement(model) for model in models]
print("verbs that agree with invented nouns: " + ", ".join(f"{each:.3f}" for each in agreed))
lesson.claim(
    "verbs that agree with invented nouns, middle seed", float(np.median(agreed)), ">=", 0.85,
    baseline={"a table of words": 0.5},
)  # fmt: skip

# %% [markdown]
# ## The failure: a network that peeks
# Join the directions after the first layer, as the bidirectional networks of lesson 18 do: layer 2 reads both at once
# and predicts the next word. Where it stands on word $k$, the backward states have read word $k+1$ already. It need not
# understand anything to say what it has read. The loss falls far below what any honest reader can reach, and is no
# sign of understanding: more of its nearest neighbours are wrong. (Lesson 23 shows the other way out: to read both ways
# at once, and hide the word.)

# %%
letters = keras.Input((None, LETTERS), dtype="int32")
x = read_letters(letters, SIZE["embedding"], SIZE["filters"], SIZE["highways"], SIZE["dim"])
keras.utils.set_random_seed(lesson.seed)
for number in (1, 2):
    x = layers.Bidirectional(layers.LSTM(SIZE["dim"], return_sequences=True), name=f"joined{number}")(x)
peeking = keras.Model(letters, layers.Dense(len(words) + 1)(x))
letters_now = letters_of(asked[:1])
other = letters_now.copy()
other[0, 8] = spelled(["zebra"], LETTERS)
answers = [numpy(peeking(each, training=False)) for each in (letters_now, other)]
seen = int((np.abs(answers[0] - answers[1]).max(axis=(0, 2))[:8] > 0).sum())
lesson.claim("peeking: answers before a word that see it", seen, ">=", 1, baseline={"of": 8, "without": 0}, exact=True)
peeking, peeking_losses = fitted(peeking, targets["forward"])
top_states = keras.Model(letters, x).predict(letters_of(asked), batch_size=500, verbose=0)
blind = alike(top_states[np.arange(len(asked)), place])
honest = histories[0][-1]
lesson.claim("peeking: loss", peeking_losses[-1], "<=", 0.5, baseline={"both ways, without": honest})
print(f"wrong neighbours: {1 - blind:.4f}; of the two models that do not peek {1 - top[0]:.4f}")

figure = new_figure(6, 3.4)
axes = figure.subplots()
axes.plot(range(1, EPOCHS + 1), histories[0], "o-", color=INK, markersize=3, label="two models that do not peek")
axes.plot(range(1, EPOCHS + 1), peeking_losses, "o-", color=SECOND, markersize=3, label="one that does")
axes.axhline(np.log(len(words)), color="black", linewidth=0.8, linestyle=":")
axes.text(1, np.log(len(words)) - 0.1, "ln V", fontsize=8, va="top")
axes.set(xlabel="epoch", ylabel="loss of a word", ylim=(0, None))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=8)
lesson.plot(figure, "loss")

# %% [markdown]
# ## Try it
# * Which of the ten words is the hardest? `{each: alike(states[0][2], word == each) for each in two_senses.SENSES}`,
#   and the same for `states[0][2][:, :HALF]`, the forward states alone.
# * Take the sum of all three layers, `alike(sum(states[0]))`, as the vector of a word. Is it better than the top layer
#   alone?
# * Let the filters see one letter at a time, `filters=((1, 56),)` in `SIZE`. Can it still tell *wug* from *wugs*?
#
# <details><summary>Solution</summary>
#
# * With both directions none is hard. The forward states alone are lost in those sentences whose clue comes behind,
#   whichever word it is.
# * No. Layer 0 adds the same vector to all occurrences of a form, which says nothing of the sense; the more of it, the
#   less the rest counts in a cosine. That is why a task should choose its own mix.
# * A filter of one letter sees an *s*, but not that it is the last one, for only "s, end" together say that. *zund* and
#   *wugs* it can tell apart; *sket* has an *s* too and is no plural.
#
# </details>

# %%
lesson.finish()
