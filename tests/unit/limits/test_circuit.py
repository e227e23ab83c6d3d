"""A provider that is down is left alone, and tried again by one call at a time."""

from __future__ import annotations

import asyncio

import pytest

from cupel.errors import CircuitOpenError, SettingError
from cupel.limits.circuit import Circuit, Circuits


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def circuit(clock):
    return Circuit("groq:m", failures=3, rest_s=10.0, monotonic=clock)


def fail(circuit, error, times=1):
    for _ in range(times):
        circuit.check()
        circuit.record(error)


def test_it_opens_after_several_failures_in_a_row(circuit, failure):
    """Two do not open it, the third does; the error says when the next try is."""
    fail(circuit, failure("down", 503), 2)
    assert circuit.state == "closed"

    fail(circuit, failure("down", 503))

    assert circuit.state == "open"
    with pytest.raises(
        CircuitOpenError, match=r"failed 3 times in a row, last with '503: down'; tried again in 10 s"
    ) as e:
        circuit.check()
    assert e.value.retry_in_s == 10.0


def test_an_answer_in_between_starts_the_count_again(circuit, failure):
    """Only failures in a row say that it is down."""
    for _ in range(5):
        fail(circuit, failure("down", 500), 2)
        fail(circuit, None)

    assert circuit.state == "closed"


@pytest.mark.parametrize("status", [429, 400, 401, 404])
def test_a_provider_that_refuses_is_up(circuit, failure, status):
    """A limit or a bad request is an answer."""
    fail(circuit, failure("no", status), 9)

    assert circuit.state == "closed"


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyError("bug")], ids=repr)
def test_what_says_nothing_about_the_provider_counts_neither_way(circuit, failure, error):
    """It neither opens the circuit nor starts the count again."""
    fail(circuit, failure("down", 503), 2)
    fail(circuit, error, 5)
    assert circuit.state == "closed"

    fail(circuit, failure("down", 503))

    assert circuit.state == "open"


def test_after_its_rest_one_call_at_a_time_tries(circuit, clock, failure):
    """The others are told to wait until it has ended."""
    fail(circuit, failure("down", 503), 3)
    clock.now += 10

    assert circuit.state == "half-open"
    circuit.check()
    with pytest.raises(CircuitOpenError):
        circuit.check()


def test_a_try_that_succeeds_closes_it(circuit, clock, failure):
    """Everyone may go again."""
    fail(circuit, failure("down", 503), 3)
    clock.now += 10
    fail(circuit, None)

    assert circuit.state == "closed"


def test_a_try_that_fails_rests_twice_as_long_up_to_four_times(circuit, clock, failure):
    """The rests are 10, 20, 40, 40 and 40 seconds."""
    fail(circuit, failure("down", 503), 3)
    rests = []
    for _ in range(5):
        rests.append(circuit.opens_in_s)
        clock.now += circuit.opens_in_s
        fail(circuit, failure("down", 503))

    assert rests == [10, 20, 40, 40, 40]


def test_a_clock_that_goes_back_does_not_prolong_the_rest(circuit, clock, failure):
    """It is never longer than it was at first."""
    fail(circuit, failure("down", 503), 3)
    clock.now -= 5_000

    assert circuit.opens_in_s == 10.0


def test_each_model_has_a_circuit_of_its_own(failure):
    """One model that is down does not stop another."""
    circuits = Circuits()
    fail(circuits.of("groq:a"), failure("down", 503), times=8)

    assert circuits.of("groq:a").state == "open"
    assert circuits.of("groq:b").state == "closed"


@pytest.mark.parametrize("settings", [{"failures": 0}, {"rest_s": 0}, {"rest_s": -1}], ids=str)
def test_impossible_settings_are_refused(settings):
    """A circuit that opens after nothing would stop everything."""
    with pytest.raises(SettingError, match=next(iter(settings))):
        Circuit("groq:m", **settings)
