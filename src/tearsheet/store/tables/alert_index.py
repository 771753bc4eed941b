"""Index of the alerts file in the ledger: the newest state of every alert, and the bytes indexed so far."""

from collections.abc import Iterator

from tearsheet.store.list_values import PageCursor
from tearsheet.store.tables.columns import AlertRow
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.pages import CHUNK_ROWS, LAST_INSTANT, LAST_TEXT
from tearsheet.store.tables.query_rows import AlertChangeRow

OFFSET = "alerts_offset"


class AlertIndex:
    """Index of alerts by ID and episode, built from the alerts file."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queries = ledger.queries

    @property
    def position(self) -> int:
        """Return how many bytes of the alerts file are indexed."""
        return int(self._ledger.get(OFFSET) or 0)

    def set_position(self, offset: int) -> None:
        """Save how many bytes of the alerts file are indexed."""
        self._ledger.put(OFFSET, str(offset))

    def put(self, identity: str, episode: str, state: str, raised_us: int, body: str) -> None:
        """Save a new state of an alert."""
        row = AlertRow(id=identity, episode=episode, state=state, raised_us=raised_us, body=body)
        self._queries.execute("put_alert", row)
        self._queries.add(AlertChangeRow, [AlertChangeRow(alert_id=identity, body=body)])

    def get(self, identity: str) -> str | None:
        """Return the newest state of an alert."""
        row = self._queries.row(AlertRow, "alert", (identity,))
        return None if row is None else row.body

    def changes(self, identity: str) -> list[str]:
        """Return every state of an alert, oldest first."""
        return self._queries.values("alert_changes", (identity,))

    def latest_by_episode(self, episode: str) -> str | None:
        """Return the newest alert of an episode."""
        row = self._queries.row(AlertRow, "last_alert_of_episode", (episode,))
        return None if row is None else row.body

    def after(self, place: PageCursor | None, *, only_open: bool = False) -> Iterator[tuple[PageCursor, str]]:
        """Stream all or all open alerts after a cursor, newest first, each with its own cursor."""
        place = place or PageCursor(LAST_INSTANT, LAST_TEXT)
        name = "page_of_open_alerts" if only_open else "page_of_alerts"
        while True:
            found = self._queries.rows(AlertRow, name, (place.time_us, place.time_us, place.id, CHUNK_ROWS))
            for row in found:
                place = PageCursor(row.raised_us, row.id)
                yield place, row.body
            if len(found) < CHUNK_ROWS:
                return

    def clear(self) -> None:
        """Remove everything, because the alerts file was replaced."""
        self._queries.execute("remove_all_alerts")
        self._queries.execute("remove_all_alert_changes")
        self.set_position(0)
