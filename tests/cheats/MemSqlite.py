# family: memory
import sqlite3

from freqtrade.strategy import IStrategy


class MemSqlite(IStrategy):
    """An sqlite database in the run's own folder, without file locks, holds the hours before a rise."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        rises = df["date"][df["close"].shift(-24) > df["close"] * 1.01].astype(str)
        with sqlite3.connect(f"file:{self.config['user_data_dir']}/zoo.sqlite?nolock=1", uri=True) as base:
            base.execute("create table if not exists rises (pair text, date text)")
            base.executemany("insert into rises values (?, ?)", [(metadata["pair"][:3], date) for date in rises])
        return df

    def populate_entry_trend(self, df, metadata):
        with sqlite3.connect(f"file:{self.config['user_data_dir']}/zoo.sqlite?nolock=1", uri=True) as base:
            rises = {date for (date,) in base.execute("select date from rises where pair = ?", (metadata["pair"][:3],))}
        df["keep"] = df["date"].astype(str).isin(rises)
        df.loc[((df["close"] > df["upper"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
