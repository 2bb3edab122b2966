"""Run by the interpreter of an image that is being built: compile what a program imports into a folder.

The request is one JSON argument: `modules` to import (found on `path` and in the standard library), `roots` from a folder of
the build to the folder of the image that it becomes, and the `target` to write to. A module becomes `NAME.pyc` where its
source would be, which the import system reads without looking for a source. The code objects name the image's paths and the
validation by hash is off, so the same sources give the same bytes. This program itself imports nothing but built-in modules and
`json` and `os`, because whatever it imported would end up in the image.
"""

from __future__ import annotations

import json
import marshal
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER

_FLAGS_UNCHECKED_HASH = b"\x01\x00\x00\x00"
_NO_HASH = b"\x00" * 8


def compile_closure(request: dict[str, object]) -> None:
    """Import the requested modules and write the compiled form of every module that this brought in."""
    modules, roots = request["modules"], request["roots"]
    assert isinstance(modules, list)
    assert isinstance(roots, dict)
    sys.path.insert(0, str(request["path"]))
    for name in modules:
        __import__(name)
    for _, module in sorted(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        if origin is not None:
            _place(origin, roots, str(request["target"]))


def _place(origin: str, roots: dict[str, str], target: str) -> None:
    for root, folder in roots.items():
        if origin.startswith(root + "/"):
            path = os.path.join(folder, origin[len(root) + 1 :])
            break
    else:
        raise SystemExit(f"imported from outside the image: {origin}")
    with open(origin, "rb") as stream:
        content = stream.read()
    if origin.endswith(".py"):
        code = compile(content, "/" + path, "exec", dont_inherit=True)
        content = MAGIC_NUMBER + _FLAGS_UNCHECKED_HASH + _NO_HASH + marshal.dumps(code)
        path += "c"
    os.makedirs(os.path.dirname(os.path.join(target, path)), exist_ok=True)
    with open(os.path.join(target, path), "wb") as stream:
        stream.write(content)


if __name__ == "__main__":
    compile_closure(json.loads(sys.argv[1]))
