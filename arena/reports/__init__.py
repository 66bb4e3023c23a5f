"""
What people read: blocks, the round, tables of trades, FreqTrade's own result files. No figure is computed here that a
gate uses.
"""
