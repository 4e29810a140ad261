import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Node lets more than 64 MB of buffers pile up that a connection has read and nobody needs any more, which is as much as
 * all the rest of this process. Where the collector can not be called, it is only that.
 */
export const collect: () => void = (() => {
  try {
    setFlagsFromString('--expose-gc');
    return runInNewContext('gc') as () => void;
  } catch {
    return () => {};
  }
})();
