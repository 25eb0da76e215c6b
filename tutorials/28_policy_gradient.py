# %% [markdown]
# # 28 · Policy gradient: learning from reward alone
#
# So far somebody knew the right answer: a label, the next word, the image itself. Nobody knows the right move in a
# game. There is a number at the end, won or lost, and every move before it may have been good or bad. To learn from
# such numbers is **reinforcement learning**. Its simplest method, **REINFORCE** (Williams 1992,
# [doi:10.1007/BF00992696](https://doi.org/10.1007/BF00992696)), needs nothing new: it is the cross-entropy of lesson 9
# with a weight on each example, so `fit(sample_weight=...)` trains it.
#
# **You will see** a small game, what is the best that anybody can do in it, why a weighted cross-entropy follows the
# gradient of the reward, what a baseline does to its noise, a policy that learns to win, and one that learns to
# give up (the failure of this lesson).
#
# **Claims** One step of Keras with weights is the formula of REINFORCE, to 1e-6. Averaged over many games, it points
# where the exact gradient of the reward points. A baseline makes the noise at least two times smaller and leaves the
# direction. Trained through `fit`, the policy goes at least nine tenths of the way from random moves to the best
# possible ones, in the worst of three seeds. Let all games start at the same far place, and the middle seed of three is
# stuck below four tenths.
#
# **Beside them** random moves, and the optimum, which dynamic programming finds exactly.
#
# **Takes** 2 minutes on one core (Intel Xeon). To read on: Sutton and Barto 2018, *Reinforcement Learning*,
# [chapter 13](https://incompleteideas.net/book/the-book-2nd.html).

# %%
import keras
import numpy as np
from lesson import Tutorial

import zoo
from zoo.plots import INK, SECOND, new_figure

lesson = Tutorial("28_policy_gradient")

# %% [markdown]
# ## A game: the ferry
# A boat on a river of 5 x 7 cells. `G` is the landing, `#` are rocks. A move goes one cell up, down, left or right
# (against the bank: nowhere). After it the current may carry the boat one cell down, with probability .3. Each move
# costs 1. The landing brings 20, a rock costs 10, and both end the game; else it ends after 25 moves.
#
# In the words of the field: the cell is the **state** $s$, the move the **action** $a$, what it brings at once the
# **reward** $r$, one game an **episode**. The rule by which moves are chosen is the **policy** $\pi(a \mid s)$, a
# probability for each action in each state. What one wants is a large **return of the episode**: the sum of all rewards
# to come,
#
# $$G_t = r_{t+1} + r_{t+2} + \dots$$

# %%
RIVER = (
    "S....#.",
    "...#...",
    ".#....G",
    "...#.#.",
    ".......",
)  # fmt: skip
ROWS, COLUMNS, MOVES, DRIFT = len(RIVER), len(RIVER[0]), 25, 0.3
STATES, ACTIONS = ROWS * COLUMNS, ((-1, 0), (1, 0), (0, -1), (0, 1))  # up, down, left, right
marks = np.array(list("".join(RIVER)))
ends = (marks == "G") | (marks == "#")
rewards = -1.0 + 20.0 * (marks == "G") - 10.0 * (marks == "#")  # of arriving in each cell
water, far = np.flatnonzero(~ends), int(np.flatnonzero(marks == "S")[0])


def arrival(state, action, drift):
    """The cell where a move ends."""
    row, column = divmod(state, COLUMNS)
    row = min(max(row + ACTIONS[action][0], 0), ROWS - 1)
    column = min(max(column + ACTIONS[action][1], 0), COLUMNS - 1)
    return min(row + drift, ROWS - 1) * COLUMNS + column


# (states, actions, 2): without drift and with it
arrivals = np.array([[[arrival(s, a, drift) for drift in (0, 1)] for a in range(4)] for s in range(STATES)])
chances = np.array([1 - DRIFT, DRIFT])


def play(policy, episodes, rng, start=None):
    """Games with a policy (states, actions): the states, actions and returns of all moves, and the game of each.

    Each game starts in a cell of water by chance, or in `start`.
    """
    state = rng.choice(water, episodes) if start is None else np.full(episodes, start)
    alive, moves = np.ones(episodes, bool), []
    for _ in range(MOVES):
        action = (rng.random((episodes, 1)) > policy[state].cumsum(1)).sum(1).clip(0, 3)
        after = arrivals[state, action, (rng.random(episodes) < DRIFT).astype(int)]
        moves.append((state, action, np.where(alive, rewards[after], 0.0), alive))
        alive, state = alive & ~ends[after], after
    states, actions, earned, played = (np.stack(each) for each in zip(*moves))  # (moves, episodes)
    returns = earned[::-1].cumsum(0)[::-1]  # of each move: what it brought and all that came after
    games = np.broadcast_to(np.arange(episodes), states.shape)
    return states[played], actions[played], returns[played], games[played]


# %% [markdown]
# ## The best that can be done
# The rules are known here, so the optimum can be computed. Let $V_n(s)$, the **value function**, be the mean return
# with $n$ moves left. With none left it is 0, and one move more is one step back in time:
#
# $$Q_n(s, a) = \sum_{s'} P(s' \mid s, a) \left( r(s') + V_{n-1}(s') \right), \qquad
# V_n(s) = \max_a Q_n(s, a),$$
#
# the **Bellman equation**; to solve a problem by solving its shorter versions first is **dynamic programming** (R.
# Bellman 1957). With $\sum_a \pi(a \mid s) Q_n(s, a)$ in place of the maximum it gives the mean return of any policy,
# without a game. A program that wins knows none of this: it only plays.


# %%
def values(policy=None):
    """The mean return from each cell (states,), of a policy or of the best, and of each action (states, actions)."""
    value = np.zeros(STATES)
    for _ in range(MOVES):
        of_actions = (rewards + np.where(ends, 0.0, value))[arrivals] @ chances
        value = of_actions.max(1) if policy is None else (policy * of_actions).sum(1)
    return value, of_actions


best_value, of_actions = values()
random_policy = np.full((STATES, 4), 0.25)
random_value, _ = values(random_policy)
BEST, RANDOM = best_value[water].mean(), random_value[water].mean()
print(f"mean return over all starts: random moves {RANDOM:.2f}, the best {BEST:.2f}")
_, _, returns, games = play(random_policy, 40_000, np.random.default_rng(lesson.seed))
first = np.unique(games, return_index=True)[1]  # the first move of each game: its return is that of the game
played = returns[first].mean()
lesson.claim(
    "mean return of 40,000 random games, off the equation by", abs(played - RANDOM), "<=", 0.3,
    baseline={"equation": RANDOM, "games": played}, exact=True,
)  # fmt: skip

# %% [markdown]
# ## Why a weighted cross-entropy
# The policy is a network: the state goes in, four logits come out, their softmax is $\pi_\theta(a \mid s)$. Here it is
# the zoo's `softmax_regression` on a one-hot vector of the cell, without its bias, which all cells would share: a table
# with four numbers for each cell. We want the gradient of the mean return $J(\theta)$.
# But the return is no function of the weights that can be differentiated: it comes out of a game. The weights only
# change how likely each game is. With $\nabla p = p \, \nabla \log p$,
#
# $$\nabla J = \nabla \sum_{\text{games}} p_\theta(\text{game}) \, G = \mathbb{E} \left[ G \, \nabla \log
# p_\theta(\text{game}) \right] = \mathbb{E} \Big[ \sum_t G_t \, \nabla \log \pi_\theta(a_t \mid s_t) \Big].$$
#
# The last step drops what does not depend on the weights (the river), and what a move cannot change (rewards before
# it). This is the **policy gradient**. Now look at a move as an example of classification: the input is $s_t$, the
# "label" is the action $a_t$ that was taken. Its cross-entropy is $-\log \pi_\theta(a_t \mid s_t)$. Give it the weight
# $G_t$, and the gradient of the loss is $-\nabla J$, but for the noise of the games. A move that ended well is a label
# to be learned; one that ended badly has a negative weight, a label to be unlearned.
#
# For softmax regression the gradient can be written down, $(\pi - \text{onehot}(a)) \, G$ at the row of the cell
# (lesson 2). Is one step of `fit` that?


# %%
def network(seed):
    keras.utils.set_random_seed(seed)
    model = zoo.build("softmax_regression", input_shape=(STATES,), num_classes=4)
    model.get_layer("logits").bias.trainable = False
    return model


def cells(states):
    return np.eye(STATES, dtype="float32")[states]


def softmax(logits):
    grown = np.exp(logits - logits.max(1, keepdims=True))
    return grown / grown.sum(1, keepdims=True)


def policy_of(model):
    """The probabilities of all actions in all cells, (states, actions)."""
    kernel, bias = model.get_layer("logits").get_weights()
    return softmax(kernel.astype("float64") + bias)


def learn(model, states, actions, weights):
    """One step on the moves of some games: the labels are what was done, the weights what came of it."""
    model.fit(cells(states), actions, sample_weight=weights, batch_size=100_000, verbose=0)


def compiled(model, optimizer):
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


model = compiled(network(lesson.seed), keras.optimizers.SGD(1.0))  # at rate 1 the weights change by the gradient
policy = policy_of(model)
states, actions, returns, _ = play(policy, 64, np.random.default_rng(lesson.seed))
by_hand = np.zeros((STATES, 4))
np.add.at(by_hand, states, (policy[states] - np.eye(4)[actions]) * returns[:, None] / len(states))
before = model.get_weights()[0]
learn(model, states, actions, returns)
difference = np.abs(before - model.get_weights()[0] - by_hand).max()
lesson.claim(
    "one step of fit less the formula of REINFORCE, largest difference", difference, "<=", 1e-6,
    baseline={"largest step": np.abs(by_hand).max()}, exact=True,
)  # fmt: skip

# %% [markdown]
# ## Does it point uphill?
# The Bellman equation gives $J$ for any weights, so here, other than in life, the exact gradient is known: by finite
# differences (lesson 18), weight by weight. We compare it with the mean of the formula over 40,000 games.
#
# And how much does one game tell? A return of $-20$ after a good move and of $-22$ after a bad one differ little: it
# is mostly the cell that decides. So take off what the cell brings by itself: $G_t - b(s_t)$. Any number that does not
# depend on the action leaves the mean gradient as it is, since $\sum_a \pi(a \mid s) \nabla \log \pi(a \mid s) = \nabla
# 1 = 0$. Such a $b$ is called a baseline too (another than ours beside the claims), what is left is the **advantage**
# of the move.

# %%
rng = np.random.default_rng(lesson.seed)
logits = 0.3 * rng.normal(size=(STATES, 4))  # a policy that is not much of one


def mean_return(logits):
    return values(softmax(logits))[0][water].mean()


exact = np.zeros_like(logits)
for index in np.ndindex(logits.shape):
    nudge = np.zeros_like(logits)
    nudge[index] = 1e-5
    exact[index] = (mean_return(logits + nudge) - mean_return(logits - nudge)) / 2e-5

policy, GAMES = softmax(logits), 40_000
states, actions, returns, games = play(policy, GAMES, rng)
own_value = values(policy)[0]


def of_each_game(weights):
    """The formula for the moves of each game, (games, states, actions)."""
    found = np.zeros((GAMES, STATES, 4))
    np.add.at(found, (games, states), (np.eye(4)[actions] - policy[states]) * weights[:, None])
    return found


def cosine(a, b):
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


plain, centred = of_each_game(returns), of_each_game(returns - own_value[states])
noise = {"returns": plain.var(0).sum(), "advantages": centred.var(0).sum()}
for name, each in (("returns", plain), ("advantages", centred)):
    off = cosine(each[: GAMES // 100].mean(0), exact)
    print(f"{name:>10}: noise of one game {noise[name]:7.1f}; direction after {GAMES // 100} games, cosine {off:.3f}")
lesson.claim(
    "mean of 40,000 games against the exact gradient, cosine", cosine(plain.mean(0), exact), ">=", 0.98,
    baseline={"one game": cosine(plain[0], exact)}, exact=True,
)  # fmt: skip
lesson.claim(
    "the same with a baseline, cosine", cosine(centred.mean(0), exact), ">=", 0.98,
    baseline={"one game": cosine(centred[0], exact)}, exact=True,
)  # fmt: skip
lesson.claim(
    "noise without the baseline, times that with it", noise["returns"] / noise["advantages"], ">=", 2.0, exact=True
)

figure = new_figure(9.5, 3.4)
left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
left.bar(list(noise), list(noise.values()), color=[SECOND, INK], width=0.6)
left.set(ylabel="variance of one game's gradient")
counts = np.unique(np.geomspace(10, GAMES, 12).astype(int))
for (name, each), colour in zip((("returns", plain), ("advantages", centred)), (SECOND, INK)):
    right.plot(counts, [cosine(each[:count].mean(0), exact) for count in counts], "o-", color=colour, markersize=3,
               label=name)  # fmt: skip
right.axhline(1, color="black", linewidth=0.8, linestyle=":")
right.set(xscale="log", xlabel="games", ylabel="cosine with the exact gradient", ylim=(-0.1, 1.05))
right.legend(frameon=False, fontsize=8)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "noise")

# %% [markdown]
# ## Training
# Play 64 games, learn once from their moves, forget them, play again with the policy that came of it (**on-policy**:
# the formula is about the games of *this* policy). $b(s)$ is now the mean of the returns that these games had from that
# cell. It knows the move itself a little, which shrinks each advantage by a fraction of $1/n$ for $n$ visits and turns
# none around. What is reported is no average of lucky games but the policy's exact mean return, by the equation. It is
# given as the share of the way from random moves (0) to the optimum (1).

# %%
ITERATIONS, EPISODES, RATE = (3, 8, 0.07) if lesson.smoke else (200, 64, 0.07)


def share(policy, start=None):
    """How far a policy is on the way from random moves to the best, over all starts or from one."""
    places = water if start is None else start
    own, low, high = (each[places].mean() for each in (values(policy)[0], random_value, best_value))
    return float((own - low) / (high - low))


def trained(seed, start=None):
    """The policy, and its share after each round of games. All games start in `start`, or anywhere."""
    rng, model, shares = np.random.default_rng(seed), network(seed), []
    model.get_layer("logits").set_weights([np.zeros((STATES, 4)), np.zeros(4)])  # all moves alike
    compiled(model, keras.optimizers.Adam(RATE))
    for _ in range(ITERATIONS):
        policy = policy_of(model)
        shares.append(share(policy, start))
        states, actions, returns, _ = play(policy, EPISODES, rng, start)
        visits = np.bincount(states, minlength=STATES)
        mean = np.bincount(states, returns, minlength=STATES) / np.maximum(visits, 1)
        learn(model, states, actions, returns - mean[states])
    policy = policy_of(model)
    return policy, [*shares, share(policy, start)]


runs = [trained(seed) for seed in lesson.seeds]
reached = [shares[-1] for _, shares in runs]
print("share of the way: " + ", ".join(f"seed {seed} {each:.3f}" for seed, each in zip(lesson.seeds, reached)))
lesson.claim(
    "share of the way from random to the best, worst seed", min(reached), ">=", 0.90, baseline={"random": 0, "best": 1}
)

# %% [markdown]
# ## The failure: giving up
# Change one thing: all games start at `S`, far from the landing. Random moves from there hardly ever find the landing,
# and each costs 1. A rock ends the game. So the quickest rock is better than wandering about, and that is soon learned:
# the boat gives up at once (in most seeds; a few are lucky). A policy that never lands gets no label that says how to
# land: from then on all its games are alike, and there is nothing left to learn. REINFORCE learns from what it tries,
# and it tries what it has learned. That is the dilemma of **exploration**. Starting anywhere (**exploring starts**) was
# our way out of it.

# %%
stuck = [trained(seed, far) for seed in lesson.seeds]
left_behind = [shares[-1] for _, shares in stuck]
from_far = [share(policy, far) for policy, _ in runs]
waits = [values(policy)[0][far] for policy, _ in stuck]
print(f"return from S: random {random_value[far]:.1f}, best {best_value[far]:.1f}, always started there "
      + ", ".join(f"{each:.1f}" for each in waits))  # fmt: skip
lesson.claim(
    "always from S: share of the way from there, middle seed", float(np.median(left_behind)), "<=", 0.4,
    baseline={"started anywhere": float(np.median(from_far)), "random": 0, "best": 1},
)  # fmt: skip

figure = new_figure(8, 3.6)
axes = figure.subplots()
for number, ((_, free), (_, bound)) in enumerate(zip(runs, stuck)):
    axes.plot(free, color=INK, linewidth=1.4, label="" if number else "games start anywhere")
    axes.plot(bound, color=SECOND, linewidth=1.4, label="" if number else "games start at S")
axes.axhline(1, color="black", linewidth=0.8, linestyle=":")
axes.axhline(0, color="black", linewidth=0.8, linestyle=":")
axes.text(0, 1.01, "the best", fontsize=8, va="bottom")
axes.text(0, 0.01, "random moves", fontsize=8, va="bottom")
axes.set(xlabel=f"rounds of {EPISODES} games", ylabel="share of the way", ylim=(-0.15, 1.12))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=8, loc="center right")
lesson.plot(figure, "learning")

# %% [markdown]
# ## What it does
# The likeliest move of each cell: the best, by the Bellman equation; what was learned from games that start anywhere;
# and what was learned from `S` alone. The darker an arrow, the surer the policy.


# %%
def draw(axes, policy, title):
    """The river, and the likeliest move of each cell."""
    for state in range(STATES):
        row, column = divmod(state, COLUMNS)
        colour = {"G": SECOND, "#": "0.35"}.get(marks[state], "0.96")
        axes.add_patch(square(column, row, colour))
        if ends[state]:
            axes.text(column, row, marks[state], ha="center", va="center", color="white", fontsize=9)
            continue
        down, right = ACTIONS[policy[state].argmax()]
        sure = float((policy[state].max() - 0.25) / 0.75)
        axes.annotate(
            "", (column + 0.35 * right, row + 0.35 * down), (column - 0.35 * right, row - 0.35 * down),
            arrowprops={"arrowstyle": "->", "color": INK, "alpha": 0.2 + 0.8 * sure, "linewidth": 1.6},
        )  # fmt: skip
    axes.text(-0.42, -0.28, "S", fontsize=7)
    axes.set(xlim=(-0.5, COLUMNS - 0.5), ylim=(ROWS - 0.5, -0.5), xticks=[], yticks=[], title=title, aspect="equal")


def square(column, row, colour):
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, edgecolor="white")


figure = new_figure(11, 2.9)
best_policy = (of_actions == of_actions.max(1, keepdims=True)).astype(float)
policies = {"the best": best_policy, "starts anywhere": runs[0][0], "starts at S": stuck[0][0]}
for axes, (title, policy) in zip(figure.subplots(1, 3), policies.items()):
    draw(axes, policy, title)
lesson.plot(figure, "policies")

# %% [markdown]
# The right picture shows how the boat gives up: near `S` the arrows lead to the next rocks, and where it never was they
# are pale. What came after REINFORCE keeps its formula. Actor-critic methods learn $b(s)$ with a second network;
# one of AlphaGo's networks (Silver and others 2016, [doi:10.1038/nature16961](https://doi.org/10.1038/nature16961)) was
# trained by it, won or lost as the only reward; and language models are taught so from what people prefer.
#
# ## Try it
# * Give each move the return of the whole game in place of what came after it: in `play`, `returns =
#   np.broadcast_to(earned.sum(0), earned.shape)`. Is the mean gradient still right? And the noise?
# * Turn the sign of the weights around in `trained`: `mean[states] - returns`. What does the boat want now?
# * Take the baseline away in `trained`: `learn(model, states, actions, returns)`.
# * Make the rocks soft, -3 in place of -10, in `rewards`. Does the boat still get stuck when it starts at `S`?
#
# <details><summary>Solution</summary>
#
# * The direction stays right, for what came before a move is, on the mean, no different for any of the actions. But it
#   is one more thing that varies from game to game: the noise is larger.
# * It wants to lose: it wanders about as long as it can and keeps away from the landing. The share falls below 0.
# * With starts anywhere it still learns here, more slowly: the noise of one game is larger, as measured above.
# * Yes, most times. A soft rock is a cheaper way still to give up.
#
# </details>

# %%
lesson.finish()
