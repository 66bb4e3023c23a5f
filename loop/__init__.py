"""
What drive.py runs: agents that propose strategies, and the loop that evaluates, keeps and records. Not part of the
contract.
"""
