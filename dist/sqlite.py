# SQLite by Python's own module, for hosts without the sqlite3 tool: the same order of steps, the same exit status.
import os
import sqlite3
import sys
import time
from urllib.parse import quote


def snapshot(source, busy_ms, facts, mode):
    # backup() alone ignores the timeout of a locked database; the transaction before it waits, and pins the snapshot
    live = connect(source, busy_ms, mode)
    live.execute("BEGIN")
    show(live, facts)
    copy = sqlite3.connect("copy.db", isolation_level=None)
    live.backup(copy)
    live.execute("COMMIT")
    copy.close()
    live.close()


def query(sql):
    show(finished_copy(), sql)


def ask(source, busy_ms, mode, *statements):
    live = connect(source, busy_ms, mode)
    for sql in statements:
        show(live, sql)
    live.close()


def restore(source, busy_ms):
    end = time.monotonic() + int(busy_ms) / 1000
    live = connect(source, busy_ms, "")

    def give_up(status, *_):  # backup() itself tries for ever
        if status in (5, 6) and time.monotonic() > end:
            raise sqlite3.OperationalError("database is locked")

    finished_copy().backup(live, progress=give_up, sleep=0.1)
    live.close()


def connect(source, busy_ms, mode):
    modes = {"-readonly": "mode=ro", "immutable": "immutable=1"}
    uri = "file:" + quote(os.fsencode(source)) + "?" + modes.get(mode, "mode=rw")
    return sqlite3.connect(uri, uri=True, timeout=int(busy_ms) / 1000, isolation_level=None)


def finished_copy():
    return sqlite3.connect("file:copy.db?immutable=1", uri=True, isolation_level=None)


def show(database, sql):
    for row in database.execute(sql):
        sys.stdout.buffer.write(b"%s\n" % ("" if row[0] is None else str(row[0])).encode())
    sys.stdout.flush()


try:
    {"snapshot": snapshot, "query": query, "ask": ask, "restore": restore}[sys.argv[1]](*sys.argv[2:])
except sqlite3.Error as error:
    print(error, file=sys.stderr)
    texts = {"locked": 5, "malformed": 11, "not a database": 26, "readonly": 8, "unable to open": 14, "full": 13}
    sys.exit(next((status for text, status in texts.items() if text in str(error)), 1))
