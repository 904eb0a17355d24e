"""Classes by declared fields: signature, conversion, checks and config from annotations.

    class Dense(Layer):
        units: Size
        activation: Activation = None

gives `Dense(units, activation=None, **kwargs)`, converts the activation, refuses `units=-1` with a clear
error, and answers `get_config`. An annotation that is listed in `CONVERTERS` converts; the others check,
`Literal[…]` among them.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeGuard, dataclass_transform

from keraunos.core.errors import ArgumentError, ArgumentTypeError, clean, one_of, suggestion
from keraunos.core.frames import GONE, shortened
from keraunos.core.serialization import deserialize_value, serialize_value

# What annotations of fields mean beside Python's own types. (They are `Any` to type checkers, since
# what is passed (a name, say) differs from what the attribute holds (a function).)
Activation = Any  # an activation function, its name, or None
Function = Any  # the same, for modules in which `Activation` is the layer
Initializer = Any  # an initializer, or its name
Regularizer = Any  # a regularizer, its name, or None
Constraint = Any  # a constraint, its name, or None
Sizes = Any  # one integer of at least 1, or a sequence of them
Counts = Any  # one integer of at least 0, or a sequence of them
Size = int  # an integer of at least 1
Several = int  # an integer of at least 2
Count = int  # an integer of at least 0
Unsupported = Any  # an argument of Keras's that is refused unless it is off
Inherited = Any  # an argument of the base (`name`, `dtype`) that has a place among the class's own
Fraction = float  # a number in [0, 1)
Share = float  # a number in [0, 1]
Positive = NotNegative = NotPositive = float  # a number above 0, finite and at least 0, at most 0

# The namespaces whose `get` converts.
CONVERTERS = {
    "Function": "activations", "Activation": "activations", "Initializer": "initializers", "Regularizer": "regularizers", "Constraint": "constraints",
}  # fmt: skip
REQUIRED = inspect.Parameter.empty


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return _is_int(value) and value >= 1


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_int(value) and value >= 0


def _are(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether it is one of a kind, or a sequence of them."""
    return lambda value: check(value) or (isinstance(value, (tuple, list)) and len(value) > 0 and all(map(check, value)))


# What a value of each kind must be, in words and as a test; a kind that is not here is not checked.
_CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "int": ("an integer", _is_int),
    "Size": ("a positive integer", _is_size),
    "Sizes": ("a positive integer or a sequence of them", _are(_is_size)),
    "Counts": ("an integer of at least 0 or a sequence of them", _are(_is_count)),
    "float": ("a number", _is_real),
    "Count": ("an integer of at least 0", _is_count),
    "Several": ("an integer of at least 2", lambda value: _is_int(value) and value >= 2),
    "Fraction": ("a number from 0 to below 1", lambda value: _is_real(value) and 0 <= value < 1),
    "Share": ("a number from 0 to 1", lambda value: _is_real(value) and 0 <= value <= 1),
    "Positive": ("a number above 0", lambda value: _is_real(value) and value > 0),
    "NotNegative": ("a finite number of at least 0", lambda value: _is_real(value) and 0 <= value < math.inf),
    "NotPositive": ("a number of at most 0", lambda value: _is_real(value) and value <= 0),
    "bool": ("True or False", lambda value: isinstance(value, (bool, numbers.Integral)) or type(value).__name__ == "bool_"),
    "str": ("a string", lambda value: isinstance(value, str)),
    "Unsupported": ("left out: it is not supported yet", lambda value: not value),
}
# A value of each kind.
_EXAMPLES = {"bool": "True", "str": "'…'", "float": "0.0", "Fraction": "0.1", "Share": "0.5", "Positive": "1.0", "NotNegative": "0.0", "NotPositive": "0.0"}
_EXAMPLES |= dict.fromkeys(("int", "Size", "Several", "Counts", "Count"), "32") | {"Sizes": "3"}


class Field:
    """One declared argument: its name, its default, and how a value for it is checked and converted."""

    __slots__ = ("annotation", "convert", "default", "kinds", "name", "optional", "options")

    def __init__(self, name: str, annotation: str, default: Any):
        self.name, self.annotation, self.default = name, annotation, default
        kinds = [part.strip().split("[")[0].rsplit(".", 1)[-1] for part in annotation.split("|")]
        self.optional = "None" in kinds or default is None
        self.kinds = [kind for kind in kinds if kind != "None"]
        self.convert = CONVERTERS.get(self.kinds[0]) if len(self.kinds) == 1 else None
        self.options = ast.literal_eval(annotation[len("Literal") : annotation.index("]") + 1]) if kinds[0] == "Literal" else None

    def value(self, owner: str, value: Any) -> Any:
        """`value`, converted; raises if it cannot be used for this field."""
        if self.convert:
            return importlib.import_module(f"keraunos.{self.convert}").get(value)
        if value is None and self.optional:
            return None
        if self.options:
            return one_of(self.name, value, self.options, owner)
        if all(kind in _CHECKS and not _CHECKS[kind][1](value) for kind in self.kinds):
            error = ArgumentError if _is_real(value) else ArgumentTypeError
            wanted = " or ".join(_CHECKS[kind][0] for kind in self.kinds)
            fix = f"{owner}({self.name}={_EXAMPLES.get(self.kinds[0]) if self.default in (REQUIRED, None) else repr(self.default)})"
            raise error(f"{owner}: {self.name} must be {wanted}.", where=owner, received=clean(f"{self.name}={value!r}", 120), fix=f"such as {fix}")
        return int(value) if _is_int(value) and self.kinds[0] in ("int", "Size", "Sizes", "Several", "Count", "Counts") else value


@dataclass_transform()
class Declared:
    """The base of classes whose arguments are declared as annotated fields.

    A class with its own `__init__` works as in Keras: its arguments are captured for `get_config`.
    After the fields are set, `setup()` runs.

    `class Sum(Mean, order=("name", "dtype"), name="sum")` says which fields come first, and gives inherited ones other defaults;
    `kw_only=True` says to type checkers that the places of a base's fields are left to the classes below it.
    """

    fields: ClassVar[dict[str, Field]] = {}
    own_first: ClassVar[bool] = False  # whether a subclass's fields stand before the inherited ones
    unsaved: ClassVar[tuple[str, ...]] = ()  # fields that `get_config` leaves out
    base_arguments: ClassVar[tuple[str, ...]] = ()  # what `**kwargs` takes beside the fields
    name: Any

    def __init_subclass__(cls, order: Sequence[str] = (), kw_only: bool = False, **kwargs: Any) -> None:
        bases = (cls, *cls.__bases__) if "fields" not in cls.__dict__ else (cls,)
        inherited = {name: field for base in reversed(bases) for name, field in getattr(base, "fields", {}).items()}
        inherited = {**cls.fields, **{name: field for name, field in inherited.items() if name not in cls.fields}}
        defaults = {name: kwargs.pop(name) for name in inherited.keys() & kwargs.keys()}
        super().__init_subclass__(**kwargs)
        own = {
            name: Field(name, annotation, REQUIRED if isinstance(cls.__dict__.get(name), property) else cls.__dict__.get(name, REQUIRED))
            for name, annotation in ((name, _text(annotation)) for name, annotation in inspect.get_annotations(cls).items())
            if not annotation.startswith("ClassVar") and not annotation.endswith("Variable") and not name.startswith("_")  # variables are made in `build`
        }
        own |= {name: Field(name, inherited[name].annotation, default) for name, default in defaults.items()}
        for name in [name for name, field in own.items() if field.annotation == "Inherited"]:
            delattr(cls, name)  # what the base makes of it is found again
        if "__init__" in cls.__dict__ or not (own or order or getattr(cls.__init__, "declared", False)):  # written by hand, here or above
            return
        first = [*order, *(name for name in own if cls.own_first and name not in defaults)]
        merged = {**inherited, **own}
        merged = {name: merged[name] for name in (*first, *merged)}
        cls.fields = dict(sorted(merged.items(), key=lambda item: item[1].default is not REQUIRED))
        cls.__init__ = _make_init(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls)
        if not getattr(cls.__init__, "declared", False):
            object.__setattr__(self, "_arguments", (args, kwargs))
        return self

    def start(self, **kwargs: Any) -> None:
        """Take the arguments that stand behind `**kwargs`; runs before the fields are set."""
        _unknown(type(self), kwargs)

    def setup(self) -> None:
        """Check fields against each other, and derive what follows from them."""

    def captured(self) -> dict[str, Any]:
        """The arguments that a handwritten `__init__` was called with, by name."""
        args, kwargs = self.__dict__.get("_arguments", ((), {}))
        signature = inspect.signature(self.__init__)
        try:
            bound = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return dict(kwargs)
        kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
        found = {name: value for name, value in bound.items() if kinds[name] is not inspect.Parameter.VAR_POSITIONAL}
        for name in [name for name in found if kinds[name] is inspect.Parameter.VAR_KEYWORD]:
            found.update(found.pop(name))
        return found

    def field_config(self) -> dict[str, Any]:
        """The fields' values in a form that JSON can hold."""
        return {name: serialize_value(getattr(self, name)) for name in self.fields if name not in self.unsaved}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal object: `cls.from_config(config)`."""
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
        return cls(**{name: deserialize_value(value) for name, value in config.items()})


def _text(annotation: Any) -> str:
    """An annotation as it was written; it is an object where a module does not say `from __future__ import annotations`."""
    written = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return written.removeprefix("typing.")


def _unknown(cls: Any, kwargs: dict[str, Any]) -> None:
    """Refuse the first of the arguments that the class does not know."""
    options = [*cls.fields, *cls.base_arguments]
    if wrong := next((name for name in kwargs if name not in options), None):
        fact = f"{cls.__name__} has no argument '{wrong}'."
        raise ArgumentTypeError(fact, where=cls.__name__, fix=GONE.get(wrong) or suggestion(wrong, options), code="KR811")


def _make_init(cls: type[Declared]) -> Callable[..., None]:
    fields, names = cls.fields, list(cls.fields)
    inherited = {name for name, field in fields.items() if field.annotation == "Inherited"}

    @shortened
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        owner = type(self).__name__
        if len(args) > len(names):
            raise ArgumentTypeError(f"{owner} takes at most {len(names)} positional arguments, {len(args)} were given.", expected=", ".join(names))
        values = dict(zip(names, args, strict=False))
        for name in fields.keys() & kwargs.keys():
            if name in values:
                raise ArgumentTypeError(f"{owner} got the argument '{name}' twice.", fix=f"give {name} by place or by name, not both")
            values[name] = kwargs.pop(name)
        missing = [name for name, field in fields.items() if name not in values and field.default is REQUIRED]
        if missing:
            _unknown(type(self), kwargs)
            raise ArgumentTypeError(f"{owner} needs the argument '{missing[0]}'.", fix=f"{owner}({', '.join(f'{name}=…' for name in missing)})")
        self.start(**kwargs, **{name: values[name] for name in inherited & values.keys()})
        for name, field in fields.items():
            if name not in inherited:
                setattr(self, name, field.value(owner, values.get(name, field.default)))
        self.setup()

    Parameter = inspect.Parameter
    parameters = [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)]
    parameters += [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=field.default) for name, field in fields.items()]
    parameters += [Parameter("kwargs", Parameter.VAR_KEYWORD)] if cls.base_arguments else []
    made: Any = __init__
    made.__signature__, made.__qualname__, made.declared = inspect.Signature(parameters), f"{cls.__qualname__}.__init__", True
    return made
