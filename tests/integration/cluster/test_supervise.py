"""The supervisor with real processes, in a process of its own (it reaps every child it finds)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from cluster.supervise import trim_log

ROOT = Path(__file__).resolve().parents[3]
PROLOGUE = """
    import json, os, signal, sys, time
    from pathlib import Path
    from cluster.lifecycle import Board, Service, State
    from cluster.supervise import Supervisor
    here = Path(sys.argv[1])
    changes = []
    def on_change(life):
        changes.append([life.service.name, life.state.value])
        hook(life)
"""


def run(directory: Path, script: str, timeout_s: float = 20) -> str:
    """What the script prints; it gets `here`, and defines `hook(life)`."""
    source = textwrap.dedent(PROLOGUE) + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-c", source, str(directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_starts_in_order_restarts_and_stops(tmp_path: Path) -> None:
    (tmp_path / "notifier.py").write_text(
        "from component_base import notify\nimport signal\n"
        "def main(argv):\n    print('argv', argv, flush=True)\n    notify.ready()\n    signal.pause()\n"
    )
    out = run(
        tmp_path,
        """
        sys.path.insert(0, str(here))
        killed = False
        def hook(life):
            global killed
            if life.service.name == "second" and life.state is State.READY:
                if not killed:
                    killed = True
                    os.kill(supervisor.pids["second"], signal.SIGKILL)
                else:
                    board.stop()
        board = Board([
            Service(name="first", module="notifier", arguments=("a",), notify=True, log_file=str(here / "first.log")),
            Service(name="second", argv=("sleep", "60"), after=("first",)),
        ])
        supervisor = Supervisor(board, here, on_change=on_change)
        supervisor.run()
        print(json.dumps(changes))
        """,
    )
    changes = [tuple(change) for change in json.loads(out)]
    assert changes == [
        ("first", "starting"),
        ("second", "waiting"),
        ("first", "ready"),
        ("second", "ready"),
        ("second", "backoff"),
        ("second", "ready"),
        ("second", "stopping"),
        ("first", "stopping"),
        ("second", "stopped"),
        ("first", "stopped"),
    ]
    assert (tmp_path / "first.log").read_text() == "argv ['a']\n"


def test_a_forked_service_inherits_its_sockets_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "descriptors.py").write_text(
        "import os\ndef main(argv):\n"
        "    print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1], dict(os.environ), flush=True)\n"
    )
    out = run(
        tmp_path,
        """
        sys.path.insert(0, str(here))
        def hook(life):
            if life.state is State.DONE:
                board.stop()
        import socket
        kept, secret = socket.socket(), open("/etc/hostname")
        service = Service(
            name="a", module="descriptors", oneshot=True, listen_fds=(kept.fileno(),), environment={"A": "b"},
            log_file=str(here / "log"),
        )
        board = Board([service])
        Supervisor(board, here, on_change=on_change).run()
        print(kept.fileno())
        """,
    )
    assert (tmp_path / "log").read_text() == f"[0, 1, 2, {int(out)}] {{'A': 'b'}}\n"


def test_a_program_that_does_not_exist_is_an_exit(tmp_path: Path) -> None:
    out = run(
        tmp_path,
        """
        def hook(life):
            if life.state is State.FAILED:
                board.stop()
        board = Board([Service(name="a", argv=("/no/such/program",), oneshot=True, attempts=2, log_file=str(here / "log"))])
        Supervisor(board, here, on_change=on_change).run()
        print(board.lives["a"].exit_code, board.lives["a"].starts)
        """,
    )
    assert out == "127 2\n"
    assert "could not start a: [Errno 2]" in (tmp_path / "log").read_text()


def test_a_forked_service_that_raises_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "raising.py").write_text("def main(argv):\n    raise ValueError('no such luck')\n")
    run(
        tmp_path,
        """
        sys.path.insert(0, str(here))
        def hook(life):
            if life.state is State.FAILED:
                board.stop()
        board = Board([Service(name="a", module="raising", oneshot=True, attempts=1, log_file=str(here / "log"))])
        Supervisor(board, here, on_change=on_change).run()
        """,
    )
    assert "ValueError: no such luck" in (tmp_path / "log").read_text()


def test_sigterm_stops_everything(tmp_path: Path) -> None:
    script = textwrap.dedent(PROLOGUE) + textwrap.dedent(
        """
        def hook(life):
            print(life.state.value, flush=True)
        Supervisor(Board([Service(name="a", argv=("sleep", "60"))]), here, on_change=on_change).run()
        """
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout as out:
        assert out.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert out.read() == "stopping\nstopped\n"
        assert process.wait(10) == 0


def test_logs_are_cut_and_writers_go_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("a") as writer:
        writer.write("x" * 100)
        writer.flush()
        trim_log(log, bytes_max=100)
        assert log.stat().st_size == 100
        writer.write("y")
        writer.flush()
        trim_log(log, bytes_max=100)
        writer.write("z")
    assert (tmp_path / "log.1").read_text() == "x" * 100 + "y"
    assert log.read_text() == "z"
    trim_log(tmp_path / "nothing")


def test_as_pid_1_it_reaps_orphans(tmp_path: Path) -> None:
    script = textwrap.dedent(PROLOGUE) + textwrap.dedent(
        """
        from cluster import namespaces
        reaped = []
        def hook(life):
            pass
        pid = namespaces.fork_first_process()
        if pid:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        orphan = ("sh", "-c", "sh -c 'echo $$ > %s; sleep 0.2; exit 7' & exit 0" % (here / "orphan"))
        board = Board([Service(name="a", argv=orphan, oneshot=True), Service(name="b", argv=("sleep", "60"))])
        supervisor = Supervisor(board, here, on_change=on_change, on_reaped=lambda pid, code: reaped.append(code))
        supervisor.run(until=lambda: bool(reaped))
        print(os.getpid(), reaped)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.stdout, done.returncode) == ("1 [7]\n", 0), done.stderr
    assert (tmp_path / "orphan").exists()
