"""The arena's candles: frames, tables, pair metadata, sealed files, alternative scenarios, and buy and hold."""
