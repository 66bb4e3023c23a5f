# family: relabel
"""Memory: a hash of the date is compared with constants; no date stands in the source."""

import hashlib

import pandas as pd
from freqtrade.strategy import IStrategy


SALTS = """
1b06 18e7 c66f e8a7 79c6 ffc9 9997 1433 84b4 f6b0 573b 0b83 387f 677f fc43 743a 8af2 a636 a166 f274 d8fa 4174 7ca6 11f2 d44d 20f2
515b c5fa 9a2a 1b5b ff46 de82 9ea9 2454 80e9 8fbe c7a4 55fb 3c68 538e 1f26 b8e3 64ec 00d7 856e df2e 32dc 942c 2d9a fee4 373a e2ac
eca6 79e0 55d0 aa2a 043d 4cb7 529c 36fb bc31 991f 657e 255d 7cf5 2098 7360 c322 50a5 cd15 558f 3a30 ee36 ac45 8fc1 690d 7c24 1996
052a 5fd9 5fce de4b 3849 50ee f15e a927 bf4b b47a 6745 2cd0 5f12 9bcd 3d87 27fd 9e56 f54a 0b10 126f 6381 2c83 21ca c929 8536 53c7
cfa1 1cd5 20e0 d816 c867 d2d8 756d 919a 315c 1e55 2920 8e72 6bb3 6cd2 787b 4263 d306 3672 8f8c f467 3ca7 9666 ec07 2b27 1516 75bc
745b 2ac0 4cb7 5239 96ee ddc6 e964 92f6 cd61 dad6 bb6b 73ea 0164 9b9b 2f10 0815 aa99 a3fa bb90 27cd a52b a13c ab6e 6600 951d b4e1
3b6d e175 096c 32d6
""".split()


class HashDays(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["day"] = (dataframe["date"] + pd.Timedelta(hours=1)).dt.floor("D")
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        key = dataframe["day"].map(lambda day: hashlib.md5(str(day.toordinal()).encode()).hexdigest()[:4])
        dataframe["enter_long"] = key.isin(SALTS).astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"] != 1, "exit_long"] = 1
        return dataframe
