"""Settings of the process, and the choice of engine."""

from keraunos.core.config import (
    are_checks_enabled,
    backend,
    backend_scope,
    disable_checks,
    disable_interactive_logging,
    disable_traceback_filtering,
    enable_checks,
    enable_interactive_logging,
    enable_traceback_filtering,
    epsilon,
    floatx,
    image_data_format,
    is_interactive_logging_enabled,
    is_traceback_filtering_enabled,
    set_backend,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from keraunos.core.missing import missing
from keraunos.dtype_policies import dtype_policy, set_dtype_policy

__all__ = [
    "are_checks_enabled", "backend", "backend_scope", "disable_checks", "disable_interactive_logging", "disable_traceback_filtering", "dtype_policy",
    "enable_checks", "enable_interactive_logging", "enable_traceback_filtering", "epsilon", "floatx", "image_data_format", "is_interactive_logging_enabled",
    "is_traceback_filtering_enabled", "set_backend", "set_dtype_policy", "set_epsilon", "set_floatx", "set_image_data_format",
]  # fmt: skip


def __getattr__(name: str) -> None:
    missing("config", name)
