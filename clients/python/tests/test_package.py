"""What programs in Python do by way of a running daemon. Its proxy is DRAGONFLY_PROXY, an origin of files is ORIGIN."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec

import dragonfly_p2p
from dragonfly_p2p.web_files import WebFileSystem

ORIGIN = os.environ["ORIGIN"]
SHA256 = os.environ["SHA256"]
PROXY = os.environ["DRAGONFLY_PROXY"]
URL = f"{ORIGIN}/model.bin?part=1"
OURS = URL.replace("http://", "dragonfly+http://", 1)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Finding(unittest.TestCase):
    def test_the_daemon_says_which_doors_it_has(self) -> None:
        daemon = dragonfly_p2p.find_daemon()
        self.assertEqual(daemon.proxy, PROXY)
        self.assertEqual(daemon.huggingface, f"{PROXY}/hf")
        self.assertRegex(daemon.version, r"^\d+\.\d+\.\d+")
        self.assertEqual(daemon.s3, os.environ["S3_DOOR"])
        self.assertEqual(dragonfly_p2p.find_daemon(PROXY.replace("http://", "")).proxy, PROXY)

    def test_something_else_is_not_taken_for_a_daemon(self) -> None:
        for address in (ORIGIN, "http://127.0.0.1:1", "ftp://127.0.0.1", "http://127.0.0.1:none"):
            with self.assertRaises(dragonfly_p2p.DaemonNotFound):
                dragonfly_p2p.find_daemon(address)


class Doors(unittest.TestCase):
    def test_variables_are_set_and_put_back(self) -> None:
        os.environ["HF_ENDPOINT"] = "https://mine.example"
        os.environ.pop("AWS_ENDPOINT_URL", None)
        with self.assertRaisesRegex(ValueError, "from inside"):
            with dragonfly_p2p.doors() as daemon:
                assert daemon is not None
                self.assertEqual(os.environ["HF_ENDPOINT"], f"{PROXY}/hf")
                self.assertEqual(os.environ["AWS_ENDPOINT_URL"], daemon.s3)
                raise ValueError("from inside")
        self.assertEqual(os.environ.pop("HF_ENDPOINT"), "https://mine.example")
        self.assertNotIn("AWS_ENDPOINT_URL", os.environ)

    def test_without_a_daemon_nothing_changes_where_it_need_not_be_there(self) -> None:
        before = dict(os.environ)
        with dragonfly_p2p.doors("http://127.0.0.1:1", required=False) as daemon:
            self.assertIsNone(daemon)
            self.assertEqual(dict(os.environ), before)
        with self.assertRaises(dragonfly_p2p.DaemonNotFound):
            with dragonfly_p2p.doors("http://127.0.0.1:1"):
                self.fail("never reached")

    def test_a_hub_library_that_is_imported_already_is_led_as_well(self) -> None:
        import huggingface_hub
        from huggingface_hub import constants

        before = constants.ENDPOINT
        with tempfile.TemporaryDirectory() as cache, dragonfly_p2p.doors():
            info = huggingface_hub.model_info("org/open")
            file = huggingface_hub.hf_hub_download("org/open", "model.safetensors", cache_dir=cache)
            self.assertEqual(sha256(Path(file).read_bytes()), os.environ["HUB_SHA256"])
            self.assertEqual(info.sha, os.environ["HUB_COMMIT"])
        self.assertEqual(constants.ENDPOINT, before)

    def test_a_program_is_run_with_them(self) -> None:
        show = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
        command = [sys.executable, "-m", "dragonfly_p2p"]
        ran = subprocess.run([*command, "--", *show], stdout=subprocess.PIPE, check=True)
        self.assertEqual(json.loads(ran.stdout)["HF_ENDPOINT"], f"{PROXY}/hf")
        printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        self.assertIn(f"export HF_ENDPOINT={PROXY}/hf\n", printed)
        away = [*command, "--proxy", "http://127.0.0.1:1"]
        self.assertEqual(subprocess.run(away, capture_output=True).returncode, 1)
        optional = subprocess.run([*away, "--optional", "--", *show], capture_output=True, check=True)
        self.assertNotIn("HF_ENDPOINT", json.loads(optional.stdout))


class Files(unittest.TestCase):
    def setUp(self) -> None:
        self.content = fsspec.filesystem("dragonfly").cat_file(OURS)

    def test_the_whole(self) -> None:
        self.assertEqual(sha256(self.content), SHA256)
        with fsspec.open(OURS, "rb") as file:
            self.assertEqual(sha256(file.read()), SHA256)

    def test_in_a_chain(self) -> None:
        with fsspec.open(f"dragonfly::{URL}", "rb") as file:
            file.seek(-100, 2)
            self.assertEqual(file.read(), self.content[-100:])
        files, path = fsspec.core.url_to_fs(f"dragonfly::{URL}")
        self.assertEqual(files.cat_file(path, 10, 20), self.content[10:20])
        self.assertEqual(files.protocol[0], "dragonfly")

    def test_parts(self) -> None:
        files = fsspec.filesystem("dragonfly")
        size = len(self.content)
        bounds = [(0, 10), (5, None), (-7, None), (size - 5, size + 50), (size + 1, size + 9), (3, 3), (-20, -10), (None, -1)]
        for start, end in bounds:
            with self.subTest(start=start, end=end):
                self.assertEqual(files.cat_file(OURS, start, end), self.content[start:end])
        starts = list(range(0, size - 5000, size // 20))
        parts = files.cat_ranges([OURS] * len(starts), starts, [start + 5000 for start in starts])
        self.assertEqual(parts, [self.content[start : start + 5000] for start in starts])

    def test_what_a_file_is(self) -> None:
        files = fsspec.filesystem("dragonfly")
        info = files.info(OURS)
        self.assertEqual((info["size"], info["type"], info["ETag"]), (len(self.content), "file", '"v1"'))
        self.assertTrue(files.exists(OURS))
        self.assertFalse(files.exists(f"dragonfly+{ORIGIN}/none"))
        self.assertFalse(files.isdir(OURS))
        self.assertEqual([each["size"] for each in files.ls(OURS)], [len(self.content)])
        with self.assertRaises(FileNotFoundError):
            files.cat_file(f"dragonfly+{ORIGIN}/none")
        with self.assertRaises(PermissionError):
            files.cat_file(f"dragonfly+{ORIGIN}/secret")
        with self.assertRaises(NotImplementedError):
            files.open(OURS, "wb")
        self.assertEqual(files.unstrip_protocol(OURS), OURS)
        self.assertEqual(files._strip_protocol("dragonfly://host/a"), "https://host/a")

    def test_rights_are_the_callers(self) -> None:
        files = fsspec.filesystem("dragonfly", headers={"Authorization": "Bearer right"})
        self.assertEqual(files.cat_file(f"dragonfly+{ORIGIN}/secret"), b"for those who may")
        with self.assertRaises(PermissionError):
            fsspec.filesystem("dragonfly", headers={"Authorization": "Bearer wrong"}).cat_file(f"dragonfly+{ORIGIN}/secret")

    def test_many_to_disk(self) -> None:
        files = fsspec.filesystem("dragonfly")
        names = [f"dragonfly+{ORIGIN}/small/{number}" for number in range(40)]
        with tempfile.TemporaryDirectory() as directory:
            targets = [f"{directory}/{number}" for number in range(40)]
            files.get(names, targets)
            self.assertEqual([Path(each).read_text() for each in targets], [f"small {number}" for number in range(40)])
            files.get_file(OURS, f"{directory}/model.bin")
            self.assertEqual(sha256(Path(directory, "model.bin").read_bytes()), SHA256)
        contents = files.cat(names)
        self.assertEqual(contents[f"{ORIGIN}/small/3"], b"small 3")
        self.assertEqual(len(contents), 40)

    def test_what_is_given_to_other_processes(self) -> None:
        files = pickle.loads(pickle.dumps(fsspec.filesystem("dragonfly")))
        self.assertEqual(files.cat_file(OURS, 0, 5), self.content[:5])

    def test_another_process_of_the_same_memory(self) -> None:
        web = WebFileSystem(skip_instance_cache=True)
        web._part(URL, 0, 5)  # leaves a connection
        child = os.fork()
        if child == 0:
            os._exit(0 if web._part(URL, 0, 9) == self.content[:9] else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(web._part(URL, 0, 5), self.content[:5])

    def test_over_tls_to_the_origin(self) -> None:
        secure = os.environ["TLS_ORIGIN"].replace("https://", "dragonfly://", 1)
        self.assertEqual(sha256(fsspec.filesystem("dragonfly").cat_file(f"{secure}/model.bin")), SHA256)

    def test_redirects_are_followed_without_the_secret(self) -> None:
        files = fsspec.filesystem("dragonfly", headers={"Authorization": "Bearer right"})
        self.assertEqual(files.cat_file(f"dragonfly+{ORIGIN}/elsewhere"), b"no secret came")

    def test_without_a_daemon(self) -> None:
        away = {"proxy": "http://127.0.0.1:1"}
        self.assertEqual(sha256(fsspec.filesystem("dragonfly", **away).cat_file(OURS)), SHA256)
        with self.assertRaises(ConnectionError):
            fsspec.filesystem("dragonfly", fallback=False, **away)

    def test_objects_by_the_door(self) -> None:
        with fsspec.open("dragonfly::s3://models/models/model.bin", "rb", s3={"anon": True}) as file:
            self.assertEqual(sha256(file.read()), SHA256)

    def test_the_hub_by_the_door(self) -> None:
        with fsspec.open("dragonfly::hf://org/open/model.safetensors", "rb") as file:
            self.assertEqual(sha256(file.read()), os.environ["HUB_SHA256"])

    def test_what_has_no_door(self) -> None:
        with self.assertRaisesRegex(ValueError, "is not served"):
            fsspec.filesystem("dragonfly", target_protocol="memory")


class BrokenAnswers(unittest.TestCase):
    """A proxy that breaks off: what ends too early is never taken for whole."""

    def test_a_download_goes_on_where_it_broke(self) -> None:
        content = os.urandom(300_000)
        ranges = []

        class Breaks(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                ranges.append(wanted)
                start = int(wanted[6:-1]) if wanted else 0
                self.send_response(206 if wanted else 200)
                self.send_header("ETag", '"one"')
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                end = start + 100_000
                self.wfile.write(content[start:end])
                self.close_connection = True

        server = ThreadingHTTPServer(("127.0.0.1", 0), Breaks)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        web = WebFileSystem(proxy=f"http://127.0.0.1:{server.server_port}", skip_instance_cache=True)
        with tempfile.TemporaryDirectory() as directory:
            web.get_file("http://anywhere.example/file", f"{directory}/file")
            self.assertEqual(Path(directory, "file").read_bytes(), content)
        self.assertEqual(ranges[-2:], ["bytes=100000-", "bytes=200000-"])


if __name__ == "__main__":
    unittest.main()
