#!/bin/sh
# On a throw-away Ubuntu of the continuous integration: an sshd that lets the user of the runner in, PostgreSQL clients as new as
# any server, a database with content in the running PostgreSQL server, and a MinIO with a bucket.
# Environment: DATABASE, a URI. Outputs of the step: `key` and `known-hosts`.
set -eu
[ -n "${CI-}" ] || { echo 'ci-host.sh changes this machine; it is for the continuous integration' >&2; exit 1; }

# By tag and digest, of the last image that MinIO has published.
docker run --detach --name minio --publish 127.0.0.1:9000:9000 \
  minio/minio:RELEASE.2025-09-07T16-13-09Z@sha256:14cea493d9a34af32f524e538b8346cf79f3321eff8e708c1e2960462bd8936e \
  server /data

sudo apt-get -qq update
sudo apt-get -qq install -y openssh-server postgresql-common zstd
sudo /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y
sudo apt-get -qq install -y postgresql-client-18

mkdir -p ~/.ssh
chmod 700 ~/.ssh
ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/ci
cat ~/.ssh/ci.pub >>~/.ssh/authorized_keys
chmod 600 ~/.ssh/authorized_keys
# sshd refuses the keys of a user whose home others may write.
chmod go-w ~
sudo systemctl start ssh

psql "$DATABASE" -v ON_ERROR_STOP=1 -qc 'CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id'
docker exec minio mc alias set --quiet here http://127.0.0.1:9000 minioadmin minioadmin
docker exec minio mc mb here/backups

{
  echo 'key<<END_OF_KEY'
  cat ~/.ssh/ci
  echo END_OF_KEY
  echo "known-hosts=127.0.0.1 $(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)"
} >>"$GITHUB_OUTPUT"
