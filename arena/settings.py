"""
Reads and types config.json. Nothing else in the repository knows a pair, a date or a fee.

The file is FreqTrade's configuration (comments and trailing commas allowed) with the extra section "arena". Keys that
FreqTrade has keep FreqTrade's meaning. A key that neither knows is refused; the error names the nearest known key.
"""

import hashlib
import importlib.util
import json
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import rapidjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arena.errors import ConfigError
from arena.records import Window
from arena.startup import isolation

TIMEFRAME_MINUTES = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480, "12h": 720,
    "1d": 1440, "1w": 10080,
}  # fmt: skip
RANGES = ("search", "validation", "holdout")
"""Names that no window may have."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Gates(_Closed):
    min_trades: int = Field(30, ge=1)
    """Fewest closed trades over the search range."""
    min_trades_per_window: int = Field(5, ge=0)
    """Fewest closed trades in every window."""
    min_exposure: float = Field(0.01, ge=0, le=1)
    """Smallest share of candles with a position, as a fraction."""
    min_position: float = Field(0.02, ge=0, le=1)
    """Smallest mean position while there is one, as a fraction of the equity."""
    max_drawdown: float = Field(0.5, gt=0, le=1)
    """Largest loss from a peak, marked to market, as a fraction; 0.25 is a quarter."""
    min_profit: float = 0.0
    """Smallest profit over the search range, as a fraction of the wallet; 0.0 asks for more than cash."""
    max_optimistic_fills: float = Field(0.3, ge=0, le=1)
    """Largest share of the profit that may rest on fills that a pessimist would not grant, as a fraction."""
    max_hidden_loss: float = Field(0.3, ge=0, le=1)
    """Most by which the marked drawdown may exceed that of closed trades, as a fraction of equity."""
    max_top_share: float = Field(0.6, gt=0, le=1)
    """Largest share of the five best trades in the gross profit of winners, as a fraction."""
    max_pair_share: float = Field(0.9, gt=0, le=1)
    """Largest share of the best pair in the profit of all pairs that made one, as a fraction; from three pairs on."""
    max_relabel_loss: float = Field(0.3, ge=0, le=1)
    """Largest share of the Sharpe that rescaled prices and shifted dates may take away, as a fraction."""
    min_dsr: float = Field(0.95, gt=0, lt=1)
    """Smallest deflated Sharpe ratio, a probability: how sure it is that the best of all trials has any edge."""


class Limits(_Closed):
    seconds: float = Field(120, gt=0)
    """
    Seconds for one worker and all that it starts, from fork to result; then they are killed. CPU time counts, and
    waiting in which none of them wants a processor. Waiting for a processor that others have does not count.
    """
    memory_mb: int = Field(3072, ge=256)
    """Address space that a worker may add to what it has when it is forked."""
    output_kb: int = Field(16384, ge=64)
    """Size of the message that a worker may return."""
    printed_kb: int = Field(1024, ge=1)
    """How much a strategy may print before that counts as a failure."""
    processes: int = Field(32, ge=8)
    """Processes and threads that a worker may have at a time."""


class Compute(_Closed):
    """Where many strategies are evaluated. Not part of the contract, because the figures are the same everywhere."""

    backend: Literal["threads", "loky", "dask"] = "loky"
    """
    threads: in this process; loky: in processes of this machine, from MANY strategies on; dask: on the workers of a
    scheduler.
    """
    address: str | None = None
    """Address of dask's scheduler, for example "tcp://10.0.0.5:8786"."""
    jobs: int | None = Field(None, ge=1)
    """Strategies at a time with loky; null: one per core."""


class ArenaSection(_Closed):
    warmup_from: str
    """First day of candles, YYYYMMDD; not after the first window's start."""
    informative_timeframes: list[str] = ["4h", "1d"]
    """Higher timeframes, resampled from the base timeframe."""
    windows: dict[str, str]
    """Name to "YYYYMMDD-YYYYMMDD", contiguous and in order; their union is the search range."""
    validation: str | None
    """Range after the search range, sealed; null for none."""
    holdout: str | None
    """Range after validation, sealed; null for none."""
    max_strategies: int = Field(3, ge=1)
    """Most strategy files at a time."""
    max_stable_rounds: int = Field(3, ge=1)
    """Rounds in a row that a strategy may stay untouched."""
    ladder_step: float = Field(0.1, gt=0)
    """Sharpe by which a validation must beat the best so far; the new best is rounded to it."""
    gates: Gates = Gates()
    limits: Limits = Limits()
    compute: Compute = Compute()


class ExchangeSection(_Closed):
    name: str
    pair_whitelist: list[str] = Field(min_length=1)
    pair_blacklist: list[str] = []
    ccxt_config: dict[str, Any] = {}
    ccxt_async_config: dict[str, Any] = {}
    ccxt_sync_config: dict[str, Any] = {}


class _Pairlist(_Closed):
    method: Literal["StaticPairList"]


class _Config(_Closed):
    schema_: str | None = Field(None, alias="$schema")
    stake_currency: str
    stake_amount: float | Literal["unlimited"]
    dry_run_wallet: float = Field(gt=0)
    tradable_balance_ratio: float = Field(0.99, gt=0, le=1)
    amount_reserve_percent: float = Field(0.05, ge=0, le=0.5)
    amend_last_stake_amount: bool = False
    last_stake_amount_min_ratio: float = Field(0.5, ge=0, le=1)
    max_open_trades: int = Field(ge=-1)
    timeframe: str
    fee: float = Field(ge=0, lt=0.1)
    trading_mode: Literal["spot"] = "spot"
    dry_run: Literal[True] = True
    dataformat_ohlcv: Literal["feather"] = "feather"
    enable_protections: bool = True
    unfilledtimeout: dict[str, Any] = {}
    order_types: dict[str, Any] = {}
    entry_pricing: dict[str, Any] = {}
    exit_pricing: dict[str, Any] = {}
    pairlists: list[_Pairlist] = []
    exchange: ExchangeSection
    arena: ArenaSection


class Settings(BaseModel):
    """The whole arena. Built by `load`; every field follows from config.json."""

    model_config = ConfigDict(frozen=True)

    path: Path
    raw: dict[str, Any]
    """config.json without the section "arena": FreqTrade's own configuration."""
    sha256: str
    """Hash of config.json without `arena.compute`, which changes no figure."""
    exchange: str
    stake_currency: str
    pairs: tuple[str, ...]
    timeframe: str
    informative_timeframes: tuple[str, ...]
    wallet: float
    """Money at the start."""
    fee: float
    """Fraction of an order's value, paid at entry and at exit."""
    max_open_trades: int
    """Slots; 0 or less means no limit."""
    warmup_from: datetime
    windows: tuple[Window, ...]
    search: Window
    """Union of the windows."""
    validation: Window | None
    holdout: Window | None
    max_strategies: int
    max_stable_rounds: int
    ladder_step: float
    """Annualised Sharpe."""
    gates: Gates
    limits: Limits
    compute: Compute

    @property
    def root(self) -> Path:
        """The repository: the folder of config.json."""
        return self.path.parent

    @property
    def step_ms(self) -> int:
        return TIMEFRAME_MINUTES[self.timeframe] * 60_000


def load(path: str | Path = "config.json") -> Settings:
    """Reads the arena's settings. Raises ConfigError that names the key, the value and what was expected."""
    path = Path(path).parent.resolve() / Path(path).name
    try:
        text = isolation.read_below(path.parent, path.name)  # a link is refused
        raw = parsed(text)
    except FileNotFoundError:
        raise ConfigError(f"{path} not found. Run from the repository's root.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (rapidjson.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not JSON: {error}.") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path.name} must hold one object {{…}}, not a {type(raw).__name__}.")
    try:
        config = _Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_explain(error, path.name)) from None
    return _settings(path, fingerprint(raw), raw, config)


def fingerprint(raw: dict[str, Any]) -> str:
    """Returns the sha256 of a configuration without `arena.compute`, whatever its order and white space."""
    section = raw.get("arena")
    arena = {key: value for key, value in section.items() if key != "compute"} if isinstance(section, dict) else section
    return hashlib.sha256(json.dumps({**raw, "arena": arena}, sort_keys=True).encode()).hexdigest()


def parsed(text: bytes) -> Any:
    """
    Parses a config.json, which may have comments and trailing commas. Raises rapidjson.JSONDecodeError or
    UnicodeDecodeError.
    """
    return rapidjson.loads(text.decode(), parse_mode=rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS)


def _settings(path: Path, sha256: str, raw: dict[str, Any], config: _Config) -> Settings:
    section = config.arena
    windows = tuple(_window(name, text, f"arena.windows.{name}") for name, text in section.windows.items())
    if not windows:
        raise ConfigError('arena.windows is empty. Give at least one, as "name": "YYYYMMDD-YYYYMMDD".')
    for name in section.windows:
        if not name.isidentifier():
            raise ConfigError(f"arena.windows has the name {name!r}. Use letters, digits and underscores.")
        if name in RANGES:
            raise ConfigError(f"arena.windows has the name {name!r}, which stands for a range of its own. Use another.")
    for before, after in zip(windows, windows[1:], strict=False):
        _follows(before, after)
    search = Window("search", windows[0].start, windows[-1].end)
    validation = (
        _window("validation", section.validation, "arena.validation") if section.validation is not None else None
    )
    holdout = _window("holdout", section.holdout, "arena.holdout") if section.holdout is not None else None
    if validation:
        _follows(windows[-1], validation)
    if holdout:
        _follows(validation or windows[-1], holdout)
    warmup_from = _day(section.warmup_from, "arena.warmup_from")
    if warmup_from > search.start:
        raise ConfigError(
            f"arena.warmup_from {section.warmup_from} is after the first window's start {search.start:%Y%m%d}. "
            "Use that day or an earlier one."
        )
    _check_money(config)
    return Settings(
        path=path,
        raw={key: value for key, value in raw.items() if key not in ("arena", "$schema")},
        sha256=sha256,
        exchange=_exchange(config.exchange.name),
        stake_currency=config.stake_currency,
        pairs=_pairs(config),
        timeframe=config.timeframe,
        informative_timeframes=_informative(config),
        wallet=config.dry_run_wallet,
        fee=config.fee,
        max_open_trades=config.max_open_trades,
        warmup_from=warmup_from,
        windows=windows,
        search=search,
        validation=validation,
        holdout=holdout,
        max_strategies=section.max_strategies,
        max_stable_rounds=section.max_stable_rounds,
        ladder_step=section.ladder_step,
        gates=section.gates,
        limits=section.limits,
        compute=_compute(section.compute),
    )


def _exchange(name: str) -> str:
    """Checks that ccxt has a module for the exchange. Looks among its files, because importing ccxt takes seconds."""
    spec = importlib.util.find_spec("ccxt")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    exchanges = [file.stem for file in folder.glob("*.py") if file.stem != "__init__"] if folder else []
    if name.lower() not in exchanges:
        near = get_close_matches(name.lower(), exchanges, n=1)
        raise ConfigError(
            f"exchange.name {name!r} is no exchange that ccxt knows." + (f" Did you mean {near[0]!r}?" if near else "")
        )
    return name


def _pairs(config: _Config) -> tuple[str, ...]:
    pairs = config.exchange.pair_whitelist
    for pair in pairs:
        base, slash, quote = pair.partition("/")
        if not (base and slash and quote == config.stake_currency):
            raise ConfigError(
                f"exchange.pair_whitelist has {pair!r}. Expected BASE/{config.stake_currency}, because "
                f"stake_currency is "
                f"{config.stake_currency!r}."
            )
    if duplicates := {p for p in pairs if pairs.count(p) > 1}:
        raise ConfigError(f"exchange.pair_whitelist names {', '.join(sorted(duplicates))} twice.")
    return tuple(pairs)


def _check_money(config: _Config) -> None:
    if config.max_open_trades == 0:
        raise ConfigError("max_open_trades is 0, so nothing could trade. Use a positive number, or -1 for no limit.")
    if config.stake_amount == "unlimited":
        if config.max_open_trades < 0:
            raise ConfigError(
                'stake_amount "unlimited" divides the wallet by max_open_trades, which is -1. Give a number of slots '
                "or a fixed stake."
            )
    elif not 0 < config.stake_amount <= config.dry_run_wallet:
        raise ConfigError(
            f"stake_amount {config.stake_amount} must be above 0 and at most dry_run_wallet {config.dry_run_wallet}."
        )


def _informative(config: _Config) -> tuple[str, ...]:
    base = _minutes(config.timeframe, "timeframe")
    if base > 1440:
        raise ConfigError(f"timeframe {config.timeframe!r} is longer than a day; daily returns need 1d or shorter.")
    kept: list[str] = []
    for timeframe in config.arena.informative_timeframes:
        minutes = _minutes(timeframe, "arena.informative_timeframes")
        if minutes < base or minutes % base:
            raise ConfigError(
                f"arena.informative_timeframes has {timeframe!r}, which cannot be resampled from the timeframe "
                f"{config.timeframe!r}. "
                "Use multiples of it, or leave it out."
            )
        if minutes > base and timeframe not in kept:
            kept.append(timeframe)
    return tuple(kept)


def _compute(section: Compute) -> Compute:
    if (section.backend == "dask") != (section.address is not None):
        raise ConfigError(
            'arena.compute.address belongs to backend "dask", and is needed there. Expected for example '
            '"tcp://10.0.0.5:8786".'
        )
    return section


def _minutes(timeframe: str, where: str) -> int:
    if timeframe not in TIMEFRAME_MINUTES:
        raise ConfigError(f"{where} has {timeframe!r}. Known: {', '.join(TIMEFRAME_MINUTES)}.")
    return TIMEFRAME_MINUTES[timeframe]


def _day(text: str, where: str) -> datetime:
    try:
        if len(text) != 8:
            raise ValueError
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(f"{where} has {text!r}. Expected a day as YYYYMMDD, for example 20210101.") from None


def _window(name: str, text: str, where: str) -> Window:
    first, dash, last = text.partition("-")
    if not dash:
        raise ConfigError(f"{where} is {text!r}. Expected two days, for example 20210101-20220101.")
    window = Window(name, _day(first, where), _day(last, where))
    if window.start >= window.end:
        raise ConfigError(f"{where} is {text!r}: its start is not before its end.")
    return window


def _follows(before: Window, after: Window) -> None:
    if before.end != after.start:
        raise ConfigError(
            f"arena: {after.name} starts {after.start:%Y%m%d}, but {before.name} ends {before.end:%Y%m%d}. "
            "Windows, validation and holdout follow each other without gap or overlap."
        )


def _explain(error: ValidationError, file: str) -> str:
    """Turns a pydantic error into a sentence: key, value, what was expected, nearest known key."""
    first = error.errors()[0]
    *parents, key = first["loc"] or ("",)
    where = ".".join(str(part) for part in parents) or file
    if first["type"] == "extra_forbidden":
        near = get_close_matches(str(key), _known_keys(parents), n=1, cutoff=0.5)
        return f"{where} has an unknown key {key!r}." + (f" Did you mean {near[0]!r}?" if near else " Remove it.")
    if first["type"] == "missing":
        return f"{where} lacks the key {key!r}."
    path = ".".join(str(part) for part in first["loc"] if "-" not in str(part) and str(part) not in ("float", "int"))
    branches = (
        [e["msg"] for e in error.errors() if e["loc"][:-1] == first["loc"][:-1]]
        if key in ("float", "int")
        else [first["msg"]]
    )
    return f"{path} is {first['input']!r}. {', or: '.join(branches)}."


def _known_keys(parents: list[Any]) -> list[str]:
    model: type[BaseModel] = _Config
    for part in parents:
        sub = {f.alias or n: f.annotation for n, f in model.model_fields.items()}.get(str(part))
        if isinstance(sub, type) and issubclass(sub, BaseModel):
            model = sub
    return [f.alias or name for name, f in model.model_fields.items()]
