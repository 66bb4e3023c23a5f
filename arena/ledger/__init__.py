"""Permanent records: trials in the ledger, the lock of data and code, strategy files, and the agent's results.tsv."""
