# shellcheck shell=sh
# PostgreSQL: the server of a data directory is started, stopped and asked how it is, with pg_ctl, as its owner.

newest_history=''

# is_running: a postmaster is at work in the data directory; sets postmaster
is_running() {
  postmaster=''
  { read -r postmaster <"$cluster/postmaster.pid"; } 2>/dev/null
  case $postmaster in '' | *[!0-9]*) return 1 ;; esac
  works_in "$postmaster" "$cluster"
}

# how_it_runs: sets options and server_log, with which the server was started, also when it does not run any more, and to which it writes
how_it_runs() {
  # pg_ctl names the directory anew
  options=$(sed -n '1{s/^[^ ]* *//;s/"-D" "[^"]*" *//g;p;}' "$cluster/postmaster.opts" 2>/dev/null)
  is_running || return 0
  server_log=$(readlink "/proc/$postmaster/fd/2" 2>/dev/null)
  if [ ! -f "$server_log" ] || [ ! -w "$server_log" ]; then server_log=''; fi
}

stop_server() {
  is_running || return 0
  attend "${cluster_bin}pg_ctl" stop -D "$cluster" -m fast -s -w -t 3600 >stop.said 2>&1
}

# options_for: those of a server that nobody has seen running: Debian has the configuration elsewhere
options_for() {
  [ -n "$options" ] || [ -f "$cluster/postgresql.conf" ] || options=$(
    for file in /etc/postgresql/*/*/postgresql.conf; do
      if grep -q "^ *data_directory *= *'$cluster'" "$file" 2>/dev/null; then
        echo "\"-c\" \"config_file=$file\""
        break
      fi
    done
  )
}

# find_server: sets cluster_bin and options for what is in the data directory now
find_server() {
  options_for
  read -r major <"$cluster/PG_VERSION"
  case $major in '' | *[!0-9]*) return 1 ;; esac
  server_programs "$major"
}

# setting NAME: as the server would have it, by its configuration and its command line. They are quoted for a shell, as pg_ctl hands them on.
setting() { (sh -c "exec \"${cluster_bin}postgres\" -D \"$cluster\" $options -C $1") 2>/dev/null; }

# start_server: as it ran before. What it says until it has a log of its own is in ours.
start_server() {
  find_server
  own_log=${server_log:-$cluster/db_backup_start.log}
  said_before=$(size_of "$own_log" 2>/dev/null)
  attend begin_server
}

# begin_server: with the environment of a login, and no password of ours
begin_server() {
  unset PGPASSWORD PGOPTIONS PGCONNECT_TIMEOUT PGAPPNAME PGCLIENTENCODING LC_ALL TZ
  [ -z "$login_locale" ] || export LC_ALL="$login_locale"
  [ -z "$login_zone" ] || export TZ="$login_zone"
  exec "${cluster_bin}pg_ctl" start -D "$cluster" -l "$own_log" -s -W ${options:+-o "$options"} </dev/null >/dev/null 2>&1 3>&- 7>&- 8>&-
}

# server_status: as the postmaster has it in its file for pg_ctl
server_status() { sed -n '8s/ *$//p' "$cluster/postmaster.pid" 2>/dev/null; }

# is_up: with a server that has come as far as to recover
is_up() {
  is_running || return 1
  case $(server_status) in ready | standby) ;; *) return 1 ;; esac
}

# server_said: since it was started, without the refusals of those who look whether it is up
server_said() {
  tail -c "+$((${said_before:-0} + 1))" "$own_log" 2>/dev/null | grep -a 'FATAL\|PANIC\|ERROR' | grep -av 'the database system is\|not yet accepting' |
    tail -n 4 | tr -cd '\12\40-\176\200-\377' | dd bs=2048 count=1 2>/dev/null
}

# await_recovery: the control file says it, whatever role or database there is in that time. It came with the set, and says from the beginning
# that the cluster is in production: so it is believed only after the postmaster has said in its own file that recovery had begun, or is over.
await_recovery() {
  gone=0
  until is_up && [ "$("${cluster_bin}pg_controldata" -D "$cluster" 2>/dev/null | sed -n 's/^Database cluster state: *//p')" = 'in production' ]; do
    if is_running; then gone=0; else gone=$((gone + 1)); fi
    [ $gone -lt 10 ] || fail E_RESTORE "the server ended while it recovered: $(server_said)"
    emit waits
    sleep 0.5 2>/dev/null || sleep 1
  done
}

# check_recovered: what was reached, before anybody else writes: the history of the timeline that was begun has where it begins; its control
# file knows it only after the next checkpoint. When the last commit was the server tells.
check_recovered() {
  for history in "$cluster"/pg_wal/*.history; do [ ! -f "$history" ] || newest_history=$history; done
  if [ -n "$newest_history" ]; then
    put recovered_lsn "$(sed -n 's/^[0-9]\{1,10\}[[:blank:]]\{1,\}\([0-9A-F]\{1,8\}\/[0-9A-F]\{1,8\}\)[[:blank:]].*/\1/p' "$newest_history" | tail -n 1)"
    history=${newest_history##*/}
    put recovered_timeline $((0x${history%.history}))
  fi
  recovery_said=$(server_said)
  [ -z "$recovery_said" ] || put recovery_said "$recovery_said"
  find_postgres
  postgres_environment
  cat >reached.sql <<SQL
SELECT 'recovered_at ' || encode(convert_to(coalesce(to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), ''), 'UTF8'), 'hex');
SELECT 'holds_archive ' || (current_setting('archive_command') = '$hold_command');
SQL
  tries=0
  until (sql -c 'SET search_path = pg_catalog' -f reached.sql) >reached.facts 2>reached.error; do
    tries=$((tries + 1))
    [ $tries -lt 20 ] || break
    sleep 0.5 2>/dev/null || sleep 1
  done
  if [ $tries -lt 20 ]; then tell_facts reached.facts; else
    is_running || fail E_RESTORE "the restored server ended: $(server_said)"
    # the role or the database of the URL may be younger than the moment
    put unreached "$(tail -n 1 reached.error)"
  fi
}
