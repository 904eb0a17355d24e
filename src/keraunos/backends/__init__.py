"""The engines. Each is one module that has only what differs.

What the core asks of an engine, beside ops found by their names:

    name, kinds, float_dtypes        its name; the kinds of argument types seen; its float dtypes
    strict_dtypes                    those in which Python's scalars are not weak: they get them as tensors
    stateful                         whether it differentiates by the tensors that variables hold
    devices()                        what it computes on, in words
    is_tensor, array, to_numpy       conversion
    dtype_of, cast                   dtypes by name
    slot, store                      what a variable holds, and how it takes a new value
    differentiate(fn, values)        ((loss, aux), gradients) of fn(values) -> (loss, aux)
    compile(fn, donate, …)           a compiled form of a pure function, or None to run it as it is
    indices(order), rows(x, places)  the order of samples on the device, and the samples of some places
    repeat(fn, state, xs)            fn(state, x) over the rows of xs, as one program
    abstract(fn, shapes, dtypes)     the shapes and dtypes of fn's results, without computing
    forward()                        a context in which no gradients are prepared
    concrete()                       a context in which values are made even while tracing
    synchronize(x)                   wait until x is computed
"""
