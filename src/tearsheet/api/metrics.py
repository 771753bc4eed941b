"""The metrics of a summary by name, each with its sample size and the reason why it is undefined."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from tearsheet.api.packing import pack_chunks
from tearsheet.api.table import Table
from tearsheet.app import arguments
from tearsheet.app.analysis.table_columns import METRIC_COLUMNS
from tearsheet.errors import UsageError
from tearsheet.performance.metric import METRICS, MetricScalar, MetricValue
from tearsheet.trade.amount import to_plain_string


class UnknownMetricError(UsageError, AttributeError, KeyError):
    """A metric that does not exist, however it was asked for."""


class SummaryMetrics(Mapping[str, MetricValue]):
    """Metrics of a summary: `["sharpe"]` and `.sharpe` are its value, sample size and reason."""

    def __init__(self, values: Mapping[str, MetricValue], of: str) -> None:
        self._values, self._of = values, of

    def __getitem__(self, name: str) -> MetricValue:
        if name not in self._values:
            raise UnknownMetricError(f"no metric {name!r}", arguments.nearest(name, self._values))
        return self._values[name]

    def __getattr__(self, name: str) -> MetricValue:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def table(self) -> Table:
        """Return a row for each metric: its value as a float and as exact text, unit, sample size, reason."""
        rows = [
            (name, _number(one.value), _text(one.value), METRICS[name].unit, one.n, one.reason)
            for name, one in self._values.items()
        ]
        return Table("metrics", METRIC_COLUMNS, pack_chunks(METRIC_COLUMNS, rows), self._of)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _number(value: MetricScalar) -> Decimal | float | int | None:
    return None if isinstance(value, str) else value


def _text(value: MetricScalar) -> str | None:
    if isinstance(value, Decimal):
        return to_plain_string(value)
    return None if value is None else repr(value) if isinstance(value, float) else str(value)
