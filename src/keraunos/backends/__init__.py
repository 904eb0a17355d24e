"""The engines. Each is one module that has only what differs.

What the core asks of an engine, beside the primitives of `keraunos.ops`, which it finds by their names:

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
    abstract(fn, shapes, dtypes)     fn's results for arguments of these, of which shapes and dtypes are read
    forward()                        a context in which no gradients are prepared
    concrete()                       a context in which values are made even while tracing
    synchronize(x)                   wait until x is computed
    seed_state, next_state           the state of a seed generator (seed, count), and the one after it
    draw_uniform(key, shape, dtype)  random numbers from such a state; likewise draw_normal, draw_integers,
                                     draw_gamma, draw_binomial, draw_dropout

What it may have, where it has something better than the body of a composite or the way that works everywhere:

    dim(x, axis)                     the size of an axis that is not known while tracing, as a scalar tensor
    widened(x)                       a tensor of a dtype that the engine hardly computes with in a wider one, tried where it fails
    flops(fn, *args)                 the floating-point operations of a pure function
    settled(out, spec)               the result of an op, told the shape that `spec()` knows, for engines that infer less
    the name of a composite          its faster form, which returns NotImplemented for what it cannot take
    repeat(fn, state, xs)            fn(state, x) over the rows of xs as one program: the state, and the results stacked
    scan(f, init, xs, count, …)      likewise for `ops.scan`; carries and rows are structures, count is None where it is not known
    is_traced(x)                     whether a tensor has no value yet; then branches need the engine's
    cond(pred, true_fn, false_fn)    one of two functions without arguments, which give one structure of tensors
    while_loop(goes_on, body, vars)  vars = body(*vars) while goes_on(*vars); structures of tensors
    tracing()                        whether loops must be the engine's now; without it, always where it has them
    vectorized_map(fn, elements)     fn of every row at once
    maps_steps                       whether it takes whole steps with their gradients
    custom_gradient(f, args)         f(*args) gives the result and a function of upstream gradients; returns the result that has that gradient
    jvp(fn, primals, tangents, …)    the forward derivative, as `ops.jvp`
    remat(fn)                        fn, run again for its gradient in place of keeping what it computed
    place(kind, index)               a context in which tensors are made on a device, None if there is no such device
    mesh(devices, axis_names)        devices in a grid, for `keraunos.distribution`; without it, an engine may say what does that work in `several_devices`
    layout(mesh, axes)               how a tensor is divided among them: `distribute(x, layout)`, in a trace a demand; `distribute_batch(x, layout, own)`
                                     where x may be this process's part; `placed_as(x, other)` as another tensor; `processes()` says how many join(…) made
    an optimizer's `native`          its update of all variables at once, in place; accumulate, increment, own,
                                     move_averages and to_host do as much for variables outside of a trace
    stores_copies                    whether `store` copies what it is given, which may be a NumPy array
    takes_arrays                     whether compiled programs take NumPy arrays as they are
    manual_seed(seed)                seed the engine's own generators too
    run_module, flatten_native, …    what layers of the engine's own functions need, `layers/native.py`

NumPy and JAX share `_numpy_api`, functions made from the module that speaks NumPy's language.
"""
