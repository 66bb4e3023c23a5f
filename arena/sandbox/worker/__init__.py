"""
UNTRUSTED: the only modules that share a process with strategy code.

A strategy can replace anything here while it runs. What these modules tell is a claim, which `arena.sandbox.validation`
checks and booking, replay and the checks compare. Nothing trusted imports from this package.
"""
