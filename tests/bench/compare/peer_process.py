# SPDX-License-Identifier: Apache-2.0
"""A peer in a process of its own, so that the peers' thread pools and OpenMP libraries never share one."""

import multiprocessing


def _serve(connection, kind, arguments):
    """Answers (method, arguments) with (result, None) or (None, why it failed) until the other end closes. Before that, one
    answer says whether the peer could be made."""
    try:
        peer = kind(*arguments)
        connection.send((None, None))
        while True:
            method, values = connection.recv()
            connection.send((getattr(peer, method)(*values), None))
    except EOFError:
        return
    except Exception as error:
        connection.send((None, f"{type(error).__name__}: {error}"))


class PeerProcess:
    """kind(*arguments) over there. Raises RuntimeError with its words when it fails, and is of no use after that. A context
    manager."""

    def __init__(self, kind, *arguments):
        self.name, self.merges = kind.name, kind.merges
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, kind, arguments), daemon=True)
        self.process.start()
        other.close()
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()

    def close(self):
        self.connection.close()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _answer(self):
        try:
            result, failure = self.connection.recv()
        except EOFError:
            self.process.join()
            raise RuntimeError(f"its process ended with exit code {self.process.exitcode}") from None
        if failure:
            raise RuntimeError(failure)
        return result

    def _call(self, method, *values):
        self.connection.send((method, values))
        return self._answer()

    def one_by_one(self, beam, in_flight, seconds):
        return self._call("one_by_one", beam, in_flight, seconds)

    def offline(self, beam):
        return self._call("offline", beam)
