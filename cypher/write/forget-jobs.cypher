// Old marks go; what they counted is kept. The counter is locked first, so that two workers do not count a mark twice.
// params: $before milliseconds since the epoch, $limit
// columns: forgotten
MERGE (c:_Counter {id: 'jobs'})
SET c += {}
WITH c
MATCH (j:_Job)
WHERE j.settledAt < $before
WITH c, j LIMIT $limit
WITH c, collect(j) AS jobs, sum(j.late) AS late
SET c.late = coalesce(c.late, 0) + late
FOREACH (j IN jobs | DELETE j)
RETURN size(jobs) AS forgotten
