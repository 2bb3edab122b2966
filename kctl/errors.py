"""What can go wrong on the command line, and the words for it.

Commands raise; `kctl.cli.main` alone prints and chooses the exit code. A Status that the server sent is kept as plain data,
so that nothing of the object model has to be imported to show it.
"""

from collections.abc import Mapping
from typing import Any


class KctlError(Exception):
    """A failure with a sentence for people; `text()` is what stands on the terminal."""

    exit_code = 1

    def text(self) -> str:
        return f"error: {self}"


class PlainError(KctlError):
    """A failure whose sentence stands alone, without `error:` in front."""

    def text(self) -> str:
        return str(self)


class UnreachableError(PlainError):
    """No answer from the server at all."""


class SilentError(KctlError):
    """Everything has been said already; only the exit code is left."""

    def __init__(self, exit_code: int = 1) -> None:
        super().__init__()
        self.exit_code = exit_code

    def text(self) -> str:
        return ""


class CommandExitedError(KctlError):
    """A command in a container ended with a code of its own, which becomes ours."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"command terminated with exit code {exit_code}")
        self.exit_code = exit_code

    def text(self) -> str:
        return str(self)


class WaitTimeoutError(KctlError):
    """What was waited for has not come in time."""


class AggregateError(KctlError):
    """Failures of independent parts of one call, in their order."""

    def __init__(self, errors: list[KctlError]) -> None:
        super().__init__()
        self.errors = errors

    def text(self) -> str:
        return "\n".join(filter(None, (error.text() for error in self.errors)))


class StatusError(KctlError):
    """The server refused; `status` is its Status object, `during` what was being done (`error when creating "web.yaml"`)."""

    def __init__(self, status: Mapping[str, Any], during: str = "") -> None:
        super().__init__(str(status.get("message", "")))
        self.status = status
        self.during = during

    @property
    def code(self) -> int:
        return int(self.status.get("code") or 0)

    @property
    def reason(self) -> str:
        return str(self.status.get("reason") or "")

    @property
    def not_found(self) -> bool:
        return self.code == 404

    @property
    def conflicting_fields(self) -> bool:
        """An apply would have changed fields of other managers."""
        causes = (self.status.get("details") or {}).get("causes") or []
        return any(cause.get("reason") == "FieldManagerConflict" for cause in causes)

    def retry_after_s(self) -> int | None:
        """How long the server asks to wait before another try, if it does."""
        seconds = (self.status.get("details") or {}).get("retryAfterSeconds")
        return None if seconds is None else int(seconds)

    def while_doing(self, during: str) -> "StatusError":
        """The same error, saying what was being done."""
        return StatusError(self.status, during)

    def text(self) -> str:
        if self.reason == "Invalid":
            return _join(self.during, _invalid_text(self.status))
        message = _join(self.during, str(self.status.get("message") or f"the server answered with code {self.code}"))
        if self.reason == "Unauthorized" and not self.during:
            return "error: You must be logged in to the server (Unauthorized)"
        return f"Error from server ({self.reason}): {message}" if self.reason else f"Error from server: {message}"


def _invalid_text(status: Mapping[str, Any]) -> str:
    details = status.get("details") or {}
    kind, name, causes = details.get("kind", ""), details.get("name", ""), details.get("causes") or []
    subject = f'The {kind} "{name}" is invalid' if kind or name else "The request is invalid"
    if not causes:
        message = status.get("message", "")
        return f"{subject}: {message}" if message and not (kind or name) else subject
    sentences = [_join(str(cause.get("field", "")), str(cause.get("message", ""))) for cause in causes]
    if len(sentences) == 1:
        return f"{subject}: {sentences[0]}"
    return f"{subject}: " + "".join(f"\n* {sentence}" for sentence in sentences)


def _join(prefix: str, sentence: str) -> str:
    return f"{prefix}: {sentence}" if prefix else sentence
