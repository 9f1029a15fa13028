"""What a stage's result depends on, as one key: configuration, source code, library versions, files read, seed.

A name, a time stamp or a path is never part of an identity. See docs/architecture.md, "The cache".
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.errors import Refused
from prepsweep.fingerprints import hash_file, hash_folder

# Arguments that say how or where, never what: they must not move a key.
RUNTIME_ONLY = frozenset({"num_proc", "batch_size", "batch_tokens", "device", "download_dir", "replies_file", "n_parallel", "api_key_env"})
# Whatever a stage imports, its result also passes through these.
_ALWAYS = ("prepsweep.lineage", "prepsweep.schema")
_identities: dict[str, dict[str, Any]] = {}
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn", "hydra": "hydra-core", "yaml": "PyYAML"}


def is_path(argument: str) -> bool:
    """Whether an argument names a file or folder: it counts by its content, not by its name."""
    return argument == "path" or argument.endswith(("_path", "_file", "_dir"))


def stage_key(*, parent: str | None, spec: Mapping[str, Any], seed: int | None, files: Mapping[str, str]) -> str:
    """sha256 of everything that decides the rows a stage gives; `files` are content hashes of what it reads.

    What was hashed can be asked for afterwards, see `identity_behind`.
    """
    targets = sorted({target for _, target in targets_in(spec)})
    modules: dict[str, str] = {}
    for module in [target.rpartition(".")[0] for target in targets] + list(_ALWAYS):
        modules |= source_closure(module)
    identity = {
        "parent": parent,
        "config": without_runtime(spec),
        "source": dict(sorted(modules.items())),
        "versions": library_versions(tuple(sorted(modules))),
        "files": dict(sorted(files.items())),
        "seed": seed,
    }
    key = hash_json(identity)
    _identities[key] = identity
    return key


def identity_behind(key: str) -> dict[str, Any] | None:
    """What this process has hashed to `key`; it is kept with a prepared stage, so that a later one can be told from it."""
    return _identities.get(key)


def hash_json(value: Any) -> str:
    """sha256 of a plain value in canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def without_runtime(value: Any) -> Any:
    """`value` without the entries that may differ between equal results, at any depth."""
    if isinstance(value, Mapping):
        return {str(k): without_runtime(v) for k, v in value.items() if k not in RUNTIME_ONLY and not is_path(str(k))}
    return [without_runtime(item) for item in value] if isinstance(value, (list, tuple)) else value


def targets_in(spec: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every `_target_` in `spec`, nested ones (a translator) and those in lists included, with the dotted key of its node."""
    if isinstance(spec, Mapping):
        if "_target_" in spec:
            yield where, spec["_target_"]
        for key, value in spec.items():
            yield from targets_in(value, f"{where}.{key}" if where else str(key))
    elif isinstance(spec, (list, tuple)):
        for place, value in enumerate(spec):
            yield from targets_in(value, f"{where}[{place}]")


def content_of_files(spec: Mapping[str, Any], *, where: str) -> dict[str, str]:
    """Content hash of every file and folder that the arguments of a stage name."""
    found: dict[str, str] = {}
    for place, value in _paths_in(spec):
        path = Path(str(value))
        try:
            found[place] = hash_folder(path) if path.is_dir() else hash_file(path)
        except OSError as error:
            what = "no such file or folder" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise Refused(f"{where}.{place}", f"{what}: {path}", "check the path") from error
    return found


def _paths_in(value: Any, name: str = "", place: str = "") -> Iterator[tuple[str, Any]]:
    """The values, at any depth, whose argument `is_path`, each with its dotted place."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _paths_in(inner, str(key), f"{place}.{key}" if place else str(key))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _paths_in(item, name, f"{place}[{number}]")
    elif is_path(name) and name not in RUNTIME_ONLY and value is not None:
        yield place, value


@cache
def source_closure(module: str) -> dict[str, str]:
    """`module` and the modules of its package and of ours that it imports, directly or not: name → sha256 of the syntax tree.

    Comments, layout and docstrings are not part of a syntax tree without docstrings, so they do not move a key. A compiled
    module counts by its bytes; one that is imported where it is there, and is not, counts from the day that it is.
    """
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = _syntax_hash(name)
        waiting += [imported for imported in _imports(name) if imported.split(".")[0] in _followed(name) and _file_of(imported)]
    return found


@cache
def _syntax_hash(module: str) -> str:
    if (file := _compiled_file(module)) is not None:
        return hash_file(file)
    return hashlib.sha256(ast.dump(syntax_tree(module)).encode()).hexdigest()


@cache
def library_versions(modules: tuple[str, ...]) -> dict[str, str]:
    """Installed version of every library that the modules import."""
    names = {imported.split(".")[0] for module in modules for imported in _imports(module)}
    own = {module.split(".")[0] for module in modules}
    libraries = sorted(names - own - sys.stdlib_module_names)
    return {name: _version(name) for name in libraries}


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTIONS.get(library, library))
    except importlib.metadata.PackageNotFoundError:
        owners = _owners().get(library, [])
        return ",".join(f"{owner}=={importlib.metadata.version(owner)}" for owner in sorted(set(owners)))


@cache
def _owners() -> Mapping[str, list[str]]:
    """The installed distributions by what is imported from them; looks through the files of each."""
    return importlib.metadata.packages_distributions()


@cache
def syntax_tree(module: str) -> ast.Module:
    """The source of a module without its docstrings; refused where there is no such module, which is not imported for it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise Refused(module, "no such module", "check the _target_ of the stage")
    try:
        tree = ast.parse(Path(spec.origin).read_bytes())  # As bytes: Python minds the encoding that a file names.
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise Refused(f"{spec.origin}:{line}", f"is no Python: {getattr(error, 'msg', error)}", "mend the file") from error
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Names of the modules that a module imports, at its top or inside its functions."""
    names: list[str] = []
    if _compiled_file(module):
        return ()
    for node in ast.walk(syntax_tree(module)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = importlib.util.resolve_name("." * node.level + (node.module or ""), _package(module))
            parts = [f"{origin}.{alias.name}" for alias in node.names]
            names += [origin, *(part for part in parts if part.split(".")[0] in _followed(module) and _file_of(part))]
    return tuple(names)


def _followed(module: str) -> tuple[str, str]:
    # Only these packages are searched: to ask for a submodule imports its parent, and torch is a slow parent.
    return module.split(".")[0], "prepsweep"


def _package(module: str) -> str:
    spec = importlib.util.find_spec(module)
    return (spec.parent if spec else None) or ""


@cache
def _file_of(module: str) -> Path | None:
    """Where a module is read from; None where there is none, or only a folder without an `__init__.py`."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


def _compiled_file(module: str) -> Path | None:
    file = _file_of(module)
    return file if file is not None and file.name.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)) else None


def content_hash(table: pa.Table) -> str:
    """sha256 of the values, column by column: the same for any chunking, file name or Arrow version."""
    digest = hashlib.sha256()
    for name in sorted(table.column_names):
        digest.update(f"{name}\0{table.schema.field(name).type}\0{len(table)}\0".encode())
        for chunk in [table.column(name).combine_chunks()]:
            _update(digest, chunk)
    return digest.hexdigest()


def _update(digest: Any, array: pa.Array) -> None:
    if pa.types.is_list(array.type):
        digest.update(pc.fill_null(pc.list_value_length(array), -1).to_numpy())
        _update(digest, array.flatten())
    elif pa.types.is_string(array.type):
        lengths = pc.fill_null(pc.binary_length(array), -1).to_numpy()
        digest.update(lengths)
        digest.update(_characters(array, int(lengths[lengths > 0].sum())))
    else:
        digest.update(array.is_valid().to_numpy(zero_copy_only=False).tobytes())
        digest.update(array.drop_null().to_numpy(zero_copy_only=False).tobytes())


def _characters(array: pa.StringArray, n_bytes: int) -> pa.Buffer:
    """The bytes of all strings that are not null, one after the other, whatever the offsets of a slice are."""
    first, last = np.frombuffer(array.buffers()[1], np.int32)[[array.offset, array.offset + len(array)]] if len(array) else (0, 0)
    if last - first == n_bytes:  # and then nothing lies between them, and nothing is copied
        return (array.buffers()[2] or pa.py_buffer(b""))[first:last]
    return pc.binary_join(pa.ListArray.from_arrays([0, len(array) - array.null_count], array.drop_null()), "")[0].as_buffer()
