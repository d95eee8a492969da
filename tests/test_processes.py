"""Event loops, threads and processes: the same answers everywhere."""

import asyncio
import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from boilerplate_clf import Classifier

TEXT = "Der Rat tagt am Montag im Rathaus.\nUnterstützen Sie unsere Arbeit mit einer Spende!"
_SHARED = []


def labels(text):
    return [(str(p.label), round(p.score, 6)) for p in _SHARED[0].predict(text)]


def first_labels(classifier):
    return [(str(p.label), round(p.score, 6)) for p in classifier.predict(TEXT)]


def test_async_calls_leave_the_loop_running(classifier):
    ticks = []

    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep(0.001)

    async def main():
        clock = asyncio.create_task(tick())
        found = await asyncio.gather(*(classifier.apredict(TEXT * 40) for _ in range(8)))
        clock.cancel()
        return found, await classifier.aclean(TEXT)

    found, clean = asyncio.run(main())
    assert {tuple(p.label for p in document) for document in found} == {
        tuple(p.label for p in classifier.predict(TEXT * 40))
    }
    assert len(ticks) > 5 and clean == "Der Rat tagt am Montag im Rathaus."


def test_threads_share_a_classifier(classifier):
    with ThreadPoolExecutor(8) as pool:
        assert (
            len(
                {
                    tuple(first_labels(classifier))
                    for _ in pool.map(lambda _: first_labels(classifier), range(24))
                }
            )
            == 1
        )


def test_a_classifier_can_be_sent_to_a_process():
    sent = pickle.loads(pickle.dumps(Classifier(mode="careful", threads=1)))
    assert sent.mode == "careful" and sent.predict(TEXT).mode == "careful"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(first_labels, [Classifier(threads=1)]) == [first_labels(Classifier(threads=1))]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_fork_of_a_process_that_has_predicted_does_not_hang(classifier):
    _SHARED[:] = [classifier]
    here = labels(TEXT)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(labels, [TEXT] * 6).get(timeout=60) == [here] * 6
