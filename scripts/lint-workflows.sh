#!/bin/sh
# Lints the workflows and the examples: structure and expressions by actionlint, security by zizmor at its strictest.
# usage: lint-workflows.sh [actionlint|zizmor]...
# What is ignored stands, with its reason, in .github/actionlint.yaml and .github/zizmor.yml.
# Exit status 3: a tool can not be had here.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- actionlint zizmor

status=0
for tool; do
  # An assignment of its own: its exit status is that of the script.
  program=$(sh scripts/workflow-tools.sh "$tool")
  case $tool in
    actionlint) "$program" -no-color -config-file .github/actionlint.yaml .github/workflows/*.yml examples/*.yml || status=$? ;;
    zizmor)
      # With a token it also asks GitHub, for example whether a SHA is the version that its comment says.
      offline=
      [ -n "${GH_TOKEN-}" ] || offline=--offline
      # What names our own action, as `org` and by a release that may not be there yet, is never looked up. Every other action in it is one
      # of those above (__tests__/repository/workflow-rules.test.ts).
      ours=.github/workflows/released.yml
      # shellcheck disable=SC2046,SC2086 # names of files, and an option or none
      "$program" $offline --persona=auditor --no-progress --color=never --config .github/zizmor.yml \
        $(printf '%s\n' .github/workflows/*.yml | grep -vx "$ours") .github/dependabot.yml action.yml step/action.yml || status=$?
      "$program" --offline --persona=auditor --no-progress --color=never --config .github/zizmor.yml "$ours" examples/*.yml || status=$?
      ;;
  esac
done
exit $status
