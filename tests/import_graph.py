"""What the modules of a tree import, read from their source: nothing is executed."""

import ast
import pathlib
from collections.abc import Iterable, Iterator

LAYERS = ("pipeline", "models", "tuning", "benchmarks")


def module_files(root: pathlib.Path, folders: Iterable[str] = LAYERS) -> dict[str, pathlib.Path]:
    """Return the file of each module in the folders; a package's `__init__.py` is the module of its name."""
    files = {}
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


def imported_names(path: pathlib.Path, package: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (module, names taken from it) of each import, those in functions and under TYPE_CHECKING included.

    `package` is the package that relative imports start from.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            yield ".".join([*start, *filter(None, [node.module])]), tuple(alias.name for alias in node.names)


def imports(path: pathlib.Path) -> set[str]:
    """Return the dotted names that a file imports, of modules and of what it takes from them."""
    return {
        name for module, names in imported_names(path) for name in (module, *(f"{module}.{name}" for name in names))
    }


def import_graph(root: pathlib.Path, folders: Iterable[str] = LAYERS) -> dict[str, set[str]]:
    """Return, for each module in the folders, which of the others it imports.

    `from package import module` counts as an import of the module only.
    """
    files = module_files(root, folders)
    graph = {}
    for importer, path in files.items():
        package = importer if path.name == "__init__.py" else importer.rpartition(".")[0]
        imported = set()
        for module, names in imported_names(path, package):
            imported |= {f"{module}.{name}" for name in names} & files.keys() or {module} & files.keys()
        graph[importer] = imported - {importer}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import one another in a circle."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph[waiting.pop()] - seen
            seen |= new
            waiting += new
        return seen

    reach = {module: reachable(module) for module in graph}
    groups = {tuple(sorted(other for other in reach[one] if one in reach[other])) for one in graph if one in reach[one]}
    return [list(group) for group in sorted(groups)]


def unit(module: str) -> str:
    """Return the part of a module's name below its folder: "runs" for models.runs.folder, "" for models."""
    return module.partition(".")[2].partition(".")[0]
