// Marks of jobs that nobody has completed for long: their worker died after the commit, and their queue is gone.
// params: $before milliseconds since the epoch
// columns: id
MATCH (j:_Job)
WHERE j.settledAt < $before
RETURN j.id AS id
