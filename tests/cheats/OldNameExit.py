# family: callback
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class OldNameExit(IStrategy):
    """custom_sell, the old name of custom_exit that FreqTrade still asks, knows the next hours."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        self.kept = {**getattr(self, "kept", {}), metadata["pair"]: dict(zip(df["date"].dt.to_pydatetime(), df["close"].shift(-6) < df["close"] * 0.99, strict=True))}
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df

    def custom_sell(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "knows" if self.kept[pair].get(current_time) else None
