"""The settings pages: targets, limits, the trading day, what was changed by whom, and everything that is set."""

from collections.abc import Mapping
from typing import Any

from flask import Response, redirect, request
from msgspec import Struct

from tearsheet.app.config.change_trading_day import KEYS, TradingDayChange
from tearsheet.app.config.edit_limits import LimitForm, LimitsEditor, invalid_field
from tearsheet.app.config.edit_targets import TARGET_NAMES, TargetsEditor
from tearsheet.app.config.settings_audit import save_change, setting_changes
from tearsheet.app.imports.preview import Preview
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import SettingsError, UsageError
from tearsheet.rules import Targets
from tearsheet.settings import SETTINGS
from tearsheet.tracker import PerformanceTracker
from tearsheet.web.http import parameters
from tearsheet.web.http.auth import insufficient_permission
from tearsheet.web.http.errors import HttpError
from tearsheet.web.pages.frame import PageRoute, Pages, link

_SAVED = parameters.choice("said", "What was just done.", "kept")
_MOST_SHOWN, _MOST_CHANGES = 100, 50
_TARGET_LABELS = {
    "win_rate_target": ("Win rate", "percent of closed trades, 1 to 100"),
    "daily_pl_target": ("P&L a day", "money; a negative one is a floor, judged at once"),
    "trades_per_day_target": ("Trades a day", "at least so many"),
    "max_drawdown_target": ("Max drawdown", "money not above 0, such as -500"),
    "avg_risk_reward_target": ("Average risk-reward", "planned, such as 1.5"),
}
#: Settings that are kept under another name than they are written.
_SETTING_KEYS = {"database_url": "ledger"}


class FormError(Struct, frozen=True):
    """Why nothing was kept: the field that is wrong, or what somebody else did meanwhile."""

    message: str
    hint: str = ""
    field: str = ""
    conflicts: tuple[tuple[str, str, str], ...] = ()
    is_conflict: bool = False

    @property
    def status(self) -> int:
        """The status of the page that says so."""
        return 409 if self.is_conflict else 422


def add_settings(pages: Pages) -> None:
    """Add the settings pages."""
    views = _SettingsPages(pages)
    pages.add(PageRoute("/settings", parameters=(_SAVED,)), lambda said: views.page(said))
    pages.add(PageRoute("/settings/targets", "write", method="POST"), views.write_targets)
    pages.add(PageRoute("/settings/limits", parameters=(parameters.ACCOUNT, _SAVED)), views.limits)
    pages.add(PageRoute("/settings/limits", "write", (parameters.ACCOUNT,), "POST"), views.write_limits)
    pages.add(PageRoute("/settings/day", "risk", method="POST"), views.write_day)


class _SettingsPages:
    """What the addresses of the settings pages answer."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._served = pages, pages.served

    def page(
        self,
        said: str | None = None,
        trouble: Mapping[str, FormError] | None = None,
        preview: Preview | None = None,
        days: tuple[Any, Any] | None = None,
        seen: str = "",
    ) -> Response:
        """Targets, the trading day, changes, and everything that is set."""
        trouble = dict(trouble or {})
        status = next((one.status for one in trouble.values()), 200)
        with self._served.query() as asked:
            tracker = asked.tracker
            rows, digest = self._target_rows(tracker, trouble)
            change = TradingDayChange(tracker)
            shown = tracker.settings.redacted()
            shown["day_starts_at"] = f"{tracker.settings.day_starts_at:%H:%M}"
            table = [(s, _yes_no(shown.get(_SETTING_KEYS.get(s.key, s.key)))) for s in SETTINGS]
            return self._pages.render(
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
                may_desk=self._is_allowed("risk"),
                changes=setting_changes(tracker.ledger, _MOST_CHANGES),
                accounts=(),
                given={},
            )

    def _target_rows(
        self, tracker: PerformanceTracker, trouble: dict[str, FormError]
    ) -> tuple[list[tuple[str, ...]], str]:
        promises, targets = TargetsEditor(tracker), Targets()
        digest = ""
        try:
            digest, targets = promises.digest, promises.targets()
        except SettingsError as error:
            trouble.setdefault("file", FormError(error.message, error.hint))
        form = request.form if any(name in request.form for name in TARGET_NAMES) else {}
        rows: list[tuple[str, ...]] = [
            (name, *_TARGET_LABELS[name], form.get(name, _to_text(getattr(targets, name))))
            for name in TARGET_NAMES
        ]
        return rows, digest

    def write_targets(self) -> Response:
        """Put targets into the file."""
        values = {name: request.form[name] for name in TARGET_NAMES if name in request.form}
        try:
            with self._served.trackers.borrow() as tracker:
                promises = TargetsEditor(tracker)
                if promises.write(values, request.form.get("digest", ""), self._client_name()):
                    return _redirect(link("/settings", said="kept"))
                now = promises.targets()
        except (SettingsError, UsageError) as error:
            return self.page(trouble={"targets": _form_error(error)})
        differ = [
            (_TARGET_LABELS[name][0], _to_text(getattr(now, name)), values[name])
            for name in values
            if _to_text(getattr(now, name)) != values[name].strip()
        ]
        return self.page(trouble={"targets": _conflict_error(differ)})

    def limits(self, account: str | None, said: str | None) -> Response:
        """The limits of an account, or of all that have none of their own."""
        try:
            form = self._editor().form(account)
        except (SettingsError, UsageError) as error:
            return self._limits_page(account, None, said, _form_error(error))
        return self._limits_page(account, form, said)

    def write_limits(self, account: str | None) -> Response:
        """Put limits into the file; to loosen one needs more than to tighten it."""
        given = request.form.to_dict()
        form = None
        try:
            desk = self._editor()
            form = desk.form(account)
            if form.digest == given.get("digest"):
                with self._served.trackers.borrow() as tracker:
                    wish = desk.edit(account, given, self._client_name(), self._served.now)
                    self._check_not_relaxed(wish.relaxed)
                    account_verdicts(tracker).all()  # what is broken by now is kept by the old limits
                    if not wish.changes or save_change(tracker.ledger, wish.file, wish.changes):
                        account_verdicts(tracker).all()
                        return _redirect(link("/settings/limits", account=account, said="kept"))
                form = self._editor().form(account)
        except (SettingsError, UsageError) as error:
            return self._limits_page(account, form, None, _form_error(error), given)
        return self._limits_page(account, form, None, _conflict_error(_differences(form, given)), given)

    def write_day(self) -> Response:
        """Show what another calendar would change; then, with a yes, change it."""
        with self._served.keep_worker_alive(), self._served.trackers.borrow() as tracker:
            change = TradingDayChange(tracker)
            try:
                wanted = change.requested({key: request.form.get(key, "") for key in KEYS})
                now = self._served.now
                days = tracker.settings.calendar.trading_day_of(now), wanted.calendar.trading_day_of(now)
                seen = f"{wanted.timezone} {wanted.day_starts_at:%H:%M}"
                if request.form.get("action") != "keep" or request.form.get("seen") != seen:
                    return self.page(preview=change.preview(wanted), days=days, seen=seen)
                if change.apply(wanted, request.form.get("digest", ""), self._client_name()):
                    return _redirect(link("/settings", said="kept"))
            except (SettingsError, UsageError) as error:
                return self.page(trouble={"day": _form_error(error)})
            differ = [
                (one.description, one.value, request.form.get(one.key, ""))
                for one in change.fields
                if one.value != request.form.get(one.key)
            ]
        return self.page(trouble={"day": _conflict_error(differ)})

    def _limits_page(
        self,
        account: str | None,
        form: LimitForm | None,
        said: str | None,
        trouble: FormError | None = None,
        given: Mapping[str, str] | None = None,
    ) -> Response:
        with self._served.query() as asked:
            names = sorted({*asked.tracker.accounts(), *(form.accounts if form else ())})
            return self._pages.render(
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
                may_desk=self._is_allowed("risk"),
                file=asked.tracker.settings.targets_file.name,
                accounts=(),
                given={},
            )

    def _check_not_relaxed(self, looser: tuple[str, ...]) -> None:
        if looser and not self._is_allowed("risk"):
            told = "; ".join(looser[:5]) + (" …" if len(looser) > 5 else "")
            raise insufficient_permission("write", "risk", f"only the risk desk may loosen a limit: {told}")

    def _is_allowed(self, level: Any) -> bool:
        return self._served.access.is_allowed(request, level)

    def _client_name(self) -> str:
        return self._served.access.client_name(request)

    def _editor(self) -> LimitsEditor:
        return LimitsEditor(self._served.settings.targets_file)


def _differences(form: LimitForm, given: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Where the file as it is now and the form as it was sent say different things."""
    now: dict[str, str] = {f"{limit.name}.state": limit.state for limit in form.limits}
    now |= {f.name: f.value for limit in form.limits for f in limit.fields}
    now |= {field.name: field.value for field in form.options}
    return [
        (name.replace("_", " ").replace(".", ": "), value, given.get(name, ""))
        for name, value in now.items()
        if value != given.get(name, "").strip()
    ]


def _form_error(error: SettingsError | UsageError) -> FormError:
    field = invalid_field(error)
    if not field and isinstance(error, SettingsError) and error.place:
        field = error.place[-1]
    return FormError(error.message, error.hint, field)


def _conflict_error(differ: list[tuple[str, str, str]]) -> FormError:
    return FormError(
        "the file was changed by somebody else meanwhile",
        "look at what differs, and keep yours again if it is still right",
        conflicts=tuple(differ),
        is_conflict=True,
    )


def _yes_no(value: str | None) -> str:
    return {None: "", "True": "yes", "False": "no"}.get(value, value or "")


def _to_text(value: Any) -> str:
    return "" if value is None else f"{value:f}"


def _redirect(address: str) -> Response:
    response = redirect(address, 303)
    if not isinstance(response, Response):
        raise HttpError(500, "the page to go on to is not known")
    return response
