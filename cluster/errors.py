"""The one error this package raises for what a user can act on."""

from __future__ import annotations


class ClusterError(Exception):
    """One clear sentence for the user; `detail` holds what helps to act on it, e.g. the tail of a log."""

    def __init__(self, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.detail = detail
