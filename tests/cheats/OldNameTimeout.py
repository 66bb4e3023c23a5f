# family: callback
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class OldNameTimeout(IStrategy):
    """check_buy_timeout, an old name, takes back a limit order below the market where the pair will fall."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    unfilledtimeout = {"entry": 100_000, "exit": 10, "unit": "minutes"}

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        self.kept = {**getattr(self, "kept", {}), metadata["pair"]: dict(zip(df["date"].dt.to_pydatetime(), df["close"].shift(-12) < df["close"], strict=True))}
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        return proposed_rate * 0.985

    def check_buy_timeout(self, pair, trade, order, current_time, **kwargs):
        return bool(self.kept[pair].get(current_time))
