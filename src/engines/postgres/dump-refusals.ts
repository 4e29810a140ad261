import type { RefusedDump } from '../engine.js';

/** What is odd about a dump of PostgreSQL that this action did not make, by the words of postgres-dumps.sh: what the file is, and what to do. */
export const dumpRefusals = ({ path, said }: RefusedDump): Record<string, [message: string, hint: string]> => ({
  unpacked: [
    `${path} is a folder that pg_dump -Fd made, but only files are taken`,
    `Pack it into one: \`tar -cf ${path}.tar -C ${path} .\``,
  ],
  toc: [
    `${path} is a pg_dump archive, but not in the custom format; it is probably the toc.dat of a folder that pg_dump -Fd made`,
    'That file holds no rows. Pack the whole folder into one file (`tar -cf dump.tar FOLDER`), and name that.',
  ],
  no_toc: [
    `${path} is a tar without a toc.dat at its top or in the only folder there, so pg_dump did not make its content`,
    'Unpack it, and name the dump that is in it.',
  ],
  tocs: [
    `${path} is a tar with more than one dump of pg_dump -Fd`,
    'Unpack it, and make a tar of the one that you want.',
  ],
  links: [
    `${path} is a tar with links, devices or paths out of its folder, which no dump has`,
    'Do not unpack it before you know who made it. Choose another dump.',
  ],
  utf16: [
    `${path} is text in UTF-16 (as PowerShell's redirection writes it), which psql cannot read`,
    `Convert it: \`iconv -f UTF-16 -t UTF-8 ${path} > converted.sql\`. It may still be damaged, because PowerShell changes bytes that are not text. It is better to let pg_dump write the file itself (\`-f\`).`,
  ],
  windows: [
    `${path} is a script that was changed by Windows: it has ${said}`,
    'Bytes that are not text may be damaged. It is better to let pg_dump write the file itself (`-f`), best with `-Fc`. Or convert it (`dos2unix`), check it, and name the result.',
  ],
  cut: [
    `${path} is a truncated script of pg_dump: its last line, "PostgreSQL database dump complete", is missing`,
    'The rest of the data is not in it. Choose another dump, or copy this one again from its source.',
  ],
  cluster: [
    `${path} is a script of pg_dumpall: it holds every database of a server, and its roles`,
    'It cannot replace a single database. Load it with psql into a spare server, dump the one database there with `pg_dump -Fc`, and restore that.',
  ],
  create: [
    `${path} is a script that connects to the database ${said} on its own (pg_dump --create), whatever database it is restored into`,
    'Dump it again without `--create`. Or remove the lines DROP DATABASE, CREATE DATABASE, ALTER DATABASE and \\connect from a copy, together with the \\restrict and \\unrestrict around them.',
  ],
});
