import { expect, it } from 'vitest';

import { isLoopback, isPublic, namesLoopback } from '../../../src/outbound/address.ts';

it.each(['8.8.8.8', '93.184.216.34', '172.15.255.255', '172.32.0.1', '100.128.0.1', '2606:2800:220:1::1', '2a00:1450:4001::8a'])(
  '%s is public',
  (address) => expect(isPublic(address)).toBe(true),
);

it.each([
  ['this host', '0.0.0.0'],
  ['private', '10.1.2.3'],
  ['private', '172.16.0.1'],
  ['private', '172.31.255.255'],
  ['private', '192.168.1.1'],
  ['shared', '100.64.0.1'],
  ['loopback', '127.0.0.1'],
  ['loopback', '127.9.9.9'],
  ['link-local, and the metadata of most clouds', '169.254.169.254'],
  ['the metadata of Alibaba', '100.100.100.200'],
  ['the metadata of Oracle', '192.0.0.192'],
  ['the metadata of Azure', '168.63.129.16'],
  ['benchmarks', '198.18.0.1'],
  ['documentation', '192.0.2.1'],
  ['multicast', '224.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['unspecified', '::'],
  ['loopback', '::1'],
  ['IPv4 in a coat', '::ffff:127.0.0.1'],
  ['IPv4 in a coat', '::ffff:8.8.8.8'],
  ['NAT64', '64:ff9b::7f00:1'],
  ['6to4', '2002:7f00:1::'],
  ['Teredo', '2001:0:1::1'],
  ['documentation', '2001:db8::1'],
  ['unique local, and the metadata of AWS', 'fd00:ec2::254'],
  ['link-local', 'fe80::1'],
  ['link-local with a zone', 'fe80::1%eth0'],
  ['multicast', 'ff02::1'],
  ['no address', 'shop.example'],
  ['no address', '127.1'],
])('%s is not public: %s', (_what, address) => expect(isPublic(address)).toBe(false));

it('loopback is known by its address, and by one name', () => {
  expect(['127.0.0.1', '127.255.0.1', '::1'].map(isLoopback)).toEqual([true, true, true]);
  expect(['10.0.0.1', '::', '::ffff:10.0.0.1', 'localhost', '::1%lo'].map(isLoopback)).toEqual([false, false, false, false, false]);
  expect(['localhost', '[::1]', '127.0.0.1'].map(namesLoopback)).toEqual([true, true, true]);
  expect(['localhost.shop.example', 'shop.example'].map(namesLoopback)).toEqual([false, false]);
});
