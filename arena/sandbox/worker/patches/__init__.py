"""UNTRUSTED like the package above: replacements in FreqTrade that make it faster and change no decision."""
