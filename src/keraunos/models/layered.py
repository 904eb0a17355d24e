"""Where the boxes and lines of a picture of a graph are: in ranks, with few crossings, lines straight where they can be and free of boxes.

The steps are those of [Sugiyama, Tagawa and Toda (1981)](https://doi.org/10.1109/TSMC.1981.4308636): ranks by the longest path, an order within each by
sweeps of barycentres, and places that bring neighbours near: chains move as one to the weighted median of what they are joined to.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

APART, BETWEEN, SLIM = 26.0, 34.0, 8.0  # of boxes beside one another, of ranks, the width of a line that passes boxes
STRAIGHT = (4.0, 0.6, 8.0)  # how much a line between two ranks is to be straight, by how many of its ends are passing points
Near = defaultdict[int, list[tuple[float, int, float]]]  # of an item those of the next rank: how much, which, how far to the right that is to be
Points = list[tuple[float, float]]


@dataclasses.dataclass
class Line:
    """A line from one box to another.

    Attributes:
        source: The place of the box where it begins.
        target: That of the box where it ends.
        leaves: How far from the middle of the box it begins.
        enters: How far from the middle of the box it ends.
        points: Where it runs: pairs of points with straight lines between, and a bend from each pair to the next.
        bends: How far along each of these bends turns, where lines have corners.
    """

    source: int
    target: int
    leaves: float = 0.0
    enters: float = 0.0
    points: Points = dataclasses.field(default_factory=list)
    bends: list[float] = dataclasses.field(default_factory=list)


def arrange(sizes: Sequence[tuple[float, float]], lines: Sequence[Line], first: int = 0, last: int = 0) -> tuple[Points, float, float]:
    """Give boxes their places, from top to bottom, and lines their points.

    Args:
        sizes: The width and height of each box, each before those that it leads to; lines to former ones run upward.
        lines: The lines, whose points are set.
        first: How many of the first boxes are at the top, even if nothing needs them soon.
        last: How many of the last boxes are at the bottom.

    Returns:
        The middle of each box, and the width and height of all.
    """
    count, widths = len(sizes), [width for width, _ in sizes]
    drawn = [line for line in lines if line.source != line.target]
    ends = [(x.source, x.target, x.leaves, x.enters) if x.source < x.target else (x.target, x.source, x.enters, x.leaves) for x in drawn]
    layers = _layers(count, ends, first, last)
    ranks = {item: rank for rank, layer in enumerate(layers) for item in layer}
    below, above, chains = Near(list), Near(list), []
    for a, b, leaves, enters in ends:
        chain = [a, *range(len(widths), len(widths) + ranks[b] - ranks[a] - 1), b]
        for rank, item in enumerate(chain[1:-1], ranks[a] + 1):
            layers[rank].append(item)
            widths.append(SLIM)
        for u, v in itertools.pairwise(chain):
            weight, shift = STRAIGHT[(u != a) + (v != b)], leaves * (u == a) - enters * (v == b)
            below[u].append((weight, v, shift))
            above[v].append((weight, u, -shift))
        chains.append(chain)
    layers = _ordered(layers, above, below)
    xs = _placed(layers, above, below, widths)
    left = min(x - width / 2 for x, width in zip(xs, widths, strict=True))
    xs = [x - left for x in xs]
    parts = [[(u, v, xs[u] + leaves * (u == a), xs[v] + enters * (v == b)) for u, v in itertools.pairwise(chain)]
             for chain, (a, b, leaves, enters) in zip(chains, ends, strict=True)]  # fmt: skip
    bands, bends = _bands(layers, sizes, [part for chain in parts for part in chain])
    middles = [(xs[item], sum(bands[rank]) / 2) for item, rank in sorted(ranks.items())]
    for line, chain in zip(drawn, parts, strict=True):
        (a, _, start, _), (_, b, _, end) = chain[0], chain[-1]
        points = [(start, middles[a][1] + sizes[a][1] / 2), (start, bands[ranks[a]][1])]
        points += [(x, y) for rank, (_, _, _, x) in enumerate(chain[:-1], ranks[a] + 1) for y in bands[rank]]
        points += [(end, bands[ranks[b]][0]), (end, middles[b][1] - sizes[b][1] / 2)]
        step = 1 if line.source < line.target else -1
        line.points, line.bends = points[::step], [bends[part] for part in chain][::step]
    return middles, max(x + width / 2 for x, width in zip(xs, widths, strict=True)), bands[-1][1]


def _layers(count: int, ends: Any, first: int, last: int) -> list[list[int]]:
    """The boxes of each rank: that of the longest way to it; what nothing leads to is just before what needs it."""
    ranks = [0] * count
    for a, b, *_ in sorted(ends):
        ranks[b] = max(ranks[b], ranks[a] + 1)
    for item in set(range(first, count)) - {b for _, b, *_ in ends}:
        ranks[item] = min((ranks[b] for a, b, *_ in ends if a == item), default=1) - 1
    deepest = max(ranks[: count - last]) + 1
    ranks[count - last :] = [deepest] * last
    return [[item for item in range(count) if ranks[item] == rank] for rank in range(max(ranks) + 1)]


def _ordered(layers: list[list[int]], above: Near, below: Near) -> list[list[int]]:
    """The order within each rank that has the fewest crossings of those that were tried."""
    best, fewest = layers, _crossings(layers, below)
    for sweep in range(16 if fewest else 0):
        down, layers = sweep % 2 == 0, [list(layer) for layer in layers]
        near = above if down else below
        for rank in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            own, beside = ({item: place for place, item in enumerate(layers[r])} for r in (rank, rank - 1 if down else rank + 1))
            layers[rank].sort(
                key=lambda i: (sum(beside[j] for _, j, _ in near[i]) / len(near[i]) if near[i] else own[i], own[i] * (1 if sweep % 4 < 2 else -1))
            )
        if (crossings := _crossings(layers, below)) < fewest:
            best, fewest = layers, crossings
    return best


def _crossings(layers: list[list[int]], below: Near) -> int:
    count = 0
    for upper, lower in itertools.pairwise(layers):
        places, seen = {item: place for place, item in enumerate(lower)}, list[int]()
        for item in upper:
            targets = [places[j] for _, j, _ in below[item]]
            count += sum(len(seen) - bisect.bisect_right(seen, place) for place in targets)
            seen = sorted(seen + targets)
    return count


def _placed(layers: list[list[int]], above: Near, below: Near, widths: list[float]) -> list[float]:
    """The middle of each item, across: chains of items, each the nearest of the next, go as one to where they are drawn to, and push others aside."""
    xs, beside = [0.0] * len(widths), dict[int, tuple[int | None, int | None]]()
    for layer in layers:
        steps = [0.0, *itertools.accumulate((widths[a] + widths[b]) / 2 + APART for a, b in itertools.pairwise(layer))]
        for item, step in zip(layer, steps, strict=True):
            xs[item] = step - steps[-1] / 2
        beside |= {item: (a, b) for a, item, b in zip([None, *layer], layer, [*layer[1:], None], strict=False)}
    nearest = [{i: max(near)[1] for i, near in side.items() if near and [w for w, _, _ in near].count(max(near)[0]) == 1} for side in (below, above)]
    chains: dict[int, list[tuple[int, float]]] = {}  # of each item, with how far to the right of its first each is
    for item in itertools.chain.from_iterable(layers):
        former = nearest[1].get(item, -1)
        chains[item] = chains[former] if nearest[0].get(former) == item else []
        shift = next((shift for _, j, shift in above[item] if j == former), 0.0)
        chains[item].append((item, chains[item][-1][1] - shift if chains[item] else 0.0))
    longest = sorted({id(chain): chain for chain in chains.values()}.values(), key=len, reverse=True)
    for chain in [*longest * 8, longest[0]]:
        own, low, high = {item for item, _ in chain}, -math.inf, math.inf
        for item, offset in chain:
            a, b = beside[item]
            low = low if a is None else max(low, xs[a] + (widths[a] + widths[item]) / 2 + APART - offset)
            high = high if b is None else min(high, xs[b] - (widths[b] + widths[item]) / 2 - APART - offset)
        if low > high:  # what is to the right of it makes room
            moved, reached = set[int](), [b for item in own if (b := beside[item][1]) is not None]
            while reached and chain[0][0] not in moved:  # a chain is moved as a whole
                if (item := reached.pop()) not in moved:
                    moved |= {i for i, _ in chains[item]}
                    reached += [j for i, _ in chains[item] if (j := beside[i][1]) is not None]
            if chain[0][0] in moved:
                continue
            for item in moved:
                xs[item] += low - high
            high = low
        wanted = [(xs[j] - shift - offset, weight) for item, offset in chain for weight, j, shift in below[item] + above[item] if j not in own]
        x = min(max(_median(wanted or [(xs[chain[0][0]], 1.0)]), low), high)
        for item, offset in chain:
            xs[item] = x + offset
    return xs


def _median(points: Points) -> float:
    """The weighted median of values; the middle where any between two would do."""
    points, total = sorted(points), 0.0
    half = sum(weight for _, weight in points) / 2
    for (x, weight), (following, _) in zip(points, [*points[1:], points[-1]], strict=True):
        total += weight
        if total > half - 1e-9:
            return x if total > half + 1e-9 else (x + following) / 2
    return points[-1][0]


def _bands(layers: list[list[int]], sizes: Sequence[tuple[float, float]], parts: list[tuple[int, int, float, float]]) -> tuple[Points, dict[Any, float]]:
    """The top and bottom of each rank; and where the lines between two turn, each at a height of its own, but those from one box or to one together."""
    bands: Points = []
    bends: dict[Any, float] = {}
    y = 0.0
    for layer in layers:
        bottom = y + max((sizes[item][1] for item in layer if item < len(sizes)), default=0.0)
        bands.append((y, bottom))
        here = [part for part in parts if part[0] in layer]
        bent = [part for part in here if abs(part[2] - part[3]) > 0.5]
        into = [v for _, v, _, _ in bent]
        keys = {part: part[1] if into.count(part[1]) > 1 else -1 - part[0] for part in here}
        tracks = list(dict.fromkeys(keys[part] for part in sorted(bent, key=lambda part: part[2])))
        for one, other in itertools.product(bent, bent) if len(tracks) > 1 else ():
            a, b = keys[one], keys[other]
            if a != b and abs(one[3] - other[2]) < SLIM and tracks.index(b) > tracks.index(a):  # what comes down there has to turn before
                tracks.remove(b)
                tracks.insert(tracks.index(a), b)
        room = BETWEEN + 7 * max(0, len(tracks) - 1)
        for part in here:
            share = (tracks.index(keys[part]) + 1) / (len(tracks) + 1) if keys[part] in tracks else 0.5
            bends[part] = bottom + 4 + (room - 16) * share
        y = bottom + room
    return bands, bends
