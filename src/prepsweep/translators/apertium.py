"""Apertium: rule-based machine translation from a Debian package, hundreds of sentences a second on two cores."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from prepsweep.errors import Refused
from prepsweep.fingerprints import hash_file
from prepsweep.progress import track

_WHERE = "augment.backtranslate"
_ELSE = "or use augment=backtranslate_marian or augment=synonym"
# Line ends of every kind, NUL and the other control characters: none may reach a program that works by lines.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:_[A-Za-z0-9_]+)?")


def apertium(texts: Iterable[str], *, source: str, target: str) -> Iterator[str]:
    """The translations of `texts`, in order and as they come, from one process for all.

    Languages are ISO 639-3 codes as Apertium names its pairs (eng, spa). Each text becomes one line: control
    characters and runs of white space are one space, in the text and in its translation. A blank text comes back as it is.

    `texts` may be the iterator that this function gave for the other direction: both processes then work side by side.
    Apertium's tagger is not quite free of memory (eng-spa: one text in twelve depends on those before it), so equal
    results need an equal order of texts. Raises RuntimeError unless there are exactly as many lines back.
    """
    command = _command(source, target)
    return _translations(texts, command, f"{source}-{target}")


def fingerprint_pair(*, source: str, target: str) -> dict[str, str]:
    """Content hashes of what translates `source` to `target`: the program, the mode file and the compiled data it names."""
    program, *_ = _command(source, target)
    mode = _modes() / f"{source}-{target}.mode"
    named = [Path(path) for path in sorted(set(re.findall(r"'(/[^']+)'", mode.read_text(encoding="utf-8"))))]
    gone = [path for path in named if not path.is_file()]
    if gone:
        fix = f"sudo apt-get install --reinstall {_package(source, target)}, {_ELSE}"
        raise Refused(_WHERE, f"Apertium's pair {mode.stem} lacks its file {gone[0]}", fix)
    return {"apertium": hash_file(Path(program))} | {f"{mode.stem}/{path.name}": hash_file(path) for path in (mode, *named)}


def _modes() -> Path:
    return Path(os.environ.get("APERTIUM_DATADIR", "/usr/share/apertium"), "modes")


def _package(source: str, target: str) -> str:
    return f"apertium-{'-'.join(sorted((source, target)))}"


def _command(source: str, target: str) -> list[str]:
    """The command line for a pair, or `Refused` with the package that is missing."""
    pair = f"{source}-{target}"
    # The pair becomes part of a path to a file that Apertium runs as a script.
    for code in (source, target):
        if not _LANGUAGE.fullmatch(str(code)):
            raise Refused(_WHERE, f"{code!r} is not a language code", "use ISO 639-3 codes as Apertium does, such as eng and spa")
    install = f"sudo apt-get install {_package(source, target)}"
    program = shutil.which("apertium")
    if program is None:
        raise Refused(_WHERE, "the program apertium is not installed", f"{install}, {_ELSE}")
    if not (_modes() / f"{pair}.mode").is_file():
        there = ", ".join(sorted(path.stem for path in _modes().glob("*.mode"))) or "nothing"
        fix = f"{install} (apt-cache search ^apertium- lists the pairs there are), {_ELSE}"
        raise Refused(_WHERE, f"Apertium has no pair {pair} here, only {there}", fix)
    return [program, "-u", pair]


def _translations(texts: Iterable[str], command: list[str], pair: str) -> Iterator[str]:
    """Feed the process from a thread and read from it here, so that neither side waits for a full pipe."""
    sent: SimpleQueue[tuple[str, bool] | None] = SimpleQueue()
    # The tools read UTF-8 only under a UTF-8 locale, whatever the user's is.
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    with tempfile.TemporaryFile() as complaints, ThreadPoolExecutor(1) as pool:
        process = subprocess.Popen(  # noqa: S603 - the command is fixed but for two checked language codes
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, env=environment, start_new_session=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        feeding = pool.submit(_feed, texts, process.stdin, sent)
        try:
            with process.stdout as lines:
                for text, is_blank in _shown(texts, iter(sent.get, None), pair):
                    yield text if is_blank else _translation(lines, pair, complaints)
                if lines.read(1):
                    raise RuntimeError(f"apertium {pair}: gave more lines than it got")
            feeding.result()
            if process.wait():
                raise RuntimeError(f"apertium {pair}: ended with exit code {process.returncode}. {_said(complaints)}")
        finally:
            if process.poll() is None:
                _end(process)


def _shown(texts: Iterable[str], sent: Iterator[tuple[str, bool]], pair: str) -> Iterator[tuple[str, bool]]:
    """`sent` with a progress bar, if the number of texts is known: the end of a chain shows none, its start does."""
    if not isinstance(texts, Sequence):
        return sent
    return (text for _, text in zip(track(texts, f"translate {pair}"), sent, strict=False))


def _feed(texts: Iterable[str], pipe: IO[bytes], sent: SimpleQueue[tuple[str, bool] | None]) -> None:
    try:
        with pipe:
            for text in texts:
                line = " ".join(_CONTROL.sub(" ", text).split())
                sent.put((text, not line))
                if line:
                    # A blank line ends a sentence for Apertium: without it a text with no full stop flows into the next.
                    pipe.write(f"{line}\n\n".encode("utf-8", "replace"))
    finally:
        sent.put(None)


def _translation(lines: IO[bytes], pair: str, complaints: IO[bytes]) -> str:
    line, blank = lines.readline(), lines.readline()
    if not line.endswith(b"\n") or blank != b"\n":
        raise RuntimeError(f"apertium {pair}: lines in and lines out do not match. {_said(complaints)}")
    return " ".join(line.decode("utf-8").split())


def _said(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    return " ".join(complaints.read().decode("utf-8", "replace").split()) or "It said nothing on stderr."


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the shell and the dozen programs that it started; gently first, so that it removes its temporary file."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
