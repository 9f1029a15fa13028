"""Text without HTML: tags taken out, entities resolved."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from prepsweep.text import rewrite

if TYPE_CHECKING:
    from datasets import Dataset

# Only names of real elements count as tags, so that "a <b and c> d" loses nothing else and "I <3 you" stays.
_INLINE = "a|abbr|b|bdi|bdo|big|cite|code|del|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var"
_BLOCK = (
    "address|article|aside|blockquote|body|br|button|caption|center|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|head|"
    "header|hr|html|iframe|img|input|label|li|link|main|meta|nav|ol|option|p|pre|script|section|select|style|table|tbody|td|textarea|"
    "tfoot|th|thead|title|tr|ul|video"
)
# Attributes must have a value: "a <b and c> d" is no tag.
_ATTRIBUTES = r"""(?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s<>"']+))*\s*/?"""
_OPENING = re.compile(rf"<!--|<(script|style){_ATTRIBUTES}>", re.IGNORECASE)
_CLOSING = {None: re.compile("-->")} | {tag: re.compile(rf"</{tag}\s*>", re.IGNORECASE) for tag in ("script", "style")}
_INLINE_TAG = re.compile(rf"</?(?:{_INLINE}){_ATTRIBUTES}>", re.IGNORECASE)
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCK}){_ATTRIBUTES}>", re.IGNORECASE)


def strip_markup(dataset: Dataset, *, num_proc: int) -> Dataset:
    """Texts without HTML tags, comments, scripts and styles, with entities as the characters they stand for.

    A block tag (`<br>`, `<p>`) parts two words and becomes a space; an inline tag (`<b>`) vanishes. This works by patterns and
    makes one line; for text with the line breaks that a browser shows, of whole pages too, see `html`.
    """
    return rewrite(dataset, _strip, num_proc=num_proc)


def _strip(text: str) -> str:
    if "<" in text:
        shown = _INLINE_TAG.sub("", _seen(text))
        parts = _BLOCK_TAG.split(shown)
        if len(parts) > 1 or shown != text:
            text = " ".join(filter(None, (part.strip() for part in parts)))
    return html.unescape(text) if "&" in text else text


def _seen(text: str) -> str:
    """`text` with a space for each comment, script and style that is closed; what is not closed is looked for once, not at each opening."""
    parts, done, open_for_good = list[str](), 0, set[str | None]()
    for opening in _OPENING.finditer(text):
        kind = opening[1] and opening[1].lower()
        if opening.start() < done or kind in open_for_good:
            continue
        if closing := _CLOSING[kind].search(text, opening.end()):
            parts.append(text[done : opening.start()])
            done = closing.end()
        else:
            open_for_good.add(kind)
    return " ".join([*parts, text[done:]])
