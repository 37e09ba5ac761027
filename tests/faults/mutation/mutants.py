"""The mutants of a module: copies of its source that differ in one operator, constant, argument or statement.

Annotations, docstrings, f-strings, texts (strings with a space) and the messages of exceptions are left alone: they
change no result. The operators are the usual ones (Jia and Harman, "An analysis and survey of the development of
mutation testing", 2011).
"""

import ast
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
SYMMETRIC = ("max", "min", "np.maximum", "np.minimum")  # functions: their arguments are not swapped
REMOVABLE = (ast.Expr, ast.AugAssign, ast.Raise, ast.Delete, ast.Break, ast.Continue)


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change of a module.

    Attributes:
      module: path of the module in the repository.
      function: qualified name of the function or class around the change; "" at the module's level.
      line: number of its first line.
      before, after: the changed lines, without indentation.
      source: the whole module with the change.
    """

    module: str
    function: str
    line: int
    before: str
    after: str
    source: str = dataclasses.field(repr=False, compare=False)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies the mutant while other lines of the module change."""
        return self.module, self.function, self.before, self.after

    def rank(self, seed: int) -> str:
        """The place of the mutant in the order of a seed, which does not depend on the other mutants."""
        return hashlib.sha256(repr((seed, *self.key)).encode()).hexdigest()


def draw(sources: Iterable[tuple[str, str]], number: int, seed: int) -> list[Mutant]:
    """Draw `number` of the mutants of the modules, given as pairs of path and source; all if there are fewer."""
    every = {mutant.key: mutant for module, source in sources for mutant in mutants(module, source)}
    drawn = sorted(every.values(), key=lambda mutant: mutant.rank(seed))[:number]
    for mutant in drawn:
        compile(mutant.source, mutant.module, "exec")  # one that Python refuses would count as killed
    return drawn


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module."""
    for function, node, text in _changes(ast.parse(source), ""):
        changed, before, after = _replaced(source, node, text)
        yield Mutant(module, function, node.lineno, before, after, changed)


def _replaced(source: str, node: ast.AST, text: str) -> tuple[str, str, str]:
    """The source with the text of a node replaced; its lines before and after."""
    lines = source.encode().splitlines(keepends=True)
    first, last = node.lineno - 1, node.end_lineno
    head, tail = lines[first][: node.col_offset], lines[last - 1][node.end_col_offset :]
    after = head + text.encode() + tail
    changed = b"".join([*lines[:first], after, *lines[last:]])
    before = b"".join(lines[first:last])
    return changed.decode(), " ".join(before.decode().split()), " ".join(after.decode().split())


def _changes(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST, str]]:
    """(function, node, its new text) of every change below a node."""
    if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".lstrip(".")
    for text in _texts(node):
        yield function, node, text
    for child in _children(node):
        yield from _changes(child, function)


def _children(node: ast.AST) -> list[ast.AST]:
    """The parts of a node that are mutated: no annotation, docstring or message of an exception."""
    left_out = [getattr(node, name, None) for name in ("annotation", "returns")]
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node, clean=False):
        left_out.append(node.body[0])
    if isinstance(node, ast.Raise):
        return []
    return [child for child in ast.iter_child_nodes(node) if not any(child is one for one in left_out)]


def _texts(node: ast.AST) -> Iterator[str]:
    """The texts by which a node is replaced, each in one mutant."""
    match node:
        case ast.Constant():
            yield from (repr(value) for value in _constants(node.value))
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                ops = [*node.ops[:place], COMPARISONS[type(operator)](), *node.ops[place + 1 :]]
                yield _text(ast.Compare(node.left, ops, node.comparators))
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            yield _text(ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right))
        case ast.BoolOp():
            yield _text(ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))
        case ast.UnaryOp():
            yield _text(node.operand)
        case ast.IfExp():
            yield _text(ast.IfExp(node.test, node.orelse, node.body))
        case ast.Call():
            yield from _calls(node)
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "return None"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "pass"
        case _ if isinstance(node, REMOVABLE):
            yield "pass"


def _calls(node: ast.Call) -> Iterator[str]:
    """A call with its first two arguments swapped, and without each of its named ones."""
    is_ordered = ast.unparse(node.func) not in SYMMETRIC
    if is_ordered and len(node.args) > 1 and not any(isinstance(one, ast.Starred) for one in node.args[:2]):
        first, second, *rest = node.args
        if ast.unparse(first) != ast.unparse(second):
            yield _text(ast.Call(node.func, [second, first, *rest], node.keywords))
    for named in node.keywords:
        yield _text(ast.Call(node.func, node.args, [other for other in node.keywords if other is not named]))


def _constants(value: object) -> list[object]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, float):
        return [2 * value or 1.0]
    return [value + "_"] if isinstance(value, str) and " " not in value else []


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _text(node: ast.AST) -> str:
    return f"({ast.unparse(node)})"
