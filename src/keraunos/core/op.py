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

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from keraunos.core import config, dtypes
from keraunos.core.errors import ArgumentTypeError, BackendError, KeraunosError, suggestion
from keraunos.core.graph import KerasTensor, Operation, record, strip
from keraunos.core.scope import scope
from keraunos.core.spec import OPERATORS, UNKNOWN, Spec, Unknown
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
    Variable: VARIABLE, Spec: SYMBOLIC, KerasTensor: SYMBOLIC, Unknown: SYMBOLIC, complex: FOREIGN,
}  # fmt: skip


class DTypeRule:
    """How an op treats dtypes: what its inputs are cast to, and what its result has.

    Args:
        inputs: "promote" (to their common dtype), "float" (likewise, then to a float), a function of
            the common dtype, or None (as they are).
        output: The result's dtype as a function of the common input dtype, or its name.
    """

    def __init__(self, inputs: str | Callable[[str], str] | None, output: Callable[[str], str] | str | None = None):
        self.inputs, self._output = inputs, output
        self._cast = dtypes.floating if inputs == "float" else inputs if callable(inputs) else None

    def common(self, names: list[str]) -> str:
        """The dtype that inputs of these dtypes are cast to."""
        joined = dtypes.result_type(*names)
        return self._cast(joined) if self._cast else joined

    def output(self, names: list[str]) -> str:
        """The result's dtype for inputs of these dtypes."""
        if isinstance(self._output, str):
            return self._output
        common = self.common(names)
        return self._output(common) if self._output else common


_SUMS = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}

PROMOTED = DTypeRule("promote")
FLOATING = DTypeRule("float")
NUMERIC = DTypeRule(lambda name: "int32" if name == "bool" else name)  # arithmetic that bools cannot do
SUMMED = DTypeRule(lambda name: _SUMS.get(name, name))  # sums and products of many elements
CONTRACTED = DTypeRule(lambda name: "int32" if name == "int8" else name)  # matrix products
BOOLEAN = DTypeRule("promote", "bool")
LOGICAL = DTypeRule(lambda name: "bool")
TO_BOOL = DTypeRule(None, "bool")
SAME = DTypeRule(None)
INDEX = DTypeRule(None, "int32")


class Op:
    """What is known of one op; the function that users call carries it as `op`."""

    def __init__(self, body: Callable[..., Any], shape: Callable[..., Any] | None, dtype: DTypeRule | None):
        self.body, self.shape, self.dtype = body, shape, dtype or SAME
        self.name = body.__name__
        self.signature = inspect.signature(body)
        parameters = list(self.signature.parameters.values())
        kinds = [(p.name, p.annotation.split(" ")[0] if isinstance(p.annotation, str) else "") for p in parameters]
        self.parameters = [p.name for p in parameters]
        self.promoted = {name for name, kind in kinds if kind in ("Tensor", "Tensors")}
        self.tensors = self.promoted | {name for name, kind in kinds if kind in ("Operand", "Operands")}
        self.lists = {name for name, kind in kinds if kind in ("Tensors", "Operands")}
        self.variadic = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        self.positions = tuple(i for i, name in enumerate(self.parameters) if name in self.tensors)
        self.defaults = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
        self.single = self.tensors - self.lists - {self.variadic}
        self.optional = {p.name for p in parameters if p.default is None or str(p.annotation).endswith("None")}
        self.by_position = list(self.defaults.items())
        self.dtype_at = self.parameters.index("dtype") if "dtype" in self.defaults else -1
        at = [self.parameters.index(name) for name in self.parameters if name in self.promoted]
        plain = bool(at) and not self.variadic and at == list(range(at[0], at[-1] + 1))
        # Where the promoted arguments stand, if that can be told without looking at names.
        self.span = slice(at[0], at[-1] + 1) if plain and not self.lists else None
        self.listed = plain and at == [0] and self.lists == self.promoted
        self.plans: dict[Any, tuple[Callable[..., Any], dict[Any, Any]]] = {}

    # ---- which function runs ----
    def resolve(self, backend: Any) -> Callable[..., Any]:
        """The engine's function of this name, with the body behind it where there is one.

        An underscore may follow the name, to keep clear of Python's `sum` or of the engine's own interface.
        """
        native = backend.__dict__.get(f"{self.name}_") or backend.__dict__.get(self.name)
        if native is None:
            if self.shape is not None:
                raise BackendError(f"The {backend.name} backend has no op '{self.name}'.", fix="use another backend for it")
            found = self.body
        elif self.shape is not None:
            found = native
        else:
            body = self.body

            def found(*args: Any, **kwargs: Any) -> Any:
                out = native(*args, **kwargs)
                return body(*args, **kwargs) if out is NotImplemented else out

        return found

    def plan(self, backend: Any) -> tuple[Callable[..., Any], dict[Any, Any]]:
        """The engine's function, and the dtypes seen with what `keeps` said of them; made once an engine."""
        self.plans[backend] = found = self.resolve(backend), {}
        return found

    def keeps(self, backend: Any, x: Any) -> frozenset[type] | None:
        """The Python scalars beside which a tensor like `x` keeps its dtype; None if it does not even alone."""
        name = backend.dtype_of(x)
        if self.dtype.common([name]) != name:
            return None
        if name in backend.strict_dtypes:
            return frozenset()
        return _SCALARS if name in dtypes.FLOATS else frozenset({bool}) if name == "bool" else frozenset({int, bool})

    # ---- specs ----
    def spec(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The spec of the result for arguments that may be specs."""
        self.bind(args, kwargs)
        try:
            if self.shape is None:
                args, kwargs = self.map(lambda x, _: strip(x), args, kwargs)
                if self.dtype.inputs:  # the body may count on the cast that a run makes
                    names = self.dtype_names(args, kwargs)
                    target = self.dtype.common(names) if names else None
                    args, kwargs = self.map(lambda x, name: _recast(x, target) if name in self.promoted else x, args, kwargs)
                return _specs(self.body(*args, **kwargs))
            args, kwargs = self.map(lambda x, _: _spec_of(x), args, kwargs)
            out = self.shape(*args, **kwargs)
            if isinstance(out, Spec) or (isinstance(out, (tuple, list)) and out and isinstance(out[0], Spec)):
                return out
            return Spec(out, self.dtype.output(self.dtype_names(args, kwargs)))
        except KeraunosError as error:
            raise error.at(f"ops.{self.name}") from None

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise unless the arguments fit the signature, with tensors where they must be."""
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            wrong = next((name for name in kwargs if name not in self.parameters), None)
            if wrong:
                raise ArgumentTypeError(f"{self.name} has no argument '{wrong}'.", where=f"ops.{self.name}", fix=suggestion(wrong, self.parameters)) from None
            plain = [p.replace(annotation=p.empty) for p in self.signature.parameters.values()]
            signature = self.signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)
            raise ArgumentTypeError(f"{self.name}() {error}.", where=f"ops.{self.name}", fix=f"the signature is {self.name}{signature}") from None
        backend = config.active()
        for name, x in zip(self.parameters, args, strict=False):
            if name in self.single and classify(backend, x) == 0 and (x is not None or name not in self.optional):
                raise ArgumentTypeError(f"{name} is {'None' if x is None else f'a {type(x).__name__}'}, not a tensor.", where=f"ops.{self.name}")

    def positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments by position, as far as they have one: engines' functions name theirs differently."""
        new, left = list(args), len(kwargs)
        for name, default in self.by_position[len(args) :] if len(args) <= len(self.by_position) else ():
            if name in kwargs:
                new.append(kwargs[name])
                left -= 1
                if not left:
                    return tuple(new), {}
            elif default is inspect.Parameter.empty:
                break
            else:
                new.append(default)
        self.bind(args, kwargs)
        named = {name: x for name, x in kwargs.items() if name not in self.defaults}
        return tuple(new) if len(named) < len(kwargs) else args, named

    def named_dtype(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments with the dtype as a name."""
        i = self.dtype_at
        if len(args) <= i or args[i] is None or (args[i].__class__ is str and args[i] in dtypes.BITS):
            return args
        return (*args[:i], dtypes.standardize_dtype(args[i]), *args[i + 1 :])

    def map(self, function: Callable[[Any, str], Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Apply `function(x, parameter)` to the tensor arguments, those in lists included."""

        def one(x: Any, name: str | None) -> Any:
            if name not in self.tensors or x.__class__ in _STATIC:
                return x
            if isinstance(x, (list, tuple)) and (name in self.lists or any(isinstance(y, (Spec, Variable)) for y in x)):
                return type(x)(y if y.__class__ in _STATIC else function(y, name) for y in x)
            return function(x, name)

        names, last = self.parameters, self.variadic
        end = names.index(last) if last else len(names)
        new = tuple(one(x, names[i] if i < end else last) for i, x in enumerate(args))
        return new, {name: one(x, name) for name, x in kwargs.items()}

    def dtype_names(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        """The dtypes of the arguments that take part in promotion, "int" and "float" for Python's."""
        names: list[str] = []

        def note(x: Any, name: str) -> Any:
            if name in self.promoted:
                names.append(_dtype_name(x))
            return x

        self.map(note, args, kwargs)
        return names

    # ---- values ----
    def prepare(self, backend: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[bool, tuple[Any, ...], dict[str, Any]]:
        """Convert arguments to the engine's tensors; the first result says whether any is symbolic."""
        symbolic = False

        def check(x: Any, _: str) -> Any:
            nonlocal symbolic
            symbolic = symbolic or isinstance(x, (Spec, Unknown))
            return x

        self.map(check, args, kwargs)
        if not symbolic:
            static = (x for x in (*args, *kwargs.values()) if isinstance(x, (list, tuple)))
            symbolic = any(d is UNKNOWN for x in static for d in x) or any(isinstance(x, Unknown) for x in args)
        if symbolic:
            return True, args, kwargs

        def convert(x: Any, _: str) -> Any:
            if isinstance(x, Variable):
                return x.value
            if x.__class__ in _SCALARS or backend.is_tensor(x):
                return x
            return backend.array(x)

        args, kwargs = self.map(convert, args, kwargs)
        return False, args, kwargs

    def convert_scalars(self, backend: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Python's scalars as tensors, for an op without promotion."""
        return self.map(lambda x, name: backend.array(x) if name in self.promoted and x.__class__ in _SCALARS else x, args, {})[0]

    def promote(self, backend: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Cast the arguments to their common dtype; Python scalars stay unless there is nothing else."""
        found: list[Any] = []
        self.map(lambda x, name: found.append(x) if name in self.promoted else None, args, kwargs)
        if not found:
            return args, kwargs
        target = self.dtype.common([_dtype_name(x) for x in found])
        scalars_only = all(x.__class__ in _SCALARS for x in found)

        def cast(x: Any, name: str) -> Any:
            if name not in self.promoted:
                return x
            if x.__class__ in _SCALARS:
                return backend.array(x, target) if scalars_only or name in self.lists or target in backend.strict_dtypes else x
            return x if backend.dtype_of(x) == target else backend.cast(x, target)

        return self.map(cast, args, kwargs)

    def symbolic(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Infer the result's spec; record a graph node if an argument came from `Input`."""
        specs = self.spec(args, kwargs)
        found: list[KerasTensor] = []
        self.map(lambda x, _: found.append(x) if isinstance(x, KerasTensor) and x.record_history else None, args, kwargs)
        return record(Operation(function), args, kwargs, specs) if found else specs

    def explain(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise the clear form of an engine's error, if the spec rule finds what is wrong."""
        self.bind(args, kwargs)
        try:
            args, kwargs = self.map(lambda x, _: _spec_of(x), args, kwargs)
            self.spec(args, kwargs)
        except KeraunosError:
            raise
        except Exception:  # the rule itself cannot take these arguments: the engine's error tells more
            raise error from None


_SCALARS = frozenset({int, float, bool})
_PLAIN = _SCALARS | {type(None)}
_STATIC = frozenset({type(None), slice, type(...), str})


def _dtype_name(x: Any) -> str:
    if x.__class__ in _SCALARS:
        return dtypes.weak_name(x)
    if isinstance(x, Unknown):
        return "int"
    if isinstance(x, Variable):
        return x.spec().dtype
    if isinstance(x, Spec):
        return x.dtype
    backend = config.active()
    return backend.dtype_of(x if backend.is_tensor(x) else backend.array(x))


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
    x = x if backend.is_tensor(x) else backend.array(x)
    return Spec(x.shape, backend.dtype_of(x))


def spec_of(x: Any) -> Spec:
    """The spec of a tensor, variable, array, scalar or symbolic tensor."""
    spec = _spec_of(x)
    return spec if isinstance(spec, Spec) else Spec((), dtypes.result_type(type(x)))


def _specs(out: Any) -> Any:
    """The result of a body run on specs; what came out as a value (zeros of a known shape) as its spec."""
    if isinstance(out, (list, tuple)):
        return type(out)(_specs(x) for x in out)
    return out if isinstance(out, Spec) or not config.active().is_tensor(out) else _spec_of(out)


def _recast(x: Any, target: str | None) -> Any:
    if target is None or x is None or x.__class__ in _SCALARS:
        return x
    spec = _spec_of(x)
    return spec if spec.dtype == target else Spec(spec.shape, target)


def classify(backend: Any, x: Any) -> int:
    """The kind of an argument, remembered by its type."""
    kind = _BASE_KINDS.get(x.__class__)
    if kind is None:
        if isinstance(x, Variable):
            kind = VARIABLE
        elif isinstance(x, Spec):
            kind = SYMBOLIC
        elif backend.is_tensor(x):
            kind = TENSOR
        elif isinstance(x, (list, tuple)):
            kind = SEQUENCE
        else:
            kind = FOREIGN if hasattr(x, "__array__") or hasattr(x, "__dlpack__") else 0
    backend.kinds[x.__class__] = kind
    return kind


def _function(op: Op) -> Callable[..., Any]:
    """The function that users call."""
    plans, mode, span, listed, dtype_at = op.plans, op.dtype.inputs, op.span, op.listed, op.dtype_at

    @functools.wraps(op.body)
    def function(*args: Any, **kwargs: Any) -> Any:
        backend = scope.backend or config._default or config.active()
        if kwargs:
            args, kwargs = op.positional(args, kwargs)
        if dtype_at >= 0:
            args = op.named_dtype(args)
        kinds = backend.kinds
        kind = 0
        for x in (*args, *kwargs.values()) if kwargs else args:
            found = kinds.get(x.__class__)
            kind |= classify(backend, x) if found is None else found
        if kind > 3:
            if kind & 40 or (kind & 16 and _must_convert(op, backend, args)):
                symbolic, args, kwargs = op.prepare(backend, args, kwargs)
                if symbolic:
                    return op.symbolic(function, args, kwargs)
            if kind & 64 and not op.lists:
                args = tuple([tuple(x) if x.__class__ is list else x for x in args])
            if kind & 4:
                args = tuple([x.value if kinds.get(x.__class__) == 4 else x for x in args])
        try:
            run, kept = plans.get(backend) or op.plan(backend)
            if mode is None:
                if kind & 2 and args[0].__class__ in _SCALARS:
                    args = op.convert_scalars(backend, args)
            # The common case by itself: tensors of one dtype that the op keeps, or one and Python's scalars.
            elif not (
                (span and _alike(op, backend, args[span], kept))
                or (listed and kind & 16 and not _PLAIN.intersection(map(type, args[0])) and _alike(op, backend, args[0], kept))
            ):
                args, kwargs = op.promote(backend, args, kwargs)
            return run(*args, **kwargs)
        except KeraunosError as error:
            error.at(f"ops.{op.name}")
            raise
        except Exception as error:
            op.explain(error, args, kwargs)
            raise

    function.op = op  # type: ignore[attr-defined]
    OPERATORS[op.name] = function
    return function


def _must_convert(op: Op, backend: Any, args: tuple[Any, ...]) -> bool:
    """Whether a list among the arguments holds what the engine cannot take, or a dimension that is not known."""
    kinds, positions = backend.kinds, op.positions
    for i, x in enumerate(args):
        if kinds[x.__class__] & 16:
            if i in positions and not op.lists:
                return True
            for y in x:
                if y.__class__ is not int and (y.__class__ is Unknown or (op.lists and classify(backend, y) > 3)):
                    return True
    return False


def _alike(op: Op, backend: Any, xs: Any, kept: dict[Any, Any]) -> bool:
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
    allowed = kept.get(dtype, False)
    if allowed is False:
        kept[dtype] = allowed = op.keeps(backend, tensor)
    if allowed is None or allowed is _SCALARS:
        return allowed is _SCALARS
    return all(x.__class__ in allowed or x.__class__ not in _SCALARS for x in xs)


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
