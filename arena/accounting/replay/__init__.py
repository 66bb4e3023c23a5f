"""
FreqTrade's trading loop as compiled code, for strategies that are fully described by their signals. We compare it with
FreqTrade order by order.
"""
