"""What prepare.py does: take candles from a source, check, store and seal them, and write the lock."""
