"""From text to tree, by recursive descent with one loop for all binary operators.

Depth is bounded, here and so in everything that walks the tree: what nests deeper than DEPTH_MAX, or chains more than CHAIN_MAX
operators or selections, is refused.

Source: the language definition of the Common Expression Language, "Syntax".
"""

from apiserver.cel import syntax
from apiserver.cel.errors import CompileError
from apiserver.cel.syntax import Element, Literal, Node, Token
from apiserver.cel.values import INT_MAX, UINT_MAX, Uint

DEPTH_MAX = 60
CHAIN_MAX = 200
_PRECEDENCE = {"==": 1, "!=": 1, "<": 1, "<=": 1, ">": 1, ">=": 1, "in": 1, "+": 2, "-": 2, "*": 3, "/": 3, "%": 3}


def parse(expression: str) -> Node:
    """The tree of an expression; raises CompileError."""
    parser = _Parser(expression)
    tree = parser.expression()
    parser.expect("end")
    return tree


class _Parser:
    def __init__(self, expression: str) -> None:
        self._text = expression
        self._tokens = list(syntax.tokens(expression))
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _accept(self, kind: str) -> Token | None:
        return self._take() if self._next.kind == kind else None

    def expect(self, kind: str) -> Token:
        if self._next.kind != kind:
            raise self._unexpected(f"expecting {_shown(kind)}")
        return self._take()

    def _unexpected(self, detail: str = "") -> CompileError:
        token = self._next
        found = "<EOF>" if token.kind == "end" else self._text[token.position : token.position + 20].split("\n")[0]
        if token.kind in ("name", "int") or token.kind not in ("literal", "string", "end"):
            found = str(token.value) if token.value is not None else found
        return self._error(f"Syntax error: unexpected '{found}'" + (f" {detail}" if detail else ""), token.position)

    def _error(self, problem: str, position: int) -> CompileError:
        return CompileError(problem, self._text, position)

    def expression(self) -> Node:
        self._deeper()
        condition = self._logical("||")
        if self._accept("?"):
            then = self._logical("||")
            self.expect(":")
            otherwise = self.expression()
            condition = syntax.Conditional(condition.position, condition, then, otherwise)
        self._depth -= 1
        return condition

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._error(f"expression recursion limit exceeded: {DEPTH_MAX}", self._next.position)

    def _logical(self, operator: str) -> Node:
        operands, position = [], self._next.position
        while True:
            operands.append(self._logical("&&") if operator == "||" else self._binary(1))
            if not self._accept(operator):
                break
        return operands[0] if len(operands) == 1 else syntax.Logical(position, operator, tuple(operands))

    def _binary(self, precedence: int) -> Node:
        left, chained = self._unary(), 0
        while (found := _PRECEDENCE.get(self._next.kind, 0)) >= precedence:
            operator = self._take()
            right = self._binary(found + 1)
            left, chained = syntax.Binary(operator.position, operator.kind, left, right), chained + 1
            if chained > CHAIN_MAX:
                raise self._error(f"expression recursion limit exceeded: {CHAIN_MAX}", operator.position)
        return left

    def _unary(self) -> Node:
        signs: list[Token] = []
        while self._next.kind in ("!", "-"):
            if signs and signs[-1].kind != self._next.kind:
                raise self._unexpected()
            signs.append(self._take())
        number = self._next.kind in ("int", "double")
        negative = bool(signs) and signs[-1].kind == "-" and number
        if negative:
            signs.pop()
        operand = self._member(negative)
        return syntax.Unary(signs[0].position, signs[0].kind, operand) if len(signs) % 2 else operand

    def _member(self, negative: bool) -> Node:
        node, depth = self._primary(negative), 0
        while self._next.kind in (".", "["):
            depth += 1
            if depth > CHAIN_MAX:
                raise self._error(f"expression recursion limit exceeded: {CHAIN_MAX}", self._next.position)
            if token := self._accept("."):
                node = self._selection(node, token)
            else:
                token = self._take()
                optional = bool(self._accept("?"))
                key = self.expression()
                self.expect("]")
                node = syntax.Index(token.position, node, key, optional)
        return node

    def _selection(self, node: Node, dot: Token) -> Node:
        optional = bool(self._accept("?"))
        field = self._accept("quoted") or self.expect("name")
        if field.kind == "name" and not optional and (opening := self._accept("(")):
            return syntax.Call(opening.position, str(field.value), node, self._arguments(")"))
        selected = syntax.Select(dot.position, node, str(field.value), optional)
        if self._next.kind == "{" and (name := _dotted(selected)):
            return self._message(name, node.position)
        return selected

    def _primary(self, negative: bool) -> Node:
        token = self._next
        match token.kind:
            case "int" | "uint" | "double":
                return self._number(self._take(), negative)
            case "literal":
                return Literal(token.position, self._take().value)
            case "(":
                self._take()
                inner = self.expression()
                self.expect(")")
                return inner
            case "[":
                self._take()
                return syntax.ListOf(token.position, self._elements())
            case "{":
                self._take()
                return syntax.MapOf(token.position, self._entries(named=False))
            case "." | "name":
                self._accept(".")
                return self._name()
        raise self._unexpected()

    def _name(self) -> Node:
        token = self.expect("name")
        name = str(token.value)
        if opening := self._accept("("):
            return syntax.Call(opening.position, name, None, self._arguments(")"))
        if name in syntax.RESERVED:
            raise self._error(f"reserved identifier: {name}", token.position)
        if self._next.kind == "{":
            return self._message(name, token.position)
        return syntax.Name(token.position, name)

    def _message(self, name: str, position: int) -> Node:
        self.expect("{")
        return syntax.Message(position, name, self._entries(named=True))

    def _number(self, token: Token, negative: bool) -> Literal:
        text = str(token.value)
        if token.kind == "double":
            return Literal(token.position, -float(text) if negative else float(text))
        digits = text.rstrip("uU")
        if len(digits) > 20:
            raise self._error(f"invalid {token.kind} literal", token.position)
        value = int(digits, 16 if digits.startswith("0x") else 10)
        if token.kind == "uint":
            if value > UINT_MAX:
                raise self._error("invalid uint literal", token.position)
            return Literal(token.position, Uint(value))
        if value > INT_MAX + negative:
            raise self._error("invalid int literal", token.position)
        return Literal(token.position, -value if negative else value)

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._accept(closing):
            found.append(self.expression())
            if not self._accept(","):
                self.expect(closing)
                break
        return tuple(found)

    def _elements(self) -> tuple[Element, ...]:
        found: list[Element] = []
        while not self._accept("]"):
            optional = bool(self._accept("?"))
            found.append(Element(self.expression(), None, optional))
            if not self._accept(","):
                self.expect("]")
                break
        return tuple(found)

    def _entries(self, *, named: bool) -> tuple[Element, ...]:
        found: list[Element] = []
        while not self._accept("}"):
            optional = bool(self._accept("?"))
            if named:
                field = self._accept("quoted") or self.expect("name")
                key: Node = Literal(field.position, str(field.value))
            else:
                key = self.expression()
            self.expect(":")
            found.append(Element(self.expression(), key, optional))
            if not self._accept(","):
                self.expect("}")
                break
        return tuple(found)


def _dotted(node: Node) -> str:
    """`a.b.c` when the node is only that, else nothing."""
    match node:
        case syntax.Name(name=name):
            return name
        case syntax.Select(operand=operand, field=field, optional=False):
            before = _dotted(operand)
            return f"{before}.{field}" if before else ""
    return ""


def _shown(kind: str) -> str:
    return {"end": "<EOF>", "name": "IDENTIFIER"}.get(kind, f"'{kind}'")
