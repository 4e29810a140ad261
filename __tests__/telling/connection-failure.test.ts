import { expect, test } from '@jest/globals';
import { connectionFailure } from '../../src/telling/connection-failure.js';

test.each<[code: unknown, text: string, again: boolean]>([
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'the TLS certificate of the server is for another name', false],
  ['CERT_HAS_EXPIRED', 'the TLS certificate of the server has expired', false],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'the TLS certificate of the server is not trusted', false],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'the TLS certificate of the server is not trusted', false],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'no TLS connection could be made', false],
  ['ERR_INVALID_URL', 'the request could not be made', false],
  ['ENOTFOUND', 'the name of the server was not found', true],
  ['EHOSTUNREACH', 'cannot connect', true],
  ['UND_ERR_CONNECT_TIMEOUT', 'no answer in time', true],
  ['ECONNRESET', 'the connection was closed', true],
  ['ENEW', 'the connection failed', true],
])('%s: %s', (code, text, again) => {
  expect(connectionFailure(code)).toEqual({ text: `${text} (${code})`, again });
});

test('without a code', () => {
  expect(connectionFailure(undefined)).toEqual({ text: 'the connection failed', again: true });
});
