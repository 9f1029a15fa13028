"""Files of configuration before anything reads them: small, flat, and without aliases that grow when they are resolved."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import yaml

from prepsweep.errors import Refused

MAX_BYTES = 200_000
MAX_DEPTH = 32
MAX_VALUES = 20_000
MAX_FILES = 2_000
_PLAIN_TAGS = ("!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map")))
# Folders of the package into which a clone's user puts files, their own and those of others.
_OPEN_GROUPS = ("experiment", "local")


def check_yaml_files(folders: Iterable[Path]) -> None:
    """Refuse a file in `folders`, or among the experiments of the package, that OmegaConf would choke on.

    It resolves aliases by copying: 236 bytes of them keep it busy for ever.
    """
    conf = Path(str(files("prepsweep.conf").joinpath("config.yaml"))).parent
    found = (file for folder in [*folders, *(conf / group for group in _OPEN_GROUPS)] for file in sorted(folder.rglob("*.y*ml")))
    for number, file in enumerate(found):
        if number >= MAX_FILES:
            raise Refused(str(file), f"more than {MAX_FILES:,} files of configuration", "name the folder that holds them alone")
        if file.is_file():
            _check(file)


def _check(file: Path) -> None:
    try:
        if (size := file.stat().st_size) > MAX_BYTES:
            raise Refused(str(file), f"{size:,} bytes of configuration, over {MAX_BYTES:,}", "keep data out of it")
        _check_values(file, file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Refused(str(file), "not UTF-8", "save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise Refused(where, f"not YAML: {error.problem}", "mend it") from error
    except yaml.YAMLError as error:
        raise Refused(str(file), f"not YAML: {' '.join(str(error).split())}", "mend it") from error


def _check_values(file: Path, text: str) -> None:
    """Count what the file comes to with its aliases resolved, without resolving them."""
    sizes: dict[str, int] = {}
    under_way: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = f"{file}:{event.start_mark.line + 1}" if event.start_mark else str(file)
        n = 1
        if (tag := getattr(event, "tag", None)) is not None and tag not in _PLAIN_TAGS:
            raise Refused(where, f"the tag {tag} makes objects", "write plain values")
        if isinstance(event, yaml.CollectionStartEvent):
            if len(under_way) > MAX_DEPTH:
                raise Refused(where, f"nested deeper than {MAX_DEPTH} levels", "write it flatter")
            under_way.append((event.anchor, 0))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, inside = under_way.pop()
            n += inside
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise Refused(where, f"the alias *{event.anchor} stands for nothing before it", "write the value out")
            anchor, n = None, sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            anchor = event.anchor
        else:
            continue
        if anchor:
            sizes[anchor] = n
        outer, inside = under_way[-1]
        under_way[-1] = (outer, inside + n)
        if inside + n > MAX_VALUES:
            raise Refused(where, f"comes to more than {MAX_VALUES:,} values with its aliases resolved", "write the values out")
