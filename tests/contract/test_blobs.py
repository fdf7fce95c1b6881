"""One suite for every blob store: what `tts.contract.BlobStore` promises, and what only files can break."""

import asyncio
import hashlib
import stat
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from fsspec.implementations.memory import MemoryFileSystem

from tts.blobs import FolderBlobStore, MemoryBlobStore
from tts.bucket import FsspecBlobStore, open_bucket
from tts.contract import BlobStore
from tts.errors import BlobLocked, EngineUnavailable
from tts.sealing import FernetCipher, cipher_of


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Bucket(MemoryFileSystem):
    """fsspec's memory file system, of its own and by our clock."""

    cachable = False

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.store, self.pseudo_dirs, self._now = {}, [""], clock

    def pipe_file(self, path: str, value: bytes, **options: object) -> None:
        super().pipe_file(path, value, **options)
        self.store[self._strip_protocol(path)].modified = datetime.fromtimestamp(self._now(), UTC)


KEY, OTHER_KEY = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture(params=["folder", "memory", "bucket", "sealed folder", "sealed bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> BlobStore:
    _, sealed, kind = request.param.rpartition("sealed ")
    cipher = FernetCipher([KEY]) if sealed else None
    if kind == "folder":
        return FolderBlobStore(tmp_path / "blobs", cipher=cipher, clock=clock)
    if kind == "bucket":
        return FsspecBlobStore(Bucket(clock), "/samples", cipher=cipher, clock=clock)
    return MemoryBlobStore(clock=clock)


@pytest.mark.parametrize("data", [b"", b"abc", bytes(range(256)) * 4_000])
async def test_what_was_put_comes_back(store: BlobStore, data: bytes) -> None:
    assert await store.get(await store.put(data)) == data


async def test_the_id_is_the_hash_of_the_content(store: BlobStore) -> None:
    assert await store.put(b"abc") == hashlib.sha256(b"abc").hexdigest()


async def test_the_same_bytes_twice_are_one_blob(store: BlobStore) -> None:
    first = await store.put(b"abc")

    assert await store.put(b"abc") == first
    await store.delete(first)
    with pytest.raises(KeyError):
        await store.get(first)


@pytest.mark.parametrize("blob_id", ["0" * 64, "", "../../etc/passwd", "a" * 63, "A" * 64])
async def test_what_is_not_there_is_a_key_error(store: BlobStore, blob_id: str) -> None:
    with pytest.raises(KeyError):
        await store.get(blob_id)


@pytest.mark.parametrize("blob_id", ["0" * 64, "../../etc/passwd"])
async def test_deleting_what_is_not_there_is_no_error(store: BlobStore, blob_id: str) -> None:
    await store.delete(blob_id)


async def test_a_sweep_takes_the_old_and_leaves_the_new(store: BlobStore, clock: Clock) -> None:
    old = await store.put(b"old")
    clock.now_s += 100
    new = await store.put(b"new")

    assert await store.sweep(older_than_s=50, keep=frozenset()) == 1
    assert await store.get(new) == b"new"
    with pytest.raises(KeyError):
        await store.get(old)


async def test_a_sweep_leaves_what_is_kept(store: BlobStore, clock: Clock) -> None:
    blob_id = await store.put(b"kept")
    clock.now_s += 1_000

    assert await store.sweep(older_than_s=50, keep=frozenset({blob_id})) == 0
    assert await store.get(blob_id) == b"kept"


async def test_putting_again_makes_a_blob_new(store: BlobStore, clock: Clock) -> None:
    blob_id = await store.put(b"abc")
    clock.now_s += 100
    await store.put(b"abc")

    assert await store.sweep(older_than_s=50, keep=frozenset()) == 0
    assert await store.get(blob_id) == b"abc"


async def test_many_writers_of_the_same_bytes_do_not_disturb_each_other(store: BlobStore) -> None:
    ids = await asyncio.gather(*(store.put(b"same" * 10_000) for _ in range(20)))

    assert await store.get(ids[0]) == b"same" * 10_000


async def test_a_sweep_of_an_empty_store_finds_nothing(store: BlobStore) -> None:
    assert await store.sweep(older_than_s=0, keep=frozenset()) == 0


async def test_files_and_folders_are_the_owners_alone(tmp_path: Path) -> None:
    blob_id = await FolderBlobStore(tmp_path / "blobs").put(b"abc")

    first, second = blob_id[:2], blob_id[2:4]
    assert [mode(tmp_path, "blobs", *steps) for steps in ((), (first,), (first, second))] == [0o700] * 3
    assert mode(tmp_path, "blobs", first, second, blob_id) == 0o600


def mode(folder: Path, *steps: str) -> int:
    return stat.S_IMODE(folder.joinpath(*steps).stat().st_mode)


async def test_blobs_outlive_the_store_that_wrote_them(tmp_path: Path) -> None:
    blob_id = await FolderBlobStore(tmp_path).put(b"abc")

    assert await FolderBlobStore(tmp_path).get(blob_id) == b"abc"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        await FolderBlobStore(tmp_path).put(b"abc")

    assert await asyncio.to_thread(files, tmp_path) == []


async def test_what_an_interrupted_write_left_is_swept(tmp_path: Path, clock: Clock) -> None:
    store = FolderBlobStore(tmp_path, clock=clock)
    blob_id = await store.put(b"abc")
    left = tmp_path / blob_id[:2] / blob_id[2:4] / ".part-x"
    await asyncio.to_thread(left.write_bytes, b"half")
    clock.now_s = time.time() + 100

    assert await store.sweep(older_than_s=50, keep=frozenset({blob_id})) == 0
    assert not await asyncio.to_thread(left.exists)


async def stored_bytes(folder: Path) -> bytes:
    (path,) = await asyncio.to_thread(files, folder)
    return await asyncio.to_thread(path.read_bytes)


async def test_with_a_key_nothing_lies_in_the_clear(tmp_path: Path) -> None:
    await FolderBlobStore(tmp_path, cipher=FernetCipher([KEY])).put(b"somebody's voice")

    assert b"voice" not in await stored_bytes(tmp_path)


async def test_what_was_stored_before_there_was_a_key_is_still_found(tmp_path: Path) -> None:
    blob_id = await FolderBlobStore(tmp_path).put(b"abc")

    assert await FolderBlobStore(tmp_path, cipher=FernetCipher([KEY])).get(blob_id) == b"abc"


async def test_a_key_in_rotation_opens_what_the_old_one_sealed(tmp_path: Path) -> None:
    blob_id = await FolderBlobStore(tmp_path, cipher=FernetCipher([KEY])).put(b"abc")

    assert await FolderBlobStore(tmp_path, cipher=FernetCipher([OTHER_KEY, KEY])).get(blob_id) == b"abc"


@pytest.mark.parametrize("keys", [(), (OTHER_KEY,)])
async def test_what_no_key_opens_is_told_with_the_setting(tmp_path: Path, keys: tuple[str, ...]) -> None:
    blob_id = await FolderBlobStore(tmp_path, cipher=FernetCipher([KEY])).put(b"abc")

    with pytest.raises(BlobLocked, match="SAMPLES_KEY"):
        await FolderBlobStore(tmp_path, cipher=cipher_of(keys)).get(blob_id)


async def test_bytes_that_changed_where_they_lie_are_gone(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path)
    blob_id = await store.put(b"abc")
    (path,) = await asyncio.to_thread(files, tmp_path)
    await asyncio.to_thread(path.write_bytes, b"abd")

    with pytest.raises(KeyError):
        await store.get(blob_id)


def test_a_key_that_is_none_is_refused_with_the_way_to_make_one() -> None:
    with pytest.raises(EngineUnavailable, match="generate_key"):
        FernetCipher(["secret"])


async def test_a_bucket_is_opened_by_its_url() -> None:
    store = open_bucket("memory://recado/samples")
    blob_id = await store.put(b"abc")

    assert await open_bucket("memory://recado/samples").get(blob_id) == b"abc"
    await store.delete(blob_id)


def test_a_place_fsspec_does_not_know_is_refused() -> None:
    with pytest.raises(EngineUnavailable, match="nowhere://"):
        open_bucket("nowhere://bucket")
