// Jobs of the batch that were committed before, wholly or in part.
// params: $jobs [id]
// columns: id, done [index settled so far; null = all]
UNWIND $jobs AS id
MATCH (j:_Job {id: id})
RETURN j.id AS id, j.done AS done
