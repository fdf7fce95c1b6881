from hypothesis import given
from hypothesis import strategies as st

from tts.batch_choice import BatchPolicy, Waiting, choose_batch

POLICY = BatchPolicy(max_batch=4, max_wait_s=0.1, deadline_s=60)


def waiting(order: int, *, group: str = "", expected_s: float = 3.0, since_s: float = 0.0) -> Waiting:
    return Waiting(order=order, group=group or str(order), expected_s=expected_s, since_s=since_s)


def test_an_empty_queue_has_nothing_to_run() -> None:
    assert choose_batch([], now_s=0, policy=POLICY) == ()


def test_few_wait_for_more_until_the_oldest_has_waited_enough() -> None:
    queue = [waiting(0), waiting(1)]

    assert choose_batch(queue, now_s=0.05, policy=POLICY) == ()
    assert choose_batch(queue, now_s=0.1, policy=POLICY) == (0, 1)


def test_a_full_batch_goes_at_once() -> None:
    assert choose_batch([waiting(order) for order in range(5)], now_s=0, policy=POLICY) == (0, 1, 2, 3)


def test_a_long_note_leaves_room_for_the_others() -> None:
    queue = [*(waiting(order, group="long") for order in range(10)), waiting(10, group="short")]

    assert 10 in choose_batch(queue, now_s=0, policy=POLICY)


def test_segments_of_similar_length_go_together() -> None:
    queue = [waiting(0, expected_s=2), *(waiting(order, expected_s=20) for order in (1, 2, 3)),
             *(waiting(order, expected_s=2) for order in (4, 5, 6))]  # fmt: skip

    assert choose_batch(queue, now_s=0, policy=POLICY) == (0, 4, 5, 6)


def test_the_shortest_stand_first() -> None:
    queue = [waiting(0, expected_s=9), waiting(1, expected_s=1), waiting(2, expected_s=5), waiting(3, expected_s=2)]

    assert choose_batch(queue, now_s=0, policy=POLICY) == (1, 3, 2, 0)


queues = st.lists(
    st.builds(
        lambda group, expected_s, since_s: (group, expected_s, since_s),
        st.sampled_from("abcd"),
        st.floats(0.1, 60),
        st.floats(0, 1),
    ),
    max_size=40,
).map(
    lambda entries: [
        waiting(order, group=group, expected_s=expected_s, since_s=since_s)
        for order, (group, expected_s, since_s) in enumerate(entries)
    ]
)


@given(queues, st.integers(1, 8))
def test_a_batch_is_never_too_large_and_never_names_one_twice(queue: list[Waiting], max_batch: int) -> None:
    chosen = choose_batch(queue, now_s=2, policy=BatchPolicy(max_batch=max_batch, max_wait_s=0.1, deadline_s=60))

    assert len(chosen) == len(set(chosen)) <= max_batch
    assert set(chosen) <= {item.order for item in queue}


@given(queues, st.integers(1, 8))
def test_the_oldest_always_goes_so_that_nothing_starves(queue: list[Waiting], max_batch: int) -> None:
    chosen = choose_batch(queue, now_s=2, policy=BatchPolicy(max_batch=max_batch, max_wait_s=0.1, deadline_s=60))

    assert not queue or min(item.order for item in queue) in chosen


@given(queues)
def test_the_queues_order_in_memory_makes_no_difference(queue: list[Waiting]) -> None:
    assert choose_batch(queue[::-1], now_s=2, policy=POLICY) == choose_batch(queue, now_s=2, policy=POLICY)
