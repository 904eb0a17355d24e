"""Ops whose arguments are functions: branches and loops that every engine can run, compile and differentiate.

On values they are what Python does. An engine that traces has its own `cond`, `while_loop` and `scan`, and may have `vectorized_map` and
`custom_gradient`. Variables that are assigned in a branch or loop have their last values after it.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, KeraunosError, ShapeError
from keraunos.core.functional import current, with_assignments
from keraunos.core.graph import KerasTensor, Operation, record, strip
from keraunos.core.op import spec_of
from keraunos.core.spec import UNKNOWN, Spec, normalize_axis, same_dim, show
from keraunos.core.variable import Variable
from keraunos.ops import rules
from keraunos.ops.creation import arange, zeros
from keraunos.ops.elementwise import add, less, less_equal, logical_and
from keraunos.ops.shaping import concatenate, convert_to_tensor, expand_dims, get_item, reshape, shape, stack, unstack


# ---- what these ops share ----
def _tensors(structure: Any, where: str | None = None) -> Any:
    """The structure, with arrays, variables and numbers in it as tensors."""

    def tensor(x: Any) -> Any:
        if isinstance(x, str):
            fact = "Text is no tensor."
            raise ArgumentTypeError(fact, where=where, received="a str", fix="turn it into numbers first, with TextVectorization or StringLookup")
        return x if x is None else convert_to_tensor(x)

    return tree.map_structure(tensor, structure)


def _functions(where: str, **functions: Any) -> None:
    """Raise unless these can be called."""
    for name, function in functions.items():
        if not callable(function):
            raise ArgumentTypeError(f"{name} must be a function.", where=where, received=f"a {type(function).__name__}")


def _has(kind: type, *structures: Any) -> bool:
    return any(isinstance(x, kind) for x in tree.flatten(structures))


def _specs(structure: Any) -> Any:
    return tree.map_structure(lambda x: x if x is None else Spec(spec_of(x).shape, spec_of(x).dtype), strip(structure))


def recorded(function: Callable[..., Any], args: tuple[Any, ...], specs: Any) -> Any:
    """The specs of a result; recorded where the graph of a model is being made."""
    if any(isinstance(x, KerasTensor) and x.record_history for x in tree.flatten(args)):
        return record(Operation(function), args, {}, specs)
    return specs


def _check_same(first: Any, second: Any, fact: str, where: str) -> None:
    """Raise unless two structures of specs have one form, and as far as is known the same shapes and dtypes."""
    try:
        tree.assert_same_structure(first, second)
    except ValueError:
        raise ArgumentError(fact, where=where, received="structures that differ", fix="return tensors in one form") from None
    for x, y in zip(tree.flatten(first), tree.flatten(second), strict=True):
        if x is None or y is None:
            if x is not y:
                raise ArgumentError(fact, where=where, received="None and a tensor", fix="return tensors in one form")
            continue
        a, b = spec_of(x), spec_of(y)
        if not rules.equal(a.shape, b.shape) or a.dtype != b.dtype:
            kind = ShapeError if a.dtype == b.dtype else DTypeError
            raise kind(fact, where=where, received=f"{a.dtype}{show(a.shape)} and {b.dtype}{show(b.shape)}", fix="give both the same shape and dtype")


def _traces(*structures: Any) -> bool:
    """Whether one of the tensors has no value yet, because the engine is tracing a function: then its own branches and loops are needed."""
    engine = config.active()
    return hasattr(engine, "is_traced") and any(engine.is_traced(x) for x in tree.flatten(structures))


def _loops(engine: Any, name: str) -> bool:
    """Whether the engine has this loop, and runs it by itself now."""
    return hasattr(engine, name) and (not hasattr(engine, "tracing") or engine.tracing())


# ---- branches ----
def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """The result of `true_fn()` where `pred` holds, else of `false_fn()`.

    In a compiled function only the branch taken runs. In the graph of a functional model, branches made of symbolic tensors both do,
    and the result of one is taken.

    Args:
        pred: A boolean scalar.
        true_fn: A function without arguments.
        false_fn: Likewise; its result has the structure, shapes and dtypes of the other's.

    Raises:
        ShapeError: `pred` is no scalar, or the results' shapes differ.
        DTypeError: The results' dtypes differ.

    Example:

    >>> from keraunos import ops
    >>> x = ops.convert_to_tensor(3.0)
    >>> float(ops.cond(x > 2, lambda: x * 10, lambda: x))
    30.0
    """
    _functions("ops.cond", true_fn=true_fn, false_fn=false_fn)
    pred = pred.value if isinstance(pred, Variable) else pred
    if pred is None or isinstance(pred, str):
        raise ArgumentTypeError("pred must be a boolean scalar.", where="ops.cond", received="None" if pred is None else "a str")
    if (sizes := shape(pred)) and not (len(sizes) == 1 and same_dim(sizes[0], 1)):
        raise ShapeError("pred must be a scalar.", where="ops.cond", received=f"a tensor of shape {show(sizes)}", fix="use ops.where to choose by element")
    if isinstance(pred, Spec):
        results = true_fn(), false_fn()
        first, second = (_specs(result) for result in results)
        _check_same(first, second, "The branches give different results.", "ops.cond")
        out = tree.map_structure(lambda a, b: a if a is None else Spec(_known_of(a.shape, b.shape), a.dtype), first, second)
        if _has(KerasTensor, results):
            return recorded(_chosen, (pred, *results), out)
        return recorded(cond, (pred, true_fn, false_fn), out)
    engine, scalar = config.active(), reshape(pred, ()) if sizes else pred
    if not _traces(pred):
        return _tensors(true_fn() if scalar else false_fn())

    def run(variables: list[Any], bound: Any) -> Any:
        return engine.cond(scalar, *(lambda fn=fn: bound(lambda: _tensors(fn()), None) for fn in (true_fn, false_fn)))

    return with_assignments(run)


def _chosen(pred: Any, first: Any, second: Any) -> Any:
    return cond(pred, lambda: first, lambda: second)


def _known_of(a: Sequence[Any], b: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(d if d is e or d == e else UNKNOWN for d, e in zip(a, b, strict=True))


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """The result of the `index`-th of `branches`, called with `operands`.

    Args:
        index: An integer scalar; what lies outside takes the nearest branch.
        branches: Functions whose results have one structure, the same shapes and dtypes.
        operands: What they are called with.

    Raises:
        ArgumentError: There is no branch.

    Example:

    >>> from keraunos import ops
    >>> float(ops.switch(1, [lambda x: x + 1, lambda x: x * 2], ops.convert_to_tensor(5.0)))
    10.0
    """
    if not isinstance(branches, (list, tuple)) or not branches:
        raise ArgumentError("switch needs a list of at least one branch.", where="ops.switch")
    _functions("ops.switch", **{f"branches[{i}]": branch for i, branch in enumerate(branches)})
    if index is None or isinstance(index, str):
        raise ArgumentTypeError("index must be an integer scalar.", where="ops.switch", received="None" if index is None else "a str")
    if isinstance(index, int):
        return branches[builtins.max(0, builtins.min(index, len(branches) - 1))](*operands)

    def among(first: int, last: int) -> Any:
        """Half of the branches are ruled out at a time."""
        if first == last:
            return branches[first](*operands)
        middle = (first + last) // 2
        return cond(less_equal(index, middle), lambda: among(first, middle), lambda: among(middle + 1, last))

    return among(0, len(branches) - 1)


# ---- loops ----
def while_loop(cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None) -> Any:
    """Run `loop_vars = body(*loop_vars)` as long as `cond(*loop_vars)` holds.

    Args:
        cond: A function of the loop's variables that gives a boolean scalar.
        body: A function of the loop's variables that gives new ones, of the same structure, shapes and dtypes.
        loop_vars: A list or tuple of tensors or structures of them, or one alone.
        maximum_iterations: After so many, it ends in any case.

    Returns:
        The variables after the last iteration, in the form of `loop_vars`.

    Raises:
        ShapeError: `body` changes a shape.

    Example:

    >>> from keraunos import ops
    >>> i, total = ops.while_loop(lambda i, total: i < 4, lambda i, total: (i + 1, total + i), (0, 0))
    >>> int(total)
    6
    """
    _functions("ops.while_loop", cond=cond, body=body)
    if isinstance(maximum_iterations, (str, float)):
        raise ArgumentTypeError("maximum_iterations must be an integer or None.", where="ops.while_loop", received=f"maximum_iterations={maximum_iterations!r}")
    several = isinstance(loop_vars, (list, tuple))
    start = tuple(_tensors(x) for x in (loop_vars if several else (loop_vars,)))

    def step(*values: Any) -> tuple[Any, ...]:
        new = body(*values)
        listed = isinstance(new, (list, tuple)) and (several or len(new) == 1)
        new = tuple(_tensors(x) for x in (new if listed else (new,)))
        _check_same(_specs(values), _specs(new), "The body of while_loop changes its variables' form.", "ops.while_loop")
        return new

    def going(*values: Any) -> Any:
        more = cond(*values)
        if not isinstance(more, bool) and not all(same_dim(d, 1) for d in shape(more)):
            fix = "use ops.all or ops.any"
            raise ShapeError("cond must give a boolean scalar.", where="ops.while_loop", received=f"a tensor of shape {show(shape(more))}", fix=fix)
        return more

    def finished(values: tuple[Any, ...]) -> Any:
        return (type(loop_vars)(values) if type(loop_vars) in (list, tuple) else values) if several else values[0]

    if _has(Spec, start):
        step(*_specs(start))
        return recorded(while_loop, (cond, body, loop_vars, maximum_iterations), finished(_specs(start)))
    engine, limit = config.active(), maximum_iterations
    if not _loops(engine, "while_loop"):
        done = 0
        while (limit is None or done < limit) and going(*start):
            start, done = step(*start), done + 1
        return finished(start)

    def run(variables: list[Any], bound: Any) -> Any:
        def goes_on(count: Any, values: Any, held: Any) -> Any:
            more = reshape(convert_to_tensor(bound(going, held, *values)[0]), ())
            return more if limit is None else logical_and(less(count, limit), more)

        def advance(count: Any, values: Any, held: Any) -> Any:
            return add(count, 1), *bound(step, held, *values)

        _, out, last = engine.while_loop(goes_on, advance, (convert_to_tensor(0), start, current(variables)))
        return out, last

    return finished(with_assignments(run))


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """Run `value = body_fun(i, value)` for the integers `i` from `lower` to before `upper`.

    Args:
        lower, upper: Integers, or integer scalars. With Python's integers the loop can be differentiated on every engine.
        body_fun: A function of the index and the value that gives a new value of the same structure, shapes and dtypes.
        init_val: The first value, a tensor or a structure of them.

    Example:

    >>> from keraunos import ops
    >>> int(ops.fori_loop(0, 5, lambda i, total: total + i, 0))
    10
    """
    _functions("ops.fori_loop", body_fun=body_fun)
    for name, bound in (("lower", lower), ("upper", upper)):
        if bound is None or isinstance(bound, str):
            raise ArgumentTypeError(f"{name} must be an integer.", where="ops.fori_loop", received=f"{name}={bound!r}")
    if isinstance(lower, int) and isinstance(upper, int):
        if upper <= lower:
            return _tensors(init_val)
        return _scanned("fori_loop", lambda value, i: (_tensors(body_fun(i, value)), None), init_val, arange(lower, upper, dtype="int32"))[0]
    return while_loop(lambda i, _: less(i, upper), lambda i, value: (add(i, 1), body_fun(i, value)), (lower, init_val))[1]


def scan(f: Callable[[Any, Any], Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False, unroll: int | bool = 1) -> tuple[Any, Any]:
    """Carry a state through the rows of `xs`: `carry, y = f(carry, x)` for each.

    Args:
        f: The step; its first result has the form, shapes and dtypes of `init`.
        init: The first carry, a tensor or a structure of them.
        xs: A tensor or a structure of them, gone through along their first axis, or None.
        length: The number of steps; needed without `xs`.
        reverse: Whether to go from the last row to the first.
        unroll: How many steps a compiled loop does at once, or True for all; engines without a compiler always unroll.

    Returns:
        The last carry, and the `y`s stacked, in the order of `xs`.

    Raises:
        ArgumentError: Neither `xs` nor `length` is given.
        ShapeError: The rows of `xs` are unequal in number, or `f` changes the carry's shape.

    Example:

    >>> from keraunos import ops
    >>> total, sums = ops.scan(lambda carry, x: (carry + x, carry + x), 0.0, ops.convert_to_tensor([1.0, 2.0, 3.0]))
    >>> ops.convert_to_numpy(sums).tolist()
    [1.0, 3.0, 6.0]
    """
    return _scanned("scan", f, init, xs, length, reverse, unroll)


def _rows(where: str, xs: Any, length: int | None = None) -> Any:
    """How many rows the tensors of a structure have, UNKNOWN if that is not known.

    Raises:
        ArgumentError: There is nothing to count.
        ShapeError: The numbers are unequal.
    """
    specs = [spec_of(x) for x in tree.flatten(xs) if x is not None]
    if any(not x.shape for x in specs):
        fix = "give it an axis: x[None]"
        raise ShapeError("A number alone has no rows to go through.", where=where, received=", ".join(str(show(x.shape)) for x in specs), fix=fix)
    if length is not None and (not isinstance(length, int) or length < 0):
        raise ArgumentError("length must be an integer of at least 0.", where=where, received=f"length={length!r}")
    counts = [x.shape[0] for x in specs] + ([length] if length is not None else [])
    known = [n for n in counts if n is not UNKNOWN]
    if not counts:
        raise ArgumentError(f"{where.rpartition('.')[2]} needs rows to go through: xs, or length.", where=where)
    if len(set(known)) > 1:
        fact = f"The inputs have unequal numbers of rows: {', '.join(builtins.map(str, known))}."
        raise ShapeError(fact, where=where, fix="bring them to one length first, such as by ops.pad")
    return known[0] if known else UNKNOWN


def _scanned(
    name: str, f: Callable[[Any, Any], Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False, unroll: int | bool = 1
) -> tuple[Any, Any]:
    """`scan`, for the op of this name."""
    where = f"ops.{name}"
    _functions(where, f=f)
    if not isinstance(unroll, int) or unroll < 0:
        raise ArgumentError("unroll must be a boolean or an integer of at least 0.", where=where, received=f"unroll={unroll!r}")
    init, xs = _tensors((init, xs), where)
    count = _rows(where, xs, length)

    def step(carry: Any, x: Any) -> Any:
        out = f(carry, x)
        if not isinstance(out, (tuple, list)) or len(out) != 2:
            raise ArgumentError("The step of scan must return a pair: the carry, and what is stacked.", where=where, received=f"a {type(out).__name__}")
        return out

    def checked(carry: Any, x: Any) -> Any:
        new, y = step(carry, x)
        _check_same(_specs(carry), _specs(_tensors(new)), f"The step of {name} changes its carry.", where)
        return new, y

    symbolic = _has(Spec, init, xs)
    if symbolic or count == 0:
        row = tree.map_structure(lambda x: x if x is None else Spec(x.shape[1:], x.dtype), _specs(xs))
        carry, y = checked(_specs(init), row)
        if symbolic:
            ys = tree.map_structure(lambda s: s if s is None else Spec((count, *s.shape), s.dtype), _specs(y))
            return recorded(scan, (f, init, xs, length, reverse, unroll), (_specs(carry), ys))
        return init, tree.map_structure(lambda s: s if s is None else zeros((0, *s.shape), s.dtype), _specs(y))
    engine, unrolled = config.active(), unroll is True and count is not UNKNOWN
    if _loops(engine, "scan") and not unrolled:

        def run(variables: list[Any], bound: Any) -> Any:
            def bound_step(state: Any, x: Any) -> Any:
                (carry, y), new = bound(checked, state[1], state[0], x)
                return (_tensors(carry), new), _tensors(y)

            (carry, last), ys = engine.scan(bound_step, (init, current(variables)), xs, None if count is UNKNOWN else count, reverse, unroll)
            return (carry, ys), last

        return with_assignments(run)
    carry, ys, parts = init, [], [[None] * count if x is None else unstack(x, count) for x in tree.flatten(xs)]
    for i in range(count)[:: -1 if reverse else 1]:
        x = tree.pack_sequence_as(xs, [part[i] for part in parts])
        carry, y = step(carry, x) if ys else checked(carry, x)
        ys.append(y)
    return _tensors(carry), tree.map_structure(lambda *y: None if y[0] is None else stack(list(y)), *(reversed(ys) if reverse else ys))


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """`f` of each row of `xs`, one after another, the results stacked.

    Args:
        f: A function of one row, a tensor or a structure of them as `xs` is.
        xs: A tensor or a structure of them, gone through along their first axis.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.map(lambda x: x * 2, ops.arange(3))).tolist()
    [0, 2, 4]
    """
    _functions("ops.map", f=f)
    return _scanned("map", lambda carry, x: (carry, f(x)), (), xs)[1]


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """`function` of each row of `elements`, all at once where the engine can vectorise it, the results stacked.

    Args:
        function: A function of one row, a tensor or a structure of them as `elements` is.
        elements: A tensor or a structure of them, gone through along their first axis.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.vectorized_map(lambda row: ops.sum(row), ops.ones((3, 4))))
    (3,)
    """
    _functions("ops.vectorized_map", function=function)
    elements = _tensors(elements, "ops.vectorized_map")
    engine, count = config.active(), _rows("ops.vectorized_map", elements)
    if hasattr(engine, "vectorized_map") and not _has(Spec, elements) and count != 0:
        return engine.vectorized_map(lambda rows: _tensors(function(rows)), elements)
    return _scanned("vectorized_map", lambda carry, x: (carry, function(x)), (), elements)[1]


def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """The running results of an associative function along `axis`, in a number of steps that grows with the logarithm of its size.

    Args:
        f: An associative function of two structures as `elems` is, element by element along `axis`.
        elems: A tensor or a structure of them, of equal sizes along `axis`, which must be known.
        reverse: Whether to go from the end.
        axis: The axis to go along.

    Raises:
        ShapeError: The sizes along `axis` differ, or are not known.

    References:
        [Blelloch, 1990](https://www.cs.cmu.edu/~guyb/papers/Ble93.pdf)

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.associative_scan(ops.add, ops.arange(5))).tolist()
    [0, 1, 3, 6, 10]
    """
    where = "ops.associative_scan"
    _functions(where, f=f)
    elems = _tensors(elems, where)
    leaves = tree.flatten(elems)
    try:
        axes = [normalize_axis(axis, len(shape(x))) for x in leaves]
    except KeraunosError as error:
        error.where = f"{where}, axis"
        raise error.at(where) from None
    sizes = {shape(x)[a] for x, a in zip(leaves, axes, strict=True)}
    if sizes == {UNKNOWN} and _has(Spec, elems):
        out = _specs(_tensors(f(_specs(elems), _specs(elems))))
        _check_same(_specs(elems), out, "f changes the form of its arguments.", where)
        return recorded(associative_scan, (f, elems, reverse, axis), out)
    if len(sizes) != 1 or not isinstance(next(iter(sizes)), int):
        raise ShapeError("associative_scan needs tensors of one known size along axis.", where=where, received=", ".join(str(show(shape(x))) for x in leaves))

    def cut(xs: list[Any], *bounds: int | None) -> list[Any]:
        return [get_item(x, (*[slice(None)] * a, slice(*bounds))) for x, a in zip(xs, axes, strict=True)]

    def joined(*parts: list[Any]) -> list[Any]:
        return [concatenate(list(xs), a) for a, *xs in zip(axes, *parts, strict=True)]

    def combine(first: list[Any], second: list[Any]) -> list[Any]:
        first = tree.pack_sequence_as(elems, first)
        out = _tensors(f(first, tree.pack_sequence_as(elems, second)))
        _check_same(_specs(first), _specs(out), "f changes the form of its arguments.", where)
        return tree.flatten(out)

    def running(xs: list[Any], count: int) -> list[Any]:
        """Pairs are combined, their running results are those at the odd places, and give those between."""
        if count < 2:
            return xs
        odd = running(combine(cut(xs, 0, count - 1, 2), cut(xs, 1, None, 2)), count // 2)
        even = joined(cut(xs, 0, 1), combine(cut(odd, 0, (count - 1) // 2), cut(xs, 2, None, 2))) if count > 2 else cut(xs, 0, 1)
        woven = []
        for e, o, a in zip(cut(even, 0, count // 2), odd, axes, strict=True):
            pair = concatenate([expand_dims(e, a + 1), expand_dims(o, a + 1)], a + 1)
            woven.append(reshape(pair, (*shape(o)[:a], 2 * (count // 2), *shape(o)[a + 1 :])))
        return joined(woven, cut(even, count // 2, None)) if count % 2 else woven

    flip = (None, None, -1)
    out = running(cut(leaves, *flip) if reverse else leaves, next(iter(sizes)))
    return tree.pack_sequence_as(elems, cut(out, *flip) if reverse else out)


# ---- gradients ----
def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function a gradient of its own.

    Args:
        f: A function of tensors that returns its result and a function of the gradient with respect to it (one for each part of a
            result that is a list or tuple) that returns the gradients with respect to `f`'s arguments.

    Returns:
        A function of the same arguments that returns the result alone.

    Example:

    >>> from keraunos import ops
    >>> @ops.custom_gradient
    ... def log1pexp(x):
    ...     e = ops.exp(x)
    ...     return ops.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))
    >>> round(float(log1pexp(0.0)), 4)
    0.6931
    """

    _functions("ops.custom_gradient", f=f)

    def call(*args: Any, **kwargs: Any) -> Any:
        args = _tensors(args)
        if _has(Spec, args):
            return recorded(call, args, _specs(_pair(f(*_specs(args), **kwargs), args)[0]))
        engine = config.active()
        if hasattr(engine, "custom_gradient"):
            return engine.custom_gradient(lambda *xs: _pair(f(*xs, **kwargs), args), args)
        return _pair(f(*args, **kwargs), args)[0]

    call.__name__, call.__doc__ = getattr(f, "__name__", "custom_gradient"), getattr(f, "__doc__", None)
    return call


def _pair(result: Any, args: Sequence[Any]) -> tuple[Any, Callable[..., list[Any]]]:
    """The result as tensors, and its gradient as a function that gives a list of tensors, one for each of the arguments."""
    if not isinstance(result, tuple) or len(result) != 2 or not callable(result[1]):
        received = f"a {type(result).__name__}" if not isinstance(result, tuple) else f"a tuple of {len(result)}"
        raise ArgumentError("The function must return its result and a function for the gradient.", where="ops.custom_gradient", received=received)
    out, gradient = result

    def gradients(*upstream: Any) -> list[Any]:
        found = gradient(*upstream)
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        count, place = len(args), "ops.custom_gradient"
        if len(found) != count:
            raise ArgumentError(f"The gradient of a function of {count} arguments has {len(found)} parts.", where=place, expected=f"{count}", code="KR714")
        found = [x if x is None else convert_to_tensor(x) for x in found]
        for i, (x, given) in enumerate(zip(found, args, strict=True)):
            a, b = (None if y is None else spec_of(y).shape for y in (x, given))
            if a is not None and b is not None and not rules.equal(a, b):
                fact = f"The gradient by argument {i} has the shape {show(a)}; the argument has {show(b)}."
                raise ShapeError(fact, where=place, fix="sum it over the axes along which the argument was broadcast", code="KR714")
        return found

    return _tensors(out), gradients


__all__ = ["associative_scan", "cond", "custom_gradient", "fori_loop", "map", "scan", "switch", "vectorized_map", "while_loop"]
