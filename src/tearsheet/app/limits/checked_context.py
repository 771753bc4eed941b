"""Ledger context that evaluates the limits of an account whenever its fills or marks change."""

from tearsheet.app.context import LedgerContext


class CheckedContext(LedgerContext):
    """Ledger context that evaluates the limits inside the transaction of each change."""

    def on_commit(self, accounts: frozenset[str]) -> None:
        """Evaluate the limits of the changed accounts; store new breaches in the same transaction."""
        if accounts and (self.ledger.get("limits") or self.settings.targets_file.exists()):
            # deferred: the import costs 15 ms, which a ledger without limits does not need
            from tearsheet.app.limits.verdicts import account_verdicts

            account_verdicts(self).evaluate(accounts)
        queries = self.ledger.queries
        if queries.exists("any_agreed") or queries.exists("any_contradiction"):
            self.after_commit(self._recheck)

    def _recheck(self) -> None:
        """Compare with the changed books again what statements contradicted, and what an undo may have changed."""
        # deferred: few ledgers have such a statement
        from tearsheet.app.reconcile.kept_tie_out import has_taken_back, recheck, recheck_agreed

        if has_taken_back(self):
            recheck_agreed(self)
        elif self.ledger.queries.exists("any_contradiction"):
            recheck(self)
