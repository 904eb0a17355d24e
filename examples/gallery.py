"""What the examples share: their options, the picture of the result, and the quality that each promises.

An example begins with a docstring: a line that is its title, text in Markdown, and a line of promises:

    Promises: accuracy ≥ 0.96, seconds_per_epoch ≤ 3

It calls `run = begin(__doc__)` after its imports, makes the long things short with `run.pick(20, quick=2)`, and ends with
`run.end(figure, accuracy=0.97)`. A promise that is not kept ends the program with status 1, unless it ran with `--quick`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import re
import sys
import time
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

import keraunos as keras

PROMISE = re.compile(r"(\w+) ([≥≤]) ([-\d.e]+)")
HERE = pathlib.Path(__file__).resolve().parent


def programs() -> dict[str, pathlib.Path]:
    """The examples by name: each program of the folder but what they share."""
    return {path.stem: path for path in sorted(HERE.glob("*.py")) if path.stem != "gallery"}


def promises(text: str) -> dict[str, tuple[str, float]]:
    """What a docstring promises: by name, "≥" or "≤" and the limit."""
    line = next((line for line in text.splitlines() if line.startswith("Promises: ")), "")
    return {name: (sign, float(limit)) for name, sign, limit in PROMISE.findall(line)}


def kept(value: float, sign: str, limit: float) -> bool:
    """Whether a value keeps its promise; NaN keeps none."""
    return value >= limit if sign == "≥" else value <= limit


@dataclasses.dataclass
class Run:
    """One run of an example.

    Attributes:
        name: The example's name: that of its file.
        quick: Whether it only has to run, not to learn.
        seed: Of all that is drawn.
        backend: The engine.
    """

    name: str
    quick: bool
    seed: int
    backend: str
    out: pathlib.Path
    promised: dict[str, tuple[str, float]]
    began: float = dataclasses.field(default_factory=time.perf_counter)

    def pick(self, value: Any, *, quick: Any) -> Any:
        """`value`, or `quick` in a quick run."""
        return quick if self.quick else value

    def end(self, figure: Any = None, **measured: float) -> None:
        """Save the picture, print what was reached beside what is promised, and fail if a promise is broken.

        Args:
            figure: A matplotlib figure: the picture of the result.
            **measured: What was reached, by the names of the docstring's promises; more may be given.

        Raises:
            SystemExit: A promise is broken (not in a quick run), or nothing was measured for it.
        """
        seconds = time.perf_counter() - self.began
        measured = {key: float(value) for key, value in measured.items()}
        if missing := self.promised.keys() - measured.keys():
            sys.exit(f"{self.name}: nothing was measured for {', '.join(sorted(missing))}")
        self.out.mkdir(parents=True, exist_ok=True)
        if figure is not None:
            figure.savefig(self.out / f"{self.name}.png", dpi=110, bbox_inches="tight")
            plt.close(figure)
            print(f"picture: {self.out / self.name}.png")
        broken = []
        for key, value in measured.items():
            sign, limit = self.promised.get(key, ("", 0.0))
            print(f"{key}: {value:.4g}" + (f" (promised {sign} {limit:g})" if sign else ""))
            if sign and not kept(value, sign, limit):
                broken.append(key)
        print(f"{seconds:.1f} s on {self.backend}")
        result = {"example": self.name, "backend": self.backend, "quick": self.quick, "seed": self.seed, "seconds": round(seconds, 1), "measured": measured}
        (self.out / f"{self.name}.{self.backend}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if broken and not self.quick:
            sys.exit(f"{self.name}: not as promised: {', '.join(broken)}")


def begin(text: str, *, seed: int = 0) -> Run:
    """Read the options, choose the engine and set the seed.

    Args:
        text: The example's docstring.
        seed: Its seed, unless `--seed` gives another.
    """
    path = pathlib.Path(sys.argv[0])
    parser = argparse.ArgumentParser(prog=path.name, description=text.strip().splitlines()[0])
    parser.add_argument("--backend", choices=("jax", "torch", "tensorflow", "pytensor"), default=keras.backend.backend(), help="the engine")
    parser.add_argument("--quick", action="store_true", help="only see that it runs, in some seconds")
    parser.add_argument("--seed", type=int, default=seed, help="of all that is drawn")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gallery"), help="the folder for the picture and the figures reached")
    options = parser.parse_args()
    keras.config.set_backend(options.backend)
    keras.utils.set_random_seed(options.seed)
    return Run(path.stem, options.quick, options.seed, options.backend, options.out, promises(text))
