"""
What drive.py runs: agents that propose strategies, and the loop that evaluates, keeps and writes down. No part of the
contract.
"""
