"""What the choices of a study are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prepsweep.compare.records import Study, as_text
from prepsweep.errors import Refused, nearest


def _baseline(factor: str, choices: Sequence[str], baselines: Mapping[str, str]) -> str:
    """The choice of a factor that the others are compared with."""
    if factor in baselines:
        if baselines[factor] not in choices:
            raise Refused("--baseline", f"{factor}={baselines[factor]} was not run", f"choose one of {', '.join(choices)}")
        return baselines[factor]
    return "none" if "none" in choices else choices[0]


def choices_of(study: Study, baselines: Mapping[str, str]) -> dict[str, tuple[str, list[str]]]:
    """For each factor that a study varies its baseline and its other choices, in the order of their names."""
    found = {}
    for factor in next(iter(study.varied.values())):
        choices = sorted({values[factor] for values in study.varied.values()})
        baseline = _baseline(factor, choices, baselines)
        found[factor] = baseline, [choice for choice in choices if choice != baseline]
    return found


def refuse_unknown(study: Study, baselines: Mapping[str, str]) -> None:
    """Refuse baselines of what the study neither varies nor has: they would change nothing."""
    varied = next(iter(study.varied.values()))
    for factor, choice in baselines.items():
        if factor not in varied and as_text(study.runs[0].record["choices"].get(factor)) != choice:
            raise Refused("--baseline", f"{factor}={choice} was not run", nearest(factor, varied) if varied else "the study varies nothing")
