"""
What people read: blocks, the round, tables of trades, FreqTrade's own result files. Nothing here computes a figure that
a gate uses.
"""
