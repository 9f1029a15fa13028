"""Tell the story of one row: where it was read, what each stage did to it, its children, why it left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from prepsweep.commands import Arguments, console
from prepsweep.commands.show import changed_text
from prepsweep.schema import text_columns
from prepsweep.story import MIN_DIGITS, digits_of, story_of
from prepsweep.visible import cut
from prepsweep.walk import walk

if TYPE_CHECKING:
    from rich.console import Console

_CHARACTERS = 600


def main(argv: list[str]) -> int:
    """Print the story of the row whose uid begins with the digits given."""
    arguments = Arguments("why", "The story of one row of a configuration or of a finished run.")
    arguments.add_argument("uid", metavar="UID", help=f"the uid or its first digits, {MIN_DIGITS} or more")
    arguments.add_argument("targets", nargs="*", metavar="RUN_DIR | OVERRIDE", help="a run's folder, or overrides as for train")
    asked = arguments.parse(argv)
    uid = digits_of(asked.uid)
    _print(story_of(walk(asked.targets), uid), console())
    return 0


def _print(story: dict[str, Any], out: Console) -> None:
    out.print(Text(f"row {story['uid']}", style="bold"))
    if story["place"]:
        out.print(Text(f"read from  {cut(story['place'], _CHARACTERS)}"), soft_wrap=True)
    else:
        out.print(f"made by    {story['origin']} from row {story['parent']}")
    for event in story["events"]:
        out.print(_event(event, colour=out.is_terminal))
    if story["children"]:
        out.print(Text(f"children   {len(story['children'])}", style="bold"))
    for child in story["children"]:
        left = f" (left: {child['left']})" if child["left"] else ""
        out.print(Text(f"  {child['uid']}  {child['stage']}{left}: {cut(child['text'], _CHARACTERS)}"))
    out.print(_now(story))
    if story["prediction"]:
        said = story["prediction"]
        verdict = "right" if said["prediction"] == said["label"] else "wrong"
        p = said.get(f"p_{said['prediction']}")
        sure = "" if p is None else f", p = {p:.3f}"
        out.print(Text(f"predicted  {cut(said['prediction'], _CHARACTERS)} ({verdict}{sure})"))


def _event(event: dict[str, Any], *, colour: bool) -> Text:
    line = Text(f"  {event['stage']}: ", style="")
    if event["what"] == "left":
        return line.append(f"left, reason {cut(event['reason'], _CHARACTERS)}", style="bold")
    if event["what"] == "changed" and event["column"] in ("text", "text_pair"):
        return line.append(f"{event['column']} ").append_text(changed_text(event["before"], event["after"], colour=colour))
    if event["what"] == "changed":
        before, after = (cut(str(event[side]), _CHARACTERS) or "none" for side in ("before", "after"))
        return line.append(f"{event['column']} {before} → {after}")
    texts = " | ".join(cut(event[name], _CHARACTERS) for name in text_columns(event))
    return line.append(f"{event['what']} as {cut(event['label'], _CHARACTERS)}: {texts}")


def _now(story: dict[str, Any]) -> Text:
    now = story["now"]
    if now is None:
        return Text("now        not among the prepared rows", style="bold")
    row = f"in {now['split'] or 'no split yet'} as {cut(now['label'], _CHARACTERS)}, weight {now['weight']:g}"
    return Text(f"now        {row}", style="bold")
