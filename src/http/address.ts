/** Whom a request comes from: the address of the socket, unless that is a proxy which is trusted to say. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, type Socket } from 'node:net';

/** An IPv4 address, or the first half of an IPv6 one: whoever has one address of a /64 has them all. '' when the connection is gone. */
export type AddressOf = (req: Pick<IncomingMessage, 'headers' | 'socket'>) => string;

/**
 * `trusted` are addresses and ranges such as `10.0.0.0/8`. `X-Forwarded-For` is read from its end, as far as whoever
 * wrote an entry is trusted; what the client itself has put before that is never believed.
 */
export function createAddressOf(trusted: readonly string[] = []): AddressOf {
  const isTrusted = createTrust(trusted);
  return (req) => {
    let address = plain(req.socket.remoteAddress ?? '');
    const forwarded = req.headers['x-forwarded-for'];
    const hops = typeof forwarded === 'string' ? forwarded.split(',') : [];
    while (isTrusted(address)) {
      const hop = plain(hops.pop()?.trim() ?? '');
      if (isIP(hop) === 0) break;
      address = hop;
    }
    return networkOf(address);
  };
}

/** Whose socket it is, as an `AddressOf` has it; undefined for a trusted proxy, which holds those of many. */
export function createHolderOf(trusted: readonly string[] = []): (socket: Pick<Socket, 'remoteAddress'>) => string | undefined {
  const isTrusted = createTrust(trusted);
  return ({ remoteAddress }) => {
    const address = plain(remoteAddress ?? '');
    return isTrusted(address) ? undefined : networkOf(address);
  };
}

function createTrust(trusted: readonly string[]): (address: string) => boolean {
  if (trusted.length === 0) return () => false;
  const proxies = new BlockList();
  for (const range of trusted) {
    const [address = '', bits] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) proxies.addAddress(address, family);
    else proxies.addSubnet(address, Number(bits), family);
  }
  return (address) => isIP(address) !== 0 && proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** Without port, brackets, zone, and the prefix that makes an IPv4 address an IPv6 one. */
function plain(text: string): string {
  const bare = /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? (/^[\d.]+:\d+$/.test(text) ? text.slice(0, text.indexOf(':')) : text);
  return bare.replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
}

function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? 0 : tail.split(':').length;
  if (tail !== undefined) groups.push(...Array.from({ length: Math.max(0, 8 - groups.length - rest) }, () => '0'), ...tail.split(':'));
  const network = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${network.join(':')}::/64`;
}
