"""Comparison of a file with the ledger right after its import, if the file states results, balances or positions."""

from pathlib import Path

from tearsheet.app.context import LedgerContext
from tearsheet.app.reconcile.reconcile import Reconciliation, reconcile_statement
from tearsheet.errors import FormatError, InputError
from tearsheet.sources.layouts.catalogue import all_layouts
from tearsheet.sources.statements.options import StatementOptions

#: A larger file is compared by `tearsheet reconcile` only, because its lines are held in memory.
_MOST_BYTES = 32 << 20


def tie_out(
    context: LedgerContext, path: Path, layout: str, options: StatementOptions = StatementOptions()
) -> Reconciliation | None:
    """Return the comparison of an imported file, or None if it states nothing beside its fills."""
    rules = all_layouts(options.layouts).get(layout)
    if rules is None or path.stat().st_size > _MOST_BYTES:
        return None
    fields = {*rules.columns, *rules.optional}
    if not (rules.report or rules.round_trips or fields & {"realized", "result"}):
        return None
    try:
        found = reconcile_statement(context, path, options)
    except (FormatError, InputError):
        return None
    return found if found.compared else None
