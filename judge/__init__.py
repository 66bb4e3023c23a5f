"""
What judge.py does: open the holdout, archive a run, verify it, follow archived strategies on later candles.

Not part of the contract's hash. `arena.stats.holdout_test` decides the verdicts.
"""
