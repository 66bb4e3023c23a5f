"""The trusted side of the workers that run strategy code: it starts them, sends candles and checks their answers."""
