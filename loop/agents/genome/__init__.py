"""
Strategies as genomes over a small grammar of rules: how to draw, change, mix, simplify and write them as readable
files.
"""
