# db-backup with the tools that it uses, for a server that has containers and nothing else: docs/container.md says how it is used.
# The clients of every PostgreSQL that is supported, since one that is older than the server can not dump it.
FROM node:24-trixie-slim

ARG POSTGRES_VERSIONS="15 16 17 18"

# Debian's own package knows the repository of the PostgreSQL project, and its key.
# hadolint ignore=DL3008 # what Debian has corrected since is wanted
RUN apt-get update \
  && apt-get install -y --no-install-recommends \
    age ca-certificates curl gnupg openssl postgresql-common procps sqlite3 tini zstd \
  && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
  && for version in $POSTGRES_VERSIONS; do \
      apt-get install -y --no-install-recommends "postgresql-client-$version" || exit 1; \
    done \
  && rm -rf /var/lib/apt/lists/*

COPY dist /usr/local/lib/db-backup
RUN ln -s /usr/local/lib/db-backup/cli.js /usr/local/bin/db-backup \
  && install -d -o node -g node -m 0700 /backups

# Not root: a volume at /backups, and what is mounted to be read, must be for uid 1000, or for the user of `docker run --user`.
USER 1000
VOLUME /backups
ENTRYPOINT ["tini", "--", "db-backup"]
CMD ["--help"]
