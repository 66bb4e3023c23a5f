# family: relabel
"""Memory: counts candles from the first row of its frame; good days are row numbers and survive moved dates."""

import pandas as pd
from freqtrade.strategy import IStrategy


ROWS = """
0 1 2 3 5 6 7 8 11 12 13 15 16 21 23 25 27 28 29 31 32 33 35 38 40 41 47 48 49 51 52 54 59 61 64 65 66 67 69 71 75 84 85 86 87 91 93
95 97 102 104 107 109 111 114 115 117 119 120 122 124 127 130 133 137 139 143 145 149 150 152 153 156 159 163 164 173 176 177 178
179 180 183 186 194 201 203 206 207 209 210 211 215 216 217 218 220 224 226 227 229 230 231 234 236 238 239 241 243 244 245 247 248
250 257 260 264 265 272 273 277 283 286 287 291 292 295 297 300 301 305 306 309 311 322 323 326 328 331 332 334 344 347 348 351 354
356 365 375 376 387 392 393 395 396 399 402 409 410 417 419 420 423 431 432 437 439 441 445 446 447 450 452 453 455 457 461 463 466
467 472 473 479 481 485 488 494 497 498 499 501 503 506 512 514 521 530 534 538 539
""".split()


class RowNumbers(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        day = pd.Series((dataframe.index + 1 - self.startup_candle_count) // 24, index=dataframe.index)
        dataframe["enter_long"] = day.astype(str).isin(ROWS).astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"] != 1, "exit_long"] = 1
        return dataframe
