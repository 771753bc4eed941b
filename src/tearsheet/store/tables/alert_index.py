"""The ledger's index of the alerts file: the last state of every alert, and how far it was read."""

from collections.abc import Iterator

from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.pages import AT_ONCE, LAST_INSTANT, LAST_TEXT, PageCursor

OFFSET = "alerts_offset"


class AlertIndex:
    """Looks alerts up by id and episode; filled from the alerts file."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @property
    def position(self) -> int:
        """How many bytes of the alerts file are in the index."""
        return int(self._ledger.get(OFFSET) or 0)

    def set_position(self, offset: int) -> None:
        """Remember how far the alerts file was read."""
        self._ledger.put(OFFSET, str(offset))

    def put(self, identity: str, episode: str, state: str, raised_us: int, body: str) -> None:
        """Keep the newest state of an alert."""
        self._ledger.queries.execute("put_alert", (identity, episode, state, raised_us, body))
        self._ledger.queries.execute("add_alert_change", (identity, body))

    def get(self, identity: str) -> str | None:
        """The newest state of an alert by its id."""
        row = self._ledger.queries.fetch_one("alert", (identity,))
        return None if row is None else str(row[1])

    def changes(self, identity: str) -> list[str]:
        """Every state that an alert was in, the first one first."""
        return [body for (body,) in self._ledger.queries.execute("alert_changes", (identity,))]

    def latest_by_episode(self, episode: str) -> str | None:
        """The newest alert of an episode's key."""
        row = self._ledger.queries.fetch_one("last_alert_of_episode", (episode,))
        return None if row is None else str(row[2])

    def after(self, place: PageCursor | None, *, only_open: bool = False) -> Iterator[tuple[PageCursor, str]]:
        """All alerts after a place, or those not over yet, newest first, each with its own place."""
        place = place or PageCursor(LAST_INSTANT, LAST_TEXT)
        name = "page_of_open_alerts" if only_open else "page_of_alerts"
        while True:
            bounds = (place.time_us, place.time_us, place.id, AT_ONCE)
            found = self._ledger.queries.execute(name, bounds).fetchall()
            for raised_us, identity, body in found:
                place = PageCursor(raised_us, identity)
                yield place, body
            if len(found) < AT_ONCE:
                return

    def clear(self) -> None:
        """Forget everything, because the alerts file was replaced."""
        self._ledger.queries.execute("remove_all_alerts")
        self._ledger.queries.execute("remove_all_alert_changes")
        self.set_position(0)
