"""Doing slow things for many items a little ahead of their use, in order, on a few threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ITEMS_PER_TASK = 16
TASKS_AHEAD = 16


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int = 4,
    items_per_task: int = ITEMS_PER_TASK,
    tasks_ahead: int = TASKS_AHEAD,
) -> Iterator[Result]:
    """Results of ``function`` for ``items``, in their order, computed on ``threads`` threads and bounded in number.

    Args:
        function: called on the threads.
        items: taken as they are needed, on the caller's thread; they may come from another ``map_ahead``.
        threads: that work at once.
        items_per_task: that a thread takes at once; 1 for items that take long.
        tasks_ahead: that are begun before their results are asked for.
    """
    rest = iter(items)
    groups = iter(lambda: list(islice(rest, items_per_task)), [])

    def work(group: list[Item]) -> list[Result]:
        return [function(item) for item in group]

    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[list[Result]]] = deque(pool.submit(work, g) for g in islice(groups, tasks_ahead))
        try:
            while waiting:
                results = waiting.popleft().result()
                for group in islice(groups, 1):
                    waiting.append(pool.submit(work, group))
                yield from results
        finally:
            for task in waiting:
                task.cancel()
