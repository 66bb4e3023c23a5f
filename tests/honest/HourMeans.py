import numpy as np
from freqtrade.strategy import IStrategy


class HourMeans(IStrategy):
    """Adaptive seasonality: hours whose last sixty returns were good on average, each mean ending the day before."""

    timeframe = "1h"
    startup_candle_count = 400
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        hour = (dataframe["date"].dt.hour + 1) % 24  # of the candle in which the order would be filled
        returns = np.log(dataframe["close"] / dataframe["close"].shift(1))
        past = returns.groupby(dataframe["date"].dt.hour).transform(lambda hourly: hourly.rolling(60, min_periods=30).mean())
        table = past.to_frame("mean").assign(hour=dataframe["date"].dt.hour)
        for wanted in range(24):
            latest = table["mean"].where(table["hour"] == wanted).ffill()
            dataframe.loc[hour == wanted, "expected"] = latest[hour == wanted]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["expected"] > 0.003, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["expected"] < -0.0005, "exit_long"] = 1
        return dataframe
