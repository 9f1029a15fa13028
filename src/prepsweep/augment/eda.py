"""EDA, "easy data augmentation" (Wei & Zou 2019, https://aclanthology.org/D19-1670): four random edits of the words."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prepsweep.augment.children import make_children
from prepsweep.augment.draws import Draw, pick, shuffled, two_of
from prepsweep.augment.edits import delete_words
from prepsweep.augment.inflect import match_case
from prepsweep.augment.tagger import STOP_WORDS
from prepsweep.augment.wordnet import WordNet, check_wordnet, load_wordnet
from prepsweep.errors import Refused
from prepsweep.randomness import row_rng
from prepsweep.scripts import refuse_other_scripts
from prepsweep.segmentation import check_segmenter, cut, load_segmenter, word_places

if TYPE_CHECKING:
    from datasets import Dataset

Known = dict[str, tuple[list[int], tuple[str, ...]]]


def eda(
    dataset: Dataset,
    *,
    seed: int,
    wordnet_dir: str,
    alpha_sr: float,
    alpha_ri: float,
    alpha_rs: float,
    p_rd: float,
    segmenter: str,
    n_aug: int,
    num_proc: int,
) -> Dataset:
    """`n_aug` children per row, each by one of: synonym replacement, random insertion, random swap, random deletion.

    The first three edit max(1, int(alpha * words)) times, the last removes each word with `p_rd`. The children are
    shared out as in the authors' code: n_aug // 4 + 1 of each operation, shuffled, cut to `n_aug`; an operation whose
    alpha is 0 is left out, and the others share its part. Synonyms are of any sense and part of speech, uninflected.

    Other than in the authors' code, case, punctuation and white space stay (it lower-cases, and keeps only a to z): a
    replaced word keeps its capitals, an inserted one is followed by a space, a deleted one takes the space before it
    along. An inserted synonym is one of a random word that has any (it tries ten words, takes the first synonym of a
    set, and accepts stop words), and a swap is always of two different places. A text without words leaves as `unchanged`.

    WordNet is English: replacement and insertion pass over other words, and rows mostly in another script are refused
    unless `alpha_sr` and `alpha_ri` are 0. Chinese is swapped and deleted by characters, or by words (`segmenter=jieba`).
    No operation looks for antonyms, but any sense of a word may come in, and a deleted "not" flips a label.
    """
    alphas = {"alpha_sr": alpha_sr, "alpha_ri": alpha_ri, "alpha_rs": alpha_rs, "p_rd": p_rd}
    check(wordnet_dir=wordnet_dir, segmenter=segmenter, n_aug=n_aug, **alphas)
    check_wordnet(wordnet_dir, where="augment.eda.wordnet_dir")
    load_wordnet(wordnet_dir)  # Read before any process is forked, so that all share it.
    load_segmenter(segmenter)
    texts_of = partial(_edited, seed=seed, wordnet_dir=wordnet_dir, alphas=tuple(alphas.values()), segmenter=segmenter, n_aug=n_aug)
    return make_children(dataset, texts_of, stage="eda", num_proc=num_proc)


def check(*, wordnet_dir: str, segmenter: str, n_aug: int, **alphas: float) -> None:  # noqa: ARG001 - it is given all arguments
    """Refuse values that edit nothing, or more than every word."""
    for name, alpha in alphas.items():
        if not (isinstance(alpha, (int, float)) and 0 <= alpha <= 1):
            raise Refused(f"augment.eda.{name}", f"must be between 0 and 1, got {alpha!r}", f"try augment.eda.{name}=0.1")
    if not any(alphas.values()):
        raise Refused("augment.eda", "has no operation: alpha_sr, alpha_ri, alpha_rs and p_rd are all 0", "set one, or use augment=none")
    if not (isinstance(n_aug, int) and n_aug >= 1):
        raise Refused("augment.eda.n_aug", f"must be at least 1, got {n_aug!r}", "use augment=none for no children")
    check_segmenter(segmenter, where="augment.eda")


def check_rows(dataset: Dataset, *, alpha_sr: float, alpha_ri: float, **_: object) -> None:
    """Refuse rows mostly in a script that WordNet has no words of, where an operation asks it for synonyms."""
    if alpha_sr or alpha_ri:
        tool = "WordNet, which alpha_sr and alpha_ri use, is English"
        refuse_other_scripts(dataset, known="Latin", where="augment.eda", tool=tool)


def fingerprint(*, wordnet_dir: str, **_: object) -> dict[str, str]:
    """Nothing to add (the folder is hashed as an argument); refuses a folder that is not WordNet's."""
    check_wordnet(wordnet_dir, where="augment.eda.wordnet_dir")
    return {}


def _edited(uid: str, text: str, *, seed: int, wordnet_dir: str, alphas: tuple[float, ...], segmenter: str, n_aug: int) -> list[str]:
    parts = cut(text, segmenter)
    places = word_places(parts)
    if not places:
        return [text] * n_aug
    draw = row_rng(seed, "eda", uid).random
    known = _known(parts, places, load_wordnet(wordnet_dir))
    operations = [number for number, alpha in enumerate(alphas) if alpha]
    plan = shuffled(operations * (n_aug // len(operations) + 1), draw)[:n_aug]
    children = []
    for number in plan:
        child = parts.copy()
        n_edits = max(1, int(alphas[number] * len(places)))
        if number == 0:
            _replace(child, known, n_edits, draw)
        elif number == 1:
            _insert(child, places, known, n_edits, draw)
        elif number == 2:
            _swap(child, places, n_edits, draw)
        else:
            _delete(child, places, alphas[number], draw)
        children.append("".join(child))
    return children


def _known(parts: list[str], places: list[int], wordnet: WordNet) -> Known:
    """Lower-case word → its places and synonyms, for the words that have any and are no stop words."""
    known: Known = {}
    for place in places:
        word = parts[place].lower()
        if word in known:
            known[word][0].append(place)
        elif word not in STOP_WORDS and (synonyms := wordnet.any_synonyms(word)):
            known[word] = [place], synonyms
    return known


def _replace(child: list[str], known: Known, n_edits: int, draw: Draw) -> None:
    for word in shuffled(list(known), draw, n_first=n_edits):
        places, synonyms = known[word]
        synonym = pick(synonyms, draw)
        for place in places:
            child[place] = match_case(child[place], synonym)


def _insert(child: list[str], places: list[int], known: Known, n_edits: int, draw: Draw) -> None:
    if not known:
        return
    words = [word for word, (at, _) in known.items() for _ in at]
    for _ in range(n_edits):
        synonym = pick(known[pick(words, draw)][1], draw)
        place = pick(places, draw)
        child[place] = f"{synonym} {child[place]}"


def _swap(child: list[str], places: list[int], n_edits: int, draw: Draw) -> None:
    if len(places) == 1:
        return
    for _ in range(n_edits):
        first, second = two_of(places, draw)
        child[first], child[second] = child[second], child[first]


def _delete(child: list[str], places: list[int], p: float, draw: Draw) -> None:
    gone = [place for place in places if draw() < p]
    if len(gone) == len(places):
        gone.remove(pick(places, draw))
    delete_words(child, gone)
