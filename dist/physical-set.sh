# shellcheck shell=sh
# PostgreSQL: what a set holds, by its list of files, which has a hash of each: the set is known by the hash of that list.

# read_set HASH: the list of files of the set `label`. HASH is what it has to have; empty, or all zeros, where nobody has told. Leaves
# `OID KIB PLACE` of each tablespace in set.spaces, and in set.odd what is no place to restore to; sets major, data_kib, which goes into the
# data directory, and set_kib, which is all.
read_set() {
  run quiet_backrest repo-get "backup/$stanza/$label/backup.manifest" >set.manifest 2>set.error || backrest_failed $? set.error
  run sha256sum <set.manifest >sum || fail E_CHECKSUM 'the list of files of the set could not be read'
  read -r set_hash _ <sum
  put set_hash "$set_hash"
  case $1 in
    *[!0]*)
      if [ "$1" != "$set_hash" ]; then
        put set_hash_wanted "$1"
        fail E_CHECKSUM "$label"
      fi
      ;;
  esac
  run awk "$set_reader" <set.manifest >set.told || fail E_INTERNAL 'the list of files of the set could not be read'
  rm -f set.manifest
  sed -n 's/^space //p' set.told >set.spaces
  sed -n 's/^odd //p' set.told >set.odd
  major=$(sed -n 's/^major //p' set.told)
  data_kib=$(sed -n 's/^data //p' set.told) set_kib=$(sed -n 's/^all //p' set.told)
}

# The files as they take space: in blocks of 4 KiB. A place is refused that has no plain absolute path, as the server writes it.
# shellcheck disable=SC2016 # awk's variables
set_reader='
/^\[/ { section = $0; next }
section == "[backup:db]" && /^db-version="[0-9]+"$/ { split($0, part, "\""); print "major " part[2] }
section == "[backup:target]" && /^pg_tblspc\/[0-9]+=/ {
  oid = substr($0, 11); sub(/=.*/, "", oid)
  place = substr($0, 12 + length(oid))
  if (place !~ /^[{]"path":"[^"\\]+"[,}]/) { print "odd " place; next }
  sub(/^[{]"path":"/, "", place); sub(/".*/, "", place)
  if (place !~ /^\/./ || (place "/") ~ /\/([.][.]?)?\// || place ~ /[ \t]$/) print "odd " place
  order[++spaces] = oid; places[oid] = place
}
section == "[target:file]" && match($0, /"size":[0-9]+/) {
  kib = int((substr($0, RSTART + 7, RLENGTH - 7) + 4095) / 4096) * 4
  all += kib
  if (!/^pg_tblspc\/[0-9]+\//) { data += kib; next }
  oid = substr($0, 11); sub(/\/.*/, "", oid)
  sizes[oid] += kib
}
END {
  printf "data %.0f\nall %.0f\n", data, all
  for (i = 1; i <= spaces; i++) printf "space %s %.0f %s\n", order[i], sizes[order[i]], places[order[i]]
}
'

# rooms_of_set: `KIB FOLDER` of each file system to which the set goes when it takes the place of the cluster, that of the data directory
# first, in set.rooms
rooms_of_set() {
  {
    on_device "$data_kib" "${cluster%/*}"
    while read -r oid kib place; do on_device "$kib" "$place"; done <set.spaces
  } >set.devices
  awk '
    { device = $1; kib = $2; sub(/^[^ ]+ [^ ]+ /, "") }
    !(device in sums) { order[++n] = device; folders[device] = $0 }
    { sums[device] += kib }
    END { for (i = 1; i <= n; i++) printf "%.0f %s\n", sums[order[i]], folders[order[i]] }
  ' set.devices >set.rooms || fail E_INTERNAL 'the space that the set needs could not be added up'
}

# on_device KIB PLACE: with its file system before it; a place that is not there yet is to be made
on_device() {
  folder=$2
  while [ ! -d "$folder" ]; do
    folder=${folder%/*}
    [ -n "$folder" ] || folder=/
  done
  device=$(stat -c %d "$folder" 2>/dev/null)
  echo "${device:--} $1 $folder"
}
