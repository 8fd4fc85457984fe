# CASE: SQLite in every journal mode, WAL too, keeps what was committed, with readers beside
# TIMEOUT: 240
import os
import sqlite3
import subprocess
import sys
import threading

import files

MNT = os.environ["MNT"]
MODES = ["delete", "truncate", "persist", "wal"]
WRITERS, COMMITS = 3, 25


def connect(mode):
    database = sqlite3.connect(f"{MNT}/{mode}.db", timeout=60)
    found = database.execute(f"pragma journal_mode={mode}").fetchone()[0]
    assert found == mode, f"journal mode {mode} became {found}"
    return database


def write(mode, writer, failures):
    try:
        database = connect(mode)
        for commit in range(COMMITS):
            with database:
                database.execute("begin immediate")
                for row in range(20):
                    database.execute("insert into log values (?, ?, ?, ?)",
                                     (writer, commit, row, os.urandom(300)))
        database.close()
    except Exception as error:  # reported by the main thread
        failures.append(error)


def read(mode, stop, failures):
    """A commit is seen whole or not at all."""
    try:
        database = connect(mode)
        while not stop.is_set():
            torn = database.execute("select count(*) from (select 1 from log group by "
                                    "writer, number having count(*) != 20)").fetchone()[0]
            assert torn == 0, "a reader saw half of a commit"
        database.close()
    except Exception as error:  # reported by the main thread
        failures.append(error)


def fill(mode):
    failures, stop = [], threading.Event()
    database = connect(mode)
    with database:
        database.execute("create table log (writer, number, row, data)")
    database.close()
    reader = threading.Thread(target=read, args=(mode, stop, failures))
    writers = [threading.Thread(target=write, args=(mode, i, failures)) for i in range(WRITERS)]
    for thread in [reader] + writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    if failures:
        raise failures[0]


def check(mode):
    database = connect(mode)
    assert database.execute("pragma integrity_check").fetchone()[0] == "ok"
    rows = database.execute("select count(*), sum(length(data)) from log").fetchone()
    assert rows == (WRITERS * COMMITS * 20, WRITERS * COMMITS * 20 * 300), f"{mode}: {rows}"
    database.close()


def main():
    for mode in MODES:
        fill(mode)
        check(mode)
    # Another process dies with a commit behind it and no checkpoint: its WAL must come back too.
    with_wal = ("import os, sqlite3, sys; d = sqlite3.connect(sys.argv[1]);"
                "d.execute('pragma journal_mode=wal'); d.execute('create table t (x)');"
                "d.executemany('insert into t values (?)', [(i,) for i in range(1000)]);"
                "d.commit(); os._exit(0)")
    subprocess.run([sys.executable, "-c", with_wal, f"{MNT}/left.db"], check=True)
    assert os.path.getsize(f"{MNT}/left.db-wal") > 0
    files.survives_remount(MNT)
    for mode in MODES:
        check(mode)
    left = sqlite3.connect(f"{MNT}/left.db")
    assert left.execute("select count(*), sum(x) from t").fetchone() == (1000, 499500)


main()
