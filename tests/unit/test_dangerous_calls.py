"""What our own source does not do, by its syntax tree: run code out of data, or take a check away."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import prepsweep

SOURCES = sorted(Path(prepsweep.__file__).parents[1].rglob("*.py"))
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
# The last words of a call that nobody may make, whatever stands before them.
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.full_load", "yaml.unsafe_load", "yaml.load_all",
    "torch.hub.load", "pandas.read_pickle", "pd.read_pickle", "Markup", "Template", "runpy.run_path", "tempfile.mktemp",
}  # fmt: skip
ARGUMENTS = {"shell": True, "trust_remote_code": True, "allow_pickle": True, "autoescape": False, "weights_only": False, "verify": False}


def faults(source: str) -> list[str]:
    """Each dangerous place as `line: what`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"{node.lineno}: import {module}" for module in modules if module.split(".")[0] in UNPICKLERS]
        if isinstance(node, ast.Call):
            found += [f"{node.lineno}: {what}" for what in _dangers(node)]
    return found


def _dangers(call: ast.Call) -> list[str]:
    name = _dotted(call.func)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    dangers = [name] if name in CALLS or name.rpartition(".")[2] in {"Markup"} else []
    if name == "torch.load" and not _is(given.get("weights_only"), True):
        dangers.append("torch.load without weights_only=True")
    if name.rpartition(".")[2] == "Environment" and "autoescape" not in given:
        dangers.append("templates without autoescape")
    if None in given and name in {"torch.load", "np.load", "numpy.load"}:
        dangers.append(f"{name} with arguments that cannot be seen")
    return dangers + [f"{arg}={value}" for arg, value in ARGUMENTS.items() if _is(given.get(arg), value)]


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    # A method of something that was called or looked up, such as `model.to(device).eval()`.
    return node.id if isinstance(node, ast.Name) else "?"


def test_no_file_has_a_dangerous_call() -> None:
    assert len(SOURCES) > 200
    assert {str(path): found for path in SOURCES if (found := faults(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from dill import loads",
        "import joblib.numpy_pickle",
        "eval('1')",
        "exec(text)",
        "os.system('ls')",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "torch.load(file, **options)",
        "np.load(file, allow_pickle=True)",
        "subprocess.run('ls', shell=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "Markup(text)",
        "markupsafe.Markup(text)",
        "Environment(loader=loader)",
        "jinja2.Environment(autoescape=False)",
    ],
)
def test_it_would_be_seen(line: str) -> None:
    assert faults(f"def f():\n    {line}\n"), line
    assert faults("model.to(device).eval()\nre.compile('x')\nyaml.safe_load(text)\ntorch.load(file, weights_only=True)\n") == []
