"""Start of a trusted process: isolated, importing only verified code, with a cache of compiled functions per user."""
