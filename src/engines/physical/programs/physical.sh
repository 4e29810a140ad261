# shellcheck shell=sh
# PostgreSQL: a whole cluster, by pgBackRest, which keeps its backups in a repository of its own.
#
# All of it runs as the owner of the cluster, never as root: what root writes in a repository, the server can not read any more, and its
# archiving ends. pgBackRest is told all on its command line, since sudo hands on no environment; its secrets are in its configuration
# file, which it reads by itself. It logs to stderr, and prints what it was asked for on stdout.
cluster='' cluster_major='' cluster_bin='' system_id='' segment_bytes='' timeline=''
backrest_code=E_DUMP_FAILED

# What a server has for us besides (postgres.sh)
postgres_fact="$postgres_fact|(archive_timeout|archive_backlog) [0-9]+|wal_pending (true|false)"
postgres_fact="$postgres_fact|recovered_at [0-9a-f]*|holds_archive (true|false)"

# backrest COMMAND ARGS...: what it says is `INFO: ...`, `WARN: ...`, `ERROR: [NNN]: ...` on stderr, with or without a time before it
backrest() { exec pgbackrest --stanza="$stanza" --log-level-console=off --log-level-stderr=info "$@"; }

# quiet_backrest COMMAND ARGS...: the same where nobody waits to hear how far it is
quiet_backrest() { exec pgbackrest --stanza="$stanza" --log-level-console=off --log-level-stderr=warn "$@"; }

# restore_set DIRECTORY OPTION...: the set `label`, recovered to what is asked for. What the configuration says of restores is for those by
# hand: with it, databases would be left out, or links followed to what is live.
restore_set() {
  directory=$1
  shift
  set -- --pg1-path="$directory" --set="$label" --type="$type" --no-delta --no-link-all --reset-link-map --reset-db-include \
    --reset-db-exclude "$@"
  [ "$type" = immediate ] || set -- "$@" --target-timeline="$target_timeline"
  [ "$type" != time ] || set -- "$@" --target="$target"
  [ "$type" = default ] || set -- "$@" --target-action=promote
  [ -z "$jobs" ] || set -- "$@" --process-max="$jobs"
  backrest "$@" restore
}

# enter_physical: into a folder of our own, with the tools
enter_physical() {
  enter_place 64
  [ "$my_uid" != 0 ] || fail E_PERM 'pgBackRest would run as root'
  have pgbackrest || fail E_TOOL_MISSING pgbackrest
  backrest_version=$(pgbackrest version 2>&1)
  backrest_version=${backrest_version#pgBackRest }
  case $backrest_version in
    [0-9].* | *[!0-9.a-z]* | '') ;;
    *) fail E_TOOL_VERSION "pgBackRest $backrest_version" ;;
  esac
  put backrest_version "$backrest_version"
}

# backrest_failed STATUS FILE: with what it said there. Its status is the number of its error, which the runner puts into words; where they
# say nothing of their own it is backrest_code.
backrest_failed() {
  put backrest_status "$1"
  failed "$backrest_code" "$(backrest_said "$2")"
}

# backrest_said FILE: its errors and warnings there, with what follows them, without times and what is no text
backrest_said() {
  tr -cd '\11\12\40-\176\200-\377' <"$1" |
    awk '{ sub(/^[-0-9]+ [0-9:.]+ P[0-9]+ +/, "") } / *INFO: / { told = 0; next } / *(WARN|ERROR): / || told { told = 1; sub(/^ +/, ""); print }' |
    dd bs=4096 count=1 2>/dev/null
}

# read_repository NAMED-ARGUMENTS: the sets of the stanza, the WAL that is archived for each cluster that it had, and the history of its
# timelines. Needs no server.
read_repository() {
  arguments "$@"
  enter_physical
  tell_repository
}

# find_cluster: where pgBackRest finds the cluster of the stanza, and what its control file says, which needs no server. Sets cluster,
# cluster_major, cluster_bin, system_id, segment_bytes and timeline; the last three are empty where there is no cluster, or a damaged one.
find_cluster() {
  segment_bytes='' timeline='' cluster_major='' cluster_bin='' system_id=''
  # of its commands that take the path of the cluster this one does the least: there is no such segment
  (exec pgbackrest --stanza="$stanza" --log-level-console=off --log-level-stderr=info \
    archive-get 00000000000000000000000A "$(pwd -P)/no-segment") >cluster.said 2>&1
  status=$?
  cluster=$(sed -n 's/.* --pg1-path=\("\([^"]*\)"\|\([^" ]*\)\) .*/\2\3/p' cluster.said | sed q)
  if [ -z "$cluster" ]; then
    put backrest_status $status
    failed E_SOURCE_MISSING "$(backrest_said cluster.said)"
  fi
  case $cluster in
    /*[!A-Za-z0-9/._@+-]*) fail E_SOURCE_INVALID "the data directory $cluster has characters in its path that the command line of a server cannot have" ;;
    /*) ;;
    *) fail E_SOURCE_INVALID "the data directory $cluster is no absolute path" ;;
  esac
  put cluster "$cluster"
  if [ ! -f "$cluster/global/pg_control" ]; then
    [ ! -d "$cluster" ] || [ -x "$cluster" ] || fail E_PERM "$my_name cannot enter $cluster"
    put cluster_missing "$cluster"
    return
  fi
  [ -O "$cluster" ] || fail E_PERM "$cluster does not belong to $my_name"
  { read -r cluster_major <"$cluster/PG_VERSION"; } 2>/dev/null
  case $cluster_major in
    '' | *[!0-9]* | ????*)
      put cluster_damaged "$cluster/PG_VERSION does not name a version from 10 on"
      return
      ;;
  esac
  # before 13, a recovery that ends before the moment counts as one that has reached it
  [ "$cluster_major" -ge 13 ] || fail E_TOOL_VERSION "PostgreSQL $cluster_major"
  server_programs "$cluster_major"
  [ -n "$cluster_bin" ] || fail E_TOOL_MISSING "PostgreSQL $cluster_major (postgres, pg_ctl, pg_controldata)"
  put cluster_version "$cluster_major"
  run "${cluster_bin}pg_controldata" -D "$cluster" >control 2>control.error || {
    put cluster_damaged "$(tail -n 1 control.error)"
    return
  }
  # it reads on, whatever it has found
  if grep -q '^WARNING' control; then
    put cluster_damaged "$cluster/global/pg_control: $(grep '^WARNING' control | sed q)"
    return
  fi
  system_id=$(control 'Database system identifier') segment_bytes=$(control 'Bytes per WAL segment')
  timeline=$(control "Latest checkpoint's TimeLineID")
  need_number system_id "$system_id"
  need_number segment_bytes "$segment_bytes"
  need_number timeline "$timeline"
  put system_identifier "$system_id"
  put segment_bytes "$segment_bytes"
  put timeline "$timeline"
  put cluster_state "$(control 'Database cluster state')"
}

# works_in PID DIRECTORY: the process is there, and at work in that directory, as a postmaster is in its data directory
works_in() { there=$(readlink "/proc/$1/cwd" 2>/dev/null) && [ "$there" = "$(cd "$2" 2>/dev/null && pwd -P)" ]; }

# server_programs MAJOR: sets cluster_bin, the folder of the programs of a server of that version; empty where there are none
server_programs() {
  cluster_bin=''
  for folder in "/usr/lib/postgresql/$1/bin/" "/usr/pgsql-$1/bin/" /usr/local/pgsql/bin/ /usr/bin/; do
    case $("${folder}postgres" --version 2>/dev/null) in
      "postgres (PostgreSQL) $1".* | "postgres (PostgreSQL) $1"[a-z]*) ;;
      *) continue ;;
    esac
    cluster_bin=$folder
    return
  done
}

# control FIELD: of what pg_controldata said
control() { sed -n "s/^$1: *//p" control | sed q; }

tell_repository() {
  find_cluster
  run quiet_backrest info --output=json >sets 2>sets.error || backrest_failed $? sets.error
  tr -cd '\12\40-\176\200-\377' <sets >sets.text
  put_file sets sets.text
  tell_wal
}

# tell_wal: `wal ARCHIVE FIRST LAST WHEN_FIRST WHEN_LAST` of each run of segments without a gap, in order, the times in seconds; `history
# ARCHIVE TIMELINE PARENT SWITCH WHEN` of each line of a history, with the time at which it was archived. pgBackRest knows the first and the last one alone.
tell_wal() {
  run quiet_backrest repo-ls --output=json "archive/$stanza" >archives 2>archive.error || backrest_failed $? archive.error
  awk '{ gsub(/[{},]/, "\n"); print }' archives | sed -n 's/^"\([0-9.]*-[0-9]*\)":$/\1/p' >archive.names
  while read -r archive; do
    run quiet_backrest repo-ls --recurse --output=json --filter='/[0-9A-F]{24}-|^[0-9A-F]{8}\.history$' "archive/$stanza/$archive" \
      >segments 2>archive.error || backrest_failed $? archive.error
    awk '{ gsub(/[{}]/, "\n"); print }' segments | sed -n '/:$/{
      N
      s/^,\{0,1\}"[0-9A-F]\{16\}\/\([0-9A-F]\{24\}\)-[0-9a-f]\{40\}[.a-z0-9]*":\n.*"time":\([0-9]\{1,12\}\).*/\1 \2/p
    }' | sort -u -k 1,1 | awk -v archive="$archive" -v size="${segment_bytes:-16777216}" "$wal_runs" >wal.runs || failed E_INTERNAL 'the list of WAL could not be read'
    emit_each 'set ' <wal.runs
    awk '{ gsub(/[{}]/, "\n"); print }' segments | sed -n '/:$/{
      N
      s/^,\{0,1\}"\([0-9A-F]\{8\}\)\.history":\n.*"time":\([0-9]\{1,12\}\).*/\1 \2/p
    }' >histories
    while read -r told_timeline begun; do
      run quiet_backrest repo-get "archive/$stanza/$archive/$told_timeline.history" >history 2>archive.error || backrest_failed $? archive.error
      sed -n "s/^\([0-9]\{1,10\}\)[[:blank:]]\{1,\}\([0-9A-F]\{1,8\}\/[0-9A-F]\{1,8\}\)[[:blank:]].*/history $archive $told_timeline \1 \2 $begun/p" history >history.facts
      emit_each 'set ' <history.facts
    done <histories
  done <archive.names
}

# Of sorted lines `SEGMENT SECONDS` the runs without a gap. The next one has a number higher by one, or, after the last one of a log, which
# depends on the size of a segment, the first number of the next log.
# shellcheck disable=SC2016 # awk's variables
wal_runs='
function number(hex,   i, n) { for (i = 1; i <= length(hex); i++) n = n * 16 + index("0123456789ABCDEF", substr(hex, i, 1)) - 1; return n }
function over() { if (first != "") print "wal", archive, first, last, since, till }
{
  timeline = substr($1, 1, 8); log_number = number(substr($1, 9, 8)); part = number(substr($1, 17, 8))
  next_one = timeline == was_timeline && (log_number == was_log && part == was_part + 1 || log_number == was_log + 1 && part == 0 && (was_part + 1) * size == 4294967296)
  if (!next_one) { over(); first = $1; since = $2 }
  last = $1; till = $2; was_timeline = timeline; was_log = log_number; was_part = part
}
END { over() }
'
