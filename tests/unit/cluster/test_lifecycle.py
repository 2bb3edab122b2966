"""The supervisor's decisions, under a clock of our own."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import pytest

from cluster.lifecycle import (
    RESTART_DELAY_MAX_S,
    RESTART_DELAY_MIN_S,
    STABLE_AFTER_S,
    Board,
    Event,
    IllegalMoveError,
    Life,
    Service,
    Signal,
    Spawn,
    State,
)


def service(name: str, *after: str, **options: object) -> Service:
    return Service(name=name, argv=("true",), after=after, **options)  # type: ignore[arg-type]


def states(board: Board) -> dict[str, str]:
    return {name: life.state.value for name, life in board.lives.items()}


def settle(board: Board, now: float) -> list[object]:
    actions: list[object] = []
    while due := board.due(now):
        actions += due
    return actions


def test_starts_what_does_not_depend_on_each_other_together_and_the_rest_when_it_may() -> None:
    board = Board([service("etcd", notify=True), service("containerd", notify=True), service("apiserver", "etcd", notify=True)])
    assert settle(board, 0) == [Spawn("etcd"), Spawn("containerd")]
    board.on_ready("containerd")
    assert settle(board, 1) == []
    board.on_ready("etcd")
    assert settle(board, 2) == [Spawn("apiserver")]
    assert states(board) == {"etcd": "ready", "containerd": "ready", "apiserver": "starting"}


def test_waits_for_a_condition_of_the_world_outside() -> None:
    board = Board([service("kubelet", conditions=("api",))])
    assert settle(board, 0) == []
    board.meet("api")
    assert settle(board, 0) == [Spawn("kubelet")]


def test_restarts_with_growing_delays_up_to_a_bound() -> None:
    board, now, delays = Board([service("a")]), 0.0, []
    settle(board, now)
    for _ in range(10):
        board.on_exit("a", 1, now)
        deadline = board.next_deadline()
        assert deadline is not None
        assert settle(board, deadline - 0.001) == []
        delays.append(round(deadline - now, 6))
        now = deadline
        assert settle(board, now) == [Spawn("a")]
    assert delays[0] == pytest.approx(RESTART_DELAY_MIN_S)
    assert delays == sorted(delays)
    assert delays[-1] == pytest.approx(RESTART_DELAY_MAX_S)


def test_a_service_that_was_up_long_enough_restarts_at_once_again() -> None:
    board, now = Board([service("a")]), 0.0
    settle(board, now)
    for _ in range(5):
        board.on_exit("a", 1, now)
        now = board.next_deadline() or 0
        settle(board, now)
    now += STABLE_AFTER_S
    board.on_exit("a", 1, now)
    assert board.next_deadline() == pytest.approx(now + RESTART_DELAY_MIN_S)


def test_a_dependency_that_dies_does_not_stop_its_dependents() -> None:
    board = Board([service("etcd"), service("apiserver", "etcd")])
    settle(board, 0)
    board.on_ready("etcd")
    settle(board, 0)
    board.on_ready("apiserver")
    board.on_exit("etcd", -9, 1)
    assert settle(board, 1) == []
    assert states(board) == {"etcd": "backoff", "apiserver": "ready"}
    board.on_exit("apiserver", -9, 1)
    assert Spawn("apiserver") in settle(board, 2), "its first start has been; it need not wait for etcd again"


def test_stops_in_reverse_order_and_kills_what_does_not_go() -> None:
    board = Board([service("etcd", stop_timeout_s=5.0), service("apiserver", "etcd", stop_timeout_s=5.0)])
    settle(board, 0)
    board.on_ready("etcd")
    settle(board, 0)
    board.on_ready("apiserver")
    board.stop()
    assert settle(board, 10) == [Signal("apiserver", signal.SIGTERM)]
    assert settle(board, 14) == []
    assert settle(board, 15) == [Signal("apiserver", signal.SIGKILL)]
    assert settle(board, 16) == [], "it is killed once"
    board.on_exit("apiserver", -9, 16)
    assert settle(board, 16) == [Signal("etcd", signal.SIGTERM)]
    assert not board.stopped
    board.on_exit("etcd", 0, 17)
    assert board.stopped


def test_a_stop_before_anything_is_up() -> None:
    board = Board([service("etcd", notify=True), service("apiserver", "etcd")])
    settle(board, 0)
    board.stop()
    assert settle(board, 0) == [Signal("etcd", signal.SIGTERM)]
    board.on_exit("etcd", 0, 0)
    assert board.stopped


def test_a_service_that_never_gets_ready_is_killed_and_tried_again() -> None:
    board = Board([service("a", notify=True, start_timeout_s=30.0)])
    settle(board, 0)
    assert settle(board, 30) == [Signal("a", signal.SIGKILL)]
    board.on_exit("a", -9, 30)
    assert states(board) == {"a": "backoff"}


@dataclass(frozen=True)
class Ending:
    id: str
    codes: tuple[int, ...]
    want: State
    oneshot: bool = True
    attempts: int = 3


ENDINGS = (
    Ending("a one-shot that succeeds is done", (0,), State.DONE),
    Ending("a one-shot that fails is tried again", (1,), State.BACKOFF),
    Ending("a one-shot may succeed later", (1, 1, 0), State.DONE),
    Ending("a one-shot gives up after its attempts", (1, 1, 1), State.FAILED),
    Ending("without a bound nothing gives up", (1,) * 20, State.BACKOFF, attempts=0),
    Ending("a service that exits with 0 is restarted", (0,), State.BACKOFF, oneshot=False, attempts=0),
)


@pytest.mark.parametrize("case", ENDINGS, ids=lambda case: case.id)
def test_endings(case: Ending) -> None:
    board, now = Board([service("a", oneshot=case.oneshot, attempts=case.attempts)]), 0.0
    for code in case.codes:
        assert settle(board, now) == [Spawn("a")]
        board.on_exit("a", code, now)
        now = board.next_deadline() or now
    assert board.lives["a"].state is case.want


def test_an_illegal_move_names_the_service_and_its_history() -> None:
    life = Life(service("a"))
    life.move(Event.START)
    life.move(Event.EXIT)
    with pytest.raises(IllegalMoveError, match="'a' cannot take 'ready': waiting → starting → backoff"):
        life.move(Event.READY)


def test_refuses_unknown_dependencies_and_double_names() -> None:
    with pytest.raises(ValueError, match="comes after 'nothing'"):
        Board([service("a", "nothing")])
    with pytest.raises(ValueError, match="two services called 'a'"):
        Board([service("a"), service("a")])
    with pytest.raises(ValueError, match="either argv or module"):
        Service(name="a")
