"""The rate limit on a loop whose clock jumps to the next timer: seconds of transfer cost no second here."""

import asyncio
import selectors
import time

import pytest

from mirrortui.transfer.limits import RateLimit

KB = 1000


class JumpingSelector(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self.jumps = JumpingSelector()
        super().__init__(self.jumps)

    def time(self):
        return self.jumps.now


def run(main):
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


def now():
    return asyncio.get_running_loop().time()


async def consume(limit, size, until, log):
    while now() < until:
        await limit.take(size)
        log.append((now(), size))


def passed(log, start, end):
    return sum(size for at, size in log if start < at <= end)


@pytest.mark.parametrize("rate", [100 * KB, 10_000 * KB, 1_000_000 * KB])
@pytest.mark.parametrize("consumers", [1, 16])
def test_three_seconds_keep_the_rate(rate, consumers):
    async def main():
        limit, log = RateLimit(rate), []
        await asyncio.gather(*(consume(limit, rate // 200, 3, log) for _ in range(consumers)))
        return passed(log, -1, 3)

    assert run(main()) == pytest.approx(3 * rate, rel=0.05)


def test_sizes_may_differ_and_each_waits_for_its_turn():
    async def main():
        limit, order = RateLimit(100 * KB), []

        async def one(name, size):
            await limit.take(size)
            order.append((name, round(now(), 3)))

        await asyncio.gather(one("a", 5 * KB), one("b", 100 * KB), one("c", 1 * KB), one("d", 10 * KB))
        return order

    assert run(main()) == [("a", 0.0), ("b", 1.0), ("c", 1.01), ("d", 1.11)]


def test_a_new_rate_holds_for_those_who_wait_already():
    async def main():
        limit = RateLimit(1 * KB)
        waiting = asyncio.create_task(limit.take(100 * KB))  # 100 seconds
        await asyncio.sleep(10)
        limit.set(10 * KB)
        await waiting
        faster = now()
        waiting = asyncio.create_task(limit.take(100 * KB))  # 10 seconds
        await asyncio.sleep(1)
        limit.set(1 * KB)
        await waiting
        return faster, now() - faster

    faster, slower = run(main())
    assert faster == pytest.approx(10 + 9, abs=0.1)
    assert slower == pytest.approx(1 + 90, abs=0.1)


def test_no_limit_lets_everyone_go_and_can_come_back():
    async def main():
        limit = RateLimit(1)
        waiting = [asyncio.create_task(limit.take(10**6)) for _ in range(5)]
        await asyncio.sleep(1)
        limit.set(0)
        await asyncio.gather(*waiting)
        freed = now()
        await limit.take(10**12)
        limit.set(1 * KB)
        await limit.take(2 * KB)
        return freed, now(), limit.rate

    freed, later, rate = run(main())
    assert freed == pytest.approx(1)
    assert later == pytest.approx(3, abs=0.1)  # what waited or ran free before is not charged to the new limit
    assert rate == 1 * KB


def test_idle_time_is_not_saved_up():
    async def main():
        limit, log = RateLimit(100 * KB), []
        await limit.take(1)
        await asyncio.sleep(3600)
        await consume(limit, KB, now() + 1, log)
        return sum(size for _, size in log)

    assert run(main()) <= 1.07 * 100 * KB


def test_what_a_cancelled_transfer_asked_for_is_given_back():
    async def main():
        limit = RateLimit(1 * KB)
        gone = asyncio.create_task(limit.take(1000 * KB))
        await asyncio.sleep(1)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        start = now()
        await limit.take(2 * KB)
        return now() - start

    assert run(main()) <= 2.1


def test_a_chunk_larger_than_a_second_passes():
    async def main():
        limit = RateLimit(10)
        await limit.take(1000)
        return now()

    assert run(main()) == pytest.approx(100, abs=0.1)


def test_negative_is_no_limit():
    assert RateLimit(-5).rate == 0


def test_no_limit_costs_next_to_nothing():
    async def main():
        limit = RateLimit()
        started = time.perf_counter()
        for _ in range(20_000):
            await limit.take(65536)
        return (time.perf_counter() - started) / 20_000

    assert run(main()) < 5e-6
