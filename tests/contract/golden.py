"""Hashes of what every stage makes of three small data sets, kept in golden.json: a change that nobody meant is seen.

python -m tests.contract.golden            print the hashes of the code as it is
python -m tests.contract.golden --update   write them to golden.json; say in the change why they moved
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.identity import content_hash
from prepsweep.lineage import settle, table_of
from prepsweep.stages import PREPARATION, Stage, stages_of
from tests.conftest import compose, rows_of
from tests.contract.stage_options import SMALL, is_stage, options_of, parameters_of
from tests.contract.token_rows import fitting
from tests.unit.annotate.files import made_votes, write_rules
from tests.unit.augment.conftest import write_wordnet

HERE = Path(__file__).parent
GOLDEN = HERE / "golden.json"
DATA_SETS = ("reviews", "chinese", "awkward")
COMMAND = "python -m tests.contract.golden --update"
# Everything else must have a hash. A stage is left out where what it gives is not decided by this repository alone.
LEFT_OUT = {
    "annotate/llm": "an endpoint's language model",
    "annotate/model": "weights of a model",
    "annotate/reviewed": "what people decided on rows that these data sets lack",
    "augment/backtranslate": "the dictionaries of the Apertium that is installed",
    "augment/backtranslate_marian": "weights of a translation model",
    "augment/contextual": "weights of a masked language model",
    "augment/paraphrase": "an endpoint's language model",
    "augment/paraphrase_seq2seq": "weights of a paraphrase model",
    "clean/semantic_dedup": "weights of an encoder",
    "refine/label_budget": "weights of an encoder",
    "refine/label_errors": "weights of an encoder",
    "refine/outliers": "weights of an encoder",
    "preprocess/chat": "vocabulary of the model",
    "preprocess/tokenize": "vocabulary of the model",
}


def golden_stages() -> list[tuple[str, str]]:
    """(group, option) of every stage that must have a hash, found by glob."""
    found = [(group, option) for group in PREPARATION for option in options_of(group) if is_stage(group, option)]
    return [(group, option) for group, option in found if f"{group}/{option}" not in LEFT_OUT]


def hashes(*, num_proc: int) -> dict[str, dict[str, str]]:
    """`{group/option: {data set: hash}}` of the code as it is."""
    wanted = golden_stages()
    with tempfile.TemporaryDirectory() as folder:
        write_wordnet(Path(folder))
        write_rules(Path(folder))
        # All stages in one configuration: composing is what would take the time.
        groups = [group for group in PREPARATION if group in dict(wanted)]
        chosen = [f"{group}=[{','.join(option for of, option in wanted if of == group)}]" for group in groups]
        values = [value for group, option in wanted for value in _values(group, option, folder)]
        cfg = compose(*chosen, *values, f"runtime.num_proc={num_proc}")
        stages = [stage for group in groups for stage in stages_of(cfg, group)]
        return {f"{stage.group}/{stage.name}": {name: _hash(stage, name) for name in DATA_SETS} for stage in stages}


def _values(group: str, option: str, wordnet: str) -> list[str]:
    known = SMALL | {"wordnet_dir": wordnet, "rules_file": str(Path(wordnet) / "rules.yaml")}
    return [f"{group}.{option}.{key}={known[name]}" for key, name in parameters_of(group, option).items() if name in known]


def _hash(stage: Stage, data_set: str) -> str:
    lines = (HERE / "data" / f"{data_set}.jsonl").read_text(encoding="utf-8").split("\n")
    pairs = [(row["text"], row["label"]) for row in map(json.loads, filter(None, lines))]
    split: str | list[str] = "train" if stage.group in ("refine", "augment", "balance") else ""
    if stage.name == "predefined":
        split = [("train", "dev", "test")[place % 3] for place in range(len(pairs))]
    # Twenty groups, for what splits by group.
    votes = {"votes": made_votes(pairs)} if stage.group == "annotate" else {}
    rows = fitting(rows_of(pairs, split, group=[f"g{place % 20}" for place in range(len(pairs))], **votes), stage)
    try:
        stage.check_rows(rows)
        found = settle(rows, stage(rows).rows, stage=stage.where, group=stage.group)
    except Refused as error:
        return f"refused: {error.where}"
    return content_hash(pa.concat_tables([table_of(found.kept), table_of(found.left)]))


def main() -> None:
    """Print the hashes, or write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write golden.json")
    parser.add_argument("--num-proc", type=int, default=1)
    given = parser.parse_args()
    text = json.dumps(hashes(num_proc=given.num_proc), indent=1, sort_keys=True) + "\n"
    if given.update:
        GOLDEN.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
