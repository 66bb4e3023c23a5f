"""
How a trusted process starts: in isolation, importing only verified code, with compiled functions kept for the user.
"""
