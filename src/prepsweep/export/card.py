"""A model card (README.md with the header of Hugging Face): what a model was made of, what it scored, what it is not for.

It is made from the run record. No path of a machine and no text of the data gets into it, but for the names of classes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from prepsweep.compare.findings import find
from prepsweep.compare.measures import MEASURES, TASKS
from prepsweep.compare.records import Run, read_studies
from prepsweep.compare.report import JSON_FILE
from prepsweep.compare.report.document import document
from prepsweep.errors import Refused
from prepsweep.predict.answers import TAGS
from prepsweep.predict.model import Predictor
from prepsweep.record import PREDICTIONS_FILE

CARD_FILE = "README.md"
# Two-sided, of the normal distribution.
_Z95 = 1.96
_PLACE = re.compile(r"(?<![\w:/.-])(?:~|\.{1,2})?/[^\s,;'\"\]]*")
_AUTO = {TAGS: "AutoModelForTokenClassification"}
_TITLES = {TAGS: "A tagger of words", "number": "A model that gives texts a number"}
_NOT_KNOWN = "The run record of this model is not beside it: its data, preparation and scores are not known."


def card(predictor: Predictor, record: Mapping[str, Any] | None, run_dir: Path, *, study: Path | None, files: Sequence[str]) -> str:
    """The card; `record` is that of the run in `run_dir`, `study` the one whose verdicts it tells, `files` what was checked of ONNX."""
    parts = [_header(predictor, record), f"# {_TITLES.get(predictor.kind, 'A text classifier')}, fine-tuned with prepsweep"]
    if record is None:
        parts.append(_NOT_KNOWN)
    else:
        parts += [_data(record), _preparation(record), _training(record), _scores(record, run_dir, predictor.preparation.decision)]
    parts += [_verdicts(study)] if study else []
    parts += ["## ONNX\n\n" + "\n".join(f"- {line}" for line in files)] if files else []
    return "\n\n".join([*parts, _limits(predictor), _loading(predictor)]) + "\n"


def study_report(study: Path) -> dict[str, Any]:
    """What `compare` wrote of a study, or would write with its defaults."""
    file = study / "compare" / JSON_FILE
    if file.is_file():
        try:
            found: dict[str, Any] = json.loads(file.read_bytes())
            return {"answer": list(found["answer"]), "contrasts": list(found["contrasts"])}
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(str(file), "is no report of compare", "run prepsweep compare again") from error
    return document(find(read_studies([study]), metric=None, delta=None, baselines={}, by=[]))


def without_places(text: str) -> str:
    """`text` with a path of the machine as the last name in it."""
    return _PLACE.sub(lambda found: Path(found[0]).name, text)


def _header(predictor: Predictor, record: Mapping[str, Any] | None) -> str:
    is_tags = predictor.kind == TAGS
    values: dict[str, Any] = {"library_name": "transformers"}
    values |= {"pipeline_tag": "token-classification" if is_tags else "text-classification", "tags": ["prepsweep"]}
    base = record["config"]["model"]["name"] if record else ""
    # A folder beside can be named as a model of the hub is.
    if re.fullmatch(r"[\w.-]+/[\w.-]+", base) and not Path(base).is_dir():
        values["base_model"] = base
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---"


def _data(record: Mapping[str, Any]) -> str:
    data = record["data"]
    source = data["source"]
    named = ", ".join(Path(str(source[name])).name for name in ("path", "dev_path", "test_path", "name") if name in source)
    rows = [(name, f"{split['rows']:,}", _counts(split["per_class"])) for name, split in data["splits"].items()]
    lines = [f"Source: {source['kind']}{f' ({named})' if named else ''}, content hash `{source['content_hash'][:12]}`."]
    given = ", ".join(source["given_splits"])
    lines.append(f"Given as files of their own: {given}." if given else "Dev and test rows were split off by the run.")
    return "## Data\n\n" + " ".join(lines) + "\n\n" + _table(("split", "rows", "rows of each class"), rows)


def _counts(per_class: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in per_class.items())


def _preparation(record: Mapping[str, Any]) -> str:
    rows = []
    for stage in record["data"]["stages"]:
        dropped = ", ".join(f"{n:,} {reason}" for reason, n in stage["dropped"].items())
        split = f" ({stage['split']})" if stage["split"] else ""
        rows.append(
            (f"{stage['group']}.{stage['name']}{split}", *(f"{stage[name]:,}" for name in ("rows_in", "rows_added", "rows_out")), dropped)
        )
    return "## Preparation\n\nStages in order; those that rewrite texts are part of the model (`preparation.json`).\n\n" + _table(
        ("stage", "rows in", "added", "rows out", "dropped"), rows
    )


def _training(record: Mapping[str, Any]) -> str:
    budget, model, versions = record["budget"], record["config"]["model"], record["environment"]["versions"]
    seeds = ", ".join(f"{name} {seed}" for name, seed in record["seeds"].items())
    base, n_averaged = without_places(model["name"]), record["metrics"]["val"].get("n_averaged")
    method = record["config"]["method"]["_target_"].rpartition(".")[2]
    kept = f"the mean of those at the last {n_averaged} looks at dev, which was" if n_averaged else "those that were"
    return (
        f"## Training\n\nBase model: {base}, method {method}. Seeds: {seeds}. {budget['steps']:,} steps, "
        f"{budget['examples_seen']:,} examples, learning rate {model['learning_rate']:g}, batch size {model['batch_size']}; "
        f"the weights are {kept} best on dev.\n\n"
        f"Run `{record['run_id']}`, with " + ", ".join(f"{name} {versions[name]}" for name in ("prepsweep", "transformers", "torch")) + "."
    )


def _scores(record: Mapping[str, Any], run_dir: Path, decided: Collection[str]) -> str:
    """The scores; what was `decided` on dev or by the labels of train stands among them in the record, and is none."""
    test, dev = record["metrics"]["test"], record["metrics"]["val"]
    intervals = _intervals(record, run_dir)
    rows = [
        (name, f"{value:.4f}", intervals.get(name, ""), f"{dev[name]:.4f}")
        for name, value in test.items()
        if isinstance(value, float) and name in dev and name not in decided
    ]
    per_class = [
        (name, *(f"{cell[key]:.3f}" for key in ("precision", "recall", "f1")), f"{cell['support']:,}")
        for name, cell in test["per_class"].items()
    ]
    n_rows = record["data"]["splits"]["test"]["rows"]
    said = f"## Scores\n\nOn {n_rows:,} test rows; the interval (95%) is over rows, of this one training: another seed is not in it.\n\n"
    said += _table(("score", "test", "interval", "dev"), rows)
    return said + ("\n\n" + _table(("class", "precision", "recall", "F1", "rows"), per_class) if per_class else "")


def _intervals(record: Mapping[str, Any], run_dir: Path) -> dict[str, str]:
    """Mean of the rows' values and 1.96 standard errors of it, for scores that are such a mean (docs/statistics.md)."""
    run = Run(run_dir, dict(record))
    if not (run_dir / PREDICTIONS_FILE).is_file():
        return {}
    found = {}
    for name in TASKS[run.task].metrics:
        values = MEASURES[name].values(run.tested)
        if len(values) > 1:
            half = _Z95 * float(values.std(ddof=1)) / len(values) ** 0.5
            found[name] = f"{values.mean() - half:.4f} to {values.mean() + half:.4f}"
    return found


def _verdicts(study: Path) -> str:
    report = study_report(study)
    rows = []
    for one in report["contrasts"]:
        word = f"needs {one['seeds_needed']} seeds" if one["verdict"] == "needs more seeds" else one["verdict"]
        rows.append((one["factor"], one["choice"], one["baseline"], word))
    said = "## What the choices of preparation are worth\n\n" + " ".join(report["answer"])
    return without_places(said + ("\n\n" + _table(("group", "choice", "against", "verdict"), rows) if rows else ""))


def _limits(predictor: Predictor) -> str:
    preparation = predictor.preparation
    windows = preparation.stride is not None
    length = "read in windows of" if windows else "cut to"
    answers = {TAGS: "Its tags are", "number": "It answers with"}.get(predictor.kind, "It knows these classes and no other:")
    names = "one number, in the unit of the training labels" if predictor.kind == "number" else ", ".join(predictor.classes)
    return (
        f"## Limits\n\n- {answers} {names}. A text of another kind gets an answer too.\n"
        f"- Texts are {length} {preparation.max_length} tokens.\n"
        "- Scores hold for texts like the test rows; probabilities are not calibrated.\n"
        "- What is unfair or wrong in the labels of the data is learned with them."
    )


def _loading(predictor: Predictor) -> str:
    auto = _AUTO.get(predictor.kind, "AutoModelForSequenceClassification")
    pair = " --pair-column SECOND" if predictor.preparation.pairs else ""
    return (
        f"## Use\n\nWith texts prepared as in training:\n\n```\npip install prepsweep\nprepsweep predict FOLDER rows.csv{pair}\n```\n\n"
        f"The bare model, whose texts must be prepared first{_decided(predictor)}:\n\n"
        f"```python\nfrom transformers import {auto}, AutoTokenizer\n\n"
        f'model = {auto}.from_pretrained("FOLDER")\ntokenizer = AutoTokenizer.from_pretrained("FOLDER")\n```'
    )


def _decided(predictor: Predictor) -> str:
    """What makes an answer of the logits of the bare model, where that is not the highest."""
    decision = predictor.preparation.decision
    if predictor.kind == "number" and decision:
        return f" and whose number is {decision['label_mean']!r} + {decision['label_deviation']!r} * logit"
    return f" and whose labels have a sigmoid(logit) of at least {decision['threshold']!r}" if "threshold" in decision else ""


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [names, ["---"] * len(names), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
