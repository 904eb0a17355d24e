"""The command `keraunos`: try it out, run Keras scripts, look into files, see what is installed."""

from __future__ import annotations

import os
from typing import Annotated

import typer

__all__ = ["app", "main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Keraunos: the Keras 3 API on several engines.")
Backend = Annotated[str | None, typer.Option("--backend", "-b", metavar="NAME", help="The engine: jax, torch, tensorflow, pytensor or numpy.")]


def main() -> None:
    """Run the command line; what goes wrong on purpose is one message, not a traceback."""
    from keraunos.core.errors import KeraunosError

    try:
        app()
    except KeraunosError as error:
        typer.secho(f"Error: {error}", err=True, fg="red")
        raise SystemExit(2) from None


def choose(backend: str | None) -> None:
    """Choose the engine of this process, and of its children."""
    if backend is not None:
        from keraunos.core import config

        config.set_backend(backend)
        os.environ["KERAUNOS_BACKEND"] = backend


@app.command()
def demo(
    backend: Backend = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often to go through the training images.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same run.")] = 0,
) -> None:
    """Train a network on real handwritten digits; takes some seconds."""
    choose(backend)
    from keraunos.cli.demo import demo as show

    show(epochs, seed)


@app.command()
def playground(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 0 for any that is free.", show_default="the first free one from 8500 on")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Build networks, train them and look inside, in the browser; everything stays on this machine."""
    from keraunos.play.opening import serve

    serve(port, browser)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    context: typer.Context,
    script: Annotated[str, typer.Argument(metavar="SCRIPT [ARGUMENTS]…", help="A Python file and its arguments.")],
    backend: Backend = None,
) -> None:
    """Run a Keras 3 script on Keraunos, unchanged: `import keras` means Keraunos. Options go before the script."""
    choose(backend)
    from keraunos.cli.run import run_script

    run_script(script, context.args)


@app.command()
def inspect(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .keras, .weights.h5, .h5, .safetensors or .npz file, or the index of shards.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    all_rows: Annotated[bool, typer.Option("--all", help="Print long tables whole.")] = False,
) -> None:
    """Print what is in a file of a model: layers, weights, versions, checksums. Nothing in it is run."""
    from keraunos.cli.inspect import show

    show(file, as_json, all_rows)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A .keras, .h5, .weights.h5, .safetensors or .npz file, shards' index, or a config in .json.")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="One of these, or what is exported: .onnx, .tflite, .pt2, .stablehlo, .xml.")],
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="FILE", help="The model, or its config, that the weights of IN are for.")] = None,
    modules: Annotated[list[str] | None, typer.Option("--import", metavar="MODULE", help="A module of yours that registers the classes in IN.")] = None,
    shard: Annotated[float | None, typer.Option("--shard", metavar="GB", help="Write weights in several files of at most so many gigabytes.")] = None,
    backend: Backend = None,
) -> None:
    """Write a model, or its weights, in another format, by the endings of the names; says what was kept."""
    choose(backend)
    from keraunos.cli.convert import show

    show(source, target, force, model, modules, shard)


@app.command()
def info() -> None:
    """Print the version, the engines that are installed, and their devices."""
    import importlib.metadata
    import platform

    from rich.console import Console
    from rich.table import Table

    import keraunos
    from keraunos.cli.facts import probed
    from keraunos.core import config

    table = Table("engine", "version", "devices", box=None, pad_edge=False)
    for name, engine in probed(config.BACKENDS).items():
        if engine.installed:
            table.add_row(name, importlib.metadata.version(name), ", ".join(engine.devices) or "cannot be used: keraunos doctor")
        else:
            table.add_row(name, "not installed", f"pip install 'keraunos\\[{name}]'")
    console = Console(highlight=False)
    console.print(f"keraunos {keraunos.__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}")
    console.print(f"engine in force: {config.backend()}\n", table, sep="")


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False) -> None:
    """Look for what stands in the way of training here, and say what to do; the exit status is 1 if something fails."""
    from keraunos.cli.doctor import doctor as look

    raise typer.Exit(not look(as_json))


@app.command()
def explain(
    words: Annotated[list[str] | None, typer.Argument(metavar="[CODE | WORDS…]", help="An error's code, such as KR101, or words of its message.")] = None,
) -> None:
    """Explain an error by its code: the mistake, an example, and what to do."""
    from keraunos.cli.explain import explain as show

    show(" ".join(words) if words else None)
