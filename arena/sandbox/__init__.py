"""The trusted side of the workers in which strategy code runs: start them, send candles, check what they answer."""
