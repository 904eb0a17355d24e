"""Connectionist temporal classification: labels for a sequence whose alignment is not known ([Graves et al., 2006](https://doi.org/10.1145/1143844.1143891)).

Each step of a sequence is a label or blank; equal labels without a blank between them are one.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

from keraunos.core import dtypes
from keraunos.core.errors import ArgumentError, DTypeError, ShapeError, one_of
from keraunos.core.op import Operand, Tensor
from keraunos.core.spec import show
from keraunos.ops import rules
from keraunos.ops.activations import log_softmax
from keraunos.ops.control import scan
from keraunos.ops.creation import arange, full_like
from keraunos.ops.reductions import any, argmax, argsort, max, sum, top_k
from keraunos.ops.rules import Composed, declare
from keraunos.ops.shaping import concatenate, dtype, expand_dims, get_item, pad, reshape, shape, squeeze, stack, swapaxes, take_along_axis, transpose

from keraunos.ops.elementwise import (  # isort: skip
    add, cast, equal, floor_divide, greater, greater_equal, less, logaddexp, logical_and, maximum, minimum, mod, multiply, negative, not_equal, subtract,
    where,
)  # fmt: skip

# The logarithm of 0: finite, so that no gradient is NaN, and so low that what is added to it is lost.
_NEVER = -1e30
_ALL = slice(None)


def _checked(mask_index: Any, scores: Any, **others: tuple[Any, int]) -> None:
    """Raise unless the shapes fit `scores` of (batch, steps, classes), and there is such a class."""
    sizes = {name: shape(x) for name, (x, _) in others.items()}
    received = ", ".join(f"{name} {show(own)}" for name, own in (("scores", shape(scores)), *sizes.items()))
    if len(shape(scores)) != 3 or builtins.any(len(sizes[name]) != ndim for name, (_, ndim) in others.items()):
        wanted = ", ".join(f"{name} (batch{', labels' * (ndim - 1)})" for name, (_, ndim) in others.items())
        raise ShapeError("The numbers of axes do not fit.", received=received, expected=f"scores (batch, steps, classes), {wanted}")
    if not builtins.all(rules.equal(own[:1], shape(scores)[:1]) for own in sizes.values()):
        raise ShapeError("The batches are unequal.", received=received, fix="each array has one entry for each sample")
    classes = shape(scores)[2]
    if mask_index is not None and (not isinstance(mask_index, int) or mask_index < 0 or (isinstance(classes, int) and mask_index >= classes)):
        raise ArgumentError(f"There is no class {mask_index!r}.", where="mask_index", expected=f"0 to {classes - 1}" if isinstance(classes, int) else "a class")


def _wide(scores: Any) -> Any:
    """The scores in at least float32."""
    name = dtypes.result_type(dtype(scores), "float32")
    if name in dtypes.COMPLEX:
        raise DTypeError("Logits are real numbers.", received=dtype(scores), fix="take ops.real or ops.absolute of them")
    return cast(scores, name)


def _log_probabilities(scores: Any) -> Any:
    return maximum(log_softmax(_wide(scores)), _NEVER)


def ctc_loss(target: Operand, output: Tensor, target_length: Operand, output_length: Operand, mask_index: int = 0) -> Composed:
    """`-log(p)` of each sequence of labels, over all alignments with the steps of the output.

    Args:
        target: The labels, integers of shape `(batch, labels)`.
        output: Logits, `(batch, steps, classes)`.
        target_length: How many labels count in each sample, `(batch,)`.
        output_length: How many steps count in each sample, `(batch,)`.
        mask_index: The class that is blank.

    Returns:
        The losses, `(batch,)`, in at least float32; infinite, with gradient 0, where there are too few steps for the labels.

    Example:

    >>> from keraunos import ops
    >>> loss = ops.ctc_loss([[1, 2]], ops.zeros((1, 2, 3)), [2], [2])
    >>> round(float(loss[0]), 4)  # one alignment of nine
    2.1972
    """
    _checked(mask_index, output, target=(target, 2), target_length=(target_length, 1), output_length=(output_length, 1))
    target, count, steps = cast(target, "int32"), *(expand_dims(cast(x, "int32"), 1) for x in (target_length, output_length))
    (batch, length), classes = shape(target), shape(output)[2]
    # The states of the alignment: blank, first label, blank, second label, …, blank.
    target = minimum(maximum(target, 0), classes - 1)
    labels = reshape(stack([full_like(target, mask_index), target], 2), (batch, 2 * length))
    labels = concatenate([labels, full_like(count, mask_index)], 1)
    chances = _log_probabilities(output)
    emissions = transpose(take_along_axis(chances, expand_dims(labels, 1), 2), (1, 0, 2))
    differs = not_equal(labels, get_item(pad(labels, ((0, 0), (2, 0)), constant_values=-1), (_ALL, slice(None, -2))))

    def step(state: Any, row: Any) -> Any:
        emission, place = row
        earlier = pad(state, ((0, 0), (2, 0)), constant_values=_NEVER)
        skipped = where(differs, get_item(earlier, (_ALL, slice(None, -2))), _NEVER)  # from label to label, where they differ
        new = logaddexp(logaddexp(state, get_item(earlier, (_ALL, slice(1, -1)))), skipped)
        return where(less(place, steps), add(new, emission), state), None

    kind = dtype(chances)
    start = concatenate([full_like(count, 0, kind), full_like(get_item(labels, (_ALL, slice(1, None))), _NEVER, kind)], 1)
    state, _ = scan(step, start, (emissions, arange(shape(output)[1], dtype="int32")))
    last = multiply(count, 2)
    blank, label = (take_along_axis(state, place, 1) for place in (last, maximum(subtract(last, 1), 0)))
    total = squeeze(logaddexp(blank, where(greater(count, 0), label, _NEVER)), 1)
    return where(less(total, _NEVER / 2), math.inf, negative(total))


def ctc_decode(
    inputs: Tensor, sequence_lengths: Operand, strategy: str = "greedy", beam_width: int = 100, top_paths: int = 1, merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[Composed, Composed]:  # fmt: skip
    """The sequences of labels that logits stand for.

    Args:
        inputs: Logits, `(batch, steps, classes)`.
        sequence_lengths: How many steps count in each sample, `(batch,)`.
        strategy: "greedy" takes the best class of each step; "beam_search" the labels that are likeliest over all alignments, of
            `beam_width` that are kept at each step.
        beam_width: How many sequences a beam search keeps.
        top_paths: How many of the best it returns.
        merge_repeated: Whether "greedy" takes equal labels that follow each other for one; a beam search always does.
        mask_index: The class that is blank.

    Returns:
        The labels, `(paths, batch, steps)` with -1 behind the last, and their scores, `(batch, paths)`: the logarithm of the
        probability; for "greedy", which has one path, the negative sum of the logits taken.

    Example:

    >>> from keraunos import ops
    >>> logits = ops.one_hot([[1, 1, 0, 1, 2]], 3) * 9
    >>> ops.convert_to_numpy(ops.ctc_decode(logits, [5])[0]).tolist()
    [[[1, 1, 2, -1, -1]]]
    """
    greedy = one_of("strategy", strategy, ("greedy", "beam_search")) == "greedy"
    _checked(None if greedy else mask_index, inputs, sequence_lengths=(sequence_lengths, 1))
    steps = expand_dims(cast(sequence_lengths, "int32"), 1)
    if greedy:
        return _greedy(inputs, steps, merge_repeated, mask_index)
    if not 1 <= top_paths <= beam_width:
        raise ArgumentError("top_paths must lie between 1 and beam_width.", received=f"top_paths={top_paths}, beam_width={beam_width}", fix="raise beam_width")
    return _beam_search(inputs, steps, beam_width, top_paths, mask_index)


def _greedy(inputs: Any, steps: Any, merge_repeated: bool, mask_index: int) -> tuple[Any, Any]:
    inputs, length = _wide(inputs), shape(inputs)[1]
    best, places = argmax(inputs, 2), arange(length, dtype="int32")
    inside = less(places, steps)
    kept = logical_and(inside, not_equal(best, mask_index))
    if merge_repeated:
        kept = logical_and(kept, not_equal(best, get_item(pad(best, ((0, 0), (1, 0)), constant_values=-1), (_ALL, slice(None, -1)))))
    order = argsort(where(kept, places, add(places, length)), 1)  # what is kept, then the rest
    paths = where(less(places, sum(cast(kept, "int32"), 1, True)), take_along_axis(best, order, 1), -1)
    return expand_dims(paths, 0), negative(sum(where(inside, max(inputs, 2), 0), 1, True))


def _beam_search(inputs: Any, steps: Any, width: int, top_paths: int, mask_index: int) -> tuple[Any, Any]:
    """The search of a whole batch at once. A beam's labels are a row padded with -1.

    What is known of each pair of beams is how many labels they have in common from the start: so it is seen without comparing them
    all which beam is another one extended by a label, to which that one's extension is added instead of being a beam of its own.
    """
    chances = _log_probabilities(inputs)
    _, length, classes = shape(inputs)
    places, labels, beams = (arange(n, dtype="int32") for n in (length, classes, width))
    extensions = 2 * width if not isinstance(classes, int) else min(2 * width, width * classes)

    def step(state: Any, row: Any) -> Any:
        paths, sizes, common, blank, label = state  # the last two: the logarithms of the probability, by what the alignment ended with
        chance, place = row
        total = logaddexp(blank, label)
        last = squeeze(take_along_axis(paths, expand_dims(maximum(subtract(sizes, 1), 0), 2), 2), 2)

        # Each beam extended by each label; by its last one only after a blank.
        again = equal(expand_dims(last, 2), labels)
        longer = add(where(again, expand_dims(blank, 2), expand_dims(total, 2)), expand_dims(chance, 1))
        longer = reshape(where(equal(labels, mask_index), _NEVER, longer), (-1, width * classes))
        chosen, at = top_k(longer, extensions)

        # Those that are a beam already.
        alive = greater(total, _NEVER / 2)
        child = logical_and(equal(expand_dims(sizes, 2), expand_dims(add(sizes, 1), 1)), equal(common, expand_dims(sizes, 1)))
        child = cast(logical_and(child, logical_and(expand_dims(alive, 2), expand_dims(alive, 1))), "int32")
        known = where(cast(max(child, 2), "bool"), add(multiply(argmax(child, 2), classes), last), -1)
        gained = where(greater_equal(known, 0), take_along_axis(longer, maximum(known, 0), 1), _NEVER)
        chosen = where(any(equal(expand_dims(at, 2), expand_dims(known, 1)), 2), _NEVER, chosen)

        # The best of those that stay as they are and those that are extended.
        stays = add(total, expand_dims(get_item(chance, (_ALL, mask_index)), 1))
        stays_label = logaddexp(add(label, take_along_axis(chance, maximum(last, 0), 1)), gained)
        ended = concatenate([stays, full_like(chosen, _NEVER)], 1), concatenate([stays_label, chosen], 1)
        _, best = top_k(logaddexp(*ended), width)
        source = take_along_axis(concatenate([add(full_like(sizes, 0), beams), floor_divide(at, classes)], 1), best, 1)
        added = take_along_axis(concatenate([full_like(sizes, -1), mod(at, classes)], 1), best, 1)

        old, grown = take_along_axis(sizes, source, 1), greater_equal(added, 0)
        here = logical_and(expand_dims(grown, 2), equal(places, expand_dims(old, 2)))
        moved = where(here, expand_dims(added, 2), take_along_axis(paths, expand_dims(source, 2), 1))
        shared = take_along_axis(take_along_axis(common, expand_dims(source, 2), 1), expand_dims(source, 1), 2)
        following = take_along_axis(moved, minimum(shared, subtract(length, 1)), 2)
        agree = logical_and(equal(following, swapaxes(following, 1, 2)), greater_equal(following, 0))
        new = moved, add(old, cast(grown, "int32")), add(shared, cast(agree, "int32")), *(take_along_axis(x, best, 1) for x in ended)
        goes_on = less(place, steps)
        return tuple(where(goes_on if len(x.shape) == 2 else expand_dims(goes_on, 2), x, y) for x, y in zip(new, state, strict=True)), None

    sizes = add(multiply(steps, 0), multiply(beams, 0))
    paths = add(expand_dims(subtract(sizes, 1), 2), multiply(places, 0))
    blank = add(cast(sizes, dtype(chances)), where(equal(beams, 0), 0.0, _NEVER))
    start = paths, sizes, multiply(expand_dims(sizes, 2), expand_dims(sizes, 1)), blank, full_like(blank, _NEVER)
    (paths, _, _, *ended), _ = scan(step, start, (transpose(chances, (1, 0, 2)), places))
    first = (_ALL, slice(None, top_paths))
    scores = get_item(logaddexp(*ended), first)
    found = greater(scores, _NEVER / 2)
    paths = where(expand_dims(found, 2), get_item(paths, first), -1)
    return transpose(paths, (1, 0, 2)), where(found, scores, -math.inf)


declare(globals())

__all__ = ["ctc_decode", "ctc_loss"]
