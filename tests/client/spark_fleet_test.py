#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""heed_client.spark without Spark: requests over a fleet of real servers that are killed, start again, refuse and lack things.

BUILD/python-client/bin/python3 tests/client/spark_fleet_test.py BUILD/bin/heed-server

scripts/python_client.sh makes that Python. Without the package, exits 77 (ctest: skipped). spark_test.py has the same with Spark.
"""

import concurrent.futures
import itertools
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

try:
    from heed_client import Client
    from heed_client.spark.balancer import MAX_LEFT_OUT_S, Balancer
    from heed_client.spark.failures import FleetError
    from heed_client.spark.fleet import Fleet, resolve
    from heed_client.spark.row_requests import RowError, RowRequests
    from heed_client.spark.settings import FleetSettings, split_settings
    from heed_client.spark.tasks import Answer, ClassifyTexts, Score, Translate
except ImportError as missing:
    print(f"skipped: {missing}; scripts/python_client.sh installs it")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from heed_server import HeedServer  # noqa: E402

WEIGHTS = os.path.join(HERE, "../../weights")
TRANSLATOR = "translator-en-de"
REQUEST = r" request .*method=heed\.v1\.TranslationService/Translate .*code=OK"  # in the log
SERVER = None


def start(*flags, model=TRANSLATOR):
    return HeedServer(SERVER, f"--models={os.path.join(WEIGHTS, model)}", "--metrics_listen=", "--log_level=debug", *flags)


def translator(model=TRANSLATOR, **options):
    return Translate(["text"], "translation", [], model, 0, {"beam_size": 1, **options})


class BalancerTest(unittest.TestCase):
    def setUp(self):
        self.balancer = Balancer(2, random.Random(1))

    def test_the_server_with_the_fewest_outstanding_requests_is_next(self):
        turns = [self.balancer.pick(0.0) for _ in range(6)]
        self.assertEqual(sorted(turn.server for turn in turns), [0, 0, 0, 1, 1, 1])
        for turn in turns:
            if turn.server == 1:
                self.balancer.answered(turn)
        self.assertEqual([self.balancer.pick(0.0).server for _ in range(3)], [1, 1, 1])

    def test_requests_that_a_server_lost_together_are_one_failure(self):
        turns = [self.balancer.pick(0.0, avoid=[1]) for _ in range(8)]
        for turn in turns:
            self.balancer.failed(turn, 0.0)
        self.assertTrue(self.balancer.is_down(0))
        self.assertLessEqual(self.balancer.next_s(0.0), 0.25)

    def test_one_request_tries_a_server_that_failed_and_its_answer_brings_it_back(self):
        self.balancer.failed(self.balancer.pick(0.0, avoid=[1]), 0.0)
        self.assertIsNone(self.balancer.pick(0.1, avoid=[1]))
        attempt = self.balancer.pick(0.3, avoid=[1])
        self.assertEqual(attempt.server, 0)
        self.assertIsNone(self.balancer.pick(0.3, avoid=[1]))
        self.balancer.answered(attempt)
        self.assertFalse(self.balancer.is_down(0))
        self.assertIsNotNone(self.balancer.pick(0.3, avoid=[1]))
        self.assertIsNotNone(self.balancer.pick(0.3, avoid=[1]))

    def test_the_time_doubles_up_to_a_limit(self):
        now, times = 0.0, []
        for _ in range(10):
            self.balancer.failed(self.balancer.pick(now, avoid=[1]), now)
            times.append(self.balancer.next_s(now))
            now += times[-1]
        self.assertLessEqual(times[0], 0.25)
        for before, after in zip(times[:4], times[1:5]):
            self.assertGreaterEqual(after, before)  # at most a half of each is taken off
        self.assertGreaterEqual(min(times[-3:]), MAX_LEFT_OUT_S / 2)
        self.assertLessEqual(max(times), MAX_LEFT_OUT_S)

    def test_a_server_may_be_down_for_a_day(self):
        now = 0.0
        for _ in range(10_000):
            self.balancer.failed(self.balancer.pick(now, avoid=[1]), now)
            now += self.balancer.next_s(now)
        self.assertGreater(now, 10_000 * MAX_LEFT_OUT_S * 0.7)
        self.balancer.answered(self.balancer.pick(now, avoid=[1]))
        self.assertFalse(self.balancer.is_down(0))

    def test_a_busy_server_is_left_out_for_as_long_as_it_asks(self):
        self.balancer.busy(self.balancer.pick(0.0, avoid=[1]), 0.0, 3.0)
        self.assertFalse(self.balancer.is_down(0))
        self.assertEqual({self.balancer.pick(2.9).server for _ in range(4)}, {1})
        self.assertEqual(self.balancer.pick(3.0).server, 0)


class SettingsTest(unittest.TestCase):
    def test_errors_name_the_field_and_the_value(self):
        for message, arguments in (
            ("servers is empty", {"servers": []}),
            ("servers has 'heed', but each must be HOST:PORT", {"servers": ["heed"]}),
            ("servers has 'http://heed:1'", {"servers": ["http://heed:1"]}),
            ("twice", {"servers": ["a:1", "a:1"]}),
            ("requests_in_flight is 0", {"servers": "a:1", "requests_in_flight": 0}),
            ("wait_s is -1", {"servers": "a:1", "wait_s": -1}),
            ("priority is 4", {"servers": "a:1", "priority": 4}),
            ("tls_ca", {"servers": "a:1", "tls_ca": "ca.pem"}),
        ):
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                FleetSettings(**arguments)

    def test_keywords_are_the_settings_or_the_models(self):
        settings, rest = split_settings(["[::1]:1", "dns:///heed:2"], {"wait_s": 5, "beam_size": 4})
        self.assertEqual((settings.wait_s, rest), (5, {"beam_size": 4}))
        with self.assertRaisesRegex(ValueError, "beam_width"):
            translator(beam_width=4).call([""])
        with self.assertRaisesRegex(ValueError, "'scores'"):
            Translate(["text"], "translation", ["scores"], "", 0, {})
        with self.assertRaisesRegex(ValueError, "exactly one of question and question_column"):
            Answer(["facts"], "answer", [], "", 0, {})

    def test_a_name_stands_for_its_addresses(self):
        self.assertIn(("127.0.0.1:7", "localhost"), resolve(["dns:///localhost:7"]))
        self.assertEqual(resolve(["127.0.0.1:7"]), [("127.0.0.1:7", None)])
        with self.assertRaisesRegex(FleetError, "dns:///no.such.host.invalid:7"):
            resolve(["dns:///no.such.host.invalid:7"])


class Job:
    """Items over a fleet, as ColumnJob has it."""

    def __init__(self, task, servers, **settings):
        self.settings = FleetSettings(tuple(servers), **settings)
        self.fleet = Fleet(self.settings)
        self.requests = RowRequests(task, self.settings, self.fleet)

    def run(self, items):
        """{row: outcome}; `items` is read as there is room."""
        outcomes = {}
        rows = enumerate(items)
        with self.fleet, concurrent.futures.ThreadPoolExecutor(self.settings.requests_in_flight) as pool:
            while batch := list(itertools.islice(rows, 4 * self.settings.rows_per_request)):
                for part in pool.map(self.requests.ask, list(self.requests.cut(batch))):
                    for row, outcome in part:
                        assert row not in outcomes, row
                        outcomes[row] = outcome
        return outcomes

    @property
    def counts(self):
        return self.fleet.counts


def texts(count):
    return [f"I have {number} dogs and a cat." for number in range(count)]


class FleetTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = [start(), start()]
        cls.addresses = [server.address for server in cls.servers]

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.terminate()

    def test_every_row_has_the_answer_that_it_gets_alone(self):
        job = Job(translator(), self.addresses, rows_per_request=7)
        outcomes = job.run(texts(100))
        with Client(self.addresses[0]) as client:
            wanted = client.translate(texts(100), TRANSLATOR, beam_size=1)
        self.assertEqual([outcomes[row][0] for row in range(100)], wanted)
        for address in self.addresses:
            self.assertGreater(job.counts[f"answers from {address}"], 0)

    def test_what_every_server_refuses_ends_the_job_at_once(self):
        for message, task in (
            ("NOT_FOUND: model: there is no", translator("nothing")),
            ("INVALID_ARGUMENT: options.beam_size is 40", translator(beam_size=40)),
            ("INVALID_ARGUMENT: model", Score(["text"], "score", [], TRANSLATOR, 0, {})),
        ):
            job = Job(task, self.addresses, rows_per_request=1)
            items = texts(10_000) if isinstance(task, Translate) else [("", text) for text in texts(10_000)]
            with self.subTest(message), self.assertRaisesRegex(FleetError, message) as raised:
                job.run(items)
            for address in self.addresses:
                self.assertIn(address, str(raised.exception))
            self.assertLess(job.counts["requests"], 100)

    def test_a_server_without_the_model_is_left_to_others(self):
        with start(model="txl-novels") as other:
            job = Job(translator(), [other.address, self.addresses[0]], rows_per_request=4)
            outcomes = job.run(texts(80))
            self.assertTrue(all(isinstance(outcome, tuple) for outcome in outcomes.values()))
            self.assertEqual(job.counts[f"answers from {other.address}"], 0)

    def test_a_row_that_is_too_large_fails_by_itself(self):
        items = texts(20)
        items[13] = "dog " * (5 << 20)
        outcomes = Job(translator(), self.addresses).run(items)
        self.assertEqual([row for row, outcome in outcomes.items() if isinstance(outcome, RowError)], [13])
        self.assertIn("RESOURCE_EXHAUSTED", outcomes[13].message)

    def test_a_busy_server_is_asked_later(self):
        with start("--threads=1", "--max_queued_requests=1", "--max_running_tasks=1") as busy:
            job = Job(translator(), [busy.address], rows_per_request=1, requests_in_flight=8)
            outcomes = job.run(texts(100))
            self.assertGreater(job.counts[f"failures of {busy.address}"], 0)
            self.assertEqual(len(outcomes), 100)
            self.assertTrue(all(isinstance(outcome, tuple) for outcome in outcomes.values()))

    def test_the_end_of_the_task_ends_what_waits(self):
        gone = start()
        gone.kill()
        fleet = Fleet(FleetSettings((gone.address,)))
        with concurrent.futures.ThreadPoolExecutor(1) as pool, LeftOut() as left_out:
            waiting = pool.submit(fleet.ask, translator().call(["Hello."]), ["texts"])
            left_out.wait()
            fleet.close()
            with self.assertRaisesRegex(FleetError, "the task was ended"):
                waiting.result()


class LeftOut(logging.Handler):
    """Notices that a server is left out."""

    def __enter__(self):
        self.seen = threading.Event()
        logging.getLogger("heed_client.spark").addHandler(self)
        return self

    def __exit__(self, *_):
        logging.getLogger("heed_client.spark").removeHandler(self)

    def emit(self, record):
        if "left out" in record.getMessage():
            self.seen.set()

    def wait(self):
        if not self.seen.wait(60):
            raise AssertionError("no server was left out within 60 s")


class FaultTest(unittest.TestCase):
    def test_a_server_that_is_killed_and_starts_again_loses_and_doubles_nothing(self):
        servers = [start(), start()]
        addresses = [server.address for server in servers]
        again = threading.Event()

        def endless():
            """Rows until the restarted server has answered, and some more."""
            for number in itertools.count():
                yield f"I have {number} dogs."
                if again.is_set() and number % 100 == 0:
                    return

        job = Job(translator(), addresses, rows_per_request=4)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            try:
                running = pool.submit(job.run, endless())
                servers[0].wait_for_line(REQUEST, 60)
                servers[0].kill()
                servers[0] = start(f"--listen={addresses[0]}")
                servers[0].wait_for_line(REQUEST, 60)
            finally:
                again.set()
            outcomes = running.result(120)
        self.assertEqual(sorted(outcomes), list(range(len(outcomes))))
        with Client(addresses[1]) as client:
            wanted = client.translate([f"I have {row} dogs." for row in range(len(outcomes))], TRANSLATOR, beam_size=1)
        self.assertEqual([outcomes[row][0] for row in range(len(outcomes))], wanted)
        self.assertGreater(job.counts[f"failures of {addresses[0]}"], 0)
        for server in servers:
            server.terminate()

    def test_a_server_that_falls_silent_is_left_to_others(self):
        with start() as silent, start() as other:
            os.kill(silent.pid, signal.SIGSTOP)
            try:
                job = Job(translator(), [silent.address, other.address], timeout_s=3, rows_per_request=4)
                outcomes = job.run(texts(100))
            finally:
                os.kill(silent.pid, signal.SIGCONT)
            self.assertEqual(len(outcomes), 100)
            self.assertTrue(all(isinstance(outcome, tuple) for outcome in outcomes.values()))
            self.assertGreater(job.counts[f"failures of {silent.address}"], 0)
            self.assertEqual(job.counts[f"answers from {silent.address}"], 0)

    def test_a_job_waits_for_servers_up_to_a_limit(self):
        gone = [start(), start()]
        for server in gone:
            server.kill()
        addresses = [server.address for server in gone]
        with self.assertRaisesRegex(FleetError, r"no server has answered for 0\.4 s \(wait_s\)") as raised:
            Job(translator(), addresses, wait_s=0.4).run(texts(1000))
        for address in addresses:
            self.assertIn(f"{address}: UNAVAILABLE", str(raised.exception))
        with concurrent.futures.ThreadPoolExecutor(1) as pool, LeftOut() as left_out:
            running = pool.submit(Job(translator(), addresses).run, texts(10))
            left_out.wait()
            with start(f"--listen={addresses[0]}"):
                self.assertEqual(len(running.result(60)), 10)

    def test_the_row_that_a_server_names_fails_by_itself(self):
        with start(model="xlnet-subjectivity") as server:
            task = ClassifyTexts(["text"], "label", ["score", "labels"], "", 0, {"top_k": 2})
            items = [(f"A warm and funny film about {number} dogs.", "") for number in range(20)]
            items[4] = items[17] = ("dog " * 5000, "")
            job = Job(task, [server.address], characters_per_request=100_000)
            outcomes = job.run(items)
            failed = sorted(row for row, outcome in outcomes.items() if isinstance(outcome, RowError))
            self.assertEqual(failed, [4, 17])
            self.assertRegex(outcomes[4].message, r"^INVALID_ARGUMENT: item\.text: 5002 tokens")
            self.assertEqual(job.counts["requests"], 3)
            label, details = outcomes[0]
            self.assertEqual(label, details["labels"][0]["label"])
            self.assertEqual(details["score"], details["labels"][0]["score"])

    def test_answers_and_scores_are_those_of_the_client(self):
        with start(model="ntm-babi") as server, Client(server.address) as client:
            facts = (("Mary went to the kitchen.",), ("John went to the garden.", "Mary went to the office."))
            items = [(facts[0], "Where is Mary?"), (facts[1], "Where is Mary?"), (facts[1], "Where is John?"), (facts[1], "")]
            job = Job(Answer(["facts", "question"], "answer", ["probability"], "", 0, {}), [server.address])
            outcomes = job.run(items)
            self.assertIn("question has no word", outcomes[3].message)
            for row in range(3):
                wanted = client.answer(items[row][0], [items[row][1]])[0]
                self.assertEqual(outcomes[row], (wanted.text, {"probability": wanted.candidates[0].probability, "unknown_words": []}))
            self.assertEqual(job.counts["requests"], 3)  # one for each story, and one without the row that failed
        with start(model="txl-novels") as server, Client(server.address) as client:
            items = [("The dog", " barks."), ("", "It rains.")]
            outcomes = Job(Score(["text", "context"], "score", [], "", 0, {}), [server.address]).run(items)
            for row, wanted in enumerate(client.score([items[0], items[1][1]])):
                self.assertEqual(outcomes[row][0], wanted.log_probability)
                self.assertEqual(outcomes[row][1]["perplexity"], wanted.perplexity)


class CredentialsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="heed-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, content=None):
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
            os.chmod(path, 0o600)
        return path

    def test_a_wrong_token_ends_the_job_at_once(self):
        tokens = self.path("tokens", "spark 0123456789abcdef0123456789abcdef infer\n")
        with start(f"--tokens={tokens}") as server:
            right = self.path("right", "0123456789abcdef0123456789abcdef\n")
            self.assertEqual(len(Job(translator(), [server.address], token_file=right).run(texts(10))), 10)
            wrong = self.path("wrong", "ffffffffffffffffffffffffffffffff\n")
            for files in ({"token_file": wrong}, {}):
                job = Job(translator(), [server.address], rows_per_request=1, **files)
                with self.assertRaisesRegex(FleetError, "UNAUTHENTICATED"):
                    job.run(texts(10_000))
                self.assertLess(job.counts["requests"], 100)

    def test_a_token_leaves_this_machine_only_encrypted(self):
        token = self.path("token", "0123456789abcdef0123456789abcdef\n")
        with self.assertRaisesRegex(FleetError, "the token would travel to heed.example:50051 in plain text"):
            Fleet(FleetSettings(("heed.example:50051",), token_file=token))
        with self.assertRaisesRegex(FleetError, "missing"):
            Fleet(FleetSettings(("127.0.0.1:1",), token_file=self.path("missing")))

    def test_an_encrypted_fleet_is_found_by_name(self):
        key, certificate = self.path("key.pem"), self.path("cert.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        os.chmod(key, 0o600)
        with start(f"--tls_cert={certificate}", f"--tls_key={key}") as server:
            port = server.address.rpartition(":")[2]
            job = Job(translator(), [f"dns:///localhost:{port}"], tls=True, tls_ca=certificate)
            self.assertEqual(len(job.run(texts(10))), 10)
            with self.assertRaisesRegex(FleetError, "UNAVAILABLE"):
                Job(translator(), [server.address], tls=True, tls_ca=certificate, wait_s=0.1).run(texts(1))


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    logging.getLogger("heed_client.spark").addHandler(logging.NullHandler())
    unittest.main(verbosity=2)
