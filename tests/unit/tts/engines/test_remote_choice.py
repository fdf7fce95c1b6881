from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tts.engines.remote.choice import HealthPolicy, Standing, choose, shortest_wait_s

POLICY = HealthPolicy(rest_s=5.0, rest_max_s=60.0, full_max_s=30.0)

standings = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(
        Standing,
        in_flight=st.integers(0, 40),
        failures=st.integers(0, 5),
        rests_until_s=st.floats(0, 200),
        full_until_s=st.floats(0, 200),
    ),
    min_size=1,
)
moments = st.floats(0, 250)


def failed_times(times: int, *, at_s: float = 0.0) -> Standing:
    standing = Standing()
    for _ in range(times):
        standing = standing.failed(max(at_s, standing.rests_until_s), POLICY)
    return standing


@given(standings, moments)
def test_no_other_free_server_in_health_has_less_to_do(known: dict[str, Standing], now_s: float) -> None:
    chosen = choose(known, known, now_s)

    healthy = [s for s in known.values() if not s.full_for_s(now_s) and not s.rests(now_s)]
    if healthy:
        assert chosen is not None
        assert known[chosen].in_flight == min(standing.in_flight for standing in healthy)
        assert not known[chosen].rests(now_s)


@given(standings, moments)
def test_a_full_server_is_never_chosen(known: dict[str, Standing], now_s: float) -> None:
    chosen = choose(known, known, now_s)

    if chosen is None:
        assert all(standing.full_for_s(now_s) > 0 for standing in known.values())
        assert shortest_wait_s(known, known, now_s) > 0
    else:
        assert known[chosen].full_for_s(now_s) == 0


@given(standings, moments)
def test_when_all_rest_the_one_that_rests_shortest_is_asked(known: dict[str, Standing], now_s: float) -> None:
    resting = {name: replace(s, failures=1, rests_until_s=now_s + 1 + s.in_flight) for name, s in known.items()}
    free = {name: replace(s, full_until_s=0.0) for name, s in resting.items()}

    chosen = choose(free, free, now_s)

    assert chosen is not None
    assert free[chosen].rests_until_s == min(standing.rests_until_s for standing in free.values())


@given(standings, moments, st.integers(1, 32))
def test_work_that_ends_leaves_the_load_as_it_was(known: dict[str, Standing], now_s: float, texts: int) -> None:
    for standing in known.values():
        assert standing.asked(texts).done(texts) == standing


@given(st.lists(st.integers(1, 8), min_size=1, max_size=20))
def test_loads_stay_within_one_share_of_each_other(shares: list[int]) -> None:
    known = dict.fromkeys("abc", Standing())
    for texts in shares:
        chosen = choose(known, known, 0.0)
        assert chosen is not None
        known[chosen] = known[chosen].asked(texts)

    loads = [standing.in_flight for standing in known.values()]
    assert max(loads) - min(loads) <= max(shares)


def test_only_servers_that_were_offered_are_chosen() -> None:
    assert choose({"a": Standing(), "b": Standing(in_flight=9)}, ["b"], 0.0) == "b"


def test_each_failure_in_a_row_doubles_the_rest_up_to_the_longest() -> None:
    rests = []
    standing = Standing()
    for _ in range(6):
        now_s = standing.rests_until_s
        standing = standing.failed(now_s, POLICY)
        rests.append(standing.rests_until_s - now_s)

    assert rests == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_failures_of_requests_that_were_under_way_together_count_once() -> None:
    once = Standing().failed(100.0, POLICY)

    assert once.failed(101.0, POLICY) == once


def test_an_answer_ends_the_rest() -> None:
    assert not failed_times(3, at_s=50.0).succeeded().rests(50.0)


def test_an_answer_does_not_make_room_at_a_full_server() -> None:
    assert Standing().full(0.0, 10.0, POLICY).succeeded().full_for_s(4.0) == 6.0


def test_being_full_is_no_failure() -> None:
    full = Standing().full(0.0, 10.0, POLICY)

    assert not full.rests(0.0)
    assert full.full_for_s(10.0) == 0


def test_a_server_cannot_send_us_away_for_longer_than_the_policy_says() -> None:
    assert Standing().full(0.0, 86_400.0, POLICY).full_for_s(0.0) == 30.0
