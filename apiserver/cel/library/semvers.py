"""Semantic versions: `semver("1.2.3-rc.1").isLessThan(semver("1.2.3"))`.

Source: the Kubernetes page "Common Expression Language in Kubernetes", "Kubernetes semver library"; semver.org 2.0.0.
"""

import re
from dataclasses import dataclass

from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError
from apiserver.cel.values import Opaque

_SEMVER = "kubernetes.Semver"
_TEXT_CHARACTERS_MAX = 256
_NUMBER = r"(0|[1-9][0-9]{0,18})"
_PATTERN = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-((?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?"
)
_LENIENT = re.compile(r"v?([0-9]{1,19})(?:\.([0-9]{1,19}))?(?:\.([0-9]{1,19}))?([-+].*)?")


@dataclass(frozen=True, slots=True)
class SemverValue(Opaque):
    """A version; what stands behind `+` does not count in comparisons."""

    numbers: tuple[int, int, int]
    prerelease: tuple[tuple[bool, int, str], ...]
    type_name = _SEMVER

    def rank(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        """What versions are ordered by: a release comes after its own pre-releases, numbers before words."""
        return self.numbers, not self.prerelease, self.prerelease


def _parse(text: str, normalize: bool = False) -> SemverValue:
    text = text[: _TEXT_CHARACTERS_MAX + 1]
    if normalize and (lenient := _LENIENT.fullmatch(text.strip())):
        numbers = ".".join(str(int(lenient[part] or "0")) for part in (1, 2, 3))
        text = numbers + (lenient[4] or "")
    found = _PATTERN.fullmatch(text) if len(text) <= _TEXT_CHARACTERS_MAX else None
    if found is None:
        raise EvaluationError(f"semver parse error: {text!r} is not a semantic version")
    words = found[4].split(".") if found[4] else []
    prerelease = tuple((not word.isdigit(), int(word) if word.isdigit() else 0, word) for word in words)
    return SemverValue((int(found[1]), int(found[2]), int(found[3])), prerelease)


def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        _parse(text, normalize)
    except EvaluationError:
        return False
    return True


def _compare(left: SemverValue, right: SemverValue) -> int:
    return (left.rank() > right.rank()) - (left.rank() < right.rank())


def declare(library: Library) -> None:
    for arguments in (("string",), ("string", "bool")):
        library.function("semver", *arguments, result=_SEMVER)(_parse)
        library.function("isSemver", *arguments, result="bool")(_is_semver)
    for place, name in enumerate(("major", "minor", "patch")):
        library.method(name, _SEMVER, result="int")(lambda value, place=place: value.numbers[place])
    library.method("isGreaterThan", _SEMVER, _SEMVER, result="bool")(lambda a, b: _compare(a, b) > 0)
    library.method("isLessThan", _SEMVER, _SEMVER, result="bool")(lambda a, b: _compare(a, b) < 0)
    library.method("compareTo", _SEMVER, _SEMVER, result="int")(_compare)
