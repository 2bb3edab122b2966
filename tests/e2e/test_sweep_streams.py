"""The sweep of kubectl 1.20 and kctl: logs, exec, attach, cp, port-forward, proxy, debug. More of it is in test_streams.py."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cluster import LocalCluster, Namespace, container_status, is_ready
from tests.support.load import fetch
from tests.support.manifests import deployment, held, pod, service, shell, sleeper, web_container
from tests.support.sweeping import TOOLS, Tool, same
from tests.support.terminals import TIMEOUT_S, Terminal, background, forwarded_port, terminal

SHARED = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
VOLUME = {"volumes": [{"name": "shared", "emptyDir": {}}]}
TALKER = (
    f"test -e /shared/again || {{ touch /shared/again; {held('echo first run')}; exit 1; }};"
    " for n in 1 2 3; do echo line $n; done; sleep 3600"
)


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, cluster: LocalCluster, show_in_reports: Callable[..., None]) -> Iterator[Namespace]:
    """`talker` has restarted once, `pair` has two containers that have ended, `web` serves pages, `box` does nothing."""
    with cluster.namespace("sweep-streams") as namespace:
        show_in_reports(request.node, namespace)
        namespace.create(pod("talker", shell(TALKER, **SHARED), restartPolicy="OnFailure", labels={"app": "talker"}, **VOLUME))
        namespace.create(pod("box", sleeper()))
        namespace.apply(deployment("web", 1, web_container()), service("web"))
        namespace.pod_ready("box")
        namespace.ended_whole(pod("pair", [shell("echo one", "one"), shell("echo two >&2", "two")], labels={"app": "pair"}))
        namespace.deployment_done("web")
        namespace.logged("talker", "first run\n")
        namespace.let_go("talker")
        namespace.pod_where(
            "talker", lambda each: container_status(each).get("restartCount") == 1 and is_ready(each), "restarted", 30
        )
        namespace.logged("talker", "line 1\nline 2\nline 3\n")
        namespace.endpoints_ready("web", 1)
        yield namespace


@pytest.fixture
def both(shared: Namespace) -> tuple[Tool, ...]:
    return tuple(Tool(name, shared.cluster, shared.name) for name in TOOLS)


@pytest.fixture(params=TOOLS)
def one(request: pytest.FixtureRequest, shared: Namespace) -> Tool:
    return Tool(request.param, shared.cluster, shared.name)


# logs


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("talker",), "line 1\nline 2\nline 3\n"),
        (("pod/talker", "--tail=1"), "line 3\n"),
        (("talker", "--since=1h"), "line 1\nline 2\nline 3\n"),
        (("talker", "--since-time=2199-01-01T00:00:00Z"), ""),
        (("talker", "-p"), "first run\n"),
        (("talker", "--previous", "--tail=5"), "first run\n"),
        (("talker", "--limit-bytes=6"), "line 1"),
        (("-l", "app=talker", "--tail=1"), "line 3\n"),
        (("-l", "app=talker", "--prefix", "--tail=1"), "[pod/talker/main] line 3\n"),
        (("pair", "-c", "two"), "two\n"),
        (("pair", "one"), "one\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_logs(both: tuple[Tool, ...], arguments: tuple[str, ...], text: str) -> None:
    assert same(both, "logs", *arguments).out == text


def test_logs_of_all_containers(one: Tool) -> None:
    lines = one("logs", "pair", "--all-containers").lines()
    assert (lines if one.is_kctl else sorted(lines)) == ["one", "two"], "kubectl keeps them in a map, which has no order"
    prefixed = one("logs", "-l", "app=pair", "--all-containers", "--prefix").lines()
    assert sorted(prefixed) == ["[pod/pair/one] one", "[pod/pair/two] two"]


def test_logs_with_times_and_of_nobody(one: Tool) -> None:
    stamped = one("logs", "talker", "--timestamps").lines()
    assert [line.partition(" ")[2] for line in stamped] == ["line 1", "line 2", "line 3"]
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00) ", line) for line in stamped)
    assert one("logs", "nobody", code=1).err == 'Error from server (NotFound): pods "nobody" not found\n'
    assert "container no is not valid for pod pair" in one("logs", "pair", "-c", "no", code=1).err
    assert "previous terminated container" in one("logs", "box", "-p", code=1).err


def test_logs_followed(one: Tool, ns: Namespace) -> None:
    tool = Tool(one.name, ns.cluster, ns.name)
    ns.create(pod("ends", shell("while ! test -e /shared/go; do sleep 0.1; done; echo over", **SHARED), **VOLUME))
    ns.pod_ready("ends")
    with background(tool.command("logs", "-f", "ends"), tool.environment()) as process:
        ns.exec("ends", "touch", "/shared/go")
        assert process.stdout is not None
        assert process.stdout.readline() == "over\n"
        assert process.wait(TIMEOUT_S) == 0  # it ends with the container


# exec, attach


def test_exec(one: Tool, shared: Namespace) -> None:
    assert one("exec", "box", "--", "echo", "a  b").out == "a  b\n"
    assert one("exec", "-i", "box", "--", "tr", "a-z", "A-Z", stdin="hello\n").out == "HELLO\n"
    assert one("exec", "deploy/web", "-c", "web", "--", "hostname").out.startswith("web-")
    assert one("exec", "svc/web", "--", "true").out == ""
    failed = one("exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 42", code=42)
    assert (failed.out, failed.err) == ("out\n", "err\ncommand terminated with exit code 42\n")
    missing = one("exec", "box", "--", "/no/such", code=1).err
    assert "no such file or directory" in missing
    assert missing.count("Internal error occurred") == 1
    assert "container" in one("exec", "box", "-c", "no", "--", "true", code=1).err


def test_exec_in_a_terminal(one: Tool) -> None:
    with terminal(one.command("exec", "-it", "box", "--", "sh"), 101, 41, one.environment()) as screen:
        _type_size(screen, 101, 41)
        screen.resize(133, 44)
        screen.process.send_signal(signal.SIGWINCH)
        _type_size(screen, 133, 44)
        screen.write("exit 7\n")
        screen.until(b"exit code 7")
        assert screen.process.wait(TIMEOUT_S) == 7


def _type_size(screen: Terminal, columns: int, lines: int) -> None:
    """Wait until the container's terminal is of this size: sizes travel beside what is typed, not in order with it."""
    screen.write(f"until test \"$(stty size)\" = '{lines} {columns}'; do sleep 0.05; done; echo {lines}'x'{columns}\n")
    screen.until(b"%dx%d" % (lines, columns))


def test_attach(one: Tool, ns: Namespace) -> None:
    tool = Tool(one.name, ns.cluster, ns.name)
    reader = 'while read -r line; do test "$line" = end && exit 0; echo "got $line"; done'
    ns.create(pod("reads", shell(reader, stdin=True, stdinOnce=True)))
    ns.create(pod("term", shell('while read -r line; do echo "got $line"; done', stdin=True, tty=True)))
    ns.pod_ready("reads")
    ns.pod_ready("term")
    attached = tool("attach", "-i", "reads", stdin="one\nend\n")
    assert "got one\n" in attached.out
    with terminal(tool.command("attach", "-it", "term"), 90, 30, tool.environment()) as screen:
        screen.write("two\n")
        screen.until(b"got two")
    assert "not found" in tool("attach", "nobody", code=1).err


# cp


def test_copies(one: Tool, shared: Namespace, tmp_path: Path) -> None:
    there = f"/tmp/{one.name}"
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "data").write_bytes(os.urandom(300_000))
    (source / "one file").write_text("one\n")
    (source / "link").symlink_to("one file")
    one("cp", str(source), f"box:{there}")
    assert one("exec", "box", "--", "cat", f"{there}/one file").out == "one\n"
    assert one("exec", "box", "--", "readlink", f"{there}/link").out == "one file\n"
    one("cp", str(source / "one file"), f"{shared.name}/box:{there}-file", "-c", "main")
    back = tmp_path / "back"
    copied = one("cp", f"{shared.name}/box:{there}", str(back))
    assert (back / "deep" / "data").read_bytes() == (source / "deep" / "data").read_bytes()
    # links are carried to a pod, and left out on the way back
    assert not (back / "link").exists()
    assert "skipping symlink" in copied.err
    one("cp", f"box:{there}-file", str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "one\n"
    missing = one("cp", "box:/no/such", str(tmp_path / "x"), code=None)
    if one.is_kctl:  # kubectl 1.20 sends tar's complaint to where nobody reads it
        assert (missing.code, "No such file" in missing.err) == (1, True)
    assert not (tmp_path / "x").exists()
    one("cp", str(tmp_path / "missing"), "box:/tmp/x", code=1)


# port-forward, proxy


@pytest.mark.parametrize("subject", ["pod", "deployment/web", "service/web"])
def test_port_forward(one: Tool, shared: Namespace, subject: str) -> None:
    subject = shared.pods("app=web")[0]["metadata"]["name"] if subject == "pod" else subject
    command = one.command("port-forward", subject, ":80" if subject.startswith("service") else ":8080")
    with background(command, one.environment()) as process:
        port = forwarded_port(process, 8080)
        for _ in range(2):
            status, body = fetch(port, "/", timeout_s=TIMEOUT_S)
            assert (status, body.startswith("web-")) == (200, True)


def test_proxy(one: Tool, shared: Namespace) -> None:
    with background(one.command("proxy", "--port=0"), one.environment()) as process:
        assert process.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found
        base = f"http://127.0.0.1:{found.group(1)}"

        def asked(path: str) -> bytes:
            with urllib.request.urlopen(base + path, timeout=TIMEOUT_S) as answer:
                body: bytes = answer.read()
                return body

        assert json.loads(asked(f"/api/v1/namespaces/{shared.name}/pods/box"))["metadata"]["name"] == "box"
        assert asked(f"/api/v1/namespaces/{shared.name}/services/web/proxy/").startswith(b"web-")
        name = shared.pods("app=web")[0]["metadata"]["name"]
        assert asked(f"/api/v1/namespaces/{shared.name}/pods/{name}:8080/proxy/") == f"{name}\n".encode()
        watched = asked(f"/api/v1/namespaces/{shared.name}/pods?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dbox")
        assert json.loads(watched.splitlines()[0])["type"] == "ADDED"


# debug: kctl has no such command yet


def test_debug_with_a_copy(shared: Namespace) -> None:
    kubectl = Tool("kubectl", shared.cluster, shared.name)
    kubectl("debug", "box", "--copy-to=copied", "--image=busybox:1", "--container=looks", "--", "sleep", "3600")
    copied = shared.pod_ready("copied")
    assert [each["name"] for each in copied["spec"]["containers"]] == ["main", "looks"]
    node = shared.cluster.workers()[0]
    told = kubectl("debug", f"node/{node}", "--image=busybox:1", "--", "true")
    (name,) = re.findall(r"debugging pod (\S+) with", told.out + told.err)
    assert shared.get("pods", name)["spec"]["nodeName"] == node
