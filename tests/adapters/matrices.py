"""Jobs that calculate: numpy comes with their module, so that a worker process imports it when it is given one."""

import numpy as np
import psutil


def multiply_matrices() -> None:
    square = np.ones((500, 500))
    assert (square @ square)[0, 0] == 500


def count_threads() -> int:
    return psutil.Process().num_threads()
