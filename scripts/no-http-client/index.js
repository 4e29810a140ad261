/** Stands where `@actions/core` imports its HTTP client: with it 700 KB (undici) would be loaded at each start, and audited. */
export class HttpClient {
  constructor() {
    throw new Error('OIDC tokens are not supported');
  }
}
export class BearerCredentialHandler {}
