/**
 * Certificate chains, for senders that sign with a key that somebody vouches for. Signatures, names, dates and who may
 * vouch at all are checked; path lengths, name constraints and revocation are not, since Node does not tell of them: so a
 * chain is believed only together with where it was found. (RFC 5280, section 6)
 */
import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';

/** By subject: those whose word needs no other. */
export type Roots = ReadonlyMap<string, readonly X509Certificate[]>;

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** More in one document is no chain. */
const MAX_CERTIFICATES = 8;

/** PEM certificates as roots. Default: those that Node trusts for TLS. Throws what Node throws for what is no certificate. */
export function readRoots(pems: readonly string[] = rootCertificates): Roots {
  const roots = new Map<string, X509Certificate[]>();
  for (const pem of pems) {
    const root = new X509Certificate(pem);
    roots.set(root.subject, [...(roots.get(root.subject) ?? []), root]);
  }
  return roots;
}

/**
 * The first certificate of a PEM document, where it is of one of the hosts and the others lead from it to a root, each of
 * them in force at that time; else undefined. Never throws, whatever the document is.
 */
export function trustedLeaf(
  document: string,
  { roots, hosts, atMs }: { readonly roots: Roots; readonly hosts: readonly string[]; readonly atMs: number },
): X509Certificate | undefined {
  const pems = document.match(PEM) ?? [];
  if (pems.length > MAX_CERTIFICATES) return undefined;
  try {
    const [leaf, ...others] = pems.map((pem) => new X509Certificate(pem));
    const isOfHost = hosts.some((host) => leaf?.checkHost(host, { subject: 'always', wildcards: false }) !== undefined);
    return leaf !== undefined && isOfHost && leadsToRoot(leaf, others, roots, atMs) ? leaf : undefined;
  } catch {
    return undefined; // What Node cannot read, or a key that it does not know.
  }
}

function leadsToRoot(certificate: X509Certificate, others: readonly X509Certificate[], roots: Roots, atMs: number): boolean {
  if (!isInForce(certificate, atMs)) return false;
  if (roots.get(certificate.issuer)?.some((root) => isInForce(root, atMs) && hasIssued(root, certificate)) === true) return true;
  // Without `ca` whoever has any certificate could vouch for any name.
  const issuer = others.find((other) => other.ca && hasIssued(other, certificate));
  const rest = others.filter((other) => other !== issuer);
  return issuer !== undefined && leadsToRoot(issuer, rest, roots, atMs);
}

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isInForce({ validFrom, validTo }: X509Certificate, atMs: number): boolean {
  return Date.parse(validFrom) <= atMs && atMs <= Date.parse(validTo);
}
