"""A dense layer that multiplies along any axes."""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.fields import Constraint, Function, Initializer, Positive, Regularizer, Size, Unsupported
from keraunos.core.spec import Spec, same_dim
from keraunos.layers.adapting import Adaptable
from keraunos.layers.input_layer import InputSpec

_FORMS = [form.replace(".", r"\.").format(*["([a-zA-Z]+)"] * 3) for form in ("{},{}->{}", "...{},{}->...{}", "{}...,{}->{}...")]


def _summed(equation: str) -> int:
    """How many axes are summed over, where these are the input's last and the kernel's first, and the kernel's others take their place; else 0."""
    source, kernel, target = re.split(",|->", equation)
    count = len([c for c in kernel if c not in target])
    before, last = source[: len(source) - count], source[len(source) - count :]
    return count if (kernel[:count], before + kernel[count:]) == (last, target) else 0


class EinsumDense(Adaptable):
    """`activation(einsum(equation, x, kernel) + bias)`.

    Args:
        equation: The axes of the input, of the kernel and of the output, such as "abc,cd->abd". "..." stands for all further axes of the
            input, which the output has too.
        output_shape: The sizes of the output without the batch's, or those of the axes that follow "..."; None where the size is the input's.
        activation: A function of the result.
        bias_axes: The letters of the output's axes along which the bias differs, such as "d"; None for no bias.
        kernel_initializer: How the kernel begins.
        bias_initializer: How the bias begins.
        kernel_regularizer: A penalty on the kernel.
        bias_regularizer: A penalty on the bias.
        kernel_constraint: A projection of the kernel after each update.
        bias_constraint: A projection of the bias after each update.
        lora_rank: The rank of the product that is trained in place of the kernel, as `enable_lora` says.
        lora_alpha: What the product is multiplied by, times the rank.
        gptq_unpacked_column_size: Not supported yet.
        quantization_config: Not supported yet.

    Shapes:
        input as the first term of the equation says, output as the last one says.

    Raises:
        ArgumentError: The equation cannot be read, or a letter in it has no size.
        ShapeError: The input does not fit the equation, or its sizes differ from those in `output_shape`.

    Example:

    >>> import keraunos as keras
    >>> heads = keras.layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes="de")
    >>> heads(keras.ops.ones((1, 5, 8))).shape == (1, 5, 2, 4)
    True
    """

    unsaved: ClassVar[tuple[str, ...]] = ("gptq_unpacked_column_size",)
    equation: str
    output_shape: Any
    activation: Function = None
    bias_axes: str | None = None
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    lora_rank: Size | None = None
    lora_alpha: Positive | None = None
    gptq_unpacked_column_size: Unsupported = None
    quantization_config: Unsupported = None

    def setup(self) -> None:
        found = next(filter(None, (re.fullmatch(form, self.equation) for form in _FORMS)), None)
        if found is None:
            raise self._refusal("The equation cannot be read.", expected="'abc,cd->abd', '...c,cd->...d' or 'ab...,bc->ac...'")
        given = self.output_shape if isinstance(self.output_shape, (list, tuple)) else (self.output_shape,)
        if not isinstance(self.output_shape, (list, tuple, int)) or not all(d is None or (isinstance(d, int) and d > 0) for d in given):
            raise self._refusal("output_shape must be positive integers, or None for sizes of the input.")
        self.output_shape = tuple(given)
        self._terms = source, kernel, target = found.groups()
        self._summed = _summed(self.equation)
        for letters, place, others in ((kernel, "kernel", source + target), (target, "output", source + kernel), (self.bias_axes or "", "bias", target)):
            if missing := next((c for c in letters if c not in others), None):
                raise self._refusal(f"The axis '{missing}' of the {place} has no size: it is in no other term.")
        if self.bias_axes == "":
            raise self._refusal("bias_axes names no axis.", fix=f"bias_axes='{target[-1]}', or None for no bias")

    def _refusal(self, fact: str, **texts: Any) -> ArgumentError:
        received = f"equation='{self.equation}', output_shape={self.output_shape}, bias_axes={self.bias_axes!r}"
        return ArgumentError(fact, where=self.name, received=received, **texts)

    def build(self, input_shape: Any) -> None:
        source, kernel, target = self._terms
        dots = "." * (len(input_shape) - len(source))  # one for each axis without a letter
        axes, outputs = (letters + dots if self.equation.endswith("...") else dots + letters for letters in (source, target))
        (InputSpec(min_ndim=len(source)) if "..." in self.equation else InputSpec(ndim=len(source))).check(Spec(input_shape), self)
        sizes = self._sizes(dict(zip(axes, input_shape, strict=True)), target if self.equation.startswith("...") else outputs[1:])
        self.kernel = self.weight("kernel", tuple(sizes[c] for c in kernel))
        own = self.bias_axes or ""
        reached = outputs[min(map(outputs.index, own)) :] if own else ""
        self.bias = self.weight("bias", tuple(sizes[c] if c in own else 1 for c in reached)) if own else None
        self.input_spec = InputSpec(ndim=len(axes), axes={i: sizes[c] for i, c in enumerate(axes) if c in kernel})

    def _sizes(self, sizes: dict[str, Any], outputs: str) -> dict[str, Any]:
        """The sizes by letter: those of the input, and where it lacks or does not know them those of the output."""
        if not len(outputs.rstrip(".")) <= len(self.output_shape) <= len(outputs):
            fix = "leave out the batch, or what '...' stands for; None takes the input's size"
            raise self._refusal(f"output_shape must have {len(outputs)} sizes, for '{outputs}'.", fix=fix)
        for letter, size in zip(outputs, self.output_shape, strict=False):
            found = sizes.get(letter)
            if letter != "." and not same_dim(found, size):
                fix = "None in output_shape takes the input's size"
                raise ShapeError(f"The axis '{letter}' of '{self.equation}' has {found} elements, {size} in output_shape.", where=self.name, fix=fix)
            if found is None and size is None and letter not in self._terms[0]:
                raise self._refusal(f"The axis '{letter}' of the output has no size.", fix="give it in output_shape")
            sizes[letter] = size if found is None else found
        return sizes

    def call(self, inputs: Any, training: Any = None) -> Any:
        if len(inputs.shape) != self.input_spec.ndim:
            self.input_spec.check(inputs, self)
        x = self._product(inputs) if self._summed else ops.einsum(self.equation, inputs, self.kernel)
        x = x if self.bias is None or self._is_affine() else ops.add(x, self.bias)
        return x if self.activation is None else self.activation(x)

    def _is_affine(self) -> bool:
        """Whether the bias is one of the product of matrices."""
        return bool(self._summed) and self.bias_axes == self._terms[1][self._summed :]

    def _product(self, inputs: Any) -> Any:
        """The einsum, and the bias where it is one of all new axes, as one product of matrices."""
        sizes, before = self.kernel.shape, ops.shape(inputs)[: len(inputs.shape) - self._summed]
        rows, new = math.prod(sizes[: self._summed]), sizes[self._summed :]
        x = inputs if self._summed == 1 else ops.reshape(inputs, (*before, rows))
        kernel = self.kernel if len(sizes) == 2 else ops.reshape(self.kernel, (rows, -1))
        x = ops.affine(x, kernel, ops.reshape(self.bias, (-1,))) if self._is_affine() else ops.matmul(x, kernel)
        return x if len(new) == 1 else ops.reshape(x, (*before, *new))
