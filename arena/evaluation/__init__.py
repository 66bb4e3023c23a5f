"""One strategy file in, one Result out: the context that evaluations share, the account, all figures, and the batch."""
