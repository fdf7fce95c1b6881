from hypothesis import given
from hypothesis import strategies as st

from tts.breaker import Breaker, BreakerPolicy, BreakerState

POLICY = BreakerPolicy(failures=3, window_s=60.0, recovery_s=30.0)


def failed(*times_s: float) -> Breaker:
    breaker = Breaker(policy=POLICY)
    for at_s in times_s:
        breaker = breaker.failed(at_s)
    return breaker


def test_it_starts_closed() -> None:
    assert Breaker(policy=POLICY).state(0) is BreakerState.CLOSED


def test_enough_failures_within_the_window_open_it() -> None:
    breaker = failed(0, 10, 20)

    assert breaker.state(20) is BreakerState.OPEN
    assert not breaker.allows(20)


def test_failures_spread_over_more_than_the_window_leave_it_closed() -> None:
    assert failed(0, 40, 80, 120).state(120) is BreakerState.CLOSED


def test_successes_in_between_do_not_hide_failures() -> None:
    breaker = failed(0, 10).succeeded(15).failed(20)

    assert breaker.state(20) is BreakerState.OPEN


def test_after_the_recovery_time_one_trial_may_go() -> None:
    breaker = failed(0, 0, 0)

    assert not breaker.allows(29.9)
    assert breaker.state(30) is BreakerState.HALF_OPEN
    assert breaker.allows(30)
    assert not breaker.asked(30).allows(31)


def test_a_trial_that_succeeds_closes_it_with_a_clean_record() -> None:
    breaker = failed(0, 0, 0).asked(30).succeeded(31)

    assert breaker.state(31) is BreakerState.CLOSED
    assert breaker.failed(31).failed(31).state(31) is BreakerState.CLOSED


def test_an_answer_to_a_call_from_before_neither_closes_it_nor_opens_it_for_longer() -> None:
    breaker = failed(0, 0, 0)

    assert breaker.succeeded(5) == breaker
    assert breaker.failed(29).state(30) is BreakerState.HALF_OPEN


def test_a_trial_that_fails_opens_it_for_another_recovery_time() -> None:
    breaker = failed(0, 0, 0).asked(30).failed(32)

    assert breaker.state(61) is BreakerState.OPEN
    assert breaker.state(62) is BreakerState.HALF_OPEN


def test_a_trial_that_found_no_room_may_be_repeated_at_once() -> None:
    breaker = failed(0, 0, 0).asked(30).undecided()

    assert breaker.state(31) is BreakerState.HALF_OPEN
    assert breaker.allows(31)


def test_a_trial_that_never_reported_back_does_not_block_for_ever() -> None:
    assert failed(0, 0, 0).asked(30).allows(60)


@given(st.lists(st.tuples(st.sampled_from(["ask", "ok", "fail"]), st.integers(0, 20)), max_size=40))
def test_whatever_happens_it_allows_a_call_again_in_time(events: list[tuple[str, int]]) -> None:
    breaker, now_s = Breaker(policy=POLICY), 0.0
    for event, wait_s in events:
        now_s += wait_s
        match event:
            case "ask" if breaker.allows(now_s):
                breaker = breaker.asked(now_s)
            case "ok":
                breaker = breaker.succeeded(now_s)
            case "fail":
                breaker = breaker.failed(now_s)

    assert breaker.allows(now_s + POLICY.recovery_s)
