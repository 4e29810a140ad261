import { expect } from '@jest/globals';
import type { Sshd } from './sshd.js';

export interface LogSince {
  /** What sshd wrote since then, once it has closed every connection that it took since then. */
  text(): Promise<string>;
  connections(): Promise<number>;
}

/** Marks a place in the log of an sshd. */
export function logSince(sshd: Sshd): LogSince {
  const start = sshd.log().length;
  const text = async () => {
    for (const end = Date.now() + 10_000; ; ) {
      const log = sshd.log().slice(start);
      const opened = log.match(/^Connection from /gm)?.length ?? 0;
      const closed = log.match(
        /^(Connection (closed|reset) by |Disconnected from |Received disconnect|Unable to negotiate)/gm,
      );
      if ((closed?.length ?? 0) >= opened || Date.now() > end) return log;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { text, connections: async () => (await text()).match(/^Connection from /gm)?.length ?? 0 };
}

/** Asserts that sshd was contacted, and that nobody began to authenticate: at LogLevel VERBOSE it tells each attempt. */
export async function expectNoAuthentication(since: LogSince): Promise<void> {
  const log = await since.text();
  expect(log).toMatch(/^Connection from /m);
  expect(log).not.toMatch(/publickey|Accepted|Failed|Postponed|Invalid user|authenticating|invalid user/);
}
