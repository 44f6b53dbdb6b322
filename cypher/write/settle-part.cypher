// The same for some events of a job (a batch that is being bisected).
// params: $rows [[id, late, settledAt, [index]]]
UNWIND $rows AS r
MERGE (j:_Job {id: r[0]})
SET j.late = coalesce(j.late, 0) + r[1], j.settledAt = r[2], j.done = coalesce(j.done, []) + r[3]
