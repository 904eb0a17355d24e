"""Keraunos beside other libraries.

`keraunos.interop.array_api` is the ops as a namespace of the Python array API standard; `keraunos.interop.torch` makes modules of PyTorch
of models; `keraunos.interop.optuna` and `keraunos.interop.ray` have the callbacks of searches.
"""
