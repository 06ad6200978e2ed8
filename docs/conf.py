"""How Sphinx makes a site of this folder: `tox -e docs`. It needs no network and not gatherer itself."""

import re
from pathlib import Path

HERE = Path(__file__).parent

project = "gatherer"
author = "the gatherer authors"
project_copyright = author
version = release = re.findall(r'__version__ = "(.+)"', (HERE.parent / "gatherer" / "__init__.py").read_text())[0]

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True
smartquotes = False  # "" is two characters to type
# Headings down to "####" can be linked to, as on GitHub: [markers](capture.md#markers).
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"gatherer {release}"
html_copy_source = False
html_show_sphinx = False
html_use_index = False
html_static_path = ["_static"]
html_css_files = ["gatherer.css"]
