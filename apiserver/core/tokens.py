"""Continue tokens of paged lists: the revision of the snapshot and the last key that was handed out, opaque to clients."""

import base64
import binascii
from typing import NamedTuple

import msgspec

from apimachinery import errors


class Position(NamedTuple):
    """Where the next page begins: after `key` (below the collection's prefix), in the snapshot at `revision`.

    A revision of -1 is whatever there is when the page is asked for."""

    revision: int
    key: str


class _Token(msgspec.Struct, array_like=True):
    format: str
    revision: int
    key: str


_FORMAT = "coxswain.v1"
_decoder = msgspec.json.Decoder(_Token)


def encode_token(position: Position) -> str:
    plain = msgspec.json.encode(_Token(_FORMAT, position.revision, position.key))
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def decode_token(text: str) -> Position:
    """The position in a token; raises ApiError (400) for anything that this server did not make."""
    try:
        token = _decoder.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise errors.bad_request("continue key is not valid") from error
    if token.format != _FORMAT or (token.revision <= 0 and token.revision != -1):
        raise errors.bad_request("continue key is not valid")
    return Position(token.revision, token.key)
