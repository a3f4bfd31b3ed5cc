"""T20: nothing that came from outside is ever unpickled or evaluated; queues carry JSON only."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

from tests.house.code import ROOT, dotted, sources, walk

MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "joblib"}
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.load_all", "yaml.unsafe_load",
    "yaml.full_load", "torch.load", "numpy.load", "np.load", "subprocess.getoutput",
}  # fmt: skip


def problems(nodes: list[tuple[str, ast.AST]]) -> list[str]:
    found = []
    for name, node in nodes:
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            found += [f"{name}:{line} import {one.name}" for one in node.names if one.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(f"{name}:{line} from {node.module}")
        elif isinstance(node, ast.Call):
            if dotted(node.func) in CALLS:
                found.append(f"{name}:{line} {dotted(node.func)}()")
            found += [
                f"{name}:{line} {one.arg}=True"
                for one in node.keywords
                if one.arg in {"shell", "trust_remote_code", "allow_pickle"}
                and not (isinstance(one.value, ast.Constant) and one.value.value is False)
            ]
    return found


def test_T20_no_pickle_no_yaml_load_no_eval_no_shell_anywhere() -> None:
    assert len(sources()) > 100, "the walk found the code"
    assert problems(list(walk())) == []


def test_T20_the_walk_sees_what_it_looks_for() -> None:
    """Each way of writing it, planted in a tree."""
    for text in (
        "import pickle", "from marshal import loads", "import yaml\nyaml.load(x)", "eval('1')", "exec('1')",
        "torch.load(x)", "subprocess.run(x, shell=True)", "f(trust_remote_code=True)", "import dill as json",
    ):  # fmt: skip
        assert problems([("x", node) for node in ast.walk(ast.parse(text))]), text
    assert problems([("x", node) for node in ast.walk(ast.parse("yaml.safe_load(x); f(shell=False)"))]) == []


def test_T20_the_portals_celery_speaks_json_only() -> None:
    from release_portal.celery import app

    assert set(app.conf.accept_content) == {"json"}
    assert (app.conf.task_serializer, app.conf.result_serializer) == ("json", "json")
    assert app.conf.result_accept_content in (None, ["json"])
    assert app.conf.task_default_queue == "portal", "the worker's queue is named at each call"


def test_T20_the_workers_celery_speaks_json_only() -> None:
    """In a process of its own: the worker is no guest in the portal."""
    code = (
        "from inference.worker import app; import json; c = app.conf;"
        "print(json.dumps([sorted(c.accept_content), c.task_serializer, c.result_serializer, c.task_ignore_result]))"
    )
    key = "v1:" + "A" * 43 + "="
    env = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0", "INFERENCE_STORE": "/tmp", "INFERENCE_PERMIT_KEYS": key}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip().splitlines()[-1:] == ['[["json"], "json", "json", true]'], done.stderr
