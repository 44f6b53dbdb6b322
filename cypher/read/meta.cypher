// What the graph knows of itself: the life of Redis that it was fed from, the watermarks that it has seen, and when it last changed.
// columns: epoch, watermarks, lastAppliedAt (milliseconds since the epoch)
OPTIONAL MATCH (m:_Meta {id: 'meta'})
OPTIONAL MATCH (s:_Segment) WHERE s.id >= ''
WITH m, s ORDER BY s.id DESC LIMIT 1
RETURN m.epoch AS epoch, coalesce(m.watermarks, []) AS watermarks, s.appliedAt AS lastAppliedAt
