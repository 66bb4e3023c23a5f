"""What prepare.py does: take candles from a source, check them, store and seal them, write the lock."""
