"""Reads and changes PromQL expressions by their syntax tree."""

from promql_parser import Expr, Function, ValueType, VectorSelector, parse, register_extra_functions, transform, walk

register_extra_functions(
    # VictoriaMetrics' `increase` that does not count the first sample of a series. Alert rules use it.
    [Function("increase_prometheus", [ValueType.Matrix], ValueType.Vector)]
)


def selectors(expr: str) -> list[VectorSelector]:
    """All selectors of an expression. Raises a ValueError if it does not parse."""
    result: list[VectorSelector] = []

    def collect(node: Expr) -> None:
        if isinstance(node, VectorSelector):
            result.append(node)

    walk(parse(expr), pre_visit=collect)
    return result


def metric_names(expr: str) -> frozenset[str]:
    """The names of the metrics in an expression."""
    return frozenset(selector.name for selector in selectors(expr) if selector.name)


def restricted(expr: str, matcher: str) -> str:
    """The expression with one more label matcher in each selector."""

    def add(node: Expr) -> Expr | None:
        if not isinstance(node, VectorSelector):
            return None
        selector, _, modifiers = str(node).rpartition("}")
        separator = "" if selector.endswith("{") else ","
        changed: Expr = parse(f"{selector}{separator}{matcher}}}{modifiers}")
        return changed

    # After the children: a visitor before them would visit the new selector again.
    return transform(parse(expr), post_visit=add).prettify()
