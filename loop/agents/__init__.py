"""Agents that propose strategies: language models, programs, genetic search, recorded runs."""
