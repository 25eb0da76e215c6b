"""N-gram language models: the baseline that a network has to beat."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from zoo.checks import is_whole
from zoo.errors import UsageError


class KneserNey:
    """Interpolated Kneser-Ney smoothing of n-gram counts.

    R. Kneser and H. Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995; interpolated as in S. Chen
    and J. Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", Computer Speech and Language
    13(4), 1999, section 2.7. After a context h the probability of a token w is

        P(w | h) = max(c(h w) - D, 0) / c(h)  +  D N(h) / c(h)  P(w | h without its first token)

    where N(h) counts the different tokens seen after h. For the longest contexts c counts occurrences; for shorter
    ones the different tokens seen *before* h w. D = n1 / (n1 + 2 n2), of the n-grams counted once and twice. After the
    empty context comes the uniform distribution over `vocabulary_size` tokens.

    Args:
        tokens: a text to count.
        order: n; 2 looks at one token before.
        vocabulary_size: how many tokens there can be.

    >>> model = KneserNey([1, 2, 1, 2, 1, 3], order=2, vocabulary_size=4)
    >>> round(sum(model.probability([1], token) for token in range(4)), 6)
    1.0
    """

    def __init__(self, tokens: Sequence[int] | np.ndarray, *, order: int, vocabulary_size: int):
        if not is_whole(order) or len(tokens) < order:
            raise UsageError(f"order is {order} for a text of {len(tokens)} tokens; expected 1 to the text's length")
        tokens = [int(token) for token in tokens]
        self.order, self.vocabulary_size = order, vocabulary_size
        counts = Counter(tuple(tokens[start : start + order]) for start in range(len(tokens) - order + 1))
        self.after: list[dict[tuple[int, ...], tuple[dict[int, int], int]]] = []  # context -> (token -> count, total)
        self.discount: list[float] = []
        for _ in range(order):  # from the longest grams to single tokens
            once, twice = (sum(count == times for count in counts.values()) for times in (1, 2))
            self.discount.insert(0, once / (once + 2 * twice) if once else 0.5)
            table: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)  # context -> token -> count
            for gram, count in counts.items():
                table[gram[:-1]][gram[-1]] = count
            self.after.insert(0, {context: (found, sum(found.values())) for context, found in table.items()})
            counts = Counter(gram[1:] for gram in counts)  # one for each token seen before the shorter gram

    def probability(self, context: Sequence[int], token: int) -> float:
        """P(token | the last order - 1 tokens of the context)."""
        context = tuple(context)[len(context) - min(self.order - 1, len(context)) :]
        probability = 1 / self.vocabulary_size
        for size in range(len(context) + 1):
            found, total = self.after[size].get(context[len(context) - size :], ({}, 0))
            if total:
                discount = self.discount[size]
                kept = max(found.get(token, 0) - discount, 0)
                probability = (kept + discount * len(found) * probability) / total
        return probability

    def perplexity(self, tokens: Sequence[int] | np.ndarray) -> float:
        """Of every token but the first, each after what came before it."""
        tokens = [int(token) for token in tokens]
        before = self.order - 1
        logs = (
            math.log(self.probability(tokens[max(0, position - before) : position], tokens[position]))
            for position in range(1, len(tokens))
        )
        return math.exp(-sum(logs) / (len(tokens) - 1))


def perplexity_by_place(train: np.ndarray, test: np.ndarray, period: int, vocabulary_size: int) -> float:
    """Of every token but the first, by how often it stood at its place in the period; each count is one more.

    >>> perplexity_by_place(np.array([1, 2, 1, 2, 1]), np.array([1, 2, 1]), period=2, vocabulary_size=2)
    1.3333333333333333
    """
    counts = np.ones((period, int(max(train.max(), test.max())) + 1))
    np.add.at(counts, (np.arange(1, len(train)) % period, train[1:]), 1)
    totals = counts.sum(1) + vocabulary_size - counts.shape[1]
    places = np.arange(1, len(test)) % period
    return float(np.exp(-np.mean(np.log(counts[places, test[1:]] / totals[places]))))
