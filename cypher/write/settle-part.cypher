// The same for some events of a job (a batch that is being bisected). Another worker may have settled them meanwhile: the mark is locked before that is looked for.
// params: $rows [[id, late, settledAt, [index]]]
// columns: n (as many as rows, or some were settled meanwhile)
UNWIND $rows AS r
MERGE (j:_Job {id: r[0]})
  ON CREATE SET j.done = []
SET j += {}
WITH j, r
WHERE j.done IS NOT NULL AND none(i IN r[3] WHERE i IN j.done)
SET j.late = CASE WHEN r[1] IS NULL THEN j.late ELSE coalesce(j.late, 0) + r[1] END,
    j.settledAt = r[2],
    j.done = j.done + r[3]
RETURN count(*) AS n
