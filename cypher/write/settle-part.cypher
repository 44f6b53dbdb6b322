// The same for some events of a job (a batch that is being bisected). A job that is settled as a whole has no `done` and keeps none.
// params: $rows [[id, late, settledAt, [index]]]
UNWIND $rows AS r
MERGE (j:_Job {id: r[0]})
  ON CREATE SET j.done = []
SET j.late = CASE WHEN r[1] IS NULL THEN j.late ELSE coalesce(j.late, 0) + r[1] END,
    j.settledAt = r[2],
    j.done = CASE WHEN j.done IS NULL THEN null ELSE j.done + r[3] END
