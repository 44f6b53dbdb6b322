// Segments from the newest down that the summary cannot rule out.
// params: $before segment id, $since, $until milliseconds or null, $source, $type, $mention text in meta, or null, $limit
// columns: id, appliedAt, meta (null where nothing is mentioned), states
MATCH (s:_Segment)
WHERE s.id < $before
  AND ($since IS NULL OR s.receivedTo >= $since)
  AND ($until IS NULL OR s.receivedFrom < $until)
  AND ($source IS NULL OR $source IN s.sources)
  AND ($type IS NULL OR $type IN s.types)
WITH s ORDER BY s.id DESC LIMIT $limit
RETURN s.id AS id, s.appliedAt AS appliedAt, CASE WHEN $mention IS NULL OR s.meta CONTAINS $mention THEN s.meta END AS meta, s.states AS states
