import pytest

from webhooks.contract import Throttled
from webhooks.whatsapp.pacing import Pacer, Rate, TokenBucket

NUMBER = "106540352242922"


def test_a_full_bucket_lets_its_burst_through_at_once() -> None:
    bucket = TokenBucket(Rate(per_s=1, burst=3), at_s=0)
    waits = []
    for _ in range(5):
        waits.append(bucket.wait_s(0))
        bucket.take(0)
    assert waits == [0, 0, 0, 1, 2]


def test_a_bucket_refills_with_time_and_never_above_its_burst() -> None:
    bucket = TokenBucket(Rate(per_s=1, burst=2), at_s=0)
    bucket.take(0)
    bucket.take(0)
    assert bucket.wait_s(0.25) == 0.75
    assert bucket.wait_s(1000) == 0
    assert bucket.tokens == 2


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    bucket = TokenBucket(Rate(per_s=1, burst=1), at_s=10)
    bucket.take(10)
    assert bucket.wait_s(5) == 1


def test_one_person_gets_45_messages_at_once_and_then_one_in_six_seconds() -> None:
    pacer = Pacer()
    assert [pacer.reserve(NUMBER, "ana", 0) for _ in range(45)] == [0] * 45
    assert pacer.reserve(NUMBER, "ana", 0) == pytest.approx(6)


def test_a_long_wait_is_refused_and_books_nothing() -> None:
    pacer = Pacer(pair_rate=Rate(per_s=0.1, burst=1))
    pacer.reserve(NUMBER, "ana", 0)
    for _ in range(2):
        with pytest.raises(Throttled) as throttled:
            pacer.reserve(NUMBER, "ana", 0)
        assert throttled.value.retry_after_s == pytest.approx(10)


def test_people_do_not_wait_for_each_other() -> None:
    pacer = Pacer(pair_rate=Rate(per_s=0.1, burst=1))
    assert [pacer.reserve(NUMBER, person, 0) for person in ("ana", "rui")] == [0, 0]


def test_a_number_sends_no_faster_than_its_throughput() -> None:
    pacer = Pacer(number_rate=Rate(per_s=80, burst=80))
    waits = [pacer.reserve(NUMBER, f"person {n}", 0) for n in range(82)]
    assert waits[:80] == [0] * 80
    assert waits[80:] == pytest.approx([1 / 80, 2 / 80])


def test_numbers_have_throughputs_of_their_own() -> None:
    pacer = Pacer(number_rate=Rate(per_s=1, burst=1))
    assert [pacer.reserve(number, "ana", 0) for number in ("1", "2")] == [0, 0]


def test_memory_stays_bounded_and_the_busiest_are_remembered() -> None:
    pacer = Pacer(pair_rate=Rate(per_s=1, burst=1), max_pairs=2)
    for person in ("ana", "rui", "ana", "eva"):
        pacer.reserve(NUMBER, person, 0)
    assert pacer.reserve(NUMBER, "rui", 0) == 0
    assert len(pacer._pairs) == 2
