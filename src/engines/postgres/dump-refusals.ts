import type { RefusedDump } from '../engine.js';

/** What is odd about a dump of PostgreSQL that this action did not make, by the words of postgres-dumps.sh: what the file is, and what to do. */
export const dumpRefusals = ({ path, said }: RefusedDump): Record<string, [message: string, hint: string]> => ({
  unpacked: [
    `${path} is a folder that pg_dump -Fd made, and only files are taken`,
    `Put it into one: \`tar -cf ${path}.tar -C ${path} .\``,
  ],
  toc: [
    `${path} is an archive of pg_dump of another format than custom, probably the toc.dat of a folder that pg_dump -Fd made`,
    'That file holds no rows. Put the whole folder into one file (`tar -cf dump.tar FOLDER`), and name that.',
  ],
  no_toc: [
    `${path} is a tar without a toc.dat at its top or in the one folder there, so pg_dump did not make what is in it`,
    'Unpack it, and name the dump that is in it.',
  ],
  tocs: [
    `${path} is a tar of more than one dump of pg_dump -Fd`,
    'Unpack it, and make a tar of the one that is meant.',
  ],
  links: [
    `${path} is a tar with links, devices or ways out of its folder, which no dump has`,
    'Do not unpack it before you know who made it. Choose another dump.',
  ],
  utf16: [
    `${path} is text in UTF-16 (the redirection of PowerShell writes that), which psql can not read`,
    `Convert it: \`iconv -f UTF-16 -t UTF-8 ${path} > converted.sql\`. It may be damaged all the same: PowerShell changes bytes that are no text. Better let pg_dump write the file itself (\`-f\`).`,
  ],
  windows: [
    `${path} is a script that has been through Windows: it has ${said}`,
    'Bytes that are no text may be damaged there. Better let pg_dump write the file itself (`-f`), best with `-Fc`; or convert it (`dos2unix`), look at it, and name the result.',
  ],
  cut: [
    `${path} is a script of pg_dump that was cut: its last line, "PostgreSQL database dump complete", is missing`,
    'The rest of the data is not in it. Choose another dump, or copy this one anew from where it came.',
  ],
  cluster: [
    `${path} is a script of pg_dumpall: it holds every database of a server, and its roles`,
    'It can not be restored in the place of one database. Play it with psql into a server that is set up for it, dump the one database there with `pg_dump -Fc`, and restore that.',
  ],
  create: [
    `${path} is a script that connects to the database ${said} by itself (pg_dump --create), whatever it is meant to be restored into`,
    'Dump it anew without `--create`. Or remove the lines DROP DATABASE, CREATE DATABASE, ALTER DATABASE and \\connect from a copy, together with the \\restrict and \\unrestrict around them.',
  ],
});
