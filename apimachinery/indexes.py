"""Indexes of an Indexed Job in one line, as its status and its success policy write them: `0-4,7,9-11`.

Source: the API reference of JobStatus, field completedIndexes.
"""

from collections.abc import Iterable

_DIGITS_MAX = 10


class IndexesError(ValueError):
    """The text is no ascending list of indexes below the number of completions."""


def parse_indexes(text: str, completions: int) -> list[range]:
    """The intervals, ascending and apart; raises IndexesError."""
    intervals: list[range] = []
    for part in text.split(",") if text else ():
        first_text, hyphen, last_text = part.partition("-")
        first = _number(first_text, completions)
        last = _number(last_text, completions) if hyphen else first
        if last < first or (hyphen and last == first):
            raise IndexesError(f'non-increasing order, previous: {first}, current: {last}, in "{part}"')
        if intervals and first <= intervals[-1][-1]:
            raise IndexesError(f"non-increasing order, previous: {intervals[-1][-1]}, current: {first}")
        intervals.append(range(first, last + 1))
    return intervals


def overlap(ones: Iterable[range], others: Iterable[range]) -> int | None:
    """The smallest index that is in both lists of ascending intervals, if there is one."""
    mine, theirs = list(ones), list(others)
    here = there = 0
    while here < len(mine) and there < len(theirs):
        start = max(mine[here].start, theirs[there].start)
        if start < min(mine[here].stop, theirs[there].stop):
            return start
        if mine[here].stop <= theirs[there].stop:
            here += 1
        else:
            there += 1
    return None


def _number(text: str, completions: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX:
        raise IndexesError(f'cannot convert string to integer for index: "{text[:20]}"')
    if int(text) >= completions:
        raise IndexesError(f'too large index: "{text}"')
    return int(text)
