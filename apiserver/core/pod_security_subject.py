"""What the checks of the Pod Security Standards look at, and how they word what they find. Pure."""

from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias

import msgspec

from apimachinery.kinds import Container, EphemeralContainer, PodSpec, SecurityContext

AnyContainer: TypeAlias = Container | EphemeralContainer


class Subject(msgspec.Struct, frozen=True):
    """A pod, or the pod that a workload would make of its template."""

    spec: PodSpec
    annotations: dict[str, str]

    @property
    def containers(self) -> tuple[AnyContainer, ...]:
        """All of them, in the order in which they are named."""
        return (*self.spec.init_containers, *self.spec.containers, *self.spec.ephemeral_containers)

    def named(self, wrong: Callable[[SecurityContext], bool]) -> list[str]:
        """The containers whose security context is wrong; one that has none is asked about an empty one."""
        return [each.name for each in self.containers if wrong(each.security_context or _NOTHING_SAID)]


class Finding(msgspec.Struct, frozen=True):
    """What is not allowed: the reason in a few words, and what exactly breaks it."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})"


Check: TypeAlias = Callable[[Subject], Finding | None]

_NOTHING_SAID = SecurityContext()


def quoted(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def counted(word: str, words: Collection[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{plural(word, words)} {quoted(words)}"


def plural(word: str, of: Collection[object]) -> str:
    return word if len(of) == 1 else f"{word}s"


def setters(containers: Collection[str], *, pod: bool) -> str:
    """Who sets something: the pod as a whole, containers, or both."""
    return " and ".join((*(("pod",) if pod else ()), *((counted("container", containers),) if containers else ())))
