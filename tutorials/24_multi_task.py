# %% [markdown]
# # 24 · Five questions, one network
#
# A classifier chooses one class of several: a digit is a 3 or an 8. But one may ask several questions about the same
# image. Is the digit even? Is it above four? Has it a closed loop? The answer may be yes to any number of them: this is
# **multi-label classification**, and each yes/no question is an **attribute**. One network that answers them all is an
# example of **multi-task learning** (Caruana 1997,
# [doi:10.1023/A:1007379606734](https://doi.org/10.1023/A:1007379606734)).
#
# **You will see** how well each question is answered, what a small slip in the formula of the loss does (the network
# says yes to everything), and what may be done where answers are missing.
#
# **Claims** In the worst of three seeds the mean area under the ROC curve (AUC) is at least .98. With the wrong loss
# the network says yes to every question about every digit, and is right as often as the answer is yes. With half of all
# answers missing, the mean AUC falls by less than .01; it falls further where only complete examples are learned from.
# Where a missing answer is taken for a no, at least .15 of the accuracy is lost. Five networks, one for each question,
# are no better, and have nearly five times as many weights. A question with few answers gains by the others.
#
# **Beside them** a random order of the digits (AUC .5), a logistic regression for each question, and an answerer that
# always gives the commoner answer.
#
# **Takes** 1.6 minutes on one core (AMD EPYC). To read on: Ruder 2017,
# [arXiv:1706.05098](https://arxiv.org/abs/1706.05098).

# %%
import keras
import numpy as np
from keras import ops
from lesson import Tutorial
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import zoo
from zoo.data.builtin.digit_attributes import ATTRIBUTES
from zoo.losses import MaskedBinaryCrossentropy
from zoo.metrics.multi_task import UNKNOWN, accuracies, areas, base_rates
from zoo.plots import INK, SECOND, THIRD, new_figure
from zoo.plots.multi_task import precision_recall

lesson = Tutorial("24_multi_task")
digits = load_digits()
x = (digits.images[..., np.newaxis] / 8 - 1).astype("float32")  # pixels from -1 to 1
answers = np.stack([np.isin(digits.target, those) for those in ATTRIBUTES.values()], axis=1).astype("int32")
order = np.random.default_rng(0).permutation(len(x))
x, answers = x[order], answers[order]
train, test = slice(0, 1200), slice(1200, None)
for name, those in ATTRIBUTES.items():
    print(f"{name:>17}: yes for {', '.join(map(str, those))}")
print(f"the first digit is a {digits.target[order][0]}: {answers[0]}")

# %% [markdown]
# ## A sigmoid for each question
# The label of an image is now a vector with a number for each question, in the order printed above. For the digit 0 it
# is $y = (0, 1, 1, 1, 0)$. A classifier ends in a softmax, whose probabilities add up to 1. Attributes do not exclude
# each other, so each has a logit $z_j$ and a sigmoid of its own, $\hat y_j = 1 / (1 + e^{-z_j})$: the predicted
# probability of a yes. (The hat says that it is a prediction; $y_j$ without it is the true answer.) The loss of one
# question is the binary cross-entropy (lesson 06). The loss of the network is its sum over the five questions, and the
# mean of that over the $m$ examples:
#
# $$L = \frac{1}{m} \sum_{i=1}^m \sum_{j=1}^5 \Big( -y_j^{(i)} \log \hat y_j^{(i)}
#       - \big(1 - y_j^{(i)}\big) \log \big(1 - \hat y_j^{(i)}\big) \Big).$$
#
# All layers but the last are shared, and the last has a column of weights for each question (**hard parameter
# sharing**). The gradient that reaches the shared layers is the sum of those of the five questions.

# %%
rng = np.random.default_rng(24)
some, logits = answers[:50], rng.normal(scale=2, size=(50, 5)).astype("float32")
by_hand = sum(log_loss(truth, 1 / (1 + np.exp(-z.astype("float64")))) for truth, z in zip(some.T, logits.T))
gap = abs(float(MaskedBinaryCrossentropy()(some, logits)) - by_hand)
beside = {"the loss": by_hand}
lesson.claim("the loss, less scikit-learn's log loss summed", gap, "<=", 1e-5, baseline=beside, exact=True)


# %% [markdown]
# The network is `multi_task`. Its body (the option `tower`) may be any image classifier of the zoo; here it is `mlp`, a
# multilayer perceptron (lesson 09). For each question the **AUC** (lesson 06) is the chance that a digit with the
# answer yes gets a higher logit than one with the answer no. We report the mean over the questions.


# %%
def trained(images, labels, seed, loss=None):
    """A network after 20 epochs of 19 updates, however many images there are."""
    keras.utils.set_random_seed(seed)
    model = zoo.build("multi_task", tower="mlp", input_shape=(8, 8, 1), num_classes=labels.shape[1])
    epochs = 1 if lesson.smoke else 20
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * 19)
    model.compile(keras.optimizers.Adam(rate), loss or MaskedBinaryCrossentropy())
    rows = np.resize(np.arange(len(images)), 1200)  # few images come several times
    model.fit(images[rows], labels[rows], batch_size=64, epochs=epochs, verbose=0)
    return model


def logits_of(model):
    return model.predict(x[test], verbose=0)


def mean_auc(model):
    return float(np.mean(areas(answers[test], logits_of(model))))


models = [trained(x[train], answers[train], seed) for seed in lesson.seeds]
full = [mean_auc(model) for model in models]  # of each seed
flat = x.reshape(len(x), -1)
linear = [LogisticRegression(C=0.1, max_iter=500).fit(flat[train], each[train]) for each in answers.T]
of_pixels = areas(answers[test], np.stack([each.decision_function(flat[test]) for each in linear], axis=1)).mean()
print(f"mean AUC by seed: {', '.join(f'{auc:.4f}' for auc in full)}")
beside = {"any order": 0.5, "logistic regressions": of_pixels}
lesson.claim("mean AUC of five questions, worst seed", min(full), ">=", 0.98, baseline=beside)

names = [name.replace("_", " ") for name in ATTRIBUTES]
lesson.plot(precision_recall(names, answers[test], logits_of(models[0])), "precision_recall")

# %% [markdown]
# The figure has a curve for each question, the hardest first. Take "even": what part of the digits that are called even
# *are* even (precision), against what part of the even ones is found (recall). The dotted line is the part of all
# digits that is even, the **base rate** of "even": the precision of saying yes to all. The dot is where the network
# stands with a threshold of one half.
#
# Accuracy alone says little here. If the answer is yes for one image in a hundred, always saying no has an accuracy of
# .99. So each accuracy stands beside that of always giving the commoner answer. (It is the base rate or 1 less the base
# rate, whichever is larger; the zoo's `base_rates` gives that.)

# %%
told = zip(names, accuracies(answers[test], logits_of(models[0])), base_rates(answers[test]))
for name, accuracy, base in told:
    print(f"{name:>17}: accuracy {accuracy:.3f}, of the commoner answer {base:.3f}")

# %% [markdown]
# ## Failure: one hat too few
# Copy the formula and leave out one of the two hats. It is easily done:
#
# $$L_{wrong}(\hat y, y) = -y \log \hat y - (1 - y) \log (1 - y).$$
#
# The second term now holds the label in place of the prediction. Where the answer is no, $y = 0$, it is $\log 1 = 0$,
# whatever was predicted: a yes with probability .9 costs nothing. It should cost $-\log(1 - .9) = 2.303$. (Where
# $y = 1$ it is $0 \cdot \log 0$, which a computer calls NaN, "not a number"; below, 0 is taken.) So a wrong no is still
# punished, and a wrong yes is not. The cheapest network always says yes.


# %%
class OneHatTooFew(keras.Loss):
    """The formula above, summed over the questions."""

    def call(self, y, z):
        y = ops.cast(y, "float32")
        right = -y * ops.log_sigmoid(z)
        wrong = -(1 - y) * ops.log(ops.maximum(1 - y, 1e-7))
        return ops.sum(right + wrong, axis=-1)


no, nine_tenths = np.array([[0]]), np.log([[9.0]]).astype("float32")  # the logit of a probability of .9
cost = float(OneHatTooFew()(no, nine_tenths))
beside = {"should be": float(MaskedBinaryCrossentropy()(no, nine_tenths))}
lesson.claim("cost of a confident yes where the answer is no", cost, "==", 0, baseline=beside, exact=True)
with np.errstate(all="ignore"):
    print(f"(1 - y) log(1 - y) at y = 1, as NumPy has it: {np.float32(0) * np.log(np.float32(0))}")

sayers = [trained(x[train], answers[train], seed, OneHatTooFew()) for seed in lesson.seeds]
said = [logits_of(model) for model in sayers]
yes = [float(np.mean(z >= 0)) for z in said]
rate = float(answers[test].mean())
off = [abs(float(np.mean(accuracies(answers[test], z))) - rate) for z in said]
right = [float(np.mean(accuracies(answers[test], logits_of(model)))) for model in models]
beside = {"correct loss": float(np.mean(logits_of(models[0]) >= 0)), "are yes": rate}
lesson.claim("wrong loss: answers that are yes, worst seed", min(yes), ">=", 0.999, baseline=beside)
beside = {"accuracy of the correct loss": min(right), "base rate": rate}
lesson.claim("wrong loss: accuracy less the base rate of yes, worst seed", max(off), "<=", 0.01, baseline=beside)
print(f"wrong loss, mean AUC by seed: {', '.join(f'{mean_auc(model):.3f}' for model in sayers)}")

figure = new_figure(8, 3)
for axes, z, title in zip(figure.subplots(1, 2), (logits_of(models[0]), said[0]), ("correct loss", "one hat too few")):
    parts = [z[answers[test] == answer] for answer in (0, 1)]
    bins = np.linspace(min(z.min(), -1), max(z.max(), 1), 40)
    axes.hist(parts, bins, stacked=True, color=(SECOND, INK), label=("answer is no", "answer is yes"))
    axes.axvline(0, color=THIRD, linewidth=1, linestyle="--")
    axes.set(xlabel="logit (yes to the right of 0)", title=title)
    axes.spines[["top", "right"]].set_visible(False)
figure.axes[0].set_ylabel("answers")
figure.axes[1].legend(frameon=False, fontsize=8)
lesson.plot(figure, "wrong_loss")

# %% [markdown]
# In the figure all logits of the wrong loss are to the right of 0, those of a no as well. They are not all equal, and
# their order still tells a little: the mean AUC that is printed above is better than a random order's .5.
#
# ## Answers that nobody has given
# With five questions for each image, some answers will be missing: a **missing label**. A sum over the questions copes
# with that: leave the term out. In the zoo an unknown answer is -1, and the loss is **masked** there (lesson 21); the
# other answers of the image teach as before. We take half of all answers away at random and try three ways:
#
# * *masked*: the sum over what is known;
# * *complete only*: drop each image with a gap. With five questions, about one image in $2^5 = 32$ is left;
# * *taken for no*: a missing answer becomes a 0. It is an easy mistake: many tables hold a 0 where nobody has answered.


# %%
def with_gaps(seed):
    """The training answers, half of them unknown."""
    gone = np.random.default_rng(seed).random(answers[train].shape) < 0.5
    return np.where(gone, UNKNOWN, answers[train])


kept = {"masked": [], "complete only": [], "taken for no": []}
for seed in lesson.seeds:
    known = with_gaps(seed)
    complete = (known != UNKNOWN).all(1)
    kept["masked"].append(logits_of(trained(x[train], known, seed)))
    kept["complete only"].append(logits_of(trained(x[train][complete], known[complete], seed)))
    kept["taken for no"].append(logits_of(trained(x[train], np.maximum(known, 0), seed)))
print(f"complete examples, last seed: {complete.sum()} of {len(complete)}")
auc = {name: np.array([areas(answers[test], z).mean() for z in found]) for name, found in kept.items()}
accuracy = {name: np.array([accuracies(answers[test], z).mean() for z in found]) for name, found in kept.items()}
for name in kept:
    print(f"{name:>13}: mean AUC {auc[name].round(4)}, accuracy {accuracy[name].round(3)}")
lost = max(np.array(full) - auc["masked"])
beside = {"all answers": min(full), "masked": min(auc["masked"])}
lesson.claim("mean AUC lost with half of the answers, masked, worst seed", lost, "<=", 0.006, baseline=beside)
gain = min(auc["masked"] - auc["complete only"])
beside = {"complete only": max(auc["complete only"])}
lesson.claim("mean AUC, masked less complete only, worst seed", gain, ">=", 0.02, baseline=beside)
gain = min(accuracy["masked"] - accuracy["taken for no"])
beside = {"taken for no": max(accuracy["taken for no"]), "commoner answer": base_rates(answers[test]).mean()}
lesson.claim("accuracy, masked less taken for no, worst seed", gain, ">=", 0.15, baseline=beside)

figure = new_figure(8, 3)
for axes, (title, found, whole) in zip(
    figure.subplots(1, 2), (("mean AUC", auc, full), ("accuracy, threshold of one half", accuracy, right))
):
    for number, name in enumerate(kept):
        axes.plot([number] * len(found[name]), found[name], "o", color=INK if name == "masked" else SECOND)
    axes.axhline(np.mean(whole), color=THIRD, linestyle="--", linewidth=1)
    axes.text(2.4, np.mean(whole), "all answers", ha="right", va="bottom", fontsize=8, color=THIRD)
    axes.set(title=title, xticks=range(3), xticklabels=kept, xlim=(-0.5, 2.5), ylim=(None, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "missing_answers")

# %% [markdown]
# The right figure shows what the left one hides about gaps that are taken for a no. If half of the yeses are written
# down as no, the network learns half of their probability. The *order* of the images hardly changes, and neither does
# the AUC, but a threshold of one half finds few of the yeses.
#
# ## One network or five?
# Is anything lost by sharing? Train five networks with one question each. And is anything gained? Take the answers to
# one question, "prime", away from all but 60 images, and keep the answers to the other four: they may teach what a
# digit looks like. Beside it stands a network for "prime" alone, trained on the 60 images.

# %%
alone = [[trained(x[train], each[train, None], seed) for each in answers.T] for seed in lesson.seeds]
apart = [
    float(np.mean([areas(answers[test][:, [j]], logits_of(each))[0] for j, each in enumerate(five)])) for five in alone
]
beside = {"one network": min(full), "five": min(apart)}
gap = min(np.subtract(full, apart))
lesson.claim("mean AUC, one network less five, worst seed", gap, ">=", -0.002, baseline=beside)
sizes = {"one network": models[0].count_params(), "five": sum(each.count_params() for each in alone[0])}
part = sizes["one network"] / sizes["five"]
lesson.claim("weights of one network, of those of five", part, "<=", 0.21, baseline=sizes, exact=True)

FEW, PRIME = 60, list(ATTRIBUTES).index("prime")
sparse = answers[train].copy()
sparse[FEW:, PRIME] = UNKNOWN
among = [areas(answers[test], logits_of(trained(x[train], sparse, seed)))[PRIME] for seed in lesson.seeds]
single = [trained(x[train][:FEW], answers[train][:FEW, [PRIME]], seed) for seed in lesson.seeds]
by_itself = [areas(answers[test][:, [PRIME]], logits_of(each))[0] for each in single]
beside = {"among the others": min(among), "by itself": max(by_itself)}
gain = min(np.subtract(among, by_itself))
lesson.claim("AUC of prime, 60 answers, among others less by itself", gain, ">=", 0.01, baseline=beside)

# %% [markdown]
# Where every question is answered, one network does what five do; it is not *better*. Sharing helps where a task has
# little data of its own, as in the last case: the other questions teach the shared layers what a digit looks like, and
# then 60 answers say which digits are prime.
#
# ## Your own images
# Put them into a folder with a table `labels.csv`: a column `file`, and one for each question with 1, 0 or nothing.
#
# ```
# zoo train multi_task --data PHOTOS/ --option tower=resnet18
# zoo predict runs/multi_task-folder-0 new.jpg
# ```
#
# The run folder has the precision and the recall of each question, and the surest of the wrong answers.

# %% [markdown]
# ## Try it
# * Which question is the hardest, with all answers and with half? Print `areas(answers[test], kept["masked"][0])`.
# * Leave the hat out of the *first* term as well, with 0 for $0 \log 0$. What is left to learn from?
# * Replace the sum over the questions by the mean. What else has to change, so that the training is the same?
#
# <details><summary>Solution</summary>
#
# * "Multiple of three" in both cases: .9983 with all answers and .9974 with half of them (seed 0); seeds 1 and 2 say
#   the same. Perhaps 0, 3, 6 and 9 have the least in common to look at.
# * Nothing: $-y \log y - (1 - y) \log (1 - y)$ is 0 for yes and for no, and holds no prediction. The gradient is 0,
#   the network keeps its first random weights, and its mean AUC is that of a guess (.49 for seed 0).
# * The gradient becomes a fifth, so with stochastic gradient descent the learning rate must be five times as large.
#   Adam divides the gradient by its own size: here nothing has to change (mean AUC of seed 0: .9992 with the sum, .9992
#   with the mean).
#
# </details>

# %%
lesson.finish()
