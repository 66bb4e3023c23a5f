from freqtrade.strategy import IStrategy


class BtcLeads(IStrategy):
    """Cross-pair: ETH and SOL follow a strong closed hour of BTC, a basket of two; a closed candle confirms the entry."""

    timeframe = "1h"
    startup_candle_count = 48
    pair_basket = ["ETH/USDT", "SOL/USDT"]
    minimal_roi = {"0": 0.04, "480": 0}
    stoploss = -0.05

    def informative_pairs(self):
        return [("BTC/USDT", "1h")]

    def populate_indicators(self, dataframe, metadata):
        btc = self.dp.get_pair_dataframe("BTC/USDT", "1h")[["date", "close"]].rename(columns={"close": "btc"})
        dataframe = dataframe.merge(btc, on="date", how="left")
        dataframe["btc"] = dataframe["btc"].ffill()
        dataframe["lead"] = dataframe["btc"].pct_change(3)
        dataframe["usual"] = dataframe["volume"].rolling(24).mean()
        dataframe["own"] = dataframe["close"].pct_change(3)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["lead"] > 0.015) & (dataframe["own"] < dataframe["lead"]), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["lead"] < -0.01, "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        if len(dataframe) < 1:
            return False
        last = dataframe.iloc[-1]
        return rate <= last["close"] * 1.01 and last["volume"] > last["usual"]
