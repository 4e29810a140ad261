/** What can go wrong: one row per code, the source of the README's table (`npm run docs`). */
export const ERRORS = {
  E_INPUT: {
    class: 'input',
    cause:
      'An input is missing, malformed, or contradicts another one: nothing was contacted. Or PostgreSQL does not take a pattern or a parameter of the URL: nothing was kept.',
    fix: 'The message lists every input that is wrong, with its rule and what was given. Correct them in the workflow.',
  },
  E_HOSTKEY: {
    class: 'host',
    cause:
      'The host showed a key that is not in `known-hosts` or `fingerprint`, or one that is revoked, or it can sign with SHA-1 alone. No credential was sent.',
    fix: 'Compare the fingerprint in the message with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host itself. Put it in only when they agree; otherwise somebody may stand between.',
  },
  E_CONNECT: {
    class: 'host',
    cause:
      'No SSH connection: name not found, port closed, firewall, no answer within `connect-timeout`, or no algorithm in common. Or no PostgreSQL server was reached from the host.',
    fix: 'Check `host`, `port`, `jump-host` and the firewall; the runner of GitHub has changing addresses. Host and port in `database` are as seen from the host.',
  },
  E_AUTH: {
    class: 'host',
    cause:
      'The host refused the private key for this user, or asks for a second factor besides. Or the PostgreSQL server refused its role or password.',
    fix: "Add the public key shown in the message to the user's `~/.ssh/authorized_keys`, or correct `username`; excuse that user from the second factor, as the message says. PostgreSQL: correct `database` or `database-password`, or set `run-as` for peer authentication.",
  },
  E_SHELL: {
    class: 'host',
    cause:
      'The login shell did not start `sh -s` (nologin, git-shell, a forced command), a login script failed, or the host was too slow for `connect-timeout`.',
    fix: 'Give the user a shell, or remove the forced command; for a host under load raise `connect-timeout`. The message quotes what the host said.',
  },
  E_REMOTE_LOST: {
    class: 'run',
    cause: 'The connection, the session on the host or the program there ended before its work did.',
    fix: 'Run again: the host cleans up by itself and the next run sweeps what is left. If it recurs, look at the network, `sshd` and the kernel log (out of memory).',
  },
  E_TIMEOUT: {
    class: 'run',
    cause: 'The run took longer than `timeout`, or nothing moved for `idle-timeout`.',
    fix: 'Raise the input that the message names, or find out why the host is slow.',
  },
  E_CANCELLED: {
    class: 'run',
    cause: 'The run was cancelled (by a user, by a newer run of the concurrency group, by a shutdown).',
    fix: 'Nothing unfinished is left on the host: no process, no lock, no partial file. Run again; keep `cancel-in-progress: false` for backups.',
  },
  E_LOCKED: {
    class: 'run',
    cause: 'Another run holds the lock of this backup directory and did not end within `lock-wait`.',
    fix: 'Wait for the run that the message names, or raise `lock-wait`. The lock ends with its holder; there is no file to delete.',
  },
  E_TOOL_MISSING: {
    class: 'host',
    cause: 'A tool that the backup needs is not installed on the host.',
    fix: 'The message has the line that installs it on that distribution.',
  },
  E_TOOL_VERSION: {
    class: 'host',
    cause:
      'The PostgreSQL server is newer than the newest pg_dump on the host, which refuses to dump it, or the dump to be restored was made by a newer pg_dump than pg_restore there can read. Or the sqlite3 tool is older than 3.31: it can not be kept from running programs that a database names, and is not used. Or a newer SQLite than it has written the schema, which it can not read.',
    fix: 'Install the client that the message names, or set `container` where the server runs in one; SQLite: install sqlite3 3.31 or newer, or Python 3.7 or newer, or the version that the message names; `verify: checksum` backs up a schema that the tool can not read.',
  },
  E_PERM: {
    class: 'host',
    cause:
      'The user on the host may not read the database, or may not write the backup directory. PostgreSQL: the role may not read every table, or row-level security hides rows from it.',
    fix: 'Correct owner, mode or grants as the message says, or use `run-as` for the database.',
  },
  E_PERM_UNSAFE: {
    class: 'host',
    cause: 'Others can write the backup directory, so its contents can not be trusted.',
    fix: '`chmod go-w` it, make the login user its owner, or choose another `directory`.',
  },
  E_NOSPACE: {
    class: 'host',
    cause: 'Not enough free space or inodes, found before the copy or in the middle of it.',
    fix: 'Free the space that the message names, lower `keep`, or choose a `directory` on another disk.',
  },
  E_SOURCE_MISSING: {
    class: 'database',
    cause: 'There is no file at the path of `database`, no PostgreSQL database of that name, or no such `container`.',
    fix: 'Correct the path or the name; a relative path starts at the home of the login user.',
  },
  E_SOURCE_INVALID: {
    class: 'database',
    cause:
      'The path of `database` is a directory, an empty file, or not a SQLite database (it may be encrypted), or the file has another name with a -wal of its own. Or the PostgreSQL server is a hot standby, or behind a pooler that gives sessions from one client to another.',
    fix: 'Correct the path, or mount the folder and not the single file; name the primary (`?target_session_attrs=standby` in the URL says that the standby is meant), and the server itself instead of the pooler.',
  },
  E_SOURCE_CORRUPT: {
    class: 'database',
    cause:
      'SQLite or the PostgreSQL server found damage in the database itself. A backup of it would be damaged too, so none was kept.',
    fix: 'Do not delete older backups. Check the disk, then recover from the newest good backup or with `sqlite3 app.db .recover | sqlite3 -safe new.db`.',
  },
  E_SOURCE_OWNER: {
    class: 'database',
    cause:
      'The login user is not the owner of the database file. SQLite would leave `-wal` and `-shm` files that the application can not write.',
    fix: 'Set `run-as` to the owner named in the message, or log in as that user.',
  },
  E_BUSY: {
    class: 'database',
    cause: 'The database stayed locked for the whole of `lock-wait`.',
    fix: 'Find the process that holds the lock (a long transaction, a migration), or raise `lock-wait`.',
  },
  E_DUMP_FAILED: {
    class: 'database',
    cause: 'The tool that makes the copy, the compressor or the checksum ended with an error.',
    fix: 'The message quotes what it said.',
  },
  E_EMPTY: {
    class: 'database',
    cause:
      'The database holds nothing. An empty database is not accepted as a backup, unless the backup before it was empty as well.',
    fix: 'Check that `database` names the database that the application uses.',
  },
  E_SHRUNK: {
    class: 'backup',
    cause:
      'The database, or its backup as compressed, is smaller than `shrink-limit` allows, or larger than `growth-limit`, against the median of the recent good backups. Or, with `on-row-loss: fail`, a table has lost more of its rows than `row-loss-limit` allows.',
    fix: 'The new backup is kept and marked as suspect, and no good one was deleted. If the change is right, `command: accept` with its id, or set that limit to `none` for one run. If not, restore the newest good one.',
  },
  E_CHECKSUM: {
    class: 'backup',
    cause:
      'Bytes read back differ from the bytes written, or from the checksum in the manifest. Or a backup has another SHA-256 than the ledger remembers: it was changed, or replaced.',
    fix: 'Suspect the disk or the memory of the host, or who can write there. Do not rely on that backup.',
  },
  E_DECRYPT: {
    class: 'backup',
    cause:
      'An encrypted backup or dump did not open: no key or passphrase was given, the one that was given does not fit, or its bytes were changed. It was decrypted to its end before anything was to use it, so nothing of what is in it was used.',
    fix: 'Give in `decryption-key` the private key of one of its recipients, or in `decryption-passphrase` its passphrase.',
  },
  E_MANIFEST: {
    class: 'backup',
    cause: 'The manifest of a backup is missing, malformed, or of another database.',
    fix: 'See the message. Do not rely on that backup; take a new one.',
  },
  E_SIGNATURE: {
    class: 'backup',
    cause:
      'The backup that was asked for is not signed by `signing-key`, or was changed since. Or it is signed, and the run would have written its manifest anew without the key.',
    fix: 'The message says which. Give the key by which it was signed (an old one as another line), take another backup, or, for one that was made before there was a key, `command: accept`. docs/signatures.md.',
  },
  E_CLOCK: {
    class: 'host',
    cause: 'The clocks of the runner and the host differ by more than 15 minutes, so no age can be trusted.',
    fix: 'Set the clock that is wrong (`timedatectl set-ntp true`).',
  },
  E_POLICY: {
    class: 'policy',
    cause:
      'The retention rules would leave fewer verified backups than `keep-minimum`, or delete more than `max-delete`.',
    fix: 'Run `prune` with `dry-run: true` to see the plan, then change the rules or raise `max-delete` once.',
  },
  E_ROTATE: {
    class: 'policy',
    cause: 'The backup is good, but an old one could not be deleted.',
    fix: 'See the message for the file and the reason; `prune` tries again.',
  },
  E_NOT_FOUND: {
    class: 'backup',
    cause:
      'There is no backup of that id for this database in the directory, nor in the S3 store where that was looked at. Or one that the ledger remembers has vanished, and no retention has deleted it.',
    fix: '`command: list` shows the ids. What has vanished: find out who deletes there; docs/ledger.md.',
  },
  E_STALE: {
    class: 'backup',
    cause: 'The newest backup is older than `max-age`, or there is none.',
    fix: 'Find out why the backup workflow did not run or failed, and take a backup.',
  },
  E_UNHEALTHY: {
    class: 'policy',
    cause:
      '`command: health` or `command: doctor` has found something that a person has to look at: each finding has its own code, in the log, the summary and `problems` of `report`.',
    fix: 'Each finding says what to do.',
  },
  E_TOO_FEW: {
    class: 'policy',
    cause:
      'There are fewer backups than the rules of `keep` (or `s3-keep`) should have kept by now: runs were missed, or somebody deletes there. A finding of `health`; no run ends with it.',
    fix: 'Look at the runs of the backup workflow, and at who can write there.',
  },
  E_RESTORE: {
    class: 'restore',
    cause: 'The backup could not be restored, into the throw-away database of a proof or beside the live one.',
    fix: 'The message quotes what the tool said: a missing extension or right on that server, or a dump that can not be restored.',
  },
  E_CONFIRM: {
    class: 'input',
    cause: '`confirm` is not the name of the database that would be replaced.',
    fix: 'Run with `dry-run: true` to see what would be lost, then type the name that the message gives.',
  },
  E_EVENT: {
    class: 'input',
    cause: 'A restore was started by a pull request, whose author may be anybody.',
    fix: 'Restore from a workflow with `workflow_dispatch`.',
  },
  E_TARGET_MISMATCH: {
    class: 'input',
    cause:
      'The backup was made from another database than the one that it would replace. Or the host has no backup, and the store has those of several other hosts.',
    fix: 'Check `backup` and `database`, or name the backup by its id. If it is meant, set `allow-other-target: true`.',
  },
  E_TARGET_BUSY: {
    class: 'database',
    cause: 'Somebody has the live database open, and it can not be replaced under them.',
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
    cause: 'The backup of the present state, which a restore takes first, could not be taken.',
    fix: 'The message has the reason. `safety-backup: false` goes without, and without a way back.',
  },
  E_UNFINISHED: {
    class: 'restore',
    cause: 'A restore of this database was cut off, and this run could not bring it to an end.',
    fix: 'Follow the message. As long as it is not done, nothing else is done with that database. When nothing is to be done any more, run once with `settle-unfinished: true`.',
  },
  E_HOOK: {
    class: 'host',
    cause:
      'A command of yours (`before-command`, `after-command`; `stop-command`, `start-command`, `after-restore-command`, `check-command`) failed.',
    fix: 'Its output is in the log. The message says which state the database is in, or whether the application may still be in maintenance mode.',
  },
  E_ROLLED_BACK: {
    class: 'restore',
    cause: 'The restore was done, the check after it failed, and it was undone.',
    fix: 'Look at the output of the check in the log.',
  },
  E_ROLLBACK_FAILED: {
    class: 'restore',
    cause: 'The restore failed after the swap, and going back failed as well.',
    fix: 'The message has the commands that bring the old state back by hand. The safety backup is kept.',
  },
  E_ASSERT: {
    class: 'database',
    cause: 'The backup can be restored, but a statement of `assert` returned something that is not true, or failed.',
    fix: 'Look at the live database, or correct the statement.',
  },
  E_S3_AUTH: {
    class: 'store',
    cause:
      'The S3 store refused the credentials: unknown, expired, without the right that is needed, or used with a clock that is wrong. Or there are none.',
    fix: 'The message says which. Correct `s3-access-key-id` and `s3-secret-access-key`, the policy, or the step that assumes the role.',
  },
  E_S3_BUCKET: {
    class: 'store',
    cause: 'There is no such bucket at that store, or it is in another region.',
    fix: 'Correct `s3-bucket`, `s3-region` or `s3-endpoint`.',
  },
  E_S3_UNAVAILABLE: {
    class: 'store',
    cause: 'The S3 store did not answer, broke connections off, or answered with errors of its own, again and again.',
    fix: 'Run again later; look at the status of the store and at the way to it.',
  },
  E_S3_UNSUPPORTED: {
    class: 'store',
    cause: 'The S3 store does not do what a setting asks for.',
    fix: 'Remove the setting that the message names, or make the bucket ready for it.',
  },
  E_S3_VERIFY: {
    class: 'store',
    cause: 'What the S3 store says that it holds is not what was sent, or something else is there under that name.',
    fix: 'Do not rely on that copy.',
  },
  E_TOO_LARGE: {
    class: 'host',
    cause: 'The host sent a line or a text longer than our program there ever does.',
    fix: 'Look at what the login scripts of that account print.',
  },
  E_REQUEST: {
    class: 'input',
    cause:
      '`db-backup serve`: a call that is none: no such path or method, no name of the server in `Host`, a body that is no JSON or too large, or bytes that are no HTTP.',
    fix: 'The status and the message say which; docs/api.md and `/openapi.json` have the calls.',
  },
  E_TOKEN: {
    class: 'input',
    cause: '`db-backup serve`: the bearer token of the call is missing, or is not that of the server.',
    fix: 'Send `Authorization: Bearer` and the token that the server was started with.',
  },
  E_LIMIT: {
    class: 'run',
    cause: '`db-backup serve`: too many calls from one address, too many that wait, or the server stops.',
    fix: 'Try again after the seconds of `Retry-After`.',
  },
  E_INTERNAL: {
    class: 'bug',
    cause: 'Something that this action does not know. Probably our bug.',
    fix: 'Please report it with the log of the run.',
  },
} as const satisfies Record<string, { class: ErrorClass; cause: string; fix: string }>;

/** What a failure is about. `run`: how the run ended, whatever it was doing. */
type ErrorClass = 'input' | 'run' | 'host' | 'database' | 'backup' | 'policy' | 'restore' | 'store' | 'bug';

export type ErrorCode = keyof typeof ERRORS;
