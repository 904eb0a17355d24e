"""How the reference groups the names of large namespaces: titles, and under each the files of the library, or single names, that it gathers.

What is listed nowhere comes last, under "More" or "Functions".
"""

TITLES = {
    "": "What stands beside the namespaces: `import keraunos as keras`, and these are `keras.Model`, `keras.Variable` and the like.",
    "overview": (
        "Every public name has a page: its signature, its arguments, an example that runs as a test, and where its code stands. "
        "The names are those of Keras 3: what is written here as `keraunos.layers.Dense` is `keras.layers.Dense` in a program that begins with "
        "`import keraunos as keras`.\n\nWhich engine computes what is [a table of its own](/engines.md)."
    ),
    "array_api": (
        "`keraunos.interop.array_api` is the [array API standard](https://data-apis.org/array-api/latest/), which describes its names; "
        "it computes on the engine in force."
    ),
}
FAMILIES: dict[str, dict[str, set[str]]] = {
    "layers": {
        "Core": {"core", "layer", "input_layer", "einsum_dense", "reversible_embedding", "masking"},
        "Activations": {"activation"},
        "Convolutions": {"convolutional", "convolutional_separable", "convolutional_transposed"},
        "Pooling": {"pooling"},
        "Recurrent": {"lstm", "gru", "simple_rnn", "recurrent", "rnn_cells", "bidirectional", "conv_lstm", "time_distributed"},
        "Attention": {"attention", "multi_head_attention"},
        "Normalization": {"normalization", "group_normalization", "unit_normalization", "SpectralNormalization"},
        "Regularization": {"regularization", "spatial_dropout"},
        "Reshaping": {"reshaping", "margins", "upsampling"},
        "Merging": {"merging"},
        "Preprocessing": {"category_encoding", "feature_scaling", "hashing", "lookup", "text_vectorization", "images"},
        "Around other layers and libraries": {"wrapper", "jax_layer", "flax_layer", "torch_module", "tfsm"},
    },
    "ops": {
        "Elementwise": {"elementwise", "special"},
        "Activations": {"activations"},
        "Reductions and statistics": {"reductions", "statistics"},
        "Shape, order and selection": {"shaping", "joining", "rearranging"},
        "Searching and sorting": {"searching"},
        "Writing to places": {"scattering"},
        "Making tensors": {"creation", "window_functions"},
        "Products and linear algebra": {"products", "linalg", "decompositions", "vectors"},
        "Neural networks": {"nn", "attention", "convolutions", "patches", "ctc", "recurrent"},
        "Fourier transforms and complex numbers": {"fourier", "complexes"},
        "Bits": {"bits"},
        "Control flow and functions of functions": {"control", "vectorizing"},
        "Images": {"imaging", "resampling"},
    },
    "metrics": {
        "The base, and means": {"metric"},
        "Accuracies, errors and correlations": {"means"},
        "Yes or no, at thresholds": {"confusion"},
        "Scores": {"scores"},
    },
    "optimizers": {
        "The base": {"optimizer"},
        "Optimizers": {"rules", "adafactor", "muon", "schedule_free"},
        "Around other optimizers": {"groups", "loss_scale"},
    },
    "callbacks": {
        "The base": {"callback"},
        "Watching": {"monitors"},
        "Saving and going on": {"checkpoints", "backup", "orbax", "averages"},
        "Telling": {"recording", "tensorboard", "charts"},
    },
}


def family(space: str, module: str, name: str) -> str:
    """The title under which something stands: by its name or its file, `pooling` being `pooling_global` too; empty where no table says."""
    for title, members in FAMILIES.get(space, {}).items():
        if name in members or any(module == member or module.startswith(f"{member}_") for member in members):
            return title
    return ""
