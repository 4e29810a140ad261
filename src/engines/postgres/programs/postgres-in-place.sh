# shellcheck shell=sh
# PostgreSQL: a dump put into the live database itself, in one transaction.

# owned_sql: what is in a schema and has an owner
owned_sql="SELECT 'pg_class'::regclass AS class, oid, relnamespace AS namespace, relowner AS owner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace, proowner FROM pg_proc
UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace, typowner FROM pg_type t
  WHERE typtype IN ('d', 'e', 'r', 'b') OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = t.typrelid AND relkind = 'c')
UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace, oprowner FROM pg_operator
UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfnamespace, opfowner FROM pg_opfamily
UNION ALL SELECT 'pg_opclass'::regclass, oid, opcnamespace, opcowner FROM pg_opclass
UNION ALL SELECT 'pg_collation'::regclass, oid, collnamespace, collowner FROM pg_collation
UNION ALL SELECT 'pg_conversion'::regclass, oid, connamespace, conowner FROM pg_conversion
UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgnamespace, cfgowner FROM pg_ts_config
UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictnamespace, dictowner FROM pg_ts_dict"

# of_others_sql: those of others
of_others_sql="SELECT o.class, o.oid FROM ($owned_sql) o JOIN pg_namespace n ON n.oid = o.namespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT pg_has_role(o.owner, 'USAGE')
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.objsubid = 0 AND d.deptype IN ('e', 'i'))"

# others_sql: what others own, and what is part of it, as far as it could go with what this role owns
others_sql="WITH others AS ($of_others_sql),
relations AS (SELECT oid FROM others WHERE class = 'pg_class'::regclass
  UNION ALL SELECT typrelid FROM pg_type t JOIN others ON others.oid = t.oid WHERE class = 'pg_type'::regclass AND typtype = 'c')
SELECT class::oid AS class, oid AS object, 0 AS sub FROM others
UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum FROM pg_attribute JOIN relations r ON r.oid = attrelid WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'pg_class'::regclass, indexrelid, 0 FROM pg_index JOIN relations r ON r.oid = indrelid
UNION ALL SELECT 'pg_constraint'::regclass, o.oid, 0 FROM pg_constraint o JOIN relations r ON r.oid = conrelid
UNION ALL SELECT 'pg_constraint'::regclass, o.oid, 0 FROM pg_constraint o JOIN others ON others.oid = contypid WHERE class = 'pg_type'::regclass
UNION ALL SELECT 'pg_attrdef'::regclass, o.oid, 0 FROM pg_attrdef o JOIN relations r ON r.oid = adrelid
UNION ALL SELECT 'pg_trigger'::regclass, o.oid, 0 FROM pg_trigger o JOIN relations r ON r.oid = tgrelid WHERE NOT tgisinternal
UNION ALL SELECT 'pg_rewrite'::regclass, o.oid, 0 FROM pg_rewrite o JOIN relations r ON r.oid = ev_class WHERE rulename <> '_RETURN'
UNION ALL SELECT 'pg_policy'::regclass, o.oid, 0 FROM pg_policy o JOIN relations r ON r.oid = polrelid"

# begin_in_place_sql: everything that this role owns is gone, and nothing but the very end of our own script can commit that
begin_in_place_sql() {
  cat <<SQL
\\o /dev/null
BEGIN READ WRITE \\; SET LOCAL statement_timeout = 0 \\; SET LOCAL idle_in_transaction_session_timeout = 0 \\;
SELECT pg_catalog.set_config('search_path', 'pg_catalog', true);
SELECT $speak_as;
SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN ('transaction_timeout', 'idle_session_timeout');
SET LOCAL client_min_messages = warning;
SET LOCAL lock_timeout = '${lock_wait}s';
CREATE TEMPORARY TABLE db_backup_end (reached boolean) ON COMMIT DROP;
CREATE FUNCTION pg_temp.db_backup_end() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
  IF NOT EXISTS (SELECT FROM pg_temp.db_backup_end WHERE reached) THEN
    RAISE EXCEPTION ''the dump tried to end the transaction of the restore'';
  END IF;
  RETURN NULL;
END';
CREATE CONSTRAINT TRIGGER db_backup_end AFTER INSERT ON pg_temp.db_backup_end DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION pg_temp.db_backup_end();
INSERT INTO pg_temp.db_backup_end VALUES (false);
SELECT format('LOCK TABLE %I.%I IN ACCESS EXCLUSIVE MODE', n.nspname, c.relname)
$user_relations AND c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE') ORDER BY c.oid \\gexec
CREATE TEMPORARY TABLE db_backup_others ON COMMIT DROP AS
SELECT class, object, sub, pg_describe_object(class, object, sub) AS name FROM ($others_sql) AS all_of_them;
$(clear_extensions_sql)
SELECT format('DROP EXTENSION IF EXISTS %I CASCADE', extname) FROM pg_extension e WHERE $goes \\gexec
SELECT format('DROP PUBLICATION IF EXISTS %I CASCADE', pubname) FROM pg_publication WHERE pg_has_role(pubowner, 'USAGE') \\gexec
SELECT format('DROP EVENT TRIGGER IF EXISTS %I CASCADE', evtname) FROM pg_event_trigger WHERE pg_has_role(evtowner, 'USAGE') \\gexec
SELECT format('DROP SERVER IF EXISTS %I CASCADE', srvname) FROM pg_foreign_server WHERE pg_has_role(srvowner, 'USAGE') \\gexec
SELECT format('DROP FOREIGN DATA WRAPPER IF EXISTS %I CASCADE', fdwname) FROM pg_foreign_data_wrapper WHERE pg_has_role(fdwowner, 'USAGE') \\gexec
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_namespace n
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') AND pg_has_role(nspowner, 'USAGE')
AND NOT EXISTS (SELECT FROM pg_extension WHERE extnamespace = n.oid)
AND n.oid NOT IN (SELECT namespace FROM ($owned_sql) o WHERE NOT pg_has_role(o.owner, 'USAGE'))
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e') \\gexec
SELECT format('DROP %s IF EXISTS %s CASCADE', upper(i.type), i.identity) FROM ($owned_sql
) o JOIN pg_namespace n ON n.oid = o.namespace, pg_identify_object(o.class, o.oid, 0) i
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_has_role(o.owner, 'USAGE')
-- of columns (objsubid) apart: those of a partition key depend on the very table
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.objsubid = 0 AND d.deptype IN ('e', 'i', 'a', 'P', 'S')) \\gexec
SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE pg_has_role(lomowner, 'USAGE');
DO \$do\$
DECLARE
  remaining text;
BEGIN
  SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') INTO remaining
  $user_relations AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND pg_has_role(c.relowner, 'USAGE');
  IF remaining IS NOT NULL THEN RAISE EXCEPTION 'what is in the database could not be removed before the restore: %', left(remaining, 500); END IF;
  SELECT string_agg(name, ', ') INTO remaining FROM pg_temp.db_backup_others
  WHERE (class, object, sub) NOT IN ($others_sql);
  IF remaining IS NOT NULL THEN RAISE EXCEPTION 'what belongs to other roles depends on what would be replaced: %', left(remaining, 500); END IF;
END \$do\$;
\\o
SELECT 'xact ' || txid_current();
\\o /dev/null
SQL
  own_path_sql
  restrict restrict
}

# end_in_place_sql: what is there is what the backup told, and is committed
end_in_place_sql() {
  restrict unrestrict
  cat <<SQL
\\o /dev/null
SET LOCAL search_path = pg_catalog;
SET LOCAL row_security = off;
CREATE TEMPORARY TABLE db_backup_told (name text, rows bigint) ON COMMIT DROP;
INSERT INTO pg_temp.db_backup_told SELECT convert_from(decode(split_part(line, ' ', 1), 'hex'), $sent_as), nullif(split_part(line, ' ', 2), '')::bigint
FROM unnest(string_to_array('$expected', E'\\n')) AS line WHERE line <> '';
DO \$do\$
DECLARE
  t record;
  found bigint;
BEGIN
  FOR t IN SELECT told.name, told.rows, c.oid, c.countable FROM pg_temp.db_backup_told told LEFT JOIN
    (SELECT c.oid, $told_name AS name, $countable AS countable FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r') c USING (name)
  LOOP
    IF t.oid IS NULL THEN RAISE EXCEPTION 'what was restored is not what the manifest says: % is missing', t.name; END IF;
    CONTINUE WHEN t.rows IS NULL OR NOT t.countable;
    EXECUTE format('SELECT count(*) FROM ONLY %s', t.oid::regclass) INTO found;
    IF found <> t.rows THEN RAISE EXCEPTION 'what was restored is not what the manifest says: % has % rows, not %', t.name, found, t.rows; END IF;
  END LOOP;
  -- one without rows may be of a table whose data was left out
  FOR t IN SELECT $told_name AS name, c.oid $user_relations AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')
    AND $countable AND '$expects_all' <> '' AND $told_name NOT IN (SELECT name FROM pg_temp.db_backup_told)
  LOOP
    EXECUTE format('SELECT count(*) FROM (SELECT FROM ONLY %s LIMIT 1) one', t.oid::regclass) INTO found;
    IF found > 0 THEN RAISE EXCEPTION 'what was restored is not what the manifest says: % is not in it', t.name; END IF;
  END LOOP;
END \$do\$;
\\o counts
$(rows_sql)
\\o /dev/null
INSERT INTO pg_temp.db_backup_end VALUES (true);
COMMIT;
SQL
}

# replace_in_place NAMED-ARGUMENTS: what this role owns goes and the dump comes, in one transaction
replace_in_place() {
  arguments "$@"
  need=64
  [ "$kind" != tar ] || need=$((plain_bytes / 1024 + min_free_kib))
  enter_target "$need"
  need_hex 'the extensions of the dump' "$extensions"
  need_hex search_path "$search_path"
  rm -rf answer raw script end script_end folder dump
  mkfifo answer raw script end script_end || failed E_PERM "mkfifo failed in $(pwd)"
  server_version=$(run sql -c 'SHOW server_version_num' 2>psql.error) || in_place_failed $?
  need_number server_version "$server_version"
  superuser=$(run ask_sql 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user' 2>psql.error) || in_place_failed $?
  may_create=$(run ask_sql 'SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user' 2>psql.error) || in_place_failed $?
  # for what is advised when it fails
  [ "$may_create" != t ] || put may_create true
  learn_restrict
  case $kind in
    # the sections of the large objects have transactions of their own
    sql) client_edit='/^-- Data for Name: .*; Type: BLOBS; Schema: -; Owner: /,/^COMMIT;$/{/^BEGIN;$/d;/^COMMIT;$/d;}' ;;
    # pg_restore -1 puts all in one transaction, which is not for it to commit
    *) client_edit='1,60{/^BEGIN;$/d;}
/^COMMIT;$/{$!N;$!N;$!N;s/^COMMIT;\n\n--\n-- PostgreSQL database dump complete$/--\n-- PostgreSQL database dump complete/;}' ;;
  esac
  of_others=$(run ask_sql "SELECT nspname FROM pg_namespace WHERE nspname ~ '^[a-z_][a-z0-9_]*\$' AND nspname !~ '^pg_|^information_schema\$'
AND NOT pg_has_role(nspowner, 'USAGE')" 2>psql.error) || in_place_failed $?
  client_edit="$client_edit$newline$(staying_edits)"
  edit=$(edits)
  begin_in_place_sql >begin.sql
  end_in_place_sql >end.sql
  begin_transaction
  have_number_written
  mkdir "xact-$xact" || failed E_PERM "mkdir failed in $(pwd)"
  mkfifo "xact-$xact/archive" || failed E_PERM "mkfifo failed in $(pwd)"
  echo "$PWD/xact-$xact"
  hold
  in_one_transaction <"xact-$xact/archive" >raw 2>load.said 3>&- 9>&- &
  s1=$! && started $s1
  edit_script <raw >script 3>&- 9>&- & s2=$! && started $s2
  find_ending <script_end 3>&- 9>&- & s3=$! && started $s3
  release
  whole=1
  for stage in $s1 $s2 $s3; do wait "$stage" || whole=''; done
  if [ -n "$whole" ]; then
    # only now is there an end to the transaction
    hold
    cat end.sql >end 3>&- 9>&- & s5=$! && started $s5
    release
  else stop_writer; fi
  wait "$writer"
  status=$?
  [ -z "$whole" ] || stop "$s5"
  became=committed
  [ $status = 0 ] || what_became
  case $became in
    committed) ;;
    '') in_place_failed $status ;;
    *)
      put state unchanged
      if relies_on_path psql.error; then exit 98; fi
      [ -n "$whole" ] || [ -s psql.error ] || fail E_RESTORE "the dump could not be read to its end: $(cat load.said)"
      in_place_failed $status
      ;;
  esac
  tell_restored
  put in_place 1
  if [ -n "$back" ]; then put state rolled-back; else put state restored; fi
  analyze
}

# in_one_transaction: the archive as a script
in_one_transaction() {
  case $kind in
    sql) exec cat ;;
    dump) write_script -1 ;;
    tar) unpack_directory && write_script -1 dump ;;
  esac
}

# staying_edits: of the script, for what stays: schemas of others ($of_others), in which the rest is restored; those with what others own or
# with extensions in them; and the comments of extensions. Names that need quoting are left to the server, which refuses what is not allowed
staying_edits() {
  for schema in $of_others; do
    case $schema in *[!a-z0-9_]*) fail E_INTERNAL 'a schema has a different name than requested' ;; esac
    cat <<SED
/^-- Name: $schema; Type: SCHEMA; Schema: -; Owner: /{
n;n;n;s/^CREATE SCHEMA $schema;\$//
n;n;n;s/^ALTER SCHEMA $schema OWNER TO .*;\$//
}
/^-- Name: SCHEMA $schema; Type: COMMENT; Schema: -; Owner: /{n;n;n;s/^COMMENT ON SCHEMA $schema IS '.*';\$//;}
/^-- Name: SCHEMA $schema; Type: ACL; Schema: -; Owner: /{
n;n;n
:$schema
/^[GR][A-Z]* [A-Z,]* ON SCHEMA $schema [FT][A-Z]* .*;\$/{
s/.*//
n
b $schema
}
}
SED
  done
  cat <<'SED'
/^-- Name: .*; Type: SCHEMA; Schema: -; Owner: /{n;n;n;s/^CREATE SCHEMA \([^;]*;\)$/CREATE SCHEMA IF NOT EXISTS \1/;}
SED
  [ "$superuser" = t ] || echo "/^-- Name: EXTENSION .*; Type: COMMENT; Schema: -; Owner: /{n;n;n;/^COMMENT ON EXTENSION .* IS '.*';\$/d;}"
}

# begin_transaction: starts the psql that carries it all out, and waits until it is through with begin.sql; sets writer and xact
begin_transaction() {
  attempts=0
  while :; do
    hold
    sql -f begin.sql -f script -f end >answer 2>psql.error 3>&- 9>&- & writer=$! && started $writer
    head -n 1 <answer >begun 3>&- 9>&- & reader=$! && started $reader
    release
    wait "$reader"
    read -r _ xact <begun
    case $xact in
      '') ;;
      *[!0-9]*) fail E_RESTORE 'the server named an invalid transaction' ;;
      *) return 0 ;;
    esac
    wait "$writer"
    status=$?
    attempts=$((attempts + 1))
    # a deadlock with clients, which go on when we have lost
    if [ $attempts -ge 5 ] || ! grep -q ' 40P01: ' psql.error; then in_place_failed $status; fi
  done
}

# have_number_written: a server that crashes gives numbers that it had not written down to others, whose end would be taken for ours. What
# somebody else commits is written down with the numbers before it. Who may not do that does without
have_number_written() {
  run ask_sql "SET synchronous_commit = on; SELECT pg_logical_emit_message(true, 'db-backup', '')" >/dev/null 2>&1 || :
}

# stop_writer: psql must not come to the end of its script
stop_writer() {
  if alive "$writer"; then
    # unless it was psql that ended the others
    sleep 0.3 2>/dev/null || sleep 1
    stop "$writer"
  fi
}

# transaction_status: of a number that is in the future, none was begun: the server crashed before it had written down that this one was
transaction_status() {
  run ask_sql "SELECT coalesce(txid_status($xact), 'unknown')" 2>status.error && return
  [ "$(sqlstate_in status.error)" = 22023 ] && echo aborted
}

# in_place_failed STATUS: by what psql said; a lost server, a lock, or the dump
in_place_failed() {
  put in_place 1
  case $(sqlstate_in psql.error) in
    55P03 | 40P01) fail E_BUSY "$(complaints psql.error) (lock timeout)" ;;
  esac
  [ "$1" != 2 ] || [ -n "${xact:-}" ] || postgres_failed 2 psql.error
  not_restored "$1" psql.error
}

# settle_transaction: of a run that died
settle_transaction() {
  what_became || fail E_CONNECT "$(complaints status.error)"
  case $became in
    committed) put state restored ;;
    aborted) put state unchanged ;;
    'in progress') fail E_BUSY "the transaction $xact of a restore that was cut off does not end (lock timeout)" ;;
    *)
      put note "it is unknown whether the restore that was cut off was carried out: the server has forgotten its transaction $xact"
      put state unchanged
      ;;
  esac
}

# what_became: of the transaction; one that still runs has lost its client, and nobody will commit it. Sets became
what_became() {
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    became=$(again transaction_status) || return
    [ "$became" = 'in progress' ] || return 0
    run ask_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid = ($xact % 4294967296)::text::xid" >/dev/null 2>&1
    sleep 0.5 2>/dev/null || sleep 1
  done
}
