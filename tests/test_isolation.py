"""What a test or an example in a docstring leaves behind is gone before the next one."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap

LEAVES = '''
    """
    >>> leave()
    """
    import os, tempfile
    import jax
    import keraunos as keras

    def leave():
        keras.set_backend("numpy")
        keras.config.set_floatx("float16")
        keras.config.set_dtype_policy("mixed_float16")
        keras.saving.register_keras_serializable("left")(leave)
        keras.saving.get_custom_objects()["Kept"] = leave
        jax.config.update("jax_enable_x64", True)
        os.environ.update(LEFT="1", XLA_FLAGS="")
        del os.environ["KEPT"]
        os.chdir(tempfile.mkdtemp())

    keras.saving.register_keras_serializable("left", "Kept")(leave)
    keras.saving.get_custom_objects()["Kept"] = len
    jax.config.update("jax_enable_x64", False)
    os.environ["KEPT"] = "1"
    BEFORE = keras.config.backend(), os.environ["XLA_FLAGS"], os.getcwd()

    def nothing_is_left():
        assert (keras.config.backend(), os.environ["XLA_FLAGS"], os.getcwd()) == BEFORE
        assert keras.config.floatx() == keras.config.dtype_policy().name == "float32"
        assert keras.saving.get_custom_objects()["Kept"] is len and "left>leave" not in keras.saving.get_custom_objects()
        assert keras.saving.get_registered_name(leave) == "left>Kept"
        assert not jax.config.jax_enable_x64 and "LEFT" not in os.environ and os.environ["KEPT"] == "1"

    def test_nothing_is_left_by_the_example():
        nothing_is_left()

    def test_that_leaves():
        leave()

    def test_nothing_is_left_by_a_test():
        nothing_is_left()

    def test_the_temporary_folder_is_of_this_run():
        print("temporary:", tempfile.mkdtemp())
'''


def alone() -> dict[str, str]:
    """The environment of a pytest without plugins of which nothing is asked: importing them takes each of its processes longer than the tests."""
    return {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def test_nothing_is_left_behind(tmp_path: pathlib.Path) -> None:
    root = pathlib.Path(__file__).parents[1]
    (tmp_path / "test_state.py").write_text(textwrap.dedent(LEAVES), encoding="utf-8")
    options = ["-v", "-s", "-p", "pytest_timeout", "-p", "no:cacheprovider", "-p", "conftest", "-c", str(root / "pyproject.toml")]
    done = subprocess.run([sys.executable, "-m", "pytest", *options, str(tmp_path)], cwd=root, capture_output=True, text=True, env=alone())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.index("test_state PASSED") < done.stdout.index("left_by_the_example PASSED") < done.stdout.index("that_leaves PASSED")
    folder = done.stdout.partition("temporary: ")[2].split()[0]
    assert "keraunos-" in folder and not pathlib.Path(folder).exists()


DYING = """
    import os, pathlib, pytest, time

    @pytest.mark.parametrize("i", range(24))
    def test_in_a_row(i):
        if i in (3, 23):
            os._exit(1)

    @pytest.mark.xdist_group("together")
    @pytest.mark.parametrize("i", range(9))
    def test_together(i):
        if i == 7:
            os._exit(1)

    @pytest.mark.parametrize("i", [pytest.param(i, marks=pytest.mark.xdist_group(f"number {i % 3}")) for i in range(60)])
    def test_in_turns(i):
        pathlib.Path(__file__).with_name(f"{i % 3} {os.environ['PYTEST_XDIST_WORKER']}").touch()

    @pytest.mark.timeout(1)
    def test_that_hangs():
        time.sleep(600)
"""


def test_a_process_that_dies_costs_one_test(tmp_path: pathlib.Path) -> None:
    """Its other tests are run by the process that takes its place, whatever it was at and whether others had ended. A group is one process's."""
    root = pathlib.Path(__file__).parents[1]
    (tmp_path / "test_dying.py").write_text(textwrap.dedent(DYING), encoding="utf-8")
    plugins = ["-p", "xdist", "-p", "pytest_timeout", "-p", "no:cacheprovider", "-p", "conftest"]
    options = ["-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder", *plugins, "-c", str(root / "pyproject.toml")]
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", *options, str(tmp_path)], cwd=root, capture_output=True, text=True, timeout=300, env=alone())
    assert "4 failed, 90 passed" in done.stdout, done.stdout + done.stderr
    assert all(
        f"test_dying.py::{name} - worker" in done.stdout for name in ("test_in_a_row[3]", "test_in_a_row[23]", "test_together[7]@together", "test_that_hangs")
    )
    assert sorted(path.name.split()[0] for path in tmp_path.glob("* gw*")) == ["0", "1", "2"], "tests of one group were run by several processes"
