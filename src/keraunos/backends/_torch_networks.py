"""PyTorch's functions for neural networks, attention and images."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import math
import threading

import torch
import torch.nn.functional as F

from keraunos.backends import _shared
from keraunos.core import config, windows
from keraunos.core.errors import no_such_class
from keraunos.core.spec import OPERATORS


class _Nested(threading.local):
    depth = 0


nested = _Nested()  # how many gradients are being taken, one within another; some fused kernels have no gradient of theirs


# ---- neural networks ----
relu6, elu, selu, celu, silu, mish = F.relu6, F.elu, F.selu, F.celu, F.silu, F.mish
softsign, log_sigmoid, hard_sigmoid, hard_silu, tanh_shrink = F.softsign, F.logsigmoid, F.hardsigmoid, F.hardswish, F.tanhshrink


def relu(x):
    return NotImplemented if x.dtype is torch.bool else torch.relu(x)


def leaky_relu(x, negative_slope=0.2):
    return F.leaky_relu(x, negative_slope)


def gelu(x, approximate=True):
    return F.gelu(x, approximate="tanh" if approximate else "none")


def softplus(x):
    return F.softplus(x, 1.0, 40.0)


def _along(function):
    return lambda x, axis=-1: function(x, axis) if isinstance(axis, int) and x.ndim else NotImplemented


softmax, log_softmax = _along(torch.softmax), _along(torch.log_softmax)


def top_k(x, k, sorted=True):
    values, indices = torch.topk(x.byte() if x.dtype is torch.bool else x, k, sorted=sorted)
    return values.to(x.dtype), indices.to(torch.int32)


# The engine wants channels first: a permuted view is that with the memory of channels last, which its kernels know.
_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _padded(x, plan, value=0.0):
    """The inputs, channels first, and the padding that is left to the engine."""
    x = x.permute(windows.FIRST[plan.rank]) if plan.last else x
    if plan.symmetric:
        return x, tuple(before for before, _ in plan.pads)
    return F.pad(x, [n for pair in reversed(plan.pads) for n in pair], value=value), (0,) * plan.rank


def _restored(x, plan):
    return x.permute(windows.LAST[plan.rank]) if plan.last else x


def conv(inputs, kernel, *options):
    return biased_conv(inputs, kernel, None, *options)


def biased_conv(inputs, kernel, bias, strides=1, padding="valid", data_format=None, dilation_rate=1):
    if inputs.dtype == torch.bool:
        return NotImplemented
    if inputs.is_cuda and not inputs.dtype.is_floating_point and not inputs.dtype.is_complex:  # of which cuDNN has no convolution
        tensors = (None if x is None else x.double() for x in (inputs, kernel, bias))
        return biased_conv(*tensors, strides, padding, data_format, dilation_rate).long().to(inputs.dtype)
    plan = windows.conv(inputs.shape, kernel.shape, strides, padding, data_format, dilation_rate)
    x, pads = _padded(inputs, plan)
    rank = plan.rank
    kernel = kernel.permute(rank + 1, rank, *range(rank))
    return _restored(_CONV[rank](x, kernel, bias, plan.strides, pads, plan.dilation, plan.groups), plan)


def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    if not inputs.dtype.is_floating_point and not inputs.dtype.is_complex:
        return conv_transpose(inputs.double(), kernel.double(), strides, padding, output_padding, data_format, dilation_rate).to(inputs.dtype)
    plan = windows.conv_transpose(inputs.shape, kernel.shape, strides, padding, output_padding, data_format, dilation_rate)
    rank = plan.rank
    x = inputs.permute(windows.FIRST[rank]) if plan.last else inputs
    kernel = kernel.permute(rank + 1, rank, *range(rank))
    added = [before - behind for before, behind in plan.pads]
    if all(before >= 0 and 0 <= a < s for a, s, (before, _) in zip(added, plan.strides, plan.pads, strict=True)):
        out = _CONV_TRANSPOSE[rank](x, kernel, None, plan.strides, [before for before, _ in plan.pads], added, 1, plan.dilation)
    else:
        out = _CONV_TRANSPOSE[rank](x, kernel, None, plan.strides, 0, 0, 1, plan.dilation)
        out = F.pad(out, [-n for pair in reversed(plan.pads) for n in pair])
    return _restored(out, plan)


def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    if not inputs.dtype.is_floating_point:
        return max_pool(inputs.double(), pool_size, strides, padding, data_format).to(inputs.dtype)
    plan = windows.pool(inputs.shape, pool_size, strides, padding, data_format)
    x, pads = _padded(inputs, plan, -math.inf)
    return _restored(_MAX_POOL[plan.rank](x, plan.size, plan.strides, pads), plan)


def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    plan = windows.pool(inputs.shape, pool_size, strides, padding, data_format)
    if plan.rank == 3 and inputs.dtype in (torch.float16, torch.bfloat16) and inputs.device.type == "cpu":  # which has no kernel for these
        return average_pool(inputs.float(), pool_size, strides, padding, data_format).to(inputs.dtype)
    x, pads = _padded(inputs, plan)
    x = x.contiguous() if x.is_cuda else x  # else the gradients of padded inputs go to their neighbours
    out = _restored(_AVERAGE_POOL[plan.rank](x, plan.size, plan.strides, pads, count_include_pad=False), plan)
    if plan.symmetric:
        return out
    share = math.prod(plan.size) / torch.from_numpy(plan.counts(inputs.shape[plan.spatial])).to(out)
    return out * (share if plan.last else share.movedim(-1, 1))


def _adaptive(kernels):
    def pool(inputs, output_size, data_format=None):
        _, parts = windows.adaptive(inputs.shape, output_size, data_format)
        rank, last = len(parts), windows.channels_last(data_format)
        if not inputs.dtype.is_floating_point or (inputs.itemsize == 2 and inputs.device.type == "cpu"):
            return NotImplemented
        out = kernels[rank](inputs.permute(windows.FIRST[rank]) if last else inputs, [count for _, count in parts])
        return out.permute(windows.LAST[rank]) if last else out

    return pool


adaptive_average_pool = _adaptive({1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d})
adaptive_max_pool = _adaptive({1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d})


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    return F.unfold(x, kernel_size, dilation, padding, stride) if x.dim() == 4 and x.dtype.is_floating_point else NotImplemented


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    return F.fold(x, output_size, kernel_size, dilation, padding, stride) if x.dim() == 3 and x.dtype.is_floating_point else NotImplemented


# ---- recurrent networks ----
def _in_one_piece(weights):
    """Weights and biases as parts of one buffer, in which cuDNN has them, whether there are biases or not."""
    weights = weights if len(weights) == 4 else [*weights, *weights[0].new_zeros(2, len(weights[0]))]
    flat = torch.cat([w.reshape(-1) for w in weights])
    return [part.view_as(w) for part, w in zip(flat.split([w.numel() for w in weights]), weights, strict=True)]


def _through(kernel, x, weights, states, sizes=None):
    """The outputs of a fused kernel, and its last states; `x` is the steps in a row where `sizes` says how many samples have each."""
    weights = _in_one_piece(weights) if x.is_cuda else weights
    first = [s.unsqueeze(0) for s in states]
    settings = len(weights) == 4, 1, 0.0, torch.is_grad_enabled(), False
    place = (x,) if sizes is None else (x, sizes)
    out, *last = kernel(*place, first[0] if len(first) == 1 else first, weights, *settings, *((True,) if sizes is None else ()))
    return out, [s.squeeze(0) for s in last]


def _packed(kernel, x, weights, states, lengths):
    """What `_through` gives of as many steps of each sample as `lengths` says, at least one; the outputs behind them are 0."""
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    order, back = packed.sorted_indices, packed.unsorted_indices
    out, last = _through(kernel, packed.data, weights, [s.index_select(0, order) for s in states], packed.batch_sizes)
    out = torch.nn.utils.rnn.PackedSequence(out, packed.batch_sizes, order, back)
    out, _ = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return out, [s.index_select(0, back) for s in last]


def _masked(kernel, x, weights, states, mask, zero, sequences):
    """What a fused kernel gives for sequences with masked steps, which are left out: the last output, all outputs if wanted, and the last states."""
    count, follows = mask.sum(1), (mask[:, 1:] > mask[:, :-1]).any()
    told = torch.cat([count, follows.view(1)]).cpu()  # of a device, once
    lengths, follows, live = told[:-1], bool(told[-1]), mask[:, :, None]
    if int(lengths.min()) == x.shape[1]:
        out, last = _through(kernel, x, weights, states)
        return last[0], out, last
    if follows:  # a sample's steps are moved to its front, and their outputs back to where they belong
        x = torch.take_along_dim(x, torch.argsort((~mask).byte(), dim=1, stable=True)[:, :, None], 1)
    if follows or len(states) > 1:
        out, last = _packed(kernel, x, weights, states, lengths.clamp(min=1))
    else:  # what comes behind does not change the outputs, of which the state is one
        out, _ = _through(kernel, torch.where(live, x, 0), weights, states)
        last = [torch.take_along_dim(out, (count.clamp(min=1) - 1)[:, None, None], 1).squeeze(1)]
    last = [torch.where(count[:, None] > 0, s, old) for s, old in zip(last, states, strict=True)]
    end = torch.where(mask[:, -1:], last[0], 0) if zero else last[0]
    if not sequences:
        return end, None, last
    before = last[0]
    if follows:
        place = mask.cumsum(1)[:, :, None]
        out, live, before = torch.take_along_dim(out, (place - 1).clamp(min=0), 1), live if zero else place > 0, states[0]
    return end, torch.where(live, out, 0 if zero else before[:, None]), last


def _along_steps(kernel, x, weights, states, mask, zero_output_for_mask=False, return_sequences=True, **_):
    """What a fused kernel gives for sequences `x`: the last output, the outputs, or it alone, and the last states. `weights` lie as it has them."""
    if mask is None:
        out, last = _through(kernel, x, weights, states)
        end = last[0]
    else:
        end, out, last = _masked(kernel, x, weights, states, mask.to(torch.bool), zero_output_for_mask, return_sequences)
    return end, (out if return_sequences else end.unsqueeze(1)), *last


def _is_fusible(x, noise, functions, fused, mask=None):
    """Whether the kernels can take it: they have the usual functions and no noise, and their gradients have no gradient."""
    if (mask is not None or x.shape[1].__class__ is not int) and torch.compiler.is_compiling():  # the number of steps is looked up on the host
        return False
    usual = all(f is OPERATORS[name] for f, name in zip(functions, ("tanh", "sigmoid"), strict=False))
    kind = x.dtype in (torch.float32, torch.float64) or (x.is_cuda and x.dtype.is_floating_point)
    return fused is not False and noise is None and usual and kind and x.numel() > 0 and nested.depth <= 1


def simple_rnn(x, kernel, recurrent_kernel, bias, h, noise=None, mask=None, activation=None, fused="auto", **options):
    if not _is_fusible(x, noise, [activation], fused, mask):
        return NotImplemented
    weights = [kernel.t(), recurrent_kernel.t(), *([] if bias is None else [bias, torch.zeros_like(bias)])]
    return _along_steps(torch._VF.rnn_tanh, x, weights, [h], mask, **options)


def lstm(x, kernel, recurrent_kernel, bias, h, c, noise=None, mask=None, activation=None, gate=None, fused="auto", **options):
    if not _is_fusible(x, noise, [activation, gate], fused, mask):
        return NotImplemented
    weights = [kernel.t(), recurrent_kernel.t(), *([] if bias is None else [bias, torch.zeros_like(bias)])]
    return _along_steps(torch._VF.lstm, x, weights, [h, c], mask, **options)


def gru(x, kernel, recurrent_kernel, bias, h, noise=None, mask=None, activation=None, gate=None, reset_after=True, fused="auto", **options):
    if not reset_after or not _is_fusible(x, noise, [activation, gate], fused, mask):
        return NotImplemented

    def reordered(w):  # the kernel has the reset gate first
        update, reset, new = w.chunk(3)
        return torch.cat([reset, update, new])

    weights = [*(reordered(w.t()) for w in (kernel, recurrent_kernel)), *([] if bias is None else map(reordered, bias))]
    return _along_steps(torch._VF.gru, x, weights, [h], mask, **options)


# ---- attention ----
def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None, attn_logits_soft_cap=None):
    fits = query.dim() == key.dim() == value.dim() == 4 and key.shape[:3] == value.shape[:3] and key.shape[2] and not query.shape[2] % key.shape[2]
    # A gradient of a gradient goes through the body: the fused kernels have none.
    if flash_attention is False or attn_logits_soft_cap is not None or not fits or nested.depth > 1:
        return NotImplemented
    live = None
    if mask is not None:
        mask = mask.to(torch.bool)
        if is_causal:
            mask = mask & torch.ones(query.shape[1], key.shape[1], dtype=torch.bool, device=query.device).tril()
            is_causal = False
        live = mask.any(-1, keepdim=True)
        mask = mask | ~live
        bias = mask if bias is None else torch.where(mask, bias, -math.inf)
    elif bias is not None and is_causal:
        return NotImplemented
    bias = bias.to(query.dtype) if bias is not None and bias.is_floating_point() else bias
    q, k, v = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    groups = q.shape[1] // k.shape[1]
    if flash_attention:
        from torch.backends.cuda import SDPAParams, can_use_flash_attention

        if not (query.is_cuda and can_use_flash_attention(SDPAParams(q, k, v, bias, 0.0, is_causal, groups > 1))):
            return NotImplemented
    out = F.scaled_dot_product_attention(q, k, v, bias, 0.0, is_causal, scale=scale, enable_gqa=groups > 1)
    if live is not None:  # a query that sees no key gets the mean, which the kernels do not agree on
        out = torch.where(live, out, v.mean(2, keepdim=True).repeat_interleave(groups, 1))
    return out.transpose(1, 2)


def ctc_loss(target, output, target_length, output_length, mask_index=0):
    shapes = (target.shape[:1], target_length.shape, output_length.shape)
    fits = output.dim() == 3 and target.dim() == 2 and all(shape == output.shape[:1] for shape in shapes) and 0 <= mask_index < output.shape[2]
    if not fits or output.is_complex() or nested.depth > 1:  # its gradient has no gradient
        return NotImplemented
    target, count, steps = (x.to(torch.int64) for x in (target, target_length, output_length))
    target, steps = target.clamp(0, output.shape[2] - 1), steps.clamp(0, output.shape[1])
    chances = torch.log_softmax(output if output.dtype == torch.float64 else output.float(), 2).clamp(min=-1e30)
    loss = F.ctc_loss(chances.transpose(0, 1), target, steps, count, mask_index, "none", zero_infinity=True)
    # Its gradient of what is impossible is NaN, or with `zero_infinity` the loss is 0: so that is seen from the lengths.
    again = (target[:, 1:] == target[:, :-1]) & (torch.arange(1, target.shape[1], device=target.device) < count[:, None])
    return torch.where((steps >= count + again.sum(1)) & (loss < 1e29), loss, math.inf)


def _rows(output, axis):
    """Outputs of a crossentropy with the classes along axis 1, and the shape of the result."""
    axis %= output.ndim
    shape = (*output.shape[:axis], *output.shape[axis + 1 :])
    if axis == output.ndim - 1:
        return output.reshape(-1, output.shape[-1]), shape
    return output.movedim(axis, 1), shape


def _sparse_of_probabilities(target, output, axis):
    """The same of probabilities; by `gather`, which takes no class that there is not, as an index beyond the end or before the start is."""
    axis %= output.ndim
    target = target if target.ndim == output.ndim else target.unsqueeze(axis)
    if target.shape != (*output.shape[:axis], 1, *output.shape[axis + 1 :]) or not output.is_floating_point():
        return NotImplemented
    total = output.sum(axis, keepdim=True)
    try:
        chosen = output.gather(axis, target.long()) / total.where(total != 0, 1)
    except RuntimeError as error:
        if "out of bounds" not in str(error):
            raise
        raise no_such_class(output.shape[axis]) from None
    return -chosen.clamp(config.epsilon(), 1.0 - config.epsilon()).log().squeeze(axis)


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    if not from_logits:
        return _sparse_of_probabilities(target, output, axis)
    try:
        if output.ndim == 2 and target.ndim == 1 and axis in (-1, 1) and len(target) == len(output):
            return F.cross_entropy(output, target.long(), reduction="none")
        rows, shape = _rows(output, axis)
        if target.shape not in (shape, (*output.shape[: axis % output.ndim], 1, *output.shape[axis % output.ndim + 1 :])):
            return NotImplemented
        return F.cross_entropy(rows, target.reshape(-1 if rows.ndim == 2 else shape).long(), reduction="none").reshape(shape)
    except IndexError:
        raise no_such_class(output.shape[axis]) from None


def binary_crossentropy(target, output, from_logits=False):
    if not from_logits or target.shape != output.shape:
        return NotImplemented
    return F.binary_cross_entropy_with_logits(output, target.to(output.dtype), reduction="none")


def _channels(x, axis):
    """`x` with `axis` at place 1 without a copy where possible, and how to undo it; None where it takes more."""
    if axis % x.ndim == x.ndim - 1:
        if x.is_contiguous():
            return x.reshape(-1, x.shape[-1]), lambda y: y.reshape(x.shape)
        return x.movedim(-1, 1), lambda y: y.movedim(1, -1)
    return (x if axis % x.ndim == 1 else None), lambda y: y


def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    rows, restore = _channels(x, axis)
    if rows is None or not rows.shape[1] or any(p is not None and p.shape != (rows.shape[1],) for p in (mean, variance, offset, scale)):
        return NotImplemented
    if torch.is_grad_enabled() and (mean.requires_grad or variance.requires_grad):
        return NotImplemented  # the engine's gradient stops at given statistics
    return restore(F.batch_norm(rows, mean, variance, scale, offset, False, 0.0, epsilon))


def standardize_batch(x, axis, offset=None, scale=None, epsilon=1e-3):
    rows, restore = _channels(x, axis)
    if rows is None or rows.numel() <= rows.shape[1] or any(p is not None and p.shape != (rows.shape[1],) for p in (offset, scale)):
        return NotImplemented
    if x.is_cuda and (scale is None) != (offset is None):  # which has no gradient there
        scale, offset = torch.ones_like(offset) if scale is None else scale, torch.zeros_like(scale) if offset is None else offset
    out, mean, inverse = torch.native_batch_norm(rows, scale, offset, None, None, True, 0.0, epsilon)
    mean, inverse = mean.detach(), inverse.detach()
    return restore(out), mean.to(x.dtype), (inverse.pow(-2) - epsilon).clamp_min_(0).to(x.dtype)


def moved_average(average, now, momentum):
    return torch.lerp(average, now, 1.0 - momentum) if average.dtype.is_floating_point else NotImplemented


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    axes = None if kwargs else _shared.last_axes(x, axis, gamma, beta)
    return NotImplemented if axes is None else F.layer_norm(x, x.shape[axes[0] :], gamma, beta, config.epsilon() if epsilon is None else epsilon)


def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    axes = _shared.last_axes(x, axis, scale)
    return NotImplemented if axes is None else F.rms_norm(x, x.shape[axes[0] :], scale, config.epsilon() if epsilon is None else epsilon)


# ---- images ----
def rescaled(images, size, method, antialias, last):
    height, width = images.shape[-3:-1] if last else images.shape[-2:]
    widened = antialias or (height <= size[0] and width <= size[1])  # the engine's other cubic is not Keys'
    if images.dtype not in (torch.float32, torch.float64) or method not in ("bilinear", "bicubic") or (method == "bicubic" and not widened):
        return NotImplemented
    x = images.reshape(-1, *images.shape[-3:])
    out = F.interpolate(x.permute(windows.FIRST[2]) if last else x, size, mode=method, align_corners=False, antialias=antialias or method == "bicubic")
    out = out.permute(windows.LAST[2]) if last else out
    return out.reshape(*images.shape[:-3], *out.shape[1:])


def slid(images, weights, axis, same):
    count = len(weights)
    if images.dtype not in (torch.float32, torch.float64) or images.ndim < 3 or (same and not count % 2):
        return NotImplemented
    x = images.reshape(-1, *images.shape[-3:])
    x = x if axis == -1 else x.permute(windows.FIRST[2])  # two of the axes for the kernel, and any third for the channels
    kernel = weights.to(x.dtype).reshape((1, 1, count, 1) if axis == -3 else (1, 1, 1, count)).expand(x.shape[1], -1, -1, -1)
    out = F.conv2d(x, kernel, padding=tuple(n // 2 * same for n in kernel.shape[2:]), groups=x.shape[1])
    out = out if axis == -1 else out.permute(windows.LAST[2])
    return out.reshape(*images.shape[:-3], *out.shape[1:])
