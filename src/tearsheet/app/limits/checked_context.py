"""A context that checks the limits of an account whenever its fills or marks change."""

from tearsheet.app.context import LedgerContext


class CheckedContext(LedgerContext):
    """A ledger context whose changes are checked against the limits, in their own transactions."""

    def on_commit(self, accounts: frozenset[str]) -> None:
        """Evaluate the limits of the accounts that a transaction changes, and store new breaches with it."""
        if accounts and (self.ledger.get("limits") or self.settings.targets_file.exists()):
            # 15 ms of imports that a ledger without limits does not need
            from tearsheet.app.limits.verdicts import account_verdicts

            account_verdicts(self).evaluate(accounts)
