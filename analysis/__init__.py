"""
Pictures of a run, from ledger, results.tsv and git. Nothing here computes a figure of its own, and nothing is part of
the contract.
"""
