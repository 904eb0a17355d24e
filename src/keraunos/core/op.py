"""The op mechanism: an op is defined once, for every engine.

`@primitive(shape=…, dtype=…)` declares an op that every engine implements; the rules infer the result's
spec. `@composite` gives a body over other ops; its spec is the body run on specs. A function of the
same name in a backend is the primitive's implementation or the composite's faster form; it may return
`NotImplemented` for arguments that it cannot take.

What a call does, cheapest first: look at the kinds of its arguments; symbolic ones infer (and record a
graph node); values are converted, promoted by the dtype lattice, and given to the engine. When the
engine fails, the spec rule is asked for the reason, so every engine gives the same message.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import operator
import threading
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

from keraunos.core import config, dtypes
from keraunos.core.errors import NUMBERS_FIRST, ArgumentTypeError, BackendError, DTypeError, KeraunosError, ShapeError, suggestion
from keraunos.core.failures import translated
from keraunos.core.frames import instead, is_users, shorten
from keraunos.core.graph import KerasTensor, Operation, record, strip
from keraunos.core.scope import scope
from keraunos.core.spec import OPERATORS, Spec, Unknown, show
from keraunos.core.variable import Variable

P = ParamSpec("P")

# The annotations of an op's parameters say what they are: `Tensor` takes part in dtype promotion,
# `Operand` (indices, conditions) does not; `Tensors` and `Operands` are lists of them. All else is static.
Tensor = Any
Operand = Any
Tensors = Any
Operands = Any

TENSOR, SCALAR, VARIABLE, SYMBOLIC, SEQUENCE, FOREIGN, LIST = 1, 2, 4, 8, 16, 32, 64
_BASE_KINDS: dict[type, int] = {
    float: SCALAR, int: SCALAR, bool: SCALAR, type(None): 0, str: 0, dict: 0, slice: 0, type(...): 0, list: SEQUENCE | LIST, tuple: SEQUENCE,
    Variable: VARIABLE, Spec: SYMBOLIC, KerasTensor: SYMBOLIC, Unknown: SYMBOLIC, complex: SCALAR,
}  # fmt: skip
_WEAK = {bool: "bool", int: "int", float: "float", complex: "complex", Unknown: "int"}  # the lattice's names for what takes the dtype of what it meets
_SCALARS = frozenset({int, float, bool, complex})
_ALL: list[Any] = []
_FLAT = frozenset({"stop_gradient", "sign", "floor", "ceil", "round", "trunc"})  # floats whose gradient is 0
_PLAIN = _SCALARS | {type(None)}
_STATIC = frozenset({type(None), slice, type(...), str})


class DTypeRule:
    """How an op treats dtypes: what its inputs are cast to, and what its result has.

    Args:
        inputs: What they are cast to, as a function of their common dtype; None leaves them as they are.
        output: The result's dtype, or a function of that of the cast inputs; None is that itself.
        wide: Whether 16-bit floats are computed in 32 bits, and the result rounded.
    """

    def __init__(self, inputs: Callable[[str], str] | None, output: str | Callable[[str], str] | None = None, wide: bool = False):
        self.inputs, self._output, self.wide = inputs, output, wide

    def common(self, names: list[str]) -> str:
        """The dtype that inputs of these dtypes are cast to."""
        joined = dtypes.result_type(*names)
        return self.inputs(joined) if self.inputs else joined

    def output(self, names: list[str]) -> str:
        """The result's dtype for inputs of these dtypes."""
        return self._output if isinstance(self._output, str) else self._output(self.common(names)) if self._output else self.common(names)


class _Contracted(DTypeRule):
    """Products of 8-bit integers alone are summed in 32 bits."""

    def common(self, names: list[str]) -> str:
        return "int32" if set(names) == {"int8"} else super().common(names)


_SUMS = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}

PROMOTED = DTypeRule(lambda name: name)
FLOATING = DTypeRule(dtypes.floating)
WIDE = DTypeRule(dtypes.floating, wide=True)
NUMERIC = DTypeRule(lambda name: "int32" if name == "bool" else name)  # arithmetic that bools cannot do
SUMMED = DTypeRule(lambda name: _SUMS.get(name, name))  # sums and products of many elements
CONTRACTED = _Contracted(lambda name: name)  # matrix products
BOOLEAN = DTypeRule(lambda name: name, "bool")
LOGICAL = DTypeRule(lambda name: "bool")
TO_BOOL = DTypeRule(None, "bool")
SAME = DTypeRule(None)
INDEX = DTypeRule(None, "int32")


class Op:
    """What is known of one op; the function that users call carries it as `op`."""

    def __init__(self, body: Callable[..., Any], shape: Callable[..., Any] | None, dtype: DTypeRule):
        self.body, self.shape, self.dtype, self.name = body, shape, dtype, body.__name__
        self.signature = inspect.signature(body)
        parameters = self.signature.parameters.values()
        kinds = {p.name: str(p.annotation).split(" ")[0] for p in parameters}
        self.parameters = list(kinds)
        self.promoted = {name for name, kind in kinds.items() if kind in ("Tensor", "Tensors")}
        self.tensors = self.promoted | {name for name, kind in kinds.items() if kind in ("Operand", "Operands")}
        self.lists = {name for name in self.tensors if kinds[name].endswith("s")}
        self.optional = {p.name for p in parameters if p.default is None or str(p.annotation).endswith("None")}
        self.positional = [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.variadic = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        self.names = [p.name for p in parameters if p.kind <= p.VAR_POSITIONAL]
        self.static_at = {i for i, name in enumerate(self.names) if name not in self.tensors}
        self.listed_at = {i for i, name in enumerate(self.names) if name in self.lists}
        self.dtype_at = self.parameters.index("dtype") if "dtype" in kinds else -1
        # Takes the promoted arguments out of all, if that can be told without looking at names.
        at = [i for i, name in enumerate(kinds) if name in self.promoted]
        plain = at and not self.variadic and at == list(range(at[0], at[-1] + 1)) and (not self.lists or (at == [0] and self.lists == self.promoted))
        self.operands = operator.itemgetter(0 if self.lists else slice(at[0], at[-1] + 1)) if plain else None
        self.plans: dict[Any, tuple[Callable[..., Any], dict[Any, frozenset[type] | None]]] = {}

    # ---- which function runs ----
    def plan(self, backend: Any) -> tuple[Callable[..., Any], dict[Any, frozenset[type] | None]]:
        """The engine's function of this name, with the body behind it where there is one, and what `clashes` said; made once an engine.

        An underscore may follow the name, to keep clear of Python's `sum` or of the engine's own interface.
        """
        body, native = self.body, backend.__dict__.get(f"{self.name}_") or backend.__dict__.get(self.name)
        if self.shape is not None:
            if native is None:
                raise BackendError(f"The {backend.name} backend has no op '{self.name}'.", fix="use another backend for it")
            run = native
        elif native is None:
            run = body
        else:

            def run(*args: Any, **kwargs: Any) -> Any:
                out = native(*args, **kwargs)
                return body(*args, **kwargs) if out is NotImplemented else out

        if self.dtype.wide:
            run = self._widened(backend, run)
        if settle := getattr(backend, "settled", None):
            run = self._settled(run, settle)
        self.plans[backend] = found = run, {}
        return found

    def _widened(self, backend: Any, run: Callable[..., Any]) -> Callable[..., Any]:
        """`run`, which computes 16-bit floats in 32 bits."""

        def widened(*args: Any, **kwargs: Any) -> Any:
            kind = next((backend.dtype_of(x) for x in self.operands_of(args, self.promoted) if backend.is_tensor(x)), "")
            if dtypes.BITS.get(kind) != 16:
                return run(*args, **kwargs)
            out = run(*self.map(lambda x: backend.cast(x, "float32"), args, self.promoted), **kwargs)
            parts = [backend.cast(y, kind) if backend.dtype_of(y) == "float32" else y for y in (out if isinstance(out, (tuple, list)) else [out])]
            return tuple(parts) if isinstance(out, (tuple, list)) else parts[0]

        return widened

    def widened(self, backend: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result, if the engine failed only because it holds a dtype that it hardly computes with: computed in a wider one."""
        wide = self.map(lambda x: backend.widened(x) if backend.is_tensor(x) else x, args)
        if all(map(operator.is_, self.operands_of(args), self.operands_of(wide))):
            return None
        out, specs = self.plan(backend)[0](*wide, **kwargs), self.spec(args, kwargs, abstract=True)
        if isinstance(out, (tuple, list)):
            return tuple(backend.cast(y, spec.dtype) for y, spec in zip(out, specs, strict=True))
        return backend.cast(out, specs.dtype)

    def _settled(self, run: Callable[..., Any], settle: Callable[..., Any]) -> Callable[..., Any]:
        """`run`, whose results are told what the rules know of their shapes."""

        def settled(*args: Any, **kwargs: Any) -> Any:
            return settle(run(*args, **kwargs), lambda: self.spec(args, kwargs, abstract=True))

        return settled

    def clashes(self, backend: Any, x: Any) -> frozenset[type] | None:
        """The Python scalars beside which a tensor like `x` does not keep its dtype; None if it does not even alone."""
        name = backend.dtype_of(x)
        if self.dtype.common([name]) != name:
            return None
        if self.lists or name in backend.strict_dtypes:  # there, scalars must become tensors
            return _SCALARS
        if name in dtypes.COMPLEX:
            return frozenset()
        return frozenset({complex} if name in dtypes.FLOATS else {int, float, complex} if name == "bool" else {float, complex})

    # ---- arguments ----
    def map(self, function: Callable[[Any], Any], args: tuple[Any, ...], names: set[str] | None = None) -> tuple[Any, ...]:
        """The arguments, with `function` applied to the tensors among them (of the parameters `names`), those in lists included."""
        names = self.tensors if names is None else names

        def one(x: Any, name: str) -> Any:
            if name not in names or x.__class__ in _STATIC:
                return x
            if isinstance(x, (list, tuple)) and (name in self.lists or any(isinstance(y, (Spec, Variable)) for y in x)):
                return type(x)([y if y.__class__ in _STATIC else function(y) for y in x])
            return function(x)

        last = len(self.names) - 1  # the variadic parameter takes the rest
        return tuple([one(x, self.names[min(i, last)]) for i, x in enumerate(args)])

    def operands_of(self, args: tuple[Any, ...], names: set[str] | None = None) -> list[Any]:
        """The tensors that `map` meets."""
        found: list[Any] = []
        self.map(found.append, args, names)
        return found

    def bind(self, args: Any, kwargs: dict[str, Any]) -> None:
        """Raise unless the arguments fit the signature, with tensors where they must be."""
        place = f"ops.{self.name}"
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            if wrong := next((name for name in kwargs if name not in self.parameters), None):
                raise ArgumentTypeError(f"{self.name} has no argument '{wrong}'.", where=place, fix=suggestion(wrong, self.parameters), code="KR811") from None
            plain = [p.replace(annotation=p.empty) for p in self.signature.parameters.values()]
            raise ArgumentTypeError(f"{self.name}() {error}.", where=place, fix=f"the signature is {self.name}{inspect.Signature(plain)}") from None
        single = self.tensors - self.lists
        for (name, _), x in zip(self.positional, args, strict=False):
            if name in single and classify(config.active(), x) == 0 and (x is not None or name not in self.optional):
                raise ArgumentTypeError(f"{name} is {'None' if x is None else f'a {type(x).__name__}'}, not a tensor.", where=place)
            if name in self.lists & self.promoted and isinstance(x, (list, tuple)):
                for i, y in enumerate(x):
                    if classify(config.active(), y) == 0:
                        raise ArgumentTypeError(f"{name}[{i}] is {'None' if y is None else f'a {type(y).__name__}'}, not a tensor.", where=place)

    def by_position(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments by position, as far as they have one, taken out of `kwargs`: engines' functions name theirs differently."""
        new = list(args)
        for name, default in self.positional[len(args) :]:
            if not kwargs or (x := kwargs.pop(name, default)) is inspect.Parameter.empty:
                break
            new.append(x)
        if kwargs:
            self.bind(new, kwargs)
        return tuple(new)

    def named_dtype(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments with the dtype as a name."""
        i = self.dtype_at
        if len(args) <= i or args[i] is None or (args[i].__class__ is str and args[i] in dtypes.BITS):
            return args
        return (*args[:i], dtypes.standardize_dtype(args[i]), *args[i + 1 :])

    def promote(self, backend: Any, args: tuple[Any, ...], symbolic: bool = False) -> tuple[Any, ...]:
        """Cast the arguments to their common dtype, or their specs if `symbolic`; Python scalars stay unless there is nothing else."""
        found = self.operands_of(args, self.promoted)
        if not found:
            return args
        target = self.dtype.common([_dtype_name(x) for x in found])
        settle = self.lists or target in backend.strict_dtypes or all(x.__class__ in _SCALARS for x in found)

        def cast(x: Any) -> Any:
            if x.__class__ in _SCALARS:
                return backend.array(x, target) if settle else x
            if _dtype_name(x) == target:
                return x
            return Spec((spec := _spec_of(x)).shape, target, spec.cut) if symbolic else backend.cast(x, target)

        return self.map(cast, args, self.promoted)

    # ---- specs ----
    def spec(self, args: tuple[Any, ...], kwargs: dict[str, Any], abstract: bool = False) -> Any:
        """The spec of the result for arguments that may be specs; with `abstract`, a body gets specs only."""
        try:
            self.bind(args, kwargs)
            kwargs = dict(kwargs)
            args = self.by_position(args, kwargs)
            if self.shape is None:
                args = self.map(_spec_of if abstract else strip, args)
                if self.dtype.inputs:  # the body may count on the cast that a run makes
                    args = self.promote(config.active(), args, symbolic=True)
                return _specs(self.body(*args, **kwargs))
            given, args = self.operands_of(args), self.map(_spec_of, args)
            out = self.shape(*args, **kwargs)
            if not (isinstance(out, Spec) or (isinstance(out, (tuple, list)) and out and isinstance(out[0], Spec))):
                out = Spec(out, self.dtype.output([_dtype_name(x) for x in self.operands_of(args, self.promoted)]))
            for made in (out,) if isinstance(out, Spec) else out:
                made.cut = self._cut(made, given)
            return out
        except KeraunosError as error:
            raise self.locate(error) from None

    def _cut(self, made: Spec, given: list[Any]) -> str | None:
        """The op that keeps gradients from what the result was made of, if all of it was: this one, or one before."""
        before = next((x.cut for x in given if isinstance(x, Spec) and x.cut), None)
        smooth = dtypes.FLOATS | dtypes.COMPLEX
        lives = any(isinstance(x, Variable) or (isinstance(x, Spec) and not x.cut and x.dtype in smooth) for x in given)
        return before if not lives else None if made.dtype in smooth and self.name not in _FLAT else self.name

    def symbolic(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Infer the result's spec; record a graph node if an argument came from `Input`."""
        specs = self.spec(args, kwargs)
        recorded = any(isinstance(x, KerasTensor) and x.record_history for x in self.operands_of(args))
        return record(Operation(function), args, kwargs, specs) if recorded else specs

    def locate(self, error: KeraunosError) -> KeraunosError:
        """Say in an error which op it is about, and which argument; for an op of a body this is the op that was called."""
        where = str(error.where or "")
        argument = where.rpartition(", ")[2]
        if not where or where.startswith("ops.") or argument in self.parameters:
            error.where = ""
            error.at(f"ops.{self.name}, {argument}" if argument in self.parameters else f"ops.{self.name}")
        return error

    def explain(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> KeraunosError | None:
        """The clear form of an error, if it is ours or the spec rule finds what is wrong."""
        try:
            if not isinstance(error, KeraunosError):
                self.spec(args, kwargs, abstract=True)
                return None
            if self.shape is None:  # an op of the body means an argument of its own
                self.bind(args, kwargs)
            return self.locate(error)
        except KeraunosError as better:
            return better
        except Exception:  # the rule itself cannot take these arguments: the engine's error tells more
            return None

    def failure(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception:
        """An engine's own error as one of ours: which op it is about, and what that was given; of an op of a body, the op that was called."""
        given = [*zip(self.names, args, strict=False), *kwargs.items()]
        received = ", ".join(f"{name}: {_told(x)}" for name, x in given)
        return error if is_users(error) else translated(error, f"ops.{self.name}", received) or error


def _told(x: Any) -> str:
    """An argument in a few words, without its data."""
    if x is None or x.__class__ in _SCALARS or isinstance(x, str):
        return repr(x)
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        spec = _spec_of(x)
        return f"{spec.dtype} {show(spec.shape)}"
    if isinstance(x, (list, tuple)) and len(x) <= 8 and all(isinstance(y, int) for y in x):  # a shape, axes
        return str(x)
    return f"{type(x).__name__} of {len(x)}" if isinstance(x, (list, tuple, dict)) else type(x).__name__


def _dtype_name(x: Any) -> str:
    if weak := _WEAK.get(x.__class__):
        return weak
    backend = config.active()
    return backend.dtype_of(x) if backend.is_tensor(x) else _spec_of(x).dtype


def _spec_of(x: Any) -> Any:
    if x is None or x.__class__ in _SCALARS:
        return x
    if isinstance(x, KerasTensor):
        return x.spec
    if isinstance(x, Spec):
        return x
    if isinstance(x, Unknown):
        return Spec((), "int32")
    if isinstance(x, Variable):
        return x.spec()
    backend = config.active()
    x = x if backend.is_tensor(x) else made(backend, x)
    return Spec(x.shape, backend.dtype_of(x))


def spec_of(x: Any) -> Spec:
    """The spec of a tensor, variable, array, scalar or symbolic tensor."""
    spec = _spec_of(x)
    return spec if isinstance(spec, Spec) else Spec((), dtypes.result_type(type(x)))


def _specs(out: Any) -> Any:
    """The result of a body run on specs; what came out as a value (zeros of a known shape) as its spec."""
    if isinstance(out, (list, tuple)):
        return type(out)(_specs(x) for x in out)
    return _spec_of(out) if config.active().is_tensor(out) else out


_SUBCLASSES = ((Variable, VARIABLE), (Spec, SYMBOLIC), ((list, tuple), SEQUENCE))


def classify(backend: Any, x: Any) -> int:
    """The kind of an argument, remembered by its type."""
    kind = TENSOR if backend.is_tensor(x) else _BASE_KINDS.get(x.__class__)
    if kind is None:
        foreign = FOREIGN if hasattr(x, "__array__") or hasattr(x, "__dlpack__") else 0
        kind = next((kind for base, kind in _SUBCLASSES if isinstance(x, base)), foreign)
    backend.kinds[x.__class__] = kind
    return kind


def _function(op: Op) -> Callable[..., Any]:
    """The function that users call."""
    plans, casts, operands, dtype_at = op.plans, op.dtype.inputs is not None, op.operands, op.dtype_at
    of_operand = op.shape is None and op.names[:1] != [] and op.names[0] in op.tensors - op.promoted - op.lists

    @functools.wraps(op.body)
    def function(*args: Any, **kwargs: Any) -> Any:
        backend = scope.backend or config._default or config.active()
        try:
            if kwargs:
                args = op.by_position(args, kwargs)
            if dtype_at >= 0:
                args = op.named_dtype(args)
            kinds = backend.kinds
            kind = 0
            for x in args:
                found = kinds.get(x.__class__)
                kind |= classify(backend, x) if found is None else found
            if kind > 3:  # there is more than tensors and scalars
                if kind & (SYMBOLIC | FOREIGN) or (kind & SEQUENCE and _must_convert(op, backend, args)):
                    if _is_symbolic(args):
                        return op.symbolic(function, args, kwargs)
                    args = op.map(lambda x: _converted(backend, x), args)
                if kind & LIST and not op.lists:
                    args = tuple([tuple(x) if x.__class__ is list else x for x in args])
                if kind & VARIABLE:
                    args = tuple([x.value if kinds.get(x.__class__) == VARIABLE else x for x in args])
            run, kept = plans.get(backend) or op.plan(backend)
            if of_operand and kind & SCALAR and args[0].__class__ in _SCALARS:  # a body looks at its shape
                args = (backend.array(args[0]), *args[1:])
            if not casts:
                if kind & SCALAR and args[0].__class__ in _SCALARS:
                    args = op.map(lambda x: backend.array(x) if x.__class__ in _SCALARS else x, args, op.promoted)
            elif not (operands and _alike(op, backend, operands(args), kept)):
                args = op.promote(backend, args)
            return run(*args, **kwargs)
        except Exception as error:
            better = op.explain(error, args, kwargs)
            if better is None and hasattr(backend, "widened") and (out := op.widened(backend, args, kwargs)) is not None:
                return out
            better = better or op.failure(error, args, kwargs)
            if better is not error:
                better = instead(better, error)
                raise better from better.__cause__
            shorten(error)
            raise

    function.op = op  # type: ignore[attr-defined]
    OPERATORS[op.name] = function
    _ALL.append(op)
    return function


def _is_symbolic(args: tuple[Any, ...]) -> bool:
    """Whether there is a spec or a dimension that is not known among the arguments, or in a list of them."""
    flat = (y for x in args for y in (x if isinstance(x, (list, tuple)) else (x,)))
    return any(isinstance(x, (Spec, Unknown)) for x in flat)


def _must_convert(op: Op, backend: Any, args: tuple[Any, ...]) -> bool:
    """Whether a list among the arguments holds what the engine cannot take, or a dimension that is not known."""
    kinds = backend.kinds
    for i, x in enumerate(args):
        if kinds[x.__class__] & SEQUENCE:
            if i not in op.static_at and i not in op.listed_at:
                return True
            for y in x:
                if y.__class__ is not int and (y.__class__ is Unknown or (op.lists and classify(backend, y) > 3)):
                    return True
    return False


def _converted(backend: Any, x: Any) -> Any:
    kind = classify(backend, x)
    if kind == VARIABLE or kind <= SCALAR:
        return x.value if kind == VARIABLE else x
    return made(backend, x)


def made(backend: Any, x: Any, dtype: str | None = None) -> Any:
    """The engine's tensor of an array, a list or a number.

    Raises:
        KeraunosError: None can be made of it.
    """
    try:
        return backend.array(x, dtype)
    except KeraunosError:
        raise
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        if isinstance(error, OverflowError) or "overflow" in str(error):  # as PyTorch says it
            raise DTypeError(f"There are numbers that {dtype or 'int32'} cannot hold.", fix="pass a wider dtype, such as 'int64' or 'float64'") from None
        raise _unconvertible(x, dtype) or error from None


def _unconvertible(x: Any, dtype: str | None) -> KeraunosError | None:
    """What is wrong with data that no tensor can be made of, if that can be said."""
    import numpy as np

    try:
        kind = np.asarray(x).dtype.kind
    except ValueError:
        fix = "make them equal, such as by ops.pad or utils.pad_sequences"
        return ShapeError("A list of rows of unequal lengths is no tensor.", received=f"a {type(x).__name__} of {len(x)}", fix=fix)
    if kind in "SUT":
        return DTypeError("Text cannot be computed with.", received="string", fix=NUMBERS_FIRST, code="KR207")
    if kind == "c":
        return DTypeError(f"Complex numbers are not {dtype}.", fix="take ops.real or ops.absolute of them")
    return (
        ArgumentTypeError("No tensor can be made of these objects.", received=f"a {type(x).__name__} of objects", fix="pass numbers") if kind == "O" else None
    )


def _alike(op: Op, backend: Any, xs: Any, kept: dict[Any, frozenset[type] | None]) -> bool:
    """Whether these are tensors of one dtype that the op keeps, or some and Python's scalars that go with it."""
    dtype = tensor = None
    for x in xs:
        if x.__class__ not in _PLAIN:
            if tensor is None:
                tensor, dtype = x, x.dtype
            elif x.dtype != dtype:
                return False
    if tensor is None:
        return False
    if dtype not in kept:
        kept[dtype] = op.clashes(backend, tensor)
    clashes = kept[dtype]
    return clashes is not None and (not clashes or clashes.isdisjoint(map(type, xs)))


def primitive(shape: Callable[..., Any], dtype: DTypeRule = SAME) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Declare an op that every engine implements.

    Args:
        shape: A function of the op's arguments, with specs for tensors, that returns the result's
            shape, or its spec or specs.
        dtype: How it treats dtypes.
    """
    return lambda body: _function(Op(body, shape, dtype))


def composite(body: Callable[P, Any] | None = None, *, dtype: DTypeRule = SAME) -> Any:
    """Define an op by a body over other ops; `dtype` says what its inputs are cast to first."""
    if body is None:
        return lambda body: _function(Op(body, None, dtype))
    return _function(Op(body, None, dtype))


def op_of(function: Callable[..., Any]) -> Op:
    """What is known of the op behind a function of `keraunos.ops`."""
    return function.op  # type: ignore[attr-defined]


@contextlib.contextmanager
def watched(look: Callable[[str, tuple[Any, ...], Any], Any]) -> Iterator[None]:
    """Let `look(name, args, result)` see what each op of the engine in force makes in this thread, and say what becomes of it; for debugging."""
    backend, thread = config.active(), threading.get_ident()
    former, looking = {op: op.plans.get(backend) for op in _ALL}, False

    def seen(op: Op, run: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal looking
            out = run(*args, **kwargs)
            if looking or threading.get_ident() != thread:  # ops of `look` itself are not looked at
                return out
            looking = True
            try:
                return look(op.name, args, out)
            finally:
                looking = False

        return call

    try:
        for op in _ALL:
            if op.body is not None and (former[op] or op.shape is None or getattr(backend, f"{op.name}_", getattr(backend, op.name, None))):
                run, kept = former[op] or op.plan(backend)
                op.plans[backend] = seen(op, run), kept
        yield
    finally:
        for op, plan in former.items():
            op.plans.pop(backend, None)
            if plan is not None:
                op.plans[backend] = plan
