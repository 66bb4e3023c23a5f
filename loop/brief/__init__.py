"""
What a person wants of a run: read, checked, asked for, turned into bounds of the grammar, compared with proposals.
"""
