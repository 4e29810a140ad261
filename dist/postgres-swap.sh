# shellcheck shell=sh
# PostgreSQL: the names of the live database and the loaded one, changed and changed back, each time in one transaction.

# end_sessions_sql NAMES: of those databases
end_sessions_sql() {
  echo "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity a WHERE datname IN ($1) AND pid <> pg_backend_pid() AND $may_end;"
}

# drop_database new|old NAME: with the subscriptions in it, which the server would not let go
drop_database() {
  drop_it="$begin_plain
$(end_sessions_sql ":'$1'")
COMMIT;
DROP DATABASE IF EXISTS :\"$1\";"
  at_once "$drop_it" && return
  grep -q ' 55006: ' server.error && forget_subscriptions "$1" "$2" && at_once "$drop_it"
}

# at_once SQL: as tell_server, for a clean-up, in which signals are not acted upon any more
at_once() {
  printf '%s\n' "$1" >server.sql
  (in_other -f server.sql) >/dev/null 2>server.error
}

# forget_subscriptions new|old NAME: the publisher keeps their slots, which those of the restored database may take up
forget_subscriptions() {
  at_once "ALTER DATABASE :\"$1\" ALLOW_CONNECTIONS true;" || return
  case $maintenance in *' '*) inner="dbname='$2' ${maintenance#* }" ;; *) inner="dbname='$2'" ;; esac
  (connection=$inner && drop_subscriptions) 2>server.error
}

# rename DATABASES STATEMENTS: their sessions ended, and the statements, in one transaction; again while somebody comes back in between.
# Fails with busy set when somebody is still in one of them
rename() {
  deadline=$(($(date +%s) + lock_wait)) busy=''
  until tell_server "$begin_plain
SET LOCAL statement_timeout = 0;
$(end_sessions_sql "$1")
$2
COMMIT;"; do
    # somebody is in it, a deadlock, a lock
    grep -q ' \(55006\|40P01\|55P03\): ' server.error || return 1
    busy=1
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    busy=''
    sleep 0.2 2>/dev/null || sleep 1
  done
}

# databases_there: which of live, new, old there are, as letters
databases_there() {
  ask_server "SELECT coalesce(string_agg(CASE datname WHEN :'live' THEN 'L' WHEN :'new' THEN 'N' ELSE 'O' END, '' ORDER BY
  CASE datname WHEN :'live' THEN 1 WHEN :'new' THEN 2 ELSE 3 END), '-') FROM pg_database WHERE datname IN (:'live', :'new', :'old');"
}

# swap_databases NAMED-ARGUMENTS
swap_databases() {
  arguments "$@"
  enter_target 64
  need_maintenance E_RESTORE
  emit phase swap 0
  if [ "$way" = create ]; then swap='ALTER DATABASE :"new" RENAME TO :"live";'; else
    swap='ALTER DATABASE :"live" RENAME TO :"old";
ALTER DATABASE :"new" RENAME TO :"live";'
  fi
  loaded=$(oid_of ":'new'") || fail E_RESTORE "$(said_server)"
  rename ":'live', :'new'" "$swap" || swap_failed
  put state restored
  [ "$way" = create ] || close_old
  tell_live
}

# swap_failed: unless only the answer to COMMIT was lost
swap_failed() {
  error=$(said_server)
  there=$(again databases_there) || fail E_RESTORE "the databases could not be renamed: $error"
  case $way:$there in swap:LO | create:L) return ;; esac
  put state unchanged
  [ -n "$busy" ] || fail E_RESTORE "the databases could not be renamed: $error"
  ask_server "$(sessions_sql)" | emit_each 'set '
  fail E_TARGET_BUSY "$error"
}

# again COMMAND...: a server that restarts is given half a minute
again() {
  tries=30
  until "$@"; do
    [ $tries -gt 0 ] || return 1
    tries=$((tries - 1))
    sleep 1
  done
}

# close_old: nobody must take what is kept for the live database
close_old() { ask_server 'ALTER DATABASE :"old" ALLOW_CONNECTIONS false;' >/dev/null || put note "$old, which is kept until the check is passed, still lets clients in: $(said_server)"; }

# oid_of NAME
oid_of() { ask_server "SELECT oid FROM pg_database WHERE datname = $1;"; }

# tell_live: whether the live database is the one that was loaded, and its tables; not all rows again, for which the application would wait
tell_live() {
  [ "$(oid_of ":'live'")" != "$loaded" ] || put same_database "$loaded"
  { printf '%s\n' '\o /dev/null' "$begin_sql" '\o' && tables_sql && echo 'COMMIT;'; } >live.sql
  run sql -f live.sql >live.facts 2>live.error || fail E_RESTORE "the live database could not be read after the swap: $(complaints live.error)"
  tell_facts live.facts
  count_target
}

# back_databases NAMED-ARGUMENTS
back_databases() {
  arguments "$@"
  enter_target 64
  need_maintenance E_ROLLBACK_FAILED
  there=$(databases_there) || fail E_ROLLBACK_FAILED "$(said_server)"
  case $way:$there in
    swap:LO)
      rename ":'live', :'old'" 'ALTER DATABASE :"live" RENAME TO :"new";
ALTER DATABASE :"old" RENAME TO :"live";
ALTER DATABASE :"live" ALLOW_CONNECTIONS true;' || fail E_ROLLBACK_FAILED "the databases could not be renamed back: $(said_server)"
      ;;
    create:L) rename ":'live'" 'ALTER DATABASE :"live" RENAME TO :"new";' || fail E_ROLLBACK_FAILED "the database could not be renamed back: $(said_server)" ;;
    swap:L | swap:LN | create:N | create:-) ;;
    *) fail E_ROLLBACK_FAILED "the databases are not as the restore left them" ;;
  esac
  if [ "$way" = swap ]; then
    count_restored || fail E_ROLLBACK_FAILED "the old database has its name again, and could not be read: $(complaints count.error)"
  fi
  put state rolled-back
  drop_new
}

# settle_databases NAMED-ARGUMENTS
settle_databases() {
  arguments "$@"
  enter_target 64
  if choose_maintenance && drop_database old "$old"; then return; fi
  [ -s server.error ] || cp maintenance.error server.error
  put note "the old database still exists as $old, because it could not be dropped: $(said_server). As its owner: DROP DATABASE $old"
}

# recover_databases NAMED-ARGUMENTS
recover_databases() {
  arguments "$@"
  enter_target 64
  [ "$way" = in-place ] || need_maintenance E_RESTORE
  server=$({ [ "$way" = in-place ] || connection=$maintenance; } && ask_sql 'SELECT system_identifier FROM pg_control_system()' 2>/dev/null)
  case $server in
    '' | *[!0-9]*) ;; # not every role may know
    *)
      put system_identifier "$server"
      if [ "$server" != "${system:-$server}" ]; then
        put state other
        return
      fi
      ;;
  esac
  if [ "$way" = in-place ]; then
    # the number of a transaction is on a copy of that server the one of another
    if [ -z "$xact" ]; then put state unchanged; elif [ -z "$named" ]; then put state not-known; else settle_transaction; fi
    return
  fi
  there=$(databases_there) || fail E_RESTORE "$(said_server)"
  case $there in *N* | *O*) put traces 1 ;; esac
  case $way:$phase:$there in
    swap:*:LO)
      close_old
      put state restored
      ;;
    # what was kept is dropped only when all is well
    swap:swapped:L) put state restored ;;
    create:swapping:L | create:swapped:L | create:rolling-back:L) put state restored ;;
    *:*:LN | create:*:N)
      drop_new
      put state unchanged
      ;;
    *:*:L | create:*:-) put state unchanged ;;
    *) fail E_RESTORE "$live, $new and $old do not exist in a combination that a restore leaves" ;;
  esac
}
