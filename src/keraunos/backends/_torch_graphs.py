"""PyTorch: a function that is mapped or differentiated by transforms, as one graph of its kernels; and draws in it that depend on seeds of tensors."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import optree
import torch
from torch.func import functionalize, grad_and_value

_aten = torch.ops.aten
_COPIES = {_aten.detach.default, _aten.alias.default, _aten.lift_fresh_copy.default}
_VIEWS = {_aten.view.default, _aten._unsafe_view.default, _aten.expand.default}
is_mapped = torch._C._functorch.is_batchedtensor


def traced(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` as graphs of kernels, one for each set of shapes of its arguments after the first: what transforms cost is paid once."""
    graphs: dict[Any, tuple[Any, list[Any]]] = {}

    def run(values: Any, *args: Any) -> Any:
        leaves, form = optree.tree_flatten(args)
        key = form, tuple([(x.shape, x.dtype) for x in leaves])
        found = graphs.get(key)
        with torch.no_grad():
            if found is None:
                found = graphs[key] = _graph(fn, values, leaves, form)
            graph, result = found
            return optree.tree_unflatten(result[0], graph(*values, *leaves))

    return run


def _graph(fn: Callable[..., Any], values: Any, leaves: Any, form: Any) -> tuple[Any, list[Any]]:
    from torch.fx.experimental.proxy_tensor import make_fx

    result: list[Any] = []

    def flat(*tensors: Any) -> Any:
        out, new = fn(list(tensors[: len(values)]), *optree.tree_unflatten(form, tensors[len(values) :]))
        found, result[:] = *optree.tree_flatten((out, new))[:1], [optree.tree_structure((out, new))]
        return found

    graph = make_fx(functionalize(flat, remove="mutations"))(*values, *leaves)
    if not any(map(_changes, graph.graph.nodes)):  # else the same kernel of the same arguments may not give the same
        _simplify(graph.graph)
        graph.graph.eliminate_dead_code()
        graph.recompile()
    return graph, result


def _changes(node: Any) -> bool:
    """Whether a node changes an argument in place: of such, what is left is what changes the arguments of the function."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable


def _simplify(graph: Any) -> None:
    """Leave out what gives what is there already: transforms leave copies, views of the same shape, and one sum for each of many variables."""
    known: dict[Any, Any] = {}
    for node in graph.nodes:
        if node.op != "call_function" or torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            continue
        first = node.args[0] if node.args and isinstance(node.args[0], torch.fx.Node) else node
        shapes = [getattr(x.meta.get("tensor_meta"), "shape", None) for x in (node, first)]
        same = node.target in _VIEWS and shapes[0] is not None and shapes[0] == shapes[1]
        found = first if same or node.target in _COPIES else known.setdefault((node.target, repr(node.args), repr(node.kwargs)), node)
        if found is not node:
            node.replace_all_uses_with(found)


def differentiate(fn: Any, values: Any) -> Any:
    """The gradients of a function of values that are mapped."""
    rest: list[Any] = []  # what comes out beside tensors

    def pure(values: Any) -> Any:
        loss, aux = fn(values)
        leaves, form = optree.tree_flatten(aux, none_is_leaf=True)
        rest[:] = form, [None if isinstance(x, torch.Tensor) else (x,) for x in leaves]
        return loss, [x for x in leaves if isinstance(x, torch.Tensor)]

    gradients, (loss, tensors) = grad_and_value(pure, has_aux=True)(list(values))
    form, others = rest
    left = iter(tensors)
    return (loss, optree.tree_unflatten(form, [next(left) if x is None else x[0] for x in others])), list(gradients)


# ---- draws ----
_drawing: dict[str, Callable[..., Any]] = {}  # functions that draw by a seed that is known, by name


@functools.cache
def _operator() -> Any:
    """The kernel that draws by several seeds, as a graph may hold it."""

    def vmap(info: Any, in_dims: Any, keys: Any, name: str, shape: Any, numbers: Any, words: str) -> Any:
        keys, numbers = (x.movedim(d, 0) if d is not None else x.expand(info.batch_size, *x.shape) for x, d in ((keys, in_dims[0]), (numbers, in_dims[3])))
        out = draws(keys.flatten(0, -2), name, shape, numbers.flatten(0, -2), words)
        return out.reshape(*keys.shape[:-1], *out.shape[1:]), 0

    def draws(keys: torch.Tensor, name: str, shape: list[int], numbers: torch.Tensor, words: str) -> torch.Tensor:
        rows = zip(keys, numbers.tolist(), strict=True)
        return torch.stack([_drawing[name](key, tuple(shape), *row, *words.split()) for key, row in rows])

    draws = torch.library.custom_op("keraunos::draws", draws, mutates_args=())
    draws.register_vmap(vmap)
    return draws


def draws_by_seed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `function(key, shape, *numbers, *words)`, which draws by a seed that is known, draw by one that is mapped too."""
    _drawing[function.__name__] = function

    @functools.wraps(function)
    def draw(key: Any, shape: Any, *options: Any) -> Any:
        if not is_mapped(key):
            return function(key, shape, *options)
        words = " ".join(str(x) for x in options if isinstance(x, (str, torch.device)))
        numbers = [torch.as_tensor(x, dtype=torch.float64) for x in options if not isinstance(x, (str, torch.device))]
        numbers = torch.stack(numbers) if numbers else torch.zeros(0, dtype=torch.float64)
        return _operator()(key[None], function.__name__, list(shape), numbers[None], words)[0]

    return draw


def next_state(state: Any) -> Any:
    """The state of a seed generator after a draw, where it is mapped."""
    wide = state.to(torch.int64) + torch.tensor([0, 1], device=state.device)
    return (wide & 0xFFFFFFFF).to(torch.uint32)
