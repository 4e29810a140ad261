import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Tools of the host that take their time, for the PATH of its sshd (`SetEnv`). */
export interface SlowTools {
  /** Line for sshd_config. */
  config: string;
  /** From now on this tool waits so long before it starts to work; `--version` does not. */
  delay(tool: string, seconds: number): void;
  /** From now on this tool gets its stdin at no more than this rate. */
  throttle(tool: string, bytesPerSecond: number): void;
  /** From now on all are as fast as they are. */
  fast(): void;
  remove(): void;
}

// One process, so that a signal for the tool is not kept by a shell around it. select is the sleep of fractions.
const WRAPPER = `#!/usr/bin/perl
use strict;
my ($dir, $tool) = $0 =~ m{^(.*)/([^/]+)$};
sub setting { open(my $file, '<', "$dir/.$tool.$_[0]") or return 0; return 0 + <$file>; }
my ($real) = grep { -x } map { "$_/$tool" } '/usr/local/bin', '/usr/bin', '/bin';
# Asked again and again, so that a tool that waits can be let go.
for (my $waited = 0; "@ARGV" ne '--version' && $waited < setting('delay'); $waited += 0.03) {
  select(undef, undef, undef, 0.03);
}
my $rate = setting('rate') or exec {$real} $tool, @ARGV;
open(my $out, '|-', $real, @ARGV) or die;
while (my $got = sysread(STDIN, my $bytes, 65536)) {
  syswrite($out, $bytes);
  select(undef, undef, undef, $got / $rate);
}
close($out);
exit($? >> 8);
`;

export function slowTools(tools: string[]): SlowTools {
  const dir = mkdtempSync(join(tmpdir(), 'dbb-slow-'));
  chmodSync(dir, 0o755);
  for (const tool of tools) {
    writeFileSync(join(dir, tool), WRAPPER);
    chmodSync(join(dir, tool), 0o755);
  }
  const set = (tool: string, what: string, value: number) =>
    writeFileSync(join(dir, `.${tool}.${what}`), String(value));
  return {
    config: `SetEnv PATH=${dir}:/usr/local/bin:/usr/bin:/bin`,
    delay: (tool, seconds) => set(tool, 'delay', seconds),
    throttle: (tool, bytesPerSecond) => set(tool, 'rate', bytesPerSecond),
    fast() {
      for (const tool of tools) for (const what of ['delay', 'rate']) set(tool, what, 0);
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
