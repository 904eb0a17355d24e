"""The rows for connectionist temporal classification, against all alignments one by one, and against a search with dictionaries."""

from __future__ import annotations

import itertools

import numpy as np

from tests.conformance.case import Case


def _log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def _read(alignment, blank):
    """The labels that an alignment means."""
    return [label for label, _ in itertools.groupby(alignment) if label != blank]


def _loss(target, output, target_length, output_length, mask_index=0):
    found = []
    for labels, p, count, steps in zip(target, _log_softmax(output), target_length, output_length, strict=True):
        alignments = itertools.product(range(p.shape[1]), repeat=steps)
        chances = [p[range(steps), list(a)].sum() for a in alignments if _read(a, mask_index) == labels[:count].tolist()]
        found.append(-np.logaddexp.reduce(chances) if chances else np.inf)
    return np.array(found)


def _padded(labels, length):
    return [*labels, *[-1] * (length - len(labels))]


def _greedy(inputs, lengths, merge_repeated=True, mask_index=0):
    paths, length = [], inputs.shape[1]
    for scores, steps in zip(inputs, lengths, strict=True):
        best = scores[:steps].argmax(-1)
        paths.append(_padded(_read(best, mask_index) if merge_repeated else [b for b in best if b != mask_index], length))
    return np.array([paths]), np.array([[-scores[:steps].max(-1).sum()] for scores, steps in zip(inputs, lengths, strict=True)])


def _search(inputs, lengths, strategy, beam_width, top_paths=1, mask_index=0):
    """Beams by their labels, with the logarithms of the probability that ends with blank and of that which does not."""
    all_paths, all_scores = [], []
    for p, steps in zip(_log_softmax(inputs), lengths, strict=True):
        beams = {(): (0.0, -np.inf)}
        for chance in p[:steps]:
            new = {}
            for (labels, (blank, label)), c in itertools.product(beams.items(), range(len(chance))):
                total = np.logaddexp(blank, label)
                repeated = bool(labels) and labels[-1] == c
                if c == mask_index:
                    parts = [(labels, total, -np.inf)]
                elif repeated:
                    parts = [(labels, -np.inf, label), ((*labels, c), -np.inf, blank)]
                else:
                    parts = [((*labels, c), -np.inf, total)]
                for key, b, n in parts:
                    old = new.get(key, (-np.inf, -np.inf))
                    new[key] = np.logaddexp(old[0], b + chance[c]), np.logaddexp(old[1], n + chance[c])
            beams = dict(sorted(new.items(), key=lambda item: -np.logaddexp(*item[1]))[:beam_width])
        best = [(labels, np.logaddexp(*both)) for labels, both in beams.items() if np.logaddexp(*both) > -np.inf][:top_paths]
        best += [((), -np.inf)] * (top_paths - len(best))
        all_paths.append([_padded(labels, inputs.shape[1]) for labels, _ in best])
        all_scores.append([score for _, score in best])
    return np.swapaxes(all_paths, 0, 1), np.array(all_scores)


LABELS = np.array([[1, 2, 1], [1, 1, 0], [2, 2, 2], [0, 0, 0]], "int32")
COUNTS = np.array([3, 2, 3, 0], "int32")
STEPS = np.array([4, 3, 4, 2], "int32")  # too few for the third
SHAPE = (4, 4, 3)

CASES = [
    Case("ctc_loss", _loss, (LABELS[:2], (2, 4, 3), COUNTS[:2], STEPS[:2]), ("float32", "bfloat16", "int32"), tolerance=4),
    Case("ctc_loss", _loss, (LABELS, SHAPE, COUNTS, STEPS), grad=False, tolerance=4),
    Case("ctc_loss", _loss, (2 - LABELS[:1], (1, 4, 3), COUNTS[:1], STEPS[:1]), kwargs={"mask_index": 2}, tolerance=4),
    Case("ctc_decode", _greedy, ((4, 6, 3), np.array([6, 3, 0, 5], "int32")), ("float32", "float16", "int32"), grad=False),
    Case("ctc_decode", _greedy, ((2, 6, 3), np.array([6, 5], "int32")), kwargs={"merge_repeated": False, "mask_index": 2}, grad=False),
    *[
        Case("ctc_decode", _search, ((3, 6, 3), np.array([6, 4, 0], "int32")), kwargs={"strategy": "beam_search", **k}, low=-4, high=4, grad=False, known=(2,), tolerance=4)
        for k in ({"beam_width": 3, "top_paths": 2}, {"beam_width": 40, "top_paths": 9, "mask_index": 2})
    ],
]  # fmt: skip
