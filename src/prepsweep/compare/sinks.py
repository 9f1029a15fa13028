"""The verdicts where the runs are: in the study's group of Weights & Biases, and as TensorBoard events."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

from prepsweep.compare.findings import Findings
from prepsweep.compare.report import sections
from prepsweep.compare.report.markdown import markdown
from prepsweep.compare.report.pictures import pictures
from prepsweep.compare.report.tables import Table
from prepsweep.errors import Refused
from prepsweep.visible import cut

_NAME_CHARACTERS = 120
_RGB = 3


def to_wandb(found: Findings, report: Path, *, mode: Literal["offline", "online"]) -> None:
    """One run of the job type `compare`: effects in the summary, the tables, the report with its plots, the files beside it."""
    import wandb

    from prepsweep.wandb_runs import open_run

    record = found.study.runs[0].record
    # Beside the runs, where they were logged; `conf/logger/wandb.yaml` names the same project.
    place = record["config"].get("logger", {}).get("wandb", {"project": "prepsweep", "entity": None})
    study = record["study"] or "single"
    run = open_run(
        mode=mode,
        project=place["project"],
        entity=place["entity"],
        dir=str(report.parent),
        name=f"{study}-compare",
        group=study,
        job_type="compare",
        config={"metric": found.metric, "delta": found.delta},
    )
    failed = True
    try:
        for name, value in scalars(found).items():
            run.summary[name] = value
        tables = {one.id: wandb.Table([column.name for column in one.columns], [list(row) for row in one.rows]) for one in _tables(found)}
        run.log({**tables, "report": wandb.Html(report.read_text(encoding="utf-8"), inject=False, data_is_not_path=True)})
        failed = False
    finally:
        run.finish(exit_code=int(failed))


def to_tensorboard(found: Findings, folder: Path) -> None:
    """Event files in `folder`: effects as numbers, the seeds of each choice as a histogram, the short report as text, the pictures."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.histogram.summary_v2 import histogram_pb
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb
        from tensorboard.plugins.text.summary_v2 import text_pb
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ModuleNotFoundError as error:
        raise Refused("--tensorboard", "TensorBoard is not installed", "pip install 'prepsweep[tensorboard]'") from error
    summaries = [scalar_pb(name, value) for name, value in scalars(found).items()]
    summaries += [
        histogram_pb(f"by seed/{_tag(one.name)}", [found.unit.factor * value for value in one.by_seed.values()]) for one in found.contrasts
    ]
    summaries.append(text_pb("report", markdown(found)))
    for name, picture in pictures(found).items():
        png = io.BytesIO()
        picture.save(png, "PNG")
        image = Summary.Image(height=picture.height, width=picture.width, colorspace=_RGB, encoded_image_string=png.getvalue())
        summaries.append(Summary(value=[Summary.Value(tag=name, image=image)]))
    writer = EventFileWriter(str(folder))
    try:
        for summary in summaries:
            writer.add_event(Event(step=0, summary=summary))
    finally:
        writer.close()


def scalars(found: Findings) -> dict[str, float]:
    """`effect/augment=eda` and the ends of its interval in the unit of the score, its adjusted p, and the mean score of each arm."""
    flat: dict[str, float] = {}
    factor = found.unit.factor
    for one in found.contrasts:
        low, high = one.effect.interval()
        values = {"effect": factor * one.effect.estimate, "low": factor * low, "high": factor * high, "p": one.p_adjusted}
        flat |= {f"{name}/{_tag(one.name)}": value for name, value in values.items()}
    return flat | {f"arm/{_tag(arm.arm or 'one arm')}": factor * arm.mean for arm in found.costs}


def _tables(found: Findings) -> list[Table]:
    return [
        sections.verdicts("verdicts", "", found.contrasts, found.unit),
        sections.arms(found.costs, found.metric_name, found.unit),
        sections.in_slices(found.slices, of_class=True),
        sections.missing(found.study.missing),
    ]


def _tag(name: str) -> str:
    return cut(name, _NAME_CHARACTERS)
