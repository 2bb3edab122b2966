"""The scheduler's verdict on a pod: which nodes were refused by which filter, how the others scored, what would help.

The scheduler stores it as compact JSON in the pod's annotation ANNOTATION; `kctl why pod` shows it. In a large cluster only
some nodes are kept by name; `omitted_nodes` counts the others, `reasons` counts every refusal.
"""

import msgspec

ANNOTATION = "scheduler.coxswain.dev/verdict"
SCHEMA = 1


class NodeVerdict(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """One node: refused by a filter with its reasons and what would change that, or scored (plugin -> weighted points)."""

    node: str
    refused_by: str = ""
    reasons: list[str] = []
    suggestions: list[str] = []
    scores: dict[str, int] = {}
    total: int = 0


class Verdict(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """The outcome of one attempt.

    node: where the pod was placed, "" when it fits nowhere; time: RFC 3339; message: the sentence of the PodScheduled
    condition; reasons: refusal -> number of nodes; nodes: the placed node first, then by falling total, then the refused.
    """

    schema: int = SCHEMA
    node: str = ""
    time: str = ""
    message: str = ""
    feasible_nodes: int = 0
    reasons: dict[str, int] = {}
    nodes: list[NodeVerdict] = []
    omitted_nodes: int = 0


def encode(verdict: Verdict) -> str:
    """The annotation's value."""
    return msgspec.json.encode(verdict).decode()


def decode(text: str) -> Verdict:
    """The verdict in an annotation's value; raises ValueError for what is none."""
    return msgspec.json.decode(text, type=Verdict)
