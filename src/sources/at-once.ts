/** What a user's function has to say at once. The compiler refuses an async one; a configuration in JavaScript has no compiler. */

/**
 * What was said, as it is. Throws where it is a promise: nobody waits for that, and its failure, which nobody would hear, would end
 * the process. `what` names the function.
 */
export function atOnce<T>(said: T, what: string): T {
  if (!isThenable(said)) return said;
  Promise.resolve(said).catch(() => undefined);
  throw new TypeError(`${what} must not be async`);
}

function isThenable(said: unknown): said is PromiseLike<unknown> {
  return typeof said === 'object' && said !== null && 'then' in said && typeof said.then === 'function';
}
