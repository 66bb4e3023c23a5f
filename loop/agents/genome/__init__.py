"""
Strategies as genomes over a small grammar of rules: drawn, changed, mixed, simplified, and written out as readable
files.
"""
