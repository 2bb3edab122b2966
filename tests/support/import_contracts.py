"""A contract for import-linter: a package that others may enter through one module only."""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class DoorContract(Contract):
    """`importers` import nothing of `package` directly but `door`; what lies behind the door is the package's own matter."""

    package = fields.StringField()
    door = fields.StringField()
    importers = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Broken when an importer, or a module of one, imports another module of the package."""
        behind = {self.package, *graph.find_descendants(self.package)} - {self.door}
        sources = {name for importer in self.importers for name in (importer, *graph.find_descendants(importer))}
        broken = sorted(
            (source, target)
            for source in sources
            for target in graph.find_modules_directly_imported_by(source)
            if target in behind
        )
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each import that goes past the door."""
        for source, target in check.metadata["broken"]:
            output.print_error(f"{source} imports {target}, but may import only {self.door}", bold=False)
