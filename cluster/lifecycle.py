"""Decisions of a service supervisor: when to start, restart, signal and give up. No processes, no clock, no I/O.

A `Service` is data: what to run and what must be ready before. `Board` holds the state of each service of one node; its
methods take the time as an argument and change states, `due()` returns the actions that are now to be carried out, in
order, and `next_deadline()` says when to ask again. A service's life is the table `TRANSITIONS`:

    WAITING ─start→ STARTING ─ready→ READY ─exit→ BACKOFF ─start→ STARTING
                       └──exit──────────────────────┘
    a one-shot service that exits with 0 is DONE; one without attempts left is FAILED
    stop: STARTING|READY → STOPPING ─exit→ STOPPED; the others → STOPPED at once

`after` orders the first start (each must have been READY or DONE once), and in reverse the stop: a service is asked to
stop once everything started after it has stopped. A dependency that dies later does not stop its dependents: they reconnect.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

RESTART_DELAY_MIN_S = 0.1
RESTART_DELAY_MAX_S = 10.0
RESTART_DELAY_FACTOR = 2.0
STABLE_AFTER_S = 30.0


class Service(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A process to keep running: `argv` is executed, or else `module` is imported and its main(`arguments`) called.

    Exactly one of the two is given. `notify`: it reports READY=1 itself, else it counts as ready once started.
    `conditions` are named by the world outside this node ("api") and awaited like `after`. A `oneshot` is done when it exits
    with 0. `attempts` bounds the starts (0: unbounded). `listen_fds` stay open in it, everything else is closed.
    """

    name: str
    argv: tuple[str, ...] = ()
    module: str = ""
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    log_file: str = ""
    after: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    notify: bool = False
    oneshot: bool = False
    attempts: int = 0
    listen_fds: tuple[int, ...] = ()
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if bool(self.argv) == bool(self.module):
            raise ValueError(f"service {self.name!r} needs either argv or module")


class State(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKOFF = "backoff"
    DONE = "done"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Event(StrEnum):
    START = "start"
    READY = "ready"
    EXIT = "exit"
    SUCCEED = "succeed"
    GIVE_UP = "give up"
    STOP = "stop"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.WAITING, Event.START): State.STARTING,
    (State.WAITING, Event.STOP): State.STOPPED,
    (State.STARTING, Event.READY): State.READY,
    (State.STARTING, Event.EXIT): State.BACKOFF,
    (State.STARTING, Event.SUCCEED): State.DONE,
    (State.STARTING, Event.GIVE_UP): State.FAILED,
    (State.STARTING, Event.STOP): State.STOPPING,
    (State.READY, Event.READY): State.READY,
    (State.READY, Event.EXIT): State.BACKOFF,
    (State.READY, Event.GIVE_UP): State.FAILED,
    (State.READY, Event.STOP): State.STOPPING,
    (State.BACKOFF, Event.START): State.STARTING,
    (State.BACKOFF, Event.STOP): State.STOPPED,
    (State.DONE, Event.STOP): State.STOPPED,
    (State.FAILED, Event.STOP): State.STOPPED,
    (State.STOPPING, Event.READY): State.STOPPING,
    (State.STOPPING, Event.EXIT): State.STOPPED,
    (State.STOPPED, Event.STOP): State.STOPPED,
}
RUNNING = frozenset({State.STARTING, State.READY, State.STOPPING})
SATISFIED = frozenset({State.READY, State.DONE})


@dataclass(frozen=True, slots=True)
class Spawn:
    service: str


@dataclass(frozen=True, slots=True)
class Signal:
    service: str
    number: signal.Signals


Action = Spawn | Signal


class IllegalMoveError(Exception):
    """A service was moved in a way its table does not allow; the message holds its history."""


@dataclass(slots=True)
class Life:
    """One service's state. Times are seconds of the caller's monotonic clock."""

    service: Service
    state: State = State.WAITING
    starts: int = 0
    was_ready: bool = False
    exit_code: int | None = None
    started_at: float = 0.0
    delay_s: float = RESTART_DELAY_MIN_S
    deadline: float | None = None
    killed: bool = False
    history: list[State] = field(default_factory=list)

    def move(self, event: Event) -> None:
        target = TRANSITIONS.get((self.state, event))
        if target is None:
            trail = " → ".join([*self.history, self.state])
            raise IllegalMoveError(f"service {self.service.name!r} cannot take {event.value!r}: {trail}")
        if target is not self.state:
            self.history = [*self.history[-7:], self.state]
        self.state = target


class Board:
    """The services of one node and what is to be done about them."""

    def __init__(self, services: Iterable[Service]) -> None:
        self.lives: dict[str, Life] = {}
        self._conditions: set[str] = set()
        self._stopping = False
        for service in services:
            self.add(service)

    def add(self, service: Service) -> None:
        """Take up `service`; ValueError if its name is taken or it depends on something unknown (so no cycles either)."""
        if service.name in self.lives:
            raise ValueError(f"there are two services called {service.name!r}")
        unknown = [name for name in service.after if name not in self.lives]
        if unknown:
            raise ValueError(f"service {service.name!r} comes after {unknown[0]!r}, which is not declared before it")
        self.lives[service.name] = Life(service)
        if self._stopping:
            self.lives[service.name].move(Event.STOP)

    def remove(self, name: str) -> None:
        """Forget a service that does not run; ValueError if it does."""
        if self.lives[name].state in RUNNING:
            raise ValueError(f"service {name!r} is running")
        del self.lives[name]

    @property
    def stopped(self) -> bool:
        return self._stopping and all(life.state is State.STOPPED for life in self.lives.values())

    def meet(self, condition: str) -> None:
        """`condition` holds from now on."""
        self._conditions.add(condition)

    def stop(self) -> None:
        """Stop everything, in reverse order; `due()` says what to signal when."""
        self._stopping = True
        for life in self.lives.values():
            if life.state not in RUNNING:
                life.move(Event.STOP)

    def on_ready(self, name: str) -> None:
        life = self.lives[name]
        if life.state in RUNNING:
            life.move(Event.READY)
            if life.state is State.READY:
                life.was_ready = True
                life.deadline = None

    def on_exit(self, name: str, code: int, now: float) -> None:
        """The service's process ended: `code` as waitstatus_to_exitcode gives it (negative: a signal)."""
        life = self.lives[name]
        life.exit_code = code
        life.killed = False
        life.deadline = None
        if life.state is State.STOPPING:
            life.move(Event.EXIT)
        elif life.service.oneshot and code == 0:
            life.was_ready = True
            life.move(Event.SUCCEED)
        elif life.service.attempts and life.starts >= life.service.attempts:
            life.move(Event.GIVE_UP)
        else:
            life.move(Event.EXIT)
            self._back_off(life, now)
        if self._stopping and life.state not in RUNNING and life.state is not State.STOPPED:
            life.move(Event.STOP)

    def _back_off(self, life: Life, now: float) -> None:
        if now - life.started_at >= STABLE_AFTER_S:
            life.delay_s = RESTART_DELAY_MIN_S
        life.deadline = now + life.delay_s
        life.delay_s = min(life.delay_s * RESTART_DELAY_FACTOR, RESTART_DELAY_MAX_S)

    def due(self, now: float) -> list[Action]:
        """What to do now. The states already reflect it: whoever asks must carry it out."""
        actions: list[Action] = []
        for life in self.lives.values():
            action = self._next_action(life, now)
            if action is not None:
                actions.append(action)
        return actions

    def _next_action(self, life: Life, now: float) -> Action | None:
        name = life.service.name
        match life.state:
            case State.WAITING if self._may_start(life):
                return self._start(life, now)
            case State.BACKOFF if life.deadline is not None and now >= life.deadline:
                return self._start(life, now)
            case State.STARTING | State.READY if self._stopping:
                if self._has_running_dependents(name):
                    return None
                life.move(Event.STOP)
                life.deadline = now + life.service.stop_timeout_s
                return Signal(name, signal.SIGTERM)
            case State.STARTING | State.STOPPING if life.deadline is not None and now >= life.deadline and not life.killed:
                life.killed = True
                return Signal(name, signal.SIGKILL)
        return None

    def _may_start(self, life: Life) -> bool:
        return all(self.lives[name].was_ready for name in life.service.after) and self._conditions.issuperset(
            life.service.conditions
        )

    def _start(self, life: Life, now: float) -> Spawn:
        life.move(Event.START)
        life.starts += 1
        life.started_at = now
        life.deadline = now + life.service.start_timeout_s
        return Spawn(life.service.name)

    def _has_running_dependents(self, name: str) -> bool:
        return any(name in life.service.after and life.state in RUNNING for life in self.lives.values())

    def next_deadline(self) -> float | None:
        """When `due()` has something to say even if nothing happens; None: never."""
        deadlines = [life.deadline for life in self.lives.values() if life.deadline is not None and not life.killed]
        return min(deadlines, default=None)
