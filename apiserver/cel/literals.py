"""How literals are written: numbers, strings, bytes.

Numbers stay text until their sign is known, because the smallest int has no positive counterpart.
"""

import re

_QUOTED = (
    r'"""(?:[^\\]|\\[\s\S])*?"""'
    r"|'''(?:[^\\]|\\[\s\S])*?'''"
    r'|"(?:[^"\\\n\r]|\\.)*"'
    r"|'(?:[^'\\\n\r]|\\.)*'"
)
_RAW = r'"""[\s\S]*?"""|' + r"'''[\s\S]*?'''" + r'|"[^"\n\r]*"|' + r"'[^'\n\r]*'"
LITERALS = (
    rf"|(?P<bytes>[bB][rR](?:{_RAW})|[rR][bB](?:{_RAW})|[bB](?:{_QUOTED}))"
    rf"|(?P<string>[rR](?:{_RAW})|(?:{_QUOTED}))"
    r"|(?P<double>(?:[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?))"
    r"|(?P<uint>(?:0x[0-9a-fA-F]+|[0-9]+)[uU])"
    r"|(?P<int>0x[0-9a-fA-F]+|[0-9]+)"
)
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "?": "?",
    '"': '"',
    "'": "'",
    "`": "`",
}
_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)


def decode_string(text: str) -> str:
    """The value of a string literal; raises ValueError."""
    raw, body = _body(text)
    return body if raw else _ESCAPE.sub(_character, body)


def decode_bytes(text: str) -> bytes:
    """The value of a bytes literal: its characters in UTF-8, `\\x` and octal escapes as they are; raises ValueError."""
    raw, body = _body(text)
    if raw:
        return body.encode()
    parts, position = bytearray(), 0
    for found in _ESCAPE.finditer(body):
        parts += body[position : found.start()].encode()
        if found[2] or found[3]:
            raise ValueError("unicode escapes cannot stand in bytes")
        byte = found[1] or found[4]
        parts += bytes((int(found[1], 16) if found[1] else int(found[4], 8),)) if byte else _character(found).encode()
        position = found.end()
    return bytes(parts + body[position:].encode())


def _body(text: str) -> tuple[bool, str]:
    start = re.match(r"[bBrR]*", text)
    prefix = start[0] if start else ""
    text = text[len(prefix) :]
    quotes = 3 if text[:3] in ('"""', "'''") and len(text) >= 6 else 1
    return "r" in prefix.lower(), text[quotes:-quotes]


def _character(found: re.Match[str]) -> str:
    hexadecimal = found[1] or found[2] or found[3]
    if hexadecimal or found[4]:
        code = int(hexadecimal, 16) if hexadecimal else int(found[4], 8)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise ValueError("invalid unicode code point")
        return chr(code)
    if found[5] not in _SIMPLE:
        raise ValueError(f"unknown escape \\{found[5]}")
    return _SIMPLE[found[5]]
