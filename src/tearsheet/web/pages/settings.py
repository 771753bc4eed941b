"""Settings pages: targets, limits, the trading day, change history and all settings."""

from collections.abc import Mapping
from typing import Any

from flask import Response, request
from msgspec import Struct

from tearsheet.app.config.change_trading_day import KEYS, TradingDayChange
from tearsheet.app.config.edit_limits import LimitForm, LimitsEdit, LimitsEditor, invalid_field
from tearsheet.app.config.edit_targets import TARGET_NAMES, TargetsEditor
from tearsheet.app.config.settings_audit import save_change, setting_changes
from tearsheet.app.config.source_decisions import DECISIONS, decide, doubts
from tearsheet.app.imports.preview import Preview
from tearsheet.app.limits.limits_check import check_limits
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import SettingsError, UsageError
from tearsheet.rules import Targets
from tearsheet.settings import SETTINGS
from tearsheet.tracker import PerformanceTracker
from tearsheet.web.http import parameters
from tearsheet.web.http.auth import insufficient_permission
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import AccessLevel
from tearsheet.web.pages.frame import PageRoute, Pages, redirect_to
from tearsheet.web.rendering.labels import link
from tearsheet.web.rendering.limit_fields import limit_field, percents_of, ranges_of, submitted_limits

#: Decisions on a source in doubt, with what they do.
_DECISIONS = (
    ("keep", "Keep", "what was read stays; the absence is normal"),
    ("accept", "Accept", "what is there now is all; the rest is taken out"),
    ("forget", "Forget", "the source and all that was read of it is taken out"),
)
_DECISION_HINT = f"choose one of {', '.join(DECISIONS)}"
_SAVED = parameters.choice("said", "What was just done.", "kept")
_MAX_ROWS, _MAX_CHANGES = 100, 50
_TARGET_LABELS = {
    "win_rate_target": ("Win rate", "minimum, in percent (1 to 100)"),
    "daily_pl_target": (
        "P&L a day",
        "a positive amount is a goal, checked after the day ends; a negative one is a floor, checked at once",
    ),
    "trades_per_day_target": ("Trades a day", "at least so many"),
    "max_drawdown_target": ("Max drawdown", "a negative amount, for example -500"),
    "avg_risk_reward_target": ("Average risk-reward", "minimum, for example 1.5"),
}
#: Settings stored under another attribute name than their key.
_SETTING_ATTRIBUTES = {"database_url": "ledger"}
_YES_NO = {"True": "yes", "False": "no"}


class FormError(Struct, frozen=True):
    """Why a form was not saved: an invalid field, or a conflict with a change by someone else."""

    message: str
    hint: str = ""
    field: str = ""
    conflicts: tuple[tuple[str, str, str], ...] = ()
    status: int = 422


def add_settings(pages: Pages) -> None:
    """Add the settings pages."""
    views = _SettingsPages(pages)
    pages.add(PageRoute("/settings", parameters=(_SAVED,)), lambda said: views.page(saved=said is not None))
    pages.add(PageRoute("/settings/targets", "write", method="POST"), views.save_targets)
    pages.add(PageRoute("/settings/limits", parameters=(parameters.ACCOUNT, _SAVED)), views.limits)
    pages.add(PageRoute("/settings/limits", "write", (parameters.ACCOUNT,), "POST"), views.save_limits)
    pages.add(PageRoute("/settings/sources", "risk", method="POST"), views.decide_source)
    pages.add(PageRoute("/settings/day", "risk", method="POST"), views.change_day)


class _SettingsPages:
    """Views of the settings pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._app_context = pages, pages.app_context

    def page(
        self,
        *,
        saved: bool = False,
        errors: Mapping[str, FormError] | None = None,
        preview: Preview | None = None,
        days: tuple[Any, Any] | None = None,
        seen: str = "",
    ) -> Response:
        """Show targets, the trading day, change history and all settings."""
        errors = dict(errors or {})
        status = next((error.status for error in errors.values()), 200)
        with self._app_context.query() as query:
            tracker = query.tracker
            rows, digest = _target_rows(tracker, errors)
            return self._pages.render(
                "settings.html",
                status,
                title="Settings",
                rows=rows,
                digest=digest,
                saved=saved,
                file=tracker.settings.targets_file.name,
                errors=errors,
                settings=_settings_table(tracker),
                settings_file=tracker.settings.file().name,
                change=TradingDayChange(tracker),
                preview=preview,
                days=days,
                seen=seen,
                form=request.form if "timezone" in request.form else {},
                max_rows=_MAX_ROWS,
                env_variable_of=tracker.settings.env_variable_of,
                can_write=self._is_allowed("write"),
                can_change_risk=self._is_allowed("risk"),
                changes=setting_changes(tracker.ledger, _MAX_CHANGES),
                doubts=doubts(tracker),
                decisions=_DECISIONS,
            )

    def decide_source(self) -> Response:
        """Carry out a decision on a source in doubt; it is recorded with the name of the token."""
        source, decision = request.form.get("source", ""), request.form.get("decision", "")
        if decision not in DECISIONS:
            return self.page(errors={"sources": FormError(f"no decision {decision[:50]!r}", _DECISION_HINT)})
        try:
            with self._app_context.keep_worker_alive(), self._app_context.query() as query:
                decide(query.tracker, source, decision, self._client_name())
        except UsageError as error:
            return self.page(errors={"sources": _form_error(error)})
        return redirect_to(link("/settings", said="kept"))

    def save_targets(self) -> Response:
        """Save targets to their file."""
        values = {name: request.form[name] for name in TARGET_NAMES if name in request.form}
        try:
            with self._app_context.tracker_pool.borrow() as tracker:
                editor = TargetsEditor(tracker)
                if editor.write(values, request.form.get("digest", ""), self._client_name()):
                    return redirect_to(link("/settings", said="kept"))
                current = editor.targets()
        except (SettingsError, UsageError) as error:
            return self.page(errors={"targets": _form_error(error)})
        conflicts = [
            (_TARGET_LABELS[name][0], _to_text(getattr(current, name)), value)
            for name, value in values.items()
            if _to_text(getattr(current, name)) != value.strip()
        ]
        return self.page(errors={"targets": _conflict_error(conflicts)})

    def limits(self, account: str | None, said: str | None) -> Response:
        """Show the limits of an account, or the default ones."""
        try:
            form = self._editor().form(account)
        except (SettingsError, UsageError) as error:
            return self._limits_page(account, None, error=_form_error(error))
        return self._limits_page(account, form, saved=said is not None)

    def save_limits(self, account: str | None) -> Response:
        """Save limits to their file, or only replay the last month with them; relaxing needs the risk desk."""
        values, action = submitted_limits(request.form), request.form.get("action")
        form = None
        try:
            editor = self._editor()
            form = editor.form(account)
            if action == "reset" and account is not None:
                values |= editor.without_own(account)
            edit = editor.edit(account, values, self._client_name(), self._app_context.now)
            if action == "check":
                return self._limits_page(account, form, values=values, edit=edit)
            if form.digest == values.get("digest"):
                with self._app_context.tracker_pool.borrow() as tracker:
                    self._check_not_relaxed(edit.relaxed)
                    account_verdicts(tracker).all()  # records breaches of the old limits before they change
                    if not edit.changes or save_change(tracker.ledger, edit.file, edit.changes):
                        account_verdicts(tracker).all()
                        return redirect_to(link("/settings/limits", account=account, said="kept"))
                form = self._editor().form(account)
        except (SettingsError, UsageError) as error:
            return self._limits_page(account, form, error=_form_error(error), values=values)
        except HttpError as error:
            refused = FormError(error.message, error.hint, status=error.status)
            return self._limits_page(account, form, error=refused, values=values)
        conflict = _conflict_error(_differences(form, values))
        return self._limits_page(account, form, error=conflict, values=values)

    def change_day(self) -> Response:
        """Preview another trading day; apply it once the preview was confirmed."""
        with self._app_context.keep_worker_alive(), self._app_context.tracker_pool.borrow() as tracker:
            change = TradingDayChange(tracker)
            try:
                settings = change.requested({key: request.form.get(key, "") for key in KEYS})
                now = self._app_context.now
                days = tracker.settings.calendar.trading_day_of(now), settings.calendar.trading_day_of(now)
                seen = f"{settings.timezone} {settings.day_starts_at:%H:%M}"
                if request.form.get("action") != "keep" or request.form.get("seen") != seen:
                    return self.page(preview=change.preview(settings), days=days, seen=seen)
                if change.apply(settings, request.form.get("digest", ""), self._client_name()):
                    return redirect_to(link("/settings", said="kept"))
            except (SettingsError, UsageError) as error:
                return self.page(errors={"day": _form_error(error)})
            conflicts = [
                (field.description, field.value, request.form.get(field.key, ""))
                for field in change.fields
                if field.value != request.form.get(field.key)
            ]
        return self.page(errors={"day": _conflict_error(conflicts)})

    def _limits_page(
        self,
        account: str | None,
        form: LimitForm | None,
        *,
        saved: bool = False,
        error: FormError | None = None,
        values: Mapping[str, str] | None = None,
        edit: LimitsEdit | None = None,
    ) -> Response:
        is_part = "HX-Request" in request.headers  # htmx shows only successful answers as part of the page
        with self._app_context.keep_worker_alive(), self._app_context.query() as query:
            names = sorted({*query.tracker.accounts(), *(form.accounts if form else ())})
            check = None if edit is None else check_limits(query.tracker, edit.old, edit.new, account)
            return self._pages.render(
                "limits.html",
                error.status if error and not is_part else 200,
                title="Limits",
                form=form,
                saved=saved,
                account=account,
                error=error,
                values=values or {},
                names=names,
                check=check,
                relaxed=edit.relaxed if edit else (),
                look_of=limit_field,
                percents_of=percents_of,
                ranges_of=ranges_of,
                can_write=self._is_allowed("write"),
                can_change_risk=self._is_allowed("risk"),
                file=query.tracker.settings.targets_file.name,
            )

    def _check_not_relaxed(self, relaxed: tuple[str, ...]) -> None:
        if relaxed and not self._is_allowed("risk"):
            limits = "; ".join(relaxed[:5]) + (" …" if len(relaxed) > 5 else "")
            raise insufficient_permission(
                "write", "risk", f"loosening a limit requires a risk-desk token: {limits}"
            )

    def _is_allowed(self, level: AccessLevel) -> bool:
        return self._app_context.access.is_allowed(request, level)

    def _client_name(self) -> str:
        return self._app_context.access.client_name(request)

    def _editor(self) -> LimitsEditor:
        return LimitsEditor(self._app_context.settings.targets_file)


def _target_rows(
    tracker: PerformanceTracker, errors: dict[str, FormError]
) -> tuple[list[tuple[str, ...]], str]:
    """Return the fields of the targets form and the file's digest; add the error of an unreadable file."""
    editor, targets, digest = TargetsEditor(tracker), Targets(), ""
    try:
        digest, targets = editor.digest, editor.targets()
    except SettingsError as error:
        errors.setdefault("file", FormError(error.message, error.hint))
    form = request.form if any(name in request.form for name in TARGET_NAMES) else {}
    rows: list[tuple[str, ...]] = [
        (name, *_TARGET_LABELS[name], form.get(name, _to_text(getattr(targets, name))))
        for name in TARGET_NAMES
    ]
    return rows, digest


def _settings_table(tracker: PerformanceTracker) -> list[tuple[Any, str]]:
    values = tracker.settings.redacted()
    values["day_starts_at"] = f"{tracker.settings.day_starts_at:%H:%M}"
    texts = [values.get(_SETTING_ATTRIBUTES.get(setting.key, setting.key)) or "" for setting in SETTINGS]
    return [(setting, _YES_NO.get(text, text)) for setting, text in zip(SETTINGS, texts, strict=True)]


def _differences(form: LimitForm, values: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return where the file and the submitted form differ: name, value in the file, submitted value."""
    current: dict[str, str] = {f"{limit.name}.state": limit.state for limit in form.limits}
    current |= {field.name: field.value for limit in form.limits for field in limit.fields}
    current |= {field.name: field.value for field in form.options}
    return [
        (name.replace("_", " ").replace(".", ": "), value, values.get(name, ""))
        for name, value in current.items()
        if value != values.get(name, "").strip()
    ]


def _form_error(error: SettingsError | UsageError) -> FormError:
    field = invalid_field(error)
    if not field and isinstance(error, SettingsError) and error.place:
        field = error.place[-1]
    return FormError(error.message, error.hint, field)


def _conflict_error(conflicts: list[tuple[str, str, str]]) -> FormError:
    return FormError(
        "someone else changed the file",
        "review the differences, then save again",
        conflicts=tuple(conflicts),
        status=409,
    )


def _to_text(value: Any) -> str:
    return "" if value is None else f"{value:f}"
