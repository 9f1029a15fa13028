"""Three pictures of the report as PNG, for TensorBoard: it shows no SVG, and brings Pillow, which draws them.

The font that is in Pillow has Latin letters; of others there are boxes, and the text beside the pictures has the names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prepsweep.compare.findings import Findings
from prepsweep.compare.report.curves import HEIGHT, WIDTH, mean_curves, small_multiples
from prepsweep.compare.report.forest import forest
from prepsweep.compare.report.heat import effects_by_class
from prepsweep.compare.report.tables import written
from prepsweep.visible import fitting

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_PAPER, _INK, _SOFT, _BAND, _LINE = "#ffffff", "#1f2328", "#6a737d", "#e7edf3", "#0b5fa5"
_VERDICTS = {"helps": "#1a7f37", "hurts": "#c0392b"}
_SHADES = {
    "plus": ("#ffffff", "#e0efe3", "#bfdfc7", "#93c9a0", "#62b077"),
    "minus": ("#ffffff", "#f8e3e0", "#f0c4be", "#e59d94", "#d67468"),
}
_ROW, _LABEL, _PLOT, _NUMBERS = 34, 330, 560, 300
_CELLS, _COLUMN = 42, 180
_ACROSS = 3
_IN_THE_FONT = str.maketrans("−⟨⟩", "-<>")


def pictures(found: Findings) -> dict[str, Image]:
    """The effects with their intervals, the learning curves and the effects on each class, as far as the study has them."""
    noise, curves = found.noise_floor, small_multiples(mean_curves(found.study.arms(), found.metric))
    classes, drawn = effects_by_class(found.slices), {}
    if found.contrasts:
        plot = forest(found.contrasts, delta=found.delta, noise=noise.means_95 if noise else None, unit=found.unit)
        drawn["effects"] = _effects(plot, found)
    if curves:
        drawn["learning curves"] = _curves(curves, found.unit.short)
    if classes:
        drawn["effect on each class"] = _classes(classes)
    return drawn


def _effects(plot: dict[str, Any], found: Findings) -> Image:
    rows, unit = plot["rows"], found.unit
    picture, pen = _paper(_LABEL + _PLOT + _NUMBERS, _ROW * (len(rows) + 1))
    bottom = _ROW * len(rows)

    def across(percent: float) -> float:
        return _LABEL + _PLOT * percent / 100

    band = plot["delta"]
    pen.rectangle((across(band["x"]), 0, across(band["x"] + band["width"]), bottom), fill=_BAND)
    pen.line((across(plot["zero"]), 0, across(plot["zero"]), bottom), fill=_SOFT)
    for number, row in enumerate(rows):
        one, y = row["contrast"], _ROW * number + _ROW / 2
        colour = _VERDICTS.get(one.verdict.word, _INK)
        _write(pen, (8, y), fitting(f"{one.name} vs {one.baseline}", _CELLS), fill=_INK, anchor="lm")
        for x in row["dots"]:
            pen.circle((across(x), y), 3, outline=_SOFT)
        pen.line((across(row["low"]), y, across(row["high"]), y), fill=colour, width=2)
        pen.regular_polygon((across(row["estimate"]), y, 7), 4, rotation=45, fill=colour)
        estimate, low, high = (unit.said(value, "+") for value in (one.effect.estimate, *one.effect.interval()))
        _write(pen, (_LABEL + _PLOT + 12, y), f"{one.verdict}: {estimate} [{low} to {high}]", fill=colour, anchor="lm")
    for tick in plot["ticks"]:
        _write(pen, (across(tick["x"]), bottom + _ROW / 2), tick["text"], fill=_SOFT, anchor="mm")
    _write(pen, (_LABEL + _PLOT + 12, bottom + _ROW / 2), f"{unit.name} of {found.metric_name}", fill=_SOFT, anchor="lm")
    return picture


def _curves(plot: dict[str, Any], form: str) -> Image:
    plots = plot["plots"]
    n_down = -(-len(plots) // _ACROSS)
    picture, pen = _paper(WIDTH * min(len(plots), _ACROSS), (HEIGHT + _ROW) * n_down)
    for number, each in enumerate(plots):
        left, top = WIDTH * (number % _ACROSS), (HEIGHT + _ROW) * (number // _ACROSS) + _ROW
        at = _moved(left, top)
        _write(pen, (left + 8, top - _ROW / 2), fitting(each["arm"] or "(one arm)", _CELLS), fill=_INK, anchor="lm")
        for tick in plot["y_ticks"]:
            pen.line((*at(plot["left"], tick["y"]), *at(plot["right"], tick["y"])), fill=_BAND)
            _write(pen, at(plot["left"] - 4, tick["y"]), tick["text"], fill=_SOFT, anchor="rm")
        for tick in plot["x_ticks"]:
            _write(pen, at(tick["x"], plot["bottom"] + 12), tick["text"], fill=_SOFT, anchor="mm")
        pen.line([at(x, y) for x, y in each["points"]], fill=_LINE, width=2)
        _write(pen, at(each["x"], each["y"] - 10), written(each["last"], form), fill=_INK, anchor="rm")
    return picture


def _classes(plot: dict[str, Any]) -> Image:
    choices, rows = plot["choices"], plot["rows"]
    picture, pen = _paper(_LABEL + _COLUMN * len(choices), _ROW * (len(rows) + 1))
    for number, choice in enumerate(choices):
        _write(pen, (_LABEL + _COLUMN * (number + 0.5), _ROW / 2), fitting(choice, _CELLS // 2), fill=_INK, anchor="mm")
    for down, row in enumerate(rows, 1):
        y = _ROW * down
        _write(pen, (8, y + _ROW / 2), fitting(f"{row['label']} ({row['n_rows']:,} rows)", _CELLS), fill=_INK, anchor="lm")
        for number, cell in enumerate(row["cells"]):
            x = _LABEL + _COLUMN * number
            pen.rectangle((x, y, x + _COLUMN - 2, y + _ROW - 2), fill=_SHADES[cell.sign][cell.shade])
            _write(pen, (x + _COLUMN / 2, y + _ROW / 2), written(cell.value, "+.1f") + "*" * cell.sure, fill=_INK, anchor="mm")
    return picture


def _paper(width: int, height: int) -> tuple[Image, ImageDraw]:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(picture)
    pen.font = ImageFont.load_default(14)
    return picture, pen


def _write(pen: ImageDraw, at: tuple[float, float], text: str, *, fill: str, anchor: str) -> None:
    pen.text(at, text.translate(_IN_THE_FONT), fill=fill, anchor=anchor)


def _moved(left: float, top: float) -> Callable[[float, float], tuple[float, float]]:
    return lambda x, y: (left + x, top + y)
