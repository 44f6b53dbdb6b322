// Quarantined events whose latest time is within tolerance by now, with the segments that hold them.
// params: $until epoch nanoseconds, $limit
// columns: key, segment, position, meta, bodies
MATCH (e:_Event {state: 'quarantined'})
WHERE e.latest <= $until
WITH e ORDER BY e.latest LIMIT $limit
MATCH (s:_Segment {id: e.segment})
RETURN e.key AS key, e.segment AS segment, e.position AS position, s.meta AS meta, s.bodies AS bodies
