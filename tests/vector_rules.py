"""Runs the limits and objectives of a vector through a real ledger and the HTTP API, event by event.

The clock stands where each event says. After each event the limits that the verdict shows are those of the
vector: state, floor, level, value, threshold and headroom; at the end so are the objectives.
"""

import io
import json
import os
from collections.abc import Mapping
from contextlib import chdir, redirect_stdout
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tearsheet.cli import EXIT_OK, main
from tearsheet.settings import Settings
from tearsheet.web.app import create_application

Json = dict[str, Any]
_RULES = ("limits", "groups", "objectives")
#: Ratios of a vector are rounded after ten decimals.
_CLOSE = Decimal("1e-9")
_EXACT = ("level", "floor", "value", "threshold", "headroom")


def has_rules(given: Mapping[str, Any]) -> bool:
    """Return whether a vector states limits or objectives."""
    return any(given.get(part) for part in _RULES)


def rules(stated: Json, folder: Path) -> list[str]:
    """Return what is wrong with the limits and objectives of a vector."""
    given, expected = stated["input"], stated["expected"]
    place = _Service(folder, given)
    wrong: list[str] = []
    after = {one["n"]: one for one in expected.get("after", ())}
    with place:
        for n, event in enumerate(given["events"], 1):
            place.happen(n, event)
            for owner, limits in (after.get(n, {}).get("limits") or {}).items():
                found = place.limits(owner)
                for name, right in limits.items():
                    have = {key: value for key, value in found.get(name, {}).items() if key in right}
                    if have != {key: _number(key, value) for key, value in right.items()}:
                        wrong.append(f"after {n} {owner} {name}: {_plain(have)}, right {right}")
        for account, objectives in (expected.get("objectives") or {}).items():
            found = place.objectives(account)
            for name, right in objectives.items():
                have = {key: value for key, value in found.get(name, {}).items() if key in right}
                if not _is_same(have, right):
                    wrong.append(f"objective {account} {name}: {_plain(have)}, right {right}")
    return wrong


class _Service:
    """The HTTP API on a ledger of its own, with a clock that is put where an event says."""

    def __init__(self, folder: Path, given: Json) -> None:
        self._folder, self._given = folder, given
        self._now = datetime(2020, 1, 1, tzinfo=UTC)
        (folder / "config").mkdir(exist_ok=True)
        self._write_rules()

    def __enter__(self) -> "_Service":
        os.environ["DATABASE_URL"] = f"sqlite:///{self._folder}/rules.db"
        accounts = self._folder / "accounts.yaml"
        accounts.write_text(json.dumps({"accounts": self._accounts()}))
        with chdir(self._folder), redirect_stdout(io.StringIO()):
            assert main(["accounts", "set", str(accounts)]) == EXIT_OK
        settings = Settings.load(folder=self._folder)
        self._app = create_application(settings, lambda: self._now)
        self._client = self._app.test_client()
        return self

    def __exit__(self, *_: object) -> None:
        self._app.extensions["tearsheet"].tracker_pool.discard()

    def _write_rules(self) -> None:
        given = self._given
        limits: Json = {"default": {"stale_after": "null", "warn_at": "[]"}}
        limits["accounts"] = {
            account: {name: self._rule(account, name, rule) for name, rule in own.items()}
            for account, own in given.get("limits", {}).items()
        }
        limits["groups"] = {
            group: {
                "stale_after": "null",
                "warn_at": [],
                **{name: self._rule(group, name, rule) for name, rule in own.items()},
            }
            for group, own in given.get("groups", {}).items()
        }
        limits["default"] = {"stale_after": "null", "warn_at": []}
        content = {"limits": limits, "objectives": {"accounts": given.get("objectives", {})}}
        file = self._folder / "config" / "dashboard-targets.yaml"
        file.write_text(json.dumps(content))

    def _rule(self, owner: str, name: str, rule: Any) -> Any:
        """Return a rule as the limits file writes it."""
        if name == "max_drawdown":
            return {"kind": "trailing", **rule}
        if name != "no_trading":
            return rule
        rows = [f"{one['at']},{' '.join(one.get('symbols', []))},news" for one in rule["windows"]]
        news = self._folder / f"news-{owner}.csv"
        news.write_text("\n".join(["at,symbols,title", *rows]) + "\n")
        margins = {side: f"{rule[f'{side}_minutes']}m" for side in ("before", "after")}
        return {"calendar": str(news), **margins}

    def _accounts(self) -> Json:
        common = self._given.get("settings", {})
        return {
            account: {
                "currency": own.get("currency", "USD"),
                "starting_balance": own.get("starting_balance", {}),
                "timezone": own.get("timezone", common.get("timezone", "UTC")),
                "day_starts_at": own.get("day_starts_at", common.get("day_starts_at", "00:00")),
            }
            for account, own in self._given["accounts"].items()
        }

    def happen(self, n: int, event: Json) -> None:
        """Let an event happen, and let every account be heard."""
        if "time" in event:
            self._now = max(self._now, datetime.fromisoformat(event["time"]))
        kind = event["type"]
        if kind == "fill":
            fill = self._fill(n, event)
            if "leg" in event:  # a file states it, a post does not
                self._import(n, {**fill, "position_side": event["leg"]})
            else:
                self._post_json("/api/fills", fill)
        elif kind == "mark":
            self._post_json("/api/marks", {key: event[key] for key in ("symbol", "price", "time")})
        elif kind == "cash":
            self._import(n, {key: event[key] for key in _CASH if key in event})
        for account in self._given["accounts"]:
            self._post_json("/api/risk/heartbeats", {"account": account})

    def _import(self, n: int, row: Json) -> None:
        text = f"{','.join(row)}\n{','.join(map(str, row.values()))}\n"
        upload = {"file": (io.BytesIO(text.encode()), f"event-{n}.csv")}
        answer = self._client.post("/api/import", data=upload, content_type="multipart/form-data")
        if answer.status_code >= 300 or answer.json["data"]["rejected"]:
            raise AssertionError(f"event {n}: {answer.status_code} {answer.text[:300]}")

    def _fill(self, n: int, event: Json) -> Json:
        fill = {key: event[key] for key in ("account", "symbol", "time", "quantity", "price")}
        fill |= {"side": event["side"].upper(), "commission": event.get("fee", "0")}
        return fill | {"fill_id": event.get("id", f"event-{n}")}

    def _post_json(self, path: str, content: Json) -> None:
        self._post(path, json.dumps(content).encode(), "application/json")

    def _post(self, path: str, body: bytes, kind: str) -> None:
        answer = self._client.post(path, data=body, content_type=kind)
        if answer.status_code >= 300:
            raise AssertionError(f"{path}: {answer.status_code} {answer.text[:900]}")

    def _get(self, path: str, account: str) -> Json:
        answer = self._client.get(path, query_string={"account": account})
        if answer.status_code != 200:
            raise AssertionError(f"{path}: {answer.status_code} {answer.text[:900]}")
        found: Json = json.loads(answer.data, parse_float=Decimal, parse_int=Decimal)["data"]
        return found

    def limits(self, owner: str) -> dict[str, Json]:
        """Return the limits of an account or group, by the names of a vector."""
        return {view["name"]: _limit(view) for view in self._get("/api/risk/verdict", owner)["limits"]}

    def objectives(self, account: str) -> dict[str, Json]:
        """Return the objectives of an account, by the names of a vector."""
        return {
            view["name"]: {**view, "best_day": view["best"]}
            for view in self._get("/api/risk/status", account)["objectives"]
        }


_CASH = ("account", "time", "kind", "currency", "amount", "symbol", "leg", "ex_date", "id")


def _limit(view: Json) -> Json:
    found = {key: _number(key, view[key]) for key in ("threshold", "headroom", "floor", "value")}
    found |= {"state": view["level"], "level": _number("level", view["standing"])}
    if found["floor"] is not None and found["level"] is not None:
        # a vector tells a gain as a value below 0
        found["value"] = found["floor"] + found["threshold"] - found["level"]
    return found


def _number(key: str, value: Any) -> Any:
    return Decimal(value) if key in _EXACT and value is not None else value


def _is_same(have: Json, right: Json) -> bool:
    if have.keys() != right.keys():
        return False
    for key, value in right.items():
        if key in ("state", "reason"):
            if have[key] != value:
                return False
        elif have[key] is None or abs(Decimal(have[key]) - Decimal(value)) > _CLOSE:
            return False
    return True


def _plain(found: Json) -> Json:
    return {key: str(value) if isinstance(value, Decimal) else value for key, value in found.items()}
