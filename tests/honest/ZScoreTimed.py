from datetime import datetime, timedelta

import pandas as pd
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy


class ZScoreTimed(IStrategy):
    """Mean reversion: z-score of the log price, left after a day and a half by custom_exit, sooner when it pays."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 1}
    stoploss = -0.15

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict) -> pd.DataFrame:
        close = dataframe["close"]
        score = (close - close.rolling(72).mean()) / close.rolling(72).std()
        quiet = close.pct_change().rolling(24).std() < 0.03
        columns = pd.DataFrame({"score": score, "quiet": quiet}, index=dataframe.index)
        return pd.concat([dataframe, columns], axis=1)

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict) -> pd.DataFrame:
        dataframe.loc[(dataframe["score"] < -2) & dataframe["quiet"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict) -> pd.DataFrame:
        dataframe["exit_long"] = 0
        return dataframe

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, current_profit: float, **kwargs
    ) -> str | bool | None:
        age = current_time - trade.open_date_utc
        if age >= timedelta(hours=36):
            return "too old"
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        if age >= timedelta(hours=2) and dataframe.iloc[-1]["score"] > 0 and current_profit > 0.002:
            return f"back at the mean after {age.total_seconds() / 3600:.0f} h"
        return None
