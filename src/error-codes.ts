/** What can go wrong: one row per code, the source of docs/errors.md (`npm run docs`). */
export const ERRORS = {
  E_INPUT: {
    class: 'input',
    cause:
      'An input is missing or malformed, or contradicts another one; nothing was contacted. Or PostgreSQL rejected a pattern or a parameter of the URL; nothing was kept.',
    fix: 'The message lists every wrong input, with its rule and what was given. Correct them in the workflow.',
  },
  E_HOSTKEY: {
    class: 'host',
    cause:
      'The host showed a key that is not in `known-hosts` or `fingerprint`, that is revoked, or that can only sign with SHA-1. No credential was sent.',
    fix: "On the host's console, run `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` and compare the fingerprint with the one in the message. Add the key only if they match; otherwise somebody may be between you and the host.",
  },
  E_CONNECT: {
    class: 'host',
    cause:
      'No SSH connection: name not found, port closed, firewall, no answer within `connect-timeout`, or no common algorithm. Or the host could not reach the PostgreSQL server.',
    fix: "Check `host`, `port`, `jump-host` and the firewall; GitHub's runners have changing addresses. The host and port in `database` are as seen from the host. Only containers know the name of a compose service: set `container: compose:PROJECT/SERVICE`.",
  },
  E_AUTH: {
    class: 'host',
    cause:
      'The host rejected the private key for this user, or asks for a second factor as well. Or the PostgreSQL server rejected the role or its password.',
    fix: "Add the public key shown in the message to the user's `~/.ssh/authorized_keys`, or correct `username`. Exempt that user from the second factor, as the message says. PostgreSQL: correct `database` or `database-password`, or set `run-as` for peer authentication.",
  },
  E_SHELL: {
    class: 'host',
    cause:
      'The login shell did not start `sh -s` (nologin, git-shell, a forced command), a login script failed, or the host was too slow for `connect-timeout`.',
    fix: 'Give the user a shell, or remove the forced command. If the host is under load, raise `connect-timeout`. The message quotes what the host said.',
  },
  E_REMOTE_LOST: {
    class: 'run',
    cause: 'The connection, the session on the host, or the program there ended before its work was done.',
    fix: 'Run again: the host cleans up by itself, and the next run removes what is left. If it recurs, check the network, `sshd` and the kernel log (out of memory).',
  },
  E_TIMEOUT: {
    class: 'run',
    cause: 'The run took longer than `timeout`, or made no progress for `idle-timeout`.',
    fix: 'Raise the input that the message names, or find out why the host is slow.',
  },
  E_CANCELLED: {
    class: 'run',
    cause: 'The run was cancelled: by a user, by a newer run of the concurrency group, or by a shutdown.',
    fix: 'Nothing unfinished is left on the host: no process, no lock, no partial file. Run again, and keep `cancel-in-progress: false` for backups.',
  },
  E_LOCKED: {
    class: 'run',
    cause: 'Another run holds the lock of this backup directory, and did not finish within `lock-wait`.',
    fix: 'Wait for the run that the message names, or raise `lock-wait`. The lock ends with its holder; there is no file to delete.',
  },
  E_TOOL_MISSING: {
    class: 'host',
    cause: 'A tool that the backup needs is not installed on the host.',
    fix: 'The message has the command that installs it on that distribution.',
  },
  E_TOOL_VERSION: {
    class: 'host',
    cause:
      "The PostgreSQL server is newer than the newest pg_dump on the host, or the dump was made by a newer pg_dump than the pg_restore there can read. Or the `sqlite3` tool is older than 3.31: it cannot be kept from running programs that a database names, so it is not used. Or the database's schema was written by a newer SQLite than the tool can read.",
    fix: 'Install the client that the message names, or set `container` if the server runs in one. SQLite: install sqlite3 3.31 or newer, Python 3.7 or newer, or the version that the message names. `verify: checksum` backs up a schema that the tool cannot read.',
  },
  E_PERM: {
    class: 'host',
    cause:
      'The user on the host may not read the database, or may not write the backup directory. PostgreSQL: the role may not read every table, or row-level security hides rows from it.',
    fix: 'Correct the owner, mode or grants as the message says, or use `run-as` for the database.',
  },
  E_PERM_UNSAFE: {
    class: 'host',
    cause: 'Other users can write the backup directory, so its contents cannot be trusted.',
    fix: 'Run `chmod go-w` on it, make the login user its owner, or choose another `directory`.',
  },
  E_NOSPACE: {
    class: 'host',
    cause:
      'There is not enough free space or there are not enough inodes, either before the backup or in the middle of it.',
    fix: 'Free the space that the message names, lower `keep`, or choose a `directory` on another disk.',
  },
  E_SOURCE_MISSING: {
    class: 'database',
    cause: 'There is no file at the path in `database`, no PostgreSQL database of that name, or no such `container`.',
    fix: 'Correct the path or the name. A relative path starts at the home of the login user.',
  },
  E_SOURCE_INVALID: {
    class: 'database',
    cause:
      'The path in `database` is a directory, an empty file, or not a SQLite database (it may be encrypted), or the file has a second name with a `-wal` of its own. Or the PostgreSQL server is a hot standby, or behind a pooler that shares sessions between clients. Or `container` names a service that has more than one running container.',
    fix: 'Correct the path, or mount the folder instead of the single file. PostgreSQL: name the primary, and the server itself instead of the pooler. If you do mean the standby, add `?target_session_attrs=standby` to the URL.',
  },
  E_SOURCE_CORRUPT: {
    class: 'database',
    cause:
      'SQLite or the PostgreSQL server found damage in the database itself. A backup of it would be damaged too, so none was kept.',
    fix: 'Do not delete older backups. Check the disk, then recover from the newest good backup, or with `sqlite3 app.db .recover | sqlite3 -safe new.db`.',
  },
  E_SOURCE_OWNER: {
    class: 'database',
    cause:
      'The login user does not own the database file. SQLite would leave `-wal` and `-shm` files that the application cannot write.',
    fix: 'Set `run-as` to the owner named in the message, or log in as that user.',
  },
  E_BUSY: {
    class: 'database',
    cause: 'The database stayed locked for the whole of `lock-wait`.',
    fix: 'Find the process that holds the lock (a long transaction, a migration), or raise `lock-wait`.',
  },
  E_DUMP_FAILED: {
    class: 'database',
    cause: 'The dump tool, the compressor or the checksum tool failed.',
    fix: 'The message quotes what it said.',
  },
  E_EMPTY: {
    class: 'database',
    cause:
      'The database is empty. An empty database is not accepted as a backup, unless the previous backup was empty as well.',
    fix: 'Check that `database` names the database that your application uses.',
  },
  E_SHRUNK: {
    class: 'backup',
    cause:
      'The database, or its compressed backup, is smaller than `shrink-limit` or larger than `growth-limit` allows, compared with the median of the recent good backups. Or, with `on-row-loss: fail`, a table lost more rows than `row-loss-limit` allows.',
    fix: 'The new backup is kept and marked as suspect; no good one was deleted. If the change is right, run `command: accept` with its id, or set that limit to `none` for one run. If not, restore the newest good backup.',
  },
  E_CHECKSUM: {
    class: 'backup',
    cause:
      'The bytes read back differ from the bytes written, or from the checksum in the manifest. Or a backup has another SHA-256 than the ledger remembers: it was changed or replaced.',
    fix: "Suspect the host's disk or memory, or whoever can write there. Do not rely on that backup.",
  },
  E_DECRYPT: {
    class: 'backup',
    cause:
      'An encrypted backup or dump could not be decrypted: no key or passphrase was given, the wrong one was given, or its bytes were changed. Decryption ran to its end before anything was used, so none of its contents were used.',
    fix: 'Put the private key of one of its recipients into `decryption-key`, or its passphrase into `decryption-passphrase`.',
  },
  E_MANIFEST: {
    class: 'backup',
    cause: 'The manifest of a backup is missing, malformed, or belongs to another database.',
    fix: 'See the message. Do not rely on that backup; take a new one.',
  },
  E_SIGNATURE: {
    class: 'backup',
    cause:
      'The requested backup is not signed with `signing-key`, or was changed since. Or it is signed, and the run would have rewritten its manifest without the key.',
    fix: 'The message says which. Give the key that signed it (an old key goes on another line), take another backup, or, for one from before you had a key, run `command: accept`. See docs/signatures.md.',
  },
  E_ARCHIVE: {
    class: 'database',
    cause:
      'With `method: physical`: the server does not archive its WAL into the repository of pgBackRest, or that repository cannot be read. Without WAL no backup of a running cluster can be restored.',
    fix: 'The message has what the archiver or pgBackRest said. `command: doctor` prints the settings of the server and of pgbackrest.conf, and which of them need a restart. See docs/physical.md.',
  },
  E_CLOCK: {
    class: 'host',
    cause: 'The clocks of the runner and the host differ by more than 15 minutes, so no age can be trusted.',
    fix: 'Set the wrong clock (`timedatectl set-ntp true`).',
  },
  E_POLICY: {
    class: 'policy',
    cause:
      'The retention rules would leave fewer verified backups than `keep-minimum`, or delete more than `max-delete`.',
    fix: 'Run `prune` with `dry-run: true` to see the plan, then change the rules, or raise `max-delete` once.',
  },
  E_ROTATE: {
    class: 'policy',
    cause: 'The backup is good, but an old one could not be deleted.',
    fix: 'The message names the file and the reason. `prune` tries again.',
  },
  E_NOT_FOUND: {
    class: 'backup',
    cause:
      'There is no backup with that id for this database in the directory, nor in the S3 store if that was searched. Or a backup that the ledger remembers has vanished, although no retention deleted it.',
    fix: '`command: list` shows the ids. If one vanished, find out who deletes files there; see docs/ledger.md.',
  },
  E_STALE: {
    class: 'backup',
    cause: 'The newest backup is older than `max-age`, or there is none.',
    fix: 'Find out why the backup workflow did not run or failed, and take a backup.',
  },
  E_UNHEALTHY: {
    class: 'policy',
    cause:
      '`command: health` or `command: doctor` found something that a person has to look at. Each finding has a code of its own, in the log, the summary and `problems` of `report`.',
    fix: 'Each finding says what to do.',
  },
  E_TOO_FEW: {
    class: 'policy',
    cause:
      'There are fewer backups than `keep` (or `s3-keep`) should have kept by now: runs were missed, or somebody deletes backups. This is a finding of `health`; no run ends with it.',
    fix: 'Check the runs of the backup workflow, and who can write there.',
  },
  E_RESTORE: {
    class: 'restore',
    cause: 'The backup could not be restored, either in a scratch restore or beside the live database.',
    fix: 'The message quotes the tool: a missing extension or permission on that server, or a dump that cannot be restored.',
  },
  E_CONFIRM: {
    class: 'input',
    cause: '`confirm` is not the name of the database that would be replaced.',
    fix: 'Run with `dry-run: true` to see what would be lost, then type the name that the message gives.',
  },
  E_EVENT: {
    class: 'input',
    cause:
      'The event that started this restore is not `workflow_dispatch`, `repository_dispatch`, `schedule`, `push`, `release` or `deployment`: people who cannot write to the repository may be able to cause it.',
    fix: 'Start the restore from a workflow with `on: workflow_dispatch`. If only people you trust can cause the event, name it in `allow-event`.',
  },
  E_TARGET_MISMATCH: {
    class: 'input',
    cause:
      'The backup was made from another database than the one it would replace. Or the host has no backup, and the store has backups from several other hosts.',
    fix: 'Check `backup` and `database`, or name the backup by its id. If you mean it, set `allow-other-target: true`.',
  },
  E_TARGET_BUSY: {
    class: 'database',
    cause: 'Another process has the live database open, so it cannot be replaced.',
    fix: 'The message names the processes. Stop the application, or set `stop-command` and `start-command`.',
  },
  E_TOOL_UNSAFE: {
    class: 'host',
    cause:
      'The PostgreSQL client on the host has a known vulnerability: a dump that this action did not make could run commands there when the client reads it.',
    fix: 'Update the client as the message says. If you cannot, and you trust whoever wrote the dump and the server it came from, set `allow-unsafe-client: true`: a crafted dump could then run any command that the user who reads it can.',
  },
  E_SAFETY_BACKUP: {
    class: 'restore',
    cause: 'The safety backup, which a restore takes first, could not be taken.',
    fix: 'The message has the reason. `safety-backup: false` restores without one, and without a way back.',
  },
  E_UNFINISHED: {
    class: 'restore',
    cause: 'A restore of this database was cut off, and this run could not finish it.',
    fix: 'Follow the message. Until it is settled, nothing else is done with that database. When nothing is left to do, run once with `settle-unfinished: true`.',
  },
  E_HOOK: {
    class: 'host',
    cause:
      'One of your commands failed (`before-command`, `after-command`, `stop-command`, `start-command`, `after-restore-command` or `check-command`).',
    fix: 'Its output is in the log. The message says which state the database is in, or whether the application may still be in maintenance mode.',
  },
  E_ROLLED_BACK: {
    class: 'restore',
    cause:
      'The restore was done, a command after it failed (`after-restore-command`, `start-command` or `check-command`), and it was rolled back: the database from before the restore is live again.',
    fix: 'Look at the output of that command in the log. If the check fails although the backup is good, for example because new code runs on an older schema, deploy the code that fits first, or restore without the check: leave out `check-command`.',
  },
  E_ROLLBACK_FAILED: {
    class: 'restore',
    cause: 'The restore failed after the swap, and rolling back failed as well.',
    fix: 'The message has the commands that bring the old state back by hand. The safety backup is kept.',
  },
  E_ASSERT: {
    class: 'database',
    cause: 'The backup can be restored, but a statement in `assert` failed or did not return true.',
    fix: 'Check the live database, or correct the statement.',
  },
  E_S3_AUTH: {
    class: 'store',
    cause:
      'The S3 store rejected the credentials: unknown, expired, missing a permission, or used with a wrong clock. Or there are none.',
    fix: 'The message says which. Correct `s3-access-key-id` and `s3-secret-access-key`, the policy, or the step that assumes the role.',
  },
  E_S3_BUCKET: {
    class: 'store',
    cause: 'There is no such bucket at that store, or it is in another region.',
    fix: 'Correct `s3-bucket`, `s3-region` or `s3-endpoint`.',
  },
  E_S3_UNAVAILABLE: {
    class: 'store',
    cause: 'The S3 store repeatedly did not answer, dropped the connection, or answered with a server error.',
    fix: 'Run again later. Check the status of the store and the network path to it.',
  },
  E_S3_UNSUPPORTED: {
    class: 'store',
    cause: 'The S3 store does not support something that a setting asks for.',
    fix: 'Remove the setting that the message names, or prepare the bucket for it.',
  },
  E_S3_VERIFY: {
    class: 'store',
    cause: 'The S3 store reports other contents than were sent, or there is something else under that name.',
    fix: 'Do not rely on that copy.',
  },
  E_TOO_LARGE: {
    class: 'host',
    cause: 'The host sent a longer line or text than our program there ever sends.',
    fix: 'Check what the login scripts of that account print.',
  },
  E_REQUEST: {
    class: 'input',
    cause:
      "`db-backup serve`: the request is invalid: unknown path or method, a `Host` that is not the server's, a body that is too large or not JSON, or bytes that are not HTTP.",
    fix: 'The status and the message say which. docs/api.md and `/openapi.json` describe the calls.',
  },
  E_TOKEN: {
    class: 'input',
    cause: '`db-backup serve`: the bearer token is missing or wrong.',
    fix: 'Send `Authorization: Bearer` and the token that the server was started with.',
  },
  E_LIMIT: {
    class: 'run',
    cause: '`db-backup serve`: too many requests from one address, too many waiting, or the server is stopping.',
    fix: 'Try again after the seconds in `Retry-After`.',
  },
  E_INTERNAL: {
    class: 'bug',
    cause: 'Unexpected error, most likely a bug in this action.',
    fix: 'Please report it, with the log of the run.',
  },
} as const satisfies Record<string, { class: ErrorClass; cause: string; fix: string }>;

/** What a failure is about. `run`: how the run ended, whatever it was doing. */
type ErrorClass = 'input' | 'run' | 'host' | 'database' | 'backup' | 'policy' | 'restore' | 'store' | 'bug';

export type ErrorCode = keyof typeof ERRORS;
