"""Turns orders and candles into an account, marked to market: booking, replay, trades and pessimistic fills."""
