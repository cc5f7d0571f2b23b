#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""heed_client.spark with Spark in local mode, over two real servers.

BUILD/spark-tests/bin/python3 tests/client/spark_test.py BUILD/bin/heed-server

scripts/spark_tests.sh makes that Python. Without pyspark or Java, exits 77 (ctest: skipped).
"""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

try:
    import pyarrow  # noqa: F401
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    from heed_client import Client
    from heed_client import spark as heed
except ImportError as missing:
    print(f"skipped: {missing}; scripts/spark_tests.sh installs it")
    sys.exit(77)
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    print("skipped: there is no java, which Spark needs")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from heed_server import HeedServer  # noqa: E402

WEIGHTS = os.path.join(HERE, "../../weights")
TRANSLATOR = "translator-en-de"
REQUEST = r" request .*method=heed\.v1\.TranslationService/Translate .*code=OK"  # in the log
TOKEN = "0123456789abcdef0123456789abcdef"
SERVER = None


def start(*flags, model=TRANSLATOR):
    return HeedServer(SERVER, f"--models={os.path.join(WEIGHTS, model)}", "--metrics_listen=", "--log_level=debug", *flags)


def make_spark():
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", 2)
        .config("spark.sql.ansi.enabled", "false")  # so that Spark 4 makes strings that are not UTF-8, too
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    return spark


def translate(df, servers, model=TRANSLATOR, **options):
    return heed.translate(df, "text", servers, model=model, beam_size=1, **options)


def sentences(spark, count, partitions=4):
    return spark.range(count, numPartitions=partitions).selectExpr("id", "concat('I have ', id, ' dogs and a cat.') text")


class SparkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spark = make_spark()
        cls.servers = [start(), start()]
        cls.addresses = [server.address for server in cls.servers]

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.terminate()

    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix="heed-test-")
        self.addCleanup(folder.cleanup)
        return folder.name

    def assert_once(self, rows, count):
        self.assertEqual(sorted(row["id"] for row in rows), list(range(count)))


class Columns(SparkTest):
    def test_every_row_comes_back_in_order_with_its_own_columns(self):
        # A bigint with nulls, large numbers, and a string that is not UTF-8: pandas would not bring them back.
        df = self.spark.sql("""
            select id, concat('I have ', id, ' dogs.') text, case when id % 3 > 0 then 9007199254740993 + id end big,
                   timestamp_micros(1761440400000000 + id * 1800000000) time, cast(id / 3 as decimal(20, 3)) number,
                   cast(X'C328' as string) bytes, array(id, null) list, map('a', id) pairs, named_struct('x', id) struct
            from range(0, 500, 1, 3)""")
        metrics = heed.Metrics(self.spark)
        result = translate(df, self.addresses, metrics=metrics, rows_per_request=16)
        self.assertEqual(result.columns, [*df.columns, "translation", "heed_error"])
        result.persist()
        rows = result.collect()
        as_text = [f"base64(cast({name} as binary)) {name}" if name == "bytes" else name for name in df.columns]
        self.assertEqual(result.selectExpr(*as_text).collect(), df.selectExpr(*as_text).collect())
        with Client(self.addresses[0]) as client:
            wanted = client.translate([row["text"] for row in rows], TRANSLATOR, beam_size=1)
        self.assertEqual([row["translation"] for row in rows], wanted)
        self.assertEqual({row["heed_error"] for row in rows}, {None})
        self.assertEqual((metrics.rows, metrics.failed_rows), (500, 0))
        self.assertEqual(sum(metrics.answers.values()), metrics.requests)
        self.assertEqual(sorted(metrics.answers), sorted(self.addresses))
        result.unpersist()

    def test_poisoned_rows_are_kept_apart(self):
        df = self.spark.sql("""
            select id, case id when 3 then null when 40 then '' when 41 then '😀' when 42 then cast(X'41C328' as string)
                       when 43 then repeat('dog ', cast(5000000 + id as int)) when 44 then '\\u0000'
                       else concat('I have ', id, ' dogs.') end text
            from range(0, 200, 1, 2)""")
        result = translate(df, self.addresses).drop("text")
        done, failed = heed.split(result)
        self.assertEqual(done.columns, ["id", "translation"])
        errors = {row["id"]: row["heed_error"] for row in failed.collect()}
        self.assertEqual(sorted(errors), [42, 43])
        self.assertIn("the text is not UTF-8", errors[42])
        self.assertIn("RESOURCE_EXHAUSTED", errors[43])
        rows = {row["id"]: row["translation"] for row in done.collect()}
        self.assertEqual(sorted([*rows, *errors]), list(range(200)))
        self.assertEqual((rows[3], rows[40], rows[41]), (None, "", "😀"))
        result.unpersist()

    def test_a_part_of_the_table_ends_the_job_early(self):
        self.assertEqual(len(translate(sentences(self.spark, 5000), self.addresses).take(3)), 3)

    def test_labels_answers_and_scores(self):
        rows = [(0, "A warm and funny film.", ["Mary went to the kitchen."], "Where is Mary?"),
                (1, "dog " * 5000, ["Mary went to the office.", "John went to the garden."], "Where is John?"),
                (2, None, None, "Where is John?")]  # fmt: skip
        df = self.spark.createDataFrame(rows, "id long, text string, facts array<string>, question string").coalesce(1)
        with start(model="xlnet-subjectivity") as server:
            labels = heed.classify_texts(df, "text", [server.address], details=["score", "labels"], top_k=2).collect()
        self.assertEqual(labels[0]["label"], "subjective")
        self.assertEqual([label["label"] for label in labels[0]["label_labels"]], ["subjective", "objective"])
        self.assertEqual(labels[0]["label_score"], labels[0]["label_labels"][0]["score"])
        self.assertIn("5002 tokens", labels[1]["heed_error"])
        self.assertEqual((labels[2]["label"], labels[2]["heed_error"]), (None, None))
        with start(model="ntm-babi") as server:
            answers = heed.answer(df, "facts", [server.address], question_column="question").collect()
            same = heed.answer(df, "facts", [server.address], question="Where is Mary?").collect()
        self.assertEqual([row["answer"] for row in answers], ["kitchen", "garden", None])
        self.assertEqual([row["answer"] for row in same], ["kitchen", "office", None])
        with start(model="txl-novels") as server, Client(server.address) as client:
            scores = heed.score(df.where("id <> 1"), "text", [server.address], context_column="question").collect()
            wanted = client.score([("Where is Mary?", rows[0][1])])[0]
        self.assertEqual((scores[0]["score"], scores[0]["score_tokens"]), (wanted.log_probability, wanted.tokens))

    def test_wrong_calls_fail_on_the_driver(self):
        df = sentences(self.spark, 1)
        for message, call in (
            ("column 'id' is of type bigint", lambda: heed.translate(df, "id", self.addresses)),
            ("column is 'nothing', but the table has id, text", lambda: heed.translate(df, "nothing", self.addresses)),
            ("a column 'text' already", lambda: heed.translate(df, "text", self.addresses, output="text")),
            ("a column 'TEXT' already", lambda: heed.translate(df, "text", self.addresses, output="TEXT")),
            ("a column 'Answer' already", lambda: heed.translate(df, "text", self.addresses, output="Answer", error="answer")),
            ("beam_width", lambda: heed.translate(df, "text", self.addresses, beam_width=4)),
            ("overlong is 'cut'", lambda: heed.classify_texts(df, "text", self.addresses, overlong="cut")),
            ("servers has 'heed'", lambda: heed.translate(df, "text", ["heed"])),
            ("exactly one of question", lambda: heed.answer(df, "text", self.addresses)),
        ):
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                call()


class Faults(SparkTest):
    def test_a_server_that_is_killed_and_starts_again_loses_and_doubles_nothing(self):
        servers = [start(), start()]
        addresses = [server.address for server in servers]

        def kill_and_start_again():
            servers[0].wait_for_line(REQUEST, 120)
            servers[0].kill()
            servers[0] = start(f"--listen={addresses[0]}")

        fault = threading.Thread(target=kill_and_start_again)
        fault.start()
        metrics = heed.Metrics(self.spark)
        rows = translate(sentences(self.spark, 12_000, 8), addresses, rows_per_request=16, metrics=metrics).collect()
        fault.join()
        self.assert_once(rows, 12_000)
        self.assertEqual({row["heed_error"] for row in rows}, {None})
        with Client(addresses[1]) as client:
            wanted = client.translate([row["text"] for row in rows[:1000]], TRANSLATOR, beam_size=1)
        self.assertEqual([row["translation"] for row in rows[:1000]], wanted)
        self.assertGreater(metrics.failures.get(addresses[0], 0), 0)
        servers[0].wait_for_line(REQUEST, 0)  # it has answered again
        for server in servers:
            server.terminate()

    def test_a_wrong_model_fails_the_job_and_not_each_row(self):
        asked = [server.log().count("NOT_FOUND") for server in self.servers]
        with self.assertRaisesRegex(Exception, 'every server refuses the job: .*NOT_FOUND: model: there is no "nothing"'):
            translate(sentences(self.spark, 100_000), self.addresses, model="nothing").collect()
        for server, before in zip(self.servers, asked):
            self.assertLess(server.log().count("NOT_FOUND") - before, 50)

    def test_without_any_server_the_job_fails_after_a_limit(self):
        gone = [start(), start()]
        for server in gone:
            server.kill()
        with self.assertRaisesRegex(Exception, r"no server has answered for 0\.5 s \(wait_s\): .*UNAVAILABLE"):
            translate(sentences(self.spark, 1000), [server.address for server in gone], wait_s=0.5).collect()

    def test_tokens_stay_on_the_executors(self):
        folder = self.folder()
        for name, content in (("tokens", f"spark {TOKEN} infer\n"), ("right", TOKEN), ("wrong", TOKEN[::-1])):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(content)
            os.chmod(os.path.join(folder, name), 0o600)
        with start(f"--tokens={folder}/tokens") as server:
            result = translate(sentences(self.spark, 50), [server.address], token_file=f"{folder}/right")
            self.assertNotIn(TOKEN, result._jdf.queryExecution().toString())
            self.assert_once(result.where("heed_error is null").collect(), 50)
            with self.assertRaisesRegex(Exception, "every server refuses the job: .*UNAUTHENTICATED"):
                translate(sentences(self.spark, 100_000), [server.address], token_file=f"{folder}/wrong").collect()
            self.spark.sparkContext.addFile(f"{folder}/right")  # as spark-submit --files does
            brought = translate(sentences(self.spark, 50), [server.address], token_file="right")
            self.assert_once(brought.where("heed_error is null").collect(), 50)


class Runs(SparkTest):
    def job(self, **options):
        return lambda df: translate(df, self.addresses, **options)

    def read(self, path):
        return self.spark.read.parquet(path)

    def test_a_job_that_is_cut_off_goes_on(self):
        path = os.path.join(self.folder(), "out")
        command = [sys.executable, os.path.abspath(__file__), "--run", path, *self.addresses]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        try:
            lines = iter(process.stdout.readline, "")
            self.assertIn("part 1 of 4\n", lines)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
        before = self.read(f"{path}/heed_status=done").count()
        self.assertGreater(before, 0)
        self.assertLess(before, 4000)
        metrics = heed.Metrics(self.spark)
        summary = heed.run(sentences(self.spark, 4000), self.job(metrics=metrics), "id", path, rows_per_commit=1000)
        self.assertEqual((summary.rows, summary.failed), (4000, 0))
        self.assertGreaterEqual(summary.done_before, before)
        self.assertEqual(metrics.rows, 4000 - summary.done_before)
        rows = self.read(path).collect()
        self.assert_once(rows, 4000)
        self.assertEqual({row["heed_status"] for row in rows}, {"done"})
        again = heed.run(sentences(self.spark, 4000), self.job(metrics=metrics), "id", path)
        self.assertEqual((again.done_before, again.done, again.failed), (4000, 0, 0))
        self.assertEqual(metrics.rows, 4000 - summary.done_before)

    def test_a_driver_that_is_killed_between_its_tasks_doubles_no_row(self):
        path = os.path.join(self.folder(), "out")
        with socket.create_server(("127.0.0.1", 0)) as reached:
            reached.settimeout(300)
            port = str(reached.getsockname()[1])
            command = [sys.executable, os.path.abspath(__file__), "--stop", path, port, *self.addresses]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            try:
                last_task, _ = reached.accept()
                committed = [name for name in os.listdir(f"{path}/_temporary/0") if name.startswith("task_")]
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            last_task.close()
        self.assertGreaterEqual(len(committed), 1)
        summary = heed.run(sentences(self.spark, 400), self.job(), "id", path)
        self.assertEqual((summary.done_before, summary.done, summary.failed), (0, 400, 0))
        self.assert_once(self.read(path).collect(), 400)

    def test_rows_that_another_run_wrote_are_noticed(self):
        path = os.path.join(self.folder(), "out")
        done = f"{path}/heed_status=done"

        def write_too(part, parts):
            for name in os.listdir(done):
                if part == 1 and name.endswith(".parquet"):
                    shutil.copy(f"{done}/{name}", f"{done}/other-{name}")

        with self.assertRaisesRegex(RuntimeError, r"holds [0-9]+ rows .* and not 400: did another run write there"):
            heed.run(sentences(self.spark, 400), self.job(), "id", path, rows_per_commit=200, on_commit=write_too)

    def test_rows_that_failed_are_computed_again(self):
        path = os.path.join(self.folder(), "out")
        df = sentences(self.spark, 300).withColumn(
            "text", F.when(F.col("id") == 7, F.expr("repeat('dog ', cast(1000 + id as int))")).otherwise(F.col("text"))
        )
        with start("--max_message_bytes=3000") as strict:
            summary = heed.run(df, lambda part: translate(part, [strict.address]), "id", path, rows_per_commit=100)
        self.assertEqual((summary.done, summary.failed), (299, 1))
        self.assertIn("RESOURCE_EXHAUSTED", self.read(f"{path}/heed_status=failed").first()["heed_error"])
        summary = heed.run(df, self.job(), "id", path)
        self.assertEqual((summary.done_before, summary.done, summary.failed), (299, 1, 0))
        rows = self.read(path).collect()
        self.assert_once(rows, 300)
        self.assertEqual({(row["heed_status"], row["heed_error"]) for row in rows}, {("done", None)})

    def test_what_cannot_go_on_is_refused(self):
        path = os.path.join(self.folder(), "out")
        df = sentences(self.spark, 20)
        self.assertEqual(heed.run(df, self.job(), "id", path).done, 20)
        for message, arguments in (
            ("key is 'name', but the table has id, text", (df, self.job(), "name", path)),
            ("has 1 values in 20 rows", (df.withColumn("id", F.lit(1)), self.job(), "id", path)),
            ("is null in 20 of 20 rows", (df.withColumn("id", F.lit(None).cast("long")), self.job(), "id", path)),
            ("holds the columns", (df, self.job(details=["score"]), "id", path)),
            ("job returns no column 'heed_error'", (df, lambda part: part, "id", path)),
            ("job returns no column 'id'", (df, lambda part: self.job()(part).drop("id"), "id", path)),
            ("has a column 'Heed_Status'", (df.withColumn("Heed_Status", F.lit(1)), self.job(), "id", path)),
            ("has a column 'HEED_STATUS'", (df, lambda part: self.job()(part).withColumn("HEED_STATUS", F.lit(1)), "id", path)),
        ):
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                heed.run(*arguments)
        self.assert_once(self.read(path).collect(), 20)


def run_until_killed(path, servers):
    """The driver that a test kills."""
    spark = make_spark()
    heed.run(
        sentences(spark, 4000), lambda df: translate(df, servers), "id", path, rows_per_commit=1000,
        on_commit=lambda part, parts: print(f"part {part} of {parts}", flush=True),
    )  # fmt: skip


def run_until_the_last_task(path, port, servers):
    """The driver that a test kills when its last task begins, and so others are committed."""

    def tell_of_the_last(batches):
        for batch in batches:
            if batch.num_rows and batch.column(0)[0].as_py() >= 300:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.recv(1)
            yield batch

    def job(df):
        result = translate(df, servers)
        return result.mapInArrow(tell_of_the_last, result.schema)

    spark = make_spark()
    heed.run(sentences(spark, 400), job, "id", path)


if __name__ == "__main__":
    logging.getLogger("heed_client.spark").addHandler(logging.NullHandler())
    if sys.argv[1] == "--run":
        run_until_killed(sys.argv[2], sys.argv[3:])
        sys.exit(0)
    if sys.argv[1] == "--stop":
        run_until_the_last_task(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
        sys.exit(0)
    SERVER = sys.argv.pop(1)
    unittest.main(verbosity=2, warnings="ignore")  # pyspark leaves sockets to the garbage collector
