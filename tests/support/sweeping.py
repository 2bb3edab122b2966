"""The two command lines that the sweep drives through the same bodies: a stock kubectl 1.20, and kctl.

    tool("apply", "-f", "-", stdin=text)            # a Ran: out, err, code; fails the test unless it ends with 0
    tool("diff", "-f", "-", stdin=text, code=1)     # ... unless it ends with 1
    same(tools, "get", "pods", "-o", "name")        # what both print, which has to be equal
    of_each(tools, "explain", "pods")                  # what both print, which differs

kubectl 1.20 asks for some kinds in versions that no Kubernetes serves any more; what it then says is tested too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.cluster import PROJECT, LocalCluster, Namespace, documents

KUBECTL = Path("/var/cache/coxswain/kubectl-1.20/usr/bin/kubectl")
TOOLS = ("kubectl", "kctl")
TIMEOUT_S = 40.0
NO_SUCH_VERSION = "the server could not find the requested resource"
# Ages grow between two calls.
_AGE = re.compile(r"(?<![\w.])(?:\d+[dhms]){1,2}(?![\w.])")


@dataclass(frozen=True)
class Ran:
    """How a call ended."""

    code: int
    out: str
    err: str

    def lines(self) -> list[str]:
        return self.out.splitlines()

    def rows(self) -> list[list[str]]:
        """The cells of a table's lines; cells are two or more spaces apart."""
        return [re.split(r" {2,}", line.strip()) for line in self.lines() if line.strip()]


@dataclass(frozen=True)
class Tool:
    """A program (`kubectl` or `kctl`) that works in one namespace of one cluster."""

    name: str
    cluster: LocalCluster
    namespace: str

    @property
    def is_kctl(self) -> bool:
        return self.name == "kctl"

    def command(self, *arguments: str) -> list[str]:
        program = [sys.executable, "-m", "kctl"] if self.is_kctl else [str(KUBECTL)]
        return [*program, f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={self.namespace}", *arguments]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """kubectl keeps what it has discovered below HOME."""
        return {**os.environ, "PYTHONPATH": str(PROJECT), "HOME": str(self.cluster.kubeconfig.parent), **(more or {})}

    def __call__(
        self, *arguments: str, stdin: str | None = None, code: int | None = 0, env: Mapping[str, str] | None = None
    ) -> Ran:
        """Run it to its end; with `code`, any other exit code fails the test."""
        result = subprocess.run(
            self.command(*arguments), input=stdin or "", text=True, capture_output=True, timeout=TIMEOUT_S,
            env=self.environment(env), check=False,
        )  # fmt: skip
        assert code is None or result.returncode == code, (
            f"{self.name} {' '.join(arguments)} ended with {result.returncode}:\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
        )
        return Ran(result.returncode, result.stdout, result.stderr)

    def apply(self, *manifests: Any) -> Ran:
        return self("apply", "-f", "-", stdin=documents(*manifests))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run it in the background; the caller ends it."""
        return subprocess.Popen(
            self.command(*arguments), env=self.environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def tool_for(name: str, namespace: Namespace) -> Tool:
    assert KUBECTL.exists(), f"{KUBECTL} is missing: tests/run fetches it"
    return Tool(name, namespace.cluster, namespace.name)


def same(tools: Sequence[Tool], *arguments: str, code: int = 0) -> Ran:
    """What all print and how they end, which is the same but for ages; the last one's answer."""
    answers = of_each(tools, *arguments, code=code)
    for tool, answer in zip(tools, answers, strict=True):
        assert ageless(answer.out) == ageless(answers[0].out), f"{arguments}: {tools[0].name} and {tool.name} differ"
    return answers[-1]


def of_each(tools: Sequence[Tool], *arguments: str, code: int | None = 0) -> list[Ran]:
    """How the same call of each ends; they run at the same time, so let them only look."""
    with ThreadPoolExecutor(len(tools)) as pool:
        return list(pool.map(lambda tool: tool(*arguments, code=code), tools))


def ageless(text: str) -> str:
    """The text with ages, and the spaces that depend on their length, evened out."""
    return re.sub(r" +", " ", re.sub(r" +$", "", _AGE.sub("AGE", text), flags=re.MULTILINE))


def editor(directory: Path, name: str, *scripts: str) -> dict[str, str]:
    """The environment for an editor that runs one `sed -i` script at each call, the last one for all further calls.

    An empty script leaves the file as it is. Each call leaves a copy of what it was given as NAME.1, NAME.2, ...
    """
    edits = [f'sed -i {_quoted(script)} "$1"' if script else ":" for script in scripts]
    branches = "\n".join(f"{number if number < len(edits) else '*'}) {edit} ;;" for number, edit in enumerate(edits, 1))
    program = directory / name
    program.write_text(
        f'#!/bin/sh\nset -e\nn=$(($(cat "$0.count" 2>/dev/null || echo 0) + 1))\necho $n > "$0.count"\n'
        f'cp "$1" "$0.$n"\ncase $n in\n{branches}\nesac\n'
    )
    program.chmod(0o755)
    return {"KUBE_EDITOR": str(program)}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
