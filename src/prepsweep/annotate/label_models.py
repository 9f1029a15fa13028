"""Label models: from the votes on each row to the probabilities of its class, without a gold label.

Each is a function of `Ballots` that gives probabilities (n_rows, n_classes), NaN for a row without a vote. Rows of weight
0 are labelled and not learned from. All start at the majority and draw nothing, so the same votes give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from prepsweep.annotate.ballots import Ballots, Floats
from prepsweep.errors import Refused, nearest

_ITERATIONS = 100
_TOLERANCE = 1e-5
_TINY = 1e-10
# How much the majority's tables weigh beside the data in `generative`.
_ANCHOR = 0.1
# More voters than this seldom vote alike on two rows, so that there is nothing to be made compact.
_FEW_VOTERS = 64


def majority(ballots: Ballots) -> Floats:
    """The shares of the classes among a row's votes."""
    counts = ballots.counts()
    n_votes = counts.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(counts, n_votes, out=np.full_like(counts, np.nan), where=n_votes > 0)
    return shares


def dawid_skene(ballots: Ballots) -> Floats:
    """Each voter has a table of what they say where the truth is a class; found with the truth in turns (EM).

    Dawid & Skene 1979 (https://doi.org/10.2307/2346806). No vote says nothing, so a voter who only ever says one class is
    of no use to it: such rules are for `generative`.
    """
    n_classes = len(ballots.classes)

    def step(truth: Floats) -> Floats:
        said = _counted(ballots, truth, n_classes)
        return _posterior(ballots, _priors(ballots, truth), _logs(said)[ballots.voters, ballots.codes])

    return _in_turns(ballots, step)


def mace(ballots: Ballots) -> Floats:
    """Each voter knows the truth or guesses by a habit of their own; how often they know is found with the truth in turns.

    Hovy et al. 2013 (https://aclanthology.org/N13-1132), variational with their priors (0.5 on knowing, 10 on habits), from one
    start, the majority. No vote says nothing, and beforehand all classes are alike.
    """
    from scipy.special import digamma

    n_voters, n_classes = len(ballots.names), len(ballots.classes)
    voters, vote, weights = ballots.voters, (ballots.voters, ballots.codes), ballots.weights[ballots.rows]
    habits = np.full((n_voters, n_classes), 1 / n_classes)
    knows = np.full(n_voters, 0.5)

    def step(truth: Floats) -> Floats:
        nonlocal knows, habits
        guessed = (1 - knows[voters]) * habits[vote]
        knew = weights * truth[ballots.rows, ballots.codes] * knows[voters] / (knows[voters] + guessed)
        n_knew, n_votes = np.bincount(voters, knew, n_voters), np.bincount(voters, weights, n_voters)
        knows = np.exp(digamma(n_knew + 0.5) - digamma(n_votes + 1.0))
        cells = np.bincount(voters * n_classes + ballots.codes, weights - knew, n_voters * n_classes)
        said = cells.reshape(n_voters, n_classes) + 10.0
        habits = np.exp(digamma(said) - digamma(said.sum(axis=1, keepdims=True)))
        guessed = (1 - knows[voters]) * habits[vote]
        scores = np.repeat(np.log(guessed)[:, None], n_classes, axis=1)
        scores[np.arange(len(guessed)), ballots.codes] = np.log(guessed + knows[voters])
        return _posterior(ballots, np.ones(n_classes), scores)

    return _in_turns(ballots, step)


def generative(ballots: Ballots) -> Floats:
    """Each rule has, for each class of the truth, a rate of voting and an accuracy where it votes: its silence speaks too.

    Data programming (Ratner et al. 2016, arXiv:1605.07723) with accuracies by class, found by EM. Unlike people, rules are silent
    for a reason: one that looks for links says by its silence that a text is less likely spam. The tables are held to
    the majority's by a tenth of the rows, or EM may drift to clusters of texts that are no classes. Voters who
    see only some of the rows are for `dawid_skene` and `mace`.
    """
    n_classes = len(ballots.classes)

    def counted(truth: Floats) -> Floats:
        said = _counted(ballots, truth, n_classes + 1)
        said[:, n_classes] = ballots.weights @ truth - said[:, :n_classes].sum(axis=1)
        return said

    anchor = _ANCHOR * counted(np.nan_to_num(majority(ballots)))

    def step(truth: Floats) -> Floats:
        logs = _logs(counted(truth) + anchor)
        silent = logs[:, n_classes]
        votes = logs[ballots.voters, ballots.codes] - silent[ballots.voters]
        return _posterior(ballots, _priors(ballots, truth) * np.exp(silent.sum(axis=0) - silent.sum(axis=0).max()), votes)

    return _in_turns(ballots, step)


LABEL_MODELS: dict[str, Callable[[Ballots], Floats]] = {model.__name__: model for model in (majority, dawid_skene, mace, generative)}


def check_label_model(name: str, where: str) -> None:
    """Refuse a label model that there is not."""
    if name not in LABEL_MODELS:
        raise Refused(f"{where}.label_model", f"no label model {name!r}", nearest(str(name), LABEL_MODELS))


def probabilities(name: str, ballots: Ballots) -> Floats:
    """What the label model `name` says, (n_rows, n_classes); rows with the same votes are worked out once."""
    if len(ballots.names) > _FEW_VOTERS:
        return LABEL_MODELS[name](ballots)
    compact, places = ballots.compact()
    return LABEL_MODELS[name](compact)[places]


def _in_turns(ballots: Ballots, step: Callable[[Floats], Floats]) -> Floats:
    """`step` from the majority on until no probability moves; rows without a vote are NaN."""
    voted = np.isin(np.arange(ballots.n_rows), ballots.rows)
    truth = np.nan_to_num(majority(ballots))
    for _ in range(_ITERATIONS):
        before, truth = truth, step(truth) * voted[:, None]
        if np.abs(truth - before).max(initial=0) < _TOLERANCE:
            break
    truth[~voted] = np.nan
    return truth


def _counted(ballots: Ballots, truth: Floats, n_said: int) -> Floats:
    """Weight of the rows on which each voter said each of `n_said` things while the truth was each class, (n_voters, n_said, n_classes)."""
    cells = ballots.voters * n_said + ballots.codes
    weighed = (ballots.weights[:, None] * truth)[ballots.rows]
    columns = [np.bincount(cells, column, len(ballots.names) * n_said) for column in weighed.T]
    return np.stack(columns, axis=1).reshape(len(ballots.names), n_said, truth.shape[1]).astype(np.float64)


def _priors(ballots: Ballots, truth: Floats) -> Floats:
    shares: Floats = ballots.weights @ truth
    return np.asarray(shares / max(shares.sum(), _TINY))


def _logs(counts: Floats) -> Floats:
    """Logs of the shares of what was said, (n_voters, n_said, n_classes), over what can be said."""
    sums = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, sums, out=np.full_like(counts, 1 / counts.shape[1]), where=sums > 0)
    found: Floats = np.log(np.maximum(shares, _TINY))
    return found


def _posterior(ballots: Ballots, priors: Floats, of_votes: Floats) -> Floats:
    """Probabilities of the rows from those of the classes and the log-likelihood of each vote, (n_votes, n_classes)."""
    n_classes = len(ballots.classes)
    sums = [np.bincount(ballots.rows, of_votes[:, place], ballots.n_rows) for place in range(n_classes)]
    logs = np.stack(sums, axis=1) + np.log(np.maximum(priors, _TINY))
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    found: Floats = shares / shares.sum(axis=1, keepdims=True)
    return found
