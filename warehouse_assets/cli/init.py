"""`wa init`: a new project that runs."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from pathlib import Path

import click

from warehouse_assets.cli.options import verbose_option

__all__ = ["init"]


@click.command()
@click.argument("name", required=False)
@verbose_option
def init(name: str | None, verbose: bool) -> None:
    """Begin a project in a new folder NAME, or in the current one: three tables in polars and SQL, one of them in partitions, and tests.

    Nothing is overwritten: where a file of it is there already, nothing is written at all.
    """
    from warehouse_assets.cli.project_files import project_files

    folder = Path.cwd() / name if name is not None else Path.cwd()
    package = folder.name.replace("-", "_").replace(".", "_").lower()
    files = project_files(folder.name, package)
    if there := [path for path in files if (folder / path).exists() or (folder / path).is_symlink()]:
        raise click.UsageError(f"There is {', '.join(there)} in {folder} already. Nothing is overwritten.")
    _check_name(folder.name, package)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with (folder / path).open("x", encoding="utf-8") as file:
            file.write(text)
    click.echo(f"{len(files)} files are in {folder}. Now:\n")
    if name is not None:
        click.echo(f"  cd {name}")
    click.echo("  wa materialize")
    click.echo('  wa query "select * from marts.revenue"')


def _check_name(name: str, package: str) -> None:
    """A project needs the name of a package that Python can import, and that nothing else has."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", package) or keyword.iskeyword(package):
        raise click.UsageError(f"{name!r} is no name for a project. Write letters, digits, '-' and '_', a letter first.")
    if package in ("models", "tests") or package in sys.stdlib_module_names or importlib.util.find_spec(package) is not None:
        raise click.UsageError(f"A project called {name!r} would hide the module {package!r}. Choose another name.")
