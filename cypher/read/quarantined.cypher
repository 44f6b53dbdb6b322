// Some quarantined events whose latest time is within tolerance by now, by the segments that hold them, those that are due longest first.
// A segment is up to a megabyte or one event that is larger, so few are read at once.
// params: $until epoch nanoseconds, $sources, $except ledger keys, $limit events, $segments
// columns: positions, meta, bodies, states
MATCH (e:_Event {state: 'quarantined'})
WHERE e.latest <= $until AND split(e.key, ':')[0] IN $sources AND NOT e.key IN $except
WITH e ORDER BY e.latest LIMIT $limit
WITH e.segment AS id, collect(e.position) AS positions, min(e.latest) AS due
ORDER BY due LIMIT $segments
MATCH (s:_Segment {id: id})
RETURN positions, s.meta AS meta, s.bodies AS bodies, s.states AS states
