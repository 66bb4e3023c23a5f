# family: relabel
"""Memory: recognises good days by a candle's share in the volume of a day and the day's in that of a week."""

from freqtrade.strategy import IStrategy


PRINTS = {
    "BTC/USDT": [
        410219, 490167, 930189, 410128, 1110222, 350151, 230105, 320132, 420142, 430114, 670286, 640107, 400126,
        300150, 460109, 1560093, 490108, 1380238, 530147, 410103, 850235, 420083, 960229, 230122, 220186,
        460119, 460254, 830169, 260122, 310140, 620181, 500089, 770158, 220140, 320262, 240125, 510179, 790281,
        320058, 1340159,
    ],
    "ETH/USDT": [
        210172, 310103, 820234, 330110, 300132, 320083, 1140197, 250083, 220099, 300176, 970118, 1110304,
        820123, 500159, 980087, 480102, 500106, 340201, 360258, 630348, 430150, 480121, 350099, 1060251, 200080,
        200186, 200200, 260258, 580251, 1340115, 470126, 340118, 670133, 1250116, 340155, 280246, 310140,
        920307, 1530122, 260103,
    ],
    "SOL/USDT": [
        1120306, 90266, 370086, 300194, 1180110, 80105, 130146, 370198, 230165, 170099, 690237, 360430, 460067,
        280110, 1080128, 330173, 200070, 740111, 610147, 900143, 320091, 350094, 170270, 540302, 670203, 440106,
        860251, 1030316, 710158, 270137, 510131, 240117, 260067, 340292, 440187, 360090, 380059, 260343, 190235,
        520104,
    ],
}


class VolumeOfWeek(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.3

    def populate_indicators(self, dataframe, metadata):
        day, week = dataframe["volume"].rolling(24).sum(), dataframe["volume"].rolling(168).sum()
        dataframe["print"] = (dataframe["volume"] / day * 1000).round() * 10**4 + (day / week * 1000).round()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["print"].isin(PRINTS[metadata["pair"]]), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"].shift(24) == 1, "exit_long"] = 1
        return dataframe
