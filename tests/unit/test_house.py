"""The tree is the drawing: few rooms, few layers, no circles, and every package entered by its face."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.conftest import ROOT

NOUNS = {
    "routing", "judging", "tracing", "grounding", "packing", "planning", "testing", "rendering", "reading", "writing",
    "wording", "filling",
}  # fmt: skip
"""The field's own words that end in -ing."""

ONE_HOP = ("cupel.cascade.", "cupel.improvement.", "cupel.evaluation.compare")
"""What a step imports by its file, so that its reader is there with one hop (docs/decisions/0017)."""

APPLICATION = ("graphs", "nodes")


@dataclass(frozen=True, slots=True)
class Import:
    """One `from module import name as alias`, or `import module` where the name is empty."""

    module: str
    name: str
    alias: str
    line: int
    late: bool
    """Under `if TYPE_CHECKING`: for a type checker, or a name of a face that is imported at first use."""


@dataclass(frozen=True, slots=True)
class Module:
    """One file of Python, as it stands."""

    name: str
    path: Path
    tree: ast.Module
    imports: tuple[Import, ...]

    @property
    def place(self) -> str:
        """The file's path from the project's folder."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def is_face(self) -> bool:
        """Whether it speaks for a package."""
        return self.path.name == "__init__.py"


@cache
def house() -> dict[str, Module]:
    """Every module of the package, the steps and the graphs, by its dotted name."""
    paths = [path for part in ("cupel", *APPLICATION) for path in (ROOT / part).rglob("*.py")]
    ours = (path for path in paths if not {"_starter", "migrations"} & set(path.relative_to(ROOT).parts))
    return {module.name: module for module in map(read, ours)}


def read(path: Path) -> Module:
    """A file with what it imports, wherever in it that stands."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path, tree, tuple(imports_in(tree)))


def imports_in(node: ast.AST, *, late: bool = False) -> Iterator[Import]:
    """What is imported at once or in a function, and, marked, what only stands under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.ImportFrom(module=str(module)):
                yield from (
                    Import(module, alias.name, alias.asname or alias.name, child.lineno, late)
                    for alias in child.names
                )
            case ast.Import():
                yield from (Import(alias.name, "", "", child.lineno, late) for alias in child.names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                for part in child.body:
                    yield from imports_in(ast.Module([part], []), late=True)
                for part in child.orelse:
                    yield from imports_in(ast.Module([part], []), late=late)
            case _:
                yield from imports_in(child, late=late)


def target(imported: Import) -> str:
    """The module an import leads to: a submodule where the name is one, else the module it names."""
    submodule = f"{imported.module}.{imported.name}"
    return submodule if submodule in house() else imported.module


def package_of(name: str) -> str:
    """The top-level package of a module: `cupel.text` of `cupel.text.evidence`."""
    return ".".join(name.split(".")[:2])


def offered(face: Module) -> dict[str, Import | None]:
    """The names a face gives to others, with the import that brings each; None for one it defines itself."""
    names: dict[str, Import | None] = {item.alias: item for item in face.imports if item.name}
    for node in face.tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names[name] = None
            case ast.Assign(targets=targets):
                names |= {name.id: None for name in targets if isinstance(name, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names[name] = None
    return names


def circle(edges: dict[str, set[str]]) -> list[str]:
    """One round trip through the imports, or nothing where there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def lines(problems: Iterable[str]) -> str:
    """Several problems, one a line, ready for a failing test."""
    return "".join(f"\n  {problem}" for problem in sorted(problems))


def test_the_package_has_at_most_thirty_four_names_at_its_top() -> None:
    """Who opens `cupel/` sees all of its rooms at a glance."""
    files = (path.relative_to(ROOT / "cupel") for path in (ROOT / "cupel").rglob("*") if path.is_file())
    names = {file.parts[0] for file in files if "__pycache__" not in file.parts} - {"_starter"}
    assert len(names) <= 34, f"{len(names)} names: put the new one into a room: {', '.join(sorted(names))}"


def test_seven_layers_hold_every_room() -> None:
    """The contract of imports is short enough to be kept in mind, and no room stands outside it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract.get("containers") == ["cupel"]]
    assert len(layers) <= 7, "merge layers in pyproject.toml: rooms beside each other may use each other"
    placed = {room.strip() for layer in layers for room in layer.split(":")}
    rooms = {package_of(name).removeprefix("cupel.") for name in house() if name.startswith("cupel.")}
    assert rooms - {"__main__"} == placed, "give every room a layer in pyproject.toml, and no other name"


def test_modules_are_nouns_or_the_verb_of_their_step() -> None:
    """A module named for an activity says nothing of what is in it; the field's own words may."""
    words = {part.rpartition("_")[2] for name in house() for part in name.split(".")}
    names = {word for word in words if word.endswith("ing")}
    assert names <= NOUNS, f"name for what it is, not for what it does: {', '.join(sorted(names - NOUNS))}"


def test_no_package_needs_itself_through_another() -> None:
    """Rooms can be read one after the other: imports between them never come back, inside functions neither."""
    edges: dict[str, set[str]] = {}
    for module in house().values():
        edges.setdefault(package_of(module.name), set()).update(
            package_of(target(item))
            for item in module.imports
            if item.module.startswith("cupel.") and package_of(target(item)) != package_of(module.name)
        )
    round_trip = circle(edges)
    assert not round_trip, f"move what both need one layer down: {' → '.join(round_trip)}"


def test_no_module_needs_itself_through_another() -> None:
    """No import waits inside a function because two files need each other."""
    edges = {
        module.name: {target(item) for item in module.imports if not item.late and target(item) in house()}
        for module in house().values()
    }
    round_trip = circle(edges)
    assert not round_trip, f"move what both need into a third file: {' → '.join(round_trip)}"


def past_a_face(module: Module, item: Import) -> str | None:
    """What is wrong with an import of another package, if something is."""
    package = package_of(item.module)
    if not item.module.startswith("cupel.") or package == package_of(module.name) or package not in house():
        return None
    if module.name.startswith(APPLICATION) and target(item).startswith(ONE_HOP):
        return None
    if item.module == package and (not item.name or item.name in offered(house()[package])):
        return None
    return f"{module.place}:{item.line}: `{item.name or item.module}` is not offered by {package}"


def test_every_package_is_entered_by_its_face() -> None:
    """Another room's files may be cut and renamed freely: outside it only its face is known."""
    past = (past_a_face(module, item) for module in house().values() for item in module.imports)
    problems = [problem for problem in past if problem]
    assert not problems, f"name it in the package's `__init__` and import it from there:{lines(problems)}"


def test_a_face_offers_only_what_is_there() -> None:
    """A name imported at first use is as sure as one imported at once."""
    problems = [
        f"{face.place}:{item.line}: {item.module} has no `{item.name}`"
        for face in house().values()
        if face.is_face
        for item in face.imports
        if item.module in house()
        and item.name not in offered(house()[item.module])
        and target(item) == item.module
    ]
    assert not problems, f"mend the name in the face:{lines(problems)}"


def test_no_file_hides_a_name_of_its_packages_face() -> None:
    """Importing a file sets its name in the package; a face may use that name only for what that file brings at once."""
    problems = [
        f"{face.place}: `{name}` and {face.name}.{name}"
        for face in house().values()
        if face.is_face
        for name, item in offered(face).items()
        if f"{face.name}.{name}" in house()
        and not (item and not item.late and f"{face.name}.{name}" in (item.module, target(item)))
    ]
    assert not problems, (
        f"rename one of the two, or import the name from that file, at once:{lines(problems)}"
    )


def test_a_step_tells_its_stages_in_twenty_to_sixty_lines() -> None:
    """A reader of a node sees what happens in it, and needs no second page."""
    lengths = {
        module.place: len(module.path.read_text().splitlines())
        for name, module in house().items()
        if name.startswith("nodes.")
    }
    problems = [f"{place}: {count} lines" for place, count in lengths.items() if not 20 <= count <= 60]
    assert not problems, f"name the step's stages in the file, or move their code down:{lines(problems)}"


def cases_in(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The test functions of a file, those of its classes too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def test_files_are_written_by_cupel_files_alone() -> None:
    """Nothing else opens a file to write: a planted link would be followed there."""
    writing = {
        f"{module.place}:{call.lineno}"
        for name, module in house().items()
        if name.startswith("cupel.") and not name.startswith("cupel.testing") and name != "cupel.files"
        for call in ast.walk(module.tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute | ast.Name)
        and opens_to_write(call)
    }

    assert writing == set()


def test_texts_are_read_by_cupel_files_alone() -> None:
    """Nothing else reads a whole text: a pipe would be waited for there, and a byte order mark read as a word."""
    reading = {
        f"{module.place}:{call.lineno}"
        for name, module in house().items()
        if name.startswith("cupel.")
        and not name.startswith(("cupel.testing", "cupel.files", "cupel.report.page"))
        for call in ast.walk(module.tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "read_text"
        # of what may be anybody's, with signs that cannot be read left out
        and not any(
            "replace" in ast.unparse(argument)
            for argument in (*call.args, *(word.value for word in call.keywords))
        )
    }

    assert reading == set()


def opens_to_write(call: ast.Call) -> bool:
    """Whether a call is `write_text`, `write_bytes`, or an `open` whose mode is not one of reading."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    modes = [arg.value for arg in call.args[:2] if isinstance(arg, ast.Constant)]
    nowhere = bool(call.args) and ast.unparse(call.args[0]) == "os.devnull"
    return name in ("write_text", "write_bytes") or (
        name == "open" and not nowhere and any(str(mode).rstrip("bt+") in ("w", "a", "x") for mode in modes)
    )


def test_every_test_is_a_sentence_about_behaviour() -> None:
    """The docstrings of the tests, read alone, say what Cupel does."""
    problems = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        for test in cases_in(ast.parse(path.read_text(encoding="utf-8"))):
            said = (ast.get_docstring(test) or "").rstrip()
            if not said.endswith("."):
                problems.append(f"{path.relative_to(ROOT)}:{test.lineno}: {test.name}")
    assert not problems, f"say in a whole sentence what is so:{lines(problems)}"
