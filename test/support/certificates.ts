/** X.509 certificates made on the spot: Node reads them and cannot write them. (RFC 5280, section 4.1; X.690 for DER) */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

export interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface CertificateOptions {
  readonly subject: string;
  readonly keys: Keys;
  /** Default: itself. */
  readonly issuer?: { readonly subject: string; readonly keys: Keys };
  /** Names beside the subject. */
  readonly hosts?: readonly string[];
  /** Whether it may vouch for others. Default false. */
  readonly ca?: boolean;
  /** `YYMMDDHHMMSSZ`. Default: 2020 to 2049. */
  readonly from?: string;
  readonly to?: string;
}

export function makeKeys(modulusLength = 2_048): Keys {
  return generateKeyPairSync('rsa', { modulusLength });
}

let serial = 1;

/** A certificate in PEM form, signed with SHA-256 and RSA. */
export function makeCertificate({ subject, keys, issuer, hosts = [], ca = false, from, to }: CertificateOptions): string {
  const by = issuer ?? { subject, keys };
  const algorithm = seq(oid('2a864886f70d01010b'), der(0x05));
  const extensions = [
    extension('551d13', ca ? seq(der(0x01, Buffer.from([0xff]))) : seq()),
    ...(hosts.length === 0 ? [] : [extension('551d11', seq(...hosts.map((host) => der(0x82, Buffer.from(host)))))]),
  ];
  const body = seq(
    der(0xa0, integer(2)),
    integer(serial++),
    algorithm,
    nameOf(by.subject),
    seq(der(0x17, Buffer.from(from ?? '200101000000Z')), der(0x17, Buffer.from(to ?? '491231235959Z'))),
    nameOf(subject),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, seq(...extensions)),
  );
  const signature = sign('sha256', body, by.keys.privateKey);
  const bytes = seq(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function extension(id: string, value: Buffer): Buffer {
  return seq(oid(id), der(0x04, value));
}

function nameOf(commonName: string): Buffer {
  return seq(der(0x31, seq(oid('550403'), der(0x0c, Buffer.from(commonName)))));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.from([0, value >> 8, value & 0xff].slice(value < 0x80 ? 2 : 0)));
}

function seq(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
