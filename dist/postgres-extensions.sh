# shellcheck shell=sh
# PostgreSQL: which extensions a restore can create, and which of them stay where they are.

# hosted services let these create more than their catalogue says
service_roles="'rds_superuser', 'azure_pg_admin', 'cloudsqlsuperuser', 'alloydbsuperuser', 'neon_superuser'"

# extensions_there: those that the server has files of; whether this role may create them in a database of its own, and in this one
extensions_there="(SELECT x.name, any_one OR is_trusted AS fresh, any_one OR is_trusted AND has_database_privilege(current_database(), 'CREATE') AS here
FROM pg_available_extensions x LEFT JOIN pg_available_extension_versions v ON v.name = x.name AND v.version = x.default_version,
LATERAL (SELECT NOT coalesce(v.superuser, true) OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
  OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname IN ($service_roles) AND pg_has_role(r.oid, 'MEMBER')) AS any_one,
  coalesce((to_jsonb(v) ->> 'trusted')::boolean, false) AS is_trusted) AS may)"

# goes: the extension e goes in a restore in place, since this role may take it away and bring it back; the others stay
goes="(e.extname <> 'plpgsql' AND pg_has_role(e.extowner, 'USAGE') AND EXISTS (SELECT FROM $extensions_there a WHERE a.name = e.extname AND a.here))"

# rows_of_extensions: the tables and sequences c of extensions e whose rows are those of users, as far as `kept` says
rows_of_extensions="FROM pg_extension e, unnest(extconfig, extcondition) AS config (relation, kept)
JOIN pg_class c ON c.oid = relation JOIN pg_namespace n ON n.oid = c.relnamespace"

# if_possible SQL: one odd file of some extension on the server is no reason not to restore: then nothing is known of extensions
if_possible() {
  printf '%s\n' '\set ON_ERROR_STOP off' '\set ON_ERROR_ROLLBACK on' "$1" '\set ON_ERROR_ROLLBACK off' '\set ON_ERROR_STOP on'
}

# extensions_sql: of the server. The setting of pg_cron is not everybody's to read.
extensions_sql() {
  if_possible "SELECT 'extension ' || encode(convert_to(name::text, $sent_as), 'hex') || ' ' || fresh || ' ' || here FROM $extensions_there a;"
  cat <<SQL
SELECT 'bound ' || encode('pg_cron', 'hex') || ' ' || encode(convert_to(coalesce(CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE')
  THEN current_setting('cron.database_name', true) END, ''), $sent_as), 'hex');
SQL
}

# installed_sql: of the database
installed_sql() {
  if_possible "SELECT 'installed ' || encode(convert_to(extname::text, $sent_as), 'hex') || ' ' || $goes FROM pg_extension e WHERE extname <> 'plpgsql';"
  cat <<SQL
SELECT 'extension_rows ' || encode(convert_to(extname::text, $sent_as), 'hex') || ' ' || encode(convert_to(format('%I.%I', n.nspname, c.relname), $sent_as), 'hex')
  || ' ' || CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN 'own'
  WHEN c.relkind = 'S' THEN CASE WHEN has_sequence_privilege(c.oid, 'UPDATE') THEN 'may' ELSE 'not' END
  WHEN has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'DELETE') THEN 'may'
  ELSE 'not' END $rows_of_extensions;
SQL
}

# clear_extensions_sql: rows of users in tables of extensions that stay, where the dump brings those that it has. \$extensions are the names
# of those in the dump, in hex
clear_extensions_sql() {
  cat <<SQL
SELECT format('DELETE FROM %I.%I %s', n.nspname, c.relname, kept) $rows_of_extensions
WHERE c.relkind = 'r' AND NOT $goes AND encode(convert_to(extname::text, $sent_as), 'hex') = ANY (string_to_array('$extensions', ' ')) \\gexec
SQL
}
