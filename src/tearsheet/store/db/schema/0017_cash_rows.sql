-- Money of accounts that no instrument causes, which every summary names beside its results.
CREATE INDEX fill_cash ON fill (time_us) WHERE event IN ('credit_interest', 'margin_interest', 'data_fee', 'account_fee', 'withholding_tax', 'deposit', 'withdrawal', 'payout', 'transfer', 'adjustment', 'credit', 'conversion', 'conversion_fee');
