"""How the documentation is built: the pages are Markdown, the reference is made from the docstrings of the public names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import io_managers
import warehouse_assets
from warehouse_assets import checks, errors, testing

project = "warehouse-assets"
author = "the authors of warehouse-assets"
version = release = import_module("warehouse_assets._version").__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]

html_theme = "furo"
html_title = project
html_show_copyright = html_show_sourcelink = html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f6feb", "color-brand-content": "#1f6feb"},
    "dark_css_variables": {"color-brand-primary": "#79b8ff", "color-brand-content": "#79b8ff"},
}
pygments_style, pygments_dark_style = "default", "github-dark"

myst_heading_anchors = 3
myst_links_external_new_tab = True

add_module_names = False
maximum_signature_line_length = 100
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

# The order in which a reader meets the pages; any other page of the folder stands after these.
TOPICS = [
    "assets",
    "sources",
    "sql_assets",
    "multi_assets",
    "graphs",
    "partitions",
    "config_and_resources",
    "outputs",
    "versions",
    "column_lineage",
    "checks",
    "io_managers",
    "storing_tables",
    "partitioned_tables",
    "file_formats",
    "clouds",
    "writing_tables",
    "sql_databases",
    "sql_execution",
    "sql_composition",
    "time_travel",
    "delta_lake",
    "iceberg",
    "running",
    "runs",
    "instance",
    "planning",
    "automation",
    "backfills",
    "web_ui",
    "declarative_automation",
    "telemetry",
    "selections",
    "jobs",
    "loading",
    "workspaces",
    "testing_assets",
    "testing_sql",
    "testing_io_managers",
    "promises",
    "notebooks",
    "command_line",
]

# The sections of the reference, and the modules whose public names stand in each; "more" has what no other section has.
SECTIONS = {
    "assets": ("keys", "definitions.asset", "definitions.assets", "definitions.specs", "definitions.source", "definitions.multi_asset", "definitions.sql_asset"),
    "functions": ("execution.context", "definitions.outputs", "definitions.policies", "events", "metadata", "column_lineage", "tables", "table_options", "sql"),
    "ops": ("definitions.ops", "definitions.graphs", "definitions.graph_assets"),
    "partitions": ("partitions",),
    "resources": ("config", "resources"),
    "io_managers": ("io_manager",),
    "checks": ("definitions.checks", "definitions.check_specs", "execution.check_context"),
    "running": ("code_location", "definitions.job", "execution", "instance", "graph", "planning", "automation", "automation_records"),
    "errors": ("errors",),
}  # fmt: skip

PACKAGES = {"errors": errors, "ready-made checks": checks, "stores": io_managers}
SUITES = ("contract", "io_manager", "event_log")


def members(section: str) -> Iterator[tuple[ModuleType, str]]:
    """The public names of a section, each with a module that has it."""
    if section == "testing":
        modules = [testing, *(import_module(f"{testing.__name__}.{suite}") for suite in SUITES)]
    elif section in PACKAGES:
        modules = [PACKAGES[section]]
    else:
        homes = sorted(warehouse_assets._HOMES.items(), key=lambda item: item[0].lower())
        yield from ((import_module(f"warehouse_assets.{home}"), name) for name, home in homes if section_of(home) == section)
        return
    yield from ((module, name) for module in modules for name in getattr(module, "__all__", ()))


def section_of(home: str) -> str:
    """The section for a module: the one that names it, or the closest package around it."""
    claims = {prefix: section for section, prefixes in SECTIONS.items() for prefix in prefixes}
    parts = home.split(".")
    around = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((claims[prefix] for prefix in around if prefix in claims), "more")


class Topics(SphinxDirective):
    """`{topics}`: the table of contents of all pages beside the index."""

    def run(self) -> list[nodes.Node]:
        pages = sorted(page for page in self.env.found_docs if "/" not in page and page != self.env.docname)
        pages.sort(key=lambda page: TOPICS.index(page) if page in TOPICS else len(TOPICS))
        return self.parse_text_to_nodes("\n".join(["```{toctree}", ":caption: Topics", "", *pages, "```"]))


class PublicNames(SphinxDirective):
    """`.. public-names:: section`: the docstrings of all public names of a section."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes("\n".join(described(*member) for member in members(self.arguments[0])))


def described(module: ModuleType, name: str) -> str:
    """The directive of autodoc for a public name, which it finds where it was written."""
    value = getattr(module, name)
    written = inspect.isclass(value) or inspect.isfunction(value)
    home = f"{value.__module__ if written else module.__name__}.{name}"
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        options = "   :members:\n" + ("   :undoc-members:\n" if hasattr(value, "__members__") else "")
        return f".. auto{kind}:: {home}\n{options}"
    if isinstance(value, (dict, tuple)):  # whose docstring is that of the type
        return f".. py:data:: {home}\n"
    return f".. auto{'function' if written else 'data'}:: {home}\n"


def docstring_as_rst(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text with `code` and doctests, in which a star or a bar means itself."""
    example = False
    for number, line in enumerate(lines):
        example = bool(line) and (example or line.startswith((">>>", "    ")))
        if not example:
            parts = re.split(r"(`[^`]+`)", line)
            lines[number] = "".join(
                f"`{part}`" if part.startswith("`") else re.sub(r"([*|\\_])", r"\\\1", part) for part in parts
            )
        if line.endswith(":") and "".join(lines[number + 1 : number + 3]).startswith("    "):
            lines[number] += ":"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_directive("topics", Topics)
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", docstring_as_rst)
