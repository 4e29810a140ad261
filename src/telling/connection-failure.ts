/**
 * What the code of Node or OpenSSL means, in words and with the code behind them, and whether another attempt may go better. What has
 * no code has failed in a way that nobody knows.
 */
export function connectionFailure(code: unknown): { text: string; again: boolean } {
  if (typeof code !== 'string') return { text: 'the connection failed', again: true };
  const [, words = 'the connection failed', again = true] = MEANINGS.find(([codes]) => codes.test(code)) ?? [];
  return { text: `${words} (${code})`, again };
}

const MEANINGS: [codes: RegExp, words: string, again: boolean][] = [
  [/ALTNAME|HOSTNAME/, 'the TLS certificate of the server is for another name', false],
  [/EXPIRED/, 'the TLS certificate of the server has expired', false],
  [/CERT|SELF_SIGNED|UNABLE_TO|INVALID_CA/, 'the TLS certificate of the server is not trusted', false],
  [/^ERR_(?:TLS|SSL)|^EPROTO$/, 'no TLS connection could be made', false],
  [/^ERR_INVALID/, 'the request could not be made', false],
  [/^(?:ENOTFOUND|EAI_)/, 'the name of the server was not found', true],
  [/^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|EADDRNOTAVAIL)$/, 'cannot connect', true],
  [/TIMEDOUT|TIMEOUT/, 'no answer in time', true],
  [/^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/, 'the connection was closed', true],
];
