import type { LiveLine } from '../platform/terminal.js';

const WIDTH = 20;

/** The last line of stderr, with a bar. */
export async function liveLine(): Promise<LiveLine> {
  const { createLogUpdate } = await import('log-update');
  const update = createLogUpdate(process.stderr, { showCursor: true });
  return {
    draw(text, share) {
      const filled = share === null ? null : Math.round(share * WIDTH);
      update(filled === null ? text : `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${text}`);
    },
    clear: () => update.clear(),
  };
}
