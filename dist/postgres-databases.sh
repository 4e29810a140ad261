# shellcheck shell=sh
# PostgreSQL: which databases a server has.

# databases_postgres NAMED-ARGUMENTS: those that a backup can be taken of
# takes: connection container password run_as
databases_postgres() {
  arguments "$@"
  small_folder
  work=$tmp
  reach_elsewhere
  passing_on E_DUMP_FAILED 'the look at the server' \
    elsewhere list_databases connection "$connection" password "$password"
}

# list_databases NAMED-ARGUMENTS: no template, none that takes no connections (-2: one whose dropping was cut off), and none that a proof
# or a restore of ours has there for a while. The names are told as the bytes by which they are reached. The database `postgres`, which
# every server has for its own use, is left out as long as nothing is in it; where that can not be seen, it is not.
list_databases() {
  arguments "$@"
  enter_place 64
  find_postgres
  postgres_environment
  printf '%s\n' '\o /dev/null' "$begin_sql" '\o' >own.sql
  objects_sql >>own.sql
  left_out=''
  if (connection="$connection dbname='postgres'" && sql -f own.sql) 2>/dev/null | grep -qx 'objects 0'; then
    left_out="AND datname <> 'postgres'"
  fi
  cat >databases.sql <<SQL
\\o /dev/null
$begin_sql
SET LOCAL client_encoding = 'SQL_ASCII';
\\o
SELECT 'on_server ' || encode(namesend(datname), 'hex') FROM pg_database
WHERE NOT datistemplate AND datallowconn AND datconnlimit <> -2 AND datname !~ '^db_backup_(check|new|old)_' $left_out;
COMMIT;
SQL
  run sql -f databases.sql >databases.facts 2>databases.error || postgres_failed $? databases.error
  tell_facts databases.facts
}
