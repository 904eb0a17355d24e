"""How the site is made, by `make docs`. See docs/design/0025-the-site.md."""

from __future__ import annotations

import os
import pathlib
import re
import sys
import tempfile
from typing import Any

from nbclient import NotebookClient

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for the guides, which run while the site is built
os.environ.setdefault("KERAUNOS_PYTENSOR_MODE", "PLAIN")

# Kernels: a profile of their own, in which they log errors alone, and time to start on a busy machine.
_profile = tempfile.TemporaryDirectory()
os.environ["IPYTHONDIR"] = _profile.name
_settings = pathlib.Path(_profile.name, "profile_default", "ipython_kernel_config.py")
_settings.parent.mkdir()
_settings.write_text("get_config().IPKernelApp.log_level = 40\n", encoding="utf-8")
NotebookClient.startup_timeout.default_value = 300

project = "Keraunos"
author = "The Keraunos authors"
copyright = "The Keraunos authors"
language = "en"
extensions = ["myst_nb", "sphinx_copybutton", "sphinx_design", "mathml", "reference", "gallery_pages"]
templates_path = ["_templates"]
exclude_patterns = ["gallery/*.ipynb", "**.ipynb_checkpoints"]
root_doc = "index"
default_role = "literal"
nitpicky = True

# Text
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
maximum_signature_line_length = 68
python_trailing_comma_in_multi_line_signatures = False
toc_object_entries_show_parents = "hide"
add_module_names = True

# Guides: their cells run, in processes of which a warning is an error; the tests do not run them again
os.environ["PYTHONWARNINGS"] = "error::UserWarning"
nb_execution_mode = "auto"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_render_image_options = {"class": "result"}

# Looks
html_theme = "pydata_sphinx_theme"
html_title = "Keraunos"
html_static_path = ["_static"]
html_css_files = ["keraunos.css"]
html_favicon = "_static/bolt.svg"
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"index": [], "engines": [], "api/**": ["reference-nav.html"], "guides/*": ["sidebar-nav-bs"], "gallery/*": ["sidebar-nav-bs"]}
html_theme_options = {
    "logo": {"text": "Keraunos", "image_light": "_static/bolt.svg", "image_dark": "_static/bolt.svg", "alt_text": "Keraunos: the front page"},
    "navbar_align": "left",
    "navbar_center": ["navbar-nav"],
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "show_nav_level": 1,
    "navigation_depth": 2,
    "collapse_navigation": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "github-dark",
    "back_to_top_button": False,
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def page_of_errors(app: Any, document: str, source: list[str]) -> None:
    """The page of errors is what `keraunos explain` reads, with its `## Heading {#name}` in the form that MyST knows."""
    if document != "errors":
        return
    path = HERE.parent / "src" / "keraunos" / "cli" / "errors.md"
    app.env.note_dependency(str(path))
    source[0] = path.read_text(encoding="utf-8")
    source[0] = re.sub(r"^(#+ .*?) \{#([\w-]+)\}$", r"(\2)=\n\1", source[0], flags=re.MULTILINE)


def spread(app: Any, env: Any, documents: list[str]) -> None:
    """Put the guides, which take longest, evenly among the others: workers take runs of documents."""
    guides = [document for document in documents if document.startswith("guides/")]
    others = [document for document in documents if not document.startswith("guides/")]
    step = len(others) // (len(guides) + 1)
    documents[:] = [document for i in range(len(guides) + 1) for document in (*guides[i : i + 1], *others[i * step : (i + 1) * step])] + others[
        (len(guides) + 1) * step :
    ]


def setup(app: Any) -> None:
    """Register with Sphinx."""
    app.connect("source-read", page_of_errors)
    app.connect("env-before-read-docs", spread)
