"""Regenerate proto/gen/ from the sources, or check that it is what the sources give.

python -m proto.generate           write proto/gen/
python -m proto.generate --check   exit 1 when proto/gen/ differs
"""

import filecmp
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent
GENERATED = SOURCES / "gen"
_IMPORT = re.compile(r"^import (\w+_pb2)", re.MULTILINE)


def generate(target: Path) -> None:
    """Write the Python modules, stubs and an __init__.py for every *.proto into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    sources = sorted(str(path) for path in SOURCES.glob("*.proto"))
    options = [f"-I{SOURCES}", f"--python_out={target}", f"--pyi_out={target}", f"--grpc_python_out={target}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *sources], check=True)
    for path in target.glob("*.py"):
        # protoc writes imports as if the modules stood at the top; here they are a package
        path.write_text(_IMPORT.sub(r"from proto.gen import \1", path.read_text()))
    (target / "__init__.py").write_text("")


def differences(fresh: Path) -> list[str]:
    """Names of files in which proto/gen/ differs from `fresh`."""
    names = {path.name for path in (*fresh.iterdir(), *GENERATED.iterdir()) if path.suffix in (".py", ".pyi")}
    _, changed, missing = filecmp.cmpfiles(fresh, GENERATED, sorted(names), shallow=False)
    return sorted({*changed, *missing})


def main() -> int:
    if "--check" not in sys.argv[1:]:
        generate(GENERATED)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        stale = differences(Path(folder))
    if stale:
        sys.stderr.write(f"proto/gen is stale ({', '.join(stale)}): run python -m proto.generate\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
