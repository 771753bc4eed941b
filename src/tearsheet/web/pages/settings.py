"""The settings pages: targets, limits, the trading day, what was changed by whom, and everything that is set."""

from collections.abc import Mapping
from typing import Any

from flask import Response, redirect, request
from msgspec import Struct

from tearsheet.app.config.change_trading_day import CalendarChange
from tearsheet.app.config.edit_limits import LimitForm, LimitsDesk, refused_field
from tearsheet.app.config.edit_targets import NAMES, Promises
from tearsheet.app.config.settings_audit import keep_change, setting_changes
from tearsheet.app.imports.preview import Preview
from tearsheet.app.limits.verdicts import verdicts_of
from tearsheet.errors import SettingsError, UsageError
from tearsheet.rules import Targets
from tearsheet.settings import SETTINGS
from tearsheet.tracker import PerformanceTracker
from tearsheet.web.http import parameters
from tearsheet.web.http.auth import too_little
from tearsheet.web.http.errors import Refused
from tearsheet.web.pages.frame import Page, Pages, link

_SAID = parameters.choice("said", "What was just done.", "kept")
_MOST_SHOWN, _MOST_CHANGES = 100, 50
_WORDS = {
    "win_rate_target": ("Win rate", "percent of closed trades, 1 to 100"),
    "daily_pl_target": ("P&L a day", "money; a negative one is a floor, judged at once"),
    "trades_per_day_target": ("Trades a day", "at least so many"),
    "max_drawdown_target": ("Max drawdown", "money not above 0, such as -500"),
    "avg_risk_reward_target": ("Average risk-reward", "planned, such as 1.5"),
}
#: Settings that are kept under another name than they are written.
_SETTING_KEYS = {"database_url": "ledger"}


class Trouble(Struct, frozen=True):
    """Why nothing was kept: the field that is wrong, or what somebody else did meanwhile."""

    message: str
    hint: str = ""
    field: str = ""
    meanwhile: tuple[tuple[str, str, str], ...] = ()
    is_conflict: bool = False

    @property
    def status(self) -> int:
        """The status of the page that says so."""
        return 409 if self.is_conflict else 422


def add_adjusting(pages: Pages) -> None:
    """Add the settings pages."""
    views = _SettingsPages(pages)
    pages.add(Page("/settings", parameters=(_SAID,)), lambda said: views.page(said))
    pages.add(Page("/settings/targets", "write", method="POST"), views.write_targets)
    pages.add(Page("/settings/limits", parameters=(parameters.ACCOUNT, _SAID)), views.limits)
    pages.add(Page("/settings/limits", "write", (parameters.ACCOUNT,), "POST"), views.write_limits)
    pages.add(Page("/settings/day", "desk", method="POST"), views.write_day)


class _SettingsPages:
    """What the addresses of the settings pages answer."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._served = pages, pages.served

    def page(
        self,
        said: str | None = None,
        trouble: Mapping[str, Trouble] | None = None,
        preview: Preview | None = None,
        days: tuple[Any, Any] | None = None,
        seen: str = "",
    ) -> Response:
        """Targets, the trading day, changes, and everything that is set."""
        trouble = dict(trouble or {})
        status = next((one.status for one in trouble.values()), 200)
        with self._served.asked() as asked:
            tracker = asked.tracker
            rows, digest = self._targets(tracker, trouble)
            change = CalendarChange(tracker)
            shown = tracker.settings.redacted()
            shown["day_starts_at"] = f"{tracker.settings.day_starts_at:%H:%M}"
            table = [(s, _yes_no(shown.get(_SETTING_KEYS.get(s.key, s.key)))) for s in SETTINGS]
            return self._pages.shown(
                "settings.html",
                status,
                title="Settings",
                rows=rows,
                digest=digest,
                said=said,
                file=tracker.settings.targets_file.name,
                trouble=trouble,
                table=table,
                settings_file=tracker.settings.file().name,
                change=change,
                preview=preview,
                days=days,
                seen=seen,
                form=request.form if "timezone" in request.form else {},
                most=_MOST_SHOWN,
                variable=tracker.settings.env_variable_of,
                may=self._is_allowed("write"),
                may_desk=self._is_allowed("desk"),
                changes=setting_changes(tracker.ledger, _MOST_CHANGES),
                accounts=(),
                given={},
            )

    def _targets(
        self, tracker: PerformanceTracker, trouble: dict[str, Trouble]
    ) -> tuple[list[tuple[str, ...]], str]:
        promises, targets = Promises(tracker), Targets()
        digest = ""
        try:
            digest, targets = promises.digest, promises.targets()
        except SettingsError as error:
            trouble.setdefault("file", Trouble(error.message, error.hint))
        form = request.form if any(name in request.form for name in NAMES) else {}
        rows: list[tuple[str, ...]] = [
            (name, *_WORDS[name], form.get(name, _to_text(getattr(targets, name)))) for name in NAMES
        ]
        return rows, digest

    def write_targets(self) -> Response:
        """Put targets into the file."""
        values = {name: request.form[name] for name in NAMES if name in request.form}
        try:
            with self._served.trackers.lent() as tracker:
                promises = Promises(tracker)
                if promises.write(values, request.form.get("digest", ""), self._who()):
                    return _to(link("/settings", said="kept"))
                now = promises.targets()
        except (SettingsError, UsageError) as error:
            return self.page(trouble={"targets": _trouble(error)})
        differ = [
            (_WORDS[name][0], _to_text(getattr(now, name)), values[name])
            for name in values
            if _to_text(getattr(now, name)) != values[name].strip()
        ]
        return self.page(trouble={"targets": _conflict_error(differ)})

    def limits(self, account: str | None, said: str | None) -> Response:
        """The limits of an account, or of all that have none of their own."""
        try:
            form = self._editor().form(account)
        except (SettingsError, UsageError) as error:
            return self._limits_page(account, None, said, _trouble(error))
        return self._limits_page(account, form, said)

    def write_limits(self, account: str | None) -> Response:
        """Put limits into the file; to loosen one needs more than to tighten it."""
        given = request.form.to_dict()
        form = None
        try:
            desk = self._editor()
            form = desk.form(account)
            if form.digest == given.get("digest"):
                with self._served.trackers.lent() as tracker:
                    wish = desk.wish(account, given, self._who(), self._served.now)
                    self._check_not_relaxed(wish.looser)
                    verdicts_of(tracker).all()  # what is broken by now is kept by the old limits
                    if not wish.changes or keep_change(tracker.ledger, wish.file, wish.changes):
                        verdicts_of(tracker).all()
                        return _to(link("/settings/limits", account=account, said="kept"))
                form = self._editor().form(account)
        except (SettingsError, UsageError) as error:
            return self._limits_page(account, form, None, _trouble(error), given)
        return self._limits_page(account, form, None, _conflict_error(_differences(form, given)), given)

    def write_day(self) -> Response:
        """Show what another calendar would change; then, with a yes, change it."""
        with self._served.at_work(), self._served.trackers.lent() as tracker:
            change = CalendarChange(tracker)
            try:
                wanted = change.wanted(request.form)
                now = self._served.now
                days = tracker.settings.calendar.trading_day_of(now), wanted.calendar.trading_day_of(now)
                seen = f"{wanted.timezone} {wanted.day_starts_at:%H:%M}"
                if request.form.get("action") != "keep" or request.form.get("seen") != seen:
                    return self.page(preview=change.tried(wanted), days=days, seen=seen)
                if change.keep(wanted, request.form.get("digest", ""), self._who()):
                    return _to(link("/settings", said="kept"))
            except (SettingsError, UsageError) as error:
                return self.page(trouble={"day": _trouble(error)})
            differ = [
                (one.words, one.value, request.form.get(one.key, ""))
                for one in change.fields
                if one.value != request.form.get(one.key)
            ]
        return self.page(trouble={"day": _conflict_error(differ)})

    def _limits_page(
        self,
        account: str | None,
        form: LimitForm | None,
        said: str | None,
        trouble: Trouble | None = None,
        given: Mapping[str, str] | None = None,
    ) -> Response:
        with self._served.asked() as asked:
            names = sorted({*asked.tracker.accounts(), *(form.accounts if form else ())})
            return self._pages.shown(
                "limits.html",
                trouble.status if trouble else 200,
                title="Limits",
                form=form,
                said=said,
                account=account,
                trouble=trouble,
                filled=given or {},
                names=names,
                may=self._is_allowed("write"),
                may_desk=self._is_allowed("desk"),
                file=asked.tracker.settings.targets_file.name,
                accounts=(),
                given={},
            )

    def _check_not_relaxed(self, looser: tuple[str, ...]) -> None:
        if looser and not self._is_allowed("desk"):
            told = "; ".join(looser[:5]) + (" …" if len(looser) > 5 else "")
            raise too_little("write", "desk", f"only the risk desk may loosen a limit: {told}")

    def _is_allowed(self, level: Any) -> bool:
        return self._served.access.allows(request, level)

    def _who(self) -> str:
        return self._served.access.name_of(request)

    def _editor(self) -> LimitsDesk:
        return LimitsDesk(self._served.settings.targets_file)


def _differences(form: LimitForm, given: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Where the file as it is now and the form as it was sent say different things."""
    now: dict[str, str] = {f"{limit.name}.state": limit.state for limit in form.limits}
    now |= {f.name: f.value for limit in form.limits for f in limit.fields}
    now |= {field.name: field.value for field in form.terms}
    return [
        (name.replace("_", " ").replace(".", ": "), value, given.get(name, ""))
        for name, value in now.items()
        if value != given.get(name, "").strip()
    ]


def _trouble(error: SettingsError | UsageError) -> Trouble:
    field = refused_field(error)
    if not field and isinstance(error, SettingsError) and error.place:
        field = error.place[-1]
    return Trouble(error.message, error.hint, field)


def _conflict_error(differ: list[tuple[str, str, str]]) -> Trouble:
    return Trouble(
        "the file was changed by somebody else meanwhile",
        "look at what differs, and keep yours again if it is still right",
        meanwhile=tuple(differ),
        is_conflict=True,
    )


def _yes_no(value: str | None) -> str:
    return {None: "", "True": "yes", "False": "no"}.get(value, value or "")


def _to_text(value: Any) -> str:
    return "" if value is None else f"{value:f}"


def _to(address: str) -> Response:
    response = redirect(address, 303)
    if not isinstance(response, Response):
        raise Refused(500, "the page to go on to is not known")
    return response
