"""Pure statistics: metrics of an account, evidence against luck, the ladder, the gates and the test on the holdout."""
