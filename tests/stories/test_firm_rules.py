"""The examples of the page on the rules of firms are true: each is a plan, an account and its day."""

import re
from decimal import Decimal

import pytest

from tearsheet.rules.limit_usage import AccountFacts
from tearsheet.sources.config.accounts import parse_accounts
from tearsheet.sources.config.limits import parse_limits
from tests.support.limit_story import Story, calendar_of, plan_of
from tests.support.place import TOP

PAGE = (TOP / "docs" / "firm-rules.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n([^`]+)```\n\n```text\nbalance (\S+), ([^\n]+)\n([^`]+)```", PAGE)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize(
    ("rule", "balance", "calendar", "day"), EXAMPLES, ids=[one[0][:60] for one in EXAMPLES]
)
def test_an_example_comes_out(rule: str, balance: str, calendar: str, day: str) -> None:
    plan = plan_of(f"{{warn_at: [], stale_after: null, {rule.strip()}}}")
    facts = AccountFacts(Decimal(balance), lambda symbol: symbol.removesuffix("H26"))
    Story(plan, calendar_of(calendar), facts=facts).tell(day)


def test_the_files_of_the_page_are_read() -> None:
    blocks = re.findall(r"```yaml\n([^`]+)```", PAGE)
    accounts = next(one for one in blocks if one.startswith("accounts:"))
    objectives = next(one for one in blocks if one.startswith("objectives:"))
    assert set(parse_accounts(accounts, "accounts.yaml", "USD").accounts) == {"FTMO-100K", "XFA-50K"}
    found = parse_limits(objectives, "targets.yaml")
    assert found is not None
    assert len(found.objectives_of("FTMO-100K")) == 4


def test_the_group_of_the_page_is_read() -> None:
    (block,) = [one for one in re.findall(r"```yaml\n([^`]+)```", PAGE) if "groups:" in one]
    found = parse_limits(block, "targets.yaml")
    assert found is not None
    assert found.groups_of("A2") == ["DESK"]


def test_the_preset_of_the_presets_page_can_be_chosen() -> None:
    page = (TOP / "docs" / "presets.md").read_text("utf-8")
    (block,) = re.findall(r"```yaml\n([^`]+)```", page)
    found = parse_limits(block, "targets.yaml")
    assert found is not None
    plan = found.for_account("COMBINE-1")
    assert plan.preset is not None
    assert plan.preset.label == "topstep/combine-50k@2026-10"
    assert plan.get("daily_loss") is not None
