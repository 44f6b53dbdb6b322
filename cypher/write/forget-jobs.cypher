// Jobs that the queue has completed need no mark any more; what they counted is kept.
// params: $rows [id], $worker id
UNWIND $rows AS id
MATCH (j:_Job {id: id})
WITH collect(j) AS jobs, sum(j.late) AS late
MERGE (c:_Counter {id: $worker})
SET c.late = coalesce(c.late, 0) + late
FOREACH (j IN jobs | DELETE j)
