"""Lets a person edit a text: KUBE_EDITOR, EDITOR or vi on a temporary file that only its owner may read."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kctl.errors import KctlError

DEFAULT_EDITOR = "vi"


def edit(text: str, suffix: str, environment: Mapping[str, str]) -> tuple[str, Path]:
    """The text after editing, and the file it is in, which the caller removes or keeps; raises KctlError."""
    setting = environment.get("KUBE_EDITOR") or environment.get("EDITOR") or DEFAULT_EDITOR
    descriptor, name = tempfile.mkstemp(prefix="kctl-edit-", suffix=suffix)
    path = Path(name)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    try:
        _launch(setting, path)
        return path.read_text(), path
    except UnicodeDecodeError as error:
        raise KctlError(f"{path}: the edited file is no UTF-8 text") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _launch(setting: str, path: Path) -> None:
    try:
        words = shlex.split(setting)
        code = subprocess.run([*words, str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        raise KctlError(f'unable to launch the editor "{setting}"') from error
    if code:
        raise KctlError(f'there was a problem with the editor "{setting}"')
