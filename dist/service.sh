# shellcheck shell=sh
# The container of a service of compose or swarm, whose name changes with each deploy: it is found by its labels.

# find_service: container, when it names a service, becomes the id of the one container of it that runs; else fails, and tells how many
# there are and what they are called, or which services there are
find_service() {
  case $container in
    compose:*)
      set -- "label=com.docker.compose.project=${container#compose:}" "label=com.docker.compose.service=${container##*/}"
      set -- "${1%%/*}" "$2"
      label_of_all=com.docker.compose.service
      service_format='compose:{{LABEL "com.docker.compose.project"}}/{{LABEL "com.docker.compose.service"}}'
      ;;
    swarm:*)
      set -- "label=com.docker.swarm.service.name=${container#swarm:}" label=com.docker.swarm.service.name
      label_of_all=com.docker.swarm.service.name
      service_format='swarm:{{LABEL "com.docker.swarm.service.name"}}'
      ;;
    *) return 0 ;;
  esac
  if ! running_now=$(containers_with '{{.ID}}' "$1" "$2" 2>/dev/null); then
    put container_refused "$my_name"
    fail E_PERM "$(containers_with '{{.ID}}' "$1" "$2" 2>&1)"
  fi
  # a `docker compose run` beside it has the same labels
  set -- "$1" "$2" " $(containers_with '{{.ID}}' "$1" "$2" label=com.docker.compose.oneoff=True 2>/dev/null | tr '\n' ' ')"
  container='' replicas=0
  for found_container in $running_now; do
    case $3 in *" $found_container "*) continue ;; esac
    ! is_labelled_by_image "$found_container" || continue
    container=$found_container
    replicas=$((replicas + 1))
  done
  [ $replicas != 1 ] || return 0
  if [ $replicas = 0 ]; then
    set -- "label=$label_of_all" "label=$label_of_all"
    put container_services "$(services_with "$1" |
      awk '/^[a-z]+:[A-Za-z0-9_.\/-]+$/ && !seen[$0]++ && ++count <= 20 { printf "%s ", $0 }')"
  fi
  put container_replicas $replicas
  put container_names "$(containers_with '{{.Names}}' "$1" "$2" 2>/dev/null | sed -n '1,20p' | tr '\n' ' ')"
  fail E_PERM "$replicas of them run"
}

# is_labelled_by_image ID: its image brings labels of a service, which a container inherits: it is none of compose or swarm
is_labelled_by_image() {
  # shellcheck disable=SC2016 # a template of Go
  image_labels=$("$engine" image inspect --format '{{range $name, $value := .Config.Labels}}{{$name}} {{end}}' \
    "$("$engine" inspect --format '{{.Image}}' "$1" </dev/null)" </dev/null 2>/dev/null)
  case $image_labels in *com.docker.compose.project* | *com.docker.compose.service* | *com.docker.swarm.service.name*) return 0 ;; esac
  return 1
}

# containers_with FORMAT FILTER FILTER [FILTER]: those that run and have all of these labels, a line each
containers_with() {
  "$engine" ps --no-trunc --format "$1" --filter "$2" --filter "$3" ${4:+--filter "$4"} </dev/null
}

# services_with FILTER: the services of those that run, a line each; an older podman has its labels in another way than docker
services_with() {
  for label_in_format in .Label 'index .Labels'; do
    # what it prints before it fails is half a line
    if services=$(containers_with "$(printf %s "$service_format" | sed "s/LABEL/$label_in_format/g")" "$1" "$1" 2>/dev/null); then
      printf '%s\n' "$services"
      return
    fi
  done
}
