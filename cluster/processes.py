"""Find a process again by pid and start time, and end it without ever hitting another one that got its number."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path

from cluster.messages import Record

_STAT_FIELDS_BEFORE_START = 19  # of those after the parenthesised name; proc(5), field 22

_DEAD = ("Z", "X")


def boot_id() -> str:
    """Names this boot of the machine; recorded pids mean nothing in another one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """When `pid` started, in clock ticks since boot; None if it does not exist, or is dead and merely not reaped yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in _DEAD else int(fields[_STAT_FIELDS_BEFORE_START])


def record(pid: int) -> Record:
    """What identifies the running process `pid`; ProcessLookupError if there is none."""
    ticks = start_ticks(pid)
    if ticks is None:
        raise ProcessLookupError(pid)
    return Record(pid, ticks)


def is_alive(process: Record) -> bool:
    """Whether this very process still exists."""
    return start_ticks(process.pid) == process.start_ticks


def end(process: Record, number: signal.Signals, timeout_s: float) -> bool:
    """Signal this very process and wait up to `timeout_s`; whether it is gone."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        if not is_alive(process):
            return True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(descriptor)
