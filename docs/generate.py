"""Writes the generated pages of the documentation; `--check` fails if one is out of date."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import msgspec

from tearsheet import cli, errors
from tearsheet.api.packing import MONEY
from tearsheet.api.table import TYPE_NAMES
from tearsheet.app.analysis.table_columns import METRIC_COLUMNS, ROW_WORDS, TABLES, Column
from tearsheet.app.imports.formats import broker_guides
from tearsheet.app.imports.import_file import known_formats
from tearsheet.app.reconcile.reconcile import Reconciliation
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import PARTIAL_CODES
from tearsheet.settings import SETTINGS, Settings
from tearsheet.trade.fill import REJECTION_CODES
from tearsheet.web import create_app
from tearsheet.web.http.errors import STATUSES
from tearsheet.web.http.openapi import allow_exact_numbers
from tearsheet.web.pages.importing.guides import RULES
from tearsheet.web.rendering.glossary import anchor, glossary

DOCS = Path(__file__).parent
_NOTE = "<!-- Written by docs/generate.py; do not edit. -->\n\n"


def metrics_page() -> str:
    """Every metric, from the table."""
    lines = [
        "# Every metric\n",
        "One table in `performance/metric.py` is the source of the command line, the files and this",
        "page. A metric that is undefined is `null` with the reason and its sample `n`; it is never",
        "0, NaN or infinity.\n",
        "| metric | name | unit | what it is | undefined when |",
        "|---|---|---|---|---|",
    ]
    for m in METRICS.values():
        undefined = m.reason_undefined or "never"
        name = f"[{m.label}](glossary.md#term-{anchor(m.label)})"
        lines.append(f"| {name} | `{m.name}` | {m.unit} | {_cell(m.description)} | {_cell(undefined)} |")
    return "\n".join(lines) + "\n"


def glossary_page() -> str:
    """Every word, from the glossary that the dashboard shows."""
    lines = [
        "# Glossary\n",
        "One word for one thing, on pages, command line and in these documents. The dashboard has it at `/glossary`.",
    ]
    for topic, terms in glossary().items():
        lines += [f"\n## {topic}\n", "| term | meaning |", "|---|---|"]
        lines += [
            f'| <a id="term-{anchor(term)}"></a>{_cell(term)} | {_cell(meaning)} |'
            for term, meaning in terms.items()
        ]
    return "\n".join(lines) + "\n"


def brokers_page() -> str:
    """How to get fills out of each broker, from the guides that the dashboard shows."""
    known = known_formats().values()
    lines = [
        "# The right file out of your broker\n",
        "Which file to take, where to click for it, and what it has. The import page, `/guides` of the dashboard and "
        "`tearsheet formats BROKER` say the same. Menus change: what is marked as not confirmed was read in other",
        "people's texts only. Every format, with its columns: [what can be read](data-formats.md#fills).\n",
        "## For every broker\n",
        *(f"{number}. {rule}" for number, rule in enumerate(RULES, 1)),
    ]
    for guide in broker_guides().values():
        lines += [f'\n<a id="{guide.slug}"></a>\n', f"## {guide.name}\n", "| | |", "|---|---|"]
        for title, text in guide.rows:
            lines.append(f"| {title} | {f'`{text}`' if title == 'Import with' else _cell(text)} |")
        formats = ", ".join(f"`{info.name}`" for info in known if guide.has(info.name))
        lines.append(f"| Formats | {formats} |")
    return "\n".join(lines) + "\n"


def tables_page() -> str:
    """Every table of the Python API and of `tearsheet export`, from its columns."""
    lines = [
        "# Every table\n",
        "What the verbs of the [Python API](python.md) and `tearsheet export` give. A column is never renamed or",
        "retyped within a major version; new ones are appended. Null is null, never NaN.\n",
        f"Types are those of the first of `money` = {', '.join(MONEY)}. `to_pandas()` has float64 for decimals.",
    ]
    for name, columns in TABLES.items():
        lines += [f"\n## {name}\n", f"A row is {ROW_WORDS[name]}.\n", *_column_table(columns)]
    lines += [
        "\n## metrics().table()\n",
        "A row is a [metric](metrics.md).\n",
        *_column_table(METRIC_COLUMNS),
    ]
    return "\n".join(lines) + "\n"


def _column_table(columns: tuple[Column, ...]) -> list[str]:
    rows = [f"| `{one.name}` | {TYPE_NAMES[one.type]} | {_cell(one.words)} |" for one in columns]
    return ["| column | type | |", "|---|---|---|", *rows]


def errors_page() -> str:
    """Every error class, rejection code and partial reason."""
    lines = ["# Every error\n", "## Errors\n"]
    lines += ["| code | exit code | HTTP status | meaning |", "|---|---|---|---|"]
    for kind, exit_code in cli.EXIT_CODES.items():
        words = (kind.__doc__ or "").strip().splitlines()[0]
        lines.append(f"| `{kind.code}` | {exit_code} | {STATUSES[kind]} | {_cell(words)} |")
    lines += ["\n## Rejected lines\n", "A bad line stops nothing else; it is kept, counted and shown.\n"]
    lines += ["| code | given when |", "|---|---|"]
    lines += [f"| `{code}` | {_cell(words)} |" for code, words in REJECTION_CODES.items()]
    lines += ["\n## Why a summary is partial\n", "| code | meaning |", "|---|---|"]
    lines += [f"| `{code}` | {_cell(words)} |" for code, words in PARTIAL_CODES.items()]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Every setting, from the table."""
    lines = [
        "# Every setting\n",
        "From the environment, or from `config/tearsheet.toml` by the name in the second column.",
        "A bad value is an error that names it; it never falls back to the default.\n",
        "| variable | in the file | default | allowed | what it does |",
        "|---|---|---|---|---|",
    ]
    for s in SETTINGS:
        default = "none" if s.default in (None, "") else f"`{s.default}`"
        lines.append(f"| `{s.env}` | `{s.key}` | {default} | {_cell(s.allowed)} | {_cell(s.description)} |")
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """The help of every command."""
    context = click.Context(cli.tearsheet, info_name="tearsheet")
    parts = ["# The command line\n", _help(cli.tearsheet, context)]
    for name in cli.tearsheet.list_commands(context):
        command = cli.tearsheet.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        parts.append(f"## tearsheet {name}\n\n{_help(command, inner)}")
        if isinstance(command, click.Group):
            for sub, subcommand in command.commands.items():
                deeper = click.Context(subcommand, info_name=sub, parent=inner)
                parts.append(f"### tearsheet {name} {sub}\n\n{_help(subcommand, deeper)}")
    return "\n".join(parts)


def api_page() -> str:
    """Every operation of the API, from the rows that its views read by."""
    described = _described()
    lines = ["# Every operation of the API\n", "How to use it: [the-api.md](the-api.md).\n"]
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append((method, path, operation))
    for tag, operations in by_tag.items():
        lines.append(f"## {tag}\n")
        for method, path, operation in operations:
            lines += [f"### {method.upper()} {path}\n", _sentence(operation), ""]
            lines += _parameters(operation["parameters"])
            statuses = " ".join(operation["responses"])
            lines.append(f"Statuses: {statuses}\n")
    return "\n".join(lines)


def tie_out_schema() -> str:
    """The JSON Schema of a tie-out, from its values; decimals are numbers with every digit."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:tearsheet:schema:tie-out",
        **msgspec.json.schema(Reconciliation),
    }
    return json.dumps(allow_exact_numbers(made), indent=2) + "\n"


def _described() -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        app = create_app(Settings.load({}, Path(folder)))
        found: dict[str, Any] = json.loads(app.test_client().get("/openapi.json").text)
    return found


def _sentence(operation: dict[str, Any]) -> str:
    return " ".join(filter(None, (f"{operation['summary']}.", operation.get("description"))))


def _parameters(parameters: list[dict[str, Any]]) -> list[str]:
    if not parameters:
        return []
    rows = [
        f"| `{p['name']}` | {p['in']} | {'yes' if p['required'] else ''} | {_cell(p['description'])} |"
        for p in parameters
    ]
    return ["| parameter | in | required | meaning |", "|---|---|---|---|", *rows, ""]


PAGES = {
    "api.md": api_page,
    "metrics.md": metrics_page,
    "glossary.md": glossary_page,
    "brokers.md": brokers_page,
    "errors.md": errors_page,
    "python-tables.md": tables_page,
    "settings.md": settings_page,
    "cli.md": cli_page,
    "../src/tearsheet/schemas/tie-out.schema.json": tie_out_schema,
}


def _help(command: click.Command, context: click.Context) -> str:
    context.max_content_width = 100
    context.terminal_width = 100
    return f"```text\n{command.get_help(context).rstrip()}\n```\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Write the pages, or with `--check` say which are out of date."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, page in PAGES.items():
        note = "" if name.endswith(".json") else _NOTE
        text, path = note + page(), DOCS / name
        if not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, "utf-8")
    verb = "out of date, run `make docs`" if check else "written"
    print("\n".join(f"docs/{name}: {verb}" for name in stale) or "docs are up to date")
    return 1 if check and stale else 0


if __name__ == "__main__":
    assert errors.TearsheetError in cli.EXIT_CODES
    sys.exit(main())
