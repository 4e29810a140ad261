# shellcheck shell=sh
# PostgreSQL: what the runner judges the client tools by. A distribution may fix a vulnerability and leave the version as it is: then the
# changelog of the package says so, which was installed with the program.

# tell_client: the tools that find_postgres has found
tell_client() {
  # what reads a dump is psql and pg_restore: where the PATH has them from somewhere else, nobody can tell what they are
  told_version=$pg_version
  for program in psql pg_restore; do
    program_version=$("$pg_bin$program" --version 2>/dev/null)
    [ "${program_version#*") "}" = "${pg_version#*") "}" ] || told_version="of several versions: $pg_version, $program_version"
  done
  put pg_dump_version "$told_version"
  put pg_bin "$pg_bin"
  package=$(package_of "$(command -v "${pg_bin}pg_restore")")
  if [ -z "$package" ] || [ "$package" != "$(package_of "$(command -v "${pg_bin}psql")")" ]; then return; fi
  put client_package "$package"
  put client_fixes "$(package_changelog "$package" | grep -vi 'revert\|unfixed\|not affected\|vulnerable' | tr -c 'A-Z0-9-' '\n' | grep -x 'CVE-[0-9]\{4\}-[0-9]\{4,7\}' | sort -u | tr '\n' ' ')"
}

# package_of FILE: deb, rpm or apk, its name and its version; nothing where the file is of none
package_of() {
  program_file=$(real "$1")
  if have dpkg-query; then
    owner=$(dpkg-query -S "$program_file" 2>/dev/null | sed -n 's/^\([a-z0-9][a-z0-9+.-]*\)\(:[a-z0-9]*\)\{0,1\}: .*/\1/p' | sed q)
    [ -z "$owner" ] || owner="deb $owner $(dpkg-query -W -f '${Version}' "$owner" 2>/dev/null)"
    echo "$owner"
  elif have rpm; then
    rpm -qf --qf 'rpm %{NAME} %{VERSION}-%{RELEASE}\n' "$program_file" 2>/dev/null | sed -n '/^rpm [^ ]* [^ ]*$/{p;q;}'
  elif have apk; then
    apk info -W "$program_file" 2>/dev/null | sed -n 's/.* is owned by \(.*\)-\([0-9][^-]*-r[0-9]*\)$/apk \1 \2/p'
  fi
}

# package_changelog PACKAGE: as package_of tells it; of apk there is none
package_changelog() {
  owner=${1#* }
  owner=${owner% *}
  case $1 in
    deb\ *) gzip -dc "/usr/share/doc/$owner/changelog.Debian.gz" ;;
    rpm\ *) rpm -q --changelog "$owner" ;;
  esac 2>/dev/null | head -c 4000000
}
