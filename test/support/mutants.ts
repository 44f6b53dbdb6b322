/**
 * The fold with one rule switched off at a time: a checker that cannot tell such a fold from the real one checks nothing.
 * A mutant is a copy of the model's folder with one text replaced; the text must be there exactly once.
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createJiti } from 'jiti';
import { fileURLToPath } from 'node:url';
import { createJudgedWorld, type Folding } from '../../src/verify/judge.ts';
import type { Model } from '../../src/model/model.ts';
import type { JudgedWorld } from '../../src/verify/memory.ts';

export interface Mutation {
  /** The rule that is off, and what the mutant does instead. */
  readonly rule: string;
  readonly file: 'fold' | 'state' | 'codec' | 'clock' | 'resolve';
  readonly find: string;
  readonly replace: string;
}

const SOURCE = fileURLToPath(new URL('../../src/', import.meta.url));
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/mutants/', import.meta.url));

/** Everything in here is mutated by at most one patch; the rest of the copy is the real code. */
export async function loadMutant({ file, find, replace }: Mutation): Promise<(model: Model) => JudgedWorld> {
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(CACHE);
  try {
    for (const name of ['model', 'errors.ts', 'event.ts', 'group.ts', 'json.ts'])
      await cp(`${SOURCE}${name}`, `${folder}/${name}`, { recursive: true });
    const path = `${folder}/model/${file}.ts`;
    const parts = (await readFile(path, 'utf8')).split(find);
    if (parts.length !== 2) throw new Error(`${file}.ts holds ${parts.length - 1} times: ${find}`);
    await writeFile(path, parts.join(replace));
    const jiti = createJiti(import.meta.url, { fsCache: false, moduleCache: false });
    const world = await jiti.import<Pick<Folding, 'createWorld'>>(`${folder}/model/world.ts`);
    const resolve = await jiti.import<Pick<Folding, 'resolve'>>(`${folder}/model/resolve.ts`);
    return (model) => createJudgedWorld(model, { createWorld: world.createWorld, resolve: resolve.resolve });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The rules of the law, and what a plausible simpler fold would do. The first thirteen have been broken by real designs. */
export const MUTATIONS: readonly Mutation[] = [
  {
    rule: 'a re-created node keeps its removal clock (off: forgotten on re-creation)',
    file: 'fold',
    find: 'if (alive && isNewer(clock, node.asserted)) {\n    node.asserted = clock;',
    replace: 'if (alive && isNewer(clock, node.asserted)) {\n    node.removed = undefined;\n    node.asserted = clock;',
  },
  {
    rule: 'a late removal strips what is older (off: ignored when the node is newer)',
    file: 'fold',
    find: 'if (!isNewer(clock, node.removed)) return false;\n  node.removed = clock;',
    replace: 'if (!isNewer(clock, node.removed) || isNewer(node.asserted, clock)) return false;\n  node.removed = clock;',
  },
  {
    rule: 'a cleared property keeps its clock (off: clearing forgets it)',
    file: 'fold',
    find: '  registers.set(name, after);',
    replace: '  if (after.value === null) registers.delete(name);\n  else registers.set(name, after);',
  },
  {
    rule: 'unlisted means the common stamp (off: every present property reads as written at the common stamp)',
    file: 'codec',
    find: 'if (value === null || !stamps.isCommon(clock))',
    replace: 'if (value === null)',
  },
  {
    rule: 'a stub link always asserts its ends (off: only an end that is missing)',
    file: 'fold',
    find: 'if (!ref.shape.removable && node.asserted !== undefined) return false;',
    replace: 'if (node.asserted !== undefined) return false;',
  },
  {
    rule: 'a link that loses asserts its ends too (off: a no-op)',
    file: 'fold',
    find: "const { shape } = ref;\n  let raised = false;\n  if (shape.missing === 'stub') {",
    replace:
      "const { shape } = ref;\n  let raised = false;\n  const held = shape.one === undefined ? undefined : draft.peek(slotOwner(ref))?.slots.get(shape.type)?.clock;\n  if (shape.missing === 'stub' && isAtLeast(clock, later(held, setClock(draft, ref)))) {",
  },
  {
    rule: 'the slot clock lives on the owner (off: read from the edge that it names)',
    file: 'fold',
    find: 'const before: Slot | undefined = owner.slots.get(shape.type);',
    replace:
      'const kept = owner.slots.get(shape.type);\n  const before: Slot | undefined = kept?.edge !== undefined && draft.edge(kept.edge).linked === undefined ? undefined : kept;',
  },
  {
    rule: 'a to-one edge is one register (off: its properties merge)',
    file: 'fold',
    find: '  if (shape.one !== undefined) edge.properties = new Map();\n',
    replace: '',
  },
  {
    rule: 'an unlink is remembered (off: it only ends what is there)',
    file: 'fold',
    find: 'edge.unlinked = clock;\n  prune(draft, edge);',
    replace: 'edge.unlinked = clock;\n  prune(draft, edge);\n  edge.unlinked = undefined;',
  },
  {
    rule: 'an unlink leaves the slot alone (off: it empties the slot that names its pair)',
    file: 'fold',
    find: 'edge.unlinked = clock;\n  prune(draft, edge);',
    replace:
      'edge.unlinked = clock;\n  const owner = ref.shape.one === undefined ? undefined : draft.node(slotOwner(ref));\n  const held = owner?.slots.get(ref.shape.type);\n  if (held?.edge?.id === ref.id && isNewer(clock, held.clock)) owner?.slots.set(ref.shape.type, { clock, edge: undefined });\n  prune(draft, edge);',
  },
  {
    rule: 'a link is compared with the removals of both ends (off: of its `from` alone)',
    file: 'state',
    find: 'return later(edge.unlinked, later(from?.removed, to?.removed));',
    replace: 'return later(edge.unlinked, from?.removed);',
  },
  {
    rule: 'a set resets the properties of the members that it keeps (off: kept)',
    file: 'fold',
    find: 'if (!isNewer(register.clock, floor) || !isAtLeast(register.clock, set)) edge.properties.delete(name);',
    replace: 'if (!isNewer(register.clock, floor)) edge.properties.delete(name);',
  },
  {
    rule: 'a waiting link takes the slot (off: only when both ends are there)',
    file: 'fold',
    find: 'if (!takesSlot || !takeSlot(draft, shape, slotOwner(ref), clock, ref)) return raised;',
    replace:
      'if (!takesSlot) return raised;\n    const waits = [ref.from, ref.to].some((end) => draft.peek(end)?.asserted === undefined);\n    if (!waits && !takeSlot(draft, shape, slotOwner(ref), clock, ref)) return raised;',
  },
  // ── further rules ──
  {
    rule: 'a set asserts its owner even when it is empty (off: only its members do)',
    file: 'fold',
    find: "const raised = shape.missing === 'stub' && assertEnd(draft, ownerRef, clock);\n  const owner = draft.node(ownerRef);",
    replace: 'const raised = false;\n  const owner = draft.node(ownerRef);',
  },
  {
    rule: 'a clear asserts its owner (off: it only empties the slot)',
    file: 'fold',
    find: "const raised = shape.missing === 'stub' && assertEnd(draft, owner, clock);",
    replace: 'const raised = false;',
  },
  {
    rule: 'taking the slot ends the edge that held it (off: it stays)',
    file: 'fold',
    find: '  if (before?.edge !== undefined && before.edge.id !== edge?.id) prune(draft, draft.edge(before.edge));\n',
    replace: '',
  },
  {
    rule: 'a removal ends older edges (off: they return with the node)',
    file: 'fold',
    find: '  for (const edge of draft.draftEdgesOf(ref.id)) prune(draft, edge);\n',
    replace: '',
  },
  {
    rule: 'a removal strips older properties (off: they return with the node)',
    file: 'fold',
    find: "?.rule === 'last' && !isNewer(register.clock, clock)) node.properties.delete(name);",
    replace: "?.rule === 'last' && node.asserted === undefined) node.properties.delete(name);",
  },
  {
    rule: 'accumulating properties are for life (off: what is older than the removal does not count)',
    file: 'fold',
    find: "if (type === undefined || (type.rule === 'last' && !alive)) continue;",
    replace: 'if (type === undefined || !alive) continue;',
  },
  {
    rule: 'a link older than the set is dead (off: it joins the set)',
    file: 'fold',
    find: 'if (!isNewer(clock, floor) || !isAtLeast(clock, setClock(draft, ref))) return raised;',
    replace: 'if (!isNewer(clock, floor)) return raised;',
  },
  {
    rule: 'a set and its own members tie and stay (off: the set ends them)',
    file: 'fold',
    find: '!isAtLeast(edge.linked, set) || !holdsSlot',
    replace: '!isNewer(edge.linked, set) || !holdsSlot',
  },
  {
    rule: 'an edge that is re-linked keeps its unlink clock (off: dropped)',
    file: 'fold',
    find: '    edge.linked = clock;\n',
    replace: '    edge.linked = clock;\n    edge.unlinked = undefined;\n',
  },
  {
    rule: 'of the facts of one event and time one takes the slot (off: each tries)',
    file: 'fold',
    find: 'if (!takesSlot || !takeSlot(',
    replace: 'if (!takeSlot(',
  },
  {
    rule: 'facts of one event and different times are not collapsed (off: all count as of the event)',
    file: 'resolve',
    find: "const at = said['at'] === undefined ? saidAt : ",
    replace: "const at = said['at'] !== undefined || mapped.type !== '' ? occurredAt : ",
  },
  {
    rule: 'first keeps the value of the earliest clock (off: of the first arrival)',
    file: 'fold',
    find: "if (type.rule === 'first') return isNewer(before.clock, clock) ? { clock, value } : before;",
    replace: "if (type.rule === 'first') return before;",
  },
  {
    rule: 'an older link does not take L back (off: the last to arrive is L)',
    file: 'fold',
    find: 'if (isNewer(clock, edge.linked)) {\n',
    replace: '{\n',
  },
  {
    rule: 'a slot that is newer than the removal outlives the node (off: it goes with it)',
    file: 'fold',
    find: 'if (!isNewer(slot.clock, clock)) node.slots.delete(type);',
    replace: 'node.slots.delete(type);',
  },
  {
    rule: 'a set that is newer than the removal outlives the node (off: it goes with it)',
    file: 'fold',
    find: 'if (!isNewer(set, clock)) node.sets.delete(type);',
    replace: 'node.sets.delete(type);',
  },
  {
    rule: 'slots and sets are remembered of a node nobody told of (off: no row is kept for them)',
    file: 'state',
    find: ' && node.slots.size === 0 && node.sets.size === 0',
    replace: '',
  },
  {
    rule: 'an unlink is remembered without an edge (off: no row is kept for it)',
    file: 'state',
    find: 'return edge.linked === undefined && edge.unlinked === undefined;',
    replace: 'return edge.linked === undefined;',
  },
  {
    rule: 'a removal wins an equal time (off: it ranks as no status)',
    file: 'clock',
    find: 'REMOVE_RANK = 1_000_000',
    replace: 'REMOVE_RANK = 0',
  },
  {
    rule: 'the sequence breaks ties of time (off: ignored)',
    file: 'clock',
    find: 'if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1;',
    replace: '',
  },
  {
    rule: 'the rank breaks ties of time and sequence (off: ignored)',
    file: 'clock',
    find: 'if (a.rank !== b.rank) return a.rank - b.rank;',
    replace: '',
  },
  {
    rule: 'the body hash tells two bodies apart (off: ignored)',
    file: 'clock',
    find: ' || compareUtf8(a.bodyHash, b.bodyHash)',
    replace: '',
  },
  {
    rule: 'keys order by UTF-8 bytes (off: by UTF-16 units)',
    file: 'clock',
    find: 'return codePointOrder(x) - codePointOrder(y);',
    replace: 'return x - y;',
  },
  {
    rule: 'an edge is parked for every event that it shows a property of (off: for its newest link alone)',
    file: 'codec',
    find: '  for (const { clock } of edge.properties.values()) names.add(eventName(clock));\n',
    replace: '',
  },
];
