"""Fingerprints of bytes, many at a time: FarmHash's `Fingerprint64`, and SipHash-2-4, which takes a key.

Strings of one length make a matrix, and each step of a hash is one operation on its columns. FarmHash is by Geoff Pike and others
(2014); SipHash by Aumasson and Bernstein (2012, https://www.aumasson.jp/siphash/siphash.pdf).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Words = np.ndarray  # of uint64
_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_JOIN = np.uint64(0xC6A4A7935BD1E995)
_START = 0xDECAFCAFFE  # what crossings begin with
_SIP = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def fingerprints(texts: Sequence[bytes], key: tuple[int, int] | None = None) -> Words:
    """A 64-bit fingerprint of each: FarmHash's, or with a key SipHash's.

    Example:

    >>> fingerprints([b"A", b"B"]) % np.uint64(3)
    array([1, 0], dtype=uint64)
    """
    lengths = np.fromiter(map(len, texts), "int64", len(texts))
    found = np.empty(len(texts), "uint64")
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        joined = b"".join([texts[i] for i in places.tolist()])
        rows = np.frombuffer(joined, "uint8").reshape(len(places), length)
        found[places] = _farm(rows) if key is None else _sip(rows, key)
    return found


def crossed(columns: Sequence[Words]) -> Words:
    """One fingerprint of each row of several columns, each of fingerprints or of integers."""
    found = np.full(len(columns[0]), _START, "uint64")
    for column in columns:
        mixed = found ^ _JOIN ^ (_fold(column * _JOIN) * _JOIN)
        found = _fold(_fold(mixed * _JOIN) * _JOIN)
    return found


# ---- FarmHash ----
def _word(rows: np.ndarray, start: int, size: int = 8) -> Words:
    """The bytes from a place on, negative ones from the end, as one number each."""
    start += rows.shape[1] if start < 0 else 0
    return np.ascontiguousarray(rows[:, start : start + size]).view(f"<u{size}")[:, 0].astype("uint64")


def _turn(x: Words, bits: int) -> Words:
    """Rotated to the right."""
    return (x >> np.uint64(bits)) | (x << np.uint64(64 - bits))


def _fold(x: Words) -> Words:
    return x ^ (x >> np.uint64(47))


def _constant(value: int) -> Any:
    return np.uint64(value & _MASK)


def _mix(a: Words, b: Words, factor: Any) -> Words:
    """Two numbers as one."""
    first = _fold((a ^ b) * factor)
    return _fold((b ^ first) * factor) * factor


def _farm(rows: np.ndarray) -> Words:
    size = rows.shape[1]
    return next(function for limit, function in _BY_SIZE if size <= limit)(rows, _constant(_K2 + 2 * size))


def _tiny(rows: np.ndarray, factor: Any) -> Words:
    """Of up to 16 bytes."""
    count, size = rows.shape
    if size >= 8:
        a, b = _word(rows, 0) + _constant(_K2), _word(rows, -8)
        return _mix(_turn(b, 37) * factor + a, (_turn(a, 25) + b) * factor, factor)
    if size >= 4:
        return _mix((_word(rows, 0, 4) << np.uint64(3)) + _constant(size), _word(rows, -4, 4), factor)
    if size == 0:
        return np.full(count, _K2, "uint64")
    first, middle, last = (rows[:, i].astype("uint64") for i in (0, size >> 1, size - 1))
    low, high = first + (middle << np.uint64(8)), (last << np.uint64(2)) + _constant(size)
    return _fold(low * _constant(_K2) ^ high * _constant(_K0)) * _constant(_K2)


def _ends(rows: np.ndarray, factor: Any, first: int) -> tuple[Words, Words, Words]:
    """What is made of the first and the last 16 bytes: a number, another, and the first word in it."""
    a, b = _word(rows, 0) * _constant(first), _word(rows, 8)
    c, d = _word(rows, -8) * factor, _word(rows, -16) * _constant(_K2)
    return _turn(a + b, 43) + _turn(c, 30) + d, a + _turn(b + _constant(_K2), 18) + c, a


def _short(rows: np.ndarray, factor: Any) -> Words:
    """Of 17 to 32 bytes."""
    one, other, _ = _ends(rows, factor, _K1)
    return _mix(one, other, factor)


def _middle(rows: np.ndarray, factor: Any) -> Words:
    """Of 33 to 64 bytes."""
    y, other, a = _ends(rows, factor, _K2)
    z = _mix(y, other, factor)
    e, f = _word(rows, 16) * factor, _word(rows, 24)
    g, h = (y + _word(rows, -32)) * factor, (z + _word(rows, -24)) * factor
    return _mix(_turn(e + f, 43) + _turn(g, 30) + h, e + _turn(f + a, 18) + g, factor)


def _block(rows: np.ndarray, at: int, a: Words, b: Words) -> tuple[Words, Words]:
    """32 bytes and two seeds as two numbers."""
    first, second, third, last = (_word(rows, at + 8 * i) for i in range(4))
    a = a + first
    b, total = _turn(b + a + last, 21), a + second + third
    return total + last, b + _turn(total, 44) + a


def _round(rows: np.ndarray, at: int, state: tuple[Words, ...], factor: Any, scale: int) -> tuple[Words, ...]:
    """The state after 64 more bytes."""
    x, y, z, v0, v1, w0, w1 = state
    ninth = _constant(scale)
    x = _turn(x + y + v0 + _word(rows, at + 8), 37) * factor ^ w1 * ninth
    y = _turn(y + v1 + _word(rows, at + 48), 42) * factor + v0 * ninth + _word(rows, at + 40)
    z = _turn(z + w0, 33) * factor
    v = _block(rows, at, v1 * factor, x + w0)
    w = _block(rows, at + 32, z + w1, y + _word(rows, at + 16))
    return (z, y, x, *v, *w)


def _long(rows: np.ndarray, _: Any) -> Words:
    """Of more than 64 bytes."""
    count, size = rows.shape
    seed = 81
    y = seed * _K1 + 113 & _MASK
    z = y * _K2 + 113 & _MASK
    zero = np.zeros(count, "uint64")
    state = (zero + _constant(seed * _K2) + _word(rows, 0), zero + _constant(y), zero + _constant((z ^ z >> 47) * _K2), zero, zero, zero, zero)
    for at in range(0, (size - 1) // 64 * 64, 64):
        state = _round(rows, at, state, _constant(_K1), 1)
    x, y, z, v0, v1, w0, w1 = state
    w0 = w0 + _constant((size - 1) & 63)
    v0 = v0 + w0
    w0 = w0 + v0
    factor = _constant(_K1) + ((z & np.uint64(255)) << np.uint64(1))
    z, y, x, v0, v1, w0, w1 = _round(rows, size - 64, (x, y, z, v0, v1, w0, w1), factor, 9)
    return _mix(_mix(v0, w0, factor) + _fold(y) * _constant(_K0) + x, _mix(v1, w1, factor) + z, factor)


_BY_SIZE: tuple[tuple[float, Callable[[np.ndarray, Any], Words]], ...] = ((16, _tiny), (32, _short), (64, _middle), (float("inf"), _long))


# ---- SipHash ----
def _sip(rows: np.ndarray, key: tuple[int, int]) -> Words:
    count, size = rows.shape
    padded = np.zeros((count, size // 8 * 8 + 8), "uint8")
    padded[:, :size] = rows
    padded[:, -1] = size & 255
    state = [np.full(count, constant ^ key[i % 2] & _MASK, "uint64") for i, constant in enumerate(_SIP)]
    for at in range(0, padded.shape[1], 8):
        word = _word(padded, at)
        state[3] = state[3] ^ word
        state = _stir(state, 2)
        state[0] = state[0] ^ word
    state[2] = state[2] ^ np.uint64(255)
    a, b, c, d = _stir(state, 4)
    return a ^ b ^ c ^ d


def _stir(state: list[Words], rounds: int) -> list[Words]:
    a, b, c, d = state
    for _ in range(rounds):
        a, c = a + b, c + d
        b, d = _turn(b, 51) ^ a, _turn(d, 48) ^ c
        a = _turn(a, 32)
        c, a = c + b, a + d
        b, d = _turn(b, 47) ^ c, _turn(d, 43) ^ a
        c = _turn(c, 32)
    return [a, b, c, d]
