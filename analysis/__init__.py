"""
Pictures of a run, from ledger, results.tsv and git. This package computes no figure of its own and is not part of the
contract.
"""
