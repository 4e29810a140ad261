# The text that `.dump` of sqlite3 or Python's iterdump wrote, carried out into a new file: script.py SCRIPT NEW-DATABASE. Whoever wrote that
# text is not trusted. The sqlite3 tool can not be kept within the file, not even with -safe: .trace writes files, and fsdir() reads them.
# Here an authorizer is asked about everything that a statement would do, also within triggers, and there are no commands but SQL.
import re
import sqlite3
import sys

FUNCTION, PRAGMA, TRANSACTION = 31, 19, 22
# By the numbers of sqlite3.h, for which older modules have no names: to make, drop, fill, change and read what is in the one database.
ALLOWED = {1, 2, 7, 8, 9, 10, 11, 16, 17, 18, 20, 21, 23, 26, 27, 28, 29, 30, 32, 33}
FORBIDDEN = {"edit", "fts3_tokenizer", "load_extension", "readfile", "writefile"}
# data_version is asked for by virtual tables
PRAGMAS = {"foreign_keys", "writable_schema", "encoding", "user_version", "application_id", "page_size", "auto_vacuum", "data_version"}

# What a statement can have in it that is not at its end
OPENING = re.compile(rb"['\"`\[;]|--|/\*")
CLOSING = {b"'": b"'", b'"': b'"', b"`": b"`", b"[": b"]", b"--": b"\n", b"/*": b"*/"}
BLANK = rb"(?:\s|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*\*/)*"
TRIGGER = re.compile(BLANK + rb"create\s+(?:temp\s+|temporary\s+)?trigger\b", re.I | re.S)
COMMIT = re.compile(BLANK + rb"(?:commit|end)\b", re.I)
NOTHING = re.compile(rb"(?:[\s;]|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*\*/)*$", re.S)


class Fault(Exception):
    """A word, which the runner puts into a sentence, and what is to be said of it."""


refused = []  # what was asked for, and is not to be had


def authorize(action, first, second, *_rest):
    what = (first or "").lower()
    if action == PRAGMA:
        good = what in PRAGMAS
    elif action == FUNCTION:
        what = (second or "").lower()
        good = what not in FORBIDDEN
    elif action == TRANSACTION:
        good = what != "rollback"
    else:
        good = action in ALLOWED
    if good:
        return sqlite3.SQLITE_OK
    refused.append((action, what))
    return sqlite3.SQLITE_DENY


def statements(file):
    """Each with the number of the line that it ends on, without its blanks and comments around it being looked at."""
    pending, closing, number = [], None, 0
    for line in file:
        number += 1
        begin = at = 0
        while True:
            if closing is not None:
                end = line.find(closing, at)
                if end < 0:
                    break
                at, closing = end + len(closing), None
                continue
            found = OPENING.search(line, at)
            if found is None:
                break
            at = found.end()
            if found.group() != b";":
                closing = CLOSING[found.group()]
                continue
            pending.append(line[begin:at])
            text = b"".join(pending)
            if TRIGGER.match(text) and not sqlite3.complete_statement(decoded(text, number)):
                pending = [text]
            else:
                yield number, text
                pending = []
            begin = at
        pending.append(line[begin:])
    rest = b"".join(pending)
    if not NOTHING.match(rest):
        raise Fault("cut", "its last statement has no end")


def decoded(text, number):
    if b"\0" in text:
        raise Fault("bytes", "line %d has a byte of zero in it" % number)
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise Fault("bytes", "line %d is not UTF-8" % number)


def load(script, new):
    database = sqlite3.connect(new, isolation_level=None, cached_statements=0)
    if hasattr(database, "setconfig"):
        database.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, False)
    # what fails is thrown away; nothing that stands in the schema is carried out, see sqlite.sh
    for setting in ("synchronous = off", "trusted_schema = off", "ignore_check_constraints = on"):
        database.execute("PRAGMA " + setting)
    database.set_authorizer(authorize)
    begun = virtual = ended = False
    extra = None
    late = []
    with open(script, "rb") as file:
        for number, text in statements(file):
            if ended and extra is None and not NOTHING.match(text):
                extra = number
            sql = decoded(text, number)
            # iterdump before Python 3.10 fills sqlite_sequence before there is a table that makes it
            ready = late + [(number, sql)] if COMMIT.match(text) else [(number, sql)]
            for number, sql in ready:
                try:
                    database.execute(sql)
                except (sqlite3.Error, sqlite3.Warning) as error:
                    if len(ready) > 1 or "no such table: sqlite_sequence" not in str(error):
                        raise refusal(error, number, virtual)
                    late.append((number, sql))
            late = [] if len(ready) > 1 else late
            # into the schema itself, where this connection does not see it
            virtual = virtual or "CREATE VIRTUAL TABLE" in sql
            begun = begun or database.in_transaction
            ended = begun and not database.in_transaction
    if late:
        raise Fault("failed", "line %d: no such table: sqlite_sequence" % late[0][0])
    if extra is not None:
        raise Fault("failed", "line %d comes after COMMIT, where a dump ends" % extra)
    if database.in_transaction or not begun:
        raise Fault("cut", "its last line, COMMIT, is missing")
    if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        raise Fault("hollow", "there is no table in it")
    database.close()


def refusal(error, number, virtual):
    said = "line %d: %s" % (number, error)
    if (TRANSACTION, "rollback") in refused:
        return Fault("errors", said)
    if refused:
        names = {24: "ATTACH or VACUUM", 25: "DETACH", PRAGMA: "PRAGMA", FUNCTION: "the function"}
        action, what = refused[-1]
        return Fault("outside", "line %d asks for %s" % (number, " ".join((names.get(action, "something else"), what)).strip()))
    if re.search(r"no such function: unistr|no such table: sqlite_schema|near \"STRICT\"|unknown table option", said, re.I):
        return Fault("newer", said)
    if virtual and re.search("no such table|already exists", said):
        return Fault("virtual", said)
    if re.search("is full|disk I/O error|File too large", said):
        return Fault("room", said)
    return Fault("failed", said)


def tell(*lines):
    sys.stdout.buffer.write("\n".join(lines).encode(errors="replace") + b"\n")
    sys.stdout.flush()
    sys.exit(3)


try:
    load(*sys.argv[1:])
except Fault as fault:
    tell(*fault.args)
except (sqlite3.Error, sqlite3.Warning, OSError, MemoryError) as error:
    tell("failed", str(error) or "out of memory")
