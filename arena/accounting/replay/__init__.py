"""
FreqTrade's trading loop as compiled code, for strategies that their signals describe. Held against FreqTrade order by
order.
"""
