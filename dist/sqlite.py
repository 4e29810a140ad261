# SQLite by Python's own module, for hosts without the sqlite3 tool: the same order of steps, the same exit status.
import os
import sqlite3
import sys
import time
from urllib.parse import quote


# What could reach outside of a database, in whatever way this library was built.
FORBIDDEN = {"edit", "fts3_tokenizer", "load_extension", "readfile", "writefile"}
FUNCTION = 31  # older modules have no name for it


def snapshot(source, busy_ms, mode, *facts):
    # backup() alone ignores the timeout of a locked database; the transaction before it waits, and pins the snapshot
    live = connect(source, busy_ms, mode)
    live.execute("BEGIN")
    for sql in facts:
        show(live, sql)
    copy = sqlite3.connect("copy.db", isolation_level=None)
    live.backup(copy)
    live.execute("COMMIT")
    copy.close()
    live.close()


def query(*statements):
    copy = finished_copy()
    for sql in statements:
        show(copy, sql)


def lines(file):
    copy = finished_copy()
    copy.text_factory = bytes
    with open(file, encoding="utf-8") as statement:
        for row in copy.execute(statement.read()):
            sys.stdout.buffer.write(b",".join(row) + b"\n")
    sys.stdout.flush()


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
    return distrusted(sqlite3.connect(uri, uri=True, timeout=int(busy_ms) / 1000, isolation_level=None))


def finished_copy():
    return distrusted(sqlite3.connect("file:copy.db?immutable=1", uri=True, isolation_level=None))


def distrusted(database):
    # nothing that stands in the database is carried out: see sqlite.sh
    database.execute("PRAGMA trusted_schema = off")
    database.execute("PRAGMA ignore_check_constraints = on")
    database.set_authorizer(authorize)
    return database


def authorize(action, _, name, *_rest):
    if action == FUNCTION and (name or "").lower() in FORBIDDEN:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) else sqlite3.SQLITE_OK


def show(database, sql):
    for row in database.execute(sql):
        sys.stdout.buffer.write(b"%s\n" % ("" if row[0] is None else str(row[0])).encode())
    sys.stdout.flush()


try:
    {"snapshot": snapshot, "query": query, "ask": ask, "lines": lines, "restore": restore}[sys.argv[1]](*sys.argv[2:])
except sqlite3.Error as error:
    print(error, file=sys.stderr)
    texts = {"locked": 5, "malformed": 11, "not a database": 26, "readonly": 8, "unable to open": 14, "full": 13}
    sys.exit(next((status for text, status in texts.items() if text in str(error)), 1))
