"""What replaces FreqTrade's helpers gives FreqTrade's results."""

import copy
from datetime import UTC, datetime

import pytest
from conftest import CI
from freqtrade.persistence import LocalTrade, Order
from freqtrade.persistence.usedb_context import disable_database_use
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.sandbox.worker.patches import fast_trades

ORIGINAL = LocalTrade.calc_close_trade_value


def trade(amount=2.5, fee=0.001, short=False):
    disable_database_use("1h")
    made = LocalTrade(
        id=7, pair="BTC/USDT", stake_currency="USDT", open_rate=100.0, stake_amount=250.0, amount=amount, fee_open=fee,
        fee_close=fee, open_date=datetime(2021, 1, 1, tzinfo=UTC), is_open=True, exchange="binance", is_short=short,
        leverage=1.0, orders=[],
    )  # fmt: skip
    order = Order(
        id=1, ft_trade_id=7, order_id="1", ft_order_side="buy", side="buy", ft_pair="BTC/USDT", symbol="BTC/USDT",
        ft_is_open=False, order_date=datetime(2021, 1, 1, tzinfo=UTC), ft_price=100.0, price=100.0, average=100.0,
        amount=amount, filled=amount, remaining=0.0, status="closed", order_type="limit", cost=250.0,
    )  # fmt: skip
    order._trade_bt = made
    made.orders.append(order)
    return made


FLOATS = (
    st.floats(1e-9, 1e9) | st.floats(0, 1e300, allow_subnormal=True) | st.integers(0, 10**6).map(lambda n: n / 1000)
)


@settings(max_examples=500 if CI else 100, deadline=None)
@given(amount=FLOATS, rate=FLOATS, fee=st.sampled_from([0.0, 0.001, 0.00075, 0.1]) | st.floats(0, 0.5))
def test_the_close_value_is_freqtrades_bit_for_bit(amount, rate, fee):
    one = trade(amount or 1.0, fee)
    assert fast_trades.calc_close_trade_value(one, rate) == ORIGINAL(one, rate)
    assert fast_trades.calc_close_trade_value(one, rate, amount) == ORIGINAL(one, rate, amount)


def test_what_the_quick_way_does_not_cover_goes_to_freqtrade():
    short = trade(short=True)
    assert fast_trades.calc_close_trade_value(short, 101.0) == ORIGINAL(short, 101.0) > 252.5
    with pytest.raises(ValueError):
        fast_trades.calc_close_trade_value(trade(), float("nan"))


def test_a_copied_trade_has_the_values_of_a_deep_copy():
    one = trade()
    quick, deep = fast_trades.copy_trade(one), copy.deepcopy(one)
    same = {name: value for name, value in deep.__dict__.items() if name != "orders"}
    assert {name: value for name, value in quick.__dict__.items() if name != "orders"} == same
    fields = [name for name in deep.orders[0].__dict__ if name not in ("_sa_instance_state", "_trade_bt")]
    assert [getattr(quick.orders[0], name) for name in fields] == [getattr(deep.orders[0], name) for name in fields]
    assert quick.orders[0]._trade_bt is quick
    assert quick.nr_of_successful_entries == one.nr_of_successful_entries == 1


def test_nothing_that_a_callback_changes_reaches_the_original():
    one = trade()
    one.notes = {"levels": [1]}
    copied = fast_trades.copy_trade(one)
    copied.amount = 99.0
    copied.notes["levels"].append(2)
    copied.orders[0].ft_price = 1.0
    copied.orders.append("more")
    assert (one.amount, one.notes, one.orders[0].ft_price, len(one.orders)) == (2.5, {"levels": [1]}, 100.0, 1)


def test_what_is_no_trade_is_copied_as_ever():
    thing = {"a": [1]}
    copied = fast_trades.copy_trade(thing)
    assert copied == thing
    assert copied["a"] is not thing["a"]
