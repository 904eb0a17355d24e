"""Pure functions from stateful code: what every engine can differentiate and compile.

`functional(fn, *groups)` gives variables their values for the run of `fn` and returns its result with
their new values. `value_and_grad` differentiates with respect to variables, `Program` compiles a
function that reads and assigns variables. Values are bound per thread, never swapped in the variables
themselves, so one thread may trace while others run.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np

from keraunos.core import config, masks, tree
from keraunos.core.locating import failed, without_gradient
from keraunos.core.scope import scope, within
from keraunos.core.spec import OPERATORS, Spec
from keraunos.core.variable import Variable


class Trace:
    """The values that variables have while a function is made pure, and what it touched beyond them."""

    __slots__ = ("outside", "parent", "values", "written")

    def __init__(self, variables: Sequence[Any] = (), values: Sequence[Any] = ()):
        self.parent: Trace | None = scope.trace
        self.values: dict[int, Any] = {id(v): x for v, x in zip(variables, values, strict=True)}
        self.written: dict[int, Any] = {}
        self.outside: dict[int, Any] = {}

    def read(self, variable: Any) -> Any:
        """The value bound to `variable`, here or further out; else its own, noted as from outside."""
        found = self.values.get(id(variable))
        if found is not None:
            return found
        if self.parent is not None:
            return self.parent.read(variable)
        self.outside[id(variable)] = variable
        return variable._value

    def write(self, variable: Any, value: Any) -> None:
        """Bind a new value."""
        if self.parent is None and id(variable) not in self.values:
            self.outside[id(variable)] = variable
        self.values[id(variable)] = value
        self.written[id(variable)] = variable


def _traced(fn: Callable[..., Any], variables: Sequence[Any], values: Sequence[Any], *args: Any, **kwargs: Any) -> tuple[Any, Trace]:
    """The result of `fn` with these values bound to the variables, and what became of them."""
    trace = Trace(variables, values)
    with within(trace=trace):
        return fn(*args, **kwargs), trace


def functional(fn: Callable[..., Any], *groups: Sequence[Any]) -> Callable[..., Any]:
    """Turn `fn`, which reads and assigns variables, into a pure function of their values.

    Args:
        fn: Any function.
        groups: Lists of variables.

    Returns:
        A function of `(values, *args)`, with one list of values (or of variables for theirs) a group, that returns
        `(result, new_values)`.

    Example:

    >>> import keraunos as keras
    >>> counter = keras.Variable(1.0)
    >>> def add(x):
    ...     counter.assign(counter + x)
    ...     return counter * 10
    >>> result, ((new,),) = keras.functional(add, [counter])([[keras.ops.array(5.0)]], 2.0)
    >>> float(result), float(new), float(counter)  # the variable itself stays
    (70.0, 7.0, 1.0)
    """
    variables = [v for group in groups for v in group]

    def pure(values: Sequence[Sequence[Any]], *args: Any, **kwargs: Any) -> Any:
        out, trace = _traced(fn, variables, [x.value if isinstance(x, Variable) else x for group in values for x in group], *args, **kwargs)
        return out, [[trace.values[id(v)] for v in group] for group in groups]

    return pure


def value_and_grad(fn: Callable[..., Any], variables: Sequence[Any] | None = None, has_aux: bool = False) -> Callable[..., Any]:
    """Differentiate `fn` by variables that it reads, or by its first argument; the same on every engine.

    Args:
        fn: A function that returns a scalar, or with `has_aux` a pair of a scalar and anything.
        variables: The variables to differentiate by; None for the first argument, a tensor or a structure of them.
        has_aux: Whether `fn` returns a pair.

    Returns:
        A function of `fn`'s arguments that returns `(fn's result, gradients)`, the gradients in the
        order of the variables or the structure of the first argument, zero where the result does not depend on one. It may be
        called in a function that is differentiated itself.

    Raises:
        BackendError: The engine has no gradients (NumPy).

    Example:

    >>> import keraunos as keras
    >>> w = keras.Variable(3.0)
    >>> value, (gradient,) = keras.value_and_grad(lambda: w * w, [w])()
    >>> float(value), float(gradient)
    (9.0, 6.0)
    >>> value, gradient = keras.value_and_grad(lambda x: keras.ops.sum(x * x))(keras.ops.array([1.0, 2.0]))
    >>> gradient.tolist()
    [2.0, 4.0]
    """
    by_argument = variables is None
    variables = list(variables or ())
    if len(set(map(id, variables))) < len(variables):
        return _of_each(fn, variables, has_aux)
    pair = fn if has_aux else lambda *args, **kwargs: (fn(*args, **kwargs), None)

    def call(*args: Any, **kwargs: Any) -> Any:
        backend, outer = config.active(), scope.trace
        written: dict[int, Any] = {}
        forward = False  # whether it is done

        def plain(_: Any) -> Any:
            nonlocal forward
            out = pair(*args, **kwargs)
            forward = True
            return out

        def pure(values: Sequence[Any]) -> Any:
            nonlocal forward
            bound, given = ((), (tree.pack_sequence_as(args[0], values), *args[1:])) if by_argument else (values, args)
            (value, aux), trace = _traced(pair, variables, bound, *given, **kwargs)
            forward = True
            written.clear()
            written.update(trace.written)
            kept = {i: mask for i, x in enumerate(tree.flatten(aux)) if (mask := masks.get_mask(x)) is not None}
            return value, (aux, {key: trace.values[key] for key in written}, kept)

        if by_argument:
            fn, values = pure, [backend.array(x) for x in tree.flatten(args[0])]
        elif backend.stateful and outer is None and all(v.trainable for v in variables):
            # The engine differentiates by the tensors that such variables hold; assignments need no care.
            fn, values = plain, [v._value for v in variables]
        else:
            fn, values = pure, [v._value if outer is None else outer.read(v) for v in variables]
        try:
            (value, aux), gradients = backend.differentiate(fn, values)
        except Exception as error:
            if forward and (better := without_gradient(error, lambda: _traced(pair, (), (), *args, **kwargs))) is not None:
                raise better from better.__cause__
            raise
        if fn is pure:
            aux, changed, kept = aux
            for i, mask in kept.items():
                masks.set_mask(tree.flatten(aux)[i], mask)
            for key, variable in written.items():
                variable.assign(changed[key])
        return ((value, aux) if has_aux else value), tree.pack_sequence_as(args[0], gradients) if by_argument else gradients

    return call


def _of_each(fn: Callable[..., Any], variables: list[Any], has_aux: bool) -> Callable[..., Any]:
    """`value_and_grad` by variables of which some are named more than once."""
    places = {key: place for place, key in enumerate(dict.fromkeys(map(id, variables)))}
    once = value_and_grad(fn, list({id(v): v for v in variables}.values()), has_aux)

    def call(*args: Any, **kwargs: Any) -> Any:
        value, gradients = once(*args, **kwargs)
        return value, [gradients[places[id(v)]] for v in variables]

    return call


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, of whose run only the arguments are kept for the gradient: the rest is computed anew ([Chen et al., 2016](https://arxiv.org/abs/1604.06174)).

    Saves memory for time where gradients are taken; without gradients, `f` runs as it is, and so it does on PyTensor, which plans memory for
    its whole program itself: the numbers are the same either way. Variables that `f` assigns are assigned once.

    Args:
        f: A function of tensors and other arguments.

    Example:

    >>> import keraunos as keras
    >>> float(keras.remat(lambda x: keras.ops.exp(keras.ops.sin(x)))(0.0))
    1.0
    """

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        backend, held = config.active(), {name: getattr(scope, name) for name in ("training", "autocast", "layer")}
        leaves = tree.flatten((args, kwargs))
        if not hasattr(backend, "remat") or scope.symbolic or any(isinstance(x, Spec) for x in leaves):
            return f(*args, **kwargs)
        places = [i for i, x in enumerate(leaves) if backend.is_tensor(x)]
        written: dict[int, tuple[Any, Any]] = {}  # the variables that `f` assigns, with their values before, which a second run must meet again

        def pure(*tensors: Any) -> Any:
            given = dict(zip(places, tensors, strict=True))
            inner_args, inner_kwargs = tree.pack_sequence_as((args, kwargs), [given.get(i, x) for i, x in enumerate(leaves)])
            with within(backend=backend, **held):  # the second run may be another thread's
                out, trace = (
                    _traced(f, *zip(*written.values(), strict=True), *inner_args, **inner_kwargs)
                    if written
                    else _traced(f, (), (), *inner_args, **inner_kwargs)
                )
                for key, variable in trace.written.items():
                    written.setdefault(key, (variable, variable._value if scope.trace is None else scope.trace.read(variable)))
            return out, {key: trace.values[key] for key in trace.written}

        out, changed = backend.remat(pure)(*[leaves[i] for i in places])
        for key, value in changed.items():
            written[key][0].assign(value)
        return out

    return call


def with_assignments(run: Callable[[list[Any], Callable[..., Any]], Any]) -> Any:
    """Let functions that an engine's branch or loop traces assign variables: what they assign becomes part of what they return.

    Args:
        run: A function of the variables that are known to be assigned and of `bound(fn, values, *args)`, which gives `fn`'s result and the
            variables' new values for the values before; it returns the result and the variables' last values.

    Returns:
        The result; the variables have their last values.
    """
    variables: list[Any] = []
    while True:
        written: dict[int, Any] = {}
        out, new = run(variables, functools.partial(_bound, variables, written))
        found = [v for v in written.values() if not any(v is known for known in variables)]
        if not found:
            for variable, value in zip(variables, new, strict=True):
                variable.assign(value)
            return out
        variables = [*variables, *found]  # once more, now that these are known


def _bound(variables: list[Any], written: dict[int, Any], fn: Callable[..., Any], values: Sequence[Any] | None, *args: Any) -> tuple[Any, list[Any]]:
    out, trace = _traced(fn, () if values is None else variables, values or (), *args)
    written.update(trace.written)
    return out, [trace.read(v) for v in variables]


def current(variables: Sequence[Any]) -> list[Any]:
    """The variables' values, in the dtype in which they are kept."""
    return [v._value if scope.trace is None else scope.trace.read(v) for v in variables]


class _Incomplete(Exception):
    """The function touched variables that its program did not know of."""

    def __init__(self, variables: list[Any]):
        self.variables = variables


class Program:
    """A function that reads and assigns variables, as one compiled program where the engine compiles.

    The variables need not be named: the first trace finds them.

    Args:
        fn: The function; its arguments and result are structures of tensors.
        variables: Those that are known beforehand, which spares a trace.
        donate: Whether the old values may be overwritten; for steps that change most of the state.
        backend: The engine; the one in force by default.
        options: What the engine's `compile` takes, such as `jit_compile`.
    """

    def __init__(self, fn: Callable[..., Any], variables: Sequence[Any] = (), donate: bool = False, backend: Any = None, **options: Any):
        self.fn, self.donate, self.options = fn, donate, options
        self.backend = backend or config.active()
        self._plan: tuple[tuple[Any, ...], Any] = ((), None)
        self._lock = threading.RLock()
        self._extend(variables)

    @property
    def compiles(self) -> bool:
        """Whether the engine compiles it; else it runs as it is."""
        return self._plan[1] is not None

    def _extend(self, variables: Sequence[Any]) -> None:
        state = self._plan[0]
        state += tuple(v for v in variables if v not in state)
        self._plan = state, self.backend.compile(self._pure(state), donate=self.donate, **self.options)

    def _pure(self, state: tuple[Any, ...]) -> Callable[..., Any]:
        place = getattr(self.backend, "placed_as", lambda value, other: value)  # among devices

        def pure(values: Sequence[Any], *args: Any) -> Any:
            out, trace = _traced(self.fn, state, values, *args)
            if trace.outside:
                raise _Incomplete(list(trace.outside.values()))
            new = {i: place(trace.values[id(v)], v._value) for i, v in enumerate(state) if self.donate or id(v) in trace.written}
            return out, tuple(new.values()) if self.donate else new

        return pure

    def _by_op(self, *args: Any) -> None:
        """Run it op by op, of which nothing is kept."""
        with uncompiled([self]):
            self(*args)

    def __call__(self, *args: Any) -> Any:
        while True:
            state, compiled = self._plan
            if compiled is None:  # the engine runs it as it is
                return self.fn(*args)
            done: list[Any] = []
            try:
                results = map(compiled, ([v._value for v in state],), *zip(args, strict=True))
                if self.donate:  # one call, in which Ctrl-C waits: the old state is given up, and the new one put in its place
                    news = map(itemgetter(1), itertools.filterfalse(done.append, results))
                    deque(itertools.chain.from_iterable(map(partial(map, setattr, state, itertools.repeat("_value")), news)), 0)
                else:
                    done.extend(results)
            except _Incomplete as found:
                with self._lock:
                    self._extend(found.variables)
                continue
            except Exception as error:
                if isinstance(error, (RuntimeError, ValueError)) and not self.donate and "has been deleted" in str(error):
                    continue  # another thread trained on, and gave up the values just read
                if (better := failed(error, partial(self._by_op, *args))) is not None:
                    raise better from better.__cause__
                raise
            out, new = done[0]
            for i, value in () if self.donate else new.items():
                state[i]._value = value
            return out


@contextlib.contextmanager
def uncompiled(programs: Sequence[Program]) -> Iterator[None]:
    """A block in which programs run op by op, and nothing that they assign is kept; with zeros for what they may have overwritten."""
    plans = [program._plan for program in programs]
    trace = Trace()
    for program in programs:
        for v in program._plan[0]:
            trace.values[id(v)] = program.backend.array(np.zeros(v.shape), v.dtype) if program.donate else v._value
        program._plan = program._plan[0], None
    try:
        with within(trace=trace):
            yield
    finally:
        for program, plan in zip(programs, plans, strict=True):
            program._plan = plan


def repeat(step: Callable[[Any], Any], xs: Any, every: bool = False) -> Any:
    """Run `step(x)`, which reads and assigns variables, over the rows of `xs`, in one program.

    For use inside a `Program` on an engine that has `repeat`; returns the result of the last step, or with `every` the rows of all results.
    """
    backend = config.active()
    outer = scope.trace
    assert outer is not None
    touched: dict[int, Any] = {}

    def probe(x: Any) -> Any:
        touched.update(_traced(step, (), (), x)[1].written)
        return ()

    # One abstract run tells which variables the step assigns: these are what the loop carries.
    backend.abstract(probe, [xs.shape[1:]], [backend.dtype_of(xs)])
    variables = list(touched.values())

    def body(values: Any, x: Any) -> Any:
        out, trace = _traced(step, variables, values, x)
        return [trace.values[id(v)] for v in variables], out

    new, outs = backend.repeat(body, [outer.read(v) for v in variables], xs)
    for variable, value in zip(variables, new, strict=True):
        outer.write(variable, value)
    return tree.map_structure((lambda x: OPERATORS["reshape"](x, (-1, *x.shape[2:]))) if every else (lambda x: x[-1]), outs)
