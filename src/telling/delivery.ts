/** One POST that tells it. */
export interface Delivery {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export function jsonDelivery(url: string, body: object, headers: Record<string, string> = {}): Delivery {
  return { url, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
