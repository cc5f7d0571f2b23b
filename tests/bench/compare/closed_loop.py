# SPDX-License-Identifier: Apache-2.0
"""Load on something that answers one request a call, and ratios of such measurements."""

import dataclasses
import statistics
import threading
import time


@dataclasses.dataclass(frozen=True)
class Load:
    """What one window of a closed loop gave."""

    rate: float  # answers a second
    p50_ms: float
    p99_ms: float


def percentile(ordered, percent):
    """The nearest rank of a list in ascending order."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def closed_loop(answer, requests, in_flight, seconds, warmup_s=1.0):
    """Calls answer(request) from `in_flight` threads, round and round through `requests`; each thread calls again as soon as
    it has its answer. Counts the answers that come in the `seconds` after the warm-up; if none does, those that come later, until
    each thread has one. Raises what `answer` raises."""
    answer(requests[0])  # the first call of all makes threads and buffers, which may take longer than the warm-up
    begin = time.monotonic() + warmup_s
    end = begin + seconds
    lock, next_request, answers, errors = threading.Lock(), [0], [], []

    def work():
        try:
            while time.monotonic() < end and not errors:
                with lock:
                    i = next_request[0] % len(requests)
                    next_request[0] += 1
                sent = time.monotonic()
                answer(requests[i])
                now = time.monotonic()
                with lock:
                    answers.append((now, 1000 * (now - sent)))
        except Exception as error:  # raised again by the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(in_flight)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    counted = [answer for answer in answers if begin <= answer[0] <= end]
    if not counted:
        counted = [answer for answer in answers if answer[0] > end]
        seconds = max(answered for answered, _ in counted) - begin
    latencies = sorted(latency for _, latency in counted)
    return Load(len(latencies) / seconds, percentile(latencies, 50), percentile(latencies, 99))


def median_load(loads):
    """Each figure's own median over the rounds."""
    return Load(*(statistics.median(getattr(load, field.name) for load in loads) for field in dataclasses.fields(Load)))


def ratio_text(ours, theirs):
    """"1.52 (1.48 to 1.60)": the median of the rounds' ratios, and their range."""
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    middle = statistics.median(ratios)
    return f"{middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})" if len(ratios) > 1 else f"{middle:.2f}"
