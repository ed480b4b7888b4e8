"""Doing slow things for many items a little ahead of their use, in order, on a few threads."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ITEMS_PER_TASK = 16
TASKS_AHEAD = 16


def map_ahead(function: Callable[[Item], Result], items: Sequence[Item], threads: int = 4) -> Iterator[Result]:
    """Results of ``function`` for ``items``, in their order, computed on ``threads`` threads and bounded in number."""
    groups = (items[first : first + ITEMS_PER_TASK] for first in range(0, len(items), ITEMS_PER_TASK))

    def work(group: Sequence[Item]) -> list[Result]:
        return [function(item) for item in group]

    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[list[Result]]] = deque(pool.submit(work, g) for g in islice(groups, TASKS_AHEAD))
        try:
            while waiting:
                results = waiting.popleft().result()
                for group in islice(groups, 1):
                    waiting.append(pool.submit(work, group))
                yield from results
        finally:
            for task in waiting:
                task.cancel()
