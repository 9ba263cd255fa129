"""Data contracts: Great Expectations suites, declared as data, validated in a process of their own.

A room declares its contract as a list of ``Expectation`` (the type and arguments of a Great
Expectations expectation). Importing Great Expectations takes seconds and a quarter of a gigabyte,
so a single worker process imports it, beside the work, and only when a table has changed.
"""

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .contract_server import connect
from .errors import ContractError
from .processes import end_with_starter, release_memory


@dataclass(frozen=True)
class Expectation:
    """One clause of a contract.

    Attributes:
        name: the name of the check in the Dagster UI.
        type: the expectation in Great Expectations' own spelling, e.g.
            ``expect_column_values_to_be_unique``.
        kwargs: its arguments.
        why: what goes wrong downstream when it does not hold.
        severity: ``error`` stops what comes after it, ``warn`` is only shown.
    """

    name: str
    type: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    severity: Literal["error", "warn"] = "error"


@dataclass(frozen=True)
class Outcome:
    """What became of one expectation.

    Attributes:
        name: the expectation's name.
        passed: whether it holds.
        unexpected: how many rows break it (0 where it is not about rows).
        examples: a few values that break it.
        error: why it could not be evaluated, if so; such an outcome never passes.
    """

    name: str
    passed: bool
    unexpected: int = 0
    examples: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Validation:
    """The outcomes of one contract on one table."""

    outcomes: tuple[Outcome, ...]
    rows: int
    seconds: float


def unique(column: str, why: str) -> Expectation:
    """Every value of ``column`` occurs once."""
    return Expectation(
        f"{column}_unique", "expect_column_values_to_be_unique", {"column": column}, why
    )


def not_null(column: str, why: str) -> Expectation:
    """``column`` has no nulls."""
    return Expectation(
        f"{column}_not_null", "expect_column_values_to_not_be_null", {"column": column}, why
    )


def in_set(column: str, values: Sequence[str], why: str) -> Expectation:
    """Every value of ``column`` is one of ``values``."""
    kwargs = {"column": column, "value_set": list(values)}
    return Expectation(f"{column}_known", "expect_column_values_to_be_in_set", kwargs, why)


def matches(column: str, regex: str, why: str) -> Expectation:
    """Every value of ``column`` that is not null matches ``regex`` from its start."""
    kwargs = {"column": column, "regex": regex}
    return Expectation(f"{column}_form", "expect_column_values_to_match_regex", kwargs, why)


def between(column: str, low: float | None, high: float | None, why: str) -> Expectation:
    """Every value of ``column`` that is not null lies between ``low`` and ``high``, both included."""
    kwargs = {"column": column, "min_value": low, "max_value": high}
    return Expectation(f"{column}_range", "expect_column_values_to_be_between", kwargs, why)


def columns_are(columns: Sequence[str], why: str) -> Expectation:
    """The table has exactly these columns."""
    kwargs = {"column_set": list(columns), "exact_match": True}
    return Expectation("columns", "expect_table_columns_to_match_set", kwargs, why)


class ContractRunner:
    """Validates tables in another process: the contract server, or a worker of its own.

    Call ``warm_up`` early: the import of Great Expectations then overlaps with other work.
    """

    def __init__(self) -> None:
        self._process: Any = None
        self._pipe: Any = None

    def warm_up(self, *, own: bool = False) -> None:
        """Connect to the contract server; where there is none, start a worker without waiting for it.

        Args:
            own: start a worker in any case.
        """
        if self._pipe is None and not own:
            self._pipe = connect()
        if self._pipe is None:
            from multiprocessing import get_context

            spawn = get_context("spawn")
            self._pipe, theirs = spawn.Pipe()
            self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()

    def validate(self, table: Path | bytes, contract: Sequence[Expectation]) -> Validation:
        """Validate a Parquet table (a path or its bytes) against a contract.

        Raises:
            ContractError: the validation itself failed, e.g. the table cannot be read.
        """
        for attempt in (1, 2):
            self.warm_up(own=attempt == 2)
            try:
                self._pipe.send((table, tuple(contract)))
                answer: Validation | str = self._pipe.recv()
                break
            except (EOFError, OSError) as error:
                # the worker was killed (memory, operator): one fresh worker, then give up
                self.close()
                if attempt == 2:
                    raise ContractError(
                        "The process that validates data contracts died twice.",
                        "It may need more memory; materialize the asset's check again.",
                    ) from error
        if isinstance(answer, str):
            raise ContractError(
                f"A data contract could not be evaluated: {answer}.", "See the log."
            )
        return answer

    def close(self) -> None:
        """End the worker at once: it holds nothing, and its orderly end takes a second."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


def _serve(pipe: Any) -> None:
    """The worker: import first, then answer until the other end is closed."""
    end_with_starter()
    import_great_expectations()
    answer_requests(pipe)


def import_great_expectations() -> None:
    """Import the library in a process that does nothing else; it takes seconds."""
    _quiet()
    import multiprocessing

    # tqdm makes a semaphore when it is imported; made the fork way it leaves nothing to clean up
    multiprocessing.set_start_method("fork", force=True)
    import great_expectations  # noqa: F401


def rehearse() -> None:
    """Validate a table of one row, so that what libraries load at first use is loaded.

    Polars is imported and not used: its threads would not survive a fork.
    """
    import pandas as pd
    import polars  # noqa: F401
    import pyarrow  # noqa: F401

    columns = columns_are(["id"], ""), unique("id", ""), not_null("id", ""), matches("id", "a", "")
    _validate_frame(pd.DataFrame({"id": ["a"]}), columns)


def answer_requests(pipe: Any) -> None:
    """Validate what comes through a pipe, until its other end is closed."""
    while True:
        try:
            table, contract = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(validate_table(table, contract))
        except Exception as error:  # noqa: BLE001 - whatever it is, the run is told
            pipe.send(f"{type(error).__name__}: {error}")
        release_memory()


def _quiet() -> None:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")


def validate_table(table: Path | bytes, contract: Sequence[Expectation]) -> Validation:
    """Run a contract on a Parquet table in this process; see ``ContractRunner.validate``."""
    import io

    import polars as pl

    started = time.perf_counter()
    source: Any = io.BytesIO(table) if isinstance(table, bytes) else table
    stored = list(pl.read_parquet_schema(source))
    mentioned = " ".join(str(item.kwargs) for item in contract if "column_set" not in item.kwargs)
    if isinstance(source, io.BytesIO):
        source.seek(0)
    present = [name for name in stored if re.search(rf"\b{re.escape(name)}\b", mentioned)]
    frame = pl.read_parquet(source, columns=present or stored[:1])
    # columns nobody looks at are only named: their content would cost memory for nothing
    frame = frame.with_columns(
        pl.lit(None).alias(name) for name in stored if name not in frame.columns
    )
    outcomes = _validate_frame(frame.to_pandas(), contract)
    return Validation(tuple(outcomes), frame.height, time.perf_counter() - started)


def _validate_frame(frame: Any, contract: Sequence[Expectation]) -> list[Outcome]:
    _quiet()
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = gx.data_context.types.base.ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("tables").add_dataframe_asset("table")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite(
        name="contract",
        expectations=[
            {"type": item.type, "kwargs": item.kwargs, "meta": {"name": item.name}}
            for item in contract
        ],
    )
    results = {
        result.expectation_config.meta["name"]: result
        for result in batch.validate(suite, result_format="SUMMARY").results
    }
    return [_outcome(item, results.get(item.name)) for item in contract]


def _outcome(item: Expectation, result: Any) -> Outcome:
    if result is None:
        return Outcome(item.name, passed=False, error="Great Expectations returned no result")
    raised = (result.exception_info or {}).get("raised_exception")
    if raised is None:  # one entry per metric
        entries = [entry for entry in result.exception_info.values() if isinstance(entry, dict)]
        error = "; ".join(str(entry.get("exception_message", "")) for entry in entries)
    else:
        error = str(result.exception_info.get("exception_message") or "") if raised else ""
    detail = result.result or {}
    examples = tuple(str(value) for value in (detail.get("partial_unexpected_list") or [])[:5])
    unexpected = int(detail.get("unexpected_count") or 0)
    return Outcome(item.name, bool(result.success) and not error, unexpected, examples, error)
