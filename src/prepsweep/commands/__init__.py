"""The installed commands: each module here is one, `main(argv)` runs it, and the first line of its docstring is its help."""

from __future__ import annotations

import argparse
import ast
import re
from importlib.resources import files
from typing import TYPE_CHECKING, NoReturn

from prepsweep.errors import Refused, nearest

if TYPE_CHECKING:
    from rich.console import Console


def descriptions() -> dict[str, str]:
    """Command → what it does, read from the files: no command is imported for it."""
    found = {}
    for file in files(__name__).iterdir():
        name, dot, ending = file.name.partition(".")
        if dot and ending == "py" and not name.startswith("_"):
            found[name.replace("_", "-")] = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]
    return dict(sorted(found.items()))


class Arguments(argparse.ArgumentParser):
    """Arguments of a command, options and overrides in any order; a mistake is refused in one line."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(f"prepsweep {command}", description=description, allow_abbrev=False)

    def parse(self, argv: list[str]) -> argparse.Namespace:
        return self.parse_intermixed_args(argv)

    def error(self, message: str) -> NoReturn:
        unknown = re.fullmatch(r"unrecognized arguments: (\S+).*", message, re.DOTALL)
        options = [option for option in self._option_string_actions if option.startswith("--")]
        fix = nearest(unknown[1].partition("=")[0], options) if unknown else f"see {self.prog} --help"
        raise Refused("command line", " ".join(message.split()), fix)


def positive(value: str) -> int:
    """A number of rows, for argparse."""
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {value!r}")
    return int(value)


def console() -> Console:
    """Standard output as the commands print to it: 120 columns wide where it is no terminal."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=None if Console().is_terminal else 120)
