# family: lookahead
from freqtrade.strategy import IStrategy


class LookZigzag(IStrategy):
    """A zigzag's turning points are entered at the extreme, not where the reversal confirms them."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["turn"] = 0
        close, last, side = df["close"].to_numpy(), 0, 1
        for i in range(1, len(close)):
            if (close[i] - close[last]) * side > 0:
                last = i
            elif (close[last] - close[i]) * side > 0.06 * close[last]:
                df.loc[last, "turn"] = -side
                last, side = i, -side
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["turn"] == 1), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["turn"] == -1), "exit_long"] = 1
        return df
