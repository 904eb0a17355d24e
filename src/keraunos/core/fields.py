"""Classes by declared fields: signature, conversion, checks and config from annotations.

    class Dense(Layer):
        units: Size
        activation: Activation = None

gives `Dense(units, activation=None, **kwargs)`, converts the activation, refuses `units=-1` with a clear
error, and answers `get_config`. An annotation that is listed in `CONVERTERS` converts; the others check.
"""

from __future__ import annotations

import importlib
import inspect
import numbers
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, dataclass_transform

from keraunos.core.errors import ArgumentError, ArgumentTypeError, suggestion

# What annotations of fields mean beside Python's own types. (They are `Any` to type checkers, since
# what is passed (a name, say) differs from what the attribute holds (a function).)
Activation = Any  # an activation function, its name, or None
Function = Any  # the same, for modules in which `Activation` is the layer
Initializer = Any  # an initializer, or its name
Regularizer = Any  # a regularizer, its name, or None
Constraint = Any  # a constraint, its name, or None
Size = int  # an integer of at least 1
Sizes = int | Sequence[int]  # one integer of at least 1, or a sequence of them
Fraction = float  # a number in [0, 1)

CONVERTERS: dict[str, str] = {
    "Function": "keraunos.activations",
    "Activation": "keraunos.activations",
    "Initializer": "keraunos.initializers",
    "Regularizer": "keraunos.regularizers",
    "Constraint": "keraunos.constraints",
}
REQUIRED = inspect.Parameter.empty


class Field:
    """One declared argument: its name, its default, and how a value for it is checked and converted."""

    __slots__ = ("convert", "default", "kinds", "name", "optional")

    def __init__(self, name: str, annotation: str, default: Any):
        self.name, self.default = name, default
        kinds = [part.strip().split("[")[0] for part in annotation.split("|")]
        self.optional = "None" in kinds or default is None
        self.kinds = [kind for kind in kinds if kind != "None"]
        self.convert = CONVERTERS.get(self.kinds[0]) if len(self.kinds) == 1 else None

    def value(self, owner: str, value: Any) -> Any:
        """`value`, converted; raises if it cannot be used for this field."""
        if self.convert:
            return importlib.import_module(self.convert).get(value)
        if value is None and self.optional:
            return None
        problems = [_CHECKS[kind](value) if kind in _CHECKS else None for kind in self.kinds]
        if all(problems) and problems:
            error = ArgumentError if isinstance(value, numbers.Number) and not isinstance(value, bool) else ArgumentTypeError
            raise error(f"{owner}: {self.name} must be {' or '.join(str(p) for p in problems)}.", received=f"{self.name}={value!r}")
        if isinstance(value, numbers.Integral) and not isinstance(value, bool) and self.kinds[0] in ("int", "Size", "Sizes"):
            return int(value)
        return value


def _is_int(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return _is_int(value) and value >= 1


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _check(test: Callable[[Any], bool], expected: str) -> Callable[[Any], str | None]:
    return lambda value: None if test(value) else expected


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "int": _check(_is_int, "an integer"),
    "Size": _check(_is_size, "a positive integer"),
    "Sizes": _check(
        lambda v: _is_size(v) or (isinstance(v, (tuple, list)) and len(v) > 0 and all(map(_is_size, v))), "a positive integer or a sequence of them"
    ),
    "float": _check(_is_real, "a number"),
    "Fraction": _check(lambda v: _is_real(v) and 0 <= v < 1, "a number from 0 to below 1"),
    "bool": _check(lambda v: isinstance(v, (bool, numbers.Integral)) or type(v).__name__ == "bool_", "True or False"),
    "str": _check(lambda v: isinstance(v, str), "a string"),
}


@dataclass_transform()
class Declared:
    """The base of classes whose arguments are declared as annotated fields.

    A class with its own `__init__` works as in Keras: its arguments are captured for `get_config`.
    After the fields are set, `setup()` runs.
    """

    fields: ClassVar[dict[str, Field]] = {}
    own_first: ClassVar[bool] = False  # whether a subclass's fields stand before the inherited ones
    unsaved: ClassVar[tuple[str, ...]] = ()  # fields that `get_config` leaves out
    base_arguments: ClassVar[tuple[str, ...]] = ()  # what `**kwargs` takes beside the fields
    name: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {
            name: Field(name, annotation, cls.__dict__.get(name, REQUIRED))
            for name, annotation in cls.__dict__.get("__annotations__", {}).items()
            if isinstance(annotation, str) and not annotation.startswith("ClassVar") and not name.startswith("_")
        }
        has_init = "__init__" in cls.__dict__
        if has_init:
            own = {}
        elif not own and cls.__init__ is not Declared.__init__ and not getattr(cls.__init__, "declared", False):
            return  # inherits a handwritten __init__
        inherited = cls.fields
        merged = {**own, **{n: f for n, f in inherited.items() if n not in own}} if cls.own_first else {**inherited, **own}
        cls.fields = dict(sorted(merged.items(), key=lambda item: item[1].default is not REQUIRED)) if merged else {}
        if not has_init and cls.fields and (own or getattr(cls.__init__, "declared", False)):
            cls.__init__ = _make_init(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls)
        if not getattr(cls.__init__, "declared", False):
            object.__setattr__(self, "_arguments", (args, kwargs))
        return self

    def start(self, **kwargs: Any) -> None:
        """Take the arguments that stand behind `**kwargs`; runs before the fields are set."""
        if kwargs:
            _unknown(type(self), kwargs)

    def setup(self) -> None:
        """Check fields against each other, and derive what follows from them."""

    def captured(self) -> dict[str, Any]:
        """The arguments that a handwritten `__init__` was called with, by name."""
        if "_arguments" not in self.__dict__:
            return {}
        args, kwargs = self.__dict__["_arguments"]
        try:
            bound = inspect.signature(type(self).__init__).bind(self, *args, **kwargs)
        except TypeError:
            return dict(kwargs)
        found: dict[str, Any] = {}
        for name, parameter in list(inspect.signature(type(self).__init__).parameters.items())[1:]:
            if parameter.kind is parameter.VAR_KEYWORD:
                found.update(bound.arguments.get(name, {}))
            elif parameter.kind is not parameter.VAR_POSITIONAL and name in bound.arguments:
                found[name] = bound.arguments[name]
        return found

    def field_config(self) -> dict[str, Any]:
        """The fields' values in a form that JSON can hold."""
        from keraunos.core.serialization import serialize_value

        return {name: serialize_value(getattr(self, name)) for name in self.fields if name not in self.unsaved}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal object: `cls.from_config(config)`."""
        from keraunos.core.serialization import serialize_value

        if self.is_captured():
            return {name: serialize_value(value) for name, value in self.captured().items()}
        return self.field_config()

    def is_captured(self) -> bool:
        """Whether the config is what a handwritten `__init__` was called with."""
        cls = type(self)
        return not getattr(cls.__init__, "declared", False) and cls.get_config.__module__.startswith("keraunos.")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make an object from what `get_config` returned."""
        from keraunos.core.serialization import deserialize_value

        return cls(**{name: deserialize_value(value) for name, value in config.items()})


def _unknown(cls: type, kwargs: dict[str, Any]) -> None:
    wrong = next(iter(kwargs))
    options = [*getattr(cls, "fields", {}), *getattr(cls, "base_arguments", ())]
    raise ArgumentTypeError(f"{cls.__name__} has no argument '{wrong}'.", fix=suggestion(wrong, options))


def _make_init(cls: type[Declared]) -> Callable[..., None]:
    fields = cls.fields
    Parameter = inspect.Parameter
    parameters = [Parameter(n, Parameter.POSITIONAL_OR_KEYWORD, default=f.default) for n, f in fields.items()]
    names = list(fields)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        owner = type(self).__name__
        if len(args) > len(names):
            raise ArgumentTypeError(f"{owner} takes at most {len(names)} positional arguments, {len(args)} were given.", expected=", ".join(names))
        values = dict(zip(names, args, strict=False))
        for name in list(kwargs):
            if name in fields:
                if name in values:
                    raise ArgumentTypeError(f"{owner} got the argument '{name}' twice.")
                values[name] = kwargs.pop(name)
        missing = [n for n, f in fields.items() if n not in values and f.default is REQUIRED]
        if missing:
            if kwargs:
                _check_known(type(self), kwargs)
            raise ArgumentTypeError(f"{owner} needs the argument '{missing[0]}'.", fix=f"{owner}({', '.join(f'{m}=…' for m in missing)})")
        self.start(**kwargs)
        for name, field in fields.items():
            setattr(self, name, field.value(owner, values.get(name, field.default)))
        self.setup()

    tail = [Parameter("kwargs", Parameter.VAR_KEYWORD)] if cls.base_arguments else []
    __init__.__signature__ = inspect.Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *parameters, *tail])  # type: ignore[attr-defined]
    __init__.declared = True  # type: ignore[attr-defined]
    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    return __init__


def _check_known(cls: type[Declared], kwargs: dict[str, Any]) -> None:
    wrong = {name: value for name, value in kwargs.items() if name not in cls.base_arguments}
    if wrong:
        _unknown(cls, wrong)
