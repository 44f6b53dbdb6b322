/** The address below which an API is, as people write it. */
import { IngestError } from '../errors.ts';

/** Without a slash at its end. Throws `BAD_CONFIG`; `what` names the setting. Which hosts may be asked is for `src/outbound` to say. */
export function readBaseUrl(what: string, text: string, example: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    throw new IngestError('BAD_CONFIG', `${what} must be a URL without user and query, such as ${example}`);
  return `${url.origin}${url.pathname.replace(/\/$/, '')}`;
}
