// The same for one regular state: segments that had it from the start, and those where an event came to it later.
// params: $state, $before segment id, $since, $until milliseconds or null, $source, $type, $mention text in meta, or null, $limit
// columns: id, appliedAt, meta (null where nothing is mentioned), states
CALL () {
  MATCH (s:_Segment)
  WHERE s.id < $before
    AND s[$state] > 0
    AND ($since IS NULL OR s.receivedTo >= $since)
    AND ($until IS NULL OR s.receivedFrom < $until)
    AND ($source IS NULL OR $source IN s.sources)
    AND ($type IS NULL OR $type IN s.types)
  RETURN s ORDER BY s.id DESC LIMIT $limit
  UNION
  MATCH (e:_Event {state: $state})
  WHERE e.segment < $before
  WITH DISTINCT e.segment AS id ORDER BY id DESC LIMIT $limit
  MATCH (s:_Segment {id: id})
  RETURN s
}
WITH s ORDER BY s.id DESC LIMIT $limit
RETURN s.id AS id, s.appliedAt AS appliedAt, CASE WHEN $mention IS NULL OR s.meta CONTAINS $mention THEN s.meta END AS meta, s.states AS states
