import { expect, test } from '@jest/globals';
import { startCacheService } from '../helpers/cache-service.js';
import { startScene } from '../helpers/scene.js';

test('the log of a green run ends with the verdict, outside of any group, whatever else is told at the end', async () => {
  const [scene, service] = await Promise.all([startScene({ transport: 'local' }), startCacheService()]);
  try {
    // nobody listens there, which is a warning
    const result = await scene.run({ 'notify-urls': 'json+http://127.0.0.1:9/', notify: 'always' }, service.env);
    expect(result.code).toBe(0);
    expect(result.visible).toContain('ledger: remembered off the host');
    expect(result.visible).toContain('the notification was not delivered');
    const lines = result.visible.trimEnd().split('\n');
    expect(lines.at(-1)).toMatch(/^✅ Backup app-\S+ of app: [\d.]+ MB, verified: content, 1 kept, 0 deleted$/);
    expect(lines.findLastIndex((line) => line.startsWith('##[group]'))).toBeLessThan(
      lines.findLastIndex((line) => /: done in /.test(line)),
    );
  } finally {
    await Promise.all([scene.stop(), service.stop()]);
  }
});
