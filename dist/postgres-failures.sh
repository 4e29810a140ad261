# shellcheck shell=sh
# PostgreSQL: what kind of failure it was, whatever language the server speaks (lc_messages). psql tells the SQLSTATE of a statement
# that failed; pg_dump tells none, and neither does anybody of a connection that was refused: then the server is asked for the reason.
# The tools themselves speak English here, for LC_ALL is C.

# a line of psql that tells a failure: where, how bad it is in words of the server, SQLSTATE, what
told_by_psql='^\(\(psql:[^ ]* \)\{0,1\}[^:]*:  \)\([0-9A-Z]\{5\}\): '

# complaints FILE: what a tool said, for people: without what is for programmers, and without the chatter that client_min_messages may
# have asked the server for
complaints() {
  [ -s "$1" ] || return 0
  sed -e '/^LOCATION:  /d' -e "/^[^:]*:  00000: /d" -e '/^psql:[^ ]* [^:]*:  00000: /d' -e "s/$told_by_psql/\\1/" "$1" |
    grep -aEv '^(DEBUG|LOG|INFO|NOTICE): ' | tail -n 100 | cut -b 1-4000
}

# sqlstate_in FILE: of the last failure that psql told there; 00 and 01 are none
sqlstate_in() { sed -n "s/$told_by_psql.*/\\3/p" "$1" | grep -v '^0[01]' | tail -n 1; }

# code_of SQLSTATE: our code for it; nothing where it says too little.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
code_of() {
  case $1 in
    28???) echo E_AUTH ;;                     # invalid authorization
    3D000) echo E_SOURCE_MISSING ;;           # no such database
    42501) echo E_PERM ;;                     # insufficient privilege, also of row-level security
    55P03 | 57014 | 40001 | 40P01) echo E_BUSY ;; # lock not available, cancelled (time-out, replay on a standby), deadlock
    53100) echo E_NOSPACE ;;
    53300 | 57P03 | 08???) echo E_CONNECT ;;  # too many connections, starting or shutting down, lost
    2201B) echo E_INPUT ;;                    # regular expression
    XX001 | XX002 | 58030) echo E_SOURCE_CORRUPT ;; # data or index corrupted, I/O error
  esac
}

# postgres_failed STATUS FILE [ASK]: of psql or pg_dump, by what it said there; where that is not enough by what ASK finds out, a function
# that sets state or code
postgres_failed() {
  state=$(sqlstate_in "$2") ask=${3:-}
  set -- "$1" "$(complaints "$2")"
  case $1:$2 in
    141:* | *'roken pipe'*) exit 141 ;; # who reads us has failed, and says why
    129:* | 13[0-9]:* | 143:*) set -- "$1" "$2 it was killed by signal $(($1 - 128)); when nobody did that, the host was out of memory" ;;
  esac
  code=$(code_of "$state")
  [ -n "$code" ] || code=$(code_by_words "$1" "$2")
  if [ -z "$code" ]; then
    case $1:$2 in
      2:* | *:*'connection to server '*' failed: '*) why_refused "$2" ;;
      *) [ -z "$ask" ] || "$ask" "$2" ;;
    esac
    [ -n "$code" ] || code=$(code_of "$state")
  fi
  [ -z "$state" ] || put sqlstate "$state"
  case $code in
    '' | E_DUMP_FAILED) failed E_DUMP_FAILED "${2:-no message} (status $1)" ;;
    E_TOOL_VERSION) fail E_TOOL_VERSION "$pg_version" ;;
    *) fail "$code" "$2" ;;
  esac
}

# code_by_words STATUS TEXT: what the tools say by themselves, and what a server that speaks English says where no SQLSTATE is told
code_by_words() {
  case $2 in
    *'row-level security'*) echo E_PERM ;;
    *'database "'*'" does not exist'*) echo E_SOURCE_MISSING ;;
    *'authentication failed'* | *'no password supplied'* | *'pg_hba.conf'* | *'role "'*'" does not exist'* | *'not permitted to log in'*) echo E_AUTH ;;
    # a worker of pg_dump says of a lost server as well that it could not obtain a lock
    *'server closed the connection'* | *'due to administrator command'*) if [ "$1" = 2 ]; then echo E_CONNECT; else echo E_DUMP_FAILED; fi ;;
    *'lock timeout'* | *'statement timeout'* | *'could not obtain lock'* | *'conflict with recovery'*) echo E_BUSY ;;
    *'server version mismatch'*) echo E_TOOL_VERSION ;;
    *'permission denied'*) echo E_PERM ;;
    *'no matching '* | *'invalid regular expression'*) echo E_INPUT ;;
    *'invalid connection option'* | *'invalid '*' value: '* | *'connection option "'* | *'definition of service '* | *'service file '*) echo E_INPUT ;;
    *'too many connections'* | *'too many clients'* | *'remaining connection slots'* | *'the database system is '* | *'could not connect to server'*) echo E_CONNECT ;;
    *'invalid page'* | *'could not read block'* | *'missing chunk'* | *'unexpected chunk'* | *'checksum failure'* | *'could not open file "base'*) echo E_SOURCE_CORRUPT ;;
  esac
}

# speak_english: what the server says to the tools to come, where this role may choose: a superuser may
speak_english() {
  case $(sql -c 'SHOW lc_messages') in '' | C | C.* | POSIX | en_* | English*) return ;; esac
  PGOPTIONS='-c lc_messages=C'
  export PGOPTIONS
  (sql -c 'SELECT 1') >/dev/null 2>&1 || unset PGOPTIONS
}

# connection_value KEYWORD: of the connection string, as it is
connection_value() { printf '%s\n' "$connection" | sed -n "s/\\(.* \\)\\{0,1\\}$1='\\([^'\\\\]*\\(\\\\.[^'\\\\]*\\)*\\)'.*/\\2/p" | sed 's/\\\(.\)/\1/g'; }

# hex_of TEXT
hex_of() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }

# why_refused TEXT: sets code, and denied. It was the server that refused when the text tells how bad it is, in its own words. Whether it
# takes connections at all pg_isready says by its status. A role that is let in elsewhere can tell what is wrong with this database;
# one that is not is in the text, if it is about the role.
why_refused() {
  code=E_CONNECT
  case $1 in *:'  '*) ;; *) return ;; esac
  (exec "${pg_bin}pg_isready" -q -d "$connection") >/dev/null 2>&1
  [ $? != 1 ] || return
  wanted_name="$(text_of "$(hex_of "$(connection_value dbname)")")"
  for other in postgres template1; do
    reason=$(connection="$connection dbname='$other'" && ask_sql "SELECT coalesce((SELECT CASE WHEN NOT datallowconn THEN 'E_CONNECT'
  WHEN NOT has_database_privilege(oid, 'CONNECT') THEN 'E_PERM'
  WHEN datconnlimit >= 0 AND (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid) >= datconnlimit THEN 'E_CONNECT' ELSE 'E_AUTH' END
FROM pg_database d WHERE datname = $wanted_name), 'E_SOURCE_MISSING')" 2>/dev/null) || continue
    case $reason in
      E_PERM) code=E_PERM && put denied database ;;
      E_AUTH | E_SOURCE_MISSING) code=$reason ;;
    esac
    return
  done
  role=$(connection_value user)
  role=${role:-$my_name}
  case " $1 " in *[!0-9A-Za-z_]"$role"[!0-9A-Za-z_]*) code=E_AUTH ;; esac
}

# why_dump TEXT: sets state, and denied: what pg_dump has to do, done by psql
why_dump() {
  table=$(sed -n 's/^pg_dump: error: Dumping the contents of table "\(.*\)" failed: .*/\1/p' dump.error | sed q)
  cat >why.sql <<SQL
\\o /dev/null
$begin_sql
SET LOCAL row_security = off;
$(choose_tables)
\\echo relation
SELECT format('LOCK TABLE ONLY %I.%I IN ACCESS SHARE MODE NOWAIT', n.nspname, c.relname)
$user_relations AND c.oid = ANY (:'tables'::oid[]) AND c.relkind IN ('r', 'p') \\gexec
SELECT format('SELECT FROM %I.%I', n.nspname, c.relname)
$user_relations AND c.oid = ANY (:'tables'::oid[]) AND c.relkind = 'S' AND NOT has_table_privilege(c.oid, 'SELECT') \\gexec
\\echo large_object
SELECT lo_get(oid, 0, 0) FROM pg_largeobject_metadata WHERE ${schemas:+false AND} true;
\\echo rows
SELECT format('SELECT FROM ONLY %I.%I LIMIT 0', n.nspname, c.relname) $user_relations AND $dumped AND row_security_active(c.oid) \\gexec
\\echo relation
SELECT format('COPY %I.%I TO STDOUT', n.nspname, c.relname) $user_relations AND $dumped AND c.relname = $(text_of "$(hex_of "$table")") \\gexec
\\o
SELECT 'in_recovery ' || pg_is_in_recovery();
COMMIT;
SQL
  if run sql -f why.sql >why.stage 2>why.error; then
    # who held it has let it go since; and rows that can be read now can be cancelled by the replay on a standby alone
    case $1:$(cat why.stage) in
      *'Query was: LOCK TABLE'*) code=E_BUSY ;;
      *'Dumping the contents of table '*'in_recovery true') state=40001 ;;
    esac
    return
  fi
  state=$(sqlstate_in why.error)
  [ "$state" != 42501 ] || put denied "$(sed -n '$p' why.stage)"
}
