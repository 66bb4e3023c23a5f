"""
Turns one strategy file into one Result: the context that evaluations share, the account, all figures, and the batch.
"""
