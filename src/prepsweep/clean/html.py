"""HTML as the text that a browser shows."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

from selectolax.lexbor import LexborHTMLParser

from prepsweep.text import rewrite

if TYPE_CHECKING:
    from datasets import Dataset

# Elements by what the HTML standard's default style sheet does with them (https://html.spec.whatwg.org/#rendering),
# obsolete ones included. Other names in <> are no tags: <USER>, <unk>, <me@example.org>.
_BLOCK = frozenset(
    """
    address article aside blockquote body br button caption center dd details dialog dir div dl dt fieldset figcaption figure footer
    form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol optgroup option p pre search section select
    summary table tbody textarea tfoot thead tr ul
    """.split()  # noqa: SIM905 - a list of so many is hard to read
)
_CELL = frozenset(["td", "th"])
_HIDDEN = frozenset(["head", "iframe", "noembed", "noframes", "noscript", "object", "script", "style", "svg", "template", "title"])
_INLINE = frozenset(
    """
    a abbr acronym applet area audio b base basefont bdi bdo big canvas cite code col colgroup data datalist del dfn em embed font
    frame i img input ins kbd label link map mark math meta meter nobr output param picture progress q rp rt ruby s samp slot small
    source span strike strong sub sup time track tt u var video wbr
    """.split()  # noqa: SIM905 - a list of so many is hard to read
)
# An attribute has a value or is one of these: "a <b and c> d" is no tag.
_FLAGS = "allowfullscreen|async|autofocus|autoplay|checked|compact|controls|default|defer|disabled|hidden|loop|multiple|muted|noshade"
_FLAGS += "|novalidate|nowrap|open|readonly|required|reversed|selected"
_ATTRIBUTE = rf"""\s+(?:[\w:.@-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s<>"']+)|(?:{_FLAGS})(?=[\s/>]))"""
_TAG = re.compile(
    rf"<(?:/?(?P<name>{'|'.join(sorted(_BLOCK | _CELL | _HIDDEN | _INLINE, key=len, reverse=True))})(?:{_ATTRIBUTE})*\s*/?>"
    r"|(?P<comment>!--)|!doctype\b[^<>]*>|\?xml\b[^<>]*>)?",
    re.IGNORECASE,
)
# A parameter in an address ("?a=1&copy=2") is no entity.
_PARAMETER = re.compile(r"&(?=\w+=)")
_BREAK = "\0"


def html(dataset: Dataset, *, num_proc: int) -> Dataset:
    """Texts as a browser shows them: tags and comments gone, entities resolved, scripts, styles and titles not shown.

    A block tag (`<p>`, `<br>`, `<li>`) becomes a line break, a table cell a space, and then other white space (`&nbsp;` too)
    counts as one blank, but for line ends in `<pre>`; an inline tag (`<b>`) leaves nothing. A text without block tags keeps
    its white space. `strip_markup` makes one line of it by patterns; this parses as HTML5 says (lexbor), so that nesting,
    quotes and left-out end tags do not matter, keeps the lines, and takes six times as long.

    A `<` that opens no tag of HTML stays: `a < b`, `<3`, `<USER>`, an unfinished `<a href=`. Entities are resolved once, so
    `&lt;b&gt;` gives the text `<b>`, which a second run would take for a tag.
    """
    return rewrite(dataset, _shown, num_proc=num_proc)


def _shown(text: str) -> str:
    names: set[str] = set()
    last_comment_end = text.rfind("-->")

    def guarded(match: re.Match[str]) -> str:
        if match["name"]:
            names.add(match["name"].lower())
        is_markup = len(match[0]) > 1 and not (match["comment"] and match.start() > last_comment_end)
        return match[0] if is_markup else "&lt;" + match[0][1:]

    safe = _PARAMETER.sub("&amp;", text)
    marked = _TAG.sub(guarded, safe) if "<" in text else safe
    if marked.count("<") == 0:
        return unescape(safe) if "&" in safe else text
    shown = _rendered(marked.replace(_BREAK, ""), names)
    if not names & (_BLOCK | _CELL):
        return shown
    return "\n".join(filter(None, (" ".join(line.split()) for line in shown.split(_BREAK))))


def _rendered(markup: str, names: set[str]) -> str:
    """The text of the shown elements, with `_BREAK` where a line ends."""
    if "table" not in names and names & {"td", "th", "tr"}:
        markup = f"<table>{markup}"  # Cells cut out of their table are no cells to a parser, and would grow together.
    tree = LexborHTMLParser(markup, is_fragment=True)
    if hidden := names & _HIDDEN:
        for node in tree.css(",".join(sorted(hidden))):
            node.decompose()
    if "pre" in names:
        for text in [node for pre in tree.css("pre") for node in pre.traverse(include_text=True) if node.is_text_node]:
            text.replace_with((text.text_content or "").replace("\n", _BREAK))
    if cells := names & _CELL:
        for node in tree.css(",".join(sorted(cells))):
            node.insert_before(" ")
    if blocks := names & _BLOCK:
        for node in tree.css(",".join(sorted(blocks))):
            node.insert_before(_BREAK)
            node.insert_after(_BREAK)
    return str(tree.root.text()) if tree.root else ""
