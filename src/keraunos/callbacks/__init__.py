"""Callbacks: what happens beside training, at its marks."""

from keraunos.callbacks.averages import SwapEMAWeights
from keraunos.callbacks.backup import BackupAndRestore
from keraunos.callbacks.callback import Callback, CallbackList, History, LambdaCallback
from keraunos.callbacks.checkpoints import ModelCheckpoint
from keraunos.callbacks.monitors import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN
from keraunos.callbacks.orbax import OrbaxCheckpoint
from keraunos.callbacks.recording import CSVLogger, ProgbarLogger, RemoteMonitor
from keraunos.callbacks.tensorboard import TensorBoard
from keraunos.core.missing import answer_for

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint",
    "OrbaxCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "RemoteMonitor", "SwapEMAWeights", "TensorBoard", "TerminateOnNaN",
]  # fmt: skip

answer_for(__name__)
