"""What a notebook shows: a ledger in one line, a tear sheet in a frame, a chart as SVG; no script anywhere."""

from html import escape
from pathlib import Path

from msgspec import Struct

from tearsheet.export.files import write_file
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.words import format_number


class Report(Struct, frozen=True):
    """A tear sheet as text: HTML that needs no other file, or Markdown."""

    text: str
    is_html: bool

    def write(self, path: Path) -> Path:
        """Write it atomically and return the path. Raises InputError."""
        return write_file(path, self.text.encode()).path

    def _repr_html_(self) -> str:
        if not self.is_html:
            return f"<pre>{escape(self.text)}</pre>"
        return (
            '<iframe sandbox="" style="width:100%;height:900px;border:0" '
            f'srcdoc="{escape(self.text, quote=True)}"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<tearsheet report, {len(self.text):,} characters>" if self.is_html else self.text


class Chart(Struct, frozen=True):
    """A picture as SVG."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<tearsheet chart, {len(self.svg):,} characters of SVG>"


def ledger_html(name: str, summary: PerformanceSummary | None) -> str:
    """Return a ledger in one line: scope, revision, trades, net, partial or complete."""
    if summary is None:
        return f"<p>{escape(name)}</p>"
    trades, net = summary.value("total_trades"), summary.value("net_pnl")
    parts = [
        f"<b>{escape(name)}</b>",
        escape(f"{summary.scope.label}, {summary.window.label}"),
        f"{trades:,} trades",
        f"net {escape(format_number(net))} {escape(summary.currency)}",
        f"revision {summary.freshness.revision}",
        "partial" if summary.partial else "complete",
    ]
    reasons = "; ".join(f"{reason.code}: {reason.detail}" for reason in summary.partial_reasons)
    return f"<p>{' · '.join(parts)}</p>" + (f"<p>{escape(reasons)}</p>" if reasons else "")
