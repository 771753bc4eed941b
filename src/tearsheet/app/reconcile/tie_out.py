"""Comparison of a file with the ledger right after its import, if the file states results, balances or positions."""

from collections import Counter
from pathlib import Path

from msgspec.structs import replace

from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.import_file import FileImport, ImportJob
from tearsheet.app.imports.preview import Preview, preview_change
from tearsheet.app.reconcile.reconcile import AgreedNumber, Difference, Reconciliation, compare_with_agreed
from tearsheet.app.reports import ImportReport, TieOut, TieOutDifference
from tearsheet.errors import FormatError, InputError
from tearsheet.sources.layouts.catalogue import all_layouts
from tearsheet.sources.statements.detect import detect_layout
from tearsheet.sources.statements.options import StatementOptions

#: A larger file is compared by `tearsheet reconcile` only, because its lines are held in memory.
_MOST_BYTES = 32 << 20
_MOST_LISTED = 100
#: Differences that are no contradiction, and the words for them.
HARMLESS = {"method": "first in, first out", "rounding": "rounded"}
_RESULTS = frozenset(("realized", "result"))


def tie_out_within(
    context: LedgerContext, path: Path, layout: str, options: StatementOptions
) -> TieOut | None:
    """Return the comparison of an imported file, or None if it states nothing beside its fills.

    It runs inside a transaction of the caller, which may have imported the file.
    """
    found = compare_import(context, path, layout, options)
    return None if found is None else summarized(found[0])


def compare_import(
    context: LedgerContext, path: Path, layout: str, options: StatementOptions
) -> tuple[Reconciliation, list[AgreedNumber]] | None:
    """Return every difference of an imported file and what agrees, inside a transaction; None if it states nothing."""
    if not _states_results(context, path, layout, options):
        return None
    try:
        found = compare_with_agreed(context, path, _with_layouts(context, options))
    except (FormatError, InputError):
        return None
    return found if found[0].compared else None


def preview_import(context: LedgerContext, job: ImportJob) -> Preview:
    """Return what an import would change, and whether the file and the books would agree.

    The transaction is rolled back. Raises as `import_file` does.
    """
    file = FileImport(context, job)

    def change() -> ImportReport:
        report = file.run()
        report.tie_out = tie_out_within(context, job.path, report.layout, job.options)
        return report

    return preview_change(context.ledger, change)


def _states_results(context: LedgerContext, path: Path, layout: str, options: StatementOptions) -> bool:
    if path.stat().st_size > _MOST_BYTES:
        return False
    if options.mapping:
        mapped = {field for fields in options.mapping.values() for field in fields.split("+")}
        return not mapped.isdisjoint(_RESULTS)
    options = _with_layouts(context, options)
    known = all_layouts(options.layouts)
    rules = known.get(layout)
    if rules is None:
        return False
    if rules.round_trips or (rules.report and rules.report.stated):
        return True
    if _RESULTS.isdisjoint({*rules.columns, *rules.optional}):
        return False
    try:
        found = detect_layout(path, known, options.layout, {}, None)
    except (FormatError, InputError):
        return False
    return not _RESULTS.isdisjoint(rules.match_header(found.position.header) or {})


def _with_layouts(context: LedgerContext, options: StatementOptions) -> StatementOptions:
    return replace(options, layouts=options.layouts or context.settings.layouts_dir)


def summarized(found: Reconciliation) -> TieOut:
    """Return the comparison as imports show it."""
    kinds: Counter[str] = Counter(one.kind for one in found.differences)
    agreeing = found.compared - sum(number for kind, number in kinds.items() if kind not in HARMLESS)
    agrees = agreeing == found.compared and not (found.fills or found.unread)
    return TieOut(
        compared=found.compared,
        agreeing=agreeing,
        agrees=agrees,
        text=_text(found, kinds, agreeing, agrees=agrees),
        kinds=dict(kinds),
        differences=tuple(map(_difference, found.differences[:_MOST_LISTED])),
        fills=tuple(one.description for one in found.fills[:_MOST_LISTED]),
        notes=tuple(found.notes),
    )


def _text(found: Reconciliation, kinds: Counter[str], agreeing: int, *, agrees: bool) -> str:
    """Return the comparison in one line."""
    harmless = [f"{kinds[kind]:,} {words}" for kind, words in HARMLESS.items() if kinds[kind]]
    if agrees:
        more = f" ({', '.join(harmless)})" if harmless else ""
        return f"agrees with the broker: {agreeing:,} of {found.compared:,}{more}"
    named = [f"{number:,} {kind}" for kind, number in kinds.items() if kind not in HARMLESS]
    named += [f"{len(found.fills):,} fills"] if found.fills else []
    named += [f"{len(found.unread):,} rejected rows not compared"] if found.unread else []
    head = f"differs from the broker: {found.compared - agreeing:,} of {found.compared:,}"
    return f"{head} ({', '.join(named + harmless)})"


def _difference(one: Difference) -> TieOutDifference:
    return TieOutDifference(
        one.account,
        one.session,
        one.symbol,
        one.what,
        one.theirs,
        one.ours,
        one.difference,
        one.kind,
        one.words,
    )
