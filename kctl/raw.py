"""`--raw=/PATH`: a request of exactly that path and query, and its answer as it comes."""

from collections.abc import Sequence
from pathlib import Path

from kctl.errors import KctlError
from kctl.session import Session


def send(session: Session, method: str, target: str, filenames: Sequence[str] = ()) -> None:
    """Send the one file (or standard input) if there is one, and print the answer; raises KctlError."""
    if not target.startswith("/"):
        raise KctlError(f"--raw must be a path that begins with a slash: {target}")
    if len(filenames) > 1:
        raise KctlError("--raw can only use a single local file or stdin")
    body = _read(session, filenames[0]) if filenames else None
    session.out.write(session.client.raw(method, target, body).decode(errors="replace"))


def _read(session: Session, filename: str) -> bytes:
    if filename == "-":
        return session.read_stdin().encode()
    try:
        return Path(filename).read_bytes()
    except OSError as error:
        raise KctlError(f"cannot read {filename}: {error.strerror}") from error
