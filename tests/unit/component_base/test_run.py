"""The skeleton of a process, as real processes: exit codes and signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, sys
from component_base import run
from component_base.config import Configuration

class ThingConfiguration(Configuration, frozen=True):
    mode: str

async def serve(config, stop):
    if config.mode == "fail":
        raise RuntimeError("broken inside")
    print("serving", flush=True)
    await stop.wait()
    if config.mode == "hang":
        print("draining", flush=True)
        await asyncio.sleep(60)

sys.exit(run.main("thing", ThingConfiguration, serve, sys.argv[1:]))
"""


def start(folder: Path, mode: str) -> subprocess.Popen[str]:
    config = folder / "c.yaml"
    config.write_text(f"apiVersion: coxswain.dev/v1\nkind: ThingConfiguration\nmode: {mode}\n")
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )


def expect_line(process: subprocess.Popen[str], wanted: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().strip() == wanted


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_stops_in_order(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, "serve")
    expect_line(process, "serving")
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "component_base.run stopped component=thing" in err


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, "hang")
    expect_line(process, "serving")
    process.send_signal(signal.SIGTERM)
    expect_line(process, "draining")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 1


def test_a_failure_is_logged_and_exits_with_1(tmp_path: Path) -> None:
    process = start(tmp_path, "fail")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "CRITICAL component_base.run component failed" in err
    assert "broken inside" in err


def test_a_bad_configuration_exits_with_2_and_one_line(tmp_path: Path) -> None:
    process = start(tmp_path, "[")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert err.startswith("thing: ")
