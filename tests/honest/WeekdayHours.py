from datetime import timedelta

from freqtrade.strategy import IStrategy

HELD = timedelta(hours=20)


class WeekdayHours(IStrategy):
    """Seasonality: Mondays and Thursdays in the evening, UTC, left after twenty hours."""

    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 10}
    stoploss = -0.08

    def populate_indicators(self, dataframe, metadata):
        dataframe["weekday"] = dataframe["date"].dt.dayofweek
        dataframe["hour"] = dataframe["date"].dt.hour
        dataframe["range"] = (dataframe["high"] - dataframe["low"]).rolling(24).mean() / dataframe["close"]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        when = dataframe["weekday"].isin([0, 3]) & (dataframe["hour"] == 20)
        dataframe.loc[when & (dataframe["range"] < 0.03), ["enter_long", "enter_tag"]] = (1, "evening")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        if current_time.weekday() == 4 and current_time.hour >= 22:
            return "weekend"
        return "held" if current_time - trade.open_date_utc > HELD and trade.enter_tag == "evening" else None
