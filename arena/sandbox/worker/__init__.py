"""
UNTRUSTED: the only modules that share a process with strategy code.

A strategy can replace anything here while it runs. What these modules report is a claim: `arena.sandbox.validation`
checks it, and booking, replay and the checks compare it. No trusted module imports from this package.
"""
