"""Secrets stay where they are: no run writes one, whether it comes by the environment, an argument or a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from prepsweep.cli import train
from prepsweep.preflight.secrets import names_a_secret
from tests.unit.sources.helpers import contents

CANARIES = {
    "WANDB_API_KEY": "c4n4ry0wandb" + "0" * 28,
    "HF_TOKEN": "hf_C4n4ryOfTheHub0123456789abcdef",
    "OPENAI_API_KEY": "sk-c4n4ry-of-a-model-0123456789",
    "HTTPS_PROXY": "http://user:c4n4rypassword@proxy.invalid:3128",
}
QUICK = ["trainer=cpu", "budget=steps", "budget.steps=2", "preprocess.tokenize.max_length=32"]


def test_a_run_writes_none_of_the_environments_secrets(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; from prepsweep.cli import train; sys.exit(train())",
        "data=csv",
        f"data.path={reviews_csv}",
    ]
    command += [f"model.name={tiny_model}", "logger=[wandb,csv,tensorboard]", "augment=duplicate", *QUICK]
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | CANARIES | {"HOME": str(home), "WANDB_DATA_DIR": str(home), "WANDB_CONFIG_DIR": str(home)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    written = contents()
    kinds = {path.suffix for path in written}
    assert {".wandb", ".json", ".log", ".yaml", ".arrow", ".parquet", ".csv"} <= kinds
    everything = {**{str(path): data for path, data in written.items()}, "stdout": ran.stdout.encode(), "stderr": ran.stderr.encode()}
    for name, secret in CANARIES.items():
        assert [place for place, data in everything.items() if secret.encode() in data] == [], name


def test_the_texts_of_a_file_go_to_wandb_only_when_asked(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    """A private file's rows are nobody else's; `logger.wandb.examples` says how many may go."""
    told = "zzunheardofword"
    reviews_csv.write_text(reviews_csv.read_text().replace('\n"', f'\n"{told} '))
    given = ["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "augment=word_noise", *QUICK]
    for examples, is_there in (("null", False), ("0", False), ("3", True)):
        assert train([*given, f"logger.wandb.examples={examples}", f"paths.output_dir={tmp_path / f'runs{examples}'}"]) == 0
        sent = [path.read_bytes() for path in (tmp_path / f"runs{examples}").rglob("wandb/**/*") if path.is_file()]
        assert sent
        assert any(told.encode() in data for data in sent) is is_there, examples


def test_a_wandb_run_names_no_machine_and_says_what_was_chosen(
    tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "c4n4ry-host")
    given = ["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "logger=wandb", "augment=[duplicate,aeda]", *QUICK]
    assert train(given) == 0
    sent = {path.name: path.read_bytes() for path in tmp_path.rglob("wandb/offline-run-*/**/*") if path.is_file()}
    assert not any(b"c4n4ry-host" in content for content in sent.values())
    assert "requirements.txt" not in sent
    assert any(b'"augment":"duplicate+aeda"' in content for content in sent.values()), "a name to group and filter runs by"


IN_ARGUMENTS = {
    "a key": "+logger.wandb.api_key=c4n4ry-0123456789",
    "a token": "+model.token=c4n4ry-0123456789",
    "a token of the hub": "+data.hf_token=c4n4ry-0123456789",
    "a password": "+logger.password=c4n4ry-0123456789",
    "a secret": "+my_secret=c4n4ry-0123456789",
    "inside a mapping": "+logger.evil={user: me, password: c4n4ry-0123456789}",
    "a URL with a password": "+data.url=https://me:c4n4ry@example.org/rows.csv",
    "a token by its looks": "model.name=hf_C4n4ryOfTheHub0123456789abcdef",
    "the value of a variable": f"logger.wandb.project={CANARIES['WANDB_API_KEY']}",
    "a header": "+extra.authorization.bearer=c4n4ry-0123456789",
}


@pytest.mark.parametrize("case", IN_ARGUMENTS)
def test_a_secret_in_an_argument_is_refused_and_not_repeated(
    case: str, reviews_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", CANARIES["WANDB_API_KEY"])
    before = contents()
    assert train(["data=csv", f"data.path={reviews_csv}", IN_ARGUMENTS[case]]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "secret" in line
    assert "WANDB_API_KEY" in line.partition(". fix: ")[2]
    assert "c4n4ry" not in line.lower()
    assert contents() == before


def test_names_of_secrets_and_of_other_things() -> None:
    secret = "api_key apiKey WANDB_API_KEY hf_token HF_TOKEN token password aws_secret_access_key client-secret auth"
    other = "max_tokens tokenize tokenizer mask_token pad_token_id api_key_env key keyboard author data"
    assert [name for name in secret.split() if not names_a_secret(name)] == []
    assert [name for name in other.split() if names_a_secret(name)] == []


def test_a_secret_in_an_experiment_is_refused(tmp_path: Path, reviews_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    (tmp_path / "theirs" / "experiment" / "x.yaml").write_text(
        "# @package _global_\nlogger:\n  wandb:\n    entity: https://a:c4n4ry@b.org\n"
    )
    assert train(["--config-dir=theirs", "data=csv", f"data.path={reviews_csv}", "experiment=x"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: logger.wandb.entity: the value holds a secret")
    assert "c4n4ry" not in line


def test_the_record_holds_no_command_line_of_others(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    assert train(["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "logger=none", *QUICK]) == 0
    (file,) = tmp_path.glob("outputs/*/*/run.json")
    record = json.loads(file.read_text())
    assert set(record["environment"]) == {"python", "versions", "git_revision", "host"}
    assert set(record["environment"]["host"]) == {"system", "machine", "cpus"}
