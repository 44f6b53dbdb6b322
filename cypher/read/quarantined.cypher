// Quarantined events whose latest time is within tolerance by now, by the segments that hold them.
// params: $until epoch nanoseconds, $limit
// columns: positions, meta, bodies, states
MATCH (e:_Event {state: 'quarantined'})
WHERE e.latest <= $until
WITH e ORDER BY e.latest LIMIT $limit
WITH e.segment AS id, collect(e.position) AS positions
MATCH (s:_Segment {id: id})
RETURN positions, s.meta AS meta, s.bodies AS bodies, s.states AS states
