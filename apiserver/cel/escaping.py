"""Names of properties as expressions may have to write them.

Kubernetes lets a schema's properties be named what the language could not read: `foo-bar` is written `foo__dash__bar`,
`namespace` is written `__namespace__`. Both ways of writing are taken where the plain one can be read.

Source: the Kubernetes page "Extend the Kubernetes API with CustomResourceDefinitions", "Validation rules".
"""

import re

from apiserver.cel.syntax import KEYWORDS, RESERVED

_SYMBOLS = {"__underscores__": "__", "__dot__": ".", "__dash__": "-", "__slash__": "/"}
_WORDS = KEYWORDS | (RESERVED - {"var", "void", "while"})
_ESCAPED = re.compile("|".join(_SYMBOLS))
_PLAIN = re.compile("|".join(map(re.escape, ("__", ".", "-", "/"))))
_SIGNS = {sign: word for word, sign in _SYMBOLS.items()}
_NAME = re.compile(r"[a-zA-Z_.\-/][a-zA-Z0-9_.\-/]*")


def unescape(name: str) -> str:
    """The property that a written name means."""
    if "__" not in name:
        return name
    if name.startswith("__") and name.endswith("__") and name[2:-2] in _WORDS:
        return name[2:-2]
    return _ESCAPED.sub(lambda found: _SYMBOLS[found[0]], name)


def escape(name: str) -> str | None:
    """How a property is written; None when it cannot be."""
    if not _NAME.fullmatch(name):
        return None
    if name in _WORDS:
        return f"__{name}__"
    return _PLAIN.sub(lambda found: _SIGNS[found[0]], name)
