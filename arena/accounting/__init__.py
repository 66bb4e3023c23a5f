"""Orders and candles to an account, marked to market: booking, replay, trades and a pessimist's fills."""
