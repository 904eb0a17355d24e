"""`keraunos run`: a Keras script, run as `python script.py` would, with Keraunos in place of Keras."""

from __future__ import annotations

import io
import os
import sys
import types

from keraunos.compat import install_as_keras
from keraunos.core.errors import ArgumentError


def run_script(script: str, arguments: list[str]) -> None:
    """Run a script as the main module; its exit status and traceback are what Python would give.

    Raises:
        ArgumentError: There is no such file.
        SystemExit: The script ended by it, or by an exception, which has been printed.
    """
    try:
        with io.open_code(os.path.abspath(script)) as file:
            source = file.read()
    except OSError as error:
        fact = f"The script cannot be read: {error.strerror or error}."
        raise ArgumentError(fact, where=script, fix="give the path of a Python file: keraunos run script.py") from None
    install_as_keras()
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=script, __builtins__=__builtins__)
    sys.modules["__main__"] = module
    sys.argv = [script, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    try:
        exec(compile(source, script, "exec", dont_inherit=True), module.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
